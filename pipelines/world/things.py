# ruff: noqa: D103 - each function draws what its name says
"""Things: what a figure holds, pushes, opens, rides or plays.

Each function draws one thing about 1 unit high, standing on y = 0 around x = 0. `state` runs from
0 to 1 and means what the thing can do: closed to open, empty to full, down to up.
"""

import math

from pipelines.world.pen import DARK, LIGHT, SECOND, Pen, arc


def ball(pen: Pen, state: float) -> None:
    pen.disc(0, 0.5, 0.5)
    pen.poly([*arc(0, 0.5, 0.5, 0.5, 0.06, 0.44), *arc(0, 1.1, 0.62, 0.62, 0.62, 0.88)], SECOND)
    pen.poly([*arc(0, 0.5, 0.5, 0.5, 0.56, 0.94), *arc(0, -0.1, 0.62, 0.62, 0.12, 0.38)], SECOND)


def box(pen: Pen, state: float) -> None:
    pen.rect(-0.55, 0, 0.55, 0.8)
    pen.rect(-0.1, 0, 0.1, 0.8, SECOND)
    turn = math.radians(125 * state)
    c, s = math.cos(turn), math.sin(turn)
    lid = [(0.0, 0.0), (1.2, 0.0), (1.2, 0.16), (0.0, 0.16)]
    pen.poly([(-0.6 + x * c - y * s, 0.8 + x * s + y * c) for x, y in lid], SECOND)


def cart(pen: Pen, state: float) -> None:
    pen.poly([(-0.5, 0.75), (0.75, 0.75), (0.6, 0.3), (-0.35, 0.3)])
    for k in range(4):
        pen.rod((-0.3 + 0.27 * k, 0.34), (-0.36 + 0.32 * k, 0.72), 0.04, DARK)
    pen.path([(-0.4, 0.3), (-0.5, 0.75), (-0.8, 1.0)], 0.07, DARK)
    for x in (-0.25, 0.45):
        pen.disc(x, 0.14, 0.14, shade=DARK)
        pen.disc(x, 0.14, 0.06, shade=LIGHT)


def wheelbarrow(pen: Pen, state: float) -> None:
    pen.poly([(-0.45, 0.85), (0.8, 0.95), (0.4, 0.4), (-0.2, 0.4)])
    pen.path([(-1.0, 0.75), (-0.2, 0.4), (0.6, 0.25)], 0.08, DARK)
    pen.rod((-0.25, 0.4), (-0.4, 0.0), 0.08, DARK)
    pen.ring(0.65, 0.25, 0.25, 0.09, DARK)
    pen.disc(0.65, 0.25, 0.06, shade=SECOND)


def bicycle(pen: Pen, state: float) -> None:
    spin = math.tau * state
    for x in (-0.55, 0.55):
        pen.ring(x, 0.35, 0.35, 0.07, DARK)
        c, s = 0.3 * math.cos(spin), 0.3 * math.sin(spin)
        pen.rod((x - c, 0.35 - s), (x + c, 0.35 + s), 0.03, LIGHT)
        pen.rod((x + s, 0.35 - c), (x - s, 0.35 + c), 0.03, LIGHT)
    pen.path([(-0.55, 0.35), (-0.2, 0.85), (0.42, 0.85), (0, 0.35), (-0.2, 0.85)], 0.07)
    pen.path([(-0.55, 0.35), (0, 0.35)], 0.07)
    pen.path([(0.55, 0.35), (0.4, 1.0), (0.58, 1.08)], 0.07)
    pen.rod((-0.34, 0.92), (-0.06, 0.92), 0.1, DARK)


def guitar(pen: Pen, state: float) -> None:
    pen.disc(0, 0.25, 0.27, 0.25)
    pen.disc(0, 0.5, 0.19, 0.18)
    pen.disc(0, 0.38, 0.09, shade=DARK)
    pen.rect(-0.04, 0.5, 0.04, 1.05, SECOND)
    pen.rect(-0.09, 1.0, 0.09, 1.2, DARK)
    pen.rect(-0.12, 0.15, 0.12, 0.2, DARK)


