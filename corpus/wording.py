"""How definitions word what a label is about: names of acts and things, and how much they tell."""

from corpus import glosses, kinds, spelling, tags, wordnet
from corpus.disambiguate import Sense
from corpus.parse import Parsed

_VAGUE = 12  # senses of a verb from which it says little of what it is done with


def is_vague(act: Sense) -> bool:
    """Tell whether a verb means so much that it says little of what it is done with."""
    return act.synset.pos() == "v" and means_much(act)


def means_much(act: Sense) -> bool:
    """Tell whether the verb of an act's name has many meanings, whatever is meant here."""
    return len(wordnet.senses(act.form, "v")) > _VAGUE


def gerund(act: Sense, parsed: Parsed) -> str:
    """Return a verb's gerund as the label has it, or as its derived noun spells it."""
    spelled = [*parsed.words] + [n for s in wordnet.derived(act.synset) for n in s.lemma_names()]
    stem = glosses.stem(act.form)
    fits = [n for n in spelled if n.endswith("ing") and glosses.stem(n) == stem]
    return fits[0] if fits else act.form


def names(sense: Sense) -> tuple[tuple[str, ...], ...]:
    """Return the stems of a sense's name in the label, and of its synonyms."""
    called = [sense.form]
    if sense.synset.pos() == "n":  # a verb's synonyms are too many things, and a rare name's
        synonyms = [name.replace("_", " ").lower() for name in sense.synset.lemma_names()]
        called += [n for n in synonyms if sense.synset in [s for _, s in wordnet.senses(n)[:1]]]
        if kinds.is_act(sense.synset):  # penning is writing to few: to most a pen is for pigs
            others = [n for n in called if not (_is_of_thing(n) or tags.rather_verb(n))]
            called = list(dict.fromkeys([sense.form, *others]))
    called += spelling.written_apart(sense)
    # Without its particle, "pull-up" would be any pull; a tug of war is still one without its "of".
    whole = [n for n in called if glosses.stems(n.replace("-", " ").split()[-1])]
    return tuple(dict.fromkeys(tuple(sorted(set(glosses.stems(n)))) for n in whole))


def words(sense: Sense) -> frozenset[str]:
    """Return the words that have to do with a sense, in first forms: ski, skiing, skier.

    Others of the same stem are something else: lungs, of lunging.
    """
    senses = [s for s in wordnet.entry(sense.form) if kinds.is_act(s)]
    related = [s for own in (sense.synset, *senses) for s in (own, *wordnet.derived(own))]
    found = {sense.form, *(name.lower() for synset in related for name in synset.lemma_names())}
    for base in {sense.form, *(form for form, _ in wordnet.senses(sense.form, "v"))}:
        found.update(wordnet.doers(base))
    return frozenset(found)


def synonyms(act: Sense) -> frozenset[str]:
    """Return what else a verb goes by, of one word that means little else: to groom, to curry."""
    if act.synset.pos() != "v":
        return frozenset()
    others = [name for name in act.synset.lemma_names() if name.islower() and name != act.form]
    return frozenset(n for n in others if n.isalpha() and len(wordnet.senses(n, "v")) <= _VAGUE)


def _is_of_thing(gerund: str) -> bool:
    """Tell whether what a gerund is cut to is a thing's name as well: penning, pen."""
    return any(kinds.is_seen(s) for s in wordnet.entry(glosses.stem(gerund)))
