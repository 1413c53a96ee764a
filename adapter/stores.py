"""Where the features of a data set are: in memory, or in the caches until they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapter.clips import PLACE, Clips
from corpus.tally import Tally, tallied
from extract.store import CacheManifest, FeatureCache

GPU_SHARE = 0.5  # of its free memory; the rest is for the model and its steps


class Store(Protocol):
    """Where the features of rows are."""

    def fetch(self, rows: Tensor, views: Tensor) -> Clips:
        """Read view `views[j]` of row `rows[j]` for all j."""
        ...

    def expect(self, rows: Tensor) -> None:
        """Take note that these rows are fetched soon."""
        ...

    def class_tokens(self) -> "Store":
        """Leave out what regions look like, if it is in memory; where they are stays."""
        ...

    def to(self, device: torch.device) -> "Store":
        """Move features that are in memory to a device, if it has room; else return self."""
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

    def expect(self, rows: Tensor) -> None:
        """Do nothing: all is at hand."""

    def class_tokens(self) -> "InMemory":
        """Show the class tokens alone; nothing is copied."""
        return InMemory(self.clips._replace(regions=self.clips.regions[..., :1, :]))

    def to(self, device: torch.device) -> "InMemory":
        """Move both tensors, if that leaves half of the GPU's free memory to others."""
        size = self.clips.regions.nbytes + self.clips.place.nbytes
        if device.type != "cuda" or size > GPU_SHARE * torch.cuda.mem_get_info(device)[0]:
            return self
        return InMemory(self.clips.to(device))


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
        """Read each view; those of one clip that follow each other are read at once."""
        clips = blank(len(rows), facts=self.caches[0].manifest)
        wanted = enumerate(zip(rows.tolist(), views.tolist(), strict=True))
        for (row, ahead), run in groupby(wanted, lambda item: (item[1][0], item[1][1] - item[0])):
            slots = [slot for slot, _ in run]
            part = slice(slots[0], slots[-1] + 1)
            self.read(row, slots[0] + ahead, Clips(clips.regions[part], clips.place[part]))
        return clips

    def expect(self, rows: Tensor) -> None:
        """Ask the system for the rows, all together."""
        soon = [self.rows[row] for row in rows.unique().tolist()]
        for number, cache in enumerate(self.caches):
            cache.expect(row for where, row in soon if where == number)

    def read(self, row: int, view: int, out: Clips) -> None:
        """Read views of one row, from `view` on: regions (n, T, R, D) and place (n, T, R, 3)."""
        number, row = self.rows[row]
        cache = self.caches[number]
        facts = cache.manifest
        regions = out.regions.flatten(0, 1)
        first, last = view * facts.frames, view * facts.frames + len(regions)
        cache.read_regions(row, first, regions.numpy())
        where = place(cache.patch_region(row)[first:last], facts.grid, facts.regions)
        out.place.flatten(0, 1).copy_(torch.from_numpy(where))

    def class_tokens(self) -> "Streamed":
        """Return self: a frame is read whole, or not at all."""
        return self

    def to(self, device: torch.device) -> "Streamed":
        """Return self: what is streamed is not in memory."""
        return self


def view_of(
    regions: NDArray[np.float32], patch_region: NDArray[Any], facts: CacheManifest
) -> Clips:
    """Make a batch of one video's only view.

    Args:
        regions: (T, R, D) float32.
        patch_region: (T, P), the token that each patch ended in, as `place` takes it.
        facts: manifest of the features.

    Returns:
        regions (1, T, R, D) and place (1, T, R, 3), float16.
    """
    where = place(patch_region, facts.grid, facts.regions)
    return Clips(*(torch.from_numpy(array.astype(np.float16))[None] for array in (regions, where)))


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


def read_all(
    store: Streamed, count: int, facts: CacheManifest, tally: Tally | None = None
) -> InMemory:
    """Read the first `count` rows of a store into memory; `tally` is called with each."""
    clips = blank(count, facts.view_count, facts=facts)
    for row in tallied(range(count), count, tally):
        store.read(row, 0, Clips(clips.regions[row], clips.place[row]))
    return InMemory(clips)


def blank(*shape: int, facts: CacheManifest) -> Clips:
    """Room for so many views: regions (*shape, T, R, D) and place (*shape, T, R, 3), float16."""
    shape = (*shape, facts.frames, facts.regions)
    return Clips(
        torch.empty(*shape, facts.dim, dtype=torch.float16),
        torch.empty(*shape, PLACE, dtype=torch.float16),
    )
