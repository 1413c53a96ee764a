"""Zero-shot protocols: trained runs on labels of another data set, as papers report it.

EP1: half of the classes, ten fixed draws, all clips of them. EP2: all classes, all clips. EP3: the
official test lists, each a cache of its own, or its test split where it has others too. LISTS:
classifiers over given lists of labels, such as the three of Kinetics-600's new classes. Which clips
were scored is recorded as N and a hash.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from adapter.baselines import MeanPooled
from adapter.compare import Cell, Column, Score, Spread, cell, scored, spread
from adapter.data import SCORED, ClipSet, Paths, listed, open_clips
from adapter.evaluate import probabilities
from adapter.labelling import Vocabulary
from adapter.leaks import warn_of_choice, warn_of_repeats, warn_of_trained
from adapter.runs import Run
from adapter.task import same_features
from corpus.errors import BadInput
from corpus.labels import load_labels, readable
from corpus.tally import Tally, tallied
from extract.shards import differs

Protocol = Literal["ep1", "ep2", "ep3", "lists"]
DRAWS = 10


class Part(BaseModel):
    """Which clips and labels one evaluation of a protocol has.

    Attributes:
        name: of the draw, list or cache.
        labels: to choose from.
        label_hash: digest of them.
        new_labels: how many of them the first run was not trained on.
        clips, failed, list_hash: of the clips (`adapter.evaluate.Metrics`).
        aside: clips of the caches that are of other classes.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    labels: tuple[str, ...]
    label_hash: str
    new_labels: int
    clips: int
    failed: int
    list_hash: str
    aside: int


class Figure(BaseModel):
    """What a protocol gives a method, of its top-1.

    Attributes:
        method: a method that was trained, or "clip".
        mean: over parts and runs.
        std_parts: over parts, of the mean over runs: what papers give for one model. Population
            standard deviation, as numpy has it.
        std_seeds: over runs, of the mean over parts; 0 for one run.
        seeds: that the runs were trained with.
    """

    model_config = ConfigDict(frozen=True)
    method: str
    mean: float
    std_parts: float
    std_seeds: float
    seeds: tuple[int, ...]


class Result(BaseModel):
    """A protocol carried out.

    Attributes:
        protocol: which.
        figures: of each method; the last is the one that the others are compared with.
        parts: what each evaluation chose from, and on which clips.
        cells: each method on each part, with its intervals and significance.
        prompts: that the labels were put into.
        contents: content hashes of the caches.
        runs: the folders.
        left_out: rows of the caches that have no label or, for EP3, are of another split, in all.
    """

    model_config = ConfigDict(frozen=True)
    protocol: Protocol
    figures: list[Figure]
    parts: list[Part]
    cells: list[Cell]
    prompts: tuple[str, ...]
    contents: tuple[str, ...]
    runs: tuple[str, ...]
    left_out: int


