"""Trainings of a comparison kept in a folder, so that one that was interrupted goes on.

A file for each, called by a digest of all that decides its scores: settings, seed and shots, the
clips trained and scored on and their features, the texts of labels and entities, this package's
code. What differs in any of these is another training. A longer comparison, with more seeds or
methods, finds those of a shorter one.
"""

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor

from adapter.compare import Column, Engine, Job, Report, Score, one_by_one, quiet
from adapter.data import ClipSet
from adapter.evaluate import Metrics
from adapter.processes import processes
from adapter.task import Task
from corpus.atomic import try_file, write_json


class Kept(BaseModel):
    """Scores of one training on each test in order.

    Attributes:
        training: what it is called, for who looks into the folder.
        metrics: all scores.
        right: of each clip, "1" or "0".
    """

    training: str
    metrics: list[Metrics]
    right: list[str]


def kept(engine: Engine, folder: Path, say: Report = quiet) -> Engine:
    """Return an engine that keeps each training's scores in a folder, and takes what is there.

    Of several processes, whose folders may differ, none keeps anything.

    Args:
        engine: that trains what is not there yet.
        folder: made when the first training is done.
        say: told how many are there, if any.

    Returns:
        The engine; it raises OSError where a file cannot be written.
    """

    def resumed(
        jobs: Sequence[Job], tests: Sequence[Column], device: str, report: Report
    ) -> Generator[list[Score], None, None]:
        if processes(device).num_processes > 1:
            yield from engine(jobs, tests, device, report)
            return
        files = [folder / f"{digest}.json" for digest in _digests(jobs, tests, device)]
        found = [
            _read(file, job.variant.tests or tests) for job, file in zip(jobs, files, strict=True)
        ]
        missing = [job for job, scores in zip(jobs, found, strict=True) if scores is None]
        if there := len(jobs) - len(missing):
            say(f"{there} of {len(jobs)} trainings are taken from {folder}")
        for file, scores in zip(files, found, strict=True):
            if scores is None:
                try_file(file)  # before there is work to lose
        trains = engine if missing else one_by_one
        # Closed when a file cannot be written, too: else all would be trained first.
        with closing(trains(missing, tests, device, report)) as trained:
            for job, file, scores in zip(jobs, files, found, strict=True):
                if scores is None:
                    scores = next(trained)
                    _write(file, job, scores)
                else:
                    report(job.name)
                yield scores

    return resumed


def _read(file: Path, tests: Sequence[Column]) -> list[Score] | None:
    """Read a training's scores; None where there are none, or, with a warning, damaged ones."""
    if not file.is_file():
        return None
    try:
        held = Kept.model_validate_json(file.read_bytes())
        rights = [np.array([*map("01".index, right)], np.float64) for right in held.right]
        if [len(right) for right in rights] != [len(test.clips) for test in tests]:
            raise ValueError("of other clips")
        scores = list(zip(held.metrics, rights, strict=True))
        if not all(math.isclose(metrics.top1, right.mean()) for metrics, right in scores):
            raise ValueError("its scores disagree")
        return scores
    except (ValidationError, ValueError):
        warnings.warn(f"{file} is damaged: that adapter is trained again", stacklevel=2)
        return None


def _write(file: Path, job: Job, scores: Sequence[Score]) -> None:
    held = Kept(
        training=job.name,
        metrics=[metrics for metrics, _ in scores],
        right=["".join("01"[int(one)] for one in right) for _, right in scores],
    )
    write_json(file, held.model_dump(mode="json"))


def _digests(jobs: Sequence[Job], tests: Sequence[Column], device: str) -> Iterator[str]:
    """Yield of each job 32 hex digits of all that decides its scores."""
    known: dict[int, Any] = {}  # jobs share tasks and tests, each as large as its data set

    def once(facts_of: Callable[[Any], list[Any]], thing: Any) -> list[Any]:
        if id(thing) not in known:
            known[id(thing)] = facts_of(thing)
        return known[id(thing)]

    for job in jobs:
        one = job.variant
        facts: list[Any] = [_code(), torch.__version__, device, job.seed, job.shots]
        facts += [
            one.model.model_dump(mode="json"),
            one.train.model_dump(mode="json", exclude={"seed"}),
            once(_task, one.task),
            *(once(_test, test) for test in one.tests or tests),
        ]
        yield hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _task(task: Task) -> list[Any]:
    words = [_of(task.labels), _of(task.entities)]
    return [task.backbone.logit_scale, *words, _clips(task.clips)]


def _test(test: Column) -> list[Any]:
    return [_of(test.labelling.text), _clips(test.clips)]


def _clips(clips: ClipSet) -> list[Any]:
    words = json.dumps([clips.videos, clips.splits, clips.classes]).encode()
    names = hashlib.sha256(words).hexdigest()
    return [*clips.contents, names, _of(clips.labels), _of(clips.seen)]


def _of(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.cpu().contiguous().numpy().tobytes()).hexdigest()


@cache
def _code() -> str:
    code = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256("".join(code).encode()).hexdigest()
