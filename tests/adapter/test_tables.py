import re
from itertools import pairwise
from pathlib import Path

import matplotlib
import pytest

from adapter.ablation import CHANGES
from adapter.baselines import TITLES
from adapter.compare import Cell, Spread
from adapter.statistics import Interval
from adapter.tables import draw_comparison


def cells(rows: list[str], tests: list[str]) -> list[Cell]:
    """Cells of a comparison with these rows and columns, of no training."""
    return [
        Cell(
            method=row,
            shots=None,
            test=test,
            seeds=[],
            mean=0.5,
            std=0.0,
            spread={"top1": Spread(0.5, 0.0)},
            interval=Interval(0.4, 0.6),
            behind=0.0,
            behind_interval=Interval(0.0, 0.0),
            p=1.0,
            p_seeds=None,
            new_labels=0,
        )
        for test in tests
        for row in rows
    ]


def texts(drawn: list[Cell], path: Path) -> dict[str, list[float]]:
    """Draw cells, and find all words of the picture with how far down each stands, in points."""
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        draw_comparison(drawn, path)
    found: dict[str, list[float]] = {}
    for down, text in re.findall(r' y="(\S+)"[^>]*>([^<]+)</text>', path.read_text()):
        found.setdefault(text.replace("&amp;", "&"), []).append(float(down))
    return found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("columns", [1, 3, 9])
@pytest.mark.parametrize(
    "rows", [list(TITLES), [*CHANGES, *map("corpus: {}".format, range(6)), "alt"]]
)
def test_every_row_of_a_picture_has_its_name_on_a_line_of_its_own(
    tmp_path: Path, rows: list[str], columns: int
) -> None:
    tests = [f"test {number}" for number in range(columns)]
    found = texts(cells(rows, tests), tmp_path / "x.svg")
    assert all(len(found[test]) == 1 for test in tests)
    titles = dict(TITLES.items())
    places = [found[titles.get(row, row)] for row in rows]
    # One line of panels below the other, four panels in each, and rows in their order.
    assert {len(place) for place in places} == {-(-columns // 4)}
    for one, following in pairwise(places):
        assert all(below - above >= 12 for above, below in zip(one, following, strict=True))


def test_a_dollar_in_a_name_is_drawn_as_it_is(tmp_path: Path) -> None:
    names = ["corpus: a$b_{$c (3 entities)", "alt"]
    found = texts(cells(names, ["$5 or $6", r"\$x_$"]), tmp_path / "x.svg")
    assert {names[0], "$5 or $6", r"\$x_$"} <= found.keys()
    draw_comparison(cells(names, ["$x_$"]), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
