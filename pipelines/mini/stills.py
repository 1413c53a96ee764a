"""Still scenes as training batches: pixels, captions, and which entity covers which patch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from corpus.backbone import Preprocess
from pipelines.mini.texts import INDEX, text_of
from pipelines.world.stage import NUISANCE
from pipelines.world.stills import FIRST_SEED, Still, still

MOST_ENTITIES = 20  # seen in one still: scene, role, six body parts, things; a few to spare
# Seeds of stills: training counts up from FIRST_SEED, held-out stills from here.
HELD_OUT = FIRST_SEED + 2**38


@dataclass(frozen=True)
class Batch:
    """Stills of one step.

    Attributes:
        images: (B, 3, H, W) uint8.
        captions: B texts.
        entities: (B, E) int64, indices into `texts.NAMES`, −1 where there are fewer.
        cover: (B, E, P) float32, the share of each patch's pixels that show the entity.
    """

    images: Tensor
    captions: list[str]
    entities: Tensor
    cover: Tensor


class Stills(Dataset[tuple[np.ndarray, str, np.ndarray, np.ndarray]]):
    """Still scenes by number; the same number is the same still.

    Args:
        size: side of the image, pixels.
        grid: patches to a side.
        count: how many.
        first: seed of number 0.
        easy: over so many stills nuisance grows to the videos' level.
    """

    def __init__(
        self, size: int, grid: int, count: int, first: int = FIRST_SEED, easy: int = 0
    ) -> None:
        self.size, self.grid, self.count, self.first, self.easy = size, grid, count, first, easy

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> tuple[np.ndarray, str, np.ndarray, np.ndarray]:
        share = min(1.0, 0.1 + 0.9 * number / self.easy) if self.easy else 1.0
        shot = still(self.first + number, self.size, NUISANCE.scaled(share))
        rng = np.random.default_rng((self.first, number))
        caption = shot.caption
        if shot.subject and rng.random() < 0.2:
            caption = text_of(shot.subject, rng)
        entities, cover = coverage(shot, self.grid)
        return shot.image, caption, entities, cover


def coverage(shot: Still, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """Measure how much of each patch each entity covers.

    Returns:
        (E,) int64 entity indices, −1 in unused places, and (E, P) float32 shares.
    """
    cell = shot.ids.shape[0] // grid
    shares: dict[str, np.ndarray] = {}
    for number in np.unique(shot.ids):
        mask = (shot.ids == number).reshape(grid, cell, grid, cell).mean((1, 3), dtype=np.float32)
        for name in shot.names.get(int(number), ()):
            shares[name] = shares.get(name, np.float32(0)) + mask.ravel()
    entities = np.full(MOST_ENTITIES, -1, np.int64)
    cover = np.zeros((MOST_ENTITIES, grid * grid), np.float32)
    for k, (name, share) in enumerate(list(shares.items())[:MOST_ENTITIES]):
        entities[k], cover[k] = INDEX[name], share
    return entities, cover


def collate(rows: Sequence[tuple[np.ndarray, str, np.ndarray, np.ndarray]]) -> Batch:
    """Stack stills into a batch."""
    images, captions, entities, cover = zip(*rows, strict=True)
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return Batch(
        pixels,
        list(captions),
        torch.from_numpy(np.stack(entities)),
        torch.from_numpy(np.stack(cover)),
    )


def normalise(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Turn (B, 3, H, W) uint8 pixels into what the image tower takes."""
    mean = torch.tensor(preprocess.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocess.std).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std
