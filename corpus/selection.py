"""What kind of thing an action takes, learned from the words of WordNet's own definitions.

Definitions of foods speak of peeling and scrambling, those of plants of planting: so an egg that
is scrambled is food. This is the selectional preference of verbs (Resnik 1996) with WordNet's
lexicographer files as classes, as Yarowsky (1992) took Roget's.
"""

import re
from collections import Counter, defaultdict
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import glosses, kinds, wordnet

# Lexicographer files of what can be handled or met, by their numbers in WordNet's data.
_CLASSES = {
    "05": "noun.animal",
    "06": "noun.artifact",
    "08": "noun.body",
    "13": "noun.food",
    "15": "noun.location",
    "17": "noun.object",
    "18": "noun.person",
    "20": "noun.plant",
    "27": "noun.substance",
}
# What definitions say of these is what they are used for or do, not what is done to them.
_ACTIVE = ("noun.animal", "noun.artifact", "noun.person", "noun.location")
_TOPS = {"plant.n.02": "noun.plant"}
_OBJECT = re.compile(r"\(an? ([a-z ]+)\)")
_PSEUDO = 100.0  # definitions of each class that use a word as often as all do


@cache
def _uses() -> tuple[dict[str, Counter[str]], dict[str, int], dict[tuple[str, str], list[int]]]:
    """Count the words of definitions in each class, and note the compounds of two words."""
    words: dict[str, Counter[str]] = {name: Counter() for name in _CLASSES.values()}
    sizes: dict[str, int] = dict.fromkeys(_CLASSES.values(), 0)
    compounds: dict[tuple[str, str], list[int]] = defaultdict(list)
    for noun in glosses.nouns():
        kind = _CLASSES.get(noun.file)
        if kind is None:
            continue
        words[kind].update(noun.stems)
        sizes[kind] += 1
        for name in noun.names:
            if name.count("_") == 1 and name[0].islower():
                pair = glosses.stems(name.replace("_", " "))
                if len(pair) == 2:
                    compounds[pair[0], pair[1]].append(noun.offset)
    return words, sizes, dict(compounds)


@cache
def affinity(stem: str, synset: Synset) -> float:
    """Return how much a word belongs to things of a synset's kind, in 0..1; 0 where it does not.

    Args:
        stem: of a verb, as `glosses.stem` gives it.
        synset: a noun's.
    """
    words, sizes, _ = _uses()
    kind = _TOPS.get(synset.name(), synset.lexname())
    usual = sum(count[stem] for count in words.values()) / sum(sizes.values())
    if kind not in words or kind in _ACTIVE or not usual:
        return 0.0
    rates = {
        name: (count[stem] + _PSEUDO * usual) / (sizes[name] + _PSEUDO)
        for name, count in words.items()
    }
    even = 1 / len(words)
    return max(rates[kind] / sum(rates.values()) - even, 0.0) / (1 - even)


@cache
def objects(verb: str) -> frozenset[str]:
    """Return what the definitions of a verb say it takes, by name: "on (a musical instrument)".

    Args:
        verb: in any form.
    """
    named = [
        phrase
        for form, sense in wordnet.senses(verb, "v")
        for phrase in _OBJECT.findall(sense.definition())
        if form in sense.lemma_names()
    ]
    senses = [synset for phrase in named for _, synset in wordnet.senses(phrase)[:1]]
    things = [s for s in senses if s.lexname() != "noun.substance"]  # of many kinds
    return frozenset(s.name() for s in things if kinds.is_seen(s) and not kinds.is_general(s))


@cache
def compounds(modifier: str, head: str) -> tuple[Synset, ...]:
    """Return the things that are called by two stems: "poached egg", "gas pump"."""
    _, _, pairs = _uses()
    offsets = dict.fromkeys(pairs.get((modifier, head), []))
    return tuple(wordnet.reader().synset_from_pos_and_offset("n", at) for at in offsets)