def drum(pen: Pen, state: float) -> None:
    pen.rect(-0.6, 0.12, 0.6, 0.85)
    pen.disc(0, 0.12, 0.6, 0.13)
    for k in range(6):
        x = -0.6 + 0.2 * k
        pen.path([(x, 0.8), (x + 0.1, 0.08), (x + 0.2, 0.8)], 0.03, SECOND)
    pen.disc(0, 0.85, 0.6, 0.15, DARK)
    pen.disc(0, 0.86, 0.54, 0.12, LIGHT)


def kite(pen: Pen, state: float) -> None:
    pen.poly([(0, 1.0), (0.38, 0.6), (0, 0.0), (-0.38, 0.6)])
    pen.poly([(0, 1.0), (0.38, 0.6), (0, 0.6)], SECOND)
    pen.poly([(0, 0.0), (-0.38, 0.6), (0, 0.6)], SECOND)
    pen.path([(0, 0), (0.12, -0.15), (-0.05, -0.3), (0.12, -0.45)], 0.03, DARK)
    for x, y in ((0.05, -0.2), (0.05, -0.4)):
        pen.poly(
            [(x - 0.1, y - 0.05), (x + 0.1, y + 0.05), (x + 0.1, y - 0.05), (x - 0.1, y + 0.05)]
        )


def umbrella(pen: Pen, state: float) -> None:
    wide = 0.08 + 0.57 * state
    low = 0.35 + 0.2 * state
    pen.path([(0, 1.05), (0, 0.08), (0.06, 0.0), (0.13, 0.06)], 0.05, DARK)
    edge = [(wide * (1 - k / 3), low + (0.07 * state if k % 2 else 0.0)) for k in range(7)]
    pen.poly([*arc(0, low, wide, 1.0 - low, 0.0, 0.5), *reversed(edge)])
    pen.poly([*arc(0, low, wide * 0.36, 1.0 - low, 0.0, 0.5)], SECOND)


def hammer(pen: Pen, state: float) -> None:
    pen.rect(-0.06, 0, 0.06, 0.85, SECOND)
    pen.rect(-0.22, 0.72, 0.32, 1.0)
    pen.poly([(-0.22, 0.78), (-0.22, 1.0), (-0.42, 0.82)])


def axe(pen: Pen, state: float) -> None:
    pen.rect(-0.05, 0, 0.05, 1.0, SECOND)
    pen.poly([(0.05, 0.95), (0.45, 1.05), (0.52, 0.8), (0.45, 0.5), (0.05, 0.68)])
    pen.poly([(0.45, 1.05), (0.52, 0.8), (0.45, 0.5), (0.4, 0.8)], LIGHT)


def broom(pen: Pen, state: float) -> None:
    pen.rod((0, 0.3), (0, 1.25), 0.06, SECOND)
    pen.poly([(-0.09, 0.38), (0.09, 0.38), (0.26, 0.0), (-0.26, 0.0)])
    for x in (-0.15, -0.05, 0.05, 0.15):
        pen.rod((x, 0.02), (x * 0.4, 0.3), 0.02, DARK)


def shovel(pen: Pen, state: float) -> None:
    pen.rod((0, 0.4), (0, 1.15), 0.07, SECOND)
    pen.rod((-0.12, 1.17), (0.12, 1.17), 0.07, DARK)
    pen.poly([(-0.2, 0.45), (0.2, 0.45), (0.2, 0.15), (0, -0.02), (-0.2, 0.15)])


def rope(pen: Pen, state: float) -> None:
    sag = 2 * state - 1
    curve = [
        (0.5 * math.cos(a), 0.5 + sag * math.sin(a)) for a in (k * math.pi / 12 for k in range(13))
    ]
    pen.path(curve, 0.06)
    pen.path(curve[::2], 0.02, SECOND)
    for x in (-0.5, 0.5):
        pen.rod((x, 0.42), (x, 0.58), 0.09, DARK)


