"""What is told of a list beside its videos: what was left out of it, and what it says twice."""

from collections.abc import Iterable, Sequence

from corpus.errors import BadInput
from extract.datasets.base import Clip


def some(items: Sequence[str], one: str, more: str, most: int = 5) -> str:
    """Count things and name the first: "2 files are no videos: a, b".

    Args:
        items: their names, at least one.
        one, more: what they are: "file is no video", "files are no videos".
        most: so many are named.
    """
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    named = ", ".join(items[:most])
    shown = named.encode(errors="backslashreplace").decode()  # a disk's names need not be UTF-8
    return f"{len(items)} {one if len(items) == 1 else more}: {shown}{rest}"


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
