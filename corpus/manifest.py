"""What made a saved corpus, whether its files are whole, and which corpus fits a task."""

import importlib.metadata
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from corpus import build as building
from corpus.atomic import sha256, try_place
from corpus.errors import BadInput
from corpus.labels import LabelSet
from corpus.options import Options
from corpus.overrides import Line, Overrides

ENTITIES, INDEX, LABELS, MANIFEST = "entities.jsonl", "index.faiss", "labels.jsonl", "corpus.json"
_FILES = {ENTITIES, INDEX, LABELS, MANIFEST}


class Manifest(BaseModel):
    """What made a corpus (`corpus.json`).

    Attributes:
        schema_version: of this file.
        id: digest of label sets, options, entity texts and backbone; the same on every machine.
        label_sets: each under a name of its own, in order.
        options: of the build.
        overrides: a person's corrections.
        backbone: "MODEL/PRETRAINED", for people and for opening it again.
        fingerprint: of the backbone; decides what the embeddings mean.
        random: whether the backbone's weights are random.
        dim: D.
        counts: labels, entities, of each kind, unknown to WordNet, truncated texts, merged.
        thin: labels with fewer than three entities of their own.
        versions: of the software and data.
        inputs: digest of all that the build depended on.
        files: name → SHA-256.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[2] = 2
    id: str
    label_sets: list[LabelSet]
    options: Options
    overrides: list[Line]
    backbone: str
    fingerprint: str
    random: bool
    dim: int
    counts: dict[str, int]
    thin: list[str]
    versions: dict[str, str]
    inputs: str
    files: dict[str, str] = {}

    @field_validator("counts")
    @classmethod
    def _told(cls, counts: dict[str, int]) -> dict[str, int]:
        if not {"labels", "entities"} <= counts.keys():
            raise ValueError("labels and entities are not counted")
        return counts

    @property
    def labels(self) -> set[str]:
        """The labels of all sets."""
        return {label for group in self.label_sets for label in group.labels}

    @property
    def is_current(self) -> bool:
        """Whether building it again, by the rules and software of now, would find the same."""
        model, _, pretrained = self.backbone.partition("/")
        return self.inputs == building.inputs_digest(
            self.label_sets,
            self.options,
            Overrides(tuple(self.overrides)),
            backbone_identity(model, pretrained),
        )


def read_manifest(folder: Path) -> Manifest:
    """Read `corpus.json`.

    Raises:
        BadInput: it is not there, or is no manifest of ours.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BadInput(folder, "is no corpus (no corpus.json)", "make one with `alt-corpus build`")
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError, BadInput) as error:
        raise damaged(folder, "has a corpus.json of another version, or a broken one") from error


def verify(folder: Path, manifest: Manifest) -> None:
    """Check the files of a corpus against the hashes in its manifest.

    Raises:
        BadInput: one is missing or differs.
    """
    for name in (ENTITIES, INDEX, LABELS):
        if not (folder / name).is_file():
            raise damaged(folder, f"lacks {name}")
        if sha256(folder / name) != manifest.files.get(name):
            raise damaged(folder, f"{name} was changed after it was built")


def fitting(labels: Sequence[str], backbone_fingerprint: str, root: Path) -> Path | None:
    """Find a saved corpus that covers `labels` and was embedded by a backbone.

    One that leaves out or replaces a part (`corpus.options`) is for whoever names it, and one of
    older rules is to be built again. A person's corrections are welcome.

    Args:
        labels: class names.
        backbone_fingerprint: `Backbone.fingerprint`.
        root: folder of corpora, such as artifacts/corpus.

    Returns:
        Its folder, the one with the fewest other labels; None when there is none.
    """
    wanted = set(labels)
    fits = []
    for path in sorted(root.glob(f"[!.]*/{MANIFEST}")):  # a dot: a draft of one being written
        try:
            manifest = read_manifest(path.parent)
        except (BadInput, FileNotFoundError) as error:  # it may be replaced just now
            warnings.warn(f"skipped: {error}", stacklevel=2)
            continue
        if (
            manifest.fingerprint == backbone_fingerprint
            and wanted <= manifest.labels
            and manifest.options == Options()
            and manifest.is_current
        ):
            fits.append((len(manifest.labels), path.parent))
    return min(fits)[1] if fits else None


def backbone_identity(model: str, pretrained: str | None) -> list[str]:
    """Identify a backbone by its names and files, without importing what would open it.

    Args:
        model: as for `corpus.backbone.load`.
        pretrained: as for `corpus.backbone.load`.
    """
    model = model.replace("/", "-")
    tag = os.path.expanduser(pretrained or default_tag(model))
    found = [model, tag, importlib.metadata.version("open_clip_torch")]
    if Path(tag).is_file():
        found[1] = sha256(Path(tag))
    elif tag in ("bundled", "none"):
        found.append(importlib.metadata.version("torch"))
    for path in sorted((Path(__file__).parent / "backbones").iterdir()):
        if path.name.startswith(f"{model}."):
            found.append(sha256(path))
    return found


def default_tag(model: str) -> str:
    """Name the weights that a model has when none are named."""
    return "bundled" if model == "alt-mini" else "openai"


def check_target(folder: Path) -> None:
    """Refuse to replace what is no corpus, and to build what could not be saved.

    Raises:
        BadInput: `folder` is no folder, the current one, or holds something else, even beside a
            corpus: all that it holds would go.
        OSError: nothing can be written there.
    """
    if os.path.exists(folder) and not folder.is_dir():
        raise BadInput(folder, "is no folder", "choose another --out")
    if os.path.realpath(folder) == os.path.realpath("."):
        cause = "is the current folder, which a corpus would take the place of"
        raise BadInput(folder, cause, "name a folder in it")
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if held and not ({MANIFEST} < held <= _FILES and _is_ours(folder / MANIFEST)):
        strange = ", ".join(sorted(held - _FILES)[:3]) or f"no {MANIFEST} with what it describes"
        cause = f"holds something that is no corpus ({strange})"
        raise BadInput(folder, cause, "move it, or choose another --out")
    try_place(folder)


def _is_ours(path: Path) -> bool:
    """Tell whether a `corpus.json` is a corpus's, of any version, and no other program's."""
    try:
        return {"fingerprint", "label_sets"} <= dict(json.loads(path.read_bytes())).keys()
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def up_to_date(folder: Path, inputs: str) -> Manifest | None:
    """Return the manifest of a corpus that these inputs would build again; None when it differs."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        manifest = read_manifest(folder)
        verify(folder, manifest)
    except BadInput:
        return None
    return manifest if manifest.inputs == inputs else None


def dropped(folder: Path, sets: Sequence[LabelSet]) -> set[str]:
    """Labels of the corpus in a folder, if one can be read, that are in none of these sets."""
    try:
        held = read_manifest(folder).labels
    except BadInput:
        return set()
    return held - {label for group in sets for label in group.labels}


def damaged(folder: Path, what: str) -> BadInput:
    """Make the error for a corpus that is not as it was saved."""
    return BadInput(folder, what, "build it again with `alt-corpus build`")