def ladder(pen: Pen, state: float) -> None:
    for k in range(6):
        pen.rod((-0.15, 0.1 + 0.16 * k), (0.15, 0.1 + 0.16 * k), 0.05, SECOND)
    pen.rod((-0.17, 0), (-0.17, 1.0), 0.06)
    pen.rod((0.17, 0), (0.17, 1.0), 0.06)


def chair(pen: Pen, state: float) -> None:
    pen.rod((-0.32, 0.0), (-0.32, 0.5), 0.09, DARK)
    pen.rod((0.3, 0.0), (0.3, 0.5), 0.09, DARK)
    pen.rect(-0.42, 0.55, -0.27, 1.1)
    pen.rect(-0.42, 0.45, 0.38, 0.58, SECOND)


def bench(pen: Pen, state: float) -> None:
    for x in (-0.7, 0.7):
        pen.rect(x - 0.08, 0, x + 0.08, 0.6, DARK)
    pen.rect(-0.95, 0.55, 0.95, 0.72)
    pen.rect(-0.95, 0.85, 0.95, 1.0)
    for x in (-0.75, 0.75):
        pen.rect(x - 0.05, 0.6, x + 0.05, 1.05, DARK)


def table(pen: Pen, state: float) -> None:
    for x in (-0.62, 0.62):
        pen.poly([(x - 0.07, 0.8), (x + 0.07, 0.8), (x + 0.04, 0), (x - 0.04, 0)], SECOND)
    pen.rect(-0.85, 0.8, 0.85, 0.95)
    pen.rect(-0.7, 0.68, 0.7, 0.8, DARK)


def door(pen: Pen, state: float) -> None:
    pen.rect(-0.3, 0, 0.3, 1.05, DARK)
    wide = 0.5 * (1 - 0.75 * state)
    skew = 0.12 * state
    pen.poly([(-0.25, 0), (-0.25 + wide, -skew / 2), (-0.25 + wide, 1.0 + skew / 2), (-0.25, 1.0)])
    for low in (0.1, 0.56):
        pen.rect(-0.25 + wide * 0.2, low, -0.25 + wide * 0.8, low + 0.33, SECOND)
    pen.disc(-0.25 + wide * 0.88, 0.49, 0.04, shade=LIGHT)


def book(pen: Pen, state: float) -> None:
    if state < 0.15:
        pen.rect(-0.35, 0, 0.35, 1.0)
        pen.rect(-0.35, 0, -0.24, 1.0, DARK)
        pen.rect(-0.1, 0.6, 0.22, 0.8, LIGHT)
        return
    wide = 0.7 * math.sin(math.pi / 2 * state)
    for side in (-1, 1):
        pen.poly([(0, 0.0), (side * wide, 0.18), (side * wide, 1.0), (0, 0.82)])
        pen.poly(
            [(0, 0.06), (side * wide * 0.92, 0.22), (side * wide * 0.92, 0.96), (0, 0.8)], LIGHT
        )
        for y in (0.3, 0.45, 0.6):
            pen.rod((side * wide * 0.15, y + 0.02), (side * wide * 0.78, y + 0.13), 0.03, DARK)


def cup(pen: Pen, state: float) -> None:
    pen.ring(0.42, 0.5, 0.3, 0.1)
    pen.poly([(-0.42, 0.95), (0.42, 0.95), (0.33, 0.0), (-0.33, 0.0)])
    pen.disc(0, 0.95, 0.42, 0.09, DARK)
    pen.poly([(-0.39, 0.6), (0.39, 0.6), (0.37, 0.4), (-0.37, 0.4)], SECOND)


def bottle(pen: Pen, state: float) -> None:
    pen.poly(
        [
            (-0.2, 0),
            (0.2, 0),
            (0.2, 0.58),
            (0.08, 0.75),
            (0.08, 1.0),
            (-0.08, 1.0),
            (-0.08, 0.75),
            (-0.2, 0.58),
        ]
    )
    pen.rect(-0.2, 0.15, 0.2, 0.42, LIGHT)
    pen.rect(-0.1, 0.95, 0.1, 1.08, DARK)


