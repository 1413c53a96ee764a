"""What the text tower is trained on besides captions: the entities' names and definitions."""

import re
from functools import lru_cache

import numpy as np

from pipelines.world.actions import ACTIONS
from pipelines.world.entities import ENTITIES

NAMES = tuple(ENTITIES)
INDEX = {name: k for k, name in enumerate(NAMES)}
_PHRASES = ("{}", "a {}", "the {}", "a picture of a {}", "one {}", "{} here")


@lru_cache(maxsize=1)
def definitions() -> dict[str, tuple[str, ...]]:
    """Return each entity's glosses: first of the sense that is drawn, then of its other senses.

    The corpus may take another sense than the one drawn, and its text still begins with the name.
    """
    from corpus.wordnet import reader

    senses = {}
    for name, entity in ENTITIES.items():
        drawn = reader().synset(entity.synset)
        others = [s for s in reader().synsets(name, "n") if s != drawn]
        senses[name] = (drawn.definition(), *(s.definition() for s in others))
    return senses


@lru_cache(maxsize=1)
def fillers() -> tuple[str, ...]:
    """Return words to put around a name, so that a name counts in any company.

    They are the words of the definitions, less all words of the actions' labels.
    """
    held_back = {word for action in ACTIONS for word in action.label.split()} | set(NAMES)
    glosses = " ".join(gloss for of in definitions().values() for gloss in of)
    return tuple(sorted(set(re.findall(r"[a-z]{3,}", glosses.lower())) - held_back))


def text_of(name: str, rng: np.random.Generator) -> str:
    """Return one way to write an entity: a phrase, a name among words, or "name: definition"."""
    kind = rng.random()
    if kind < 0.35:
        return str(rng.choice(_PHRASES)).format(name)
    if kind < 0.6:
        words = fillers()
        before, after = rng.integers(1, 5), rng.integers(0, 3)
        picked = [words[k] for k in rng.integers(len(words), size=before + after)]
        return " ".join([*picked[:before], name, *picked[before:]])
    glosses = definitions()[name]
    others = kind > 0.92 and len(glosses) > 1
    gloss = glosses[int(rng.integers(1, len(glosses)))] if others else glosses[0]
    return f"{name}: {gloss}"


def every_text() -> list[str]:
    """Return all texts that `text_of` can give, but for names among random words."""
    return [phrase.format(name) for name in NAMES for phrase in _PHRASES] + [
        f"{name}: {gloss}" for name in NAMES for gloss in definitions()[name]
    ]
