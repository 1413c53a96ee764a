"""A comparison as a table and as a picture."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from adapter.baselines import TITLES
from adapter.compare import Cell
from adapter.protocols import Result
from corpus.atomic import atomic_file

_TITLES: dict[str, str] = dict(TITLES.items())  # rows that are no method are called by their names

_ROW_NAME = 22  # characters that the name of a row has at the least


def comparison_table(
    cells: Sequence[Cell], title: str = "top-1, mean ± std over seeds; * behind the last row"
) -> Table:
    """Lay cells out: a row for each method, a column for each test, top-1 in per cent.

    An asterisk marks methods that the last one beats with p < 0.01, over clips and over seeds.
    """
    columns = _columns(cells)
    clips = {(cell.shots, cell.test): _count(cell) for cell in cells}
    table = Table(
        title=f"{title}, p < 0.01",
        title_justify="left",
    )
    table.add_column("", min_width=_ROW_NAME)
    for shots, test in columns:
        table.add_column(f"{_heading(shots, test)}\nN = {clips[shots, test]}", justify="right")
    for method in _methods(cells):
        row: list[str] = []
        for column in columns:
            cell = next(c for c in cells if c.method == method and (c.shots, c.test) == column)
            spread = f" ± {100 * cell.std:.1f}" if len(cell.seeds) > 1 and method != "clip" else ""
            mark = "*" if cell.beaten else " "
            row.append(f"{100 * cell.mean:.1f}{spread}{mark}")
        table.add_row(_TITLES.get(method, method), *row)
    return table


def fitting_tables(cells: Sequence[Cell], width: int) -> list[Table]:
    """Lay cells out as `comparison_table` does, in as many tables as it takes to fit a terminal.

    Args:
        cells: of a comparison.
        width: of the terminal, characters.
    """
    groups: list[list[tuple[int | None, str]]] = []
    left = 0
    for column in _columns(cells):
        wide = 3 + max(len(_heading(*column)), len("100.0 ± 10.0*"))
        if not groups or wide > left:
            groups.append([])
            left = width - _ROW_NAME - 4
        groups[-1].append(column)
        left -= wide
    return [comparison_table([c for c in cells if (c.shots, c.test) in group]) for group in groups]


def figures_table(result: Result) -> Table:
    """Lay out what a zero-shot protocol gives each method, in per cent."""
    clips = sum(part.clips for part in result.parts)
    failed = sum(part.failed for part in result.parts)
    table = Table(
        title=f"{result.protocol}: top-1, {len(result.parts)} parts, {clips} clips in all"
        + (f" ({failed} failed)" if failed else ""),
        title_justify="left",
    )
    table.add_column("")
    for heading in ("mean", "± over parts", "± over seeds"):
        table.add_column(heading, justify="right")
    for figure in result.figures:
        several = len(figure.seeds) > 1 and figure.method != "clip"
        table.add_row(
            _TITLES.get(figure.method, figure.method),
            f"{100 * figure.mean:.1f}",
            f"{100 * figure.std_parts:.1f}" if len(result.parts) > 1 else "",
            f"{100 * figure.std_seeds:.1f}" if several else "",
        )
    return table


def draw_comparison(cells: Sequence[Cell], path: Path) -> None:
    """Draw cells as bars with their 95 % intervals, as PNG, SVG or PDF by the path's suffix."""
    from matplotlib.figure import Figure

    columns, methods = _columns(cells), _methods(cells)
    figure = Figure(figsize=(2 + 1.8 * len(columns), 4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(methods)
    for number, method in enumerate(methods):
        own = [
            next(c for c in cells if c.method == method and (c.shots, c.test) == column)
            for column in columns
        ]
        means = [100 * cell.mean for cell in own]
        low = [max(0.0, mean - 100 * c.interval.low) for mean, c in zip(means, own, strict=True)]
        high = [max(0.0, 100 * c.interval.high - mean) for mean, c in zip(means, own, strict=True)]
        places = [at + (number - (len(methods) - 1) / 2) * width for at in range(len(columns))]
        axes.bar(
            places, means, width, label=_TITLES.get(method, method), yerr=[low, high], capsize=2
        )
    axes.set_xticks(range(len(columns)), [_heading(*column) for column in columns])
    axes.set_ylabel("top-1, %")
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    with atomic_file(path) as draft:
        figure.savefig(draft, dpi=150)


def _methods(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.method for cell in cells))


def _columns(cells: Sequence[Cell]) -> list[tuple[int | None, str]]:
    return list(dict.fromkeys((cell.shots, cell.test) for cell in cells))


def _count(cell: Cell) -> str:
    """How many clips, and how many of them count as wrong unseen."""
    clips, failed = cell.seeds[0].clips, cell.seeds[0].failed
    return f"{clips} ({failed} failed)" if failed else str(clips)


def _heading(shots: int | None, test: str) -> str:
    return test if shots is None else f"{test}, {shots} shots"
