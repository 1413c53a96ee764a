"""Where the features of a data set are: in memory, or in the caches until they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapter.clips import PLACE, Clips
from extract.store import CacheManifest, FeatureCache


class Store(Protocol):
    """Where the features of rows are."""

    def fetch(self, rows: Tensor, views: Tensor) -> Clips:
        """Read view `views[j]` of row `rows[j]` for all j."""
        ...


@dataclass(frozen=True)
class InMemory:
    """All features as two tensors, on any device.

    Attributes:
        clips: regions (N, V, T, R, D) and place (N, V, T, R, 3), both float16.
    """

    clips: Clips

    def fetch(self, rows: Tensor, views: Tensor) -> Clips:
        """Index both tensors."""
        device = self.clips.regions.device
        rows, views = rows.to(device), views.to(device)
        return self.clips.map(lambda tensor: tensor[rows, views])


@dataclass(frozen=True)
class Streamed:
    """Features read from the caches as they are asked for, a clip at a time.

    Attributes:
        caches: open lazily, so that each worker has handles of its own.
        rows: for each row of the store, which cache and which row of it.
    """

    caches: Sequence[FeatureCache]
    rows: Sequence[tuple[int, int]]

    def fetch(self, rows: Tensor, views: Tensor) -> Clips:
        """Read each row's chunk and take the view from it."""
        read = [
            self.read(row).map(lambda tensor, view=view: tensor[view])  # type: ignore[misc]
            for row, view in zip(rows.tolist(), views.tolist(), strict=True)
        ]
        return Clips(
            torch.stack([clip.regions for clip in read]), torch.stack([clip.place for clip in read])
        )

    def read(self, row: int) -> Clips:
        """Read all views of one row: regions (V, T, R, D) and place (V, T, R, 3), float16."""
        number, row = self.rows[row]
        cache = self.caches[number]
        facts = cache.manifest
        return views_of(cache.regions(row), cache.patch_region(row), facts, facts.view_count)


def views_of(
    regions: NDArray[np.float32], patch_region: NDArray[Any], facts: CacheManifest, views: int
) -> Clips:
    """Divide one video's features into its views.

    Args:
        regions: (V·T, R, D) float32.
        patch_region: (V·T, P), the token that each patch ended in, as `place` takes it.
        facts: manifest of the features.
        views: V.

    Returns:
        regions (V, T, R, D) and place (V, T, R, 3), float16.
    """
    where = place(patch_region, facts.grid, facts.regions)
    return Clips(
        *(
            torch.from_numpy(array.astype(np.float16)).unflatten(0, (views, -1))
            for array in (regions, where)
        )
    )


def place(
    patch_region: NDArray[np.integer], grid: tuple[int, int], regions: int
) -> NDArray[np.float32]:
    """Say where each region is.

    Args:
        patch_region: (frames, P), the token that each patch ended in; patches in rows. R marks a
            patch whose region the cache does not keep.
        grid: rows and columns of patches, P in all.
        regions: R, tokens of a frame.

    Returns:
        (frames, R, 3): mean column and row of its patches from −1 to 1, and the square root of its
        share of the frame. The class token is everywhere: (0, 0, 1).
    """
    frames, patches = patch_region.shape
    rows, columns = grid
    down, across = np.divmod(np.arange(patches), columns)
    slots = regions + 1  # the last is for patches of regions that were cut
    token = (patch_region.astype(np.int64) + slots * np.arange(frames)[:, None]).ravel()

    def total(values: NDArray[np.float64]) -> NDArray[Any]:
        weights = np.tile(values, frames)
        sums = np.bincount(token, weights, minlength=frames * slots)
        return sums.reshape(frames, slots)[:, :regions]

    count = total(np.ones(patches))
    held = np.maximum(count, 1)
    where = np.stack(
        [
            total((2 * across + 1) / columns - 1) / held,
            total((2 * down + 1) / rows - 1) / held,
            np.sqrt(count / patches),
        ],
        axis=-1,
    )
    where[:, 0] = (0, 0, 1)
    assert where.shape[-1] == PLACE
    return where.astype(np.float32)


def read_all(store: Streamed, count: int, facts: CacheManifest) -> InMemory:
    """Read the first `count` rows of a store into memory."""
    shape = (count, facts.view_count, facts.frames, facts.regions)
    clips = Clips(
        torch.empty(*shape, facts.dim, dtype=torch.float16),
        torch.empty(*shape, PLACE, dtype=torch.float16),
    )
    for row in range(count):
        clip = store.read(row)
        clips.regions[row], clips.place[row] = clip.regions, clip.place
    return InMemory(clips)
