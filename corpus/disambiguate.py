"""Which sense a word has in a label: extended Lesk, WordNet's frequencies, the text space."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import wordnet
from corpus.parse import Parsed, Unit

# Shares of a sense's score; the text space moves it where a backbone has a say (`TextSpace`).
LESK, PRIOR, TEXT = 0.6, 0.4, 0.5
_UNSEEN = 0.5  # what is left of the score of a sense that no camera sees
_LESK_FULL = 0.20  # a cosine of signatures that counts as full agreement
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


def of_unit(unit: Unit, parsed: Parsed, text_term: TextTerm | None = None) -> Sense | None:
    """Choose the visible sense, or the sense as an activity, of a label's unit.

    Args:
        unit: one of `parsed.units`.
        parsed: the label it stands in.
        text_term: agreement of a gloss with the label in a backbone's text space, if meaningful.

    Returns:
        The decision; None when no sense of it can be seen or done.
    """
    candidates = [
        (form, synset)
        for form, synset in wordnet.senses(unit.text)
        if wordnet.visibility(synset) or synset.lexname() == wordnet.MOTION
    ]
    context = _context(parsed, unit.text)
    return _choose(
        candidates,
        context,
        lambda synset: _visible(synset, unit, parsed),
        text_term
        and (lambda synset: text_term(f"{unit.text}: {synset.definition()}", parsed.label)),
        unit.text,
    )


def of_word(word: str, context: dict[str, float]) -> Sense | None:
    """Choose the visible sense of a word in a bag of context words, such as a gloss."""
    candidates = [(f, s) for f, s in wordnet.senses(word) if wordnet.visibility(s)]
    return _choose(candidates, context, wordnet.visibility, None, word)


def of_verb(verb: str, parsed: Parsed) -> Sense | None:
    """Choose what a label's verb means; for a bare gerund, its activity noun is a candidate too."""
    candidates = list(wordnet.senses(verb, "v"))
    activities = []
    if not parsed.units and len(parsed.verbs) == 1:
        activities = [
            (form, synset)
            for word in parsed.words or (verb,)
            for form, synset in wordnet.senses(word)
            if synset.lexname() == wordnet.MOTION
        ]
    names = frozenset(synset for _, synset in activities)
    return _choose(
        candidates + activities,
        _context(parsed, verb, verbs=False),
        lambda synset: _doable(synset, names),
        None,
        verb,
    )


def _choose(
    candidates: Sequence[tuple[str, Synset]],
    context: dict[str, float],
    visible: Callable[[Synset], float],
    text: Callable[[Synset], float] | None,
    word: str,
) -> Sense | None:
    if not candidates:
        return None
    priors = _priors(candidates)
    agreement = [text(synset) if text is not None else 0.0 for _, synset in candidates]
    usual = sum(agreement) / len(agreement)
    scored = []
    for rank, (form, synset) in enumerate(candidates):
        lesk = min(wordnet.similarity(wordnet.signature(synset), context) / _LESK_FULL, 1.0)
        score = (LESK * lesk + PRIOR * priors[rank]) * (_UNSEEN + (1 - _UNSEEN) * visible(synset))
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
        wordnet.frequency(synset, form) + 0.3 * wordnet.commonness(synset) + 1.0 / (1 + rank)
        for rank, (form, synset) in enumerate(candidates)
    ]
    top = max(shares)
    return [share / top for share in shares]


def _visible(synset: Synset, unit: Unit, parsed: Parsed) -> float:
    """Prefer what is seen; a label that is one noun, or a game that modifies an act, is the act."""
    if synset.lexname() != wordnet.MOTION:
        return wordnet.visibility(synset)
    if unit.whole or (not unit.head and wordnet.is_pastime(synset)):
        return 1.5
    return 0.5 if wordnet.is_pastime(synset) else 0.2


def _doable(synset: Synset, activities: frozenset[Synset]) -> float:
    """Prefer bodily verbs, and for a bare gerund the activity of that name and its verb."""
    if synset.lexname() == wordnet.MOTION:
        return 1.3
    named = any(related in activities for related in wordnet.derived(synset))
    return _VERB_LEXNAMES.get(synset.lexname(), 0.0) + 0.5 * named


@cache
def _context(parsed: Parsed, word: str, verbs: bool = True) -> dict[str, float]:
    """Return the words that surround `word` in its label, and what those words go with."""
    own = set(wordnet.stems(word))
    bag: dict[str, float] = {}
    for text, share in _surroundings(parsed, word):
        for token in wordnet.stems(text):
            if token not in own:
                bag[token] = max(bag.get(token, 0.0), share * wordnet.weight(token))
    others = [u.text for u in parsed.units if u.text != word] + list(parsed.context)
    for other in others:
        _blend(bag, [s for _, s in wordnet.senses(other)], other, 0.5)
    if verbs:
        for verb in parsed.verbs:
            _blend(bag, [s for _, s in wordnet.senses(verb, "v")], verb, 0.4)
    return bag


def _surroundings(parsed: Parsed, word: str) -> Iterable[tuple[str, float]]:
    for other in parsed.words:
        if other != word:
            yield other, 1.0
    for other in parsed.context:
        yield other, 1.5


def _blend(bag: dict[str, float], senses: list[Synset], word: str, share: float) -> None:
    """Add the signatures of a neighbouring word's senses, the frequent ones more."""
    if not senses:
        return
    priors = _priors([(word, synset) for synset in senses])
    total = sum(priors)
    for prior, synset in zip(priors, senses, strict=True):
        for token, value in wordnet.signature(synset).items():
            bag[token] = bag.get(token, 0.0) + share * value * prior / total
