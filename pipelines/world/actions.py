"""The actions: their labels, who acts with what, how it moves, and which of them are novel."""

from dataclasses import dataclass
from pathlib import Path

from corpus.atomic import atomic_file
from pipelines.world import motions
from pipelines.world.motions import Moment, Motion

SPLITS = ("train", "val", "test", "novel_combination", "novel_entity")


@dataclass(frozen=True)
class Verb:
    """A way to move.

    Attributes:
        phrase: the label with a place for the thing.
        motion: how it moves.
        backwards: play the motion in reverse.
        beats: how often a cyclic motion turns in a clip, least and most.
    """

    phrase: str
    motion: Motion
    backwards: bool = False
    beats: tuple[float, float] = (2.0, 4.0)


@dataclass(frozen=True)
class Action:
    """One class of clips.

    Attributes:
        label: as Kinetics would write it.
        verb: how it moves.
        thing: the entity it is done with.
        group: "base", "novel_combination" or "novel_entity".
    """

    label: str
    verb: Verb
    thing: str
    group: str

    def at(self, u: float, turns: float) -> Moment:
        """Return the moment at progress `u` (0..1), when cyclic parts have turned `turns` times."""
        v, turned = (1 - u, -turns) if self.verb.backwards else (u, turns)
        return self.verb.motion(self.thing, v, 6.283185307179586 * turned)


_M = motions
# phrase, motion, backwards, things of base actions, of new combinations, never seen acting.
_TABLE: tuple[tuple[str, Motion, bool, str, str, str], ...] = (
    ("kicking {}", _M.kick, False, "ball box bucket", "bottle", "apple"),
    ("throwing {}", _M.throw, False, "ball frisbee hat", "bottle", "apple"),
    ("catching {}", _M.throw, True, "ball frisbee hat", "bottle", "fish"),
    ("pushing {}", _M.push, False, "box cart chair", "bicycle", "wheelbarrow"),
    ("pulling {}", _M.push, True, "box cart chair", "bicycle", "wheelbarrow"),
    ("picking up {}", _M.pick, False, "ball basket bottle", "guitar", "cake"),
    ("putting down {}", _M.pick, True, "ball basket bottle", "guitar", "cake"),
    ("opening {}", _M.open_up, False, "box door", "book", "suitcase"),
    ("closing {}", _M.open_up, True, "box door", "book", "suitcase"),
    ("sitting down on {}", _M.sit, False, "chair", "", ""),
    ("standing up from {}", _M.sit, True, "chair", "", ""),
    ("climbing up {}", _M.climb, False, "ladder", "", ""),
    ("climbing down {}", _M.climb, True, "ladder", "", ""),
    ("putting on {}", _M.put_on, False, "hat", "", "crown"),
    ("taking off {}", _M.put_on, True, "hat", "", "crown"),
    ("getting on {}", _M.mount, False, "horse", "", ""),
    ("getting off {}", _M.mount, True, "horse", "", ""),
    ("raising {}", _M.hoist, False, "flag", "", ""),
    ("lowering {}", _M.hoist, True, "flag", "", ""),
    ("inflating {}", _M.inflate, False, "balloon", "", ""),
    ("deflating {}", _M.inflate, True, "balloon", "", ""),
    ("riding {}", _M.ride, False, "bicycle horse skateboard", "", "camel elephant"),
    ("playing {}", _M.play, False, "drum guitar piano", "", "accordion trumpet"),
    ("walking {}", _M.walk, False, "dog", "horse", "turtle"),
    ("chasing {}", _M.chase, False, "cat dog", "horse", "rabbit"),
    ("petting {}", _M.pet, False, "cat horse", "dog", "rabbit"),
    ("swinging {}", _M.swing, False, "hammer racket sword", "broom", "axe"),
    ("juggling {}", _M.juggle, False, "ball", "hat", "apple"),
    ("bouncing {}", _M.bounce, False, "ball", "", ""),
    ("skipping {}", _M.skip, False, "rope", "", ""),
    ("flying {}", _M.fly, False, "kite", "", ""),
    ("drinking from {}", _M.drink, False, "cup", "bottle", "kettle"),
    ("reading {}", _M.read, False, "book", "", ""),
    ("sweeping with {}", _M.sweep, False, "broom", "", ""),
    ("carrying {}", _M.carry, False, "basket box", "chair", "television"),
    ("lifting {}", _M.lift, False, "barbell", "box", "sled"),
    ("jumping over {}", _M.leap, False, "bench bucket", "drum", "turtle"),
    ("spinning {}", _M.spin, False, "hoop", "", ""),
)


def _actions() -> tuple[Action, ...]:
    found = []
    for phrase, motion, backwards, *columns in _TABLE:
        verb = Verb(phrase, motion, backwards)
        for group, names in zip(
            ("base", "novel_combination", "novel_entity"), columns, strict=True
        ):
            found += [Action(phrase.format(name), verb, name, group) for name in names.split()]
    return tuple(found)


ACTIONS = _actions()
BY_LABEL = {action.label: action for action in ACTIONS}
BASE, NOVEL_COMBINATION, NOVEL_ENTITY = (
    tuple(a.label for a in ACTIONS if a.group == group)
    for group in ("base", "novel_combination", "novel_entity")
)


def labels_of(split: str) -> tuple[str, ...]:
    """Return the labels whose clips belong to `split` (one of SPLITS)."""
    return {"novel_combination": NOVEL_COMBINATION, "novel_entity": NOVEL_ENTITY}.get(split, BASE)


def opposites() -> tuple[tuple[str, str], ...]:
    """Return the pairs of labels with the same frames in opposite order."""
    forward = {(a.verb.motion, a.thing): a.label for a in ACTIONS if not a.verb.backwards}
    return tuple(
        (forward[a.verb.motion, a.thing], a.label)
        for a in ACTIONS
        if a.verb.backwards and (a.verb.motion, a.thing) in forward
    )


def write_labels(folder: Path) -> None:
    """Write each group's labels to `folder`/GROUP.txt, one a line."""
    for name, labels in (
        ("base", BASE),
        ("novel_combination", NOVEL_COMBINATION),
        ("novel_entity", NOVEL_ENTITY),
    ):
        with atomic_file(folder / f"{name}.txt") as draft:
            draft.write_text("\n".join(labels) + "\n", encoding="utf-8")
