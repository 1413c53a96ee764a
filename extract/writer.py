"""Writing a feature cache, schema v1: one HDF5 file of region embeddings.

A file begins with a user block of 512 bytes, which HDF5 readers skip: one line that says what the
file is, with a digest of every byte after the block, so that any flipped byte can be found.
"""

import json
import os
import weakref
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from extract.manifest import SCHEMA_VERSION, CacheManifest, tensors
from extract.rows import Entry, Features, finished, row_digest
from extract.seal import Seal
from extract.sink import Sink

USER_BLOCK = 512
MARK = "ALT feature cache, "  # how every such file begins, whatever its schema
# Attributes that hold more than one value, as JSON text.
NESTED = ("classes", "preprocess", "grid")
# The format that HDF5 1.10 reads; fixed, so that a newer library writes the same bytes.
_LIBVER = ("v110", "v110")
# Ids that the HDF Group registered for the filters in hdf5plugin, and their options. Numbers of two
# bytes are shuffled first: the upper bytes of a row are much alike. zstd's time is small at any
# level beside the backbone's.
_FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "lz4": {"compression": 32004, "shuffle": True},
    "zstd": {"compression": 32015, "compression_opts": (12,), "shuffle": True},
}


class CacheWriter:
    """Writes the rows of one cache, in order, into a new HDF5 file.

    The bytes depend on the manifest and the rows alone. Write to a draft path, and rename it
    after `close`; before that the file is no cache.

    Args:
        path: the file to create.
        manifest: its facts. Counts and hashes are filled in by `close`.
    """

    def __init__(self, path: Path, manifest: CacheManifest) -> None:
        self.path, self.manifest = path, manifest
        self._seal = Seal(USER_BLOCK)
        self._entries: list[Entry] = []
        self._digests: list[bytes] = []
        load_filters(manifest.compression)
        self._sink = Sink(path, self._seal)
        self._file = h5py.File(self._sink, "w", libver=_LIBVER, userblock_size=USER_BLOCK)
        # Left open, the file would be closed by HDF5 when Python, and the sink, are gone: a crash.
        self._closed = weakref.finalize(self, _close, self._file, self._sink)
        # Asking HDF5 for a tensor's shape takes longer than hashing a small row.
        self._layout = tensors(manifest)
        self._tensors = {
            name: self._file.create_dataset(
                name,
                (manifest.clips, *shape),
                dtype,
                chunks=(1, *shape),
                track_times=False,
                **_FILTERS[manifest.compression],
            )
            for name, (shape, dtype) in self._layout.items()
        }

    def append(self, entry: Entry, features: Features | None, digest: bytes | None = None) -> None:
        """Write the next row.

        Args:
            entry: its words.
            features: its tensors; None exactly when the entry's status is "failed".
            digest: the row's `row_digest`, where it is known.

        Raises:
            ValueError: more rows than `manifest.clips`, or features that do not fit the manifest.
            OSError: the disk took no more.
        """
        index = len(self._entries)
        if index >= self.manifest.clips or (features is None) != (entry.status == "failed"):
            raise ValueError(f"row {index} does not belong here: {entry}")
        if features is not None:
            for name, tensor in self._tensors.items():
                value, (shape, dtype) = getattr(features, name), self._layout[name]
                if value.shape != shape or value.dtype != dtype:
                    wanted = f"{dtype} {shape}"
                    raise ValueError(f"{name} is {value.dtype} {value.shape}, not {wanted}")
                if self.manifest.compression == "none":
                    # The row is its chunk as it is: h5py's way there takes ten times as long.
                    value, corner = np.ascontiguousarray(value), (index,) + (0,) * value.ndim
                    self._sink.hold(value)
                    tensor.id.write_direct_chunk(corner, value)
                else:
                    tensor[index] = value
            self._sink.release()
            self._check()
        self._digests.append(digest or row_digest(entry, features))
        self._entries.append(entry)

    def close(self) -> CacheManifest:
        """Write columns and attributes, bring all to the disk, and return the finished manifest.

        Raises:
            ValueError: fewer rows than `manifest.clips`.
            OSError: the disk took no more.
        """
        if len(self._entries) != self.manifest.clips:
            raise ValueError(f"{len(self._entries)} rows, not {self.manifest.clips}")
        for name in ("video", "split", "status", "error"):
            self._file.create_dataset(name, data=self._texts(name), track_times=False)
        labels = np.array([e.label for e in self._entries], dtype=np.int64)
        self._file.create_dataset("label", data=labels, track_times=False)
        self.manifest = finished(self.manifest, self._entries, self._digests)
        for name, value in self.manifest.model_dump(mode="json").items():
            self._file.attrs[name] = json.dumps(value) if name in NESTED else value
        self.abandon()
        self._check()
        _finish(self.path, user_block(self._seal.digest(self.path)))
        return self.manifest

    def abandon(self) -> None:
        """Close the file as it is; what was written is no cache."""
        self._closed()

    def _check(self) -> None:
        if self._sink.error is not None:
            raise self._sink.error

    def _texts(self, name: str) -> NDArray[Any]:
        # Fixed length: HDF5's heap of variable-length strings need not come out the same twice.
        texts = [getattr(entry, name).encode() for entry in self._entries]
        width = max(map(len, texts), default=0)
        return np.array(texts, dtype=h5py.string_dtype("utf-8", max(width, 1)))


def _close(file: h5py.File, sink: Sink) -> None:
    try:
        file.close()
    finally:
        sink.close()


def load_filters(compression: str) -> None:
    """Register HDF5's compression filters with this process, when they are needed."""
    if compression != "none":
        import hdf5plugin  # noqa: F401  (registers on import)


def user_block(digest: str) -> bytes:
    """The first 512 bytes of a cache file whose other bytes have this digest."""
    what = "sha256 of the sha256s of every MiB of what follows"
    line = f"{MARK}schema {SCHEMA_VERSION}; {what}: {digest}\n"
    return line.encode().ljust(USER_BLOCK, b"\0")


def _finish(path: Path, block: bytes) -> None:
    with path.open("r+b") as file:
        file.write(block)
        file.flush()
        os.fsync(file.fileno())
