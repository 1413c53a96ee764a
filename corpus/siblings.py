"""Other labels of the same set that name the same thing: they tell its sense as well.

A word mostly keeps one sense within a collection (Gale, Church & Yarowsky 1992): in a set with
"inflating balloons", the balloon of "letting go of balloon" is the small one.
"""

from collections import defaultdict
from collections.abc import Iterable

from corpus import glosses
from corpus.parse import Parsed, parse

_MOST = 8


class Siblings:
    """The labels of a set, by the units that they name.

    Args:
        labels: in any naming style.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self._naming: dict[tuple[str, ...], list[Parsed]] = defaultdict(list)
        for label in labels:
            parsed = parse(label)
            for stems in dict.fromkeys(tuple(glosses.stems(unit.text)) for unit in parsed.units):
                self._naming[stems].append(parsed)

    def naming(self, unit: str, label: str) -> list[Parsed]:
        """Return a few labels that name a unit, other than the one given, in their order."""
        found = self._naming.get(tuple(glosses.stems(unit)), [])
        return [parsed for parsed in found if parsed.label != label][:_MOST]
