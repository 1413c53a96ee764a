"""One table: ALT and its baselines on the same features, by the same loop, with the same seeds."""

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from adapter.baselines import build
from adapter.data import SCORED, ClipSet, open_clips
from adapter.evaluate import Metrics, measure, probabilities, right
from adapter.labelling import Labelling
from adapter.leaks import warn_of_repeats, warn_of_trained
from adapter.model import Method, ModelConfig
from adapter.nearest import as_read
from adapter.statistics import Interval, Paired, bootstrap, paired
from adapter.task import Task, same_features
from adapter.train import TrainConfig, train
from corpus.errors import BadInput, RunFailed
from corpus.tally import Tally
from corpus.words import counted

SCORES = ("top1", "top5", "mean_class", "calibration_error")
# Of one seed: all scores, and which of the N clips are right (1) or wrong (0).
Score = tuple[Metrics, NDArray[np.float64]]


@dataclass(frozen=True)
class Column:
    """One set of clips that every method is scored on, and the labels to choose from."""

    name: str
    clips: ClipSet
    labelling: Labelling


@dataclass(frozen=True)
class Variant:
    """One row of a comparison.

    Attributes:
        name: a method, or whatever tells the row from the others.
        model, train: the recogniser and its training; the seed is the comparison's.
        task: what to train on.
        tests: what to score on in place of the comparison's own: the same clips in the same order,
            with features such as `task` has.
    """

    name: str
    model: ModelConfig
    train: TrainConfig
    task: Task
    tests: tuple[Column, ...] = ()


class Job(NamedTuple):
    """One training: a variant, with one seed, on so many clips of each class (None for all)."""

    variant: Variant
    seed: int
    shots: int | None

    @property
    def name(self) -> str:
        """What is trained."""
        shots = f", {counted(self.shots, 'shot')}" if self.shots else ""
        return f"{self.variant.name}, seed {self.seed}{shots}"


Report = Callable[[str], None]
# Given jobs, tests, device and whom to tell, yields each job's score on each test, in order.
Engine = Callable[
    [Sequence[Job], Sequence[Column], str, Report], Generator[list[Score], None, None]
]


def quiet(what: str) -> None:
    """Tell nobody."""


class Spread(NamedTuple):
    """Mean over seeds, and the sample standard deviation, 0 for one seed."""

    mean: float
    std: float


class Cell(BaseModel):
    """One method on one test.

    Attributes:
        method, shots, test: which; `shots` is None for all training clips.
        seeds: a record of scores for each seed, in order.
        mean, std: of top-1 over seeds; sample standard deviation, 0 for one seed.
        spread: the same of each score.
        interval: 95 %, of the mean top-1, by bootstrap over clips and seeds.
        behind: how far top-1 is behind the last method's (negative: ahead), on the same clips.
        behind_interval, p, p_seeds: of that difference (`adapter.statistics.paired`).
        new_labels: how many of the labels to choose from were not trained on.
    """

    model_config = ConfigDict(frozen=True)
    method: str
    shots: int | None
    test: str
    seeds: list[Metrics]
    mean: float
    std: float
    spread: dict[str, Spread]
    interval: Interval
    behind: float
    behind_interval: Interval
    p: float
    p_seeds: float | None
    new_labels: int

    @property
    def beaten(self) -> bool:
        """Whether the last method is ahead, p < 0.01 over clips and over seeds: two at least."""
        found = Paired(self.behind, self.behind_interval, self.p, self.p_seeds)
        return self.behind > 0 and self.p_seeds is not None and found.sure()


def open_tests(
    paths: Mapping[str, Path | str], task: Task, tally: Tally | None = None
) -> list[Column]:
    """Open the caches to score on; labels as `Vocabulary.choose` decides.

    Of a cache that has other splits too, its test split, or else its validation split. `tally` is
    as for `open_clips`, of one after the other.

    Raises:
        BadInput: features of another backbone than the training clips'.
    """
    tests = []
    for name, path in paths.items():
        clips = open_clips(path, scored=True, parts=SCORED, tally=tally)
        same_features(clips.facts, task.clips.facts, path)
        warn_of_trained(clips, task.clips.videos, name)
        warn_of_repeats(clips)
        labelling = task.vocabulary.choose(clips=clips)
        tests.append(Column(name, clips.relabelled(labelling.names, path), labelling))
    return tests


def few_shot(clips: ClipSet, shots: int, seed: int) -> ClipSet:
    """Draw as many clips of each class; draws of fewer shots are part of those of more.

    A video that is in several caches counts once, and is drawn with all that they have of it.

    Raises:
        BadInput: a class has fewer clips; that with the fewest is named.
    """
    members: list[dict[str, list[int]]] = [{} for _ in clips.classes]  # of each video
    for i, (label, video) in enumerate(zip(clips.labels.tolist(), clips.videos, strict=True)):
        members[label].setdefault(video, []).append(i)
    # All can draw as many as the poorest class has, but for those that have none.
    count, name = min((len(m), n) for m, n in zip(members, clips.classes, strict=True) if m)
    if count < shots:
        cause, mend = f"{name!r} has {counted(count, 'clip')}", f"as in --shots {count}"
        raise BadInput(f"{counted(shots, 'clip')} of each class", cause, f"draw fewer, {mend}")
    generator = torch.Generator().manual_seed(seed)
    chosen: list[int] = []
    for videos in members:
        each = list(videos.values())
        order = torch.randperm(len(each), generator=generator)
        chosen += [i for number in order[:shots].tolist() for i in each[number]]
    return clips.subset(sorted(chosen))


