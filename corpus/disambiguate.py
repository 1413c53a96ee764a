"""Which sense a word has in a label: extended Lesk, WordNet's frequencies, the text space.

Words of the label speak for a sense (`corpus.agreement`), and so do, more softly, other labels of
the set that name the same thing (`corpus.siblings`); `corpus.aptness` says what is left of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nltk.corpus.reader.wordnet import Synset

from corpus import agreement, aptness, glosses, kinds, wordnet
from corpus.parse import Parsed
from corpus.units import Unit

# Shares of a sense's score; the text space moves it where a backbone has a say (`TextSpace`).
LESK, PRIOR, KIND, TEXT = 0.5, 0.5, 0.55, 0.5
_SIBLINGS = 0.8  # what another label's words are worth beside the label's own
_HABIT = 0.8  # what it is worth that a sense is of the kind that the verb takes elsewhere
_WHERE = 0.5  # what a verb's word is worth for the place that it is done at
_KIN = 0.15  # nearness of a game and of the things it is called after, their name apart
_ABSTRACT = 0.5  # what an abstract sense counts beside one that is seen, in running text
_AS_TOOL = 0.5  # what a person or an act counts where a tool is spoken of
_NO_TOOLS = ("noun.person", "noun.act")
_NAMED = 0.2  # what it is worth for a sport that the thing at hand is defined by its name
_UNSEEN = 0.2  # what is left of the score of a sense that no camera sees

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
    habits: frozenset[str] = frozenset(),
) -> Sense | None:
    """Choose the visible sense, or the sense as an activity, of a label's unit.

    Args:
        unit: one of `parsed.units`.
        parsed: the label it stands in.
        text_term: agreement of a gloss with the label in a backbone's text space, if meaningful.
        siblings: other labels of the set that name the same unit.
        habits: synsets, by name, whose kinds the label's verbs take elsewhere in the set.

    Returns:
        The decision; None when no sense of it can be seen or done.
    """
    candidates = [
        (form, synset)
        for form, synset in wordnet.senses(unit.text)
        if (kinds.visibility(synset) or kinds.is_act(synset))
        and not (unit.whole and aptness.is_joined_person(unit.text, form, synset))
    ]

    def fits(synset: Synset) -> float:
        def within(label: Parsed) -> float:
            told = agreement.by_words(synset, label, unit.text, True)
            if not unit.place:
                return told
            # What is done says less of where: what is laid on a table need be no meal.
            return max(_WHERE * told, agreement.by_words(synset, label, unit.text, False))

        return max(within(parsed), _SIBLINGS * max(map(within, siblings), default=0.0))

    def taken(synset: Synset) -> float:
        object_of = aptness.is_object(unit, parsed)
        own = agreement.by_kind(synset, parsed, unit.text) if object_of else 0.0
        if object_of and not habits.isdisjoint(wordnet.ancestors(synset)):
            own = max(own, _HABIT)
        others = [agreement.by_kind(synset, p, unit.text) for p in siblings]
        return max(own, _SIBLINGS * max(others, default=0.0))

    return _choose(
        candidates,
        lambda synset: LESK * fits(synset) + KIND * taken(synset),
        lambda synset: aptness.as_seen(synset, unit, parsed),
        text_term
        and (lambda synset: text_term(f"{unit.text}: {synset.definition()}", parsed.label)),
        unit.text,
        lambda synset: aptness.of_sense(synset, unit.text, parsed),
    )


def first(word: str, pos: str = "n") -> Sense | None:
    """Take the first sense that can be seen or done, choosing none; None when there is none.

    Args:
        word: as the label has it.
        pos: "n" or "v".
    """
    for form, synset in wordnet.senses(word, pos):
        if pos == "v" or kinds.visibility(synset) or kinds.is_act(synset):
            return Sense(form, synset, 1.0)
    return None


def as_thing(sense: Sense) -> Sense:
    """Take what a game is played with where that goes by the game's name: a basketball is seen.

    Darts is played with what it is the plural of.

    Args:
        sense: of a unit.

    Returns:
        The sense as a thing, whose definition speaks of the game by that name, or is much like the
        game's; else `sense`.
    """
    if not kinds.is_act(sense.synset):
        return sense
    if wordnet.is_lexical_plural(sense.form) and (piece := _one_of(sense)) is not None:
        return piece
    if not kinds.is_pastime(sense.synset):
        return sense
    own = set(glosses.stems(sense.form))
    for form, synset in wordnet.senses(sense.form):
        played = synset.lexname() == "noun.artifact" and form == sense.form
        if played and own.issubset(glosses.stems(synset.definition())):
            # The next best sense may be this one: then the game is.
            second = sense.synset.name() if synset.name() == sense.runner_up else sense.runner_up
            return replace(sense, synset=synset, runner_up=second)
    return sense


def game_of(sense: Sense) -> Sense | None:
    """Return the game that a thing goes by the name of, if its definition says so; else None."""
    own = set(glosses.stems(sense.form))
    if sense.synset.lexname() != "noun.artifact":
        return None
    if not own.issubset(glosses.stems(sense.synset.definition())):
        return None
    games = [s for form, s in wordnet.senses(sense.form)
             if form == sense.form and kinds.is_pastime(s)]  # fmt: skip
    return replace(sense, synset=games[0]) if games else None


def _one_of(sense: Sense) -> Sense | None:
    """Take the thing whose plural a game's name is, if one is near the game by its definition."""
    own = set(glosses.stems(sense.form))
    game = glosses.without(glosses.signature(sense.synset), own)
    ranked = []
    for rank, (form, synset) in enumerate(wordnet.senses(sense.form)):
        if form != sense.form and kinds.visibility(synset) >= 0.9:
            near = glosses.similarity(glosses.without(glosses.signature(synset), own), game)
            ranked.append((-round(near, 3), rank, form, synset))
    for near, _, form, synset in sorted(ranked, key=lambda item: item[:2])[:1]:
        if -near >= _KIN:
            return replace(sense, form=form, synset=synset)
    return None


