"""Reading a feature cache, whatever wrote it."""

import errno
import json
import operator
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from corpus.causes import first_cause
from corpus.errors import BadInput
from extract.layout import check_layout
from extract.manifest import SCHEMA_VERSION, CacheManifest, tensors
from extract.raw import RawRows
from extract.rows import Entry, Features, dequantised, finished, row_digest
from extract.writer import MARK, NESTED, CacheWriter, load_filters

__all__ = [
    "CacheManifest",
    "CacheWriter",
    "Entry",
    "FeatureCache",
    "Features",
    "is_cache",
]

_REMAKE = "make it again with alt-extract"
_UNLOCKED = "set HDF5_USE_FILE_LOCKING=FALSE: its file system has no locks"
_FEWER = "raise the limit of open files (ulimit -n), or give fewer files at once"
_OPENS = {
    errno.EAGAIN: "wait until the process that writes to it is done",
    errno.ENOLCK: _UNLOCKED,
    errno.ENOSYS: _UNLOCKED,
    errno.EOPNOTSUPP: _UNLOCKED,
    errno.EMFILE: _FEWER,
    errno.ENFILE: _FEWER,
}


def is_cache(path: Path | str) -> bool:
    """Whether there is a feature cache, also a damaged one of ours: what may be replaced by one.

    Raises:
        OSError: it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(len(MARK)) == MARK.encode():
            return True
    try:
        return bool(FeatureCache(path).manifest)
    except BadInput:
        return False


class FeatureCache:
    """A feature cache, read lazily: the file is opened in each process that reads rows.

    Cheap to pickle (only the path travels), so it can sit in a data loader's dataset.

    Args:
        path: the cache file.

    Raises:
        BadInput: no such file, one that cannot be opened, not HDF5, truncated, not a feature cache,
            or another schema.
    """

    _file: h5py.File
    _rows: RawRows | None

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        _ = self.manifest  # a wrong file is refused here, not in the middle of a run

    def __len__(self) -> int:
        return self.manifest.clips

    def __repr__(self) -> str:
        return f"FeatureCache({str(self.path)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    @cached_property
    def manifest(self) -> CacheManifest:
        """The facts about the cache.

        Raises:
            BadInput: as when a cache is opened.
        """
        with self._opened() as file, self._reading():
            version = file.attrs.get("schema_version")
            if version is None:
                raise BadInput(self.path, "HDF5, but not a feature cache", _REMAKE)
            if version != SCHEMA_VERSION:
                raise BadInput(
                    self.path, f"schema version {version}, and this reads {SCHEMA_VERSION}", _REMAKE
                )
            facts = dict(file.attrs.items())
            facts |= {name: json.loads(facts[name]) for name in NESTED if name in facts}
            manifest = CacheManifest.model_validate(facts)
            manifest.model_dump_json()  # h5py and JSON let through what is no UTF-8
            check_layout(file, manifest)
            return manifest

    def regions(self, index: int) -> NDArray[np.float32]:
        """(V·T, R, D) float32 region embeddings, not normalised; token 0 is the class token.

        Zeros where the row's status is "failed". Frame axis: view · T + frame.
        """
        scale = self._read("regions_scale", index) if self.manifest.dtype == "int8" else None
        return dequantised(self._read("regions", index), scale)

    def read_regions(self, index: int, first: int, out: NDArray[np.float16]) -> None:
        """Read some frames of one row's region embeddings, without a copy where they are float16.

        Args:
            index: the row.
            first: frame to begin with.
            out: (frames, R, D) float16, contiguous; filled.
        """
        as_asked = self.manifest.dtype == "float16"
        if as_asked and self._plain(index):
            with self._reading():
                self._raw().fill_part(index, 0, first * out[0].nbytes, out)
            return
        frames = slice(first, first + len(out))
        if as_asked:
            with self._reading():
                self._dataset("regions").read_direct(out, np.s_[index, frames])
            return
        scale = self._read("regions_scale", index)[frames]
        with self._reading():
            stored = self._dataset("regions")[index, frames]
        out[...] = dequantised(stored, scale)

    def expect(self, indices: Iterable[int]) -> None:
        """Ask the system to bring rows into memory together, as they are read soon.

        A disk serves many requests at once faster than one after the other. No more than a hint:
        nothing waits for it, and systems without it go on as they would.
        """
        with self._reading():
            self._raw().expect(indices)

    def region_size(self, index: int) -> NDArray[np.uint16]:
        """(V·T, R) uint16: patches merged in each token."""
        return self._read("region_size", index)

    def patch_region(self, index: int) -> NDArray[Any]:
        """(V·T, P) uint8 or uint16: the token each patch ended in, patches row by row.

        R, one more than the last token, marks the patches of regions that `keep_regions` cut.

        Raises:
            BadInput: a patch is in a region that does not exist.
        """
        found = self._read("patch_region", index)
        if found.max(initial=0) > self.manifest.regions:
            cause = f"is damaged (row {index} has patches in regions that do not exist)"
            raise BadInput(self.path, cause, _REMAKE)
        return found

    def timestamps(self, index: int) -> NDArray[np.float32]:
        """(V·T,) float32 seconds from the video's first frame."""
        return self._read("timestamps", index)

    def features(self, index: int) -> Features | None:
        """One row's tensors as they are stored; None for a failed row."""
        if self.status[index] == "failed":
            return None
        layout = tensors(self.manifest)
        if not self._plain(index):
            return Features(**{name: self._read(name, index) for name in layout})
        row = {name: np.empty(shape, dtype) for name, (shape, dtype) in layout.items()}
        with self._reading():
            self._raw().fill(index, list(row.values()))
        return Features(**row)

    def entry(self, index: int) -> Entry:
        """One row's words."""
        return Entry(
            video=self.videos[index],
            label=int(self.labels[index]),
            split=self.splits[index],
            status="ok" if self.status[index] == "ok" else "failed",
            error=self.errors[index],
        )

    def rows(self) -> Iterator[tuple[Entry, Features | None, bytes]]:
        """Read every row, with its `row_digest`; for copies, which must not make damage sound.

        The last row comes only when all of them are what was written, by `content_hash`; a cache
        of another writer need not have one.

        Raises:
            BadInput: a row cannot be read, or is not what was written.
        """
        entries, digests, told = [], [], self.manifest.content_hash
        for index in range(len(self)):
            entries.append(self.entry(index))
            features = self.features(index)
            digests.append(row_digest(entries[-1], features))
            if index + 1 == len(self) and told not in (
                "",
                finished(self.manifest, entries, digests).content_hash,
            ):
                cause = "is damaged (its rows are not those that were written)"
                raise BadInput(self.path, cause, _REMAKE)
            yield entries[-1], features, digests[-1]

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(N,) class indices; −1 where a video has none."""
        with self._reopened() as file, self._reading():
            return file["label"][()]

    @cached_property
    def videos(self) -> list[str]:
        """Paths relative to the dataset's root."""
        return self._text("video")

    @cached_property
    def splits(self) -> list[str]:
        """The split each video came from."""
        return self._text("split")

    @cached_property
    def status(self) -> list[str]:
        """ "ok" or "failed"."""
        return self._text("status")

    @cached_property
    def errors(self) -> list[str]:
        """Why a row failed, or what was passed over in it; mostly empty."""
        return self._text("error")

    def __enter__(self) -> "FeatureCache":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, where this process holds it open; the next row read opens it again."""
        if self.__dict__.pop("_owner", None) == os.getpid():
            self._file.close()

    def _text(self, name: str) -> list[str]:
        with self._reopened() as file, self._reading():
            return [value.decode() for value in file[name][()]]

    def _read(self, name: str, index: int) -> NDArray[Any]:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of a cache of {len(self)}")
        with self._reading():
            if not self._plain(index):
                return self._dataset(name)[index]
            layout = tensors(self.manifest)
            row = np.empty(*layout[name])
            self._raw().fill_part(index, list(layout).index(name), 0, row)
            return row

    def _plain(self, index: int) -> bool:
        """Whether a row can be read past HDF5, here: nothing compressed it, and it is there."""
        found = self.manifest.compression == "none" and self.status[index] != "failed"
        return found and hasattr(os, "preadv") and self._raw().plain

    def _raw(self) -> RawRows:
        self._open()
        if self._rows is None:
            with self._reading():
                self._rows = RawRows(self._file, list(tensors(self.manifest)))
        return self._rows

    def _dataset(self, name: str) -> h5py.Dataset:
        self._open()
        if name not in self._datasets:  # looking one up takes as long as reading a small row
            self._datasets[name] = self._file[name]
        return self._datasets[name]

    def _open(self) -> None:
        # An HDF5 handle must not cross a fork: each process opens its own.
        if self.__dict__.get("_owner") != os.getpid():
            load_filters(self.manifest.compression)
            self._datasets: dict[str, h5py.Dataset] = {}
            self._rows = None
            self._file, self._owner = self._reopened(), os.getpid()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what HDF5 raises on damage, which is of every kind, into one line."""
        try:
            yield
        except BadInput:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            raise BadInput(self.path, f"is damaged ({first_cause(error)})", _REMAKE) from error

    def _reopened(self) -> h5py.File:
        """Open the file once more, where it is still the one that the manifest is of."""
        file = self._opened()
        with self._reading():
            if file.attrs.get("content_hash", "") == self.manifest.content_hash:
                return file
            file.close()
        raise BadInput(self.path, "has been replaced since it was opened", "open it again")

    def _opened(self) -> h5py.File:
        if not self.path.is_file():
            raise BadInput(self.path, "no such feature cache", "make it with alt-extract")
        try:
            return h5py.File(self.path, "r")
        except OSError as error:
            if error.errno:  # the system's, and not HDF5's of what is in the file
                mend = _OPENS.get(error.errno, "see that it may be read")
                cause = f"cannot be opened ({os.strerror(error.errno)})"
                raise BadInput(self.path, cause, mend) from error
            cause = "truncated" if "truncated" in str(error) else "not an HDF5 file"
            raise BadInput(self.path, f"{cause}, so not a feature cache", _REMAKE) from error
