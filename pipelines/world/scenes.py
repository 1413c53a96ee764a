# ruff: noqa: D103 - each function draws what its name says
"""Scenes: what lies behind the figure, wide enough for every camera.

Drawn in figure heights: ground level (where feet are) is y = 0, the floor goes down to -1, the
view is about 2 wide. Shades: MAIN the upper part, SECOND the ground, LEGS and HAIR two accents.
"""

import math
from collections.abc import Callable

import numpy as np

from pipelines.world.pen import DARK, HAIR, LEGS, LIGHT, MAIN, SECOND, Pen, arc

WIDE, HIGH, LOW = 2.6, 2.6, -1.4


def _halves(pen: Pen, horizon: float) -> None:
    pen.rect(-WIDE, horizon, WIDE, HIGH, MAIN)
    pen.rect(-WIDE, LOW, WIDE, horizon, SECOND)


def beach(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.15)
    pen.rect(-WIDE, 0.15, WIDE, 0.5, LEGS)
    for y in (0.2, 0.3, 0.4):
        shift = rng.uniform(0, 0.4)
        wave = [(-WIDE + 0.1 * k, y + 0.025 * math.sin(1.6 * k + shift)) for k in range(53)]
        pen.poly([*wave, *[(x, y2 - 0.03) for x, y2 in reversed(wave)]], LIGHT)
    for x in (rng.uniform(-1.2, -0.5), rng.uniform(0.6, 1.3)):
        pen.path([(x, 0.05), (x + 0.06, 0.6), (x + 0.2, 1.1)], 0.09, HAIR)
        for k in range(6):
            a = math.tau * (k / 6 + 0.05)
            tip = (x + 0.2 + 0.42 * math.cos(a), 1.08 + 0.25 * math.sin(a))
            pen.poly([(x + 0.2, 1.14), tip, (x + 0.2, 1.04)], DARK)
    pen.disc(rng.uniform(-0.7, 0.7), 1.6, 0.14, shade=LIGHT)


def forest(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.2)
    for k in range(13):
        x, high = -2.2 + 0.36 * k + rng.uniform(-0.1, 0.1), rng.uniform(1.0, 1.6)
        pen.rect(x - 0.05, 0.1, x + 0.05, 0.5, HAIR)
        for step in range(3):
            low = 0.35 + step * (high - 0.35) / 4
            wide = 0.3 - 0.07 * step
            pen.poly([(x - wide, low), (x + wide, low), (x, low + 0.5)], LEGS if k % 2 else DARK)


def kitchen(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.1)
    for k in range(15):
        pen.rect(-WIDE, 0.72 + 0.07 * k, WIDE, 0.725 + 0.07 * k, DARK)
    pen.rect(-WIDE, 0.1, WIDE, 0.65, LEGS)
    pen.rect(-WIDE, 0.62, WIDE, 0.7, LIGHT)
    shift = rng.uniform(-0.2, 0.2)
    for k in range(8):
        x = -2.2 + 0.6 * k + shift
        pen.rect(x, 0.16, x + 0.5, 0.56, HAIR)
        pen.disc(x + 0.43, 0.45, 0.03, shade=DARK)
        pen.rect(x, 1.3, x + 0.5, 1.85, HAIR)
        pen.disc(x + 0.43, 1.4, 0.03, shade=DARK)
    x = shift + rng.uniform(-0.6, 0.6)
    pen.rect(x - 0.3, 0.1, x + 0.3, 0.72, DARK)
    pen.rect(x - 0.22, 0.2, x + 0.22, 0.5, LIGHT)


def street(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.1)
    x = -2.4
    while x < 2.4:
        wide, high = rng.uniform(0.4, 0.7), rng.uniform(1.0, 1.9)
        pen.rect(x, 0.1, x + wide, high, LEGS if rng.random() < 0.5 else HAIR)
        for row in range(int((high - 0.3) / 0.24)):
            for column in range(int(wide / 0.2)):
                left, low = x + 0.06 + 0.2 * column, 0.3 + 0.24 * row
                pen.rect(left, low, left + 0.1, low + 0.14, LIGHT if rng.random() < 0.6 else DARK)
        x += wide + 0.04
    for k in range(10):
        pen.rect(-2.4 + 0.5 * k, -0.28, -2.15 + 0.5 * k, -0.23, LIGHT)


def gymnasium(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.15)
    shift = rng.uniform(-0.3, 0.3)
    for k in range(6):
        x = -2.1 + 0.8 * k + shift
        for bar in range(8):
            pen.rect(x, 0.3 + 0.16 * bar, x + 0.5, 0.35 + 0.16 * bar, LEGS)
        for side in (x, x + 0.5):
            pen.rect(side - 0.03, 0.2, side + 0.03, 1.6, DARK)
    x = shift + rng.uniform(-0.8, 0.8)
    pen.rect(x - 0.3, 1.25, x + 0.3, 1.7, LIGHT)
    pen.rect(x - 0.12, 1.3, x + 0.12, 1.5, DARK)
    for y in (-0.1, -0.35):
        pen.rect(-WIDE, y - 0.02, WIDE, y + 0.02, LIGHT)


