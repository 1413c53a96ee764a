"""A shard: the rows of some videos on their way to a cache, in a plain file, or none at all.

The bytes of each row's tensors lie one after the other as they come. What the rows are follows as
JSON, with a digest of each, and eight bytes that say how long that is. HDF5 would take as long to
create, close and open a file as for a dozen rows, and holds a lock that the cache itself wants.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np

from corpus.causes import first_cause
from corpus.errors import BadInput
from extract.buffers import advance
from extract.manifest import CacheManifest, tensors
from extract.raw import read_arrays
from extract.rows import Entry, Features, row_digest

_KIND = "ALT shard, schema 1"


class ShardWriter:
    """Writes rows, in order, into a new file; `close` makes it whole.

    Args:
        path: the file to create.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._entries: list[Entry] = []
        self._digests: list[str] = []

    def append(self, entry: Entry, features: Features | None) -> None:
        """Write the next row; `features` is None exactly when its status is "failed".

        Raises:
            OSError: the disk took no more.
        """
        if features is not None:
            self._put([tensor.data.cast("B") for tensor in features.tensors()])
        self._entries.append(entry)
        self._digests.append(row_digest(entry, features).hex())

    def close(self) -> int:
        """Bring all to the disk, and return how many rows have features.

        Raises:
            OSError: the disk took no more.
        """
        entries = [astuple(entry) for entry in self._entries]
        tail = {"kind": _KIND, "entries": entries, "digests": self._digests}
        words = json.dumps(tail).encode()
        self._put([memoryview(words), memoryview(len(words).to_bytes(8, "little"))])
        os.fsync(self._file.fileno())
        self._file.close()
        return sum(entry.status == "ok" for entry in self._entries)

    def abandon(self) -> None:
        """Close the file as it is; what was written is no shard."""
        self._file.close()

    def _put(self, views: list[memoryview]) -> None:
        while views:
            advance(views, os.writev(self._file.fileno(), views))


class Shard:
    """A finished shard.

    Attributes:
        entries: its rows' words.

    Raises:
        BadInput: the file is none, or not whole.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                end = os.fstat(file.fileno()).st_size - 8
                size = int.from_bytes(os.pread(file.fileno(), 8, max(end, 0)), "little")
                if size > end:
                    raise ValueError("cut short")
                tail = json.loads(os.pread(file.fileno(), size, end - size))
            if tail["kind"] != _KIND or len(tail["entries"]) != len(tail["digests"]):
                raise ValueError(tail["kind"])
            self.entries = [Entry(*words) for words in tail["entries"]]
            self._digests = [bytes.fromhex(digest) for digest in tail["digests"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise BadInput(path, "is no whole shard", "remove it, and run again") from error

    def rows(self, manifest: CacheManifest) -> Iterator[tuple[Entry, Features | None, bytes]]:
        """Read every row, with its `row_digest`.

        Args:
            manifest: of the cache that the rows are for, which says what tensors they have.

        Raises:
            BadInput: a row cannot be read, or is not what was written.
        """
        layout = tensors(manifest)
        with self._path.open("rb") as file:
            at = 0
            for entry, digest in zip(self.entries, self._digests, strict=True):
                features = None
                if entry.status == "ok":
                    made = {name: np.empty(shape, dtype) for name, (shape, dtype) in layout.items()}
                    try:
                        at = read_arrays(file.fileno(), made.values(), at)
                    except OSError as error:
                        cause = f"{entry.video} cannot be read ({first_cause(error)})"
                        raise BadInput(self._path, cause, "run again") from error
                    features = Features(**made)
                if row_digest(entry, features) != digest:
                    raise BadInput(self._path, f"{entry.video} has changed", "run again")
                yield entry, features, digest
