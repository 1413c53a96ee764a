"""A person's corrections: a plain file of `label or *, unit, synset or drop`, applied last."""

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

from corpus import kinds, wordnet
from corpus.errors import BadInput
from corpus.relations import Found

_DROP = "drop"


@dataclass(frozen=True)
class Overrides:
    """Corrections in the order of their file.

    Attributes:
        lines: (label or "*", unit, synset name or "drop").
    """

    lines: tuple[tuple[str, str, str], ...]

    @classmethod
    def read(cls, path: Path) -> "Overrides":
        """Read a file of corrections; empty lines and those that begin with # are skipped.

        Raises:
            BadInput: no such file, a line without three fields, or a synset WordNet lacks.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError as error:
            raise BadInput(path, "no such file", "give a file of corrections") from error
        except (UnicodeDecodeError, IsADirectoryError) as error:
            raise BadInput(path, "is not a UTF-8 text file", "save it as plain text") from error
        lines = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            (row,) = csv.reader(io.StringIO(line), skipinitialspace=True)
            fields = tuple(field.strip() for field in row)
            if len(fields) != 3 or not all(fields):
                raise BadInput(
                    f"{path} line {number}",
                    f"has {len(fields)} fields",
                    "write `label or *, unit, synset or drop`",
                )
            if fields[2] != _DROP:
                _known(fields[2], f"{path} line {number}")
            lines.append((fields[0], fields[1], fields[2]))
        return cls(tuple(lines))

    def rows(self) -> list[list[str]]:
        """Return the corrections as JSON."""
        return [list(line) for line in self.lines]

    def apply(self, label: str, entities: list[Found]) -> list[Found]:
        """Correct the entities of one label: drop a unit, change its sense, or add it."""
        for scope, unit, target in self.lines:
            if scope not in ("*", label):
                continue
            if target == _DROP:
                entities = [entity for entity in entities if entity.unit != unit]
                continue
            synset = wordnet.reader().synset(target)
            new = Found(
                unit,
                synset.name(),
                kinds.kind_of(synset),
                synset.definition(),
                "override",
                1.0,
            )
            if any(entity.unit == unit for entity in entities):
                entities = [
                    replace(new, source=f"{e.source}, override") if e.unit == unit else e
                    for e in entities
                ]
            elif scope == label:
                entities = [new, *entities]
        return entities


def _known(name: str, where: str) -> None:
    from nltk.corpus.reader.wordnet import WordNetError

    try:
        wordnet.reader().synset(name)
    except (WordNetError, ValueError) as error:
        raise BadInput(
            where, f"WordNet has no synset {name!r}", "name one such as bow.n.04, or drop"
        ) from error
