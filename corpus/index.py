"""The text corpus: entities and their embeddings, built, saved, loaded and searched.

from corpus import Corpus
corpus = Corpus.build("k400", "alt-mini")
corpus.search("a person with a guitar", top=5)
"""

import hashlib
import json
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from corpus import build as building
from corpus import control
from corpus.atomic import atomic_folder, sha256, write_json
from corpus.build import Entity
from corpus.embed import embed, flat_index
from corpus.errors import BadInput
from corpus.expand import beyond_defaults
from corpus.labels import LabelSet, free_name, label_set, load_labels
from corpus.manifest import (
    ENTITIES,
    INDEX,
    LABELS,
    MANIFEST,
    Manifest,
    backbone_identity,
    check_target,
    damaged,
    read_manifest,
    verify,
)
from corpus.options import Options, checked
from corpus.overrides import Overrides
from corpus.relations import Found
from corpus.tally import Step
from corpus.textspace import TextSpace

if TYPE_CHECKING:
    from corpus.backbone import Backbone

# How FAISS's file of an exact inner-product index begins, and the bytes before its vectors.
_FLAT, _HEAD = b"IxFI", 45
# A label and what was found for it, as the fields of `Found`.
_ROW = TypeAdapter(
    tuple[str, list[tuple[str, str | None, str, str, str, float, str | None, float]]]
)
_values = operator.attrgetter(*Found.__dataclass_fields__)
_MOST_ON_GPU = 2048  # entities that FAISS's index on a GPU gives for a query


