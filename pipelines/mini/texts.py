"""What the text tower is trained on besides captions: the entities' names and definitions."""

import re
from functools import lru_cache

import numpy as np

from pipelines.world.actions import ACTIONS
from pipelines.world.entities import ENTITIES

NAMES = tuple(ENTITIES)
INDEX = {name: k for k, name in enumerate(NAMES)}
PHRASES = ("{}", "a {}", "the {}", "a picture of a {}", "one {}", "{} here")
_IN_COMPANY = ("{1} the {0}", "{1} a {0}", "{1} {0} here", "one {1} {0}")
_HELD_BACK = {word for action in ACTIONS for word in action.label.split()} | set(NAMES)


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
    glosses = " ".join(gloss for of in definitions().values() for gloss in of)
    return tuple(sorted(set(re.findall(r"[a-z]{3,}", glosses.lower())) - _HELD_BACK))


def text_of(name: str, rng: np.random.Generator) -> str:
    """Return one way to write an entity: in a phrase, or as "name: definition"."""
    kind = rng.random()
    if kind < 0.5:
        return str(rng.choice(PHRASES)).format(name)
    glosses = definitions()[name]
    others = kind > 0.9 and len(glosses) > 1
    gloss = glosses[int(rng.integers(1, len(glosses)))] if others else glosses[0]
    return f"{name}: {gloss}"


def pairs_in_company(
    names: int, each: int, rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Write names in the company of words, twice: the same words, differently put.

    A tower that tells these pairs apart keeps both the name and the words around it, whatever they
    are. Without that, "up" and "down" would be lost beside a name that pictures show.

    Args:
        names: how many entities.
        each: how many companies of each.
        rng: what to draw from.

    Returns:
        Two lists of names · each texts.
    """
    first, second = [], []
    for k in rng.choice(len(NAMES), names, replace=False):
        for _ in range(each):
            words = _company(rng)
            first.append(f"{words} {NAMES[k]}")
            second.append(str(rng.choice(_IN_COMPANY)).format(NAMES[k], words))
    return first, second


def in_company(name: str, rng: np.random.Generator) -> str:
    """Write a name in the company of one or two words."""
    return str(rng.choice(("{1} {0}", *_IN_COMPANY))).format(name, _company(rng))


def _company(rng: np.random.Generator) -> str:
    """Draw one or two words."""
    return " ".join(filler(rng) for _ in range(int(rng.integers(1, 3))))


def filler(rng: np.random.Generator) -> str:
    """Draw a word: one of `fillers`, or one made of pieces of the vocabulary, that means nothing.

    The made ones see to it that no piece of a word is as it was before training.
    """
    if rng.random() < 0.4:
        return fillers()[int(rng.integers(len(fillers())))]
    starts, ends = _pieces()
    parts = [starts[int(rng.integers(len(starts)))] for _ in range(int(rng.integers(0, 3)))]
    word = "".join([*parts, ends[int(rng.integers(len(ends)))]])
    return word if word not in _HELD_BACK else filler(rng)


def strangers(count: int, rng: np.random.Generator) -> list[str]:
    """Write texts of things that the world does not have: WordNet's nouns, with glosses or without.

    A third of them hold a name of the world and are something else, as "table tennis" is no table.
    What ends in such a name is a kind of it more often than not, and is left out.
    """
    anything, misleading = _others()
    texts = []
    for k in range(count):
        pool = misleading if k % 3 == 0 else anything
        lemma, gloss = pool[int(rng.integers(len(pool)))]
        texts.append(lemma if rng.random() < 0.5 else f"{lemma}: {gloss}")
    return texts


@lru_cache(maxsize=1)
def _others() -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Return WordNet's (noun, gloss) that are none of the world's, and those that hold a name."""
    from corpus.wordnet import reader

    drawn = {entity.synset for entity in ENTITIES.values()}
    verbs = _HELD_BACK - set(NAMES)
    anything = []
    for synset in reader().all_synsets("n"):
        if synset.name() in drawn:
            continue
        for lemma in synset.lemma_names():
            words = re.split(r"[_-]", lemma.lower())
            if words[-1] not in INDEX and verbs.isdisjoint(words):
                anything.append((" ".join(words), synset.definition()))
    labels = tuple(action.label for action in ACTIONS)
    kept = [(noun, gloss) for noun, gloss in anything if not any(x in gloss for x in labels)]
    return tuple(kept), tuple(one for one in kept if any(w in INDEX for w in one[0].split()))


@lru_cache(maxsize=1)
def _pieces() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the vocabulary's pieces that go on and those that end a word, letters only."""
    from corpus.backbone import MINI, tokenizer

    pieces = tokenizer(MINI).decoder.values()
    ends = {piece.removesuffix("</w>") for piece in pieces if piece.endswith("</w>")}
    starts = {piece for piece in pieces if not piece.endswith("</w>")}
    letters = re.compile(r"[a-z]+").fullmatch
    return tuple(sorted(filter(letters, starts))), tuple(sorted(filter(letters, ends)))
