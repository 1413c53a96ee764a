"""The visible things that WordNet's definition of a sense speaks of, in their senses there."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from nltk.corpus.reader.wordnet import Synset

from corpus import disambiguate, glosses, kinds, relations, tags, wordnet
from corpus.disambiguate import Sense
from corpus.relations import Found
from corpus.units import PLACEHOLDER

_MOST, _MOST_OF_GAME = 6, 8  # nouns of a definition; that of a game goes on to what it is with
_LIKENED = re.compile(r"\b(?:similar to|resembling|resembles) ((?:[a-z]+ ?){1,3})")
_MEANS = ("with", "on", "in", "by", "using", "from", "through")
# A tool, and no person, is what these govern: "with a sprayer".
_USED = "using"
_TOOLS = ("with", _USED)
_HANDLED = "handled"  # in place of a preposition, of what is pushed or thrown
# What these govern is a thing more often than not: "through a ring".
_BODILY = ("onto", "over", "under", "through", "against", _HANDLED)
_BY_HAND = ("verb.contact", "verb.motion")
# Steps up to the kinds of a thing; visibility of what they are used with, and its score.
_KINDS, _SURE, _USED_WITH = 3, 0.9, 0.35


def things(
    sense: Sense, context: dict[str, float], share: float, examples: bool = False
) -> Iterator[Found]:
    """Find the visible nouns of a sense's definition, or of its examples.

    Args:
        sense: of an act or a thing; the same act as verb or noun is read as well.
        context: weighted stems of the label, which help to tell the nouns' senses.
        share: score of a noun that fits its definition well.
        examples: read the examples in place of the definition.
    """
    for synset in relations.counterparts(sense.synset):
        text = "; ".join(synset.examples()).replace(";", ",") if examples else synset.definition()
        bag = dict(context)
        for token in glosses.stems(text):
            bag[token] = max(bag.get(token, 0.0), glosses.weight(token))
        told = _nouns(text)
        most, done = _MOST_OF_GAME if kinds.is_pastime(synset) else _MOST, synset.pos() == "v"
        # Of more, still what a thing is used with: a violin, after all its parts, with a bow.
        for phrase, lead in told[:most] + tuple(n for n in told[most:] if n[1] in _TOOLS):
            direct = lead in _MEANS
            chosen = (None if lead else _genus(phrase, synset)) or disambiguate.of_word(
                phrase, bag, lead in _BODILY, lead in _TOOLS, synset
            )
            if (
                chosen is None
                or (lead not in _TOOLS and _is_done(phrase, synset))
                or _is_move(phrase, synset)
                or _is_rather_done(phrase, chosen.synset)
                # "To tear at" has the verb, and covering takes no cover; but brushing, a brush.
                or (phrase == sense.form and (examples or (done and lead not in _TOOLS)))
                or kinds.visibility(chosen.synset) < 0.6
                or kinds.is_general(chosen.synset)
                or kinds.is_nowhere(chosen.synset)
                or PLACEHOLDER.fullmatch(chosen.form)
                or (lead == "from" and _is_stuff_of(synset, chosen.synset))
                or (lead in _TOOLS and chosen.synset.lexname() == "noun.person")
            ):
                continue
            near = glosses.similarity(glosses.signature(chosen.synset), bag)
            score = share * (0.6 + 0.4 * min(near / 0.2, 1.0)) + (0.1 if direct else 0.0)
            source = f"{'example' if examples else 'definition'} of {sense.form}"
            yield replace(
                relations.found(chosen.form, chosen.synset, source, score),
                runner_up=chosen.runner_up,
                margin=chosen.margin,
            )
            if kinds.is_pastime(sense.synset) and chosen.synset.lexname() == "noun.animal":
                for whole in chosen.synset.part_holonyms():  # where horseback is, there is a horse
                    yield relations.found(relations.first_name(whole), whole, source, score)


def used_with(thing: Sense, context: dict[str, float], travelled: bool = False) -> Iterator[Found]:
    """Find what a thing's kinds are used with: a cello with a bow, a canoe with a paddle, on water.

    Args:
        thing: an object, whose own definition is read by `things`.
        context: weighted stems of the label.
        travelled: what it is moved by and on instead, if it is a vehicle.
    """
    above = thing.synset.closure(lambda synset: synset.hypernyms(), depth=_KINDS)
    leads = (*_TOOLS, "on", "over") if travelled else (_USED,)
    for kind in filter(kinds.is_vehicle, above) if travelled else above:
        text = kind.definition()
        bag = context | {token: glosses.weight(token) for token in glosses.stems(text)}
        for phrase, lead in dict.fromkeys(n for c in text.split(";") for n in _of_clause(c)):
            chosen = disambiguate.of_word(phrase, bag, tool=True) if lead in leads else None
            if chosen and kinds.visibility(chosen.synset) >= _SURE:
                source = f"definition of {relations.first_name(kind)}"
                yield relations.found(chosen.form, chosen.synset, source, _USED_WITH)


def likened(sense: Sense) -> Iterator[Sense]:
    """Find the games that the definition of one says it is like: "similar to field hockey"."""
    for synset in relations.counterparts(sense.synset):
        for words in _LIKENED.findall(synset.definition()):
            names = [" ".join(words.split()[:n]) for n in (3, 2, 1)]
            games = [(n, s) for n in names for _, s in wordnet.senses(n) if kinds.is_pastime(s)]
            for name, game in games[:1]:
                yield Sense(name, game, sense.score)


def _genus(phrase: str, synset: Synset) -> Sense | None:
    """Return what a definition says first, as WordNet's own kind: a snowboard is no sawn board."""
    above = synset.closure(lambda low: low.hypernyms(), depth=_KINDS)
    kinds_of = dict.fromkeys(above)
    return next((Sense(form, s, 1.0) for form, s in wordnet.senses(phrase) if s in kinds_of), None)


