"""Memory that two processes share: frames go from a decoding worker without passing a pipe.

It has no name, so nothing is left of it when both processes are gone, however they went.
"""

import math
import mmap
import os
import tempfile

import numpy as np
from numpy.typing import NDArray


class Room:
    """Holds one array of bytes at a time; who reads it and who writes it agree by other means.

    Args:
        handle: of the other process's room, an open file; by default a new room.
    """

    def __init__(self, handle: int | None = None) -> None:
        self.handle = _new() if handle is None else handle
        self._bytes: NDArray[np.uint8] = np.zeros(0, np.uint8)

    def put(self, array: NDArray[np.uint8]) -> None:
        """Leave an array here, in place of what was."""
        if array.nbytes > os.fstat(self.handle).st_size:
            os.ftruncate(self.handle, array.nbytes)
        self._at_least(array.nbytes)[:] = array.ravel()

    def take(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Copy the array that was left here, which is of this shape."""
        return self._at_least(math.prod(shape)).reshape(shape).copy()

    def close(self) -> None:
        """Let go of it."""
        os.close(self.handle)

    def _at_least(self, count: int) -> NDArray[np.uint8]:
        """The first so many bytes."""
        if count > len(self._bytes):
            # The old map goes when the last array that looks at it does.
            self._bytes = np.frombuffer(mmap.mmap(self.handle, count), np.uint8)
        return self._bytes[:count]


def _new() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("frames")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
