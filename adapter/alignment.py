"""Which entities regions align with: where a few take nearly all of them, words say little."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel

from adapter.data import ClipSet
from adapter.nearest import WithNearest
from adapter.runs import Named
from corpus.words import counted

_CLIPS = 1000  # looked at; more would hardly change a share
_COMMONEST = 10


class Common(BaseModel):
    """An entity, and the share of regions that it is the nearest to."""

    entity: str
    synset: str | None
    share: float


class Alignment(BaseModel):
    """What the regions of clips align with, class tokens aside.

    Attributes:
        clips: looked at.
        entities: K, of the corpus.
        used: how many of them any region aligns with.
        commonest: those that most regions align with, the most common first.
    """

    clips: int
    entities: int
    used: int
    commonest: tuple[Common, ...]

    def describe(self) -> str:
        """Say it in a line."""
        most = ", ".join(f"{one.entity} ({100 * one.share:.0f} %)" for one in self.commonest[:3])
        of = counted(self.entities, "entity", "entities")
        return f"regions align with {self.used} of {of}, most often {most}"


def alignment(clips: ClipSet, names: Sequence[Named]) -> Alignment | None:
    """Count the entities that regions are nearest to.

    Args:
        clips: up to a thousand of them, spread evenly, are looked at.
        names: of the K entities.

    Returns:
        None for clips whose nearest entities were not looked up (`adapter.nearest`).
    """
    if not isinstance(clips.store, WithNearest):
        return None
    rows = clips.rows[:: -(-len(clips) // _CLIPS)].cpu().numpy()
    nearest = clips.store.table["entity"][rows, :, :, 1:, 0]
    counts = np.bincount(nearest.flatten(), minlength=len(names))
    first = np.argsort(-counts, kind="stable")[:_COMMONEST]
    return Alignment(
        clips=len(rows),
        entities=len(names),
        used=int((counts > 0).sum()),
        commonest=tuple(
            Common(entity=names[at].unit, synset=names[at].synset, share=counts[at] / counts.sum())
            for at in first.tolist()
            if counts[at]
        ),
    )
