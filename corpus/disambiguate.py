"""Which sense a word has in a label: extended Lesk, WordNet's frequencies, the text space."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import wordnet
from corpus.parse import Parsed, Unit

# Shares of a sense's score; the text space moves it where a backbone has a say (`TextSpace`).
LESK, PRIOR, TEXT = 0.5, 0.5, 0.5
_FEW = 3.0  # uses in WordNet's tagged texts that are too few to go by
_UNSEEN = 0.2  # what is left of the score of a sense that no camera sees
_LESK_FULL = 0.25  # a cosine of signatures that counts as full agreement
_PLAY = frozenset(wordnet.stems("game sport"))
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
        if wordnet.visibility(synset) or wordnet.is_act(synset)
    ]
    return _choose(
        candidates,
        lambda synset: _agreement(synset, parsed, unit.text, True),
        lambda synset: _visible(synset, unit, parsed),
        text_term
        and (lambda synset: text_term(f"{unit.text}: {synset.definition()}", parsed.label)),
        unit.text,
    )


def of_word(word: str, context: dict[str, float]) -> Sense | None:
    """Choose the sense of a word in running text such as a gloss; None unless it can be seen.

    Abstract senses compete, as in "a way of dancing".
    """
    own = set(wordnet.stems(word))
    rest = {token: value for token, value in context.items() if token not in own}

    def fits(synset: Synset) -> float:
        # A definition that uses the word means another sense by it: "a rink with a floor of ice".
        circular = not own.isdisjoint(wordnet.stems(synset.definition()))
        near = wordnet.similarity(wordnet.signature(synset), rest) / _LESK_FULL
        return min(near, 1.0) * (0.5 if circular else 1.0)

    def visible(synset: Synset) -> float:
        return max(wordnet.visibility(synset), 0.5)

    chosen = _choose(wordnet.senses(word), fits, visible, None, word)
    return chosen if chosen and wordnet.visibility(chosen.synset) else None


def of_verb(verb: str, parsed: Parsed) -> Sense | None:
    """Choose what a label's verb means; for a bare gerund, its activity noun is a candidate too."""
    candidates = list(wordnet.senses(verb, "v"))
    activities = []
    if not parsed.units and len(parsed.verbs) == 1 and not parsed.placeholders:
        activities = [
            (form, synset)
            for word in parsed.words or (verb,)
            for form, synset in wordnet.senses(word)
            if wordnet.is_act(synset)
        ]
    names = frozenset(synset for _, synset in activities)
    return _choose(
        candidates + activities,
        lambda synset: _agreement(synset, parsed, verb, False),
        lambda synset: _doable(synset, names),
        None,
        verb,
    )


def _choose(
    candidates: Sequence[tuple[str, Synset]],
    lesk: Callable[[Synset], float],
    visible: Callable[[Synset], float],
    text: Callable[[Synset], float] | None,
    word: str,
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
        fit = LESK * lesk(synset) + PRIOR * priors[rank]
        score = fit * (_UNSEEN + (1 - _UNSEEN) * visible(synset))
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
    # A count of one says little: what was hardly ever tagged has hardly a prior.
    top = max(shares, default=0.0) + _FEW
    return [share / top for share in shares]


def _visible(synset: Synset, unit: Unit, parsed: Parsed) -> float:
    """Prefer what is seen; a label that is one noun, or a game that modifies an act, is the act."""
    if not wordnet.is_act(synset):
        return wordnet.visibility(synset)
    if unit.whole or (not unit.head and wordnet.is_pastime(synset)):
        return 1.5
    if wordnet.is_pastime(synset):
        return 1.0 if _is_played(parsed) else 0.35
    return 0.2


@cache
def _is_played(parsed: Parsed) -> bool:
    """Tell whether a label's words are about games: "playing …", "… (sport)"."""
    verbs = [s for verb in parsed.verbs for _, s in wordnet.senses(verb, "v")[:1]]
    told = [token for word in parsed.context for token in wordnet.stems(word)]
    told += [token for verb in verbs for token in wordnet.stems(verb.definition())]
    return not _PLAY.isdisjoint(told)


def _doable(synset: Synset, activities: frozenset[Synset]) -> float:
    """Prefer bodily verbs, and for a bare gerund the activity of that name and its verb."""
    if wordnet.is_act(synset):
        # A bare gerund that WordNet knows as a sport is the sport: "fencing", "boxing".
        sport = wordnet.is_pastime(synset)
        named = any(name.endswith("ing") for name in synset.lemma_names())
        return 4.0 if sport and named else 1.6 if sport else 1.2
    named = any(related in activities for related in wordnet.derived(synset))
    return _VERB_LEXNAMES.get(synset.lexname(), 0.0) + 0.5 * named


@cache
def _context(parsed: Parsed, word: str) -> dict[str, float]:
    """Return the words that surround `word` in its label."""
    own = set(wordnet.stems(word))
    bag: dict[str, float] = {}
    for text, share in [(w, 1.0) for w in parsed.words] + [(w, 1.5) for w in parsed.context]:
        for token in wordnet.stems(text):
            if token not in own:
                bag[token] = max(bag.get(token, 0.0), share * wordnet.weight(token))
    return bag


@cache
def _neighbours(parsed: Parsed, word: str, verbs: bool) -> tuple[tuple[Synset, float], ...]:
    """Return the senses of the words beside `word`, each with how likely it is."""
    found: list[tuple[Synset, float]] = []
    others = [(u.text, "n") for u in parsed.units] + [(w, "n") for w in parsed.context]
    others += [(verb, "v") for verb in parsed.verbs] if verbs else []
    for other, pos in others:
        if other != word:
            pairs = wordnet.senses(other, pos)
            found += [(s, 0.4 + 0.6 * p) for p, (_, s) in zip(_priors(pairs), pairs, strict=True)]
    return tuple(found)


@cache
def _agreement(synset: Synset, parsed: Parsed, word: str, verbs: bool) -> float:
    """Return how well a sense fits its label: with its words, and with any sense of a neighbour.

    The best pair of senses counts: one verb sense that plays instruments is enough for an organ.
    """
    own = set(wordnet.stems(word))
    mine = {t: v for t, v in wordnet.signature(synset).items() if t not in own}
    direct = wordnet.similarity(mine, _context(parsed, word))
    best = max(
        (
            p * wordnet.similarity(mine, wordnet.signature(s))
            for s, p in _neighbours(parsed, word, verbs)
        ),
        default=0.0,
    )
    return min((direct + best) / _LESK_FULL, 1.0)