def half(classes: int, draw: int) -> list[int]:
    """Return EP1's half of so many classes: numpy's legacy permutation, seeded with the draw."""
    return sorted(np.random.RandomState(draw).permutation(classes)[: classes // 2].tolist())


def zero_shot(
    runs: Sequence[Run],
    protocol: Protocol,
    features: Paths,
    lists: Paths = (),
    tally: Tally | None = None,
) -> Result:
    """Score runs by a protocol, beside mean-pooled CLIP.

    Args:
        runs: trained on any labels. Those of one method are its seeds; methods are compared in the
            order in which they come first, with the last.
        protocol: "ep1", "ep2", "ep3" or "lists".
        features: caches; for "ep3" each is a part, and of one with other splits too it is its test
            split, or else its validation split; otherwise they are one set, with all their splits.
        lists: for "lists", files of labels, each a part; clips of other classes are left aside.
        tally: called as each part begins to be scored.

    Raises:
        BadInput: no such protocol, features of another backbone, fewer classes than a protocol
            needs, lists missing or naming a class that has no clip; two caches of the same
            features; runs that cannot be compared, or are called seeds of one method and differ in
            more than their seed.
    """
    if protocol not in get_args(Protocol):
        known = ", ".join(get_args(Protocol))
        raise BadInput(protocol, "no such protocol that scores runs", f"use {known}")
    first, methods = runs[0], _by_method(runs)
    features, lists, alone = listed(features), listed(lists), protocol == "ep3"
    sets = [
        open_clips(some, scored=True, parts=SCORED if alone else ())
        for some in ([[path] for path in features] if alone else [features])
    ]
    for other, clips in combinations(sets, 2):  # within a set, open_clips tells
        if clips.contents == other.contents:
            cause = f"holds the same features as {other.sources[0]}"
            raise BadInput(clips.sources[0], cause, "give it once")
    for clips, path in zip(sets, features, strict=False):
        same_features(clips.facts, first.config.features, path)
        warn_of_trained(clips, {video for run in runs for video in run.videos}, path)
        warn_of_choice(clips, {video for run in runs for video in run.val_videos}, path)
        warn_of_repeats(clips)
    clip = MeanPooled(first.config.scale).to(first.labels.device)
    columns = list(_parts(first.vocabulary, protocol, sets, features, lists))
    cells, parts = [], []
    for column in tallied(columns, len(columns), tally):
        text, some = column.labelling.text, column.clips
        scores: dict[str, list[Score]] = {}
        # CLIP has no seeds: it is the same beside each run.
        theirs = scored(probabilities(clip, some, text), some)
        for method, group in methods.items():
            scores[method] = (
                [theirs] * len(group)
                if method == "clip"
                else [scored(probabilities(run.model, some, text), some) for run in group]
            )
        last = list(scores.values())[-1]
        cells += [cell(method, None, column, own, last) for method, own in scores.items()]
        metrics = theirs[0]
        parts.append(
            Part(
                name=column.name,
                labels=column.labelling.names,
                label_hash=column.labelling.hash,
                new_labels=column.labelling.new,
                clips=metrics.clips,
                failed=metrics.failed,
                list_hash=metrics.list_hash,
                aside=0 if alone else len(sets[0]) - len(some),
            )
        )
    return Result(
        protocol=protocol,
        figures=[_figure(method, group, cells) for method, group in methods.items()],
        parts=parts,
        cells=cells,
        prompts=first.config.prompts,
        contents=tuple(digest for clips in sets for digest in clips.contents),
        runs=tuple(str(run.folder) for run in runs),
        left_out=sum(sum(clips.left_out.values()) for clips in sets),
    )


def _by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Group runs by method, mean-pooled CLIP first; each method has the same seeds, in order."""
    groups: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.config.train.seed):
        groups.setdefault(run.config.model.method, []).append(run)
    seeds = {method: [run.config.train.seed for run in group] for method, group in groups.items()}
    order = list(dict.fromkeys(run.config.model.method for run in runs))
    for method in order:
        if len(set(seeds[method])) < len(seeds[method]):
            cause = f"two runs of {method} have one seed ({seeds[method]})"
            raise BadInput("--run", cause, "train each with a --seed of its own")
        if seeds[method] != seeds[order[-1]]:
            cause = f"seeds of {method} are {seeds[method]}, of {order[-1]} {seeds[order[-1]]}"
            raise BadInput("--run", cause, "give runs of each method with the same seeds")
    for name, (first, *others) in groups.items():
        for run in others:
            theirs, ours = _decided(first), _decided(run)
            if theirs != ours:
                apart = f"{first.folder} ({differs(theirs, ours, 'here')})"
                cause = f"differs in more than its seed from the other run of {name}, {apart}"
                raise BadInput(run.folder, cause, "train both alike but for --seed")
    for run in runs:
        same_features(run.config.features, runs[0].config.features, run.folder)
        if run.config.prompts != runs[0].config.prompts:
            raise BadInput(run.folder, "has other prompts than the first run", "train it again")
    return {"clip": groups[order[0]]} | {method: groups[method] for method in order}


def _decided(run: Run) -> dict[str, Any]:
    """What decided a run, its seed aside."""
    config = run.config
    own = config.model.model_dump(mode="json") | config.train.model_dump(mode="json")
    whole = {"corpus": config.corpus, "labels": config.labels, "features": config.contents}
    return own | whole | {"seed": ""}


def _figure(method: str, group: Sequence[Run], cells: Sequence[Cell]) -> Figure:
    own = [cell for cell in cells if cell.method == method]
    top1 = np.array([[metrics.top1 for metrics in cell.seeds] for cell in own])  # parts × seeds
    over_seeds: Spread = spread(top1.mean(axis=0).tolist())
    return Figure(
        method=method,
        mean=over_seeds.mean,
        std_parts=float(top1.mean(axis=1).std()),
        std_seeds=over_seeds.std,
        seeds=tuple(run.config.train.seed for run in group),
    )


def _parts(
    vocabulary: Vocabulary,
    protocol: Protocol,
    sets: Sequence[ClipSet],
    features: Sequence[Path],
    lists: Sequence[Path],
) -> Iterator[Column]:
    """Yield each part: its name, its clips and the labels to choose from."""
    clips = sets[0]
    match protocol:
        case "ep1":
            if len(clips.classes) < 2:
                raise BadInput(features[0], "has one class: no half of it", "use ep2")
            for draw in range(DRAWS):
                names = [clips.classes[i] for i in half(len(clips.classes), draw)]
                yield _restricted(vocabulary, clips, names, f"draw {draw}")
        case "ep2":
            yield _restricted(vocabulary, clips, clips.classes, "all classes")
        case "ep3":
            for some, path in zip(sets, features, strict=True):
                yield _restricted(vocabulary, some, some.classes, _called(path, features))
        case "lists":
            if not lists:
                raise BadInput("--list", "is missing", "give one file of labels for each part")
            for path, count in Counter(path.resolve() for path in lists).items():
                if count > 1:
                    raise BadInput(path, f"is given {count} times", "give it once: each is a part")
            for path in lists:
                names = [label for labels in load_labels(str(path)) for label in labels.labels]
                there = {readable(name) for name in clips.seen_classes()}
                absent = [name for name in names if readable(name) not in there]
                if absent:
                    raise BadInput(
                        path,
                        f"no clip for {len(absent)} of its labels (first: {absent[0]!r})",
                        "extract the clips of all its labels",
                    )
                yield _restricted(vocabulary, clips, names, _called(path, lists))


def _called(path: Path, among: Sequence[Path]) -> str:
    """Return what tells a file from the others: its name, if that does."""
    return path.stem if sum(path.stem == other.stem for other in among) == 1 else str(path)


def _restricted(vocabulary: Vocabulary, clips: ClipSet, names: Sequence[str], part: str) -> Column:
    """Keep the clips of some classes, and choose among those classes."""
    kept = clips.of_classes(names)
    if not len(kept):
        raise BadInput(part, "none of its classes has a clip", "extract the clips of its classes")
    labelling = vocabulary.embed(names, part)
    return Column(part, kept.relabelled(labelling.names, part), labelling)
