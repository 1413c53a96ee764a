"""A list of videos: `path,label`, `path,label,split`, `path label` or `path`, one to a line."""

import os
import re
from pathlib import Path

from corpus.errors import BadInput
from corpus.words import counted, some
from extract.datasets.base import (
    Classes,
    Clip,
    Dataset,
    existing_folder,
)
from extract.datasets.list_lines import read_rows
from extract.datasets.repeats import sole
from extract.datasets.within import Within


def read(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List the videos that a file names.

    A first line of column names is optional: it has one that is known, and nothing named like a
    video. Other columns are passed over. In a space-separated line the label is the last word, so
    that paths may hold spaces. A label is a class name, or an index into `labels` where all are
    numbers and not all of these are names there. Where no line has a label, videos get none (−1):
    lines are paths alone, or the columns `path` and `split`.

    Args:
        root: the list itself, whose paths are then relative to its folder; or a folder that
            holds `<split>.csv` or `<split>.txt` (or the one list there is).
        split: "all", or only the rows of this split.
        labels: class names in their order; by default the names in the list, sorted.

    Raises:
        BadInput: no list, one whose lines cannot be read or may mean something else, a video with
            two labels or splits, a path that leaves the list's folder, a class that `labels` does not name, or
            indices without `labels`.
    """
    source = _find(root, split)
    folder = source.parent
    rows = read_rows(source, source.stem if source.stem == split else "all")
    named = {name for _, name, _, _ in rows if name}
    by_index = all(re.fullmatch(r"-?\d{1,9}", name) for name in named)
    by_index &= not named <= set(labels or ())
    if by_index and labels is None:
        mend = "give their names with --labels FILE"
        raise BadInput(source, "its labels are numbers", mend)
    classes = Classes(labels if labels is not None else sorted(named), "--labels")
    within = Within(folder)
    mend = "mend it, or put the list into the folder that its paths begin in"
    listed: list[tuple[Clip, int]] = []
    for text, name, part, number in rows:
        where = f"{source}:{number}"
        video = within.relative(text, where, mend)
        if "\\" in video and not os.path.exists(folder / video):
            cause = f"{text!r} has \\ in it, and there is no file of this name"
            raise BadInput(where, cause, "write / between folders")
        label = -1
        if name:
            label = _checked(int(name), classes, where) if by_index else classes.label(name, where)
        listed.append((Clip(video, label, part), number))
    kept, repeats = sole(listed, source)
    clips = [clip for clip in kept if split in ("all", clip.split)]
    if not clips:
        parts = ", ".join(sorted({part for _, _, part, _ in rows}))
        raise BadInput(source, f"has no video of split {split!r} (it has {parts})", "mend --split")
    bare = [clip.video for clip in clips if clip.label < 0]
    notes = (some(bare, "video has no label", "videos have no label"),) if bare else ()
    return Dataset("csv", folder, split, classes.names, tuple(clips), (*repeats, *notes))


def _find(root: Path, split: str) -> Path:
    if root.is_file():
        return root
    existing_folder(root, "the list")
    for name in (f"{split}.csv", f"{split}.txt"):
        if (root / name).is_file():
            return root / name
    lists = sorted(path for path in root.iterdir() if path.suffix.lower() in (".csv", ".txt"))
    if len(lists) == 1:
        return lists[0]
    cause = f"holds {len(lists)} lists, none named {split}.csv" if lists else "holds no list"
    raise BadInput(root, cause, "give the list itself as --root")


def _checked(label: int, classes: Classes, where: str) -> int:
    if not 0 <= label < len(classes.names):
        cause = f"label {label} is not an index into the {counted(len(classes.names), 'label')}"
        raise BadInput(where, cause, "give --labels with every class")
    return label
