"""How apt a sense is for a plain word of a label, whatever the label's other words say of it."""

import re
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import glosses, kinds, wordnet
from corpus.parse import Parsed
from corpus.units import Unit

# A sense is less apt that goes by another name first ("honkytonk" for a dive), belongs to a topic
# that the label does not touch ("(baseball) …"), or to slang.
_BYNAME, _OFF_TOPIC, SLANG = 0.6, 0.6, 0.5
_REGISTERS = frozenset(("slang", "disparagement", "colloquialism", "archaism", "ethnic_slur"))
_INFORMAL = re.compile(r"\b(?:informal|slang|street names?|obsolete|archaic)\b")
# What is made of a thing is called after it, and meant less ("leather made from alligator's
# hide"); a substance has no plural ("adjusting glasses").
_PRODUCT, _MASS = 0.4, 0.4
_OF = re.compile(r"\b(?:made (?:of|from)|carved from|(?:meat|flesh|body) of)\b")
_MADE = ("noun.artifact", "noun.food", "noun.substance", "noun.possession")
# The object of a verb is mostly at hand: a fruit rather than the plant of that name, a thing
# rather than a place, a ship or a person, and a part of the body more than any: "cutting nails".
_PLANT_OBJECT, _PLACE_OBJECT, _PERSON_OBJECT, _BODY_OBJECT = 0.5, 0.6, 0.5, 1.2
_LARGE_OBJECT = 0.3  # by its own definition, as the balloon that carries people
# WordNet's sentence frames in which a verb has an object, and what is left of a sense without.
_TRANSITIVE = frozenset((8, 9, 10, 11, 15, 16, 17, 18, 19, 20, 21, 24, 25, 30, 31))
_NO_OBJECT = 0.3
_OF_BODY = 1.5  # a verb of bodily care, of a part of the body: "washing hands"
_SPORT = 1.3  # a gerund that names a pastime: "playing" an instrument, "fishing" on ice
_PLAY = frozenset(("game", "sport"))  # stems
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


@cache
def is_byname(word: str, synset: Synset) -> bool:
    """Tell whether a synset goes by another name first than one that ends in this word.

    A plural that is an entry of its own is a name of its own: "glasses" for spectacles.
    """
    if wordnet.is_lexical_plural(word) and word in {n.lower() for n in synset.lemma_names()}:
        return False
    own, first = glosses.stems(word), glosses.stems(synset.lemma_names()[0].replace("_", " "))
    return own != (first if len(own) > 1 else first[-1:])


@cache
def of_sense(synset: Synset, word: str, parsed: Parsed) -> float:
    """Return what is left of a sense that a label's plain words hardly mean, in 0..1."""
    rate = 1.0
    rate *= _BYNAME if is_byname(word, synset) else 1.0
    rate *= SLANG if is_slang(synset) else 1.0
    topics = [
        set(glosses.stems(f"{' '.join(domain.lemma_names())} {domain.definition()}"))
        for domain in synset.topic_domains()
    ]
    told = {token for text in (*parsed.telling, *parsed.context) for token in glosses.stems(text)}
    told -= set(glosses.stems(word))
    if topics and synset.lexname() != "noun.Tops" and not any(told & topic for topic in topics):
        rate *= _OFF_TOPIC
    rate *= _PRODUCT if is_product(synset, word) else 1.0
    if synset.lexname() == "noun.substance" and _is_plural_of(word, synset):
        rate *= _MASS
    return rate


@cache
def is_slang(synset: Synset) -> bool:
    """Tell whether a sense belongs to slang or to another register that no label is written in."""
    usages = {name for domain in synset.usage_domains() for name in domain.lemma_names()}
    return not usages.isdisjoint(_REGISTERS) or bool(_INFORMAL.search(synset.definition()))


def is_joined_person(text: str, form: str, synset: Synset) -> bool:
    """Tell whether a sense is of a person whose name is two words joined: no sidekick kicks."""
    return synset.lexname() == "noun.person" and " " in text and " " not in form


def _is_plural_of(word: str, synset: Synset) -> bool:
    return any(of == synset and form != word for form, of in wordnet.senses(word))


