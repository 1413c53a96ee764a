"""Looking into a corpus: facts, doubts, differences, tables and pictures."""

import csv
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from corpus.atomic import atomic_file, check_kind
from corpus.build import Entity
from corpus.expand import beyond_defaults
from corpus.index import Corpus
from corpus.overrides import written

KINDS = {
    "object": "#4269d0",
    "body_part": "#ff725c",
    "scene": "#3ca951",
    "role": "#efb118",
    "motion": "#a463f2",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how cells begin that spreadsheets compute


class Difference(BaseModel):
    """What changed from one corpus to another.

    Attributes:
        added, removed: entities, as "unit (synset)".
        changed: unit → the senses before and after.
        backbone: the names before and after, empty when the fingerprint is the same.
        served: entity of both → of the labels of both, those that have it no more, and those that
            have it by now.
        options: name → its value before and after, as JSON.
        corrections_added, corrections_removed: a person's, as lines of an override file.
        labels_added, labels_removed: labels.
    """

    added: list[str]
    removed: list[str]
    changed: dict[str, list[str]]
    backbone: list[str]
    served: dict[str, list[list[str]]]
    options: dict[str, list[str]]
    corrections_added: list[str]
    corrections_removed: list[str]
    labels_added: list[str]
    labels_removed: list[str]


def stats(corpus: Corpus) -> dict[str, Any]:
    """Return a corpus's facts: counts, sources, entities per label, labels with too few."""
    per_label = entities_per_label(corpus)
    sources: Counter[str] = Counter()
    for entity in corpus.entities:
        sources.update({category(source) for source in entity.sources})
    sizes = sorted(per_label.values())
    return {
        "id": corpus.id,
        "backbone": corpus.manifest.backbone,
        "fingerprint": corpus.manifest.fingerprint,
        "random": corpus.manifest.random,
        "label_sets": {group.name: len(group.labels) for group in corpus.manifest.label_sets},
        "counts": corpus.manifest.counts,
        "sources": dict(sorted(sources.items())),
        "entities_per_label": {
            "least": sizes[0],
            "median": statistics.median(sizes),
            "most": sizes[-1],
        },
        "labels_with_fewer_than_3": corpus.manifest.thin,
    }


def category(source: str) -> str:
    """Return what kind of source it is: "part" of "part of guitar"; "override" of a correction."""
    if source.endswith("override"):
        return "override"
    if source.endswith(", for short"):
        return "short name"
    if source.endswith(" is gathered of it"):
        return "plant"
    if source.startswith("topic "):
        return "topic"
    return source.split(":")[0].split(",")[0].split(" of ")[0]


def entities_per_label(corpus: Corpus) -> dict[str, int]:
    """Count the entities that each label has of its own (those of every label apart)."""
    return {label: beyond_defaults(own) for label, own in corpus.found.items()}


def doubts(corpus: Corpus, most: int = 50) -> list[Entity]:
    """Return the entities whose sense was decided by least, for a person to review."""
    decided = [entity for entity in corpus.entities if entity.runner_up is not None]
    return sorted(decided, key=lambda e: (e.margin, e.unit))[:most]


def override_lines(corpus: Corpus, entities: Sequence[Entity]) -> Iterator[list[str]]:
    """Write the lines of an override file that would choose each entity's runner-up instead.

    One for each label that it was found for, under its name there: in another label the same word
    may mean something else, and mean it rightly. Where it never does, one line for all.
    """
    times: Counter[str] = Counter()
    meant: dict[str | None, list[tuple[str, str]]] = defaultdict(list)
    for label, own in corpus.found.items():
        for found in own:
            times[found.unit] += 1
            if not found.always:
                meant[found.synset].append((label, found.unit))
    for entity in entities:
        here = meant[entity.synset]
        units = {unit for _, unit in here}
        if len(here) > 1 and [times[unit] for unit in units] == [len(here)]:
            here = [("*", unit) for unit in units]
        yield [written((label, unit, entity.runner_up or "")) for label, unit in here]


def difference(before: Corpus, after: Corpus) -> Difference:
    """Compare two corpora by their entities, backbone, options, corrections and labels."""
    old = {_key(entity): entity for entity in before.entities}
    new = {_key(entity): entity for entity in after.entities}
    senses = [_senses(corpus) for corpus in (before, after)]
    changed = {
        unit: [" ".join(sorted(senses[0][unit])), " ".join(sorted(senses[1][unit]))]
        for unit in sorted(senses[0].keys() & senses[1].keys())
        if senses[0][unit] != senses[1][unit]
    }
    labels = [corpus.manifest.labels for corpus in (before, after)]
    shared = labels[0] & labels[1]
    # Of no label by name is what every label has.
    own = [{key: set(e.labels or shared) & shared for key, e in one.items()} for one in (old, new)]
    served = {
        key: [sorted(one[key] - other[key]) for one, other in (own, own[::-1])]
        for key in sorted(old.keys() & new.keys())
        if own[0][key] != own[1][key]
    }
    corrections = [{written(line) for line in one.manifest.overrides} for one in (before, after)]
    same = before.manifest.fingerprint == after.manifest.fingerprint
    asked = [corpus.manifest.options.model_dump(mode="json") for corpus in (before, after)]
    return Difference(
        added=sorted(new.keys() - old.keys()),
        removed=sorted(old.keys() - new.keys()),
        changed=changed,
        backbone=[] if same else [before.manifest.backbone, after.manifest.backbone],
        options={
            name: [json.dumps(one[name], ensure_ascii=False) for one in asked]
            for name in asked[0]
            if asked[0][name] != asked[1][name]
        },
        served=served,
        corrections_added=sorted(corrections[1] - corrections[0]),
        corrections_removed=sorted(corrections[0] - corrections[1]),
        labels_added=sorted(labels[1] - labels[0]),
        labels_removed=sorted(labels[0] - labels[1]),
    )


def export_csv(corpus: Corpus, path: Path | str) -> None:
    """Write the entities as a CSV table for a spreadsheet, lists joined by "; ".

    A text that a spreadsheet would take for a formula, and compute, begins with an apostrophe.

    Raises:
        BadInput: `path` is a folder, or not *.csv.
    """
    path = Path(path)
    check_kind(path, ".csv")
    with (
        atomic_file(path) as draft,
        draft.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(Entity.model_fields)
        for entity in corpus.entities:
            writer.writerow(map(_cell, entity.model_dump().values()))


def _cell(value: Any) -> Any:
    text = "; ".join(value) if isinstance(value, tuple) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def plot(corpus: Corpus, path: Path | str) -> None:
    """Draw the embedding in two dimensions, kinds coloured, and entities per label.

    Args:
        corpus: any.
        path: of a PNG, SVG or PDF file.
    """
    from matplotlib.figure import Figure

    path = Path(path)
    figure = Figure(figsize=(12, 5.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    points = plane(corpus.embeddings)  # (K, 2)
    kinds = np.array([entity.kind for entity in corpus.entities])
    for kind, colour in KINDS.items():
        own = points[kinds == kind]
        if len(own):
            left.scatter(own[:, 0], own[:, 1], s=9, c=colour, label=f"{kind} ({len(own)})")
    left.set(title=f"{len(points)} entities, two principal axes", xticks=[], yticks=[])
    left.legend(frameon=False, markerscale=2)
    sizes = list(entities_per_label(corpus).values())
    right.hist(sizes, bins=range(max(sizes) + 2), color="#4269d0", align="left")
    right.set(title="entities of a label's own", xlabel="entities", ylabel="labels")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_file(path) as draft:
        figure.savefig(draft, dpi=144, metadata={} if path.suffix.lower() == ".png" else None)


def plane(embeddings: np.ndarray) -> np.ndarray:
    """Project embeddings (K, D) on their two principal axes, signs fixed; returns (K, 2)."""
    centred = embeddings - embeddings.mean(0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    return np.asarray(centred @ axes)


def _key(entity: Entity) -> str:
    return f"{entity.unit} ({entity.synset or 'not in WordNet'})"


def _senses(corpus: Corpus) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for entity in corpus.entities:
        found.setdefault(entity.unit, set()).add(entity.synset or "-")
    return found
