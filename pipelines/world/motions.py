# ruff: noqa: D103 - each function moves what its name says
"""How actions move: each motion says where the figure and the acting thing are at a time.

A motion is a function of the progress u in 0..1 and the beat (an angle that turns several times
a clip). A motion that comes with an opposite is played backwards for it, so that such a pair has
the same frames and only time tells them apart.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from pipelines.world.entities import ENTITIES
from pipelines.world.figure import Pose
from pipelines.world.pen import Point


@dataclass(frozen=True)
class Placed:
    """A thing's place: the point of the drawing's frame `pin` lies at (x, y), in figure heights."""

    name: str
    x: float
    y: float
    angle: float = 0.0
    state: float = 0.0
    scale: float = 1.0
    pin: Point = (0.0, 0.0)
    front: bool = False


@dataclass(frozen=True)
class Moment:
    """One instant of an action: the pose, the acting things, and the strings between points."""

    pose: Pose
    things: tuple[Placed, ...] = ()
    strings: tuple[tuple[Point, Point], ...] = ()


Motion = Callable[[str, float, float], Moment]


def smooth(u: float, start: float = 0.0, stop: float = 1.0) -> float:
    """Ease from 0 to 1 between `start` and `stop`."""
    v = min(max((u - start) / (stop - start), 0.0), 1.0)
    return v * v * (3 - 2 * v)


def blend(a: Point, b: Point, share: float) -> Point:
    """Return the point that lies `share` of the way from a to b."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def stride(x: float, beat: float, reach: float = 0.17) -> tuple[Point, Point]:
    """Return the feet of a figure that walks with its hip at `x`."""
    return tuple(  # type: ignore[return-value]
        (x + reach * math.cos(a), max(0.0, 0.09 * math.sin(a))) for a in (beat, beat + math.pi)
    )


def held(
    name: str, hand: Point, angle: float = 0.0, state: float = 0.0, front: bool = True
) -> Placed:
    """Place a thing with its grip in `hand`."""
    return Placed(name, *hand, angle, state, pin=ENTITIES[name].grip, front=front)


def half_width(name: str) -> float:
    """Return about half a thing's width, in figure heights."""
    wide = {
        "bicycle": 0.9,
        "dog": 0.75,
        "horse": 0.7,
        "cat": 0.6,
        "rabbit": 0.6,
        "turtle": 0.9,
        "car": 1.0,
        "cart": 0.8,
        "chair": 0.4,
        "wheelbarrow": 1.0,
        "bench": 0.95,
        "sled": 1.0,
    }
    return wide.get(name, 0.55) * ENTITIES[name].size


def kick(name: str, u: float, beat: float) -> Moment:
    swing = smooth(u, 0.15, 0.35) - 0.7 * smooth(u, 0.5, 0.75)
    back = smooth(u, 0.0, 0.15) * (1 - smooth(u, 0.15, 0.3))
    foot = (0.04 - 0.2 * back + 0.36 * swing, 0.02 + 0.06 * back + 0.12 * swing)
    fly = smooth(u, 0.3, 0.95)
    ball = Placed(
        name, 0.36 + 0.75 * fly, 0.35 * math.sin(math.pi * min(fly * 1.1, 1.0)), -2.5 * fly
    )
    pose = Pose(
        -0.35,
        0,
        0.01,
        -0.12 * swing,
        hands=((-0.1, 0.55), (-0.6, 0.6)),
        feet=((-0.37, 0), (foot[0] - 0.3, foot[1])),
    )
    return Moment(pose, (replace(ball, x=ball.x - 0.3, front=True),))


def throw(name: str, u: float, beat: float) -> Moment:
    arm = smooth(u, 0.0, 0.45)
    x = -0.45
    hand = blend((x - 0.3, 0.72), (x + 0.33, 0.9), arm)
    hand = hand[0], hand[1] + 0.18 * math.sin(math.pi * arm)
    pose = Pose(
        x,
        0,
        0.03,
        -0.2 + 0.4 * arm,
        hands=((x + 0.25, 0.6), hand),
        feet=((x + 0.16, 0), (x - 0.12, 0)),
    )
    if u < 0.42:
        return Moment(pose, (Placed(name, *hand, pin=(0, 0.3), front=True),))
    fly = (u - 0.42) / 0.58
    start = (x + 0.3, 0.96)
    return Moment(
        pose,
        (
            Placed(
                name,
                start[0] + 1.05 * fly,
                start[1] + 0.5 * fly - 1.25 * fly * fly,
                -3 * fly,
                pin=(0, 0.3),
                front=True,
            ),
        ),
    )


