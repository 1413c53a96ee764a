"""Rows of a list that name a video again."""

from collections.abc import Iterable
from pathlib import Path

from corpus.errors import BadInput
from corpus.words import some
from extract.datasets.base import Clip


def once(rows: Iterable[tuple[Clip, str]]) -> tuple[tuple[Clip, ...], tuple[str, ...]]:
    """Keep one of the rows that say the same: this video, its class, its split.

    A video under two classes is kept under both. The lists are official, and not the user's to
    mend; where files are called by a YouTube id alone, two segments of one may well differ.

    Args:
        rows: clips, each with the place that names it: "file:line".

    Returns:
        The clips, and for `Dataset.notes` a line about the rows that were left out, one about the
        videos of two classes and one about those of none, if there are any.
    """
    kept: dict[Clip, str] = {}
    classes: dict[str, tuple[int, str]] = {}
    repeats, torn = [], []
    for clip, where in rows:
        if clip in kept:
            repeats.append(f"{where} (as {kept[clip]})")
            continue
        kept[clip] = where
        if clip.label >= 0:
            label, before = classes.setdefault(clip.video, (clip.label, where))
            if label != clip.label:
                torn.append(f"{clip.video} ({before}, {where})")
    told = [some(repeats, "line repeats another", "lines repeat others")] if repeats else []
    told += [some(torn, "video is of two classes", "videos are of two classes")] if torn else []
    # The labels of test lists are often not published.
    bare = [clip.video for clip in kept if clip.label < 0 and clip.split != "test"]
    told += [some(bare, "video has no label", "videos have no label")] if bare else []
    return tuple(kept), tuple(told)


def sole(
    rows: Iterable[tuple[Clip, int]], source: Path
) -> tuple[tuple[Clip, ...], tuple[str, ...]]:
    """Keep one of the rows that say the same, of a list that is the user's to mend.

    Args:
        rows: clips, each with the number of its line.
        source: the list.

    Returns:
        The clips, and for `Dataset.notes` a line about the rows that were left out, if there are
        any.

    Raises:
        BadInput: rows give a video another class, or another split.
    """
    kept: dict[str, tuple[Clip, int]] = {}
    repeats, torn = [], []
    for clip, number in rows:
        first, line = kept.setdefault(clip.video, (clip, number))
        if first != clip:
            torn.append(f"line {number} ({clip.video}, otherwise in line {line})")
        elif line != number:
            repeats.append(f"line {number} (as line {line})")
    if torn:
        cause = some(
            torn,
            "line gives a video another label or split",
            "lines give videos another label or split",
        )
        raise BadInput(source, cause, "keep one line of each video")
    told = [some(repeats, "line repeats another", "lines repeat others")] if repeats else []
    return tuple(clip for clip, _ in kept.values()), tuple(told)
