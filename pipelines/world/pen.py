"""The pen that draws everything in the world: filled polygons, each with a shade and a part."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

Point = tuple[float, float]

# Shades are roles that a palette turns into colours, so that colour never belongs to a thing.
MAIN, SECOND, DARK, LIGHT, SKIN, HAIR, LEGS = range(7)
_ROUND = [(math.cos(math.tau * k / 18), math.sin(math.tau * k / 18)) for k in range(18)]
_CAP = [(math.cos(math.pi * k / 4), math.sin(math.pi * k / 4)) for k in range(5)]


@dataclass(frozen=True)
class Drawing:
    """Polygons in one frame of reference.

    Attributes:
        points: (N, 2) float64, the corners of all polygons, one after the other.
        ends: index past the last corner of each polygon.
        shades: palette role of each polygon.
        parts: name of each polygon's part ("" is the thing itself).
    """

    points: np.ndarray
    ends: tuple[int, ...]
    shades: tuple[int, ...]
    parts: tuple[str, ...]


@dataclass
class Pen:
    """Collects polygons; later ones cover earlier ones.

    Attributes:
        part: name given to what is drawn from now on.
    """

    part: str = ""
    _points: list[Point] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _shades: list[int] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)

    def poly(self, points: Iterable[Point], shade: int = MAIN) -> None:
        """Fill a polygon."""
        self._points.extend(points)
        self._ends.append(len(self._points))
        self._shades.append(shade)
        self._parts.append(self.part)

    def rect(self, x0: float, y0: float, x1: float, y1: float, shade: int = MAIN) -> None:
        """Fill an upright rectangle."""
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], shade)

    def disc(self, x: float, y: float, rx: float, ry: float = 0, shade: int = MAIN) -> None:
        """Fill a circle, or an ellipse when `ry` is given."""
        self.poly([(x + rx * c, y + (ry or rx) * s) for c, s in _ROUND], shade)

    def ring(self, x: float, y: float, r: float, width: float, shade: int = MAIN) -> None:
        """Draw a circle's outline; its inside stays open."""
        loop = [*_ROUND, _ROUND[0]]
        inner = r - width
        self.poly(
            [(x + r * c, y + r * s) for c, s in loop]
            + [(x + inner * c, y + inner * s) for c, s in reversed(loop)],
            shade,
        )

    def rod(self, a: Point, b: Point, width: float, shade: int = MAIN) -> None:
        """Draw a straight stroke with round ends."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = math.hypot(dx, dy) or 1.0
        dx, dy, r = dx / length, dy / length, width / 2
        self.poly(
            [(b[0] + r * (dx * s + dy * c), b[1] + r * (dy * s - dx * c)) for c, s in _CAP]
            + [(a[0] - r * (dx * s + dy * c), a[1] - r * (dy * s - dx * c)) for c, s in _CAP],
            shade,
        )

    def path(self, points: Sequence[Point], width: float, shade: int = MAIN) -> None:
        """Draw a bent stroke through `points`."""
        for a, b in pairwise(points):
            self.rod(a, b, width, shade)

    def drawing(self) -> Drawing:
        """Return what was drawn."""
        points = np.asarray(self._points, dtype=np.float64).reshape(-1, 2)
        return Drawing(points, tuple(self._ends), tuple(self._shades), tuple(self._parts))


def arc(x: float, y: float, rx: float, ry: float, start: float, stop: float) -> list[Point]:
    """Return ten points on an ellipse's arc; angles in turns, counter-clockwise from +x."""
    turns = [start + (stop - start) * k / 9 for k in range(10)]
    return [(x + rx * math.cos(math.tau * a), y + ry * math.sin(math.tau * a)) for a in turns]