def apple(pen: Pen, state: float) -> None:
    pen.disc(-0.2, 0.42, 0.32, 0.42)
    pen.disc(0.2, 0.42, 0.32, 0.42)
    pen.path([(0, 0.7), (0.06, 1.05)], 0.08, DARK)
    pen.poly([(0.06, 0.9), (0.25, 1.12), (0.5, 1.08), (0.32, 0.88)], SECOND)


def hat(pen: Pen, state: float) -> None:
    pen.disc(0, 0.12, 0.95, 0.14)
    pen.poly([(-0.5, 0.12), (0.5, 0.12), (0.42, 0.85), (0.12, 0.72), (-0.12, 0.72), (-0.42, 0.85)])
    pen.poly([(-0.5, 0.14), (0.5, 0.14), (0.48, 0.32), (-0.48, 0.32)], DARK)


def crown(pen: Pen, state: float) -> None:
    pen.poly(
        [(-0.6, 0), (0.6, 0), (0.75, 0.9), (0.35, 0.45), (0, 1.0), (-0.35, 0.45), (-0.75, 0.9)]
    )
    for x, y in ((-0.75, 0.92), (0, 1.02), (0.75, 0.92)):
        pen.disc(x, y, 0.1, shade=SECOND)
    pen.rect(-0.6, 0, 0.6, 0.16, DARK)


def sword(pen: Pen, state: float) -> None:
    pen.poly([(-0.06, 0.25), (0.06, 0.25), (0.06, 1.1), (0, 1.25), (-0.06, 1.1)], LIGHT)
    pen.rod((-0.22, 0.25), (0.22, 0.25), 0.09)
    pen.rod((0, 0.02), (0, 0.22), 0.09, DARK)


def racket(pen: Pen, state: float) -> None:
    pen.rod((0, 0.02), (0, 0.45), 0.08, DARK)
    for k in range(-2, 3):
        pen.rod((0.09 * k, 0.56), (0.09 * k, 1.04), 0.02, LIGHT)
        pen.rod((-0.2, 0.8 + 0.11 * k), (0.2, 0.8 + 0.11 * k), 0.02, LIGHT)
    pen.ring(0, 0.8, 0.34, 0.08)


def frisbee(pen: Pen, state: float) -> None:
    pen.disc(0, 0.45, 1.0, 0.36, DARK)
    pen.disc(0, 0.52, 1.0, 0.36)
    pen.disc(0, 0.56, 0.66, 0.2, SECOND)


def skateboard(pen: Pen, state: float) -> None:
    pen.path([(-1.6, 0.95), (-1.2, 0.6), (1.2, 0.6), (1.6, 0.95)], 0.26)
    for x in (-0.9, 0.9):
        pen.disc(x, 0.25, 0.28, shade=DARK)
        pen.disc(x, 0.25, 0.12, shade=LIGHT)


def boat(pen: Pen, state: float) -> None:
    pen.rod((0, 0.2), (0, 1.2), 0.05, DARK)
    pen.poly([(0.05, 0.4), (0.6, 0.4), (0.05, 1.15)], LIGHT)
    pen.poly([(-0.05, 0.4), (-0.4, 0.4), (-0.05, 1.0)], SECOND)
    pen.poly([(-0.8, 0.32), (0.85, 0.32), (0.55, 0.0), (-0.5, 0.0)])


def car(pen: Pen, state: float) -> None:
    pen.poly([(-0.6, 0.5), (-0.38, 0.95), (0.35, 0.95), (0.6, 0.5)])
    pen.poly([(-0.45, 0.55), (-0.3, 0.87), (-0.03, 0.87), (-0.03, 0.55)], LIGHT)
    pen.poly([(0.45, 0.55), (0.28, 0.87), (0.05, 0.87), (0.05, 0.55)], LIGHT)
    pen.poly([(-1.0, 0.2), (1.0, 0.2), (1.0, 0.45), (0.6, 0.56), (-0.95, 0.56)])
    for x in (-0.58, 0.58):
        pen.disc(x, 0.2, 0.22, shade=DARK)
        pen.disc(x, 0.2, 0.1, shade=LIGHT)


