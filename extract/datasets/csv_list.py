"""A list of videos: `path,label`, `path,label,split`, `path label` or `path`, one to a line."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from corpus.errors import BadInput
from corpus.words import counted, some
from extract.datasets.base import (
    VIDEO_SUFFIXES,
    Classes,
    Clip,
    Dataset,
    existing_folder,
    read_lines,
)
from extract.datasets.within import Within

_COLUMNS = ("path", "label", "split")
_HEADS = {"path": "path", "video": "path", "file": "path", "filename": "path", "label": "label"}
_HEADS |= {"class": "label", "split": "split"}


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
        BadInput: no list, column names without one for the path or the label, or none that is
            known, a line that cannot be read, a video listed twice, a class that `labels` does not
            name, or indices without `labels`.
    """
    source = _find(root, split)
    folder = source.parent
    rows = _rows(source, source.stem if source.stem == split else "all")
    named = {name for _, name, _, _ in rows if name}
    by_index = all(re.fullmatch(r"-?\d{1,9}", name) for name in named)
    by_index &= not named <= set(labels or ())
    if by_index and labels is None:
        mend = "give their names with --labels FILE"
        raise BadInput(source, "its labels are numbers", mend)
    classes = Classes(labels if labels is not None else sorted(named), "--labels")
    within = Within(folder)
    mend = "mend it, or put the list into the folder that its paths begin in"
    clips, seen = [], dict[str, int]()
    for text, name, part, number in rows:
        where = f"{source}:{number}"
        video = within.relative(text, where, mend)
        if video in seen:
            raise BadInput(where, f"repeats {video} of line {seen[video]}", "keep one of them")
        seen[video] = number
        label = -1
        if name:
            label = _checked(int(name), classes, where) if by_index else classes.label(name, where)
        if split in ("all", part):
            clips.append(Clip(video, label, part))
    if not clips:
        parts = ", ".join(sorted({part for _, _, part, _ in rows}))
        raise BadInput(source, f"has no video of split {split!r} (it has {parts})", "mend --split")
    bare = [clip.video for clip in clips if clip.label < 0]
    notes = (some(bare, "video has no label", "videos have no label"),) if bare else ()
    return Dataset("csv", folder, split, classes.names, tuple(clips), notes)


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


def _rows(source: Path, default_split: str) -> list[tuple[str, str, str, int]]:
    """(path, label or "", split, line number) of every line."""
    lines = read_lines(source)
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not filled:
        raise BadInput(source, "is empty", "give a line `path,label` for each video")
    separator = next((mark for mark in (",", "\t") if mark in filled[0][1]), None)
    columns: Sequence[str] = _COLUMNS
    where = f"{source}:{filled[0][0]}"
    heads = [head.lower() for head in _cells(filled[0][1], separator, where)]
    if _is_heading(heads):
        columns = _columns(heads, where)
        filled = filled[1:]
    elif all(_is_bare(_cells(line, separator or "\t", f"{source}:{n}")) for n, line in filled):
        columns = ["path"]
    elif not _has_video(heads) and any(
        _has_video(_cells(line, separator, f"{source}:{number}")) for number, line in filled[1:]
    ):
        cause = f"has no video, as other lines have, and no column that is known: {heads}"
        mend = f"call the columns {_known('path')}, {_known('label')}, split; or add such a line"
        raise BadInput(where, cause, mend)
    bare = "label" not in columns
    shape = "a path" if bare else "`path,label`, `path,label,split` or, in all lines, `path`"
    rows = []
    for number, line in filled:
        where = f"{source}:{number}"
        # Spaces in a line that has no label are the path's own.
        cells = _cells(line, separator or ("\t" if columns == ["path"] else None), where)
        row = dict(zip(columns, cells, strict=False))
        label = row.get("label", "")
        if len(cells) > len(columns) or not row.get("path") or not (label or bare):
            raise BadInput(where, f"not {shape}: {line[:60]!r}", "mend the line")
        *before, last = row["path"].split()
        if separator is None and _has_video(before) and not _has_video([last]):
            cause = f"more than a path and a label: {line[:60]!r}"
            raise BadInput(where, cause, "part the columns by commas or tabs")
        rows.append((row["path"], label, row.get("split") or default_split, number))
    if not rows:
        raise BadInput(source, "has no rows", "give a line `path,label` for each video")
    return rows


def _has_video(cells: list[str]) -> bool:
    return any(Path(cell).suffix.lower() in VIDEO_SUFFIXES for cell in cells)


def _is_bare(cells: list[str]) -> bool:
    """Tell a line that is a path alone: it ends as a video's name does, not with a label."""
    return len(cells) == 1 and _has_video(cells)


def _is_heading(cells: list[str]) -> bool:
    """Tell column names from a video whose class is called "split", say."""
    return not _has_video(cells) and not set(cells).isdisjoint(_HEADS)


def _known(column: str) -> str:
    return " or ".join(head for head in _HEADS if _HEADS[head] == column)


def _columns(heads: list[str], where: str) -> list[str]:
    """What each column holds; one of an unknown name keeps it."""
    columns = [_HEADS.get(head, head) for head in heads]
    bare = set(columns) <= {"path", "split"}  # and nothing that a label might be in
    for column in ("path",) if bare else ("path", "label"):
        if columns.count(column) != 1:
            cause = f"{columns.count(column)} of its columns are called {_known(column)}"
            mend = "call one so; if it is a video's line, put `path,label` above it"
            raise BadInput(where, cause, mend)
    return columns


def _cells(line: str, separator: str | None, where: str) -> list[str]:
    if separator is None:
        return line.strip().rsplit(maxsplit=1)
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, strict=True))]
    except csv.Error as error:
        raise BadInput(where, f"cannot be read ({error})", "mend the line") from error


def _checked(label: int, classes: Classes, where: str) -> int:
    if not 0 <= label < len(classes.names):
        cause = f"label {label} is not an index into the {counted(len(classes.names), 'label')}"
        raise BadInput(where, cause, "give --labels with every class")
    return label
