"""Zero-shot protocols: a trained run on labels of another data set, as papers report it.

EP1: half of the classes, ten fixed draws, all clips of them. EP2: all classes, all clips. EP3: the
official test lists, each a cache of its own. LISTS: classifiers over given lists of labels, such
as the three of Kinetics-600's new classes. Which clips were scored is recorded as N and a hash.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from adapter.baselines import MeanPooled
from adapter.data import ClipSet, open_clips
from adapter.evaluate import Metrics, measure, probabilities
from adapter.labelling import Labelling, Vocabulary
from adapter.runs import Run
from adapter.statistics import Interval, bootstrap
from adapter.task import same_features
from corpus.errors import BadInput
from corpus.labels import load_labels, readable

Protocol = Literal["ep1", "ep2", "ep3", "lists"]
DRAWS = 10


class Part(BaseModel):
    """One evaluation of a protocol: of the run, and of mean-pooled CLIP on the same clips.

    Attributes:
        name, label_hash, new_labels: which labels were chosen from.
        run, clip: scores.
        interval: 95 %, of the run's top-1, by bootstrap over clips.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    label_hash: str
    new_labels: int
    run: Metrics
    clip: Metrics
    interval: Interval


class Result(BaseModel):
    """A protocol's figure.

    Attributes:
        protocol: which.
        mean, std: of the run's top-1 over parts; population standard deviation, as papers give it.
        clip_mean, clip_std: of mean-pooled CLIP's.
        parts: the evaluations.
        prompts: that the labels were put into.
        features: content hashes of the caches.
        run: the run's folder.
        left_out: rows of the caches that have no features or no label, in all.
    """

    model_config = ConfigDict(frozen=True)
    protocol: Protocol
    mean: float
    std: float
    clip_mean: float
    clip_std: float
    parts: list[Part]
    left_out: int
    prompts: tuple[str, ...]
    features: tuple[str, ...]
    run: str


def half(classes: int, draw: int) -> list[int]:
    """Return EP1's half of so many classes: numpy's legacy permutation, seeded with the draw."""
    return sorted(np.random.RandomState(draw).permutation(classes)[: classes // 2].tolist())


def zero_shot(
    run: Run,
    protocol: Protocol,
    features: Sequence[Path],
    lists: Sequence[Path] = (),
    batch_size: int = 32,
) -> Result:
    """Score a run by a protocol.

    Args:
        run: trained on any labels.
        protocol: "ep1", "ep2", "ep3" or "lists".
        features: caches; for "ep3" each is a part, otherwise they are one set.
        lists: for "lists", files of labels, each a part; clips of other classes are left aside.
        batch_size: views to a forward pass.

    Raises:
        BadInput: features of another backbone, fewer classes than a protocol needs, lists missing
            or naming a class that has no clip.
    """
    sets = (
        [open_clips([path]) for path in features] if protocol == "ep3" else [open_clips(features)]
    )
    for clips, path in zip(sets, features, strict=False):
        same_features(clips.facts, run.config.features, path)
    clip = MeanPooled(run.config.scale).to(run.labels.device)
    parts = []
    for name, clips, labelling in _parts(run.vocabulary, protocol, sets, features, lists):
        chances = probabilities(run.model, clips, labelling.text, batch_size)
        right = (chances.argmax(dim=-1) == clips.labels).double().numpy()
        parts.append(
            Part(
                name=name,
                label_hash=labelling.hash,
                new_labels=labelling.new,
                run=measure(chances, clips),
                clip=measure(probabilities(clip, clips, labelling.text, batch_size), clips),
                interval=bootstrap(right),
            )
        )
    ours, theirs = ([getattr(p, who).top1 for p in parts] for who in ("run", "clip"))
    return Result(
        protocol=protocol,
        mean=float(np.mean(ours)),
        std=float(np.std(ours)),
        clip_mean=float(np.mean(theirs)),
        clip_std=float(np.std(theirs)),
        parts=parts,
        left_out=sum(sum(clips.left_out.values()) for clips in sets),
        prompts=run.config.prompts,
        features=tuple(clips.facts.content_hash for clips in sets),
        run=str(run.folder),
    )


def _parts(
    vocabulary: Vocabulary,
    protocol: Protocol,
    sets: Sequence[ClipSet],
    features: Sequence[Path],
    lists: Sequence[Path],
) -> Iterator[tuple[str, ClipSet, Labelling]]:
    """Yield each part's name, its clips and the labels to choose from."""
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
                yield _restricted(vocabulary, some, some.classes, path.name)
        case "lists":
            if not lists:
                raise BadInput("--list", "is missing", "give one file of labels for each part")
            for path in lists:
                names = [label for labels in load_labels(str(path)) for label in labels.labels]
                there = {readable(name) for name in clips.seen_classes()}
                absent = [name for name in names if readable(name) not in there]
                if absent:
                    raise BadInput(
                        path,
                        f"{len(absent)} of its labels have no clip (first: {absent[0]!r})",
                        "extract the clips of all its labels",
                    )
                yield _restricted(vocabulary, clips, names, path.name)


def _restricted(
    vocabulary: Vocabulary, clips: ClipSet, names: Sequence[str], part: str
) -> tuple[str, ClipSet, Labelling]:
    """Keep the clips of some classes, and choose among those classes."""
    wanted = {readable(name) for name in names}
    kept = [
        i
        for i, label in enumerate(clips.labels.tolist())
        if readable(clips.classes[label]) in wanted
    ]
    if not kept:
        raise BadInput(part, "none of its classes has a clip", "extract the clips of its classes")
    labelling = vocabulary.embed(names, part)
    return part, clips.subset(kept).relabelled(labelling.names, part), labelling
