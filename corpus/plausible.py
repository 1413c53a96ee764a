"""How plausible it is that what WordNet says goes with a label is seen there.

Each way in which an entity is found has its own score, of how well that way fits. What all ways
have in common is weighed here, by a logistic regression on the entities of 200 labels that readers
graded, knowing their definitions alone. `tests/corpus/judged.jsonl` and `judged_again.jsonl` have
the grades of others.
"""

import math
from collections.abc import Sequence

from corpus import glosses, relations, wordnet
from corpus.disambiguate import Sense
from corpus.parse import Parsed
from corpus.relations import Found

LIKELY = -0.7  # logit, the highest that loses nothing of what labels are expected to have
_BIAS = 0.15
_WEIGHTS = {
    "near": 5.6,  # its definition and neighbours to the words of the label
    "ways": 0.3,  # in which it was found, but the first
    "score": 1.9,
    "kinds": 0.4,  # of it, their logarithm: what has many is common
    "depth": -0.15,  # in WordNet's tree: what is deep is rare
    "by definition": -1.2,  # found by its own
    "by name": 0.5,  # one of its names has a word of the label
    "part": 0.9,
    "body": 2.0,
    "anything": -1.3,  # the label is of what may be anything
}


def logit(entity: Found, parsed: Parsed, senses: Sequence[Sense], ways: int) -> float:
    """Return the logarithm of the odds that an entity is seen where a label's action is.

    Args:
        entity: of which WordNet has a sense.
        parsed: the label.
        senses: those chosen for what it names and says is done.
        ways: how many ways led to it, at least 1.
    """
    known = facts(entity, parsed, senses, ways)
    return _BIAS + sum(weight * known[name] for name, weight in _WEIGHTS.items())


def facts(entity: Found, parsed: Parsed, senses: Sequence[Sense], ways: int) -> dict[str, float]:
    """Return what is known of an entity, by the names of the weights."""
    synset = relations.synset_of(entity.synset or "")
    called = glosses.stems(" ".join(synset.lemma_names()).replace("_", " "))
    forms = [sense.form for sense in senses]  # as WordNet spells them: the shot put of "Shotput"
    told = glosses.stems(" ".join((*parsed.words, *parsed.context, *forms)))
    bag = {token: glosses.weight(token) for token in told}
    return {
        "near": glosses.similarity(glosses.signature(synset), bag),
        "ways": ways - 1.0,
        "score": entity.score,
        "kinds": math.log1p(wordnet.breadth(synset)),
        "depth": float(wordnet.depth(synset)),
        "by definition": float("its definition mentions" in entity.source),
        "by name": float(not bag.keys().isdisjoint(called)),
        "part": float(entity.source.startswith("part of")),
        "body": float(entity.kind == "body_part"),
        "anything": float(parsed.placeholders),
    }


def rated(found: Sequence[Found], parsed: Parsed, senses: Sequence[Sense]) -> dict[Found, float]:
    """Rate what is found by its `logit`, in the order given.

    Args:
        found: one of each way that led to an entity.
        parsed: the label.
        senses: those chosen for what it names and says is done.
    """
    ways: dict[str | None, int] = {}
    for entity in found:
        ways[entity.synset] = ways.get(entity.synset, 0) + 1
    return {one: logit(one, parsed, senses, ways[one.synset]) for one in found}
