"""The target joined from its shards, in their order, while they are made.

Each row is read, checked, hashed and written again. Beside a GPU that takes a process of its own,
started as `python -m extract.joining FD`: in the process that feeds it, the threads at it would
want Python's lock as often as those that write the shards, and the GPU would wait.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread

from corpus.errors import BadInput, RunFailed
from corpus.tally import Tally
from extract import beside
from extract.drafts import GOES_ON, Draft, Row
from extract.manifest import CacheManifest
from extract.shard import Shard
from extract.writer import CacheWriter

_LOOK = 0.1  # seconds between looks for the next shard


@dataclass(frozen=True)
class Join:
    """What to join.

    Attributes:
        target: the cache to be.
        draft: what it is called till then.
        manifest: its facts, but for what only the rows can say.
        shards: where each is, or will be once it is made.
        before: the `stamp` of what is to be replaced.
    """

    target: Path
    draft: Path
    manifest: CacheManifest
    shards: tuple[Path, ...]
    before: tuple[int, ...] = ()


def stamp(path: Path) -> tuple[int, ...]:
    """Return what tells a file from another that takes its place; nothing where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


class Joiner:
    """Joins while the `with` makes what is missing, and is left when the target is whole.

    Left by an exception, it stops, and there is no target.

    Args:
        join: what to join.
        apart: in a process of its own rather than in a thread, which starts at once.
        tally: told, once all shards are made, how many rows are joined, and of how many.

    Attributes:
        seconds: spent on writing, known at the end.

    Raises:
        RunFailed: the target cannot be written, or it or a shard is not what it was.
    """

    def __init__(self, join: Join, apart: bool, tally: Tally | None = None) -> None:
        self._join, self._apart, self._tally, self.seconds = join, apart, tally, 0.0

    def __enter__(self) -> "Joiner":
        if self._apart:
            process, self._pipe = beside.start("extract.joining")
            self._ending: Callable[[], str] = partial(beside.ending, process)
        else:
            self._pipe, theirs = Pipe()
            thread = Thread(target=_serve_and_close, args=(theirs,), name="join")
            thread.start()
            self._ending = partial(_ending, thread)
        with suppress(OSError):  # it did not even start, which `_answer` tells
            self._pipe.send(self._join)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.seconds = self._rest()
        finally:
            self._pipe.close()  # which stops it, unless it is done
            self._ending()

    def check(self) -> None:
        """Look whether it has given up, while shards are made that nobody would join.

        Raises:
            RunFailed: it has.
        """
        if self._pipe.poll():
            self._answer()

    def _rest(self) -> float:
        """Say that all shards are made, and wait for the target."""
        with suppress(OSError):  # it gave up before, and says why
            self._pipe.send(True)
        return self._answer()

    def _answer(self) -> float:
        try:
            while isinstance(answer := self._pipe.recv(), int):  # rows, and not yet seconds
                if self._tally:
                    self._tally(answer, self._join.manifest.clips)
        except (EOFError, OSError) as error:
            cause = f"joining its parts ended early ({self._ending()})"
            raise RunFailed(self._join.target, cause, GOES_ON) from error
        if isinstance(answer, RunFailed):
            raise answer
        return float(answer)


class _Caller:
    """Whoever wants a target, as the joiner hears them.

    Attributes:
        done: all shards are made.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self.done = pipe, False

    def listen(self, seconds: float | None) -> None:
        """Hear what they say within so many seconds, None for as long as it takes.

        Raises:
            EOFError: they are gone, or want no target any more.
        """
        if self._pipe.poll(seconds):
            self.done = self._pipe.recv()

    def tell(self, rows: int) -> None:
        """Say how many rows are joined, to one who does nothing any more but wait.

        Raises:
            ConnectionError: they are gone.
        """
        if self.done:
            self._pipe.send(rows)


def serve(pipe: Connection) -> None:
    """Do the `Join` that comes first, and answer with the seconds of writing or a `RunFailed`.

    Before that come numbers of rows; see `_Caller.tell`.
    """
    try:
        join: Join = pipe.recv()
        caller = _Caller(pipe)
        caller.listen(0)  # a run that was killed at once leaves nothing to a next one's folder
        try:
            writer = partial(CacheWriter, manifest=join.manifest)
            joined = Draft(join.target, join.draft, writer, join.target)
            joined.fill(_rows(caller, join))
            joined.finish()
        except RunFailed as error:
            pipe.send(error)
        else:
            pipe.send(joined.seconds)
    except (EOFError, ConnectionError):
        pass  # nobody waits for it any more


def _serve_and_close(pipe: Connection) -> None:
    with pipe:
        serve(pipe)


def _ending(thread: Thread) -> str:
    thread.join()
    return "an error of its own"


def _rows(caller: _Caller, join: Join) -> Iterator[Row]:
    """Yield the rows of all shards, and end when the caller has made them all.

    A shard that has changed since it was written ends the run, and goes. A target that is not the
    one which is to be replaced ends it, and stays.
    """
    rows = 0
    for path in join.shards:
        caller.listen(0)
        while not caller.done and not path.exists():
            caller.listen(_LOOK)
        try:
            shard = Shard(path)
            yield from shard.rows(join.manifest)
        except BadInput as error:
            path.unlink(missing_ok=True)
            mend = "run the same command again: it makes this part anew"
            cause = f"is damaged ({error.cause}), and is removed"
            raise RunFailed(path, cause, mend) from error
        rows += len(shard.entries)
        caller.tell(rows)
    while not caller.done:
        caller.listen(None)
    if stamp(join.target) not in ((), join.before):
        cause, mend = "was put there, or changed, while this ran", "move it elsewhere"
        raise RunFailed(join.target, cause, f"{mend}, then {GOES_ON}")


if __name__ == "__main__":
    serve(beside.caller())
