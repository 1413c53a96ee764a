"""What the labels of a list mean: names of classes, or indices into them."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from corpus.errors import BadInput
from corpus.words import counted
from extract.datasets.base import Classes

_NUMBER = re.compile(r"(-?\d{1,9})(?:\.0+)?")  # 1.0, as tables write it where a cell is empty


class ListLabels:
    """The classes of a list of videos.

    Labels are indices where all are numbers and not all of these are names of classes.

    Args:
        source: the list.
        named: the different labels in it.
        labels: class names in their order; by default `named`, sorted.

    Raises:
        BadInput: numbers and no `labels`, or numbers that count from 1.
    """

    def __init__(self, source: Path, named: set[str], labels: tuple[str, ...] | None) -> None:
        matches = {name: _NUMBER.fullmatch(name) for name in named}
        by_index = all(matches.values()) and not named <= set(labels or ())
        if by_index and labels is None:
            mend = "give their names with --labels FILE"
            raise BadInput(source, "its labels are numbers", mend)
        self._classes = Classes(labels if labels is not None else sorted(named), "--labels")
        self._numbers = {name: int(found[1]) for name, found in matches.items() if found}
        self._numbers = self._numbers if by_index else {}
        self._spaceless = _spaceless(self.names)
        self._known = {"": -1}
        self._check_from_0(source)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of their indices."""
        return self._classes.names

    def index(self, label: str, where: str) -> int:
        """Index of a label as the list has it; −1 for none.

        Raises:
            BadInput: it is no class; `where` names the place.
        """
        if label not in self._known:
            self._known[label] = self._index(label, where)
        return self._known[label]

    def other(self, folder: str, index: int) -> bool:
        """Tell whether a folder is named for another class than the one of this index."""
        return index >= 0 and self._spaceless.get(_without_spaces(folder), index) != index

    def _index(self, label: str, where: str) -> int:
        number = self._numbers.get(label)
        if number is not None:
            if 0 <= number < len(self.names):
                return number
            labels = counted(len(self.names), "label")
            cause = f"label {label} is not an index into the {labels}"
            raise BadInput(where, cause, "give --labels with every class")
        try:
            return self._classes.label(label, where)
        except BadInput:
            # UCF-101 has HandstandPushups as a class, and HandStandPushups in names of files.
            if (found := self._spaceless.get(_without_spaces(label))) is None:
                raise
            return found

    def _check_from_0(self, source: Path) -> None:
        numbers, last = self._numbers.values(), len(self.names)
        if numbers and min(numbers) == 1 and max(numbers) == last:
            cause = f"its labels count from 1 to {last}, and indices count from 0 to {last - 1}"
            raise BadInput(source, cause, "take 1 off each label")


def _spaceless(names: Iterable[str]) -> dict[str, int]:
    """Index of each name without its spaces and capitals, where no two are alike so."""
    keys = [_without_spaces(name) for name in names]
    often = Counter(keys)
    return {key: index for index, key in enumerate(keys) if often[key] == 1}


def _without_spaces(name: str) -> str:
    return re.sub(r"[\s_]+", "", name.casefold())
