"""A file of rows that has its name only once it is whole."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from corpus.atomic import fsync
from corpus.errors import RunFailed
from extract.ahead import in_order
from extract.rows import Entry, Features

Made = TypeVar("Made", covariant=True)
# What is written of a video, with its `row_digest` where that is known already.
Row = tuple[Entry, Features | None] | tuple[Entry, Features | None, bytes]

GOES_ON = "run the same command again: it goes on from the last finished shard"
BEHIND = 8  # rows that may wait to be written: whoever makes them seldom waits for the disk


class Writer(Protocol[Made]):
    """What writes rows into a file: `CacheWriter`, `ShardWriter`."""

    @property
    def append(self) -> Callable[..., None]: ...  # of a `Row`

    def close(self) -> Made: ...

    def abandon(self) -> None: ...


class Draft(Generic[Made]):
    """A file of rows on its way to its name; one that fails leaves nothing.

    Args:
        path: what it is to be called.
        draft: what it is called till then, beside it.
        writer: begins to write at a path.
        target: the file that the user asked for, which errors are about.

    Attributes:
        seconds: spent on writing.

    Raises:
        RunFailed: the file cannot be written (a full disk, for one); so do the methods.
    """

    def __init__(
        self, path: Path, draft: Path, writer: Callable[[Path], Writer[Made]], target: Path
    ) -> None:
        self.path, self.seconds = path, 0.0
        self._draft, self._target = draft, target
        with writing(target, GOES_ON):
            self._writer = writer(draft)

    def fill(self, rows: Iterable[Row]) -> None:
        """Write rows.

        They are hashed and written by a thread, while the next ones are made.
        """
        with self._kept(), ThreadPoolExecutor(1, "write") as hand:
            for _ in in_order(hand, self._append, rows, BEHIND):
                pass

    def finish(self) -> Made:
        """Bring all to the disk, give it its name, and return what its writer says of it."""
        with self._kept(), self._timed():
            made = self._writer.close()
            os.replace(self._draft, self.path)
            fsync(self.path.parent)
        return made

    def _append(self, row: Row) -> None:
        with self._timed():
            self._writer.append(*row)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._writer.abandon()
            self._draft.unlink(missing_ok=True)
            raise

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        with writing(self._target, GOES_ON):
            yield
        self.seconds += time.monotonic() - began


@contextmanager
def writing(target: Path, then: str = "run the same command again") -> Iterator[None]:
    """Turn a failure to write into one line about `target`, which says what to do `then`.

    Raises:
        RunFailed: so it failed.
    """
    try:
        yield
    except OSError as error:
        full = "No space left" in str(error) or "too large" in str(error)
        cause = os.strerror(error.errno) if error.errno else str(error).split("(")[-1].strip(")")
        mend = "free some space" if full else "see that its folder can be written to"
        raise RunFailed(target, f"cannot be written ({cause})", f"{mend}, then {then}") from error
