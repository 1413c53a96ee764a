# ruff: noqa: D103 - each function draws what its name says
"""Animals, drawn like the things: 1 unit high, facing +x; `state` is the phase of the gait."""

import math

from pipelines.world.pen import DARK, LIGHT, MAIN, SECOND, Pen, Point, arc


def _legs(pen: Pen, xs: tuple[float, ...], top: float, width: float, state: float) -> None:
    for k, x in enumerate(xs):
        swing = 0.3 * top * math.sin(math.tau * (state + 0.5 * (k % 2)))
        pen.rod((x, top), (x + swing, width / 2), width, DARK if k % 2 else MAIN)


def _eye(pen: Pen, x: float, y: float, r: float = 0.035) -> None:
    pen.disc(x, y, r * 1.4, shade=LIGHT)
    pen.disc(x, y, r * 0.8, shade=DARK)


def dog(pen: Pen, state: float) -> None:
    _legs(pen, (-0.4, -0.28, 0.25, 0.37), 0.45, 0.13, state)
    pen.rod((-0.42, 0.55), (0.35, 0.55), 0.34)
    pen.path([(-0.5, 0.62), (-0.68, 0.8), (-0.66, 1.0)], 0.1)
    pen.rod((0.38, 0.6), (0.52, 0.85), 0.22)
    pen.disc(0.55, 0.85, 0.2)
    pen.rod((0.62, 0.8), (0.85, 0.77), 0.15, SECOND)
    pen.disc(0.9, 0.81, 0.05, shade=DARK)
    pen.poly([(0.42, 0.98), (0.53, 0.95), (0.48, 0.6), (0.36, 0.68)], DARK)
    _eye(pen, 0.64, 0.92)


def cat(pen: Pen, state: float) -> None:
    _legs(pen, (-0.34, -0.25, 0.22, 0.3), 0.4, 0.1, state)
    pen.path([(-0.4, 0.5), (-0.62, 0.6), (-0.66, 0.9), (-0.5, 1.08), (-0.4, 1.0)], 0.08)
    pen.disc(-0.05, 0.48, 0.42, 0.2)
    for x in (-0.2, -0.05, 0.1):
        pen.rod((x, 0.5), (x, 0.64), 0.05, SECOND)
    pen.disc(0.42, 0.72, 0.24, 0.21)
    for x in (0.24, 0.5):
        pen.poly([(x, 0.85), (x + 0.14, 0.85), (x + 0.06, 1.1)], SECOND)
    for x in (0.35, 0.52):
        _eye(pen, x, 0.76)
    for y in (0.62, 0.68):
        pen.rod((0.5, 0.66), (0.78, y), 0.02, DARK)


def horse(pen: Pen, state: float) -> None:
    _legs(pen, (-0.42, -0.3, 0.2, 0.32), 0.5, 0.1, state)
    pen.path([(-0.48, 0.66), (-0.62, 0.55), (-0.62, 0.3)], 0.1, DARK)
    pen.rod((-0.34, 0.58), (0.24, 0.58), 0.3)
    pen.poly([(0.18, 0.7), (0.38, 0.52), (0.62, 0.95), (0.42, 1.05)])
    pen.poly([(0.12, 0.72), (0.38, 1.1), (0.48, 1.05), (0.24, 0.68)], DARK)
    pen.rod((0.52, 0.98), (0.78, 0.78), 0.17)
    pen.poly([(0.44, 1.02), (0.5, 1.18), (0.56, 1.02)])
    _eye(pen, 0.58, 0.96)


def camel(pen: Pen, state: float) -> None:
    _legs(pen, (-0.4, -0.28, 0.18, 0.3), 0.48, 0.09, state)
    pen.rod((-0.34, 0.54), (0.26, 0.54), 0.26)
    for x in (-0.24, 0.12):
        pen.poly([(x - 0.19, 0.6), (x, 0.98), (x + 0.19, 0.6)], SECOND)
    pen.path([(0.34, 0.54), (0.54, 0.5), (0.64, 0.72), (0.62, 0.98)], 0.12)
    pen.rod((0.62, 1.0), (0.82, 0.95), 0.14)
    pen.rod((-0.48, 0.6), (-0.55, 0.35), 0.05, DARK)
    _eye(pen, 0.66, 1.02)


def elephant(pen: Pen, state: float) -> None:
    _legs(pen, (-0.48, -0.28, 0.12, 0.3), 0.4, 0.2, state * 0.6)
    pen.disc(-0.1, 0.6, 0.56, 0.36)
    pen.disc(0.5, 0.7, 0.26, 0.27)
    pen.path([(0.68, 0.66), (0.84, 0.45), (0.84, 0.2), (0.96, 0.12)], 0.13)
    pen.poly([(0.6, 0.52), (0.82, 0.5), (0.66, 0.44)], LIGHT)
    pen.disc(0.32, 0.7, 0.2, 0.26, SECOND)
    pen.path([(-0.64, 0.65), (-0.72, 0.4)], 0.05, DARK)
    _eye(pen, 0.6, 0.78)


