"""What the world has, by WordNet name: things, animals, scenes, roles and body parts."""

from dataclasses import dataclass

from pipelines.world import animals, figure, scenes, things
from pipelines.world.pen import Point

KINDS = ("object", "animal", "scene", "role", "body_part")


@dataclass(frozen=True)
class Entity:
    """One kind of thing that can be seen.

    Attributes:
        name: a WordNet lemma.
        kind: one of KINDS.
        synset: the sense that is drawn, in NLTK's notation.
        size: height in figure heights (0 for scenes, roles and body parts).
        grip: where a hand takes hold of it, in the drawing's own frame.
    """

    name: str
    kind: str
    synset: str
    size: float = 0.0
    grip: Point = (0.0, 0.5)


# Sense (".n.01" of the name itself unless given), height, grip.
_THINGS: dict[str, tuple[str, float, Point]] = {
    "accordion": ("", 0.34, (0, 0.5)),
    "apple": ("", 0.2, (0, 0.4)),
    "axe": ("ax.n.01", 0.52, (0, 0.08)),
    "ball": ("", 0.24, (0, 0.5)),
    "balloon": ("balloon.n.02", 0.42, (0, 0.0)),
    "barbell": ("", 0.32, (0, 0.5)),
    "basket": ("", 0.32, (0, 1.0)),
    "bench": ("", 0.36, (0, 0.7)),
    "bicycle": ("", 0.52, (0.55, 1.05)),
    "boat": ("", 0.62, (0, 0.3)),
    "book": ("book.n.02", 0.27, (0, 0.1)),
    "bottle": ("", 0.33, (0, 0.5)),
    "bow": ("bow.n.04", 0.55, (0.2, 0.5)),
    "box": ("", 0.34, (0, 0.4)),
    "broom": ("", 0.66, (0, 1.0)),
    "bucket": ("", 0.32, (0, 1.1)),
    "cake": ("cake.n.03", 0.32, (0, 0.05)),
    "car": ("", 0.5, (-0.9, 0.5)),
    "cart": ("", 0.46, (-0.8, 1.0)),
    "chair": ("", 0.48, (-0.35, 1.0)),
    "clock": ("", 0.36, (0, 0.5)),
    "crown": ("crown.n.04", 0.2, (0, 0.1)),
    "cup": ("", 0.2, (0.3, 0.5)),
    "door": ("", 0.95, (0.15, 0.49)),
    "drum": ("", 0.34, (0, 0.9)),
    "flag": ("flag.n.04", 0.62, (0, 0.3)),
    "flower": ("", 0.42, (0, 0.3)),
    "frisbee": ("", 0.16, (0, 0.5)),
    "guitar": ("", 0.58, (0, 0.35)),
    "hammer": ("hammer.n.02", 0.46, (0, 0.08)),
    "hat": ("", 0.18, (0.5, 0.15)),
    "hoop": ("hoop.n.02", 0.46, (0, 0.95)),
    "kettle": ("", 0.32, (0, 1.0)),
    "kite": ("kite.n.03", 0.46, (0, 0.5)),
    "ladder": ("", 0.95, (0, 0.5)),
    "lamp": ("lamp.n.02", 0.52, (0, 0.4)),
    "mushroom": ("", 0.34, (0, 0.3)),
    "piano": ("", 0.62, (-0.4, 0.58)),
    "racket": ("racket.n.04", 0.52, (0, 0.1)),
    "rope": ("", 0.5, (0, 0.5)),
    "shovel": ("", 0.62, (0, 0.9)),
    "skateboard": ("", 0.13, (0, 0.9)),
    "sled": ("", 0.24, (-1.0, 0.7)),
    "suitcase": ("bag.n.06", 0.36, (0, 1.0)),
    "sword": ("", 0.56, (0, 0.1)),
    "table": ("table.n.02", 0.42, (0, 0.9)),
    "television": ("television_receiver.n.01", 0.4, (0, 0.05)),
    "tent": ("", 0.56, (0, 0.5)),
    "trumpet": ("cornet.n.01", 0.24, (-0.1, 0.7)),
    "umbrella": ("", 0.5, (0, 0.15)),
    "wheelbarrow": ("barrow.n.03", 0.4, (-1.0, 0.75)),
}
_ANIMALS: dict[str, tuple[str, float, Point]] = {
    "bird": ("", 0.34, (0, 0.7)),
    "camel": ("", 0.8, (-0.05, 0.7)),
    "cat": ("", 0.36, (-0.1, 0.65)),
    "dog": ("", 0.42, (0, 0.7)),
    "elephant": ("", 0.85, (-0.1, 0.9)),
    "fish": ("", 0.28, (0, 0.6)),
    "giraffe": ("", 0.95, (0, 0.5)),
    "horse": ("", 0.75, (-0.08, 0.7)),
    "rabbit": ("", 0.36, (-0.1, 0.6)),
    "snake": ("", 0.26, (0, 0.4)),
    "turtle": ("turtle.n.02", 0.3, (0, 0.95)),
}
_SCENES = {
    "beach": "", "bedroom": "", "desert": "", "forest": "", "gymnasium": "gymnasium.n.02",
    "kitchen": "", "library": "", "meadow": "hayfield.n.01", "stage": "stage.n.03", "street": "",
}  # fmt: skip
_ROLES = {
    "chef": "", "child": "", "clown": "clown.n.02", "cowboy": "", "man": "",
    "wizard": "sorcerer.n.01", "woman": "",
}  # fmt: skip
_PARTS = ("arm", "foot", "hand", "head", "leg", "torso")


def _entities() -> dict[str, Entity]:
    every = [
        *(Entity(n, "object", s, z, g) for n, (s, z, g) in _THINGS.items()),
        *(Entity(n, "animal", s, z, g) for n, (s, z, g) in _ANIMALS.items()),
        *(Entity(n, "scene", s) for n, s in _SCENES.items()),
        *(Entity(n, "role", s) for n, s in _ROLES.items()),
        *(Entity(n, "body_part", "") for n in _PARTS),
    ]
    return {
        e.name: Entity(e.name, e.kind, e.synset or f"{e.name}.n.01", e.size, e.grip) for e in every
    }


ENTITIES = _entities()
ROLES = figure.ROLES
SCENES = tuple(scenes.DRAW)
THINGS = tuple(name for name, e in ENTITIES.items() if e.kind in ("object", "animal"))
DRAW = things.DRAW | animals.DRAW
