"""Still scenes as training batches: pixels, captions, and which entity covers which patch."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from corpus.preprocess import Preprocess
from pipelines.mini.texts import INDEX, NAMES, text_of
from pipelines.world.stills import FIRST_SEED, Still, still

MOST_ENTITIES = 20  # seen in one still: scene, role, six body parts, things; a few to spare
# Seeds of stills: training counts up from FIRST_SEED, held-out stills from here.
HELD_OUT = FIRST_SEED + 2**38
NAMED = 0.5  # share of single things whose caption is one of the ways to write their name
Row = tuple[np.ndarray, str, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Batch:
    """Stills with what is known of them.

    Attributes:
        images: (B, 3, H, W) uint8.
        captions: B texts.
        entities: (B, E) int64, indices into `texts.NAMES`, −1 where there are fewer.
        cover: (B, E, P) uint8, how much of each patch shows the entity, 255 for all of it.
        about: (B, K) float32, how much each still is about each entity of NAMES; rows sum to one.
    """

    images: Tensor
    captions: list[str]
    entities: Tensor
    cover: Tensor
    about: Tensor

    def __len__(self) -> int:
        return len(self.captions)

    def take(self, rows: np.ndarray) -> "Batch":
        """Return some of the stills."""
        at = torch.from_numpy(rows)
        captions = [self.captions[k] for k in rows.tolist()]
        return Batch(self.images[at], captions, self.entities[at], self.cover[at], self.about[at])


def one(number: int, size: int, grid: int) -> Row:
    """Draw still scene `number`; the same number is the same still.

    Args:
        number: of the still, counted from FIRST_SEED.
        size: side of the image, pixels.
        grid: patches to a side.

    Returns:
        (size, size, 3) uint8 pixels, the caption, the entities and their `coverage`, and (K,)
        float32, what the still is about.
    """
    shot = still(FIRST_SEED + number, size)
    rng = np.random.default_rng((FIRST_SEED, number))
    caption = shot.caption
    if shot.subject and rng.random() < NAMED:
        caption = text_of(shot.subject, rng)
    about = np.zeros(len(NAMES), np.float32)
    about[[INDEX[name] for name in shot.about]] = 1 / len(shot.about)
    return shot.image, caption, *coverage(shot, grid), about


def draw(numbers: range, size: int, grid: int, workers: Executor | None) -> Batch:
    """Draw still scenes by number, several at a time where there are workers."""
    of = partial(one, size=size, grid=grid)
    return collate(list(workers.map(of, numbers, chunksize=64) if workers else map(of, numbers)))


def coverage(shot: Still, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """Measure how much of each patch each entity covers.

    Returns:
        (E,) int64 entity indices, −1 in unused places, and (E, P) uint8, 255 for all of a patch.
    """
    cell = shot.ids.shape[0] // grid
    shares: dict[str, np.ndarray] = {}
    for number in np.unique(shot.ids):
        mask = (shot.ids == number).reshape(grid, cell, grid, cell).mean((1, 3), dtype=np.float32)
        for name in shot.names.get(int(number), ()):
            shares[name] = shares.get(name, np.float32(0)) + mask.ravel()
    entities = np.full(MOST_ENTITIES, -1, np.int64)
    cover = np.zeros((MOST_ENTITIES, grid * grid), np.uint8)
    for k, (name, share) in enumerate(list(shares.items())[:MOST_ENTITIES]):
        entities[k], cover[k] = INDEX[name], np.rint(255 * share)
    return entities, cover


def collate(rows: Sequence[Row]) -> Batch:
    """Stack stills."""
    images, captions, entities, cover, about = zip(*rows, strict=True)
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return Batch(
        pixels,
        list(captions),
        torch.from_numpy(np.stack(entities)),
        torch.from_numpy(np.stack(cover)),
        torch.from_numpy(np.stack(about)),
    )


def normalise(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Turn (B, 3, H, W) uint8 pixels into what the image tower takes."""
    mean = torch.tensor(preprocess.mean).view(1, 3, 1, 1)
    std = torch.tensor(preprocess.std).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std