def of_word(
    word: str,
    context: dict[str, float],
    bodily: bool = False,
    tool: bool = False,
    defined: Synset | None = None,
) -> Sense | None:
    """Choose the sense of a word in running text such as a gloss; None unless it can be seen.

    Args:
        word: a noun or noun phrase.
        context: weighted stems of the text.
        bodily: the word stands where a thing does; else abstract senses compete, as in "a way of
            dancing".
        tool: the word stands where a tool does, which a person is not.
        defined: the sense that the text defines, which the word does not mean: the tears that are
            shed in weeping are not weeping.
    """
    least = 0.0 if bodily else _ABSTRACT
    own = set(glosses.stems(word))
    rest = {token: value for token, value in context.items() if token not in own}

    def fits(synset: Synset) -> float:
        # A definition that uses the word means another sense by it: "a rink with a floor of ice".
        circular = not own.isdisjoint(glosses.stems(synset.definition()))
        near = glosses.similarity(glosses.signature(synset), rest) / agreement.FULL
        return LESK * min(near, 1.0) * (0.5 if circular else 1.0)

    def visible(synset: Synset) -> float:
        # What digging removes is earth, and not the planet of that name.
        return max(kinds.visibility(synset), 0.0 if synset.instance_hypernyms() else least)

    def apt(synset: Synset) -> float:
        rate = _AS_TOOL if tool and synset.lexname() in _NO_TOOLS else 1.0
        rate *= aptness.SLANG if aptness.is_slang(synset) else 1.0
        return rate * (0.6 if aptness.is_byname(word, synset) else 1.0)

    others = [pair for pair in wordnet.senses(word) if defined is None or pair[1] != defined]
    chosen = _choose(others, fits, visible, None, word, apt)
    return chosen if chosen and kinds.visibility(chosen.synset) else None


def of_verb(verb: str, parsed: Parsed, things: Sequence[Sense] = ()) -> Sense | None:
    """Choose what a label's verb means.

    A gerund may mean the sport of that name, and one that is all of its label any activity.

    Args:
        verb: one of `parsed.verbs`.
        parsed: the label.
        things: the senses of what it names.
    """
    # A punching bag is "for boxing", and nothing is put in a box.
    named = any(verb in glosses.words(thing.synset.definition()) for thing in things)
    candidates = list(wordnet.senses(verb, "v"))
    alone = not parsed.units and len(parsed.verbs) == 1 and not parsed.placeholders
    activities = [
        (form, synset)
        for word in ((parsed.words or (verb,)) if alone else (verb,))
        for form, synset in wordnet.senses(word)
        if kinds.is_act(synset) and (alone or (form == verb and kinds.is_pastime(synset)))
    ]
    names = frozenset(synset for _, synset in activities)
    return _choose(
        candidates + activities,
        lambda synset: (
            LESK * agreement.by_words(synset, parsed, verb, False)
            + _NAMED * (named and synset in names and kinds.is_sport(synset))
        ),
        lambda synset: aptness.as_done(synset, verb, names, alone),
        None,
        verb,
        lambda synset: aptness.with_object(synset, parsed),
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
    priors = wordnet.priors(verbs, word) + wordnet.priors(nouns, word)
    agreed = [text(synset) if text is not None else 0.0 for _, synset in candidates]
    usual = sum(agreed) / len(agreed)
    scored = []
    for rank, (form, synset) in enumerate(candidates):
        score = (fits(synset) + PRIOR * priors[rank]) * apt(synset)
        score *= _UNSEEN + (1 - _UNSEEN) * visible(synset)
        score = min(max(score + TEXT * (agreed[rank] - usual), 0.0), 1.0)
        scored.append((-round(score, 3), rank, form, synset))
    scored.sort(key=lambda item: item[:2])
    best = scored[0]
    if len(scored) == 1:
        return Sense(best[2], best[3], -best[0])
    return Sense(best[2], best[3], -best[0], scored[1][3].name(), round(scored[1][0] - best[0], 3))
