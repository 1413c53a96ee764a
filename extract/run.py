"""From a dataset to a feature cache: decode, encode and write, resumable at any moment."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corpus.backbone import Backbone
from corpus.errors import BadInput
from extract import clip
from extract.clip import Pixels, Plan, Sampling
from extract.datasets import Clip, Dataset
from extract.decode import DecodeError, Decoder
from extract.encode import PRECISIONS, Encoder
from extract.pool import Pool
from extract.shards import Shards, differs
from extract.store import (
    CacheManifest,
    Compression,
    Dtype,
    Entry,
    FeatureCache,
    Features,
    PreprocessFacts,
    list_hash,
)
from extract.views import Framing
from extract.worker import Job


@dataclass(frozen=True)
class Options:
    """How to extract; what is not here does not change a cache's content.

    Attributes:
        frames: T, frames in a view.
        views: "TxS", temporal × spatial views.
        merge: token pairs merged in each block, r.
        dtype: "float16" or "int8".
        compression: "none", "lz4" or "zstd".
        sampling: "centre" or "random"; by default random for the split "train", else centre.
        seed: of random sampling.
        augment: random crops, mirrored by even chance: views to train on.
        precision: of the encoder: "float32", "bfloat16" or "float16".
        batch: frames to a forward pass.
        decoder: "auto" (decord, then PyAV), "decord" or "pyav".
        checkpoint: videos to a shard: the most that a kill can cost.
    """

    frames: int = 8
    views: str = "1x1"
    merge: int = 8
    dtype: Dtype = "float16"
    compression: Compression = "none"
    sampling: Sampling | None = None
    seed: int = 0
    augment: bool = False
    precision: str = "float32"
    batch: int = 32
    decoder: Decoder = "auto"
    checkpoint: int = 64

    def __post_init__(self) -> None:
        for name, known in (
            ("dtype", ("float16", "int8")),
            ("compression", ("none", "lz4", "zstd")),
            ("sampling", (None, "centre", "random")),
            ("precision", tuple(PRECISIONS)),
            ("decoder", ("auto", "decord", "pyav")),
        ):
            if getattr(self, name) not in known:
                choices = ", ".join(str(choice) for choice in known if choice)
                raise BadInput(f"--{name} {getattr(self, name)}", "unknown", f"use {choices}")
        for name in ("frames", "batch", "checkpoint"):
            if getattr(self, name) < 1:
                raise BadInput(f"--{name} {getattr(self, name)}", "below 1", "use 1 or more")
        self.view_counts()

    def view_counts(self) -> tuple[int, int]:
        """Temporal and spatial views."""
        temporal, _, spatial = self.views.partition("x")
        if not (temporal.isdecimal() and spatial.isdecimal() and int(temporal) > 0):
            raise BadInput(f"--views {self.views}", "not temporal x spatial views", "as in 4x3")
        if self.augment and int(spatial) != 1:
            raise BadInput(f"--views {self.views}", "augmented views are one crop each", "use Tx1")
        return int(temporal), int(spatial)


@dataclass(frozen=True)
class Report:
    """What an extraction did.

    Attributes:
        path: the cache.
        manifest: its facts.
        failed, noted: rows without features, and rows in which something was passed over.
        resumed: videos that an earlier run had finished.
        frames: frames encoded now.
        seconds: that it took.
        spent: where they went: "waiting" for decoding, "encoding", "writing".
    """

    path: Path
    manifest: CacheManifest
    failed: tuple[Entry, ...]
    noted: tuple[Entry, ...]
    resumed: int
    frames: int
    seconds: float
    spent: dict[str, float]


# Told after each video: its entry, and how many frames were encoded for it.
Watch = Callable[[Entry, int], None]


def extract(
    dataset: Dataset,
    backbone: Backbone,
    out: Path,
    options: Options | None = None,
    *,
    workers: int | None = None,
    timeout: float = 120.0,
    limit: int | None = None,
    overwrite: bool = False,
    watch: Watch | None = None,
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
        limit: encode only the first so many videos.
        overwrite: replace an existing cache, and drop unfinished work.
        watch: called after each video, those of an earlier run included.

    Raises:
        BadInput: no file of the dataset is there, the options do not fit, the target is something
            else, or another process works on it.
        RunFailed: the target cannot be written.
    """
    began = time.monotonic()
    options = options or Options()
    if limit is not None:
        dataset = replace(dataset, clips=dataset.clips[:limit])
    if not any(dataset.path(clip).is_file() for clip in dataset.clips):
        cause = f"none of the {len(dataset.clips)} files that the list names is there"
        raise BadInput(dataset.root, cause, "check --root")
    encoder = Encoder(backbone, options.merge, options.precision, options.dtype, options.batch)
    plan = plan_of(backbone, options, dataset.split)
    manifest = _manifest(dataset, encoder, options, plan)
    job = manifest.model_dump(mode="json", exclude={"compression", "failed", "content_hash"})
    job |= {"batch": options.batch, "decoder": options.decoder, "checkpoint": options.checkpoint}
    shards = Shards(out, job, fresh=overwrite)
    finished = None if overwrite else _finished(out, manifest)
    if finished is not None:
        shards.sweep()
        return _report(out, finished, len(dataset.clips), 0, began, {})
    with shards:
        pieces = [
            _Piece(number, dataset, dataset.clips[start : start + options.checkpoint])
            for number, start in enumerate(range(0, len(dataset.clips), options.checkpoint))
        ]
        paths = [shards.path(piece.number, piece.inputs) for piece in pieces]
        todo = [piece for piece, path in zip(pieces, paths, strict=True) if not path.exists()]
        resumed = len(dataset.clips) - sum(len(piece.clips) for piece in todo)
        for piece, path in zip(pieces, paths, strict=True):
            if piece not in todo and watch:
                cache = FeatureCache(path)
                for index in range(len(cache)):
                    watch(cache.entry(index), 0)
        jobs = (Job(dataset.path(clip), clip.video, plan) for piece in todo for clip in piece.clips)
        frames = 0
        with Pool(workers or cores(), timeout) as pool:
            # Enough ahead to fill a batch while another is encoded.
            ahead = 2 * (workers or cores()) + 2 * -(-options.batch // manifest.frame_count)
            answers = _Timed(pool.read(jobs, ahead))
            started = time.monotonic()
            for piece in todo:
                part = manifest.model_copy(
                    update={"clips": len(piece.clips), "compression": "none"}
                )
                rows = _rows(piece, answers, encoder)
                if watch:
                    rows = _watched(rows, watch, manifest.frame_count)
                done = shards.write(paths[piece.number], part, rows)
                frames += (done.clips - done.failed) * manifest.frame_count
            working = time.monotonic() - started - answers.seconds - shards.seconds
        shards.assemble(manifest, paths)
    spent = {"waiting": answers.seconds, "encoding": working, "writing": shards.seconds}
    return _report(out, FeatureCache(out), resumed, frames, began, spent)


def encode_video(path: Path, encoder: Encoder, plan: Plan) -> Features:
    """Encode one video as `extract` does, in this process.

    Args:
        path: the file.
        encoder: as for an extraction.
        plan: see `plan_of`.

    Raises:
        BadInput: the video cannot be decoded or its features not stored; the reason is in it.
    """
    mend = "check that it plays, or convert it with ffmpeg"
    try:
        pixels = clip.read(path, path.name, plan)
    except DecodeError as error:
        raise BadInput(path, str(error), mend) from error
    ((_, features),) = encoder.features([(0, pixels)])
    if isinstance(features, str):
        raise BadInput(path, features, "use --precision float32")
    return features


def plan_of(backbone: Backbone, options: Options, split: str = "all") -> Plan:
    """How videos are to be read for this backbone and these options."""
    temporal, spatial = options.view_counts()
    facts = backbone.preprocess
    return Plan(
        Framing(facts.size, facts.interpolation, facts.resize_mode, spatial),
        frames=options.frames,
        temporal=temporal,
        sampling=options.sampling or ("random" if split.startswith("train") else "centre"),
        seed=options.seed,
        decoder=options.decoder,
        augment=options.augment,
    )


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


class _Piece:
    """The videos of one shard.

    Attributes:
        inputs: digest of the files as they are now; a file that was mended gets its shard redone.
    """

    def __init__(self, number: int, dataset: Dataset, clips: tuple[Clip, ...]) -> None:
        self.number, self.clips = number, clips
        self.inputs = hashlib.sha256(
            json.dumps([_stamp(dataset.path(clip)) for clip in clips]).encode()
        ).hexdigest()


def _stamp(path: Path) -> list[int]:
    try:
        facts = path.stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns]