def balloon(pen: Pen, state: float) -> None:
    pen.path([(0, 0.3), (0.05, 0.15), (-0.05, 0.0)], 0.03, DARK)
    pen.poly([(0, 0.36), (0.08, 0.27), (-0.08, 0.27)])
    pen.disc(0, 0.7, 0.3, 0.36)
    pen.disc(-0.1, 0.85, 0.06, 0.1, LIGHT)


def flag(pen: Pen, state: float) -> None:
    pen.rod((0, 0), (0, 1.5), 0.05, DARK)
    pen.disc(0, 1.52, 0.05, shade=LIGHT)
    low = 0.15 + 0.85 * state
    wave = [(0.02 + 0.07 * k, low + 0.03 * math.sin(k * 0.9)) for k in range(10)]
    pen.poly([*wave, *[(x, y + 0.45) for x, y in reversed(wave)]])
    pen.poly(
        [*[(x, y + 0.15) for x, y in wave], *[(x, y + 0.3) for x, y in reversed(wave)]], SECOND
    )


def lamp(pen: Pen, state: float) -> None:
    pen.disc(0, 0.06, 0.26, 0.07, DARK)
    pen.rod((0, 0.06), (0, 0.65), 0.07, DARK)
    pen.poly([(-0.4, 0.55), (0.4, 0.55), (0.2, 1.05), (-0.2, 1.05)])
    pen.poly([(-0.4, 0.55), (0.4, 0.55), (0.36, 0.66), (-0.36, 0.66)], SECOND)


def bucket(pen: Pen, state: float) -> None:
    pen.path(arc(0, 0.75, 0.42, 0.4, 0.0, 0.5), 0.05, DARK)
    pen.poly([(-0.45, 0.78), (0.45, 0.78), (0.3, 0), (-0.3, 0)])
    pen.disc(0, 0.78, 0.45, 0.1, DARK)
    pen.poly([(-0.38, 0.4), (0.38, 0.4), (0.35, 0.25), (-0.35, 0.25)], SECOND)


def basket(pen: Pen, state: float) -> None:
    pen.path(arc(0, 0.45, 0.55, 0.6, 0.0, 0.5), 0.08, DARK)
    pen.poly([(-0.65, 0.5), *arc(0, 0.5, 0.65, 0.5, 0.5, 1.0)])
    for k in range(-2, 3):
        pen.rod((0.22 * k, 0.12 + 0.03 * abs(k)), (0.24 * k, 0.45), 0.04, DARK)
    pen.rect(-0.68, 0.42, 0.68, 0.55, SECOND)


def suitcase(pen: Pen, state: float) -> None:
    turn = math.radians(110 * state)
    c, s = math.cos(turn), math.sin(turn)
    if state > 0.1:
        lid = [(0.0, 0.0), (1.3, 0.0), (1.3, 0.25), (0.0, 0.25)]
        pen.poly([(-0.65 + x * c - y * s, 0.62 + x * s + y * c) for x, y in lid], SECOND)
        pen.rect(-0.65, 0, 0.65, 0.62)
    else:
        pen.path([(-0.2, 0.85), (-0.2, 1.02), (0.2, 1.02), (0.2, 0.85)], 0.07, DARK)
        pen.rect(-0.65, 0, 0.65, 0.87)
    for x in (-0.38, 0.38):
        pen.rect(x - 0.06, 0, x + 0.06, 0.62 if state > 0.1 else 0.87, DARK)
    pen.disc(0, 0.5, 0.06, shade=LIGHT)


def piano(pen: Pen, state: float) -> None:
    pen.rect(-0.6, 0.0, 0.7, 1.0)
    pen.poly([(-0.75, 0.42), (0.6, 0.42), (0.6, 0.58), (-0.75, 0.58)], LIGHT)
    for k in range(7):
        pen.rect(-0.65 + 0.18 * k, 0.48, -0.56 + 0.18 * k, 0.58, DARK)
    pen.rect(-0.65, 0.92, 0.75, 1.02, DARK)
    pen.rect(-0.7, 0.0, -0.6, 0.42, DARK)
    pen.rect(-0.2, 0.66, 0.3, 0.86, SECOND)


