"""What a thing is found with: its parts, the place of its kind, the plant that it grows on."""

from collections.abc import Iterator, Sequence

from nltk.corpus.reader.wordnet import Synset

from corpus import disambiguate, glosses, kinds, wordnet
from corpus.disambiguate import Sense
from corpus.relations import Found, first_name, found

_EACH = 3  # parts of a thing
_USUAL = 3  # senses of a verb of which one is enough
_WHERE = 0.25  # score of the place and the plant


def parts(sense: Sense) -> Iterator[Found]:
    """Find the parts of a thing, its own before those of its kind."""
    parts: list[Synset] = []
    level = [sense.synset]
    for _ in range(3):
        own = [p for s in level for p in s.part_meronyms() if kinds.visibility(p) >= 0.6]
        parts += sorted(own, key=lambda p: -wordnet.commonness(p))
        if len(parts) >= _EACH or kinds.kind_of(sense.synset) in ("role", "scene"):
            break
        level = [parent for s in level for parent in s.hypernyms()]
    for rank, part in enumerate(dict.fromkeys(parts[:_EACH])):
        yield found(first_name(part), part, f"part of {sense.form}", 0.35 - 0.01 * rank)


def place_of(thing: Sense) -> Iterator[Found]:
    """Find the place that a thing's kind is called after: a bed is a piece of bedroom furniture."""
    if thing.synset.lexname() != "noun.artifact":
        return
    for kind in thing.synset.hypernyms():
        for name in kind.lemma_names():
            first, *rest = name.lower().split("_")
            fits = disambiguate.of_word(first, glosses.signature(kind), bodily=True)
            if len(rest) == 1 and fits and kinds.is_scene(fits.synset):
                source = f"scene: {thing.form} is a {name.lower().replace('_', ' ')}"
                yield found(first_name(fits.synset), fits.synset, source, _WHERE)


def plant_of(thing: Sense, acts: Sequence[Sense]) -> Iterator[Found]:
    """Find the plant that a fruit is a part of, where it is gathered: the tree of picked apples."""
    verbs = [s for act in acts for _, s in wordnet.senses(act.form, "v")[:_USUAL]]
    if not any("gather.v.01" in wordnet.ancestors(verb) for verb in verbs):
        return
    for whole in thing.synset.part_holonyms():
        # An apple is of what is called an apple as well, and an apple tree.
        named = whole.hypernyms() if first_name(whole) == thing.form else [whole]
        for plant in named if whole.lexname() == "noun.plant" else []:
            yield found(first_name(plant), plant, f"{thing.form} is gathered of it", _WHERE)
