"""Protocols that train: supervised, few-shot and base-to-novel, for ALT and its baselines alike.

Supervised: all clips of the training caches, tested on all views of the test caches. Few-shot: K
clips of each class, drawn anew with each seed. Base-to-novel: the classes are halved by how many
training clips they have; K clips of each of the more frequent half are trained on, and both halves
are tested, each among its own labels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from adapter.compare import Cell, Column, Engine, Spread, compare, method_rows, spread
from adapter.labelling import Labelling
from adapter.model import Method, ModelConfig
from adapter.record import comparison_record
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
    engine: Engine | None = None,
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
        engine: that does the work; by default `one_by_one`.

    Returns:
        The cells, and what metrics.json holds: the cells, what decided them, which labels each
        test chose from and, for base-to-novel, harmonic means of base and novel.

    Raises:
        BadInput: no such protocol; a class with too few clips; for base-to-novel, fewer than two
            classes.
    """
    if protocol not in SHOTS:
        raise BadInput(protocol, "no such protocol that trains", f"use {', '.join(SHOTS)}")
    if protocol == "base-to-novel":
        task, halves = base_and_novel(task, tests)
        tests = [column for pair in halves for column in pair]
    chosen = list(shots) or list(SHOTS[protocol])
    rows = method_rows(task, methods, model, train)
    cells = compare(rows, tests, range(seeds), chosen, device, report, engine)
    record = comparison_record(cells, rows, tests, range(seeds), chosen) | {"protocol": protocol}
    if protocol == "base-to-novel":
        record["harmonic"] = [
            {"method": base.method, "shots": base.shots, "test": name}
            | harmonic(base, novel)._asdict()
            for name, base, novel in _pairs(cells)
        ]
    return cells, record


def base_and_novel(task: Task, tests: Sequence[Column]) -> tuple[Task, list[tuple[Column, Column]]]:
    """Divide the classes that have a clip by frequency: the more frequent half is base.

    It is rounded up. Classes without a training clip are novel, however many they are.

    Args:
        task: whose training clips are counted; of equal counts the class that comes first wins.
        tests: what to divide.

    Returns:
        The task with base clips and labels alone, and each test's base and novel clips, each to be
        chosen from its own half of the labels.

    Raises:
        BadInput: fewer than two classes, or a test that has no clip of a half.
    """
    counts = [count for count in torch.bincount(task.clips.labels).tolist() if count]
    names: dict[str, str] = {}  # those trained on first, which are as many as counts
    for clips in (task.clips, *(test.clips for test in tests)):
        for name in clips.seen_classes():
            names.setdefault(readable(name), name)
    if len(names) < 2:
        raise BadInput("base-to-novel", "has one class to halve", "use features of more classes")
    ranked = sorted(range(len(counts)), key=lambda i: -counts[i])
    ranked += range(len(counts), len(names))
    cut = min(-(-len(names) // 2), len(counts))
    every = task.vocabulary.embed(list(names.values()), "base-to-novel")
    base, novel = (
        Labelling(tuple(every.names[i] for i in half), every.text[half], "", new)
        for half, new in ((sorted(ranked[:cut]), 0), (sorted(ranked[cut:]), len(names) - cut))
    )
    halves = [(_half(test, base, "base"), _half(test, novel, "novel")) for test in tests]
    clips = task.clips.of_classes(base.names).relabelled(base.names)
    return replace(task, clips=clips, labels=base.text), halves


def harmonic(base: Cell, novel: Cell) -> Spread:
    """Harmonic mean of base and novel top-1, for each seed, then over seeds."""
    pairs = [(b.top1, n.top1) for b, n in zip(base.seeds, novel.seeds, strict=True)]
    return spread([2 * b * n / (b + n) if b + n else 0.0 for b, n in pairs])


def _half(test: Column, labelling: Labelling, half: str) -> Column:
    name = f"{test.name}: {half}"
    clips = test.clips.of_classes(labelling.names).relabelled(labelling.names)
    if not len(clips):
        raise BadInput(test.name, f"has no clip of {name}", "extract the clips of all classes")
    return Column(name, clips, replace(labelling, source=name))


def _pairs(cells: Sequence[Cell]) -> Iterator[tuple[str, Cell, Cell]]:
    """Yield of each method, shots and test its name, and its base and its novel cell."""
    there = {(cell.method, cell.shots, cell.test): cell for cell in cells}
    for cell in cells:
        if cell.test.endswith(": base"):
            name = cell.test.removesuffix(": base")
            yield name, cell, there[cell.method, cell.shots, f"{name}: novel"]