def trumpet(pen: Pen, state: float) -> None:
    pen.poly([(0.35, 0.55), (0.75, 0.95), (0.85, 0.95), (0.85, 0.05), (0.75, 0.05), (0.35, 0.45)])
    pen.rod((-0.85, 0.5), (0.4, 0.5), 0.12)
    pen.ring(-0.1, 0.35, 0.3, 0.1)
    for x in (-0.25, -0.1, 0.05):
        pen.rod((x, 0.5), (x, 0.85), 0.09, DARK)
    pen.rod((-0.9, 0.42), (-0.9, 0.58), 0.08, DARK)


def accordion(pen: Pen, state: float) -> None:
    wide = 0.35 + 0.35 * state
    for k in range(6):
        x = -wide + k * wide / 3
        pen.poly(
            [
                (x, 0.06),
                (x + wide / 6, 0.16),
                (x + wide / 3, 0.06),
                (x + wide / 3, 0.94),
                (x + wide / 6, 0.84),
                (x, 0.94),
            ],
            DARK if k % 2 else SECOND,
        )
    for side in (-1, 1):
        pen.rect(side * wide - 0.14, 0, side * wide + 0.14, 1.0)
        for y in (0.2, 0.4, 0.6, 0.8):
            pen.disc(side * wide, y, 0.05, shade=LIGHT)


def barbell(pen: Pen, state: float) -> None:
    pen.rod((-1.3, 0.5), (1.3, 0.5), 0.1, DARK)
    for x in (-1.05, 1.05):
        pen.rect(x - 0.12, 0.0, x + 0.12, 1.0)
        inner = x * 0.8
        pen.rect(inner - 0.09, 0.15, inner + 0.09, 0.85, SECOND)


def hoop(pen: Pen, state: float) -> None:
    pen.ring(0, 0.5, 0.5, 0.09)
    for k in range(6):
        a = math.tau * (k / 6 + state)
        pen.disc(0.455 * math.cos(a), 0.5 + 0.455 * math.sin(a), 0.05, shade=SECOND)


def bow(pen: Pen, state: float) -> None:
    pull = -0.35 * state
    pen.path(arc(-0.1, 0.5, 0.35, 0.55, -0.25, 0.25), 0.07)
    pen.path([(-0.1, 1.05), (-0.1 + pull, 0.5), (-0.1, -0.05)], 0.025, DARK)
    pen.rod((-0.15 + pull, 0.5), (0.5 + pull, 0.5), 0.04, SECOND)
    pen.poly([(0.5 + pull, 0.58), (0.68 + pull, 0.5), (0.5 + pull, 0.42)], DARK)


def tent(pen: Pen, state: float) -> None:
    pen.poly([(-0.9, 0), (0.9, 0), (0, 1.0)])
    pen.poly([(-0.3, 0), (0.3, 0), (0, 0.75)], DARK)
    pen.poly([(0.3, 0), (0.5, 0), (0, 0.75)], SECOND)
    pen.rod((0, 0.95), (0, 1.1), 0.04, DARK)


def television(pen: Pen, state: float) -> None:
    pen.path([(-0.3, 1.15), (0, 0.85), (0.3, 1.15)], 0.04, DARK)
    pen.rect(-0.65, 0.05, 0.65, 0.88)
    pen.rect(-0.55, 0.15, 0.3, 0.78, LIGHT)
    pen.poly([(-0.5, 0.2), (0.1, 0.2), (-0.5, 0.7)], SECOND)
    for y in (0.6, 0.4):
        pen.disc(0.47, y, 0.07, shade=DARK)
    for x in (-0.4, 0.4):
        pen.rect(x - 0.06, 0, x + 0.06, 0.06, DARK)