def method_rows(
    task: Task, methods: Sequence[Method], model: ModelConfig, config: TrainConfig
) -> list[Variant]:
    """Return a row for each method, all of one shape and training."""
    return [
        Variant(method, model.model_copy(update={"method": method}), config, task)
        for method in methods
    ]


def compare(
    variants: Sequence[Variant],
    tests: Sequence[Column],
    seeds: Sequence[int],
    shots: Sequence[int | None] = (None,),
    device: str = "cpu",
    report: Report = quiet,
    engine: Engine | None = None,
) -> list[Cell]:
    """Train each variant with each seed and score it on each test.

    Seeds are paired: with the same seed all variants of a task see the same clips in the same
    order, the same few-shot draw and the same noise on features. Nothing is validated on: the last
    epoch counts, for every variant.

    Args:
        variants: each with a name of its own; their tasks have the same labels; the last is what
            the others are compared with.
        tests: what to score on.
        seeds: of weights, order and noise.
        shots: clips of each class to train on; None for all.
        device: "cpu" or "cuda".
        report: called with what is being trained.
        engine: that does the work; by default `one_by_one`.

    Returns:
        A cell for each shots, test and variant.

    Raises:
        BadInput: two variants of one name, which nothing would tell apart; or a class with fewer
            clips than a number of shots.
    """
    for one in variants:
        for shot in filter(None, shots):  # all, before there is work to lose
            few_shot(one.task.clips, shot, 0)
    for name, count in Counter(one.name for one in variants).items():
        if count > 1:
            mend = "give each a name of its own; a corpus has that of its folder"
            raise BadInput(name, f"{count} rows are called so", mend)
    jobs = [Job(one, seed, count) for count in shots for one in variants for seed in seeds]
    scores: dict[tuple[int | None, str, str], list[Score]] = {}
    for job, found in zip(jobs, (engine or one_by_one)(jobs, tests, device, report), strict=True):
        for test, score in zip(tests, found, strict=True):
            scores.setdefault((job.shots, test.name, job.variant.name), []).append(score)
    return [
        cell(
            one.name,
            count,
            test,
            scores[count, test.name, one.name],
            scores[count, test.name, variants[-1].name],
        )
        for count in shots
        for test in tests
        for one in variants
    ]


def one_by_one(
    jobs: Sequence[Job], tests: Sequence[Column], device: str, report: Report
) -> Generator[list[Score], None, None]:
    """Train and score one job after the other, in this process."""
    for job in jobs:
        report(job.name)
        yield train_and_score(job, tests, device)


def train_and_score(job: Job, tests: Sequence[Column], device: str) -> list[Score]:
    """Train a variant with one seed, and score it on each test.

    Raises:
        RunFailed: training diverged.
    """
    task, model = job.variant.task, job.variant.model
    task = replace(task, clips=as_read(task, model, device))
    clips = few_shot(task.clips, job.shots, job.seed) if job.shots else task.clips
    scale = task.backbone.logit_scale
    recogniser = build(model, task.entities, clips.facts.regions, scale, job.seed).to(device)
    if model.method != "clip":
        config = job.variant.train.model_copy(update={"seed": job.seed})
        try:
            train(recogniser, clips, task.labels, config, device=device)
        except RunFailed as error:  # which of many trainings it was is not in it
            raise RunFailed(f"{job.name}, {error.what}", error.cause, error.mend) from error
    return [
        scored(probabilities(recogniser, test.clips, test.labelling.text), test.clips)
        for test in job.variant.tests or tests
    ]


def scored(chances: Tensor, clips: ClipSet) -> Score:
    """Score probabilities (N, C) of N clips."""
    return measure(chances, clips), right(chances, clips).double().numpy()


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation of a score over seeds."""
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)


def cell(
    method: str, shots: int | None, test: Column, own: Sequence[Score], last: Sequence[Score]
) -> Cell:
    """Sum up one method on one test.

    Args:
        method, shots, test: which.
        own: its scores, one for each seed.
        last: those of the method that it is compared with, with the same seeds.
    """
    over_seeds = {
        score: spread([getattr(metrics, score) for metrics, _ in own]) for score in SCORES
    }
    rights, others = (np.stack([right for _, right in some]) for some in (own, last))
    difference = paired(others, rights)
    return Cell(
        method=method,
        shots=shots,
        test=test.name,
        seeds=[metrics for metrics, _ in own],
        mean=over_seeds["top1"].mean,
        std=over_seeds["top1"].std,
        spread=over_seeds,
        interval=bootstrap(rights),
        behind=difference.difference,
        behind_interval=difference.interval,
        p=difference.p,
        p_seeds=difference.p_seeds,
        new_labels=test.labelling.new,
    )
