"""Which sense a word has in a label: extended Lesk, WordNet's frequencies, the text space.

Words of the label speak through the definitions they share with a sense (`_agreement`), its verb
through the kind of thing that it takes (`corpus.selection`), other labels of the set that name
the same thing through their words, more softly (`siblings`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import glosses, kinds, selection, wordnet
from corpus.parse import Parsed
from corpus.units import Unit

# Shares of a sense's score; the text space moves it where a backbone has a say (`TextSpace`).
LESK, PRIOR, KIND, TEXT = 0.5, 0.5, 0.55, 0.5
_SIBLINGS = 0.8  # what another label's words are worth beside the label's own
_FEW = 6.0  # uses in WordNet's tagged texts that are too few to go by
_UNSEEN = 0.2  # what is left of the score of a sense that no camera sees
_LESK_FULL = 0.25  # a cosine of signatures that counts as full agreement
# A sense is less apt that goes by another name first ("honkytonk" for a dive), belongs to a topic
# that the label does not touch ("(baseball) …"), or to slang.
_BYNAME, _OFF_TOPIC, _SLANG = 0.6, 0.7, 0.5
_REGISTERS = frozenset(("slang", "disparagement", "colloquialism", "archaism", "ethnic_slur"))
_INFORMAL = re.compile(r"\b(?:informal|slang|street names?|obsolete|archaic)\b")
# The object of a verb is mostly at hand: a fruit rather than the plant of that name, a thing
# rather than a place or a person.
_PLANT_OBJECT, _PLACE_OBJECT, _PERSON_OBJECT = 0.5, 0.6, 0.5
_PLAY = frozenset(glosses.stems("game sport"))
_VERB_LEXNAMES = {
    "verb.motion": 1.0,
    "verb.contact": 1.0,
    "verb.body": 1.0,
    "verb.competition": 1.0,
    "verb.consumption": 1.0,
    "verb.creation": 0.9,
    "verb.perception": 0.7,
    "verb.communication": 0.6,
    "verb.social": 0.6,
    "verb.change": 0.6,
    "verb.weather": 0.5,
    "verb.emotion": 0.5,
    "verb.possession": 0.4,
    "verb.cognition": 0.3,
    "verb.stative": 0.2,
}

# (gloss, label in context) -> agreement in 0..1; see `corpus.textspace`.
TextTerm = Callable[[str, str], float]


@dataclass(frozen=True)
class Sense:
    """A decision.

    Attributes:
        form: the word as WordNet's entry spells it.
        synset: the sense chosen.
        score: in 0..1, three decimals.
        runner_up: name of the next best sense, None when there was no other.
        margin: by how much the runner-up lost, 1.0 without one.
    """

    form: str
    synset: Synset
    score: float
    runner_up: str | None = None
    margin: float = 1.0


def of_unit(
    unit: Unit,
    parsed: Parsed,
    text_term: TextTerm | None = None,
    siblings: Sequence[Parsed] = (),
) -> Sense | None:
    """Choose the visible sense, or the sense as an activity, of a label's unit.

    Args:
        unit: one of `parsed.units`.
        parsed: the label it stands in.
        text_term: agreement of a gloss with the label in a backbone's text space, if meaningful.
        siblings: other labels of the set that name the same unit.

    Returns:
        The decision; None when no sense of it can be seen or done.
    """
    candidates = [
        (form, synset)
        for form, synset in wordnet.senses(unit.text)
        if kinds.visibility(synset) or kinds.is_act(synset)
    ]

    def fits(synset: Synset) -> float:
        own = _agreement(synset, parsed, unit.text, True)
        others = max((_agreement(synset, p, unit.text, True) for p in siblings), default=0.0)
        return max(own, _SIBLINGS * others)

    def taken(synset: Synset) -> float:
        own = _taken(synset, parsed, unit.text) if _is_object(unit, parsed) else 0.0
        others = max((_taken(synset, p, unit.text) for p in siblings), default=0.0)
        return max(own, _SIBLINGS * others)

    return _choose(
        candidates,
        lambda synset: LESK * fits(synset) + KIND * taken(synset),
        lambda synset: _visible(synset, unit, parsed),
        text_term
        and (lambda synset: text_term(f"{unit.text}: {synset.definition()}", parsed.label)),
        unit.text,
        lambda synset: _aptness(synset, unit.text, parsed),
    )


def of_word(word: str, context: dict[str, float]) -> Sense | None:
    """Choose the sense of a word in running text such as a gloss; None unless it can be seen.

    Abstract senses compete, as in "a way of dancing".
    """
    own = set(glosses.stems(word))
    rest = {token: value for token, value in context.items() if token not in own}

    def fits(synset: Synset) -> float:
        # A definition that uses the word means another sense by it: "a rink with a floor of ice".
        circular = not own.isdisjoint(glosses.stems(synset.definition()))
        near = glosses.similarity(glosses.signature(synset), rest) / _LESK_FULL
        return LESK * min(near, 1.0) * (0.5 if circular else 1.0)

    def visible(synset: Synset) -> float:
        return max(kinds.visibility(synset), 0.5)

    def apt(synset: Synset) -> float:
        return _BYNAME if _is_byname(word, synset) else 1.0

    chosen = _choose(wordnet.senses(word), fits, visible, None, word, apt)
    return chosen if chosen and kinds.visibility(chosen.synset) else None


def of_verb(verb: str, parsed: Parsed) -> Sense | None:
    """Choose what a label's verb means; for a bare gerund, its activity noun is a candidate too."""
    candidates = list(wordnet.senses(verb, "v"))
    activities = []
    if not parsed.units and len(parsed.verbs) == 1 and not parsed.placeholders:
        activities = [
            (form, synset)
            for word in parsed.words or (verb,)
            for form, synset in wordnet.senses(word)
            if kinds.is_act(synset)
        ]
    names = frozenset(synset for _, synset in activities)
    return _choose(
        candidates + activities,
        lambda synset: LESK * _agreement(synset, parsed, verb, False),
        lambda synset: _doable(synset, names),
        None,
        verb,
    )