def clock(pen: Pen, state: float) -> None:
    pen.disc(0, 0.5, 0.5)
    pen.disc(0, 0.5, 0.4, shade=LIGHT)
    for k in range(12):
        a = math.tau * k / 12
        pen.disc(0.33 * math.cos(a), 0.5 + 0.33 * math.sin(a), 0.03, shade=DARK)
    a = math.tau * state
    pen.rod((0, 0.5), (0.28 * math.sin(a), 0.5 + 0.28 * math.cos(a)), 0.05, DARK)
    pen.rod((0, 0.5), (0.2 * math.cos(a), 0.5 + 0.2 * math.sin(a)), 0.05, DARK)


def kettle(pen: Pen, state: float) -> None:
    pen.path(arc(0, 0.6, 0.38, 0.42, 0.02, 0.48), 0.08, DARK)
    pen.poly([(0.3, 0.2), (0.75, 0.65), (0.6, 0.72), (0.3, 0.48)])
    pen.poly([*arc(0, 0.0, 0.5, 0.7, 0.0, 0.5)])
    pen.disc(0, 0.72, 0.09, shade=DARK)
    pen.rect(-0.5, 0, 0.5, 0.1, SECOND)


def cake(pen: Pen, state: float) -> None:
    pen.disc(0, 0.03, 0.75, 0.07, DARK)
    pen.rect(-0.6, 0.05, 0.6, 0.4)
    pen.poly(
        [(-0.6, 0.4), *[(-0.6 + 0.12 * k, 0.4 - (0.1 if k % 2 else 0)) for k in range(11)]], LIGHT
    )
    pen.rect(-0.4, 0.4, 0.4, 0.7, SECOND)
    for x in (-0.22, 0, 0.22):
        pen.rod((x, 0.72), (x, 0.92), 0.06, LIGHT)
        pen.poly([(x - 0.05, 0.95), (x + 0.05, 0.95), (x, 1.1)], DARK)


def flower(pen: Pen, state: float) -> None:
    pen.rod((0, 0), (0, 0.7), 0.06, DARK)
    pen.poly([(0, 0.15), (0.3, 0.42), (0.1, 0.38)], DARK)
    pen.poly([(0, 0.1), (-0.3, 0.35), (-0.1, 0.32)], DARK)
    for k in range(6):
        a = math.tau * k / 6
        pen.disc(0.22 * math.cos(a), 0.8 + 0.22 * math.sin(a), 0.14)
    pen.disc(0, 0.8, 0.13, shade=SECOND)


def sled(pen: Pen, state: float) -> None:
    pen.path([(-1.0, 0.08), (0.9, 0.08), (1.2, 0.3), (1.1, 0.6)], 0.13, DARK)
    for x in (-0.7, 0.0, 0.7):
        pen.rod((x, 0.1), (x, 0.55), 0.11, DARK)
    pen.rect(-1.0, 0.5, 1.0, 0.72)
    pen.rect(-1.0, 0.62, 1.0, 0.72, SECOND)


def mushroom(pen: Pen, state: float) -> None:
    pen.poly([(-0.18, 0), (0.18, 0), (0.14, 0.6), (-0.14, 0.6)], LIGHT)
    pen.poly(arc(0, 0.5, 0.6, 0.5, 0.0, 0.5))
    for x, y in ((-0.3, 0.65), (0.02, 0.82), (0.3, 0.62)):
        pen.disc(x, y, 0.09, shade=SECOND)


DRAW = {
    draw.__name__: draw
    for draw in (
        accordion, apple, axe, ball, balloon, barbell, basket, bench, bicycle, boat, book, bottle,
        bow, box, broom, bucket, cake, car, cart, chair, clock, crown, cup, door, drum, flag,
        flower, frisbee, guitar, hammer, hat, hoop, kettle, kite, ladder, lamp, mushroom, piano,
        racket, rope, shovel, skateboard, sled, suitcase, sword, table, television, tent, trumpet,
        umbrella, wheelbarrow,
    )
}  # fmt: skip
