"""What is found by its definition: tools, places and people that speak of a label's words."""

import math
import re
from collections.abc import Iterator

from nltk.corpus.reader.wordnet import Synset

from corpus import glosses, kinds, neighbours, relations, wording, wordnet
from corpus.disambiguate import Sense
from corpus.parse import Parsed
from corpus.relations import Found

_ASIDE = 2  # definitions worth an entity that mention the thing but not what is done with it
# Of what a definition mentions, words that people use are seen more often than rare ones.
_KNOWN, _COMMON = 0.12, 20  # what a common word is worth, and uses in WordNet's texts that make one
# Nearness of a definition that is worth an entity; and of one of which no name says so.
_NEAR, _UNNAMED = 0.2, 0.25
_OWN = 0.046  # nearness to a sport, its name apart, of what has to do with no namesake of it
_MOST = {"object": 4, "scene": 2, "role": 2, "body_part": 1}
_MOST_ALONE = _MOST | {"object": 8}  # of a label of one word, which names nothing itself


def mentioning(
    parsed: Parsed,
    things: list[Sense],
    acts: list[Sense],
    context: dict[str, float],
    known: set[str | None],
) -> Iterator[Found]:
    """Find tools, places and people whose definitions mention what the label is about.

    There are only so many of each kind, those that are `known` already not counted.
    """
    phrases, about = _phrases(parsed, things, acts)
    shared = [act for act in acts if _shares_name(act)]
    chosen = {sense.synset.name() for sense in (*things, *acts)}
    # A soup bowl is no more about bowling than a bowl; what bowls are for is `namesakes`' to say.
    bases = {form for act in acts for form, _ in wordnet.senses(act.form, "v")}
    bases |= {act.form for act in acts}
    namesakes = {s.name() for base in bases for s in wordnet.entry(base) if kinds.visibility(s)}
    total = sum(phrase.weight for phrase in phrases) or 1.0
    left = dict(_MOST if len(parsed.words) > 1 else _MOST_ALONE)
    most_aside = _ASIDE if any(phrase.act for phrase in phrases) else len(kinds.VISIBLE)
    aside: list[str] = []  # kinds of those found, of which only one is a scene
    ranked = []
    for synset, near, mentioned in neighbours.mentioning(phrases):
        by_act = any(phrase.act for phrase in mentioned)
        above = wordnet.ancestors(synset)
        # Kinds of what is named already ("dark bread" beside "bread") add nothing.
        if not kinds.is_seen(synset) or not chosen.isdisjoint(above):
            continue
        if not namesakes.isdisjoint(above - {synset.name()}):
            continue
        if synset.name() in namesakes and relations.first_name(synset) in bases:
            continue
        if not by_act and _is_called_a(synset, things):
            continue
        if about and about.isdisjoint(mentioned) and not _is_of_kind(synset, things, acts):
            continue
        if any(_is_of_homonym(synset, act, wording.gerund(act, parsed), context) for act in shared):
            continue
        alike = min(glosses.similarity(glosses.signature(synset), context) / 0.3, 1.0)
        usual = math.log1p(min(wordnet.commonness(synset), _COMMON)) / math.log1p(_COMMON)
        score = near / total * (0.5 + 0.5 * alike) + _KNOWN * usual
        ranked.append((-round(score, 3), synset.name(), synset, by_act))
    for score, _, synset, by_act in sorted(ranked, key=lambda item: item[:2]):
        kind = kinds.kind_of(synset)
        least = _NEAR if _is_named_so(synset, things, acts) else _UNNAMED
        full = len(aside) >= most_aside or (kind == "scene" and kind in aside)
        if -score < least or not left.get(kind, 0) or (full and not by_act):
            continue
        new = synset.name() not in known
        aside += [kind] if new and not by_act else []
        if _is_dish_of(synset, things):  # what of the thing comes after it is no nearer
            continue
        left[kind] -= new
        what = {"object": "instrument"}.get(kind, kind)
        yield relations.found(
            relations.first_name(synset),
            synset,
            f"{what}: its definition mentions the action",
            -score,
        )


