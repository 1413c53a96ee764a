"""Rows of a list that name a video again."""

from collections.abc import Iterable

from corpus.errors import BadInput
from extract.datasets.base import Clip
from extract.words import some


def once(rows: Iterable[tuple[Clip, str]]) -> tuple[tuple[Clip, ...], tuple[str, ...]]:
    """Keep one of the rows that say the same: this video, its class, its split.

    Args:
        rows: clips, each with the place that names it: "file:line".

    Returns:
        The clips, and for `Dataset.notes` a line about the rows that were left out, if any were.

    Raises:
        BadInput: a video is of two classes.
    """
    kept: dict[Clip, str] = {}
    classes: dict[str, tuple[int, str]] = {}
    repeats = []
    for clip, where in rows:
        if clip in kept:
            repeats.append(f"{where} (as {kept[clip]})")
            continue
        kept[clip] = where
        if clip.label >= 0:
            label, before = classes.setdefault(clip.video, (clip.label, where))
            if label != clip.label:
                cause = f"gives {clip.video} another class than {before}"
                raise BadInput(where, cause, "mend one of them")
    told = (some(repeats, "line repeats another", "lines repeat others"),) if repeats else ()
    return tuple(kept), told
