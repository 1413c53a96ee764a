"""What an action may be done with, by the verbs that say so: to brush is to clean with a brush."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import disambiguate, glosses, kinds, relations, wording, wordnet
from corpus.disambiguate import Sense
from corpus.relations import Found

# "beat with or as if with a hammer"; but who cradles grain cuts it "with a cradle scythe"
_WITH = re.compile(
    r"(?:to )?(\w+)\b(?: (?!together)\w+)? (?:as if )?with (?:or as if with )?"
    r"(?:an? |the |one's )?(?:\w+ )?(\w+)"
    r"(?=$|[,;()]| (?:or|and|in|on|to|of|by|as|for|from|so|that)\b)"
)
_MOST_WAYS = 20  # who covers may do it with anything
_SCORE = 0.4  # of the thing of an action
_COMMON = 20  # uses in WordNet's texts that make a thing common
_SEEN = 0.9  # visibility of a thing that is sure to be seen


def means(act: Sense, context: dict[str, float]) -> Iterator[Found]:
    """Find the likeliest thing that the ways of doing an action are called after.

    The ways of a verb that means much are those of its sense: to surfboard is one to ride, but no
    horse.

    Args:
        act: what is done.
        context: weighted stems of the label.
    """
    ways = _ways().get(act.form, ())
    if len(ways) > _MOST_WAYS:
        return
    meant = {synset.name() for synset in relations.counterparts(act.synset)}
    vague = wording.means_much(act)
    ranked = []
    for verb, word in ways:
        if vague and meant.isdisjoint(wordnet.ancestors(verb)):
            continue
        tool = _tool(verb, word)
        if tool is None or kinds.visibility(tool.synset) < _SEEN:
            continue
        uses = wordnet.commonness(tool.synset)
        if not uses or kinds.kind_of(tool.synset) != "object":
            continue
        near = glosses.similarity(glosses.signature(verb), context)
        usual = math.log1p(min(uses, _COMMON)) / math.log1p(_COMMON)
        ranked.append((-round(near + usual, 3), tool.form, tool.synset))
    if ranked:
        _, form, synset = min(ranked, key=lambda item: item[:2])
        yield relations.found(form, synset, f"instrument: a way to {act.form}", _SCORE)


def _tool(verb: Synset, word: str) -> Sense | None:
    """Choose what a verb's definition means by its own name: a sense that derives from the verb."""
    told = {token: glosses.weight(token) for token in glosses.stems(verb.definition())}
    derived = wordnet.derived(verb)
    own = [(form, synset) for form, synset in wordnet.senses(word) if synset in derived]
    if own:
        near = [glosses.similarity(glosses.signature(synset), told) for _, synset in own]
        form, synset = own[near.index(max(near))]
        return Sense(form, synset, max(near))
    return disambiguate.of_word(word, told)


@cache
def _ways() -> dict[str, list[tuple[Synset, str]]]:
    """Index verbs whose definition is an act with what they are called after, by that act."""
    found: dict[str, list[tuple[Synset, str]]] = defaultdict(list)
    for verb in wordnet.glossed(" with ", "v"):
        match = _WITH.match(verb.definition())
        if match:
            for name in verb.lemma_names():
                same = match[2] in (name, f"{name}s", f"{name}es")
                if same and wordnet.entry(name):
                    found[match[1]].append((verb, name))
                    break
    return dict(found)
