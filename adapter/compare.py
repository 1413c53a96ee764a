"""One table: ALT and its baselines on the same features, by the same loop, with the same seeds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from adapter.baselines import build
from adapter.data import ClipSet, open_clips
from adapter.evaluate import Metrics, measure, probabilities
from adapter.labelling import Labelling
from adapter.model import Method, ModelConfig
from adapter.nearest import looked_up
from adapter.statistics import Interval, bootstrap, paired
from adapter.task import Task, same_features
from adapter.train import TrainConfig, train
from corpus.errors import BadInput

SCORES = ("top1", "top5", "mean_class", "calibration_error")


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
    """

    name: str
    model: ModelConfig
    train: TrainConfig
    task: Task


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
        interval: 95 %, of the mean top-1, by bootstrap over clips.
        behind: how far top-1 is behind the last method's (negative: ahead), on the same clips.
        behind_interval, p: of that difference (`adapter.statistics.paired`).
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
    new_labels: int


def open_tests(paths: dict[str, Path], task: Task) -> list[Column]:
    """Open the caches to score on; labels as `Vocabulary.choose` decides.

    Raises:
        BadInput: features of another backbone than the training clips'.
    """
    tests = []
    for name, path in paths.items():
        clips = open_clips([path])
        same_features(clips.facts, task.clips.facts, path)
        labelling = task.vocabulary.choose(clips=clips)
        tests.append(Column(name, clips.relabelled(labelling.names, path), labelling))
    return tests


def few_shot(clips: ClipSet, shots: int, seed: int) -> ClipSet:
    """Draw as many clips of each class; draws of fewer shots are part of those of more.

    Raises:
        BadInput: a class has fewer clips.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen: list[int] = []
    for label, name in enumerate(clips.classes):
        members = (clips.labels == label).nonzero()[:, 0]
        order = members[torch.randperm(len(members), generator=generator)]
        if 0 < len(members) < shots:
            raise BadInput(
                f"{shots} shots", f"{name!r} has {len(members)} clips", "use fewer shots"
            )
        chosen += order[:shots].tolist()
    return clips.subset(sorted(chosen))


def compare(
    task: Task,
    tests: Sequence[Column],
    methods: Sequence[Method],
    seeds: Sequence[int],
    model: ModelConfig,
    config: TrainConfig,
    shots: Sequence[int | None] = (None,),
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> list[Cell]:
    """Train each method with each seed and score it on each test.

    Seeds are paired: with the same seed all methods see the same clips in the same order, the
    same few-shot draw and the same noise on features. Nothing is validated on: the last epoch
    counts, for every method.

    Args:
        task: what to train on.
        tests: what to score on.
        methods: the last is the one that the others are compared with.
        seeds: of weights, order and noise.
        model: shape of every method.
        config: training of every method.
        shots: clips of each class to train on; None for all.
        device: "cpu" or "cuda".
        report: called with what is being trained.

    Returns:
        A cell for each shots, test and method.
    """
    variants = [
        Variant(method, model.model_copy(update={"method": method}), config, task)
        for method in methods
    ]
    return compare_variants(variants, tests, seeds, shots, device, report)


def compare_variants(
    variants: Sequence[Variant],
    tests: Sequence[Column],
    seeds: Sequence[int],
    shots: Sequence[int | None] = (None,),
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> list[Cell]:
    """Train each variant with each seed and score it on each test; otherwise as `compare`.

    Args:
        variants: their tasks have the same labels; the last is what the others are compared with.
        tests, seeds, shots, device, report: as for `compare`.
    """
    cells: list[Cell] = []
    for count in shots:
        scores: dict[tuple[str, str], list[tuple[Metrics, NDArray[np.float64]]]] = {}
        for variant in variants:
            for seed in seeds:
                report(f"{variant.name}, seed {seed}" + (f", {count} shots" if count else ""))
                for name, metrics, right in _scored(variant, tests, seed, count, device):
                    scores.setdefault((name, variant.name), []).append((metrics, right))
        for test in tests:
            best = _mean_right(scores[test.name, variants[-1].name])
            for variant in variants:
                own = scores[test.name, variant.name]
                cells.append(_cell(variant.name, count, test, own, best))
    return cells


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation of a score over seeds."""
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)


def _scored(
    variant: Variant, tests: Sequence[Column], seed: int, shots: int | None, device: str
) -> Iterator[tuple[str, Metrics, NDArray[np.float64]]]:
    """Train a variant with one seed; yield its scores on each test, and which clips are right."""
    task, model = variant.task, variant.model
    task = replace(task, clips=looked_up(task, model, device))
    clips = few_shot(task.clips, shots, seed) if shots else task.clips
    scale = task.backbone.logit_scale
    recogniser = build(model, task.entities, clips.facts.regions, scale, seed).to(device)
    if model.method != "clip":
        config = variant.train.model_copy(update={"seed": seed})
        train(recogniser, clips, task.labels, config, device=device)
    for test in tests:
        chances = probabilities(recogniser, test.clips, test.labelling.text)
        right = (chances.argmax(dim=-1) == test.clips.labels).double().numpy()
        yield test.name, measure(chances, test.clips), right


def _cell(
    method: str,
    shots: int | None,
    test: Column,
    own: Sequence[tuple[Metrics, NDArray[np.float64]]],
    best: NDArray[np.float64],
) -> Cell:
    over_seeds = {
        score: spread([getattr(metrics, score) for metrics, _ in own]) for score in SCORES
    }
    difference = paired(best, _mean_right(own))
    return Cell(
        method=method,
        shots=shots,
        test=test.name,
        seeds=[metrics for metrics, _ in own],
        mean=over_seeds["top1"].mean,
        std=over_seeds["top1"].std,
        spread=over_seeds,
        interval=bootstrap(_mean_right(own)),
        behind=difference.difference,
        behind_interval=difference.interval,
        p=difference.p,
        new_labels=test.labelling.new,
    )


def _mean_right(scores: Sequence[tuple[Metrics, NDArray[np.float64]]]) -> NDArray[np.float64]:
    return np.mean([right for _, right in scores], axis=0)
