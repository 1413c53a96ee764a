"""How near the entities come to what a person expects: recall, exclusions, senses."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from corpus.errors import BadInput
from corpus.labels import bundled, label_set
from corpus.relations import Found


class Expected(BaseModel):
    """What a person expects of one label; a line of a gold file.

    Attributes:
        label: as its label set has it.
        set: the bundled label set that it is of, whose other labels help to tell its senses.
        must: units that must all be there.
        must_any: lists of units, of each of which at least one must be there.
        must_not: units that must not be there.
        sense: unit → the synset, or one of several.
    """

    model_config = ConfigDict(extra="forbid")

    label: str
    set: str | None = None
    must: list[str] = []
    must_any: list[list[str]] = []
    must_not: list[str] = []
    sense: dict[str, str | list[str]] = {}


@dataclass
class Measured:
    """The result over a gold file.

    Attributes:
        wanted, present: how many units, and lists of alternatives, were asked for, and found.
        senses, right: how many senses of units that are there were asked for, and are right.
        forbidden: (label, unit) that should not be there.
        missing: (label, what) that should.
        wrong: (label, unit, chosen, expected).
    """

    wanted: int = 0
    present: int = 0
    senses: int = 0
    right: int = 0
    forbidden: list[tuple[str, str]] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """Share of what must be there that is."""
        return self.present / self.wanted if self.wanted else 1.0

    @property
    def sense_accuracy(self) -> float:
        """Share of the senses asked for that are right."""
        return self.right / self.senses if self.senses else 1.0


def read(path: Path) -> list[Expected]:
    """Read a gold file, JSON lines.

    Raises:
        BadInput: it is not there, empty, not of this form, or of a label set that is not bundled.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(path, "cannot be read", "give a file of JSON lines") from error
    gold, sets = [], bundled()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            expected = Expected.model_validate(json.loads(line))
        except (ValueError, RecursionError) as error:
            mend = f"write JSON, of {', '.join(Expected.model_fields)}"
            raise BadInput(where, "is no expectation", mend) from error
        label_set(where, [expected.label])  # which refuses what is no label
        if expected.set not in (None, *sets):
            cause = f"its set {expected.set!r} is not bundled"
            raise BadInput(where, cause, f"name one of {', '.join(sets)}, or leave it out")
        gold.append(expected)
    if not gold:
        raise BadInput(path, "holds no expectation", "give a file of JSON lines")
    return gold


def measure(gold: Sequence[Expected], entities: Callable[[Expected], list[Found]]) -> Measured:
    """Compare entities with expectations.

    Args:
        gold: from `read`.
        entities: of an expectation's label, which may mean something else in another label set.
    """
    result = Measured()
    for expected in gold:
        senses = {entity.unit: entity.synset for entity in entities(expected)}
        for options in [[unit] for unit in expected.must] + expected.must_any:
            result.wanted += 1
            if set(options) & set(senses):
                result.present += 1
            else:
                result.missing.append((expected.label, " | ".join(options)))
        result.forbidden += [(expected.label, u) for u in expected.must_not if u in senses]
        for unit, right in expected.sense.items():
            if unit not in senses:
                continue
            allowed = [right] if isinstance(right, str) else right
            result.senses += 1
            if senses[unit] in allowed:
                result.right += 1
            else:
                result.wrong.append((expected.label, unit, str(senses[unit]), " | ".join(allowed)))
    return result
