"""The commands of `alt-corpus` that look into a built corpus: stats, review, diff, export."""

from pathlib import Path
from typing import Annotated

import typer

from corpus.command import out, print_json
from corpus.words import counted, first_of, named

Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
Folder = Annotated[Path, typer.Argument(help="Folder of a built corpus.")]


def stats(
    corpus: Folder,
    plot: Annotated[
        Path | None,
        typer.Option(help="Also draw the embedding and a histogram (.png, .svg, .pdf)."),
    ] = None,
    json: Json = False,
) -> None:
    """Count what a corpus holds; list the labels with fewer than 3 entities of their own."""
    from corpus import report
    from corpus.atomic import check_kind
    from corpus.index import Corpus

    if plot is not None:
        check_kind(plot, ".png", ".svg", ".pdf")
    opened = Corpus.load(corpus)
    facts = report.stats(opened)
    if plot is not None:
        report.plot(opened, plot)
    if json:
        print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, list):
            _list(name, value)
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{key} {count}" for key, count in value.items())
        out.print(f"{name}: {value}")


def review(
    corpus: Folder,
    top: Annotated[int, typer.Option(min=1, help="How many senses.")] = 50,
    json: Json = False,
) -> None:
    """List the least certain senses, as an --overrides file that would change them.

    Its lines are commented out: remove the # before those that are to hold.
    """
    from corpus import report
    from corpus.index import Corpus

    opened = Corpus.load(corpus)
    found = report.doubts(opened, top)
    if json:
        print_json([entity.model_dump(mode="json") for entity in found])
        return
    for entity, lines in zip(found, report.override_lines(opened, found), strict=True):
        out.print(
            f"# {entity.unit} is {entity.synset} ({entity.description}), by {entity.margin:.3f}"
        )
        for line in lines:
            out.print(f"# {line}")


def diff(
    before: Annotated[Path, typer.Argument(help="Folder of one corpus.")],
    after: Annotated[Path, typer.Argument(help="Folder of the other.")],
    json: Json = False,
) -> None:
    """Say what changed from one corpus to another."""
    from corpus import report
    from corpus.index import Corpus

    found = report.difference(Corpus.load(before), Corpus.load(after)).model_dump(mode="json")
    if json:
        print_json(found)
        return
    for name, value in found.items():
        if isinstance(value, dict):
            value = [f"{key}: {_told(old)} → {_told(new)}" for key, (old, new) in value.items()]
        _list(name, value)


def export(
    corpus: Folder,
    table: Annotated[Path, typer.Argument(help="CSV file to write.")],
    json: Json = False,
) -> None:
    """Write the entities as a CSV table for a spreadsheet: what it would compute begins with a '.

    Programs have them as they are in entities.jsonl, beside corpus.json.
    """
    from corpus import report
    from corpus.index import Corpus

    opened = Corpus.load(corpus)
    report.export_csv(opened, table)
    if json:
        print_json({"path": str(table), "entities": len(opened.entities)})
    else:
        out.print(f"{table}: {counted(len(opened.entities), 'entity', 'entities')}")


def _told(value: str | list[str]) -> str:
    return value if isinstance(value, str) else named(value) or "none"


def _list(name: str, items: list[str]) -> None:
    """Print how many there are of a list, and the first of them."""
    out.print(f"{name}: {len(items)}")
    for line in first_of(items):
        out.print(f"  {line}")
