"""What a run works on: clips, labels and corpus, checked against one backbone."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from adapter.data import ClipSet, Paths, hold_out, listed, open_clips
from adapter.labelling import Vocabulary
from adapter.leaks import warn_of_repeats, warn_of_trained
from adapter.text import DEFAULT_PROMPTS, label_text
from corpus.backbone import Backbone, load_again
from corpus.errors import BadInput
from corpus.index import Corpus
from corpus.labels import LabelSet
from corpus.manifest import fitting
from corpus.tally import Step
from corpus.words import counted
from extract.datasets.splits import part_of
from extract.store import CacheManifest

CORPORA = Path("artifacts/corpus")
Validation = Literal["given", "split", "held out", "none"]


@dataclass(frozen=True)
class Task:
    """All that a recogniser is trained with.

    Attributes:
        clips: to train on.
        val: to choose the best epoch by; None where there are too few clips to spare any.
        validation: where `val` comes from.
        backbone: that made the features; frozen.
        corpus: text corpus in the backbone's joint space.
        prompts: that labels were put into.
        labels: (C, 2, D) unit rows, the texts of each of `clips.classes`.
    """

    clips: ClipSet
    val: ClipSet | None
    validation: Validation
    backbone: Backbone
    corpus: Corpus
    prompts: tuple[str, ...]
    labels: Tensor = field(repr=False)

    @property
    def vocabulary(self) -> Vocabulary:
        """The task's labels, and the way to new ones."""
        return Vocabulary(self.clips.classes, self.labels, self.prompts, lambda: self.backbone)

    @property
    def entities(self) -> Tensor:
        """(K, D) unit rows, the corpus."""
        return torch.from_numpy(self.corpus.embeddings)

    @property
    def val_left_out(self) -> dict[str, int]:
        """Rows of the caches given to validate with that are not used, counted by reason."""
        if self.val is None or self.validation != "given":
            return {}
        return dict(self.val.left_out)

    def describe(self) -> list[str]:
        """Say in a few lines what will be trained on, and what will not."""
        seen = len(self.clips.seen_classes())
        classes = counted(seen, "class", "classes")
        covered = len(self.val.seen_classes()) if self.val is not None else 0
        chosen_by = {
            "given": "validation clips as given",
            "split": "clips of the validation split",
            "held out": f"clips held out of {covered} of {classes}, a tenth of each",
            "none": "no clip to validate with: the last epoch is the best",
        }[self.validation]
        count, lost = "", ""
        if self.val is not None:
            count = f"{len(self.val)} "
            failed = int((~self.val.seen).sum())
            lost = f", of which {failed} could not be read: counted as wrong" if failed else ""
        lines = [
            f"{counted(len(self.clips), 'clip')} of {classes}, "
            f"{self.clips.facts.views} views, features of {self.backbone.name}",
            count + chosen_by + lost,
            f"{len(self.corpus.entities)} entities (corpus {self.corpus.id[:8]})",
        ]
        if without := len(self.clips.classes) - seen:
            more = counted(without, "class", "classes")
            lines.append(f"{more} more to choose from, with no clip here")
        lines += [
            f"{counted(n, 'row')} left out: {reason}" for reason, n in self.clips.left_out.items()
        ]
        return lines + [
            f"{counted(n, 'row')} of --val left out: {why}" for why, n in self.val_left_out.items()
        ]


def open_task(
    features: Paths,
    val: Paths = (),
    corpus: Path | str | None = None,
    prompts: Sequence[str] = DEFAULT_PROMPTS,
    device: str = "cpu",
    corpora: Path | str = CORPORA,
    spare: bool = True,
    say: Callable[[str], None] = lambda _: None,
    step: Step = lambda stage, done, total: None,
) -> Task:
    """Open all that training needs.

    Args:
        features: cache to train on, or several. Rows of a validation or test split are not
            trained on.
        val: cache to choose the best epoch by; of one that has other splits too, its validation
            split. Without any: the features' own validation split, else a tenth of each class
            that has ten clips where these are twenty or more, else nothing
            (`adapter.data.hold_out`).
        corpus: folder of a corpus. Without it, one in `corpora` that covers the classes for this
            backbone, else one built for them and saved there.
        prompts: for labels.
        device: for the text tower.
        corpora: where corpora are kept.
        spare: validate, with clips held out where there is no validation split; else train on all
            but the rows of such a split.
        say: told of each step that takes a while.
        step: called as (stage, done, total) for progress.

    Raises:
        BadInput: features that cannot be used, a backbone that cannot be had or is not the one
            that made them, a corpus of another backbone.
    """
    features, val = listed(features), listed(val)
    tally = partial(step, "reading clips")
    everything = open_clips(features, scored=True, tally=tally)
    clips, held = _training_part(everything, features[0])
    if held is not None and (val or not spare):  # nothing is to be validated with it
        left_out = clips.left_out + Counter({"of a validation split": len(held)})
        clips, held = replace(clips, left_out=left_out), None
    validation: Validation = "split" if held is not None else "none"
    if val:
        held = open_clips(val, scored=True, parts=("validation",), tally=tally)
        same_features(held.facts, clips.facts, val[0])
        held = held.relabelled(clips.classes, f"{features[0]} (which {val[0]} is to validate)")
        validation = "given"
    elif held is None and spare:
        clips, held = hold_out(clips)
        validation = "held out" if held is not None else "none"
    if held is not None:
        warn_of_trained(held, clips.videos, held.sources[0])
        warn_of_repeats(held)
    say(f"opening {clips.facts.backbone}")
    backbone = backbone_of(clips.facts, features[0], device)
    return Task(
        clips=clips,
        val=held,
        validation=validation,
        backbone=backbone,
        corpus=_corpus(clips, backbone, corpus, Path(corpora), say, step),
        prompts=tuple(prompts),
        labels=label_text(clips.classes, backbone, prompts),
    )


