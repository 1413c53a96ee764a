"""One digest of every byte of a file, kept up while they are written.

It is the SHA-256 of the SHA-256s of the file's pieces of one MiB: a large cache is then not read
again when it is finished, and as many cores can check it as there are.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from corpus.tally import Tally, tallied

PIECE = 1 << 20


class Seal:
    """The digest of a file that is being written, mostly from its beginning to its end.

    Args:
        start: the first byte that counts.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._digests: list[bytes] = []  # of the pieces that are full
        self._open = hashlib.sha256()  # of the piece that is not
        self._next = 0  # bytes so far, from the start; the last of them may be yet to come
        self._stale: set[int] = set()  # pieces that were not written in order

    def wrote(self, at: int, data: memoryview) -> None:
        """Note bytes that were written at a place in the file."""
        first, end = at - self._start, at - self._start + len(data)
        if first > self._next:  # what lies between comes later, or never
            self._stale.add(first // PIECE)
            self._skip(first)
        elif first < self._next:
            self._stale |= set(range(max(first, 0) // PIECE, -(-min(end, self._next) // PIECE)))
        data = data[self._next - first :]
        while len(data):
            some = data[: PIECE - self._next % PIECE]
            self._open.update(some)
            self._next += len(some)
            data = data[len(some) :]
            if not self._next % PIECE:
                self._close()

    def digest(self, path: Path) -> str:
        """The digest of the file as it is, in hex; pieces not written in order are read."""
        with path.open("rb") as file:
            end = os.fstat(file.fileno()).st_size - self._start
            if end != self._next:
                self._stale.add(end // PIECE)
                self._skip(max(end, self._next))
            count = -(-end // PIECE)
            digests = [*self._digests, self._open.digest()][:count]
            for number in self._stale:
                if number < count:
                    digests[number] = _digest(file.fileno(), self._start, number)
        return hashlib.sha256(b"".join(digests)).hexdigest()

    def _skip(self, to: int) -> None:
        while self._next // PIECE < to // PIECE:
            self._stale.add(self._next // PIECE)
            self._next = (self._next // PIECE + 1) * PIECE
            self._close()
        self._next = to

    def _close(self) -> None:
        self._digests.append(self._open.digest())
        self._open = hashlib.sha256()


def digest(path: Path, start: int, tally: Tally | None = None) -> str:
    """The digest that `Seal` gives of a file's bytes from `start` on, in hex, told by pieces."""
    with path.open("rb") as file, ThreadPoolExecutor() as crew:
        count = -(-(os.fstat(file.fileno()).st_size - start) // PIECE)
        digests = crew.map(partial(_digest, file.fileno(), start), range(count))
        return hashlib.sha256(b"".join(tallied(digests, count, tally))).hexdigest()


def _digest(handle: int, start: int, number: int) -> bytes:
    return hashlib.sha256(os.pread(handle, PIECE, start + number * PIECE)).digest()
