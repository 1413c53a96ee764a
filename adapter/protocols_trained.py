"""Protocols that train: supervised, few-shot and base-to-novel, for ALT and its baselines alike.

Supervised: all clips of the training caches, tested on all views of the test caches. Few-shot: K
clips of each class, drawn anew with each seed. Base-to-novel: the classes are halved by how many
training clips they have; K clips of each of the more frequent half are trained on, and both halves
are tested, each among its own labels.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from adapter.compare import Cell, Column, Spread, compare, spread
from adapter.labelling import Labelling
from adapter.model import Method, ModelConfig
from adapter.tables import comparison_record
from adapter.task import Task
from adapter.train import TrainConfig
from corpus.errors import BadInput
from corpus.labels import readable

TrainedProtocol = Literal["supervised", "few-shot", "base-to-novel"]
SHOTS: dict[TrainedProtocol, tuple[int | None, ...]] = {
    "supervised": (None,),
    "few-shot": (2, 4, 8, 16),
    "base-to-novel": (16,),
}


def conduct(
    protocol: TrainedProtocol,
    task: Task,
    tests: Sequence[Column],
    methods: Sequence[Method],
    seeds: int,
    model: ModelConfig,
    train: TrainConfig,
    shots: Sequence[int | None] = (),
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> tuple[list[Cell], dict[str, Any]]:
    """Train and score by a protocol.

    Args:
        protocol: which.
        task: what to train on, its training clips whole.
        tests: what to score on; for base-to-novel each is divided in two.
        methods: the last is the one that the others are compared with.
        seeds: runs of each method, with seeds 0, 1, …
        model, train: shape and training of every method.
        shots: K; by default the protocol's own.
        device: "cpu" or "cuda".
        report: called with what is being trained.

    Returns:
        The cells, and what metrics.json holds: the cells, what decided them, which labels each
        test chose from and, for base-to-novel, harmonic means of base and novel.

    Raises:
        BadInput: a class with too few clips; for base-to-novel, fewer than two classes.
    """
    whole = task
    if protocol == "base-to-novel":
        task, halves = base_and_novel(task, tests)
        tests = [column for pair in halves for column in pair]
    chosen = list(shots) or list(SHOTS[protocol])
    for test in tests:
        if again := _again(test, task):
            warnings.warn(
                f"{again} of {len(test.clips)} videos of {test.name} are called as videos to "
                "train on are: if they are the same, this is no test",
                stacklevel=2,
            )
    cells = compare(task, tests, methods, range(seeds), model, train, chosen, device, report)
    record = comparison_record(task, cells, model, train) | {
        "protocol": protocol,
        "seeds": list(range(seeds)),
        "left_out": dict(whole.clips.left_out),
        "tests": {test.name: _described(test, task) for test in tests},
    }
    if protocol == "base-to-novel":
        record["harmonic"] = [
            {"method": base.method, "shots": base.shots, "test": name}
            | harmonic(base, novel)._asdict()
            for (name, _), (base, novel) in _pairs(cells)
        ]
    return cells, record


def base_and_novel(task: Task, tests: Sequence[Column]) -> tuple[Task, list[tuple[Column, Column]]]:
    """Divide classes by frequency: the more frequent half (rounded up) is base.

    Args:
        task: whose training clips are counted; of equal counts the class that comes first wins.
        tests: labelled with all of the classes.

    Returns:
        The task with base clips and labels alone, and each test's base and novel clips, each to be
        chosen from its own half of the labels.

    Raises:
        BadInput: fewer than two classes, or a test that has no clip of a half.
    """
    counts = torch.bincount(task.clips.labels, minlength=len(task.clips.classes))
    ranked = [i for i in counts.argsort(descending=True, stable=True).tolist() if counts[i]]
    if len(ranked) < 2:
        raise BadInput("base-to-novel", "has one class to halve", "use features of more classes")
    cut = -(-len(ranked) // 2)
    base, novel = sorted(ranked[:cut]), sorted(ranked[cut:])
    halves = [
        (
            _half(task, test, base, f"{test.name}: base", 0),
            _half(task, test, novel, f"{test.name}: novel", len(novel)),
        )
        for test in tests
    ]
    names = [task.clips.classes[i] for i in base]
    kept = torch.isin(task.clips.labels, torch.tensor(base)).nonzero()[:, 0]
    clips = task.clips.subset(kept).relabelled(names)
    return replace(task, clips=clips, labels=task.labels[base]), halves


def harmonic(base: Cell, novel: Cell) -> Spread:
    """Harmonic mean of base and novel top-1, for each seed, then over seeds."""
    pairs = [(b.top1, n.top1) for b, n in zip(base.seeds, novel.seeds, strict=True)]
    return spread([2 * b * n / (b + n) if b + n else 0.0 for b, n in pairs])


def _half(task: Task, test: Column, classes: Sequence[int], name: str, new: int) -> Column:
    names = tuple(task.clips.classes[i] for i in classes)
    wanted = {readable(one) for one in names}
    labels = test.clips.labels.tolist()
    kept = [i for i, label in enumerate(labels) if readable(test.clips.classes[label]) in wanted]
    if not kept:
        raise BadInput(test.name, f"has no clip of {name}", "extract the clips of all classes")
    labelling = Labelling(names, task.labels[list(classes)], name, new)
    return Column(name, test.clips.subset(kept).relabelled(names), labelling)


def _pairs(cells: Sequence[Cell]) -> list[tuple[tuple[str, str], tuple[Cell, Cell]]]:
    """Pair the base and novel cells of each method, shots and test."""
    novel = {
        (cell.method, cell.shots, cell.test.removesuffix(": novel")): cell
        for cell in cells
        if cell.test.endswith(": novel")
    }
    pairs = []
    for cell in cells:
        if cell.test.endswith(": base"):
            name = cell.test.removesuffix(": base")
            pairs.append(((name, cell.method), (cell, novel[cell.method, cell.shots, name])))
    return pairs


def _again(test: Column, task: Task) -> int:
    """Count the test's videos that have the name of a training video."""
    return len(set(test.clips.videos) & set(task.clips.videos))


def _described(test: Column, task: Task) -> dict[str, Any]:
    return {
        "clips": len(test.clips),
        "failed": int((~test.clips.seen).sum()),
        "named_as_in_training": _again(test, task),
        "views": test.clips.views,
        "left_out": dict(test.clips.left_out),
        "features": test.clips.facts.content_hash,
        "labels": len(test.labelling.names),
        "label_set": {
            "source": test.labelling.source,
            "names": list(test.labelling.names),
            "hash": test.labelling.hash,
            "new": test.labelling.new,
        },
    }
