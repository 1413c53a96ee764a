"""Alignment looked up once: the nearest entities of every region, in a file beside the features.

Where nothing is projected (`ModelConfig.project`), the cosines of regions and entities do not
change in training. The k nearest are kept, so that the choice among them stays stochastic.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from adapter.clips import Clips
from adapter.data import ClipSet
from adapter.model import ModelConfig
from adapter.processes import processes
from adapter.stores import Store
from adapter.task import Task
from corpus.atomic import atomic_file
from extract.store import FeatureCache

_ENTRY = np.dtype([("entity", "<i4"), ("cosine", "<f2")])
_VIEWS = 64  # looked up at once


@dataclass(frozen=True)
class WithNearest:
    """A store whose clips know their regions' nearest entities.

    Attributes:
        store: of the features.
        table: (N, V, T, R, k) of entity and cosine, nearest first.
    """

    store: Store
    table: NDArray[Any]

    def fetch(self, rows: Tensor, views: Tensor) -> Clips:
        """Read the features, and what is nearest to them."""
        clips = self.store.fetch(rows, views)
        held = self.table[rows.cpu().numpy(), views.cpu().numpy()]
        device = clips.regions.device
        return clips._replace(
            nearest=torch.from_numpy(held["entity"].astype(np.int64)).to(device),
            cosine=torch.from_numpy(held["cosine"].astype(np.float32)).to(device),
        )

    def expect(self, rows: Tensor) -> None:
        """Pass on what is fetched soon; the table is read through the page cache."""
        self.store.expect(rows)

    def class_tokens(self) -> "WithNearest":
        """Leave out what regions look like."""
        return replace(self, store=self.store.class_tokens())

    def to(self, device: torch.device) -> "WithNearest":
        """Move the features; the table stays where it is."""
        return replace(self, store=self.store.to(device))


def with_nearest(
    clips: ClipSet,
    entities: Tensor,
    corpus: str,
    top_k: int,
    device: str = "cpu",
) -> ClipSet:
    """Let clips know their regions' nearest entities; look them up unless a file has them.

    Args:
        clips: the file is kept beside the first of their caches.
        entities: (K, D) unit rows.
        corpus: its id; with the caches' content and k it decides what the file is called.
        top_k: k.
        device: to compare on.

    Returns:
        The same clips; each region costs 6·k bytes on disk, read through the page cache.
    """
    count, top_k = int(clips.rows.max()) + 1, min(top_k, len(entities))
    contents = [FeatureCache(path).manifest.content_hash for path in clips.sources]
    key = " ".join([*contents, corpus, str(top_k), str(count)])
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    path = clips.sources[0].with_name(f"{clips.sources[0].stem}.nearest-{digest}.npy")
    if not path.is_file():
        facts = clips.facts
        shape = (count, facts.view_count, facts.frames, facts.regions, top_k)
        with atomic_file(path) as draft:
            _look_up(clips, entities.to(device), shape, draft)
    table = np.load(path, mmap_mode="r", allow_pickle=False)
    return replace(clips, store=WithNearest(clips.store, table))


def as_read(task: Task, model: ModelConfig, device: str = "cpu") -> ClipSet:
    """Return a task's clips as a method reads them.

    They know their regions' nearest entities where those never change, and leave out what regions
    look like where nothing reads it but the look-up.
    """
    clips, meets_entities = task.clips, model.method in ("alt", "alt-shuffled")
    if meets_entities and model.align != "none" and not model.project:
        where = processes("cpu" if device == "auto" else device)
        with where.main_process_first():
            clips = with_nearest(
                clips, task.entities, task.corpus.id, model.top_k, str(where.device)
            )
        looks = model.content
    else:
        looks = meets_entities or model.method == "alt-learned"
    return clips if looks else replace(clips, store=clips.store.class_tokens())


def nearest(regions: Tensor, entities: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """Find the nearest entities.

    Args:
        regions: (..., D) of any length.
        entities: (K, D) unit rows.
        top_k: k.

    Returns:
        Cosines (..., k) float32 and entities (..., k) int64, nearest first.
    """
    cosines = F.normalize(regions.float(), dim=-1) @ entities.T
    found = cosines.topk(top_k, dim=-1)
    return found.values, found.indices


def _look_up(clips: ClipSet, entities: Tensor, shape: tuple[int, ...], draft: Path) -> None:
    table = np.lib.format.open_memmap(draft, mode="w+", dtype=_ENTRY, shape=shape)
    every = replace(clips, rows=torch.arange(shape[0]), labels=torch.zeros(shape[0]).long())
    parts = torch.arange(shape[0] * shape[1]).split(_VIEWS)
    batches = every.batches(parts, entities.device)
    for part, (batch, _) in zip(parts, batches, strict=True):
        for item, regions in zip(part.tolist(), batch.regions, strict=True):
            cosines, found = nearest(regions, entities, shape[-1])
            row, view = divmod(item, shape[1])
            table["cosine"][row, view] = cosines.cpu().numpy()
            table["entity"][row, view] = found.cpu().numpy()
    table.flush()
