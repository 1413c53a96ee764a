"""Alignment looked up once: the nearest entities of every region, in a file beside the features.

Where nothing is projected (`ModelConfig.project`), the cosines of regions and entities do not
change in training. The k nearest are kept, so that the choice among them stays stochastic. Where
the features' folder cannot be written, the file is a temporary one, and each command makes its own.
"""

import errno
import hashlib
import math
import os
import shutil
import tempfile
import warnings
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
from corpus.errors import BadInput
from corpus.tally import Tally, tallied

_ENTRY = np.dtype([("entity", "<i4"), ("cosine", "<f2")])
_VIEWS = 64  # looked up at once
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)  # a folder that cannot be written

_temporary: dict[Path, NDArray[Any]] = {}  # tables of this process, and of forks, by their place


@dataclass(frozen=True)
class WithNearest:
    """A store whose clips know their regions' nearest entities.

    Attributes:
        store: of the features.
        table: (N, V, T, R, k) of entity and cosine, nearest first.
        entities: K, how many there are.
        path: of the table's file.
    """

    store: Store
    table: NDArray[Any]
    entities: int
    path: Path

    def __len__(self) -> int:
        """N, rows there are."""
        return len(self.store)

    def fetch(self, rows: Tensor, views: Tensor) -> Clips:
        """Read the features, and what is nearest to them.

        Raises:
            BadInput: the table names entities that do not exist, or cosines that are no numbers.
        """
        clips = self.store.fetch(rows, views)
        held = self.table[rows.cpu().numpy(), views.cpu().numpy()]
        nearest, cosine = held["entity"].astype(np.int64), held["cosine"].astype(np.float32)
        if not ((nearest >= 0) & (nearest < self.entities) & np.isfinite(cosine)).all():
            raise BadInput(self.path, "is damaged", "remove it: it is made anew")
        device = clips.regions.device
        return clips._replace(
            nearest=torch.from_numpy(nearest).to(device), cosine=torch.from_numpy(cosine).to(device)
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
    tally: Tally | None = None,
) -> ClipSet:
    """Let clips know their regions' nearest entities; look them up unless a file has them.

    All that their store has are looked up, so that every subset of them uses one file.

    Args:
        clips: the file is kept beside the first of their caches, or is a temporary one.
        entities: (K, D) unit rows.
        corpus: its id; with the caches' content, rows and k it decides what the file is called.
        top_k: k.
        device: to compare on.
        tally: called with each batch that is looked up; not at all where a file has them.

    Returns:
        The same clips; each region costs 6·k bytes on disk, read through the page cache.

    Raises:
        BadInput: features of a clip are no finite numbers, as after damage to a cache; or the
            folder cannot be written, and there is no room for a temporary file.
    """
    top_k = min(top_k, len(entities))
    key = " ".join([*clips.contents, clips.stored, corpus, str(top_k)])
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    path = clips.sources[0].with_name(f"{clips.sources[0].stem}.nearest-{digest}.npy")
    facts = clips.facts
    shape = (len(clips.store), facts.view_count, facts.frames, facts.regions, top_k)
    table: NDArray[Any] | None = _temporary.get(path)
    if table is None and not _whole(path, shape):
        try:
            with atomic_file(path) as draft:
                held = np.lib.format.open_memmap(draft, mode="w+", dtype=_ENTRY, shape=shape)
                _reserve(draft, path)
                _look_up(clips, entities.to(device), held, tally)
        except OSError as error:
            if error.errno not in _CLOSED:
                raise
            held = _unnamed(shape, path.parent)
            _look_up(clips, entities.to(device), held, tally)
            table = _temporary[path] = held
    if table is None:
        table = np.lib.format.open_memmap(path, mode="r")
    return replace(clips, store=WithNearest(clips.store, table, len(entities), path))


def as_read(
    task: Task, model: ModelConfig, device: str = "cpu", tally: Tally | None = None
) -> ClipSet:
    """Return a task's clips as a method reads them.

    They know their regions' nearest entities where those never change, and leave out what regions
    look like where nothing reads it but the look-up.
    """
    clips = task.clips
    if model.meets_entities and model.align != "none" and not model.project:
        where = processes(device)
        with where.main_process_first():
            clips = with_nearest(
                clips, task.entities, task.corpus.id, model.top_k, str(where.device), tally
            )
        looks = model.content or model.method == "alt-paper"
    else:
        looks = model.meets_entities or model.method == "alt-learned"
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


def _whole(path: Path, shape: tuple[int, ...]) -> bool:
    """Tell whether a file holds a table of this shape; one that is damaged is made anew."""
    try:
        table = np.lib.format.open_memmap(path, mode="r")
        if (table.shape, table.dtype) == (shape, _ENTRY):
            return True
    except FileNotFoundError:
        return False
    except Exception:  # of any class: NumPy has Python read the header
        pass
    warnings.warn(f"{path} is damaged, and made anew", stacklevel=3)
    return False


def _unnamed(shape: tuple[int, ...], folder: Path) -> np.memmap[Any, Any]:
    """Map a temporary file that has no name: it goes when nobody maps it any more.

    Args:
        shape: of the table.
        folder: that cannot be written, for the warning.
    """
    size, place = math.prod(shape) * _ENTRY.itemsize, tempfile.gettempdir()
    if shutil.disk_usage(place).free < size:  # or writing to it would end us without a word
        cause = f"cannot be written, and {place} has no room for {size / 1e9:.1f} GB"
        raise BadInput(folder, cause, "set TMPDIR to a folder that has it")
    warnings.warn(
        f"{folder} cannot be written: the nearest entities are kept in {place} while this command "
        "runs, and the next looks them up again",
        stacklevel=2,
    )
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, _ENTRY, "w+", shape=shape)


def _reserve(draft: Path, path: Path) -> None:
    """Take a file's room on the disk now: where it ran out later, it would end us without a word.

    Args:
        draft: the file, of the size that it will have.
        path: what it is to be called, for the error.

    Raises:
        OSError: there is no such room.
    """
    if hasattr(os, "posix_fallocate"):
        with draft.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, draft.stat().st_size)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from error


def _look_up(
    clips: ClipSet, entities: Tensor, table: np.memmap[Any, Any], tally: Tally | None
) -> None:
    shape, names = table.shape, dict(zip(clips.rows.tolist(), clips.videos, strict=True))
    every = replace(clips, rows=torch.arange(shape[0]), labels=torch.zeros(shape[0]).long())
    parts = torch.arange(shape[0] * shape[1]).split(_VIEWS)
    batches = tallied(every.batches(parts, entities.device), len(parts), tally)
    for part, (batch, _) in zip(parts, batches, strict=True):
        for item, regions in zip(part.tolist(), batch.regions, strict=True):
            cosines, found = nearest(regions, entities, shape[-1])
            row, view = divmod(item, shape[1])
            if not cosines.isfinite().all():
                cause = f"features of {names.get(row, f'row {row}')} are no finite numbers"
                mend = "see what `alt-features verify` says of them"
                raise BadInput(", ".join(map(str, clips.sources)), cause, mend)
            table["cosine"][row, view] = cosines.cpu().numpy()
            table["entity"][row, view] = found.cpu().numpy()
    table.flush()
