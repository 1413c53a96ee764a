"""What the mini backbone can do, measured on stills that it was not trained on."""

import numpy as np
import torch
from pydantic import BaseModel
from torch.nn import functional

from corpus.backbone import Backbone
from extract.regions import RegionEncoder
from pipelines.mini.stills import HELD_OUT, coverage, normalise
from pipelines.mini.texts import NAMES, definitions
from pipelines.world.entities import ENTITIES, THINGS
from pipelines.world.stills import portrait


class Recognition(BaseModel):
    """Zero-shot recognition of single things.

    Attributes:
        ways: how many things to choose from.
        stills: how many were shown.
        top1_name, top1_definition: accuracy with "a thing" and "thing: definition" as text.
        patch: share of patches that show nothing but the thing (by 90 %) and are nearest to it
            among all entities; nothing merged.
        patches: how many there were.
    """

    ways: int
    stills: int
    top1_name: float
    top1_definition: float
    patch: float
    patches: int


@torch.inference_mode()
def recognition(backbone: Backbone, each: int = 12) -> Recognition:
    """Recognise `each` held-out stills of every thing and animal of the world.

    The stills have the world's full nuisance, and come from seeds that training never uses.
    """
    size = backbone.preprocess.size[0]
    encoder = RegionEncoder(backbone.model, 0)
    phrases = backbone.encode_text([f"a {name}" for name in THINGS])
    defined = backbone.encode_text([f"{n}: {definitions()[n][0]}" for n in THINGS])
    entities = backbone.encode_text([f"{n}: {definitions()[n][0]}" for n in NAMES])
    named = by_definition = patches = right = 0
    for k, name in enumerate(THINGS):
        shots = [
            portrait(name, np.random.default_rng(HELD_OUT + k * each + i), size)
            for i in range(each)
        ]
        images = torch.from_numpy(np.stack([s.image for s in shots])).permute(0, 3, 1, 2)
        tokens = functional.normalize(
            encoder(normalise(images, backbone.preprocess)).tokens, dim=-1
        )
        named += int((tokens[:, 0] @ phrases.T).argmax(-1).eq(k).sum())
        by_definition += int((tokens[:, 0] @ defined.T).argmax(-1).eq(k).sum())
        nearest = (tokens[:, 1:] @ entities.T).argmax(-1)  # (each, P)
        for shot, row in zip(shots, nearest, strict=True):
            index, cover = coverage(shot, encoder.grid[0])
            own = cover[index == NAMES.index(name)]
            if len(own):
                pure = torch.from_numpy(own[0] > 0.9 * 255)
                patches += int(pure.sum())
                right += int(row[pure].eq(NAMES.index(name)).sum())
    stills = each * len(THINGS)
    return Recognition(
        ways=len(THINGS),
        stills=stills,
        top1_name=named / stills,
        top1_definition=by_definition / stills,
        patch=right / max(patches, 1),
        patches=patches,
    )


def all_texts(backbone: Backbone) -> tuple[list[str], np.ndarray]:
    """Return the world's entities and the (K, D) unit rows of their "name: definition" texts."""
    names = list(ENTITIES)
    rows = backbone.encode_text([f"{name}: {definitions()[name][0]}" for name in names])
    return names, rows.numpy()
