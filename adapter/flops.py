"""Multiply-adds of the encoder and of the adapter, counted on the meta device: no weight is made.

Papers write "GFLOPs" for billions of multiply-adds; so is it here.
"""

import logging
from functools import cache
from typing import Any

import open_clip
import torch
from pydantic import BaseModel, ConfigDict
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import corpus.backbone  # noqa: F401  (registers alt-mini with open_clip)
from adapter.baselines import build
from adapter.clips import PLACE, Clips
from adapter.model import ModelConfig
from corpus.causes import first_cause
from corpus.errors import BadInput
from extract.regions import RegionEncoder

_MOST = 100_000  # frames of a view, and views
PAPER_GMACS = 4947.0  # ViT-L/14, Kinetics-400 (paper, table 1)


class Cost(BaseModel):
    """What one video costs, in billions of multiply-adds.

    Attributes:
        model, merge, frames, views, entities: what was counted.
        regions: R, tokens of a frame that come out of the encoder.
        encoder_frame: the image tower on one frame.
        encoder_frame_unmerged: the same with nothing merged.
        encoder: on all frames of all views.
        adapter: on all views.
        adapter_looked_up: the same where the nearest entities are known, as in training
            (`adapter.nearest`); with projections, which change them, it is no less.
        total: of encoder and adapter.
        operators: the total by operator of PyTorch.
    """

    model_config = ConfigDict(frozen=True)
    model: str
    merge: int
    frames: int
    views: int
    entities: int
    regions: int
    encoder_frame: float
    encoder_frame_unmerged: float
    encoder: float
    adapter: float
    adapter_looked_up: float
    total: float
    operators: dict[str, float]


def cost(
    model: str,
    merge: int,
    frames: int,
    views: int,
    entities: int = 5000,
    config: ModelConfig | None = None,
) -> Cost:
    """Count the multiply-adds of recognising one video.

    Args:
        model: an open_clip model name.
        merge: token pairs merged in each block, r.
        frames: T, frames in a view.
        views: V.
        entities: K, size of the text corpus; every region is compared with every entity.
        config: the adapter's shape.

    Raises:
        BadInput: no such model, its image tower is not a plain vision transformer, a method that
            has no entities, or a number that is too large to count with.
    """
    for name, number, most in (
        ("frames", frames, _MOST),
        ("views", views, _MOST),
        ("entities", entities, 1000 * _MOST),
    ):
        if number > most:
            cause = "is more than can be counted with"
            raise BadInput(f"--{name} {number}", cause, f"use {most} at most")
    dim, regions, per_frame = _encoder(model, merge)
    config = config or ModelConfig()
    if not config.meets_entities:
        raise BadInput(f"--method {config.method}", "is not counted", "use alt or alt-paper")
    per_view, looked_up = (
        _adapter_operators(config, dim, regions, frames, entities, known) for known in (False, True)
    )
    operators = {
        name: frames * views * per_frame.get(name, 0) + views * per_view.get(name, 0)
        for name in per_frame.keys() | per_view.keys()
    }
    encoder_total = frames * views * sum(per_frame.values())
    adapter_total = views * sum(per_view.values())
    return Cost(
        model=model,
        merge=merge,
        frames=frames,
        views=views,
        entities=entities,
        regions=regions,
        encoder_frame=sum(per_frame.values()),
        encoder_frame_unmerged=sum(_encoder(model, 0)[2].values()),
        encoder=encoder_total,
        adapter=adapter_total,
        adapter_looked_up=views * sum(looked_up.values()),
        total=encoder_total + adapter_total,
        operators=dict(sorted(operators.items(), key=lambda item: -item[1])),
    )


def _tower(model: str) -> nn.Module:
    model = model.replace("/", "-")
    if model not in open_clip.list_models():
        raise BadInput(
            f"--model {model}", "open_clip knows no such model", "see its list of models"
        )
    quiet = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # "no pretrained weights": none are wanted
    try:
        with torch.device("meta"):
            clip = open_clip.create_model(model, pretrained=None, device="meta")
    except (ImportError, RuntimeError) as error:  # some models are of libraries that are not here
        cause = f"cannot be made ({first_cause(error)})"
        raise BadInput(f"--model {model}", cause, "use another model") from error
    finally:
        logging.getLogger().setLevel(quiet)
    return clip.visual.eval()


@cache
def _encoder(model: str, merge: int) -> tuple[int, int, dict[str, float]]:
    """Return D, R, and the count of one frame through the region encoder."""
    visual: Any = _tower(model)
    encoder = RegionEncoder(visual, merge)
    height, width = visual.image_size
    images = torch.empty(1, 3, height, width, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder(images)
    return encoder.dim, encoder.regions, _gmacs(counter)


@cache
def _adapter_operators(
    config: ModelConfig, dim: int, regions: int, frames: int, entities: int, known: bool
) -> dict[str, float]:
    """Count one view through the adapter, up to where labels are compared with its tracks.

    Its regions' nearest entities may be known.
    """
    with torch.device("meta"):
        adapter: Any = build(config, torch.empty(entities, dim), regions, scale=100.0).eval()
        clips = Clips(torch.empty(1, frames, regions, dim), torch.empty(1, frames, regions, PLACE))
        if known:
            near = torch.empty(1, frames, regions, min(config.top_k, entities))
            clips = clips._replace(nearest=near.long(), cosine=near)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            adapter.read(clips)
    return _gmacs(counter)


def _gmacs(counter: FlopCounterMode) -> dict[str, float]:
    """Billions of multiply-adds by operator; the counter has two operations for each."""
    counts = counter.get_flop_counts()["Global"]
    return {str(name).removeprefix("aten."): count / 2e9 for name, count in counts.items()}
