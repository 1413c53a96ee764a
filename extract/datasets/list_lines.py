"""The lines of a list of videos, as rows of a path, a label and a split."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from os.path import splitext
from pathlib import Path
from typing import NamedTuple

from corpus.errors import BadInput
from extract.datasets.base import VIDEO_SUFFIXES, read_lines
from extract.datasets.splits import WORDS

_COLUMNS = ("path", "label", "split")
_HEADS = {"path": "path", "video": "path", "file": "path", "filename": "path", "label": "label"}
_HEADS |= {"class": "label", "split": "split"}
# What columns are called where none has one of those names.
_OTHER_HEADS = {"video_path": "path", "clip_path": "path", "video_name": "path", "tag": "label"}
_SUFFIX = "|".join(suffix[1:] for suffix in sorted(VIDEO_SUFFIXES))
_VIDEO = re.compile(rf"\.({_SUFFIX})\b", re.IGNORECASE)
_AFTER_A_VIDEO = re.compile(rf'\.(?:{_SUFFIX})"?(?: *(,|\t)| )', re.IGNORECASE)
_SPLITS = "|".join(chain(("all", "unused"), *WORDS.values()))
_SPLIT = re.compile(rf"({_SPLITS})[-_]?\d*", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")
_FRAMES = re.compile(r"\S.* \d+ \d+\s*")

_Line = tuple[int, str, list[str]]  # its number, its text, its cells


class Row(NamedTuple):
    """What a line says.

    Attributes:
        path: as written.
        label: as written, or "" where no line has one.
        split: as written, or the list's own.
        number: of the line, from 1.
    """

    path: str
    label: str
    split: str
    number: int


def read_rows(source: Path, default_split: str) -> list[Row]:
    """Read a list's lines, of the forms that `extract.datasets.csv_list` names.

    Args:
        source: the list.
        default_split: of a row that does not tell its own.

    Raises:
        BadInput: nothing in it, column names without one for the path or the label, or none that
            is known, or a line that cannot be read, or that may mean something else.
    """
    lines = [(number, line) for number, line in enumerate(read_lines(source), 1) if line.strip()]
    if not lines:
        raise BadInput(source, "is empty", "give a line `path,label` for each video")
    _check_remarks(source, lines)
    separator = _separator([line for _, line in lines])
    where = f"{source}:{lines[0][0]}"
    heads = [head.lower() for head in _cells(lines[0][1], separator, where)]
    headed = _is_heading(heads)
    columns: Sequence[str] = _columns(heads, where) if headed else _COLUMNS
    lines = lines[1:] if headed else lines
    whole = columns == ["path"] if headed else all(_ends_as_a_video(line) for _, line in lines)
    # Spaces in a line that has no label are the path's own.
    mark = "\t" if separator is None and whole else separator
    table = [(number, line, _cells(line, mark, f"{source}:{number}")) for number, line in lines]
    videos = [_has_video(cells) for _, _, cells in table]
    if not headed and all(videos) and all(len(cells) == 1 for _, _, cells in table):
        columns = ["path"]
    if any(videos):
        _check_videos(source, heads, headed, table, videos)
    else:
        _check_frames(source, mark, lines)
    if separator is None:
        _check_spaces(source, table)
    rows = [_row(source, columns, default_split, *line) for line in table]
    if not rows:
        raise BadInput(source, "has no rows", "give a line `path,label` for each video")
    if not headed:
        _check_splits(source, table)
    return rows


def _row(
    source: Path,
    columns: Sequence[str],
    default_split: str,
    number: int,
    line: str,
    cells: list[str],
) -> Row:
    row = dict(zip(columns, cells, strict=False))
    path, label, bare = row.get("path"), row.get("label", ""), "label" not in columns
    if len(cells) > len(columns) or not path or not (label or bare):
        shape = "a path" if bare else "`path,label`, `path,label,split` or, in all lines, `path`"
        mend = "mend the line; quote what holds a comma" if "," in line else "mend the line"
        raise BadInput(f"{source}:{number}", f"not {shape}: {line[:60]!r}", mend)
    return Row(path, label, row.get("split") or default_split, number)


def _separator(lines: list[str]) -> str | None:
    """What parts the cells: a tab, a comma or, where it is None, the last space.

    It is what parts the columns' names, or what most often follows a video's. Where nothing does,
    in a list of other files or of bare paths, it is what most lines hold.
    """
    for mark in (*"\t,", None):
        heads = [head.strip(' "\r').lower() for head in lines[0].split(mark)]
        # Spaces are in labels too: words that they part are a heading where all are known.
        if _is_heading(heads) and (mark or {*heads} <= {*_HEADS, *_OTHER_HEADS}):
            return mark
    after: Counter[str] = Counter()
    for line in lines:
        after.update({found or " " for found in _AFTER_A_VIDEO.findall(line)})
    if after:
        most = max("\t, ", key=lambda mark: after[mark])
        return most if most != " " else None
    held = {mark: sum(mark in line for line in lines) for mark in "\t,"}
    return next((mark for mark in "\t," if 2 * held[mark] >= len(lines)), None)


def _has_video(cells: list[str]) -> bool:
    return any(splitext(cell)[1].lower() in VIDEO_SUFFIXES for cell in cells)


def _ends_as_a_video(line: str) -> bool:
    return _has_video([line.strip().removesuffix('"')])


def _is_heading(cells: list[str]) -> bool:
    """Tell column names from a video whose class is called "split", say."""
    names = {*_HEADS, *(head for head in _OTHER_HEADS if _OTHER_HEADS[head] == "path")}
    return not _has_video(cells) and not names.isdisjoint(cells)


def _known(column: str) -> str:
    return " or ".join(head for head in _HEADS if _HEADS[head] == column)


def _columns(heads: list[str], where: str) -> list[str]:
    """What each column holds; one of an unknown name keeps it."""
    columns = [_HEADS.get(head, head) for head in heads]
    others = {head: column for head, column in _OTHER_HEADS.items() if column not in columns}
    columns = [others.get(column, column) for column in columns]
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


def _check_remarks(source: Path, lines: list[tuple[int, str]]) -> None:
    for number, line in lines:
        if line.lstrip().startswith("#") and not _VIDEO.search(line):
            # Where no line has a video's suffix, it may be a file's name.
            if any(_VIDEO.search(other) for _, other in lines):
                cause = f"is a remark, and no video: {line.strip()[:60]!r}"
                raise BadInput(f"{source}:{number}", cause, "take it out of the list")
            return


def _check_videos(
    source: Path, heads: list[str], headed: bool, table: list[_Line], videos: list[bool]
) -> None:
    """Refuse, where no heading is known, lines whose first cell is not the video."""
    if not headed and not videos[0]:
        cause = f"has no video, as other lines have, and no column that is known: {heads}"
        mend = f"call the columns {_known('path')}, {_known('label')}, split; or add such a line"
        raise BadInput(f"{source}:{table[0][0]}", cause, mend)
    for number, line, cells in table if not headed else []:
        if not _has_video(cells[:1]) and _has_video(cells[1:]):
            cause = f"its first cell is no video, and another is: {line[:60]!r}"
            mend = "quote paths that hold commas, or put column names above"
            raise BadInput(f"{source}:{number}", cause, mend)


def _check_frames(source: Path, separator: str | None, lines: list[tuple[int, str]]) -> None:
    """Refuse `folder 300 0`: a folder's frames, how many they are, and their label."""
    if separator is None and lines and all(_FRAMES.fullmatch(line) for _, line in lines):
        number, line = lines[0]
        if (
            not _VIDEO.search(line)
            and not (source.parent / line.strip().rsplit(maxsplit=1)[0]).is_file()
        ):
            cause = f"looks like a folder of frames, their number and a label: {line[:60]!r}"
            raise BadInput(f"{source}:{number}", cause, "list videos, as `path,label`")


def _check_spaces(source: Path, table: list[_Line]) -> None:
    for number, line, cells in table:
        words = cells[0].split()
        if _has_video(words[:-1]) and not _has_video(words[-1:]):
            cause = f"more than a path and a label: {line[:60]!r}"
            raise BadInput(f"{source}:{number}", cause, "part the columns by commas or tabs")


def _check_splits(source: Path, table: list[_Line]) -> None:
    """Refuse a third cell, which no heading explains, where it is unlikely to be a split's name."""
    alike = len({len(cells) for _, _, cells in table}) == 1
    for number, _, cells in table:
        part = cells[2] if len(cells) > 2 else ""
        if _NUMBER.fullmatch(part):
            cause = f"its third cell is a number, {part!r}, and no split's name"
            mend = "put column names above, as in `path,label,num_frames`"
            raise BadInput(f"{source}:{number}", cause, mend)
        if part and not _SPLIT.fullmatch(part) and (not alike or len(part.split()) > 1):
            cause = f"its third cell, {part[:60]!r}, is no split's name that is known"
            mend = "quote labels that hold commas, or put `path,label,split` above"
            raise BadInput(f"{source}:{number}", cause, mend)
