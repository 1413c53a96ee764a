"""From a dataset to a feature cache: decode, encode and write, resumable at any moment."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from corpus.backbone import Backbone
from corpus.errors import BadInput, RunFailed
from corpus.tally import Tally
from extract.clip import Pixels, Plan
from extract.cores import cores
from extract.datasets import Dataset
from extract.encode import Encoder
from extract.manifest import CacheManifest
from extract.options import Options, plan_of
from extract.pieces import Engine, Local, Spent, Watch, tell
from extract.pool import Pool
from extract.rows import Entry, Features
from extract.store import FeatureCache
from extract.task import Task
from extract.worker import Job

__all__ = ["Options", "Report", "encode_video", "encode_videos", "extract", "facts", "plan_of"]


@dataclass(frozen=True)
class Report:
    """What an extraction did.

    Attributes:
        path: the cache.
        manifest: its facts.
        failed, noted: rows without features, and rows in which something was passed over.
        resumed: videos that an earlier run had finished.
        seconds: that it took.
        spent: on the videos encoded now; by many machines together it can be more than `seconds`.
        untouched: the cache was there, as asked for, and nothing was done.
    """

    path: Path
    manifest: CacheManifest
    failed: tuple[Entry, ...]
    noted: tuple[Entry, ...]
    resumed: int
    seconds: float
    spent: Spent
    untouched: bool = False

    def check(self) -> None:
        """Refuse a cache without features, with which a command is not to end well.

        Raises:
            RunFailed: all have failed; the cache that says so is there all the same.
        """
        if self.manifest.failed == self.manifest.clips:
            first = f"{self.failed[0].video}: {self.failed[0].error}"
            count = self.manifest.clips
            all_of_it = "its only video" if count == 1 else f"all of its {count} videos"
            cause = f"is written, but {all_of_it} failed ({first})"
            raise RunFailed(self.path, cause, "mend that, then add --retry-failed")


def extract(
    dataset: Dataset,
    backbone: Backbone,
    out: Path | str,
    options: Options | None = None,
    *,
    workers: int | None = None,
    timeout: float = 120.0,
    overwrite: bool = False,
    watch: Watch | None = None,
    joined: Tally | None = None,
    engine: Engine | None = None,
) -> Report:
    """Encode a dataset's videos into a feature cache.

    The content depends on the videos, the backbone and the options alone: not on the number of
    workers, nor on how often the run was killed and started again. A finished cache made with the
    same options is left as it is.

    Args:
        dataset: what to encode.
        backbone: with which, on the device to use.
        out: the cache file.
        options: how.
        workers: decoding processes; by default one for each CPU core.
        timeout: seconds that one decoder may take for one video.
        overwrite: replace an existing cache, and drop unfinished work, but for that of a run which
            was to replace one itself in the same way: that goes on, with or without this.
        watch: called after each video, those of an earlier run included; not at all where the
            cache is finished already.
        joined: called with how many rows of the cache are written, and of how many, while after
            the last video some are left.
        engine: by default `Local(workers, timeout)`; `RayEngine` uses a cluster.

    Raises:
        BadInput: no file of the dataset is there, the options do not fit, the target is something
            else than a feature cache or damaged, or another process works on it.
        RunFailed: the target cannot be written.
    """
    began, out = time.monotonic(), Path(out)
    task = Task(dataset, backbone, out, options or Options(), overwrite)
    shards, manifest = task.shards, task.manifest
    finished = task.finished()
    if finished is not None:
        shards.sweep()
        found = report_of(out, finished, len(dataset.clips), began, Spent())
        return replace(found, untouched=True)
    with shards:
        pieces, work = task.pieces(), task.work()
        paths = [work.path(piece) for piece in pieces]
        todo = []
        with ThreadPoolExecutor(cores()) as crew:
            held = crew.map(partial(shards.holds, manifest=manifest), paths)
            for piece, path, made in zip(pieces, paths, held, strict=True):
                if not made:
                    todo.append(piece)
                elif watch:
                    tell(watch, path, 0)
        resumed = len(dataset.clips) - sum(len(piece.clips) for piece in todo)
        engine = engine or Local(workers, timeout)
        with shards.assembling(manifest, paths, joined, backbone.device.type != "cpu") as joiner:

            def watched(entry: Entry, frames: int) -> None:
                joiner.check()
                if watch:
                    watch(entry, frames)

            spent = engine(work, todo, task.encoder, watched)
        spent += Spent(writing=joiner.seconds)
    return report_of(out, FeatureCache(out), resumed, began, spent)


def encode_videos(
    paths: Sequence[Path | str], encoder: Encoder, plan: Plan, pool: Pool | None = None
) -> Iterator[tuple[Pixels, Features] | BadInput]:
    """Read and encode videos as `extract` does, with no cache.

    Args:
        paths: the files.
        encoder: as for an extraction.
        plan: see `plan_of`.
        pool: decoding workers that the caller keeps; by default some are started, and ended with
            the last video.

    Yields:
        What is seen in each video, in order, or why nothing is.
    """
    files = [Path(path) for path in paths]
    jobs = [Job(path, path.name, plan) for path in files]
    kept = nullcontext(pool) if pool else Pool(max(1, min(cores(), len(jobs))))
    with kept as workers:
        answers = zip(files, workers.read(jobs, 2 * workers.workers), strict=True)
        clips = (((path, pixels), pixels) for path, pixels in answers)
        for (path, pixels), features in encoder.features(clips):
            if isinstance(pixels, str):
                there = os.path.isfile(path) and os.path.getsize(path)  # of any name
                mend = "check that it plays, or convert it with ffmpeg" if there else "give a video"
                yield BadInput(path, pixels, mend)
            elif isinstance(features, str):
                yield BadInput(path, features, "extract with --precision float32, and train again")
            else:
                yield pixels, features


def encode_video(
    path: Path | str, encoder: Encoder, plan: Plan, pool: Pool | None = None
) -> tuple[Pixels, Features]:
    """Read and encode one video; see `encode_videos`.

    Raises:
        BadInput: the video cannot be decoded or its features not stored; the reason is in it.
    """
    (seen,) = encode_videos([path], encoder, plan, pool)
    if isinstance(seen, BadInput):
        raise seen
    return seen


def report_of(
    out: Path,
    cache: FeatureCache,
    resumed: int,
    began: float,
    spent: Spent,
) -> Report:
    """Sum up what a run left in a cache.

    Args:
        out: the cache file.
        cache: it, opened.
        resumed: how many rows were there before.
        began: when the run did, as `time.monotonic` has it.
        spent: what making the others cost.
    """
    entries = [cache.entry(index) for index, error in enumerate(cache.errors) if error]
    return Report(
        out,
        cache.manifest,
        failed=tuple(e for e in entries if e.status == "failed"),
        noted=tuple(e for e in entries if e.status == "ok"),
        resumed=resumed,
        seconds=time.monotonic() - began,
        spent=spent,
    )


def facts(report: Report) -> dict[str, Any]:
    """A report as JSON-like data."""
    return {
        "path": str(report.path),
        "clips": report.manifest.clips,
        "ok": report.manifest.clips - report.manifest.failed,
        "failed": [{"video": e.video, "reason": e.error} for e in report.failed],
        "noted": [{"video": e.video, "note": e.error} for e in report.noted],
        "resumed": report.resumed,
        "frames": report.spent.frames,
        "seconds": round(report.seconds, 3),
        "spent": {name: round(s, 3) for name, s in report.spent.seconds().items()},
        "content_hash": report.manifest.content_hash,
    }
