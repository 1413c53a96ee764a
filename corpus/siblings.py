"""The other labels of a set, which tell senses as well: by the same thing, and by the same verb.

A word mostly keeps one sense within a collection (Gale, Church & Yarowsky 1992): in a set with
"inflating balloons", the balloon of "letting go of balloon" is the small one. And a verb takes
one kind of thing (Resnik 1996): where "playing" takes a cello, an oboe and a lute, a recorder is a
flute.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice

from corpus import aptness, glosses, kinds, wordnet
from corpus.parse import Parsed, parse

_MOST = 8
# Things that a verb must take in a set before it has a habit, and the share of them that one kind
# must have, beside that kind's share of what other verbs take.
_FEWEST, _SHARE, _LIFT = 5, 0.3, 3.0


class Siblings:
    """The labels of a set, by the units that they name and the verbs that they hold.

    Args:
        labels: in any naming style.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self._naming: dict[tuple[str, ...], list[Parsed]] = defaultdict(list)
        taken: dict[str, set[str]] = defaultdict(set)
        for label in labels:
            parsed = parse(label)
            for stems in dict.fromkeys(tuple(glosses.stems(unit.text)) for unit in parsed.units):
                self._naming[stems].append(parsed)
            objects = {u.text for u in parsed.units if u.known and aptness.is_object(u, parsed)}
            for verb in _heads(parsed):
                taken[verb] |= objects
        self._habit = _habits(taken)

    def naming(self, unit: str, label: str) -> list[Parsed]:
        """Return a few labels that name a unit, other than the one given, in their order."""
        found = self._naming.get(tuple(glosses.stems(unit)), [])
        return list(islice((parsed for parsed in found if parsed.label != label), _MOST))

    def habits(self, parsed: Parsed) -> frozenset[str]:
        """Return the synsets, by name, whose kinds the verbs of a label take in this set."""
        return frozenset(self._habit[verb] for verb in _heads(parsed) if verb in self._habit)


def _heads(parsed: Parsed) -> list[str]:
    return sorted({glosses.stem(verb.split()[0]) for verb in parsed.verbs})


def _habits(taken: dict[str, set[str]]) -> dict[str, str]:
    """Find for each verb the kind that is most of what it takes, and little of what others do."""
    counts = {verb: _kinds_of(objects) for verb, objects in taken.items()}
    every: dict[str, float] = defaultdict(float)
    for count_of in counts.values():
        for kind, count in count_of.items():
            every[kind] += count
    total = sum(map(len, taken.values()))
    found: dict[str, str] = {}
    for verb, objects in taken.items():
        if len(objects) < _FEWEST:
            continue
        rated = []
        for kind, count in counts[verb].items():
            share = count / len(objects)
            lift = share * (total - len(objects) + 1) / (every[kind] - count + 1)
            if share >= _SHARE and lift >= _LIFT:
                rated.append((-round(share * math.log(lift), 6), kind))
        if rated:
            found[verb] = min(rated)[1]
    return found


def _kinds_of(things: Iterable[str]) -> dict[str, float]:
    """Count the kinds of things, a word's senses as often as they are meant."""
    found: dict[str, float] = defaultdict(float)
    for thing in sorted(things):
        pairs = [(form, s) for form, s in wordnet.senses(thing) if kinds.visibility(s) >= 0.5]
        priors = wordnet.priors(pairs, thing)
        total = sum(priors)
        for (_, synset), prior in zip(pairs, priors, strict=True):
            for kind in wordnet.ancestors(synset):
                found[kind] += prior / total
    return found