def _rows(
    piece: _Piece, answers: Iterator[Pixels | str], encoder: Encoder
) -> Iterator[tuple[Entry, Features | None]]:
    """Rows of a shard, in order, as soon as they and those before them are encoded."""
    words: dict[int, str] = {}  # a row's reason or note

    def good() -> Iterator[tuple[int, Pixels]]:
        for index in range(len(piece.clips)):
            answer = next(answers)
            words[index] = answer if isinstance(answer, str) else answer.note
            if not isinstance(answer, str):
                yield index, answer

    def failed(start: int, stop: int) -> Iterator[tuple[Entry, None]]:
        for index in range(start, stop):
            source = piece.clips[index]
            yield Entry(source.video, source.label, source.split, "failed", words[index]), None

    at = 0
    for index, features in encoder.features(good()):
        yield from failed(at, index)
        if isinstance(features, str):
            words[index] = features
            yield from failed(index, index + 1)
        else:
            source = piece.clips[index]
            entry = Entry(source.video, source.label, source.split, "ok", words[index])
            yield entry, features
        at = index + 1
    yield from failed(at, len(piece.clips))


def _watched(
    rows: Iterator[tuple[Entry, Features | None]], watch: Watch, frames: int
) -> Iterator[tuple[Entry, Features | None]]:
    for entry, features in rows:
        watch(entry, frames if features is not None else 0)
        yield entry, features