def _choose(
    candidates: Sequence[tuple[str, Synset]],
    fits: Callable[[Synset], float],
    visible: Callable[[Synset], float],
    text: Callable[[Synset], float] | None,
    word: str,
    apt: Callable[[Synset], float] = lambda synset: 1.0,
) -> Sense | None:
    if not candidates:
        return None
    # Verbs and nouns have each their own order of frequency.
    verbs = [pair for pair in candidates if pair[1].pos() == "v"]
    nouns = [pair for pair in candidates if pair[1].pos() != "v"]
    candidates = verbs + nouns
    priors = _priors(verbs) + _priors(nouns)
    agreement = [text(synset) if text is not None else 0.0 for _, synset in candidates]
    usual = sum(agreement) / len(agreement)
    scored = []
    for rank, (form, synset) in enumerate(candidates):
        score = (fits(synset) + PRIOR * priors[rank]) * apt(synset)
        score *= _UNSEEN + (1 - _UNSEEN) * visible(synset)
        score = min(max(score + TEXT * (agreement[rank] - usual), 0.0), 1.0)
        scored.append((-round(score, 3), rank, form, synset))
    scored.sort(key=lambda item: item[:2])
    best = scored[0]
    if len(scored) == 1:
        return Sense(best[2], best[3], -best[0])
    return Sense(best[2], best[3], -best[0], scored[1][3].name(), round(scored[1][0] - best[0], 3))


def _priors(candidates: Sequence[tuple[str, Synset]]) -> list[float]:
    """Return each candidate's share of uses; WordNet's order speaks where nothing was counted."""
    shares = [
        wordnet.frequency(synset, form) + 0.3 * wordnet.commonness(synset) + 1.0 / (1 + rank / 2)
        for rank, (form, synset) in enumerate(candidates)
    ]
    # A count of one says little: what was hardly ever tagged has hardly a prior.
    top = max(shares, default=0.0) + _FEW
    return [share / top for share in shares]


def _taken(synset: Synset, parsed: Parsed, word: str) -> float:
    """Return how well a sense fits the verbs of its label by its kind, in 0..1."""
    if kinds.is_act(synset):
        return 0.0
    heads = {glosses.stem(verb.split()[0]) for verb in parsed.verbs}
    names = glosses.stems(word)
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
def _is_byname(word: str, synset: Synset) -> bool:
    """Tell whether a synset goes by another name first than one that ends in this word."""
    own, first = glosses.stems(word), glosses.stems(synset.lemma_names()[0].replace("_", " "))
    return own != (first if len(own) > 1 else first[-1:])


@cache
def _aptness(synset: Synset, word: str, parsed: Parsed) -> float:
    """Return what is left of a sense that a label's plain words hardly mean."""
    rate = 1.0
    rate *= _BYNAME if _is_byname(word, synset) else 1.0
    usages = {name for domain in synset.usage_domains() for name in domain.lemma_names()}
    if not usages.isdisjoint(_REGISTERS) or _INFORMAL.search(synset.definition()):
        rate *= _SLANG
    topics = [
        set(glosses.stems(f"{' '.join(domain.lemma_names())} {domain.definition()}"))
        for domain in synset.topic_domains()
    ]
    told = {token for text in (*parsed.words, *parsed.context) for token in glosses.stems(text)}
    told -= set(glosses.stems(word))
    if topics and synset.lexname() != "noun.Tops" and not any(told & topic for topic in topics):
        rate *= _OFF_TOPIC
    return rate


