"""What a checkpoint's origin tells beside its weights: its activation, its pixels, its model.

GELU and QuickGELU take the same weights, as do pixels however they were prepared, and the wrong
ones give wrong features without an error.
"""

import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import open_clip
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from pydantic import BaseModel, PositiveFloat, ValidationError
from torch import Tensor

from corpus.atomic import sha256
from corpus.causes import first_cause
from corpus.errors import BadInput

OPENAI = {"input_resolution", "context_length", "vocab_size"}  # numbers among OpenAI's weights
_CONFIG = "open_clip_config.json"
_PIXELS = ("mean", "std", "interpolation", "resize_mode")


class _Activation(BaseModel):
    quick_gelu: bool | None = None


class _Pixels(BaseModel):
    mean: tuple[float, float, float] | None = None
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    interpolation: Literal["bicubic", "bilinear"] | None = None
    resize_mode: str | None = None


class Beside(BaseModel):
    """What the open_clip_config.json beside a checkpoint tells, as in Hugging Face's folders.

    Attributes:
        model_cfg: with the activation.
        preprocess_cfg: how pixels were prepared, where that is not open_clip's default.
    """

    model_cfg: _Activation
    preprocess_cfg: _Pixels | None = None


def beside(path: Path) -> Beside | None:
    """Read the config beside a checkpoint.

    Args:
        path: of the checkpoint.

    Returns:
        What it tells; None where there is none or, with a warning, where it is none of open_clip's.
    """
    neighbour = path.parent / _CONFIG
    if not neighbour.is_file():
        return None
    try:
        return Beside.model_validate_json(neighbour.read_bytes())
    except ValidationError as error:
        cause = f"is not an open_clip config; ignored ({first_cause(error)})"
        warnings.warn(f"{neighbour} {cause}", stacklevel=4)
        return None


def pixels(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """How pixels are prepared for the weights of a tag, as open_clip's list has it."""
    return {name: cfg[name] for name in _PIXELS if name in cfg}


def usual_pixels(model: str, path: Path, names: Collection[str]) -> dict[str, Any]:
    """How pixels are prepared for a checkpoint that does not tell: as for all tags of its model.

    Where those differ it is as for the first, with a warning.

    Args:
        model: open_clip's name.
        path: of the checkpoint, for the warning.
        names: of its weights; OpenAI's own prepare pixels by default.
    """
    if OPENAI.issubset(names):
        return {}
    ways = {
        tag: pixels(open_clip.get_pretrained_cfg(model, tag))
        for tag in open_clip.list_pretrained_tags_by_model(model)
    }
    first = next(iter(ways.values()), {})
    others = [tag for tag, way in ways.items() if way != first]
    if others:
        warnings.warn(
            f"{path}: nothing beside it tells how pixels are prepared for it; {model}'s usual way "
            f"is taken, which is not that of {', '.join(others)}",
            stacklevel=4,
        )
    return first


def check_activation(
    model: str, path: Path, names: Collection[str], told: Beside | None = None
) -> None:
    """Refuse a checkpoint whose origin says another activation than `model` has.

    Args:
        model: open_clip's name.
        path: of the checkpoint.
        names: of its weights.
        told: `beside` it.

    Raises:
        BadInput: it was trained with another activation.
    """
    wanted = bool(open_clip.get_model_config(model).get("quick_gelu"))
    needs, why = _trained_with_quick_gelu(path, names, told)
    if needs is None and not wanted and any(path.name == Path(u).name for u in _quick_gelu_urls()):
        warnings.warn(
            f"{path.name} is the file name of weights trained with QuickGELU; "
            "if that is what it is, the model's name must end in -quickgelu",
            stacklevel=4,
        )
    if needs is None or needs == wanted:
        return
    other = model.removesuffix("-quickgelu") if wanted else f"{model}-quickgelu"
    raise BadInput(
        path,
        f"was trained {'with' if needs else 'without'} QuickGELU ({why}), and {model} "
        f"{'uses' if wanted else 'does not use'} it: features would be wrong",
        f"use --model {other}" if other in open_clip.list_models() else "name the model it is of",
    )


def _trained_with_quick_gelu(
    path: Path, names: Collection[str], told: Beside | None
) -> tuple[bool | None, str]:
    """Look for evidence of a checkpoint's activation: its digest, its neighbours, its keys.

    Weights alone do not tell GELU from QuickGELU, so this is evidence of origin.
    """
    digest = sha256(path)
    for name, tag in open_clip.list_pretrained():
        cfg = open_clip.get_pretrained_cfg(name, tag)
        marks = re.findall(r"(?<![0-9a-f])([0-9a-f]{64}|[0-9a-f]{8})(?=[/.])", cfg.get("url") or "")
        if any(digest.startswith(mark) for mark in marks):
            return bool(cfg.get("quick_gelu")), f"it is {name.removesuffix('-quickgelu')}/{tag}"
    if told is not None:
        return bool(told.model_cfg.quick_gelu), f"{_CONFIG} beside it says so"
    if OPENAI.issubset(names):
        return True, "it has the keys of OpenAI's own checkpoints"
    return None, ""


def models_of(weights: Mapping[str, Tensor]) -> list[str]:
    """Name open_clip's models of plain vision transformers that these weights fit, by their sizes.

    Those that weights do not tell apart, as with and without QuickGELU, are both named.
    """
    try:
        found = _sizes_of(weights)
    except (KeyError, ValueError):
        return []
    return [name for name in open_clip.list_models() if _sizes(name) == found]


def _sizes_of(weights: Mapping[str, Tensor]) -> tuple[int, ...]:
    width, _, patch, _ = weights["visual.conv1.weight"].shape
    vocabulary, text_width = weights["token_embedding.weight"].shape
    return (
        weights["visual.proj"].shape[1],
        width,
        patch,
        len(weights["visual.positional_embedding"]) - 1,
        sum(re.fullmatch(r"visual\..*\.ln_1\.weight", name) is not None for name in weights),
        len(weights["positional_embedding"]),
        vocabulary,
        text_width,
        sum(re.fullmatch(r"transformer\..*\.ln_1\.weight", name) is not None for name in weights),
    )


def _sizes(model: str) -> tuple[int, ...] | None:
    config: Any = open_clip.get_model_config(model)
    if "timm_model_name" in config["vision_cfg"] or "hf_model_name" in config["text_cfg"]:
        return None
    image, text = CLIPVisionCfg(**config["vision_cfg"]), CLIPTextCfg(**config["text_cfg"])
    if not isinstance(image.image_size, int) or not isinstance(image.layers, int):
        return None
    return (
        config["embed_dim"],
        image.width,
        image.patch_size,
        (image.image_size // image.patch_size) ** 2,
        image.layers,
        text.context_length,
        text.vocab_size,
        text.width,
        text.layers,
    )


def _quick_gelu_urls() -> Iterator[str]:
    for name, tag in open_clip.list_pretrained():
        cfg = open_clip.get_pretrained_cfg(name, tag)
        if cfg.get("quick_gelu") and cfg.get("url"):
            yield cfg["url"]