def _manifest(dataset: Dataset, encoder: Encoder, options: Options, plan: Plan) -> CacheManifest:
    backbone, facts = encoder.backbone, encoder.backbone.preprocess
    model, _, pretrained = backbone.name.partition("/")
    return CacheManifest(
        dataset=dataset.name,
        split=dataset.split,
        classes=dataset.classes,
        clips=len(dataset.clips),
        list_hash=list_hash((c.video, c.label, c.split) for c in dataset.clips),
        backbone=backbone.name,
        model=model,
        pretrained=pretrained,
        fingerprint=backbone.fingerprint,
        random_weights=backbone.random,
        merge=options.merge,
        frames=options.frames,
        views=options.views,
        sampling=plan.sampling,
        seed=options.seed,
        augment=options.augment,
        part=dataset.part,
        preprocess=PreprocessFacts(**vars(facts)),
        precision=options.precision,
        dtype=options.dtype,
        compression=options.compression,
        dim=encoder.tower.dim,
        regions=encoder.tower.regions,
        patches=encoder.tower.patches,
        grid=encoder.tower.grid,
    )


def _finished(out: Path, wanted: CacheManifest) -> FeatureCache | None:
    """The cache at `out`, if there is one and it is what is asked for."""
    if not out.exists():
        return None
    if out.is_dir():
        raise BadInput(out, "is a folder", "give a file such as feats.h5 as --out")
    cache = FeatureCache(out)
    late = {"failed", "content_hash"}
    theirs, ours = (m.model_dump(mode="json", exclude=late) for m in (cache.manifest, wanted))
    if theirs != ours:
        cause = f"exists and was made with other options ({differs(theirs, ours)})"
        raise BadInput(out, cause, "choose another --out, or --overwrite it")
    return cache


def _report(
    out: Path,
    cache: FeatureCache,
    resumed: int,
    frames: int,
    began: float,
    spent: dict[str, float],
) -> Report:
    entries = [cache.entry(index) for index, error in enumerate(cache.errors) if error]
    return Report(
        out,
        cache.manifest,
        failed=tuple(e for e in entries if e.status == "failed"),
        noted=tuple(e for e in entries if e.status == "ok"),
        resumed=resumed,
        frames=frames,
        seconds=time.monotonic() - began,
        spent=spent,
    )


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def facts(report: Report) -> dict[str, Any]:
    """A report as JSON-like data."""
    return {
        "path": str(report.path),
        "clips": report.manifest.clips,
        "ok": report.manifest.clips - report.manifest.failed,
        "failed": [{"video": e.video, "reason": e.error} for e in report.failed],
        "noted": [{"video": e.video, "note": e.error} for e in report.noted],
        "resumed": report.resumed,
        "frames": report.frames,
        "seconds": round(report.seconds, 3),
        "spent": {name: round(seconds, 3) for name, seconds in report.spent.items()},
        "content_hash": report.manifest.content_hash,
    }