def push(name: str, u: float, beat: float) -> Moment:
    x = -0.62 + 0.75 * u
    at = x + 0.3 + half_width(name)
    grip_y = min(max(ENTITIES[name].grip[1], 0.75) * ENTITIES[name].size, 0.6)
    hands = ((x + 0.31, grip_y + 0.02), (x + 0.29, grip_y))
    return Moment(
        Pose(x, 0, 0.04, 0.35, hands=hands, feet=stride(x - 0.05, beat)),
        (
            Placed(
                name,
                at,
                0,
                0.012 * math.sin(2 * beat),
                0.5 * beat / math.tau % 1 if name == "bicycle" else 0,
            ),
        ),
    )


def pick(name: str, u: float, beat: float) -> Moment:
    down = 1 - smooth(u, 0.25, 0.85)
    bend = math.sin(math.pi * 0.5 * down)
    low, high = (0.3, 0.02), (0.24, 0.5)
    spot = blend(high, low, down)
    pose = Pose(
        -0.08,
        0,
        0.16 * bend,
        0.15 + 0.95 * bend,
        hands=((spot[0] + 0.05, spot[1] + 0.1), (spot[0] - 0.04, spot[1] + 0.1)),
    )
    return Moment(pose, (Placed(name, *spot, front=True),))


def open_up(name: str, u: float, beat: float) -> Moment:
    state = smooth(u, 0.12, 0.88)
    size = ENTITIES[name].size
    if name == "door":
        hand = (0.56 - 0.3 * state, 0.47)
        return Moment(
            Pose(-0.02, 0, 0, 0.1 - 0.15 * state, hands=((0.1, 0.5), hand)),
            (Placed(name, 0.46, 0, 0, state),),
        )
    if name == "book":
        hands = ((0.2 - 0.1 * state, 0.6), (0.24 + 0.12 * state, 0.6))
        return Moment(
            Pose(-0.05, nod=0.4, hands=hands),
            (Placed(name, 0.22, 0.5, 0, state, pin=(0, 0), front=True),),
        )
    turn = math.radians(120 * state)
    hinge = (0.42 - 0.55 * size, 0.8 * size)
    hand = hinge[0] + 1.1 * size * math.cos(turn), hinge[1] + 1.1 * size * math.sin(turn) + 0.03
    pose = Pose(-0.12, 0, 0.1, 0.5 - 0.35 * state, 0.2, hands=((0.2, 0.3), hand))
    return Moment(pose, (Placed(name, 0.42, 0, 0, state),))


def sit(name: str, u: float, beat: float) -> Moment:
    down = smooth(u, 0.1, 0.9)
    pose = Pose(
        0.2 - 0.2 * down,
        0,
        0.22 * down,
        0.5 * math.sin(math.pi * down),
        hands=((0.32, 0.5 - 0.1 * down), (0.3, 0.48 - 0.1 * down)),
        feet=((0.28, 0), (0.24, 0)),
    )
    return Moment(pose, (Placed(name, 0, 0),))


def climb(name: str, u: float, beat: float) -> Moment:
    y = 0.5 * u
    step = 0.1 * math.sin(beat)
    pose = Pose(
        -0.12,
        y,
        0.05,
        0.12,
        hands=((0.1, y + 0.82 + step), (0.08, y + 0.78 - step)),
        feet=((0.04, y + 0.08 - step), (0.02, y + 0.06 + step)),
    )
    return Moment(pose, (Placed(name, 0.1, 0, -0.08, scale=1.35),))


def put_on(name: str, u: float, beat: float) -> Moment:
    up = smooth(u, 0.1, 0.85)
    pose = Pose(nod=-0.1 * up)
    hx, hy = pose.head
    spot = blend((0.34, 0.42), (hx, hy + 0.06), up)
    spot = spot[0] + 0.12 * math.sin(math.pi * up), spot[1] + 0.1 * math.sin(math.pi * up)
    pose = replace(pose, hands=(None, (spot[0] + 0.1, spot[1])))
    return Moment(pose, (Placed(name, *spot, 0.5 * (up - 1), front=True),))


