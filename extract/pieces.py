"""The work of an extraction, cut into pieces that any process can make: a shard each.

A piece's bytes depend on its videos, the backbone and the options alone, so it does not matter
which machine makes it, beside what others, or how often it was begun.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from itertools import islice
from operator import add, itemgetter
from pathlib import Path

from extract.clip import Pixels, Plan
from extract.cores import cores
from extract.datasets import Clip, Dataset
from extract.drafts import Draft
from extract.encode import Encoder
from extract.manifest import CacheManifest
from extract.options import Options
from extract.pool import Pool
from extract.rows import Entry, Features
from extract.shard import Shard
from extract.shards import Shards
from extract.worker import Job

# Told after each video: its entry, and how many frames were encoded for it.
Watch = Callable[[Entry, int], None]


class Piece:
    """The videos of one shard.

    Attributes:
        number: its place among the pieces.
        clips: the videos.
        inputs: digest of the files as they are now; a file that was mended gets its shard redone.
    """

    def __init__(self, number: int, dataset: Dataset, clips: tuple[Clip, ...]) -> None:
        self.number, self.clips = number, clips
        self.inputs = hashlib.sha256(
            json.dumps([_stamp(dataset.path(clip)) for clip in clips]).encode()
        ).hexdigest()


@dataclass(frozen=True)
class Work:
    """What is to be done, the same for every piece.

    Attributes:
        dataset: for its root; the clips are in the pieces.
        options: how.
        plan: how videos are looked at.
        manifest: of the whole cache.
        shards: where finished pieces go.
    """

    dataset: Dataset
    options: Options
    plan: Plan
    manifest: CacheManifest
    shards: Shards

    def path(self, piece: Piece) -> Path:
        """Where a piece lies once it is made."""
        return self.shards.path(piece.number, piece.inputs)


@dataclass(frozen=True)
class Spent:
    """What pieces have cost.

    Attributes:
        frames: encoded.
        waiting, encoding, writing: seconds: for decoding, for the backbone, for the disk. The
            backbone works while the two others are waited for, so they add up to no total.
    """

    frames: int = 0
    waiting: float = 0.0
    encoding: float = 0.0
    writing: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(*map(add, astuple(self), astuple(other)))

    def seconds(self) -> dict[str, float]:
        """The seconds, by what they were spent on."""
        return {name: value for name, value in vars(self).items() if name != "frames"}


# What makes pieces: here (`Local`), or on a cluster (`extract.ray_engine`).
Engine = Callable[[Work, Sequence[Piece], Encoder, Watch | None], Spent]


@dataclass(frozen=True)
class Local:
    """The engine that works in this process, with decoding workers beside it.

    Attributes:
        workers: decoding processes; by default one for each CPU core.
        timeout: seconds that one decoder may take for one video.
    """

    workers: int | None = None
    timeout: float = 120.0

    def __call__(
        self, work: Work, pieces: Sequence[Piece], encoder: Encoder, watch: Watch | None
    ) -> Spent:
        """Make pieces; see `make`."""
        with Pool(self.workers or cores(), self.timeout) as pool:
            return make(work, pieces, encoder, pool, watch)


def make(
    work: Work, pieces: Sequence[Piece], encoder: Encoder, pool: Pool, watch: Watch | None = None
) -> Spent:
    """Decode, encode and write pieces, each to its shard, in order.

    All three overlap, across pieces too; only batches do not span them. A piece is brought to the
    disk while the next is written.

    Raises:
        RunFailed: a shard cannot be written.
    """
    count = work.manifest.frame_count
    jobs = (
        Job(work.dataset.path(clip), clip.video, work.plan)
        for piece in pieces
        for clip in piece.clips
    )
    # Enough ahead to fill batches while others are encoded.
    ahead = 2 * pool.workers + (1 + 2 * encoder.lanes) * -(-encoder.batch // count)
    answers = _Timed(pool.read(jobs, ahead))
    busy = encoder.busy
    made: list[Future[Spent]] = []
    with (
        closing(encoder.features(_told(pieces, answers), group=itemgetter(0))) as results,
        ThreadPoolExecutor(1, "finish") as hand,
    ):
        for piece in pieces:
            rows = _rows(islice(results, len(piece.clips)))
            if watch:
                rows = _watched(rows, watch, count)
            draft = work.shards.draft(work.path(piece))
            draft.fill(rows)
            made.append(hand.submit(_finished, draft, count))
            for earlier in made[-2:-1]:
                earlier.result()  # one at a time, and a failure is told no later
    waited = Spent(waiting=answers.seconds, encoding=encoder.busy - busy)
    return sum((future.result() for future in made), waited)


def tell(watch: Watch, path: Path, frames: int) -> None:
    """Report a finished shard's videos, each of `frames` frames, 0 when they were not made now."""
    for entry in Shard(path).entries:
        watch(entry, frames if entry.status == "ok" else 0)


def _finished(draft: Draft[int], frames: int) -> Spent:
    """Bring a shard to the disk, and say how many frames it holds and what writing it cost."""
    return Spent(draft.finish() * frames, writing=draft.seconds)


class _Timed:
    """An iterator that adds up the time its reader waited for it."""

    def __init__(self, inner: Iterator[Pixels | str]) -> None:
        self._inner, self.seconds = inner, 0.0

    def __iter__(self) -> "_Timed":
        return self

    def __next__(self) -> Pixels | str:
        began = time.monotonic()
        try:
            return next(self._inner)
        finally:
            self.seconds += time.monotonic() - began


def _stamp(path: Path) -> list[int]:
    try:
        facts = path.stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns]


def _told(
    pieces: Sequence[Piece], answers: Iterator[Pixels | str]
) -> Iterator[tuple[tuple[int, Entry], Pixels | str]]:
    """What came of each video, with its piece's number and its row's words so far."""
    for piece in pieces:
        for clip in piece.clips:
            answer = next(answers)
            note = answer if isinstance(answer, str) else answer.note
            yield (piece.number, Entry(clip.video, clip.label, clip.split, "ok", note)), answer


def _rows(
    results: Iterator[tuple[tuple[int, Entry], Features | str]],
) -> Iterator[tuple[Entry, Features | None]]:
    """Rows as they are written: a reason in place of features makes a failed one."""
    for (_, entry), features in results:
        if isinstance(features, str):
            yield replace(entry, status="failed", error=features), None
        else:
            yield entry, features


def _watched(
    rows: Iterator[tuple[Entry, Features | None]], watch: Watch, frames: int
) -> Iterator[tuple[Entry, Features | None]]:
    for entry, features in rows:
        watch(entry, frames if features is not None else 0)
        yield entry, features
