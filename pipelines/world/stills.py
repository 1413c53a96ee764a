"""Still scenes with captions of what is in them and where: what the mini backbone learns from.

Poses and places are drawn at random; no motion and no action is used, nor any label's verb. (What
may stand in for a caption in training, WordNet's definition of the one thing that is shown, has a
verb now and then: a broom is "for sweeping".)
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from pipelines.world.entities import ENTITIES, ROLES, SCENES, THINGS
from pipelines.world.figure import Pose
from pipelines.world.motions import Moment, Placed, held
from pipelines.world.stage import NUISANCE, Nuisance, Stage, scatter

# Seeds of stills start here and seeds of clips stay below, so that no two shots are the same.
FIRST_SEED = 2**40
_STATES = {
    "box": ("closed", "open"), "suitcase": ("closed", "open"), "door": ("closed", "open"),
    "book": ("closed", "open"), "umbrella": ("closed", "open"), "flag": ("low", "high"),
    "accordion": ("short", "long"),
}  # fmt: skip


@dataclass(frozen=True)
class Still:
    """One still scene.

    Attributes:
        image: (size, size, 3) uint8.
        ids: (size, size) uint8.
        names: entities of each id.
        caption: what is there and where.
        subject: the entity the image is about when it is a picture of one entity, else "".
        about: what one would say it shows: that one entity; else what is near the figure, if it
            can be made out; else all things; else the scene.
    """

    image: np.ndarray
    ids: np.ndarray
    names: dict[int, tuple[str, ...]]
    caption: str
    subject: str = ""
    about: tuple[str, ...] = ()


def still(seed: int, size: int, levels: Nuisance = NUISANCE, alone: float = 0.25) -> Still:
    """Draw the still scene of `seed`.

    Args:
        seed: decides everything else.
        size: side of the image, pixels.
        levels: how much nuisance.
        alone: probability that it shows one thing, large, or the figure alone.
    """
    rng = np.random.default_rng(seed)
    kind = rng.random()
    if kind < 0.7 * alone:
        return portrait(str(rng.choice(THINGS)), rng, size, levels)
    if kind < alone:
        return figure_alone(str(rng.choice(ROLES)), rng, size, levels)
    kind = (kind - alone) / (1 - alone)
    if kind < 0.25:
        return crowd(rng, size, levels)
    if kind < 0.35:
        return group(rng, size, levels)
    return company(rng, size, levels)


def portrait(name: str, rng: np.random.Generator, size: int, levels: Nuisance = NUISANCE) -> Still:
    """Show one thing, large, in any scene."""
    scene, words, state = _scene(rng), *_state(name, rng)
    scale = rng.uniform(0.55, 1.15) / ENTITIES[name].size
    x, y = rng.uniform(-0.35, 0.35), rng.uniform(-0.05, 0.4)
    placed = Placed(name, x, y, rng.normal(0, 0.25), state, scale / _breadth(name))
    stage = Stage(rng, scene, None, (), size, levels)
    where = _side(x if stage.faces_right else -x, y - 0.15)
    head = f"a {words}"
    tail = rng.choice(("", f" {_in(scene)}", f" {where}", f" {where} {_in(scene)}"))
    return _shot(rng, stage, Moment(Pose(), (placed,)), f"{_an(head)}{tail}", name)


def figure_alone(
    role: str, rng: np.random.Generator, size: int, levels: Nuisance = NUISANCE
) -> Still:
    """Show the figure in a random pose."""
    scene = _scene(rng)
    pose, words = _pose(rng)
    stage = Stage(rng, scene, role, (), size, levels)
    return _shot(rng, stage, Moment(pose), f"a {role}{words} {_in(scene)}", role)


def group(rng: np.random.Generator, size: int, levels: Nuisance = NUISANCE) -> Still:
    """Show two to four things, and say what they are or how two of them lie."""
    scene = _scene(rng)
    around = scatter(rng, int(rng.integers(2, 5)))
    shot = _shot(rng, Stage(rng, scene, None, around, size, levels), Moment(Pose()), "")
    seen = [(n, at) for n, at in _centres(shot).items() if n != scene]
    shot = replace(shot, about=tuple(n for n, _ in seen) or (scene,))
    caption = f"{_list([n for n, _ in seen])} {_in(scene)}" if seen else f"a {scene}"
    if len(seen) > 1 and rng.random() < 0.6:
        (a, at_a), (b, at_b) = seen[0], seen[1]
        caption = f"the {a} is {_between(at_a, at_b)} the {b}, {_in(scene)}"
    return replace(shot, caption=caption)


def crowd(rng: np.random.Generator, size: int, levels: Nuisance = NUISANCE) -> Still:
    """Show up to nine things side by side, each about as large as things are in videos."""
    scene = _scene(rng)
    cells = [(x, y) for x in (-0.55, 0.0, 0.55) for y in (-0.15, 0.4, 0.95)]
    placed = []
    for name, (x, y) in zip(rng.choice(THINGS, len(cells), replace=False), cells, strict=True):
        if rng.random() < 0.1:
            continue
        at = x + rng.uniform(-0.1, 0.1), y + rng.uniform(-0.1, 0.1)
        scale = rng.uniform(0.3, 0.5) / ENTITIES[name].size / _breadth(name)
        turned = rng.normal(0, 0.3 if rng.random() < 0.7 else 1.2)
        placed.append(Placed(str(name), *at, turned, float(rng.random()), scale))
    stage = Stage(rng, scene, None, (), size, levels)
    shot = _shot(rng, stage, Moment(Pose(), tuple(placed)), "")
    seen = [(n, at) for n, at in _centres(shot).items() if n != scene]
    shot = replace(shot, about=tuple(n for n, _ in seen) or (scene,))
    if len(seen) < 2:
        return replace(shot, caption=f"a {scene}")
    some = [seen[k] for k in rng.permutation(len(seen))[: int(rng.integers(2, 5))]]
    if rng.random() < 0.5:
        (a, at_a), (b, at_b) = some[0], some[1]
        return replace(shot, caption=f"the {a} is {_between(at_a, at_b)} the {b}, {_in(scene)}")
    return replace(shot, caption=f"{_list([n for n, _ in some])} {_in(scene)}")


def company(rng: np.random.Generator, size: int, levels: Nuisance = NUISANCE) -> Still:
    """Show the figure with one or two things near it, and as many around as there are in videos."""
    scene, role = _scene(rng), str(rng.choice(ROLES))
    pose, words = _pose(rng)
    near = [str(n) for n in rng.choice(THINGS, size=1 + int(rng.random() < 0.25), replace=False)]
    placed, says = [], []
    for name in near:
        thing, say = _near(name, pose, rng)
        placed.append(thing)
        says.append(say)
    least, most = levels.distractors
    around = scatter(rng, int(rng.integers(least, most + 1)), avoid=near)
    shot = _shot(
        rng, Stage(rng, scene, role, around, size, levels), Moment(pose, tuple(placed)), ""
    )
    seen = [name for name in _centres(shot) if ENTITIES[name].kind in ("object", "animal")]
    beside = [p.name for p in around if p.name in seen]
    style = rng.random()
    if style < 0.4:
        caption = f"a {role}{words} with {_an('a ' + says[0])} {_in(scene)}"
    elif style < 0.6:
        caption = f"{_list([role, *seen])} {_in(scene)}"
    elif style < 0.8 and beside:
        caption = f"a {role}{words}, {_an('a ' + says[0])}, {_list(beside)}"
    else:
        caption = f"{_an('a ' + says[-1])} by a {role}{words}"
    about = [name for name in near if name in seen] or seen or [scene]
    return replace(shot, caption=caption, about=tuple(about))


def _near(name: str, pose: Pose, rng: np.random.Generator) -> tuple[Placed, str]:
    """Put a thing somewhere about the figure, and say where."""
    words, state = _state(name, rng)
    size, angle = ENTITIES[name].size, float(rng.normal(0, 0.3))
    hand = pose.hands[1] or (pose.shoulder[0] - 0.05, pose.shoulder[1] - 0.36)
    (x, y), (chest_x, chest_y), (face_x, face_y) = pose.head, pose.shoulder, pose.mouth
    turned = angle + rng.uniform(-1.5, 1.5)
    foot_x, front = pose.x + rng.uniform(-0.15, 0.3), bool(rng.random() < 0.5)
    ahead = pose.x + rng.uniform(0.4, 0.75), rng.uniform(0, 0.5)
    back = pose.x - rng.uniform(0.4, 0.75), rng.uniform(0, 0.5)
    over, under = y + rng.uniform(0.08, 0.3), pose.y - min(0.7 * size, 0.4)
    middle = (0.0, 0.5)
    places = {
        "in the hand": held(name, hand, turned, state),
        "at the feet": Placed(name, foot_x, 0, angle / 2, state, front=front),
        "ahead": Placed(name, *ahead, angle, state),
        "at the back": Placed(name, *back, angle, state),
        "over the head": Placed(name, x, over, angle, state, front=True),
        "at the chest": Placed(
            name, chest_x + 0.12, chest_y - 0.15, angle * 3, state, pin=middle, front=True
        ),
        "under it": Placed(name, pose.x, under, angle / 2, state),
        "at the face": Placed(name, face_x + 0.1, face_y, angle * 3, state, pin=middle, front=True),
    }
    where = str(rng.choice(list(places)))
    return places[where], f"{words} {where}"


def _pose(rng: np.random.Generator) -> tuple[Pose, str]:
    """Return a random pose and words for it (often none)."""
    hands = []
    for _ in range(2):
        turn, reach = rng.uniform(-2.9, 1.2), rng.uniform(0.15, 0.37)
        hands.append((turn, reach))
    crouch = rng.uniform(0, 0.22) if rng.random() < 0.35 else 0.0
    lean = rng.uniform(0.4, 1.2) if rng.random() < 0.3 else rng.normal(0, 0.12)
    high = rng.uniform(0.1, 0.5) if rng.random() < 0.2 else 0.0
    apart = rng.uniform(0.1, 0.24) if rng.random() < 0.4 else 0.03
    base = Pose(rng.uniform(-0.2, 0.2), high, crouch, lean, rng.normal(0, 0.2))
    x, y = base.shoulder
    # Turn 0 reaches straight ahead, -pi/2 hangs, pi/2 points up.
    tips = [(x + reach * np.cos(turn), y + reach * np.sin(turn)) for turn, reach in hands]
    feet = (
        (base.x + apart, high + rng.uniform(0, 0.1) * (apart > 0.05)),
        (base.x - apart, high + rng.uniform(0, 0.1) * (apart > 0.05)),
    )
    pose = Pose(base.x, high, crouch, lean, base.nod, (tips[0], tips[1]), feet)
    arms = "a high arm" if max(t for t, _ in hands) > 0.5 else "low arms"
    said = [
        word
        for word, true in (
            (arms, True), ("bent knees", crouch > 0.1), ("a bent back", lean > 0.4),
            ("straight legs", crouch == 0), ("feet apart", apart > 0.1),
            ("feet off the ground", high > 0),
        )
        if true and rng.random() < 0.35
    ]  # fmt: skip
    return pose, f" of {' and '.join(said)}" if said else ""


def _shot(
    rng: np.random.Generator, stage: Stage, moment: Moment, caption: str, subject: str = ""
) -> Still:
    image, ids = stage.shoot(moment, float(rng.random()), 0)
    if rng.random() < 0.6:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=int(rng.integers(35, 92)))
        image = np.asarray(Image.open(file))
    about = (subject,) if subject else ()
    return Still(image, ids, stage.ids(moment.things), caption, subject, about)


def _breadth(name: str) -> float:
    """Return how much smaller a thing must be drawn because it is much wider than high."""
    return 1.6 if name in ("barbell", "sled", "skateboard", "snake", "frisbee", "hat") else 1.0


def _scene(rng: np.random.Generator) -> str:
    return str(rng.choice(SCENES))


def _state(name: str, rng: np.random.Generator) -> tuple[str, float]:
    state = float(rng.random())
    if name not in _STATES:
        return name, state
    low, high = _STATES[name]
    state = float(rng.choice((rng.uniform(0, 0.25), rng.uniform(0.6, 1.0))))
    return (f"{high if state > 0.5 else low} {name}" if rng.random() < 0.6 else name), state


def _centres(shot: Still) -> dict[str, tuple[float, float]]:
    """Return the centre (x, y in pixels, y down) of each scene and thing seen well enough."""
    centres = {}
    for number, names in shot.names.items():
        y, x = np.nonzero(shot.ids == number)
        if len(names) == 1 and len(x) > 0.003 * shot.ids.size:
            centres[names[0]] = (float(x.mean()), float(y.mean()))
    return centres


def _between(a: tuple[float, float], b: tuple[float, float]) -> str:
    dx, dy = a[0] - b[0], a[1] - b[1]
    if abs(dx) > abs(dy):
        return "left of" if dx < 0 else "right of"
    return "above" if dy < 0 else "below"


def _side(x: float, y: float) -> str:
    across = "left" if x < -0.12 else "right" if x > 0.12 else "middle"
    return (
        f"at the {'top' if y > 0.1 else 'bottom'} {across}" if abs(y) > 0.1 else f"at the {across}"
    )


def _in(scene: str) -> str:
    outside = {
        "beach": "on a",
        "desert": "in a",
        "stage": "on a",
        "street": "on a",
        "meadow": "in a",
    }
    return f"{outside.get(scene, 'in a')} {scene}"


def _list(names: Sequence[str]) -> str:
    articled = [_an(f"a {name}") for name in names]
    return articled[0] if len(articled) == 1 else f"{', '.join(articled[:-1])} and {articled[-1]}"


def _an(words: str) -> str:
    """Make "a" agree with the word after it."""
    if words.startswith("a ") and words[2] in "aeiou":
        return f"an{words[1:]}"
    return words