class Corpus:
    """A text corpus (paper §3.2).

    Attributes:
        entities: K of them.
        embeddings: (K, D) float32, unit rows; row i is entity i's.
        manifest: what made it.
    """

    def __init__(
        self,
        entities: list[Entity],
        index: Any,
        manifest: Manifest,
        found: Callable[[], dict[str, list[Found]]],
    ) -> None:
        self.entities = entities
        self.manifest = manifest
        self._index = index
        self._read_found = found

    @cached_property
    def found(self) -> dict[str, list[Found]]:
        """What was found for each label, before entities of several labels were united."""
        return self._read_found()

    @property
    def id(self) -> str:
        """The content hash."""
        return self.manifest.id

    @cached_property
    def embeddings(self) -> np.ndarray:
        """The embeddings, (K, D) float32, unit rows."""
        count, dim = self._index.ntotal, self._index.d
        return np.asarray(self._index.reconstruct_n(0, count), np.float32).reshape(count, dim)

    @classmethod
    def build(
        cls,
        label_sets: str | Sequence[LabelSet] | Sequence[str],
        backbone: "Backbone | str",
        *,
        overrides: Overrides | None = None,
        step: Step = lambda stage, done, total: None,
        reuse: "Corpus | None" = None,
        **options: Any,
    ) -> "Corpus":
        """Build a corpus.

        Args:
            label_sets: "k400,mine.txt" as for `load_labels`, what it returns, or plain labels.
            backbone: embeds the texts; or its name, as "alt-mini" or "ViT-B-16/openai".
            overrides: a person's corrections, applied last.
            step: called as (stage, done, total) for progress.
            reuse: a corpus of the same backbone whose embeddings of equal texts are taken over.
            **options: fields of `corpus.options.Options` (parts=False, cap=16, …).

        Raises:
            BadInput: no label, labels given twice, two sets of one name, an option that does not
                exist, or `reuse` of another backbone.
        """
        sets = load_labels(label_sets) if isinstance(label_sets, str) else _as_sets(label_sets)
        settings = checked(options)
        backbone = _open(backbone) if isinstance(backbone, str) else backbone
        if reuse:
            reuse._check(backbone)
        term = TextSpace.of(backbone)
        known = reuse.found if reuse and reuse._begins(sets, settings, overrides) else None
        found = building.analyse(sets, settings, overrides, term, step, known)
        entities = building.unite(found, settings)
        if not entities:
            kinds = ("instruments", "scenes", "roles", "body")
            off = [kind for kind in kinds if not getattr(settings, kind)]
            expand = f", or expand them: without {', '.join(off)}, none is left" if off else ""
            raise BadInput("labels", "give no entity", f"check that they are action names{expand}")
        if settings.random_entities is not None:
            entities = control.randomised(entities, settings.random_entities, settings.templates[0])
        rows = reuse._rows() if reuse else {}
        embeddings, truncated = embed(entities, settings, backbone, rows, step)
        before = len(entities)
        entities, embeddings = building.merge(entities, embeddings, settings.merge_above)
        manifest = Manifest(
            id=building.digest(
                [
                    building.SCHEMA,
                    [[group.name, list(group.labels)] for group in sets],
                    settings.model_dump(mode="json"),
                    [[entity.kind, *building.prompts(entity, settings)] for entity in entities],
                    backbone.fingerprint,
                ]
            ),
            label_sets=list(sets),
            options=settings,
            overrides=list(overrides.lines) if overrides else [],
            backbone=backbone.name,
            fingerprint=backbone.fingerprint,
            random=backbone.random,
            dim=int(embeddings.shape[1]),
            counts=building.counts(len(found), entities)
            | {"truncated": truncated, "merged": before - len(entities)},
            thin=[label for label, own in found.items() if beyond_defaults(own) < 3],
            versions=building.versions(),
            inputs=building.inputs_digest(
                sets, settings, overrides, backbone_identity(*_model_of(backbone.name))
            ),
        )
        return cls(entities, flat_index(embeddings), manifest, lambda: found)

    def _rows(self) -> dict[tuple[str, ...], np.ndarray]:
        """Return the embeddings by all that was averaged: other templates share none."""
        texts = [tuple(building.prompts(entity, self.manifest.options)) for entity in self.entities]
        return dict(zip(texts, self.embeddings, strict=True))

    def _begins(
        self, sets: Sequence[LabelSet], options: Options, overrides: Overrides | None
    ) -> bool:
        """Tell whether building from `sets` would find the same for all labels known here."""
        own = self.manifest.label_sets
        return (
            [group.labels for group in sets[: len(own)]] == [group.labels for group in own]
            and self.manifest.options == options
            and self.manifest.overrides == (list(overrides.lines) if overrides else [])
            and self.is_current
        )

    @property
    def is_current(self) -> bool:
        """Whether building it again, by the rules and software of now, would find the same."""
        return self.manifest.is_current

    def add_labels(self, labels: Sequence[str], backbone: "Backbone") -> "Corpus":
        """Return the corpus of these labels as well; only what is new is read and embedded.

        The new labels are a set of their own, and tell each other's senses; those of the other
        sets stay. The result is what building from all the sets at once gives.

        Args:
            labels: new ones; those that the corpus has already change nothing.
            backbone: the one that the corpus was built with.

        Raises:
            BadInput: another backbone, a label that is empty, or one text in place of several.
        """
        self._check(backbone)
        if isinstance(labels, str):
            raise BadInput("labels", "are one text", "give a list of labels")
        known, sets = self.manifest.labels, self.manifest.label_sets
        stripped = dict.fromkeys(label.strip() for label in labels)
        new = [label for label in stripped if label not in known]
        if not new:
            return self
        name = free_name("added", [group.name for group in sets])
        return Corpus.build(
            [*sets, label_set(name, new)],
            backbone,
            overrides=Overrides(tuple(self.manifest.overrides)),
            reuse=self,
            **self.manifest.options.model_dump(),
        )

    def search(
        self, query: "str | np.ndarray", top: int = 10, backbone: "Backbone | None" = None
    ) -> list[tuple[Entity, float]]:
        """Find the entities nearest to a text or an embedding, by cosine, exactly.

        Args:
            query: a text, or a vector (D,) of any length but zero.
            top: how many.
            backbone: for a text: the one that the corpus was built with; opened when not given.

        Raises:
            BadInput: another backbone, a vector that does not fit, or `top` below 1.
        """
        if isinstance(query, str):
            backbone = backbone or self.open_backbone()
            self._check(backbone)
            vector = backbone.encode_text([query]).numpy()[0]
        else:
            vector = np.asarray(query, np.float32)
        rows, scores = self.nearest(vector[None], top)
        return [(self.entities[row], float(s)) for row, s in zip(rows[0], scores[0], strict=True)]

    def nearest(self, queries: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest entities of many vectors.

        Args:
            queries: (n, D) float, rows of any length but zero.
            top: how many for each, at most K.

        Returns:
            rows (n, top) int64 and cosines (n, top) float32, best first.

        Raises:
            BadInput: vectors of another size, one that is zero or not finite, or `top` below 1.
        """
        queries, top = np.ascontiguousarray(queries, np.float32), operator.index(top)
        if queries.ndim != 2 or queries.shape[1] != self._index.d:
            raise BadInput(
                "query", f"has shape {queries.shape}", f"give vectors of size {self._index.d}"
            )
        norms = np.linalg.norm(queries.astype(np.float64), axis=1, keepdims=True)
        if not np.isfinite(norms).all() or (norms == 0).any():
            raise BadInput("query", "is not a finite vector of positive length", "check its source")
        if top < 1:
            raise BadInput("top", f"is {top}", "ask for one or more")
        top = min(top, self._index.ntotal)
        index = self._search_index if top <= _MOST_ON_GPU else self._index
        scores, rows = index.search((queries / norms).astype(np.float32), top)
        return rows, scores

    @cached_property
    def _search_index(self) -> Any:
        """The index where it is searched: on a GPU when FAISS has one."""
        import faiss

        if getattr(faiss, "get_num_gpus", lambda: 0)() > 0:
            return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, self._index)
        return self._index

    def open_backbone(self) -> "Backbone":
        """Open the backbone that the corpus was built with.

        Raises:
            BadInput: it cannot be had.
        """
        from corpus.backbone import load_again

        model, pretrained = _model_of(self.manifest.backbone)
        return load_again(model, pretrained or None, "the corpus")

    def save(self, folder: Path | str) -> None:
        """Write the corpus; an older corpus at `folder` is replaced in one step.

        Raises:
            BadInput: `folder` holds something that is no corpus.
        """
        import faiss

        folder = Path(folder)
        check_target(folder)
        with atomic_folder(folder) as draft:
            (draft / ENTITIES).write_text(
                "".join(entity.model_dump_json() + "\n" for entity in self.entities),
                encoding="utf-8",
            )
            # FAISS's own writer says nothing of a full disk that could be told in one line.
            (draft / INDEX).write_bytes(faiss.serialize_index(self._index).tobytes())
            (draft / LABELS).write_text(
                "".join(
                    json.dumps([label, [*map(_values, own)]], ensure_ascii=False) + "\n"
                    for label, own in self.found.items()
                ),
                encoding="utf-8",
            )
            self.manifest.files = {name: sha256(draft / name) for name in (ENTITIES, INDEX, LABELS)}
            write_json(draft / MANIFEST, self.manifest.model_dump(mode="json"))

    @classmethod
    def load(cls, folder: Path | str) -> "Corpus":
        """Open a saved corpus; the index stays on disk until it is searched.

        Raises:
            BadInput: no corpus there, or its files are not what its manifest says.
        """
        import faiss

        folder = Path(folder)
        manifest = read_manifest(folder)
        verify(folder, manifest)
        try:
            lines = (folder / ENTITIES).read_text(encoding="utf-8").split("\n")[:-1]
            entities = [Entity.model_validate_json(line) for line in lines]
            with (folder / INDEX).open("rb") as file:
                head = file.read(_HEAD)
            # Others, and those cut there, abort the process when they are read.
            if not head.startswith(_FLAT) or len(head) < _HEAD:
                raise damaged(folder, f"has an {INDEX} of another kind")
            index = faiss.read_index(str(folder / INDEX), faiss.IO_FLAG_MMAP_IFC)
        except (ValidationError, UnicodeDecodeError, RuntimeError) as error:
            raise damaged(folder, "cannot be read") from error
        fits = (index.ntotal, index.d) == (len(entities), manifest.dim)
        if not fits or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise damaged(folder, "has an index that does not fit its entities")
        return cls(entities, index, manifest, lambda: _read_found(folder, manifest))

    def _check(self, backbone: "Backbone") -> None:
        if backbone.fingerprint != self.manifest.fingerprint:
            raise BadInput(
                "corpus",
                f"was embedded by {self.manifest.backbone} ({self.manifest.fingerprint[:8]}), "
                f"not by {backbone.name} ({backbone.fingerprint[:8]})",
                "build it again with this backbone, or use the one it was built with",
            )


def _read_found(folder: Path, manifest: Manifest) -> dict[str, list[Found]]:
    """Read what was found for each label, of the corpus that was opened and of no later one."""
    try:
        text = (folder / LABELS).read_bytes()
    except OSError as error:
        raise damaged(folder, f"{LABELS} cannot be read") from error
    if hashlib.sha256(text).hexdigest() != manifest.files[LABELS]:
        raise BadInput(folder, "was replaced since it was opened", "open it again")
    try:
        rows = [_ROW.validate_json(line) for line in text.split(b"\n")[:-1]]
        found = {label: [Found(*one) for one in own] for label, own in rows}
    except ValueError as error:
        raise damaged(folder, f"{LABELS} cannot be read") from error
    if found.keys() != manifest.labels:
        raise damaged(folder, f"{LABELS} is not of its labels")
    return found


def _as_sets(given: Sequence[LabelSet] | Sequence[str]) -> list[LabelSet]:
    groups = [group for group in given if isinstance(group, LabelSet)]
    plain = [label for label in given if isinstance(label, str)]
    if plain or not groups:
        groups.append(label_set("labels", plain))
    for name, times in Counter(group.name for group in groups).items():
        if times > 1:
            raise BadInput(name, f"is the name of {times} label sets", "name them apart")
    return groups


def _open(name: str) -> "Backbone":
    from corpus.backbone import load

    model, pretrained = _model_of(name)
    return load(model, pretrained or None)


def _model_of(name: str) -> tuple[str, str]:
    model, _, pretrained = name.partition("/")
    return model, pretrained
