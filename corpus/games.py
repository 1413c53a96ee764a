"""Which games a text speaks of: what is for golf is of no use in tennis."""

from collections.abc import Iterable
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import wordnet
from corpus.parse import Parsed
from corpus.relations import Found

_GAME = "game.n.01"
_LONGEST = 3  # words of a game's name


@cache
def named(text: str) -> frozenset[str]:
    """Return the synsets of the games that a text names, by name: any that its words may mean.

    >>> sorted(named("a table used for playing table tennis"))
    ['table_tennis.n.01']
    """
    words = [word for part in text.lower().split() if (word := part.strip("(),;."))]
    free = [True] * len(words)
    found = set()
    runs = wordnet.ngrams(words, _LONGEST)
    for start, end in [*runs, *((at, at + 1) for at in range(len(words)))]:
        senses = wordnet.senses(" ".join(words[start:end])) if all(free[start:end]) else []
        if senses and _is_game(senses[0][1]):
            found |= {synset.name() for _, synset in senses if _is_game(synset)}
            free[start:end] = [False] * (end - start)
    return frozenset(found)


def apart(found: Iterable[Found], parsed: Parsed) -> list[Found]:
    """Leave out what is defined by games, and by none of those that a label is about.

    Args:
        found: what may go with a label.
        parsed: the label; a game that it excludes is another one.
    """
    return [entity for entity in found if not _is_of_other(entity.description, parsed)]


def _is_of_other(definition: str, parsed: Parsed) -> bool:
    excluded, own = _named_in(parsed.excluded), _named_in(_told(parsed))
    if not (excluded or own):
        return False
    games = named(definition)
    if games & excluded:
        return True
    above = {name for game in own for name in wordnet.ancestors(wordnet.reader().synset(game))}
    return bool(own and games) and games.isdisjoint(above)


def _named_in(texts: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*map(named, texts))


def _told(parsed: Parsed) -> list[str]:
    return [*(unit.text for unit in parsed.units), *parsed.verbs, *parsed.context]


def _is_game(synset: Synset) -> bool:
    return _GAME in wordnet.ancestors(synset)
