"""The labels that a text file holds: one on each line, or a table of ids and names."""

import csv
import json
import re

from corpus.errors import BadInput

_IDS = frozenset({"id", "label_id", "index", "class_id"})
_NAMES = frozenset({"name", "label", "class", "action"})
_HEADINGS = frozenset({"name", "names", "label", "labels", "class", "classes"})
_MARKS = frozenset(",\t;")
_NUMBERED = re.compile(r"\s*(\d{1,9})[\s,;.:)]+\S")
# A number and a separator at an end of a line; "1,500 m run" begins with no id.
_BEFORE = re.compile(r"\s*\d{1,9}\s*[,\t;](?!\d00\b)\s*\S")
_AFTER = re.compile(r".*[,\t;]\s*\d{1,9}\s*$")


def labels_of(name: str, text: str) -> list[str]:
    """Read the labels of a file in the order of their indices.

    Args:
        name: of the file, for errors.
        text: what it holds.

    Returns:
        Its lines as they are; or of a table, whose first line has one column of ids (`id`,
        `label_id`, `index`, `class_id`) and one of names (`name`, `label`, `class`, `action`), the
        names in the order of the ids.

    Raises:
        BadInput: it is something else that data sets keep their classes in, or a table that cannot
            be read.
    """
    filled = [(at, line) for at, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not filled:
        return []
    lines = [line for _, line in filled]
    for mark in ",\t;":
        heads = [cell.strip(' "\r').lower() for cell in lines[0].split(mark)]
        if not _IDS.isdisjoint(heads) and not _NAMES.isdisjoint(heads):
            return _table(name, heads, filled[1:], mark)
    _check(name, text, lines)
    return text.split("\n")


def _table(name: str, heads: list[str], rows: list[tuple[int, str]], mark: str) -> list[str]:
    """The names of a table in the order of their ids.

    Raises:
        BadInput: a line that cannot be read, two columns of ids or names, or ids that do not count
            from 0.
    """
    columns = []
    for known in (_IDS, _NAMES):
        found = [at for at, head in enumerate(heads) if head in known]
        if len(found) > 1:
            cause = f"its columns {', '.join(heads[at] for at in found)} say the same"
            raise BadInput(name, cause, "keep the one that counts")
        columns += found
    labels: dict[int, str] = {}
    for number, line in rows:
        try:
            cells = next(csv.reader([line.strip("\r")], delimiter=mark, strict=True))
        except csv.Error as error:
            cause = f"line {number} of it cannot be read ({error})"
            raise BadInput(name, cause, "mend the line") from error
        index, label = (cells[at].strip() if at < len(cells) else "" for at in columns)
        if len(cells) != len(heads) or not label or not re.fullmatch(r"\d{1,9}", index):
            cause = f"line {number} of it is not {mark.join(heads)}: {line.strip()[:60]!r}"
            raise BadInput(name, cause, "mend the line; quote what holds a comma")
        if int(index) in labels:
            cause = f"has the id {index} twice, {labels[int(index)]!r} and {label!r}"
            raise BadInput(name, cause, "keep one of them")
        labels[int(index)] = label
    if sorted(labels) != [*range(len(labels))]:
        ids = f"{len(labels)} ids, from {min(labels)} to {max(labels)}"
        cause = f"has {ids}, which are not 0 to {len(labels) - 1}"
        raise BadInput(name, cause, "count them from 0, and leave none out")
    return [labels[index] for index in range(len(labels))]


def _check(name: str, text: str, lines: list[str]) -> None:
    """Refuse what data sets keep their classes in, and what is no list of labels alone."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            raise BadInput(name, "is JSON, and no list of labels", "put one label on each line")
    if lines[0].strip(' "\r').lower() in _HEADINGS and len(lines) > 1:
        cause = f"its first line, {lines[0].strip()!r}, says what the others are"
        raise BadInput(name, cause, "take it out: lines are class indices")
    before, after = (_without_heading(lines, number) for number in (_NUMBERED, _AFTER))
    mend = "leave the numbers out, and put one label on each line"
    if len(before) > 1 and (_counts(before) or all(map(_BEFORE.match, before))):
        raise BadInput(name, "has a number before each label", mend)
    if len(after) > 1 and all(map(_AFTER.match, after)):
        raise BadInput(name, "has a number after each label", mend)


def _without_heading(lines: list[str], number: re.Pattern[str]) -> list[str]:
    """Leave out a first line that has no number, where it may say what the columns are."""
    may = all(_MARKS & set(line) for line in lines)
    may |= {*lines[0].lower().split()} <= _IDS | _NAMES
    return lines[1:] if may and not number.match(lines[0]) else lines


def _counts(lines: list[str]) -> bool:
    """Tell whether lines begin with 0, 1, 2 and so on, or with 1, 2, 3."""
    numbers = [found and int(found[1]) for found in map(_NUMBERED.match, lines)]
    return any(numbers == [*range(n, n + len(numbers))] for n in (0, 1))
