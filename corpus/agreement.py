"""How well a sense agrees with its label: by shared words, and by the kind of thing a verb takes.

Extended Lesk over pairs of senses: the words of the label speak through the definitions that they
share with a sense (`by_words`), its verb through what it is done to (`by_kind`).
"""

import re
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import glosses, kinds, selection, wordnet
from corpus.parse import Parsed
from corpus.tags import is_light

FULL = 0.25  # a cosine of signatures that counts as full agreement


@cache
def by_words(synset: Synset, parsed: Parsed, word: str, verbs: bool) -> float:
    """Return how well a sense fits its label, in 0..1: its words, and any sense of a neighbour.

    The best pair of senses counts: one verb sense that plays instruments is enough for an organ.

    Args:
        synset: a sense of the word.
        parsed: the label.
        word: as it stands in the label.
        verbs: whether the label's verbs speak as well.
    """
    own = set(glosses.stems(word))
    mine = {t: v for t, v in glosses.signature(synset).items() if t not in own}
    direct = glosses.similarity(mine, _context(parsed, word, verbs))
    best = max(
        (
            p * glosses.similarity(mine, glosses.signature(s))
            for s, p in _neighbours(parsed, word, verbs)
        ),
        default=0.0,
    )
    return min((direct + best) / FULL, 1.0)


def by_kind(synset: Synset, parsed: Parsed, word: str) -> float:
    """Return how well a sense fits the verbs of its label by its kind, in 0..1."""
    if kinds.is_act(synset):
        return 0.0
    heads = {glosses.stem(verb.split()[0]) for verb in parsed.verbs}
    names = glosses.stems(word)
    taken = frozenset[str]().union(*map(selection.objects, parsed.verbs))
    if not taken.isdisjoint(wordnet.ancestors(synset)):
        return 1.0
    kind = max((selection.affinity(verb, synset) for verb in heads), default=0.0)
    if len(names) != 1:
        return kind
    # "Poached egg" is a kind of the egg that is poached; a "gas pump" tells which gas is pumped.
    others = {name.lower() for name in synset.lemma_names()} - {word}
    for verb in sorted(heads - set(names)):
        for compound in selection.compounds(verb, names[0]):
            if synset.name() in wordnet.ancestors(compound):
                return 1.0
            kind = max(kind, 0.8 * (compound.lexname() == synset.lexname() == "noun.food"))
        for compound in selection.compounds(names[0], verb):
            if not others.isdisjoint(re.findall(r"[a-z]+", compound.definition())):
                return 1.0
    return kind


@cache
def _context(parsed: Parsed, word: str, verbs: bool) -> dict[str, float]:
    """Return the words that surround `word` in its label."""
    own = set(glosses.stems(word))
    if not verbs:
        own |= {glosses.stem(verb.split()[0]) for verb in parsed.verbs}
    bag: dict[str, float] = {}
    for text, share in [(w, 1.0) for w in parsed.telling] + [(w, 1.5) for w in parsed.context]:
        for token in glosses.stems(text):
            if token not in own:
                bag[token] = max(bag.get(token, 0.0), share * glosses.weight(token))
    return bag


@cache
def _neighbours(parsed: Parsed, word: str, verbs: bool) -> tuple[tuple[Synset, float], ...]:
    """Return the senses of the words beside `word`, each with how likely it is."""
    found: list[tuple[Synset, float]] = []
    others = [(u.text, "n") for u in parsed.units] + [(w, "n") for w in parsed.context]
    others += [(verb, "v") for verb in parsed.verbs if verbs and not is_light(verb)]
    own = glosses.stems(word)
    for other, pos in others:
        if glosses.stems(other) != own:
            pairs = wordnet.senses(other, pos)
            shares = wordnet.priors(pairs, other)
            found += [(s, 0.4 + 0.6 * p) for p, (_, s) in zip(shares, pairs, strict=True)]
    return tuple(found)