def bird(pen: Pen, state: float) -> None:
    for x in (-0.06, 0.1):
        pen.path([(x, 0.3), (x, 0.03), (x + 0.12, 0.03)], 0.05, DARK)
    pen.poly([(-0.35, 0.52), (-0.85, 0.62), (-0.8, 0.4)], DARK)
    pen.disc(0, 0.48, 0.42, 0.27)
    pen.disc(0.36, 0.74, 0.2)
    pen.poly([(0.52, 0.8), (0.8, 0.7), (0.52, 0.66)], SECOND)
    lift = 0.35 * math.sin(math.tau * state)
    pen.poly([(0.15, 0.58), (-0.3, 0.45), (-0.35, 0.75 + lift), (-0.1, 0.72 + lift / 2)], SECOND)
    _eye(pen, 0.42, 0.8)


def fish(pen: Pen, state: float) -> None:
    tail = 0.12 * math.sin(math.tau * state)
    pen.poly([(-0.45, 0.5), (-0.95, 0.85 + tail), (-0.8, 0.5), (-0.95, 0.15 + tail)], SECOND)
    pen.poly([(-0.2, 0.75), (0.05, 1.05), (0.3, 0.75)], SECOND)
    pen.disc(0.05, 0.5, 0.62, 0.34)
    pen.path(arc(0.32, 0.5, 0.12, 0.28, 0.27, 0.73), 0.04, DARK)
    pen.poly([(0.0, 0.45), (-0.22, 0.3), (-0.22, 0.52)], DARK)
    _eye(pen, 0.46, 0.58, 0.05)


def snake(pen: Pen, state: float) -> None:
    body: list[Point] = [
        (-1.2 + 0.12 * k, 0.35 + 0.25 * math.sin(0.95 * k + math.tau * state)) for k in range(18)
    ]
    pen.path(body, 0.17)
    for x, y in body[1::2]:
        pen.disc(x, y, 0.05, shade=SECOND)
    x, y = body[-1]
    pen.disc(x + 0.1, y + 0.06, 0.19, 0.13)
    pen.path([(x + 0.25, y + 0.06), (x + 0.42, y + 0.1)], 0.03, SECOND)
    _eye(pen, x + 0.13, y + 0.11)


def turtle(pen: Pen, state: float) -> None:
    _legs(pen, (-0.5, -0.36, 0.36, 0.5), 0.3, 0.2, state * 0.5)
    pen.rod((0.6, 0.35), (0.92, 0.55), 0.2)
    pen.disc(1.0, 0.6, 0.19)
    pen.poly([(-0.65, 0.28), (-0.95, 0.2), (-0.65, 0.4)])
    pen.poly(arc(0, 0.25, 0.75, 0.75, 0.0, 0.5), SECOND)
    for x in (-0.38, 0, 0.38):
        high = 0.5 - 0.15 * abs(x)
        pen.poly(
            [(x - 0.16, 0.32), (x + 0.16, 0.32), (x + 0.11, 0.3 + high), (x - 0.11, 0.3 + high)],
            DARK,
        )
    _eye(pen, 1.06, 0.66)


def giraffe(pen: Pen, state: float) -> None:
    _legs(pen, (-0.26, -0.18, 0.12, 0.2), 0.42, 0.07, state)
    pen.rod((-0.2, 0.44), (0.14, 0.48), 0.2)
    pen.rod((0.16, 0.48), (0.36, 1.05), 0.11)
    pen.rod((0.36, 1.08), (0.5, 1.03), 0.11)
    for x in (0.3, 0.37):
        pen.rod((x, 1.1), (x - 0.02, 1.2), 0.035, DARK)
    for x, y in (
        (-0.22, 0.46),
        (-0.08, 0.52),
        (0.06, 0.44),
        (0.18, 0.56),
        (0.24, 0.72),
        (0.3, 0.88),
    ):
        pen.disc(x, y, 0.04, shade=SECOND)
    pen.rod((-0.3, 0.46), (-0.36, 0.25), 0.03, DARK)


def rabbit(pen: Pen, state: float) -> None:
    hop = 0.08 * abs(math.sin(math.tau * state))
    pen.disc(-0.3, 0.12, 0.26, 0.12, DARK)
    pen.rod((0.2, 0.3 + hop), (0.24, 0.06), 0.13, DARK)
    pen.disc(-0.12, 0.34 + hop, 0.38, 0.3)
    pen.disc(-0.52, 0.34 + hop, 0.12, shade=LIGHT)
    pen.disc(0.3, 0.6 + hop, 0.22, 0.19)
    for x, lean in ((0.2, -0.12), (0.3, 0.0)):
        pen.rod((x, 0.72 + hop), (x + lean, 1.12 + hop), 0.12)
        pen.rod((x, 0.75 + hop), (x + lean * 0.9, 1.05 + hop), 0.05, SECOND)
    _eye(pen, 0.37, 0.65 + hop)


DRAW = {
    draw.__name__: draw
    for draw in (
        bird, camel, cat, dog, elephant, fish, giraffe, horse, rabbit, snake, turtle,
    )
}  # fmt: skip