def _is_done(name: str, act: Synset) -> bool:
    """Tell whether a noun of a verb's definition is the verb's act: one does a cartwheel."""
    same = [s for _, s in wordnet.senses(name) if kinds.is_act(s)]
    return not set(same).isdisjoint(wordnet.derived(act)) and act.pos() == "v"


def _is_stuff_of(thing: Synset, stuff: Synset) -> bool:
    """Tell whether a definition tells what a thing was once made from: paper from wood, or rags."""
    made = thing.pos() == "n" and not kinds.is_act(thing)
    return made and stuff.lexname() in ("noun.substance", "noun.plant", "noun.artifact")


def _is_rather_done(gerund: str, thing: Synset) -> bool:
    """Tell whether a gerund is the name of an act, and only another name of a thing: fencing."""
    named = wordnet.is_gerund(gerund) and relations.first_name(thing) != gerund
    return named and any(kinds.is_act(s) for s in wordnet.entry(gerund))


def _is_move(name: str, act: Synset) -> bool:
    """Tell whether a noun of a dance's definition is what is danced: steps are no stairs there."""
    if "dancing.n.01" not in wordnet.ancestors(act):
        return False
    return any(kinds.is_act(s) and "danc" in glosses.stems(s.definition())
               for _, s in wordnet.senses(name))  # fmt: skip


@cache
def _nouns(text: str) -> tuple[tuple[str, str], ...]:
    """List a definition's noun phrases, and the preposition that leads there ("with a bow") or "".

    What comes first tells most; after a semicolon stands what the thing is used for.
    """
    first, _, rest = text.partition(";")
    found: list[tuple[str, str]] = []
    for clause in (first, rest.partition(";")[0]):
        clause = clause.replace("(", ", ").replace(")", ", ").strip()
        if clause:
            found += _of_clause(clause)
    return tuple(dict.fromkeys(found))


@cache
def _of_clause(clause: str) -> tuple[tuple[str, str], ...]:
    doc = tags.nlp()(clause)
    words = [token.text.lower() for token in doc]
    taken = [False] * len(words)
    found: list[tuple[int, str, str]] = []

    def lead(at: int) -> str:
        first = doc[at]
        while first.dep_ == "conj":  # "on rocks or walls"
            first = first.head
        head = first.head
        if first.dep_ == "dobj" and _is_by_hand(head.lower_):
            return _HANDLED
        if head.tag_ != "IN":
            return ""
        # What has strings is no tool of them; what is played with a bow is.
        used = head.lower_ == "with" and head.head.tag_ == "VBN"
        return _USED if used else head.lower_

    for at, token in enumerate(doc):
        taken[at] = any(_is_absence(over) for over in token.ancestors)
    for start, end in wordnet.ngrams(words, 3):
        if any(taken[start:end]) or not all(
            t.tag_[:2] in ("NN", "JJ", "VB") for t in doc[start:end]
        ):
            continue
        if doc[end - 1].tag_[:2] == "NN" and wordnet.senses(" ".join(words[start:end])):
            leading = lead(end - 1)
            found.append((start, " ".join(words[start:end]), leading))
            # One jumps over a horizontal bar that is no gymnast's.
            free = doc[start].tag_ == "JJ" and leading in _BODILY
            taken[start : end - free] = [True] * (end - free - start)
    for at, token in enumerate(doc):
        if taken[at] or _is_share(token):
            continue
        if token.tag_ in ("NN", "NNS") and wordnet.senses(words[at]):
            found.append((at, words[at], lead(at)))
    return tuple((phrase, leading) for _, phrase, leading in sorted(found))


def _is_by_hand(verb: str) -> bool:
    """Tell whether a verb is one of touching or moving before all else."""
    return any(synset.lexname() in _BY_HAND for _, synset in wordnet.senses(verb, "v")[:1])


def _is_share(token: Any) -> bool:
    """Tell whether a noun only counts or cuts out what follows: a mixture, a piece of wood."""
    return any(child.lower_ == "of" for child in token.children)


def _is_absence(token: Any) -> bool:
    """Tell whether nothing that a preposition, or a verb denied, governs is there.

    "Without a surfboard"; "extended like the spokes of a wheel"; "does not run on rails". But "with
    or without soap".
    """
    if any(child.dep_ == "neg" and child.lower_ == "not" for child in token.children):
        return True
    if token.tag_ != "IN" or token.lower_ not in ("like", "without"):
        return False
    return not token.i or token.nbor(-1).lower_ != "or"
