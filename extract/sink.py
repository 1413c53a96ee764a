"""A file that HDF5 goes on writing to when the disk cannot.

HDF5 does not survive a failed write: closing the file afterwards ends the process with a
segmentation fault, and the user with a core dump in place of "no space left". This file keeps the
first error to itself, pretends that all is well until HDF5 has closed it, and then tells.
"""

import io
import os
from pathlib import Path
from typing import Any


class Sink(io.RawIOBase):
    """A new file, for `h5py.File(Sink(path), "w")`.

    Attributes:
        error: the first failure to write; all that came after it is lost.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("w+b", buffering=0)
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any, /) -> int:
        """Read into `buffer`."""
        return self._file.readinto(buffer)

    def write(self, data: Any, /) -> int:
        """Write all of `data`, or, after a failure, nothing at all."""
        view = memoryview(data).cast("B")
        end = self._file.tell() + len(view)
        try:
            while len(view) and self.error is None:
                view = view[self._file.write(view) :]
        except OSError as error:
            self.error = error
        self._file.seek(end)
        return len(memoryview(data).cast("B"))

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or extend the file to `size`."""
        try:
            if self.error is None:
                return self._file.truncate(size)
        except OSError as error:
            self.error = error
        return size or 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
