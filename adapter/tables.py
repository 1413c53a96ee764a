"""A comparison as a table and as a picture."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from rich.table import Table

from adapter.baselines import TITLES
from adapter.compare import Cell
from adapter.protocols import Result
from corpus.atomic import atomic_file
from corpus.words import counted

_TITLES: dict[str, str] = dict(TITLES.items())  # rows that are no method are called by their names

_ROW_NAME = 22  # characters that the name of a row has at the least
_ACROSS = 4  # panels of a picture beside one another
_LINE, _PANEL_LINE = 60, 24  # characters, in a picture, of a row's name and of a column's
_ROWS, _LAST = "#a3b4cc", "#26547c"


def comparison_table(cells: Sequence[Cell]) -> Table:
    """Lay cells out: a row for each method, a column for each test, top-1 in per cent.

    An asterisk marks methods that the last one beats with p < 0.01, over clips and over seeds.
    """
    columns = _columns(cells)
    clips = {(cell.shots, cell.test): _count(cell) for cell in cells}
    title = "top-1, mean ± std over seeds; * behind the last row, p < 0.01"
    table = Table(title=title, title_justify="left")
    table.add_column("", min_width=_ROW_NAME)
    for shots, test in columns:
        table.add_column(f"{heading(shots, test)}\nN = {clips[shots, test]}", justify="right")
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
        wide = 3 + max(len(heading(*column)), len("100.0 ± 10.0*"))
        if not groups or wide > left:
            groups.append([])
            left = width - _ROW_NAME - 4
        groups[-1].append(column)
        left -= wide
    return [comparison_table([c for c in cells if (c.shots, c.test) in group]) for group in groups]


def figures_table(result: Result) -> Table:
    """Lay out what a zero-shot protocol gives each method, in per cent."""
    parts = counted(len(result.parts), "part")
    clips = counted(sum(part.clips for part in result.parts), "clip")
    failed = sum(part.failed for part in result.parts)
    table = Table(
        title=f"{result.protocol}: top-1, {parts}, {clips} in all"
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


def draw_comparison(cells: Sequence[Cell], path: Path | str) -> None:
    """Draw cells as bars with their 95 % intervals, as PNG, SVG or PDF by the path's suffix.

    A panel for each column and in it a bar for each row, the last in a colour of its own: a dashed
    line carries its mean past the others.
    """
    import matplotlib
    from matplotlib.figure import Figure

    columns, methods = _columns(cells), _methods(cells)
    names = [fill(_TITLES.get(method, method), _LINE) for method in methods]
    places, colours = range(len(methods)), [_ROWS] * (len(methods) - 1) + [_LAST]
    across = min(len(columns), _ACROSS)
    down = -(-len(columns) // across)
    left = 0.08 * max(len(line) for name in names for line in name.splitlines())
    size = (left + 2.4 * across, down * (1 + 0.28 * len(methods)))
    # The names are the user's: no dollar in them begins a formula.
    with matplotlib.rc_context({"text.parse_math": False}), atomic_file(Path(path)) as draft:
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flatten()
        for axes, column in zip(panels, columns, strict=False):
            there = {c.method: c for c in cells if (c.shots, c.test) == column}
            own = [there[method] for method in methods]
            means = [100 * cell.mean for cell in own]
            low = [max(0.0, m - 100 * c.interval.low) for m, c in zip(means, own, strict=True)]
            high = [max(0.0, 100 * c.interval.high - m) for m, c in zip(means, own, strict=True)]
            axes.barh(places, means, 0.7, xerr=[low, high], capsize=2, color=colours)
            axes.axvline(means[-1], color="0.4", linewidth=0.8, linestyle="--")
            axes.set_title(fill(heading(*column), _PANEL_LINE), fontsize="medium")
            axes.set_xlabel("top-1, %")
            axes.tick_params(labelbottom=True)
        panels[0].set_yticks(places, names)
        panels[0].set_ylim(len(methods) - 0.5, -0.5)  # the first row on top, as in the table
        for spare in panels[len(columns) :]:
            spare.set_axis_off()
        figure.savefig(draft, dpi=150)


def _methods(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.method for cell in cells))


def _columns(cells: Sequence[Cell]) -> list[tuple[int | None, str]]:
    return list(dict.fromkeys((cell.shots, cell.test) for cell in cells))


def _count(cell: Cell) -> str:
    """How many clips, and how many of them count as wrong unseen."""
    clips, failed = cell.seeds[0].clips, cell.seeds[0].failed
    return f"{clips} ({failed} failed)" if failed else str(clips)


def heading(shots: int | None, test: str) -> str:
    """Return what a column is called."""
    return test if shots is None else f"{test}, {counted(shots, 'shot')}"