def mount(name: str, u: float, beat: float) -> Moment:
    up = smooth(u, 0.1, 0.9)
    size = ENTITIES[name].size
    seat = (0.18, size * 0.62)
    x, y = blend((-0.38, 0.0), (seat[0] - 0.05, seat[1] - 0.32), up)
    y += 0.12 * math.sin(math.pi * up)
    near = blend((-0.3, 0), (0.3, size * 0.35), up)
    far = blend((-0.4, 0), (0.22, size * 0.35), smooth(u, 0.4, 0.95))
    hands = ((0.42, size * 0.95), (0.4, size * 0.9))
    return Moment(
        Pose(x, y, 0.1 * up, 0.25, hands=hands, feet=(far, near)), (Placed(name, 0.2, 0),)
    )


def ride(name: str, u: float, beat: float) -> Moment:
    x, size = -0.42 + 0.85 * u, ENTITIES[name].size
    gait = beat / math.tau
    if name == "skateboard":
        push_foot = (x - 0.14 + 0.12 * math.cos(beat), 0.13 + min(0.0, 0.12 * math.sin(beat)))
        return Moment(
            Pose(
                x,
                0.12,
                0.07,
                0.25,
                hands=((x + 0.28, 0.75), (x - 0.3, 0.7)),
                feet=((x + 0.1, 0.14), push_foot),
            ),
            (Placed(name, x, 0.0, 0.04 * math.sin(beat)),),
        )
    if name == "bicycle":
        c, s = 0.08 * math.cos(beat), 0.08 * math.sin(beat)
        pose = Pose(
            x - 0.1,
            0.08,
            0.02,
            0.35,
            hands=((x + 0.27, 0.58), (x + 0.25, 0.56)),
            feet=((x + c, 0.13 + s), (x - c, 0.13 - s)),
        )
        return Moment(pose, (Placed(name, x, 0, 0, -gait % 1),))
    bob = 0.03 * math.sin(2 * beat)
    seat = (x - 0.05, 0.66 * size - 0.3 + bob)
    pose = Pose(
        *seat,
        0.08,
        0.1 + 0.1 * math.sin(beat),
        hands=((x + 0.25, 0.85 * size + bob), (x + 0.22, 0.82 * size + bob)),
        feet=((x + 0.1, 0.3 * size + bob), (x + 0.05, 0.28 * size + bob)),
    )
    return Moment(pose, (Placed(name, x, bob, 0, gait % 1),))


def play(name: str, u: float, beat: float) -> Moment:
    s, c = math.sin(beat), math.cos(beat)
    if name == "guitar":
        pose = Pose(hands=((0.36, 0.72 + 0.03 * c), (0.1, 0.52 + 0.07 * s)), nod=0.1 * c)
        return Moment(pose, (Placed(name, 0.1, 0.52, -1.0, pin=(0, 0.35), front=True),))
    if name == "drum":
        pose = Pose(-0.1, hands=((0.34, 0.5 + 0.13 * s), (0.2, 0.5 - 0.13 * s)), nod=0.1 * s)
        return Moment(pose, (Placed(name, 0.3, 0.08, front=False),))
    if name == "piano":
        pose = Pose(
            -0.14,
            0,
            0.16,
            0.15,
            hands=((0.2 + 0.03 * s, 0.42 + 0.05 * c), (0.16 - 0.03 * s, 0.42 - 0.05 * c)),
            feet=((0.18, 0), (0.12, 0)),
        )
        return Moment(pose, (Placed(name, 0.5, 0),))
    if name == "trumpet":
        pose = Pose(lean=-0.1 - 0.06 * s, nod=-0.15)
        x, y = pose.mouth
        pose = replace(pose, hands=((x + 0.22, y - 0.02), (x + 0.15, y + 0.02)))
        return Moment(pose, (Placed(name, x + 0.21, y, 0.15 + 0.12 * s, pin=(0, 0.5), front=True),))
    wide = 0.5 + 0.5 * s
    reach = (0.35 + 0.35 * wide) * ENTITIES[name].size
    pose = Pose(nod=0.1 * c, hands=((0.12 + reach, 0.6), (0.12 - reach, 0.6)))
    return Moment(pose, (Placed(name, 0.12, 0.6, 0, wide, pin=(0, 0.5), front=True),))