def _phrases(
    parsed: Parsed, things: list[Sense], acts: list[Sense]
) -> tuple[list[neighbours.Phrase], set[neighbours.Phrase]]:
    """Return what to look for, and which of it a label is about: a thing, or a pastime by name."""
    phrases = [
        neighbours.Phrase(wording.names(thing), 1.0, words=wording.words(thing)) for thing in things
    ]
    about = set(phrases)
    for act in acts:
        # A vague verb alone points everywhere; a named activity points home.
        named, vague = act.synset.pos() == "n", wording.is_vague(act)
        if vague and not all(unit.known for unit in parsed.units):
            continue
        lead = act.form.replace(" ", "_") if named else wording.gerund(act, parsed)
        weight = 0.6 if vague and things else 1.0
        users = frozenset(f"{doer}s" for doer in wordnet.doers(act.form))
        names, words, others = wording.names(act), wording.words(act), wording.synonyms(act)
        phrases.append(neighbours.Phrase(names, weight, lead, True, users, words, others))
        pastime = named or any(map(kinds.is_pastime, relations.counterparts(act.synset)))
        about |= {phrases[-1]} if pastime and not wording.means_much(act) else set()
    return phrases, about


def _is_dish_of(synset: Synset, things: list[Sense]) -> bool:
    """Tell whether a food has one at hand in it, and is no use for it: no onion is for a bagel."""
    foods = any(thing.synset.lexname() == "noun.food" for thing in things)
    useful = re.search(r"\b(?:used?|for)\b", synset.definition())
    return foods and synset.lexname() == "noun.food" and not useful


def _is_of_kind(synset: Synset, things: list[Sense], acts: list[Sense]) -> bool:
    """Tell whether what has to do with an act has to do with a thing of the kinds at hand as well.

    A rolling pin rolls out dough, of which pastry is a kind; who plays the violin has no bats.
    """
    if any(synset.name() in wordnet.ancestors(thing.synset) for thing in things):
        return True
    plain = [act for act in acts if not wording.means_much(act)]
    return _is_named_so(synset, [], plain) or bool(relations.told_of(synset, things))


def _is_named_so(synset: Synset, things: list[Sense], acts: list[Sense]) -> bool:
    """Tell whether a name is of who does an act, or begins with the act or a thing: wineglass."""
    first, *rest = (name := relations.first_name(synset)).split()
    doers = {doer for act in acts for doer in wordnet.doers(act.form)}
    if (rest[-1] if rest else first) in doers:
        return True
    stems = {glosses.stem(sense.form) for sense in (*things, *acts)}
    joined = any(neighbours.is_made_of(thing.form, name) for thing in things)
    return joined or (bool(rest) and glosses.stem(first) in stems)


def _is_called_a(synset: Synset, things: list[Sense]) -> bool:
    """Tell whether a name ends in that of a thing: a date bar is another bar, or no news."""
    heads = tuple(thing.form.split()[-1] for thing in things)
    return any(name.lower().endswith(heads) for name in synset.lemma_names())


def _shares_name(act: Sense) -> bool:
    """Tell whether a sport's name is of a thing as well, which it has not to do with: box, bowl."""
    same = relations.counterparts(act.synset)
    if not any(map(kinds.is_pastime, same)):
        return False
    bases = {act.form, *(form for form, _ in wordnet.senses(act.form, "v"))}
    named = [s for base in bases for s in wordnet.entry(base) if kinds.is_seen(s)]
    return any(set(same).isdisjoint(wordnet.derived(synset)) for synset in named)


def _is_of_homonym(synset: Synset, sport: Sense, gerund: str, context: dict[str, float]) -> bool:
    """Tell whether a definition that has the name of a sport means the thing of that name.

    A definition of what boxers use says "boxing", or something else that has to do with it.
    """
    own = set(glosses.stems(sport.form))
    if own.isdisjoint(glosses.stems(synset.definition())):
        return False
    if gerund in glosses.words(synset.definition()):
        return False
    mine = glosses.without(glosses.signature(synset), own)
    return glosses.similarity(mine, glosses.without(context, own)) < _OWN