def backbone_of(facts: CacheManifest, source: object, device: str = "cpu") -> Backbone:
    """Open the backbone that made a cache.

    Args:
        facts: the cache's manifest.
        source: the cache or run, for the error.
        device: for the weights.

    Raises:
        BadInput: it cannot be had, has other weights by now, or makes other features.
    """
    backbone = load_again(facts.model, facts.pretrained, source, device)
    if backbone.fingerprint != facts.fingerprint:
        raise BadInput(
            source,
            f"was made by other weights ({facts.fingerprint[:8]}) than {backbone.name} has here "
            f"({backbone.fingerprint[:8]})",
            "extract again, or bring the weights back",
        )
    if backbone.dim != facts.dim:
        cause = f"is damaged (features of {facts.dim} numbers; {backbone.name} has {backbone.dim})"
        raise BadInput(source, cause, "make it again")
    return backbone


def same_features(facts: CacheManifest, expected: CacheManifest, source: object) -> None:
    """Refuse features that a recogniser trained on others cannot read.

    Raises:
        BadInput: another backbone, other preprocessing, or another number of merged tokens, of
            kept regions or of a region's numbers.
    """
    if facts.fingerprint != expected.fingerprint:
        raise BadInput(
            source,
            f"its features are of {facts.backbone} ({facts.fingerprint[:8]}), not of "
            f"{expected.backbone} ({expected.fingerprint[:8]})",
            "extract again with the backbone that the run was trained with",
        )
    if facts.preprocess != expected.preprocess:
        cause = "its pixels were prepared otherwise than those that the run was trained with"
        raise BadInput(source, cause, "extract again with the backbone as it was then")
    if facts.merge != expected.merge:
        raise BadInput(
            source,
            f"merges {facts.merge} tokens in each block; the run was trained with {expected.merge}",
            f"extract again with --merge {expected.merge}",
        )
    if facts.dim != expected.dim:
        cause = f"has features of {facts.dim} numbers; the run was trained on {expected.dim}"
        raise BadInput(source, cause, "extract again")
    if facts.keep_regions != expected.keep_regions:
        raise BadInput(
            source,
            f"keeps {facts.keep_regions or 'all'} regions of a frame; "
            f"the run was trained with {expected.keep_regions or 'all'}",
            f"extract again with --keep-regions {expected.keep_regions}"
            if expected.keep_regions
            else "extract again without --keep-regions",
        )


def open_corpus(folder: Path | str, backbone: Backbone) -> Corpus:
    """Open a corpus to be used with a backbone's features.

    Raises:
        BadInput: no corpus, or one of another backbone.
    """
    corpus = Corpus.load(folder)
    made_by = corpus.manifest.fingerprint
    if made_by != backbone.fingerprint:
        raise BadInput(
            folder,
            f"was embedded by another backbone ({made_by[:8]}) than the features "
            f"({backbone.fingerprint[:8]}, {backbone.name})",
            "build the corpus with the features' --model and --pretrained",
        )
    return corpus


def _training_part(clips: ClipSet, source: object) -> tuple[ClipSet, ClipSet | None]:
    """Divide by the rows' own splits: what to train on, and the validation split, if any."""
    parts = [part_of(split) for split in clips.splits]
    val = [i for i, part in enumerate(parts) if part == "validation"]
    rest = [i for i, part in enumerate(parts) if part == "training"]
    seen = clips.seen.tolist()
    decoded = [i for i in rest if seen[i]]
    if rest and not decoded:
        cause = f"none of its {counted(len(rest), 'training clip')} could be decoded"
        mend = "see alt-features info, mend what it tells of, and extract with --retry-failed"
        raise BadInput(source, cause, mend)
    if not decoded:
        splits = ", ".join(sorted({clips.splits[i] for i in clips.seen.nonzero()[:, 0].tolist()}))
        raise BadInput(
            source,
            f"all its rows are of split {splits}: none to train on",
            "extract with --split train, or give the file to eval",
        )
    held = clips.subset(val) if clips.seen[val].any() else None
    left_out = clips.left_out.copy()
    left_out["failed"] += len(rest) - len(decoded) + (len(val) if held is None else 0)
    left_out["of a test split"] += parts.count("test")
    left_out["unused by their list"] += parts.count("unused")
    return replace(clips.subset(decoded), left_out=+left_out), held


def _corpus(
    clips: ClipSet,
    backbone: Backbone,
    folder: Path | str | None,
    corpora: Path,
    say: Callable[[str], None],
    step: Step,
) -> Corpus:
    if folder is None:
        folder = fitting(clips.classes, backbone.fingerprint, corpora)
        if folder is not None:
            say(f"taking the corpus in {folder}")
    if folder is not None:
        return open_corpus(folder, backbone)
    labels = counted(len(clips.classes), "label")
    say(f"building a text corpus for {labels}: none in {corpora} fits")
    corpus = Corpus.build([LabelSet(clips.facts.dataset, clips.classes)], backbone, step=step)
    dataset = re.sub(r"[^\w-]+", "-", clips.facts.dataset)  # a file's word, and no path
    target = corpora / f"{dataset}-{corpus.id[:8]}"
    corpus.save(target)
    say(f"corpus saved in {target}")
    return corpus