def walk(name: str, u: float, beat: float) -> Moment:
    x = -0.62 + 0.7 * u
    hand = (x + 0.24, 0.5 + 0.02 * math.sin(beat))
    at = x + 0.42 + half_width(name)
    neck = (at + 0.3 * ENTITIES[name].size, 0.7 * ENTITIES[name].size)
    pose = Pose(x, hands=((x - 0.12 * math.cos(beat), 0.45), hand), feet=stride(x, beat))
    return Moment(pose, (Placed(name, at, 0, 0, beat / math.tau % 1),), ((hand, neck),))


def chase(name: str, u: float, beat: float) -> Moment:
    x = -0.85 + 0.85 * u
    at = -0.35 + half_width(name) + 1.0 * u
    hop = 0.05 * abs(math.sin(beat))
    pose = Pose(
        x,
        hop,
        0.02,
        0.3,
        hands=((x + 0.34, 0.68), (x + 0.32, 0.6)),
        feet=stride(x, 1.5 * beat, 0.24),
    )
    return Moment(pose, (Placed(name, at, hop, 0.06 * math.sin(beat), 1.5 * beat / math.tau % 1),))


def pet(name: str, u: float, beat: float) -> Moment:
    size = ENTITIES[name].size
    low = max(0.0, 0.62 - size)
    hand = (0.3 + 0.13 * math.sin(beat), size * 0.82 + 0.03 * math.cos(beat))
    pose = Pose(-0.1, 0, 0.45 * low, 0.25 + 1.2 * low, 0.1, hands=((0.0, 0.35), hand))
    return Moment(pose, (Placed(name, 0.36, 0),))


def swing(name: str, u: float, beat: float) -> Moment:
    a = 0.5 + 0.5 * math.sin(beat)
    hand = blend((-0.12, 0.98), (0.34, 0.52), a)
    pose = Pose(
        -0.1,
        0,
        0.03 * a,
        -0.1 + 0.3 * a,
        hands=((hand[0] - 0.03, hand[1] - 0.05), hand),
        feet=((0.08, 0), (-0.22, 0)),
    )
    return Moment(pose, (held(name, hand, 0.9 - 2.4 * a),))


def juggle(name: str, u: float, beat: float) -> Moment:
    things = []
    for k in range(3):
        p = (beat / math.tau + k / 3) % 1.0
        things.append(
            Placed(
                name,
                0.14 + 0.26 * math.cos(math.pi * p),
                0.62 + 0.52 * math.sin(math.pi * p),
                scale=0.75,
                front=True,
            )
        )
    s = 0.06 * math.sin(beat * 3)
    return Moment(Pose(hands=((0.4, 0.56 + s), (-0.1, 0.56 - s)), nod=-0.2), tuple(things))


def bounce(name: str, u: float, beat: float) -> Moment:
    high = abs(math.cos(beat))
    y = 0.4 * high
    hand = (0.24, 0.44 + 0.2 * high)
    return Moment(
        Pose(-0.05, 0, 0.04, 0.2, 0.15, hands=(None, hand)),
        (Placed(name, 0.27, y, -beat * 0.2, front=True),),
    )


def skip(name: str, u: float, beat: float) -> Moment:
    jump = 0.12 * max(0.0, -math.sin(beat))
    hands = ((0.3, 0.5 + jump), (-0.3, 0.5 + jump))
    wave = math.sin(beat)
    return Moment(
        Pose(y=jump, crouch=0.02, hands=hands),
        (
            Placed(
                name, 0, 0.5 + jump, 0, 0.5 + 0.5 * wave, scale=1.25, pin=(0, 0.5), front=wave < 0
            ),
        ),
    )


def fly(name: str, u: float, beat: float) -> Moment:
    kite = (0.5 + 0.18 * math.sin(beat * 0.7), 1.12 + 0.1 * math.cos(beat))
    hand = (-0.1 + 0.04 * math.sin(beat), 0.86)
    pose = Pose(-0.35, lean=-0.1, nod=-0.35, hands=((-0.15, 0.8), hand))
    return Moment(pose, (Placed(name, *kite, 0.3 * math.sin(beat), pin=(0, 0.5)),), ((hand, kite),))


