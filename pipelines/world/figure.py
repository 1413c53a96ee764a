"""The jointed figure: a pose is where hands and feet are; limbs follow by inverse kinematics."""

import math
from dataclasses import dataclass

from pipelines.world.pen import DARK, HAIR, LEGS, LIGHT, SECOND, SKIN, Pen, Point, arc

ROLES = ("chef", "child", "clown", "cowboy", "man", "wizard", "woman")
# What each part of the figure is a part of; the role itself comes on top.
PARTS = {
    "": (),
    "head": ("head",),
    "torso": ("torso",),
    "arm": ("arm",),
    "hand": ("hand", "arm"),
    "leg": ("leg",),
    "foot": ("foot", "leg"),
}
HIP, TRUNK, THIGH, SHIN, UPPER, FOREARM = 0.46, 0.3, 0.24, 0.24, 0.19, 0.19


@dataclass(frozen=True)
class Pose:
    """Where the figure's parts are, in figure heights.

    Attributes:
        x: of the hip; the figure faces +x.
        y: of the feet's ground under the figure.
        crouch: how far the hip is below standing.
        lean: of the trunk towards +x, radians.
        nod: of the head towards +x, radians.
        hands: far hand, near hand; None hangs.
        feet: far foot, near foot, or None to stand.
    """

    x: float = 0.0
    y: float = 0.0
    crouch: float = 0.0
    lean: float = 0.0
    nod: float = 0.0
    hands: tuple[Point | None, Point | None] = (None, None)
    feet: tuple[Point | None, Point | None] = (None, None)

    @property
    def hip(self) -> Point:
        """Where thighs meet the trunk."""
        return self.x, self.y + HIP - self.crouch

    @property
    def shoulder(self) -> Point:
        """Where the arms meet the trunk."""
        x, y = self.hip
        return x + TRUNK * math.sin(self.lean), y + TRUNK * math.cos(self.lean)

    @property
    def head(self) -> Point:
        """The centre of the head."""
        x, y = self.shoulder
        tilt = self.lean * 0.6 + self.nod
        return x + 0.15 * math.sin(tilt), y + 0.15 * math.cos(tilt)

    @property
    def mouth(self) -> Point:
        """Where a cup or a trumpet goes."""
        x, y = self.head
        return x + 0.09, y - 0.04


def draw(pen: Pen, role: str, pose: Pose) -> None:
    """Draw the figure as `role` in `pose`."""
    far_arm, near_arm = pose.hands
    far_leg, near_leg = pose.feet
    _arm(pen, pose, far_arm or (pose.shoulder[0] + 0.06, pose.shoulder[1] - 0.36))
    _leg(pen, role, pose, far_leg or (pose.x + 0.05, pose.y))
    _leg(pen, role, pose, near_leg or (pose.x - 0.04, pose.y))
    _trunk(pen, role, pose)
    _head(pen, role, pose)
    _arm(pen, pose, near_arm or (pose.shoulder[0] - 0.05, pose.shoulder[1] - 0.36))
    pen.part = ""


def _joint(
    root: Point, tip: Point, first: float, second: float, bend: float
) -> tuple[Point, Point]:
    """Return elbow and reachable tip of a two-bone limb; `bend` is the side the joint goes to."""
    dx, dy = tip[0] - root[0], tip[1] - root[1]
    reach = math.hypot(dx, dy) or 1e-6
    span = min(max(reach, abs(first - second) + 1e-3), first + second - 1e-3)
    ux, uy = dx / reach, dy / reach
    along = (first**2 - second**2 + span**2) / (2 * span)
    off = bend * math.sqrt(max(first**2 - along**2, 0.0))
    elbow = root[0] + along * ux - off * uy, root[1] + along * uy + off * ux
    return elbow, (root[0] + span * ux, root[1] + span * uy)


def _arm(pen: Pen, pose: Pose, tip: Point) -> None:
    elbow, hand = _joint(pose.shoulder, tip, UPPER, FOREARM, -1.0)
    pen.part = "arm"
    pen.rod(pose.shoulder, elbow, 0.1, SECOND)
    pen.rod(elbow, hand, 0.075, SKIN)
    pen.part = "hand"
    pen.disc(*hand, 0.058, shade=SKIN)