def _visible(synset: Synset, unit: Unit, parsed: Parsed) -> float:
    """Prefer what is seen; a label that is one noun, or a game that modifies an act, is the act."""
    if not kinds.is_act(synset):
        rate = kinds.visibility(synset)
        if parsed.verbs and not unit.place:
            rate *= _PLANT_OBJECT if synset.lexname() == "noun.plant" else 1.0
            if synset.lexname() == "noun.person" and _is_object(unit, parsed):
                rate *= _PERSON_OBJECT
            rate *= _PLACE_OBJECT if kinds.is_scene(synset) else 1.0
        return rate
    if unit.whole or (not unit.head and kinds.is_pastime(synset)):
        return 1.5
    if kinds.is_pastime(synset):
        return 1.0 if _is_played(parsed) else 0.35
    return 0.2


def _is_object(unit: Unit, parsed: Parsed) -> bool:
    """Tell whether a unit follows a verb, which the subject of "baby crawling" does not."""
    words = parsed.words
    verbs = [words.index(v.split()[0]) for v in parsed.verbs if v.split()[0] in words]
    first = unit.text.split()[0]
    return bool(verbs) and first in words and words.index(first) > min(verbs)


@cache
def _is_played(parsed: Parsed) -> bool:
    """Tell whether a label's words are about games: "playing …", "… (sport)"."""
    verbs = [s for verb in parsed.verbs for _, s in wordnet.senses(verb, "v")[:1]]
    told = [token for word in parsed.context for token in glosses.stems(word)]
    told += [token for verb in verbs for token in glosses.stems(verb.definition())]
    return not _PLAY.isdisjoint(told)


def _doable(synset: Synset, activities: frozenset[Synset]) -> float:
    """Prefer bodily verbs, and for a bare gerund the activity of that name and its verb."""
    if kinds.is_act(synset):
        # A bare gerund that WordNet knows as a sport is the sport: "fencing", "boxing".
        sport = kinds.is_pastime(synset)
        named = any(name.endswith("ing") for name in synset.lemma_names())
        return 4.0 if sport and named else 1.6 if sport else 1.2
    named = any(related in activities for related in wordnet.derived(synset))
    return _VERB_LEXNAMES.get(synset.lexname(), 0.0) + 0.5 * named


@cache
def _context(parsed: Parsed, word: str) -> dict[str, float]:
    """Return the words that surround `word` in its label."""
    own = set(glosses.stems(word))
    bag: dict[str, float] = {}
    for text, share in [(w, 1.0) for w in parsed.words] + [(w, 1.5) for w in parsed.context]:
        for token in glosses.stems(text):
            if token not in own:
                bag[token] = max(bag.get(token, 0.0), share * glosses.weight(token))
    return bag


@cache
def _neighbours(parsed: Parsed, word: str, verbs: bool) -> tuple[tuple[Synset, float], ...]:
    """Return the senses of the words beside `word`, each with how likely it is."""
    found: list[tuple[Synset, float]] = []
    others = [(u.text, "n") for u in parsed.units] + [(w, "n") for w in parsed.context]
    others += [(verb, "v") for verb in parsed.verbs] if verbs else []
    own = glosses.stems(word)
    for other, pos in others:
        if glosses.stems(other) != own:
            pairs = wordnet.senses(other, pos)
            found += [(s, 0.4 + 0.6 * p) for p, (_, s) in zip(_priors(pairs), pairs, strict=True)]
    return tuple(found)


@cache
def _agreement(synset: Synset, parsed: Parsed, word: str, verbs: bool) -> float:
    """Return how well a sense fits its label: with its words, and with any sense of a neighbour.

    The best pair of senses counts: one verb sense that plays instruments is enough for an organ.
    """
    own = set(glosses.stems(word))
    mine = {t: v for t, v in glosses.signature(synset).items() if t not in own}
    direct = glosses.similarity(mine, _context(parsed, word))
    best = max(
        (
            p * glosses.similarity(mine, glosses.signature(s))
            for s, p in _neighbours(parsed, word, verbs)
        ),
        default=0.0,
    )
    return min((direct + best) / _LESK_FULL, 1.0)