def is_product(synset: Synset, word: str) -> bool:
    """Tell whether a thing is defined as made of, or the flesh of, what the word means first."""
    definition = synset.definition()
    if synset.lexname() not in _MADE or not _OF.search(definition):
        return False
    forms = "|".join(re.escape(form) for form in {word, *(f for f, _ in wordnet.senses(word))})
    made = rf"{_OF.pattern}[^;,]*\b(?:{forms})(?:'s \w+)?(?! \w+ing\b)(?:$|\W)"
    return re.search(made, definition) is not None


def as_seen(synset: Synset, unit: Unit, parsed: Parsed) -> float:
    """Rate a sense of a unit by how surely it is seen, or done, where the unit stands.

    A label that is one noun, and a game that modifies an act, is the act.
    """
    if unit.whole and unit.text in parsed.verbs:
        # "wave": a noun that is derived from the verb, a gesture and not the sea's.
        verbs = {verb for _, verb in wordnet.senses(unit.text, "v")}
        if verbs.isdisjoint(wordnet.derived(synset)):
            return 0.0
        return 2.0
    if not kinds.is_act(synset):
        rate = kinds.visibility(synset)
        # An action's name is no person's: a punching bag is rather punched.
        rate *= _PERSON_OBJECT if unit.whole and synset.lexname() == "noun.person" else 1.0
        if parsed.verbs and not unit.place:
            rate *= _PLANT_OBJECT if synset.lexname() == "noun.plant" else 1.0
            if is_object(unit, parsed):
                rate *= _PERSON_OBJECT if synset.lexname() == "noun.person" else 1.0
                rate *= _BODY_OBJECT if synset.lexname() == "noun.body" else 1.0
            large = kinds.is_scene(synset) or "craft.n.02" in wordnet.ancestors(synset)
            rate *= _PLACE_OBJECT if large else 1.0
            rate *= _LARGE_OBJECT if synset.definition().startswith("large ") else 1.0
        return rate
    if unit.whole or (not unit.head and kinds.is_pastime(synset)):
        return 1.5
    if kinds.is_pastime(synset):
        return 1.0 if _is_played(parsed) else 0.2 if is_object(unit, parsed) else 0.35
    return 0.2


def is_object(unit: Unit, parsed: Parsed) -> bool:
    """Tell whether a unit is what is acted on.

    The baby of "baby crawling" stands before the verb, a preposition leads to the cup of
    "drinking from cup".
    """
    if unit.governed:
        return False
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


def with_object(synset: Synset, parsed: Parsed) -> float:
    """Return what a verb's sense counts where the label has an object: little if it takes none.

    To wax is to cover with wax when it is done to a chest; only the moon waxes for itself. Hands
    are washed as one washes, more than as ores are.
    """
    if synset.pos() != "v" or not any(is_object(unit, parsed) for unit in parsed.units):
        return 1.0
    frames = {number for lemma in synset.lemmas() for number in lemma.frame_ids()}
    if frames and not frames & _TRANSITIVE:
        return _NO_OBJECT
    named = [[s for _, s in wordnet.senses(u.text) if kinds.is_seen(s)] for u in parsed.units]
    bodily = any(seen[0].lexname() == "noun.body" for seen in named if seen)
    return _OF_BODY if bodily and synset.lexname() == "verb.body" else 1.0


def as_done(synset: Synset, word: str, activities: frozenset[Synset], alone: bool) -> float:
    """Prefer bodily verbs, and for a gerund that is all of its label the activity of that name."""
    if kinds.is_act(synset) and not alone:
        return _SPORT
    if kinds.is_act(synset):
        # A bare gerund that WordNet knows as an activity is that one: "fencing", "drawing".
        sport, names = kinds.is_pastime(synset), synset.lemma_names()
        if any(name.endswith("ing") for name in names):
            own = names[0].endswith("ing") and not is_byname(word, synset)
            return 4.0 if sport else 3.5 if own else 3.0
        return 1.6 if sport else 1.2
    named = any(related in activities for related in wordnet.derived(synset))
    return _VERB_LEXNAMES.get(synset.lexname(), 0.0) + 0.5 * named
