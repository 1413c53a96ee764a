"""Label sets: where action names come from, and how each naming style is made readable."""

import difflib
import html
import os
import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

from corpus.errors import BadInput
from corpus.label_files import labels_of

_LONGEST = 100_000  # characters of a label; spaCy reads no more than ten times that
_BUNDLED = Path(__file__).parent / "label_sets"
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_DOT = re.compile(r"(?<=[a-z])\.(?=[A-Z])")
_INTO = re.compile(r"(?<=[a-z]{2})2(?=[a-z]{2})")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class LabelSet:
    """The action names of one dataset, in the order of their class indices.

    Attributes:
        name: of a bundled set ("k400"), or the stem of the file or folder it was read from.
        labels: as given; the key under which everything about a label is kept.
    """

    name: str
    labels: tuple[str, ...]


def bundled() -> list[str]:
    """Return the names of the label sets that ship with the package."""
    return sorted(path.stem for path in _BUNDLED.glob("*.txt"))


def load_labels(spec: str) -> list[LabelSet]:
    """Read label sets.

    Args:
        spec: comma-separated; each part a bundled set's name, a text file with a label a line
            or a table of ids and names, or a dataset folder whose sub-folders are the classes.

    Returns:
        Them in order, each under a name of its own: of two files of one name, the second is "…-2".

    Raises:
        BadInput: nothing there, a file that is not UTF-8 text, no label, or a list whose lines
            would not be class indices (an empty line between labels, a label given twice,
            be it in another case, a heading, numbers beside the labels).
    """
    parts = [part.strip() for part in spec.split(",") if part.strip()]
    if not parts:
        raise BadInput("--labels", "names no label set", f"give a file, or {', '.join(bundled())}")
    sets: dict[str, LabelSet] = {}
    for group in map(_load, dict.fromkeys(parts)):
        name = free_name(group.name, sets)
        sets[name] = replace(group, name=name)
    return list(sets.values())


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken: itself, or with the first number from 2 that is free."""
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(candidate for candidate in names if candidate not in taken)


def label_set(name: str, labels: list[str]) -> LabelSet:
    """Check a list of labels and return it as a set.

    Raises:
        BadInput: it is empty, or has an empty line, a label that is no text, is too long or comes
            twice.
    """
    for label in labels:
        if not isinstance(label, str):
            raise BadInput(name, f"label {label!r} is no text", "give texts")
    labels = [label.strip() for label in labels]
    while labels and not labels[-1]:
        labels.pop()
    if not labels:
        raise BadInput(name, "holds no label", "put one label on each line")
    seen: dict[str, int] = {}
    for line, label in enumerate(labels, start=1):
        if not label:
            raise BadInput(name, f"line {line} is empty", "remove it: lines are class indices")
        try:
            label.encode()
        except UnicodeEncodeError as error:
            raise BadInput(name, f"label {label!r} is not UTF-8", "rename it") from error
        if "\0" in label:
            raise BadInput(name, f"line {line} is not text", "save the list as UTF-8")
        if len(label) > _LONGEST:
            cause = f"line {line} has {len(label):,} characters"
            raise BadInput(name, cause, "put one label on each line")
        first = seen.setdefault(label.casefold(), line)
        if first != line:
            cause = f"labels {first} and {line} are the same, {labels[first - 1]!r} and {label!r}"
            raise BadInput(name, cause, "keep one of them")
    return LabelSet(Path(name).stem, tuple(labels))


def readable(label: str) -> str:
    """Write a label as lower-case words with single spaces.

    CamelCase, snake_case, slashes (read as "or"), square-bracketed placeholders, HTML and
    quotation marks are undone; parentheses stay, as they carry meaning.

    >>> readable("PlayingGuitar"), readable("shoot_bow"), readable("Pushing [something] up/down")
    ('playing guitar', 'shoot bow', 'pushing something up or down')
    >>> readable("pour_dough2pan"), readable("Drink.Fromcup")
    ('pour dough into pan', 'drink fromcup')
    """
    text = unicodedata.normalize("NFKC", html.unescape(label))
    text = _TAG.sub(" ", text).replace("’", "'").replace("‘", "'")
    if " " not in text.strip():
        text = _HUMP.sub(" ", text)
    text = _INTO.sub(" into ", _DOT.sub(" ", text))
    text = text.replace("/", " or ")
    text = re.sub(r'[\[\]{}<>_+*#|\\"“”«»`~]', " ", text)
    text = "".join(" " if unicodedata.category(char)[0] == "C" else char for char in text)
    return " ".join(text.lower().split())


def check_label(label: str, sets: list[LabelSet]) -> str:
    """Return a label as its set spells it.

    Raises:
        BadInput: no set has it.
    """
    every = [known for group in sets for known in group.labels]
    if label in every:
        return label
    for known in every:
        if readable(label) == readable(known):
            return known
    near = difflib.get_close_matches(label, every, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "choose one of the set"
    raise BadInput(label, f"is not in {', '.join(group.name for group in sets)}", hint)


def _load(part: str) -> LabelSet:
    if part in bundled():
        shipped = _BUNDLED / f"{part}.txt"
        return LabelSet(part, tuple(shipped.read_text(encoding="utf-8").split("\n")[:-1]))
    part = os.path.expanduser(part)  # no shell does after a comma, as in k400,~/mine.txt
    path = Path(part)
    if os.path.isdir(part):  # pathlib raises where a name is longer than any file's
        names = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
        labels = [name for name in names if name[0] != "."]
        if not labels:
            raise BadInput(part, "has no folder in it", "give one with a folder for each label")
        return label_set(str(path.resolve()), labels)
    if not os.path.isfile(part):
        near = difflib.get_close_matches(part, bundled(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"bundled sets are {', '.join(bundled())}"
        raise BadInput(part, "no such label set, file or folder", hint)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(part, "is not UTF-8 text", "save the list as UTF-8") from error
    return label_set(part, labels_of(part, text))
