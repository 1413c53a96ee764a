"""Which labels a recogniser is asked to choose from: its own, those of the data, or new ones."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from adapter.data import ClipSet
from adapter.text import label_text
from corpus.backbone import Backbone
from corpus.errors import BadInput
from corpus.labels import label_set, load_labels, readable

# To choose from: a label set's name, a file of labels, or the labels themselves.
Labels = Path | str | Sequence[str]


@dataclass(frozen=True)
class Labelling:
    """Labels to choose from.

    Attributes:
        names: C of them.
        text: (C, 2, D) unit rows (`adapter.text`).
        source: "run", "features", "labels", or the file they were read from.
        new: how many of them are none of the classes of what was trained on.
    """

    names: tuple[str, ...]
    text: Tensor
    source: str
    new: int

    @property
    def hash(self) -> str:
        """Digest of the names in order: 16 hex digits of SHA-256."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Vocabulary:
    """The labels a recogniser was trained on, and the way to embed others like them.

    Attributes:
        names: of the labels trained with; some may have had no clip.
        text: (C, 2, D) unit rows (`adapter.text`).
        prompts: that they were put into, and others will be.
        backbone: opens the text tower; called only when a label is new.
    """

    names: tuple[str, ...]
    text: Tensor
    prompts: tuple[str, ...]
    backbone: Callable[[], Backbone]

    def choose(self, labels: Labels | None = None, clips: ClipSet | None = None) -> Labelling:
        """Decide on the labels.

        Args:
            labels: a label set's name or file, or labels; they decide when given.
            clips: to be scored. Without `labels`, the labels trained on when they cover the clips'
                classes, else all classes of the clips' caches: the vocabulary is open.

        Raises:
            BadInput: the labels cannot be used, or the backbone is needed and cannot be had.
        """
        if isinstance(labels, Path | str):
            sets = load_labels(str(labels))
            return self.embed([label for group in sets for label in group.labels], str(labels))
        if labels is not None:
            return self.embed(label_set("labels", list(labels)).labels, "labels")
        if clips is not None:
            known = {readable(label) for label in self.names}
            if not {readable(label) for label in clips.seen_classes()} <= known:
                return self.embed(clips.classes, "features")
        return Labelling(self.names, self.text, "run", 0)

    def embed(self, names: Sequence[str], source: str) -> Labelling:
        """Embed labels; those trained on keep their embedding.

        Raises:
            BadInput: two of them read the same.
        """
        reads = [readable(name) for name in names]
        times = Counter(reads)
        for name, words in zip(names, reads, strict=True):
            if times[words] > 1:
                raise BadInput(source, f"two labels read {name!r}", "give each label once")
        row = {readable(name): number for number, name in enumerate(self.names)}
        new = [name for name in names if readable(name) not in row]
        text = self.text
        if new:
            text = torch.cat([text, label_text(new, self.backbone(), self.prompts).to(text)])
            row |= {readable(name): len(self.names) + i for i, name in enumerate(new)}
        return Labelling(tuple(names), text[[row[words] for words in reads]], source, len(new))
