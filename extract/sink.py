"""The file that a cache is written to: HDF5 says what goes where, and the bytes go past it.

HDF5 does not survive a failed write: closing the file afterwards ends the process with a
segmentation fault, and the user with a core dump in place of "no space left". This file keeps the
first error to itself, pretends that all is well until HDF5 has closed it, and then tells.

HDF5 also lets but one thread of a process in at a time, for as long as a write takes. What is held
back goes to the disk after it has let go.
"""

import io
import os
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extract.buffers import advance
from extract.seal import Seal

_SYNCED = 1 << 26  # bytes after which the disk is made to have them: it never has all to do at once


class Sink(io.RawIOBase):
    """A new file, for `h5py.File(Sink(path), "w")`.

    Args:
        path: the file.
        seal: is told of what is written.

    Attributes:
        error: the first failure to write; all that came after it is lost.
    """

    def __init__(self, path: Path, seal: Seal) -> None:
        super().__init__()
        self._file, self._seal = path.open("w+b", buffering=0), seal
        self.error: OSError | None = None
        self._at, self._end, self._unsynced = 0, 0, 0
        self._awaited: NDArray[Any] | None = None
        self._held: deque[tuple[int, NDArray[Any]]] = deque()

    def hold(self, array: NDArray[Any]) -> None:
        """Leave the next write, if it is of this array's own memory, to `release`.

        Args:
            array: contiguous; not to change before `release`.
        """
        self._awaited = array

    def release(self) -> None:
        """Write what was held back, what lies together in one call.

        After each call a thread has to get Python's lock back, and many want it.
        """
        while self._held:
            start, views = self._held[0][0], list[memoryview]()
            while self._held and self._held[0][0] == start + sum(map(len, views)):
                views.append(self._held.popleft()[1].data.cast("B"))
            self._put(start, views)
        self._awaited = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Read into `buffer`."""
        view = memoryview(buffer).cast("B")
        data = os.pread(self._file.fileno(), len(view), self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def write(self, data: Any, /) -> int:
        """Write all of `data`, or, after a failure, nothing at all."""
        view = memoryview(data).cast("B")
        array = self._awaited
        if array is not None and array.nbytes == len(view) and np.shares_memory(array, view):
            self._held.append((self._at, array))
            self._awaited = None
        else:
            self._put(self._at, [view])
        self._at += len(view)
        self._end = max(self._end, self._at)
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or extend the file to `size`."""
        self._end = self._at if size is None else size
        try:
            if self.error is None:
                self._file.truncate(self._end)
        except OSError as error:
            self.error = error
        return self._end

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _put(self, at: int, views: list[memoryview]) -> None:
        """Write pieces one after the other, from `at` on."""
        place = at
        for view in views:
            self._seal.wrote(place, view)
            place += len(view)
        try:
            while views and self.error is None:
                done = _write(self._file.fileno(), views, at)
                at, self._unsynced = at + done, self._unsynced + done
                advance(views, done)
            if self._unsynced >= _SYNCED:
                os.fsync(self._file.fileno())
                self._unsynced = 0
        except OSError as error:
            self.error = error


def _write(handle: int, views: list[memoryview], at: int) -> int:
    """Write some of what is to be written, and return how many bytes."""
    if hasattr(os, "pwritev"):
        return os.pwritev(handle, views, at)
    return os.pwrite(handle, views[0], at)
