"""A list of videos: `path,label`, `path,label,split`, `path label` or `path`, one to a line."""

import os
from collections.abc import Iterator
from pathlib import Path

from corpus.errors import BadInput
from corpus.words import some
from extract.datasets.base import Clip, Dataset, existing_folder
from extract.datasets.list_labels import ListLabels
from extract.datasets.list_lines import Row, read_rows
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
            two labels or splits, a path that leaves the list's folder, a class that `labels` does
            not name, or indices without `labels` or from 1.
    """
    source = _find(root, split)
    folder = source.parent
    rows = read_rows(source, source.stem if source.stem == split else "all")
    classes = ListLabels(source, {row.label for row in rows if row.label}, labels)
    listed, repeats = sole(_clips(source, rows, classes), source)
    clips = [clip for clip in listed if split in ("all", clip.split)]
    if not clips:
        parts = ", ".join(sorted({row.split for row in rows}))
        raise BadInput(source, f"has no video of split {split!r} (it has {parts})", "mend --split")
    notes = (*repeats, *_notes(clips, classes))
    return Dataset("csv", folder, split, classes.names, tuple(clips), notes)


def _clips(source: Path, rows: list[Row], classes: ListLabels) -> Iterator[tuple[Clip, int]]:
    within = Within(source.parent)
    mend = "mend it, or put the list into the folder that its paths begin in"
    for row in rows:
        where = f"{source}:{row.number}"
        video = within.relative(row.path, where, mend)
        if "\\" in video and not os.path.exists(source.parent / video):
            cause = f"{row.path!r} has \\ in it, and there is no file of this name"
            raise BadInput(where, cause, "write / between folders")
        yield Clip(video, classes.index(row.label, where), row.split), row.number


def _notes(clips: list[Clip], classes: ListLabels) -> Iterator[str]:
    apart = [
        f"{clip.video} ({classes.names[clip.label]})"
        for clip in clips
        if classes.other(_folder_name(clip.video), clip.label)
    ]
    if apart:
        ones = "video lies in a folder named for another class"
        yield some(apart, ones, "videos lie in a folder named for another class")
    bare = [clip.video for clip in clips if clip.label < 0]
    if bare:
        yield some(bare, "video has no label", "videos have no label")


def _folder_name(video: str) -> str:
    return video.rpartition("/")[0].rpartition("/")[2]


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
