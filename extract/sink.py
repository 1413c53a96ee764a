"""The file that a cache is written to: HDF5 says what goes where, and the bytes go past it.

HDF5 does not survive a failed write: closing the file afterwards ends the process with a
segmentation fault, and the user with a core dump in place of "no space left". This file keeps the
first error to itself, pretends that all is well until HDF5 has closed it, and then tells.

HDF5 also lets but one thread of a process in at a time, for as long as a write takes. What is held
back goes to the disk after it has let go.
"""

import io
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extract.seal import Seal

# Bytes after which the disk is made to have them: it neither idles nor has all to do at once.
_SYNCED = 1 << 25
# Bytes from which on it pays to hash them in another thread than the one that writes them.
_LARGE = 1 << 18


class Sink(io.RawIOBase):
    """A new file, for `h5py.File(Sink(path), "w")`.

    Args:
        path: the file.
        seal: is told of what is written.

    Attributes:
        error: the first failure to write; all that came after it is lost.
    """

    def __init__(self, path: Path, seal: Seal | None = None) -> None:
        super().__init__()
        self._file, self._seal = path.open("w+b", buffering=0), seal
        self.error: OSError | None = None
        self._at, self._end, self._unsynced = 0, 0, 0
        self._awaited: NDArray[Any] | None = None
        self._held: list[tuple[int, NDArray[Any]]] = []
        self._crew = ThreadPoolExecutor(2, "sink")
        self._synced: Future[None] | None = None

    def hold(self, array: NDArray[Any]) -> None:
        """Leave the next write, if it is of this array's own memory, to `release`.

        Args:
            array: contiguous; not to change before `release`.
        """
        self._awaited = array

    def release(self) -> None:
        """Write what was held back."""
        for at, array in self._held:
            self._put(at, array.data.cast("B"))
        self._held.clear()
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
            self._put(self._at, view)
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
        self._wait()
        self._crew.shutdown()
        self._file.close()
        super().close()

    def _put(self, at: int, view: memoryview) -> None:
        if self._seal is None:
            self._write(at, view)
        elif len(view) < _LARGE:
            self._seal.wrote(at, view)
            self._write(at, view)
        else:
            sealed = self._crew.submit(self._seal.wrote, at, view)
            self._write(at, view)
            sealed.result()

    def _write(self, at: int, view: memoryview) -> None:
        handle, end = self._file.fileno(), at + len(view)
        try:
            while len(view) and self.error is None:
                done = os.pwrite(handle, view, end - len(view))
                view, self._unsynced = view[done:], self._unsynced + done
        except OSError as error:
            self.error = error
        if self._unsynced >= _SYNCED:
            self._wait()  # for the last one: what is not on the disk stays within bounds
            self._synced, self._unsynced = self._crew.submit(os.fsync, handle), 0

    def _wait(self) -> None:
        """Let the disk end what it was told to; a failure is one to write."""
        try:
            if self._synced is not None:
                self._synced.result()
        except OSError as error:
            self.error = self.error or error