def drink(name: str, u: float, beat: float) -> Moment:
    up = 0.5 - 0.5 * math.cos(beat * 0.5)
    pose = Pose(lean=-0.08 * up, nod=-0.3 * up)
    hand = blend((0.3, 0.5), (pose.mouth[0] + 0.1, pose.mouth[1] - 0.02), up)
    pose = replace(pose, hands=(None, hand))
    return Moment(pose, (Placed(name, *hand, 1.1 * up, pin=(0, 0.5), front=True),))


def read(name: str, u: float, beat: float) -> Moment:
    turn = 0.1 * math.sin(beat)
    pose = Pose(nod=0.35, hands=((0.32, 0.56), (0.2 + turn, 0.6 + 0.5 * abs(turn))))
    return Moment(pose, (Placed(name, 0.26, 0.52, 0, 1.0, pin=(0, 0), front=True),))


def sweep(name: str, u: float, beat: float) -> Moment:
    s = math.sin(beat)
    x = -0.25 + 0.3 * u
    tip = (x + 0.4 + 0.16 * s, 0.02)
    hand = (x + 0.2, 0.58)
    angle = math.atan2(tip[0] - hand[0], hand[1] - tip[1])
    pose = Pose(
        x, 0, 0.03, 0.3, 0.1, hands=((x + 0.28, 0.45), hand), feet=stride(x, beat * 0.5, 0.1)
    )
    return Moment(pose, (Placed(name, *tip, angle, front=True),))


def carry(name: str, u: float, beat: float) -> Moment:
    x = -0.5 + 0.9 * u
    hands = ((x + 0.27, 0.5), (x + 0.22, 0.46))
    bob = 0.015 * math.sin(2 * beat)
    return Moment(
        Pose(x, lean=-0.08, hands=hands, feet=stride(x, beat)),
        (Placed(name, x + 0.27, 0.42 + bob, front=True),),
    )


def lift(name: str, u: float, beat: float) -> Moment:
    up = 0.5 - 0.5 * math.cos(beat)
    y = 0.55 + 0.55 * up
    pose = Pose(crouch=0.12 * (1 - up), hands=((0.16, y), (-0.1, y)), feet=((0.12, 0), (-0.14, 0)))
    return Moment(pose, (Placed(name, 0.03, y, pin=(0, 0.45), front=True),))


def leap(name: str, u: float, beat: float) -> Moment:
    x = -0.75 + 1.5 * u
    air = math.sin(math.pi * min(max((u - 0.22) / 0.56, 0.0), 1.0))
    y = 0.48 * air
    feet = stride(x, beat) if air <= 0 else ((x + 0.24, y + 0.12), (x - 0.2, y + 0.05))
    pose = Pose(x, y, 0.06, 0.25, hands=((x + 0.3, y + 0.75), (x - 0.25, y + 0.7)), feet=feet)
    return Moment(pose, (Placed(name, 0, 0),))


def hoist(name: str, u: float, beat: float) -> Moment:
    s = 0.12 * math.sin(beat)
    pose = Pose(-0.05, nod=-0.3, hands=((0.24, 0.72 + s), (0.22, 0.72 - s)))
    return Moment(pose, (Placed(name, 0.3, 0, 0, smooth(u, 0.05, 0.95), scale=1.2),))


def inflate(name: str, u: float, beat: float) -> Moment:
    full = 0.3 + 0.9 * smooth(u, 0.05, 0.95)
    pose = Pose(nod=0.05 + 0.08 * math.sin(beat), lean=0.05)
    x, y = pose.mouth
    pose = replace(pose, hands=((x + 0.1, y - 0.06), (x + 0.05, y - 0.08)))
    return Moment(
        pose, (Placed(name, x + 0.02, y, -math.pi / 2, scale=full, pin=(0, 0.25), front=True),)
    )


def spin(name: str, u: float, beat: float) -> Moment:
    s, c = math.sin(beat), math.cos(beat)
    pose = Pose(0.05 * c, hands=((0.3, 0.72), (-0.3, 0.72)), lean=-0.1 * c)
    return Moment(
        pose,
        (
            Placed(
                name,
                0.12 * c,
                0.46 + 0.03 * s,
                1.2 * s,
                beat / math.tau % 1,
                scale=1.1,
                pin=(0, 0.5),
                front=True,
            ),
        ),
    )
