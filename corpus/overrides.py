"""A person's corrections: a plain file of `label or *, unit, synset or drop`, applied last."""

import csv
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path

from corpus import kinds, wordnet
from corpus.errors import BadInput
from corpus.relations import Found
from corpus.words import counted

_DROP = "drop"
_NOUN = re.compile(r".+\.n\.0*[1-9][0-9]*", re.IGNORECASE)  # NLTK takes 0 for the last sense

Line = tuple[str, str, str]  # label or "*", unit in any case, synset name or "drop"


@dataclass(frozen=True)
class Overrides:
    """Corrections in the order of their file.

    Attributes:
        lines: the corrections.
    """

    lines: tuple[Line, ...]

    @classmethod
    def read(cls, path: Path | str) -> "Overrides":
        """Read a file of corrections; empty lines and those that begin with # are skipped.

        Raises:
            BadInput: no such file, a line without three fields, or no noun's synset of WordNet.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except FileNotFoundError as error:
            raise BadInput(path, "no such file", "give a file of corrections") from error
        except (UnicodeDecodeError, IsADirectoryError) as error:
            raise BadInput(path, "is not a UTF-8 text file", "save it as plain text") from error
        lines = []
        form = "write `label or *, unit, synset or drop`"
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            where = f"{path} line {number}"
            try:
                (row,) = csv.reader(io.StringIO(line), skipinitialspace=True)
            except csv.Error as error:
                raise BadInput(where, f"cannot be read ({error})", form) from error
            fields = tuple(field.strip() for field in row)
            if len(fields) != 3 or not all(fields):
                raise BadInput(where, f"has {counted(len(fields), 'field')}", form)
            if fields[2] != _DROP:
                _known(fields[2], where)
            lines.append((fields[0], fields[1], fields[2]))
        return cls(tuple(lines))

    def rows(self) -> list[list[str]]:
        """Return the corrections as JSON."""
        return [list(line) for line in self.lines]

    def apply(self, label: str, entities: list[Found]) -> tuple[list[Found], set[Line]]:
        """Correct the entities of one label: drop a unit, change its sense, or add it.

        Returns:
            The entities, and the corrections that had something to say of them.
        """
        met = set()
        for line in self.lines:
            scope, unit, target = line
            if scope not in ("*", label):
                continue
            named = [entity.unit.casefold() == unit.casefold() for entity in entities]
            if not any(named) and (scope == "*" or target == _DROP):
                continue
            met.add(line)
            if target == _DROP:
                entities = [e for e, it in zip(entities, named, strict=True) if not it]
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
            if any(named):
                entities = [
                    replace(new, unit=e.unit, source=f"{e.source}, override") if it else e
                    for e, it in zip(entities, named, strict=True)
                ]
            else:
                entities = [new, *entities]
        return entities, met


def written(line: Line) -> str:
    """Write a correction as `Overrides.read` reads it."""
    text = io.StringIO()
    csv.writer(
        text,
        quoting=csv.QUOTE_ALL if line[0].startswith("#") else csv.QUOTE_MINIMAL,
        lineterminator="",
    ).writerow(line)
    return text.getvalue()


def _known(name: str, where: str) -> None:
    from nltk.corpus.reader.wordnet import WordNetError

    try:
        if not _NOUN.fullmatch(name):
            raise ValueError(name)
        wordnet.reader().synset(name)
    except (WordNetError, ValueError) as error:
        raise BadInput(
            where, f"WordNet has no noun's synset {name!r}", "name one such as bow.n.04, or drop"
        ) from error
