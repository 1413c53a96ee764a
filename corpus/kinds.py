"""What kind of thing a sense is: whether a camera sees it, a place, a role, something done."""

import re
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus.wordnet import ancestors, breadth, depth

# Lexicographer files whose synsets a camera can see, and how surely.
VISIBLE = {
    "noun.artifact": 1.0,
    "noun.food": 1.0,
    "noun.animal": 1.0,
    "noun.body": 1.0,
    "noun.plant": 1.0,
    "noun.object": 1.0,
    "noun.substance": 0.9,
    "noun.person": 0.6,
    "noun.Tops": 0.8,
    "noun.location": 0.7,
    "noun.possession": 0.3,
    "noun.phenomenon": 0.6,
    "noun.event": 0.5,
    "noun.communication": 0.4,
    "noun.shape": 0.3,
    "noun.group": 0.05,
}
# Below this depth a synset of these roots names no look ("thing", "object", "part").
_MIN_DEPTH = 4
_SCENE_ROOTS = (
    "building.n.01",
    "building_complex.n.01",
    "establishment.n.04",
    "shelter.n.01",
    "stadium.n.01",
    "bridge.n.01",
    "room.n.01",
    "court.n.10",
    "patio.n.01",
    "porch.n.01",
    "enclosure.n.01",
    "floor.n.01",
    "floor.n.02",
    "facility.n.01",
    "pool.n.01",
    "road.n.01",
    "path.n.02",
    "passageway.n.01",
    "aisle.n.01",
    "geological_formation.n.01",
    "body_of_water.n.01",
    "land.n.02",
    "land.n.04",
    "geographical_area.n.01",
    "workplace.n.01",
    "jungle.n.01",
    "slope.n.01",
)
# What no camera sees: television as such and the net of computers, both artifacts to WordNet,
# what is within a body, what draws or presses, numbers, and what medicines are called.
_UNSEEN_ROOTS = (
    "communication_system.n.01",
    "network.n.05",
    "medium.n.01",
    "internal_organ.n.01",
    "force.n.02",
    "pressure.n.01",
    "number.n.02",
    "medicine.n.02",
)
# Processes, groups and possessions to WordNet that every camera sees: flames, waves and piles; of
# what people own, money, gifts and treasure, but no losses and no expenses.
_SEEN_ROOTS = (
    "fire.n.03",
    "wave.n.01",
    "pile.n.01",
    "medium_of_exchange.n.01",
    "acquisition.n.02",
    "valuable.n.01",
)
# Of phenomena, weather, light and smoke are seen, and flakes of snow, but no heat and no luck.
_SHOWN = ("atmospheric_phenomenon.n.01", "light.n.01", "cloud.n.01", "matter.n.03")
_SAID = "speech_act.n.01"
_BURNING = "fire.n.01"  # an event, but a thing rather than something done
# What no camera sees, air and oxygen; but the sky is one to WordNet.
_GAS, _SKY = "gas.n.02", "atmosphere.n.05"
# What is defined by such words is never shown, whatever action it goes with.
_UNFIT = re.compile(
    r"\b(?:offensive|derogatory|disparaging|uncomplimentary) (?:term|name|word|slang)s?\b"
    r"|\bethnic slur|\billicit sex|\bprostitut|\bobscene"
)
_TOO_GENERAL = 70  # direct hyponyms
_NATURAL = ("noun.plant", "noun.substance")
_PASTIMES = ("diversion.n.01", "game.n.01", "dancing.n.01", "exercise.n.01", "stroke.n.01")


def is_act(synset: Synset) -> bool:
    """Tell whether a noun's synset is something that people do."""
    return synset.lexname() == "noun.act" or "contest.n.01" in ancestors(synset)


@cache
def is_pastime(synset: Synset) -> bool:
    """Tell whether an act is a sport, game, dance, or a domain with terms of its own."""
    if not ancestors(synset).isdisjoint(_PASTIMES):
        return True
    return is_act(synset) and len(synset.in_topic_domains()) > 3


def is_sport(synset: Synset) -> bool:
    """Tell whether an act is a sport, and no other game or dance."""
    return "sport.n.01" in ancestors(synset)


@cache
def visibility(synset: Synset) -> float:
    """Rate in 0..1 how surely a synset is something that a camera sees."""
    seen = not ancestors(synset).isdisjoint(_SEEN_ROOTS)
    rate = 0.8 if seen else VISIBLE.get(synset.lexname(), 0.0)
    if not rate or is_act(synset) or synset.instance_hypernyms():
        return 0.0  # individuals (cities, people) are not kinds of thing
    if _UNFIT.search(synset.definition()):
        return 0.0
    if not seen and "physical_entity.n.01" not in ancestors(synset):
        # Coins, tears and bubbles are abstract to WordNet.
        most = {"noun.artifact": 0.8, "noun.body": 0.8, "noun.object": 0.8}
        rate = min(rate, most.get(synset.lexname(), 0.5))
    if _GAS in ancestors(synset) and _SKY not in ancestors(synset):
        return 0.0
    hidden = synset.lexname() == "noun.phenomenon" and ancestors(synset).isdisjoint(_SHOWN)
    if hidden or not ancestors(synset).isdisjoint(_UNSEEN_ROOTS):
        rate *= 0.5
    if _is_shallow(synset) and synset.lexname() != "noun.Tops":
        rate *= 0.5
    if synset.lexname() == "noun.Tops" and depth(synset) < 3:
        return 0.0
    return rate


def is_sound(synset: Synset) -> bool:
    """Tell whether a synset is something heard."""
    return "sound.n.04" in ancestors(synset)


def is_seen(synset: Synset) -> bool:
    """Tell whether a synset is more likely seen than not."""
    return visibility(synset) > 0.5


def is_general(synset: Synset) -> bool:
    """Tell whether a synset is too wide to name a look, as "device" and "garment" are.

    Trees and metals have as many kinds, but what grows, or is a substance, has one look.
    """
    many = synset.lexname() not in _NATURAL and breadth(synset) > _TOO_GENERAL
    return many or _is_shallow(synset)


def _is_shallow(synset: Synset) -> bool:
    """Tell whether a synset names no look; but the ground, hardly deeper, is a place."""
    return depth(synset) < _MIN_DEPTH and not is_scene(synset)


@cache
def is_scene(synset: Synset) -> bool:
    """Tell whether a synset is a place that an action is found in."""
    return not ancestors(synset).isdisjoint(_SCENE_ROOTS)


def is_nowhere(synset: Synset) -> bool:
    """Tell whether a synset is a stretch of the world that looks like no place: a side, the air."""
    return synset.lexname() == "noun.location" and not is_scene(synset)


def is_vehicle(synset: Synset) -> bool:
    """Tell whether a synset is something to travel with."""
    return "vehicle.n.01" in ancestors(synset)


def kind_of(synset: Synset) -> str:
    """Name an entity's kind: object, body_part, scene, role or motion."""
    lexname = synset.lexname()
    if lexname == "noun.body":
        return "body_part"
    if lexname == "noun.person" or synset.name() == "person.n.01":
        return "role"
    seen = not ancestors(synset).isdisjoint((*_SEEN_ROOTS, _BURNING))
    said = _SAID in ancestors(synset)
    if is_act(synset) or said or (lexname == "noun.event" and not seen):
        return "motion"
    return "scene" if is_scene(synset) else "object"