def _leg(pen: Pen, role: str, pose: Pose, tip: Point) -> None:
    ankle = (tip[0], tip[1] + 0.03)
    knee, ankle = _joint(pose.hip, ankle, THIGH, SHIN, 1.0)
    bare = role in ("child", "woman")
    pen.part = "leg"
    pen.rod(pose.hip, knee, 0.13, LEGS)
    pen.rod(knee, ankle, 0.095, SKIN if bare else LEGS)
    pen.part = "foot"
    pen.rod((ankle[0] - 0.02, ankle[1] - 0.005), (ankle[0] + 0.09, ankle[1] - 0.005), 0.085, DARK)


def _trunk(pen: Pen, role: str, pose: Pose) -> None:
    pen.part = "torso"
    hip, shoulder = pose.hip, pose.shoulder
    if role in ("woman", "wizard"):
        low = 0.2 if role == "woman" else 0.36
        wide = 0.2 if role == "woman" else 0.17
        x, y = hip[0], hip[1] - low * (1.0 - min(pose.crouch, 0.3))
        pen.poly(
            [
                (shoulder[0] - 0.07, shoulder[1]),
                (shoulder[0] + 0.07, shoulder[1]),
                (x + wide, y),
                (x - wide, y),
            ]
        )
    pen.rod(hip, shoulder, 0.2 if role != "clown" else 0.26)
    if role == "chef":
        pen.rod(
            (hip[0] + 0.05, hip[1] - 0.1), (shoulder[0] + 0.05, shoulder[1] - 0.06), 0.12, LIGHT
        )
    if role == "cowboy":
        pen.rod(hip, shoulder, 0.08, SECOND)
        pen.rod((hip[0] - 0.09, hip[1]), (hip[0] + 0.09, hip[1]), 0.05, DARK)
    if role == "clown":
        for share in (0.25, 0.6):
            x = hip[0] + share * (shoulder[0] - hip[0])
            pen.disc(x + 0.05, hip[1] + share * (shoulder[1] - hip[1]), 0.04, shade=SECOND)
        pen.disc(shoulder[0], shoulder[1] + 0.02, 0.16, 0.05, LIGHT)


def _head(pen: Pen, role: str, pose: Pose) -> None:
    x, y = pose.head
    pen.part = "head"
    if role == "woman":
        pen.rod((x - 0.07, y + 0.03), (x - 0.13, y - 0.19), 0.13, HAIR)
    if role == "clown":
        for side in (-1, 1):
            pen.disc(x + 0.12 * side, y + 0.06, 0.085, shade=HAIR)
    size = 0.135 if role == "child" else 0.115
    pen.disc(x, y, size, shade=SKIN)
    if role in ("man", "woman", "child"):
        pen.poly([*arc(x, y, size + 0.01, size + 0.015, 0.04, 0.56), (x - 0.04, y + 0.05)], HAIR)
    pen.disc(x + 0.05, y + 0.02, 0.018, shade=DARK)
    pen.rod((x + 0.05, y - 0.055), (x + 0.09, y - 0.05), 0.015, DARK)
    if role == "clown":
        pen.disc(x + 0.12, y - 0.01, 0.04, shade=SECOND)
    if role == "wizard":
        pen.poly([(x - 0.02, y - 0.04), (x + 0.12, y - 0.03), (x + 0.08, y - 0.27)], LIGHT)
        pen.poly([(x - 0.17, y + 0.05), (x + 0.17, y + 0.07), (x - 0.02, y + 0.4)])
    if role == "chef":
        for dx in (-0.08, 0.0, 0.08):
            pen.disc(x + dx, y + 0.22, 0.085, shade=LIGHT)
        pen.rect(x - 0.11, y + 0.06, x + 0.11, y + 0.2, LIGHT)
    if role == "cowboy":
        pen.disc(x, y + 0.07, 0.24, 0.04, DARK)
        pen.poly(
            [
                (x - 0.11, y + 0.07),
                (x + 0.11, y + 0.07),
                (x + 0.09, y + 0.24),
                (x, y + 0.19),
                (x - 0.09, y + 0.24),
            ],
            DARK,
        )
        pen.rod((x - 0.04, y - 0.12), (x + 0.06, y - 0.12), 0.06, SECOND)
    if role == "child":
        pen.disc(x, y + 0.14, 0.03, shade=SECOND)
        pen.poly(arc(x, y + 0.05, 0.14, 0.1, 0.0, 0.5), SECOND)
        pen.rod((x + 0.08, y + 0.055), (x + 0.2, y + 0.05), 0.03, SECOND)