def desert(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.1)
    for k in range(5):
        x = -2 + 0.9 * k + rng.uniform(-0.3, 0.3)
        pen.poly(
            arc(x, 0.08, rng.uniform(0.6, 1.1), rng.uniform(0.2, 0.5), 0.0, 0.5),
            LEGS if k % 2 else SECOND,
        )
    for x in (rng.uniform(-1.3, -0.6), rng.uniform(0.0, 0.5), rng.uniform(0.8, 1.4)):
        pen.rod((x, 0.05), (x, 0.75), 0.14, HAIR)
        pen.path([(x, 0.3), (x + 0.2, 0.35), (x + 0.2, 0.6)], 0.1, HAIR)
        pen.path([(x, 0.4), (x - 0.19, 0.45), (x - 0.19, 0.62)], 0.1, HAIR)
    pen.disc(rng.uniform(-0.8, 0.8), 1.55, 0.2, shade=LIGHT)


def meadow(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.25)
    for k in range(4):
        pen.poly(arc(-1.8 + 1.2 * k, 0.2, 0.9, rng.uniform(0.2, 0.45), 0.0, 0.5), LEGS)
    for _ in range(3):
        x, y = rng.uniform(-1.4, 1.4), rng.uniform(1.2, 1.7)
        for dx, size in ((-0.16, 0.1), (0, 0.15), (0.16, 0.1)):
            pen.disc(x + dx, y, size * 1.3, size, LIGHT)
    for _ in range(46):
        x, y = rng.uniform(-2, 2), rng.uniform(-0.6, 0.2)
        pen.poly([(x - 0.03, y), (x + 0.03, y), (x + rng.uniform(-0.05, 0.05), y + 0.16)], HAIR)


def stage(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.1)
    for x in (rng.uniform(-0.7, -0.3), rng.uniform(0.3, 0.7)):
        pen.poly(
            [(x - 0.07, HIGH), (x + 0.07, HIGH), (x * 0.4 + 0.4, 0.1), (x * 0.4 - 0.4, 0.1)], LIGHT
        )
    for side in (-1, 1):
        for k in range(6):
            x = side * (0.85 + 0.16 * k)
            pen.poly(
                [(x - 0.09, HIGH), (x + 0.09, HIGH), (x + 0.1, 0.05), (x - 0.1, 0.05)],
                LEGS if k % 2 else HAIR,
            )
    for k in range(9):
        pen.poly(arc(-1.8 + 0.45 * k, 1.75, 0.24, 0.3, 0.5, 1.0), HAIR)
    pen.rect(-WIDE, 1.75, WIDE, HIGH, LEGS)
    for k in range(12):
        pen.rect(-2.2 + 0.4 * k, LOW, -2.18 + 0.4 * k, 0.1, DARK)
    pen.rect(-WIDE, -0.36, WIDE, -0.3, DARK)


def library(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.05)
    for shelf in range(5):
        y = 0.1 + 0.36 * shelf
        x = -2.1
        while x < 2.1:
            wide, high = rng.uniform(0.06, 0.12), rng.uniform(0.2, 0.3)
            pen.rect(x, y, x + wide, y + high, (LEGS, HAIR, LIGHT, DARK)[int(rng.integers(4))])
            x += wide + 0.012
        pen.rect(-WIDE, y - 0.05, WIDE, y, DARK)
    for k in range(4):
        x = -1.8 + 1.15 * k
        pen.rect(x - 0.04, 0.05, x + 0.04, 1.95, DARK)


def bedroom(pen: Pen, rng: np.random.Generator) -> None:
    _halves(pen, 0.12)
    for k in range(16):
        pen.rect(-2.2 + 0.3 * k, 0.12, -2.14 + 0.3 * k, HIGH, HAIR)
    x = rng.uniform(0.3, 0.8) * (1 if rng.random() < 0.5 else -1)
    pen.rect(x - 0.35, 0.9, x + 0.35, 1.6, LIGHT)
    pen.rect(x - 0.02, 0.9, x + 0.02, 1.6, DARK)
    pen.rect(x - 0.35, 1.23, x + 0.35, 1.27, DARK)
    for side in (-1, 1):
        pen.poly([(x + side * 0.42, 1.65), (x + side * 0.2, 1.65), (x + side * 0.42, 0.8)], LEGS)
    x = -x
    pen.rect(x - 0.75, 0.1, x + 0.75, 0.38, LEGS)
    pen.rect(x - 0.82, 0.0, x - 0.72, 0.75, DARK)
    pen.rect(x + 0.72, 0.0, x + 0.8, 0.5, DARK)
    pen.disc(x - 0.5, 0.45, 0.2, 0.1, LIGHT)


DRAW: dict[str, Callable[[Pen, np.random.Generator], None]] = {
    draw.__name__: draw
    for draw in (
        beach, bedroom, desert, forest, gymnasium, kitchen, library, meadow, stage, street,
    )
}  # fmt: skip
