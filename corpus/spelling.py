"""Who does an action and with what, by how entries are spelled: box, boxer; bricklayer."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import glosses, kinds, relations, wordnet
from corpus.disambiguate import Sense
from corpus.parse import Parsed
from corpus.relations import Found

DONE_WITH = "instrument: what the action is done with, by definition"
PLAIN = 2  # senses of a verb that means one thing
_MANY_SENSES = 5  # of a verb of which one alone says little of what another is done with
_SHORTEST = 3  # letters of a word that another is written of
_COMMON, _KINDS = 5, 3  # uses in WordNet's texts that make a thing common, and how many are taken


def agent(verb: str, near: Synset | None = None) -> Iterator[Found]:
    """Find the person that the spelling of a verb names: busk, busker; bartending, bartender.

    Args:
        verb: as the label has it.
        near: what it means, which tells bowlers of pins from those of cricket.
    """
    last = verb.split()[-1]
    # A long jump is jumping by definition, and putting the shot is no putting.
    told = near is not None and glosses.stem(last) in glosses.stems(near.definition())
    for name in wordnet.doers(last if told or verb.endswith("ing") else verb):
        # Who turns is no Turner, a man of that name.
        persons = [s for s in wordnet.entry(name)
                   if s.lexname() == "noun.person" and not s.instance_hypernyms()]  # fmt: skip
        if persons:
            best = max(persons[:3], key=lambda s: round(_nearness(s, near), 3))
            yield relations.found(name, best, f"role: named after {verb}", 0.5)
            return


def _nearness(synset: Synset, to: Synset | None) -> float:
    return glosses.similarity(glosses.signature(synset), glosses.signature(to)) if to else 0.0


def compounds(parsed: Parsed) -> Iterator[Found]:
    """Find who does it to such a thing, or what is made for it: bricklayer, bottle opener."""
    for unit in parsed.units:
        things = dict.fromkeys([unit.text, *(form for form, _ in wordnet.senses(unit.text))])
        names = [
            f"{thing} {doer}" for thing in things for v in parsed.verbs for doer in wordnet.doers(v)
        ]
        for name in names:
            for _, synset in wordnet.senses(name):
                if synset.lexname() in ("noun.person", "noun.artifact"):
                    what = "role" if synset.lexname() == "noun.person" else "instrument"
                    name = relations.first_name(synset)
                    yield relations.found(name, synset, f"{what}: of this action by name", 0.85)


def namesakes(verb: str, sense: Sense) -> Iterator[Found]:
    """Find the thing that an action is called after: roller skating, roller skate; a feat is none.

    A thing that is what the action is done with by definition ("rub with a brush"), or is defined
    by the action ("used to propel a sailing vessel"), is surely it. Otherwise only where the verb
    has hardly another meaning: everyday verbs share their spelling with much.

    Args:
        verb: as the label has it.
        sense: what it means there.
    """
    verbs = wordnet.senses(verb, "v")
    bases = dict.fromkeys([sense.form, *(form for form, _ in verbs)])
    for base in bases:
        own = [
            (form, synset)
            for form, synset in wordnet.senses(base)
            if form == base
            and synset != sense.synset
            and not relations.is_overshadowed(form, synset)
        ]
        # A cartwheel is a feat to who cartwheels, and no wheel.
        own.sort(key=lambda pair: pair[1] not in wordnet.derived(sense.synset))
        with_it = re.compile(rf"\b(?:with|using|by|on)\b[^;,]*\b{re.escape(base)}\b")
        # To fight "with fencing swords" takes no fencing; a gerund says there what is done.
        named = [] if wordnet.is_gerund(base) else verbs
        tool_of = [s for _, s in named if with_it.search(s.definition())]
        if len(tool_of) == 1 and len(verbs) > _MANY_SENSES and sense.synset not in tool_of:
            tool_of = []  # a rare sense's means: notes are tied by a tie, and flies are not
        same = relations.counterparts(sense.synset)
        if sense.synset.pos() == "n" and len(same) > 1 and set(same).isdisjoint(tool_of):
            tool_of = []  # what encloses land is no means of the sport of fencing
        tools = [(f, s) for f, s in own if s.lexname() == "noun.artifact"]
        # One who throws a punch has no punch to make holes with.
        is_deed = kinds.is_act(sense.synset) and sense.form == base and wordnet.entry(base, "v")
        feat = is_deed or _is_feat(sense.synset, [s for _, s in own])
        if tool_of and tools and not feat:
            form, synset = max(tools, key=lambda pair: _kinship(pair[1], tool_of, tools))
            yield relations.found(form, synset, DONE_WITH, 0.7)
            return
        stuffs = [(f, s) for f, s in own if s.lexname() == "noun.substance"]
        for form, synset in tools + stuffs:
            if _gerunds(base) & set(glosses.words(synset.definition())):
                yield relations.found(form, synset, f"instrument: made for {verb}", 0.6)
                return
        if len(verbs) > PLAIN or (sense.synset.pos() == "n" and not sense.form.endswith("ing")):
            continue
        for form, synset in own:
            if form != synset.lemma_names()[0].replace("_", " ").lower():
                continue
            if kinds.is_act(synset):
                return
            if kinds.visibility(synset) >= 0.9 and relations.is_handled(synset, form, sense.synset):
                yield relations.found(form, synset, f"instrument: namesake of {verb}", 0.7)
                return


def _is_feat(act: Synset, namesakes: Sequence[Synset]) -> bool:
    """Tell whether WordNet derives from an act a deed of its own name, and no thing of it."""
    derived = [synset for synset in namesakes if synset in wordnet.derived(act)]
    deeds = [kinds.is_act(synset) for synset in derived]
    return bool(deeds) and all(deeds)


def written_apart(sense: Sense) -> Iterator[str]:
    """Write apart the two words of a sense's name, if its definition has both: "hair cut".

    Args:
        sense: of an act or a thing, such as a haircut.
    """
    word, told = sense.form, set(glosses.stems(sense.synset.definition()))
    for cut in range(_SHORTEST, len(word) - _SHORTEST + 1) if word.isalpha() else ():
        if told.issuperset(map(glosses.stem, (word[:cut], word[cut:]))):
            yield f"{word[:cut]} {word[cut:]}"


def implements(act: Sense, gerund: str) -> Iterator[Found]:
    """Find the common kinds of implements called after an action: pans are cooking utensils.

    What it is a kind of counts as well: who slices, cuts, and knives are cutting implements.

    Args:
        act: what is done.
        gerund: as the label or WordNet has it, "cooking".
    """
    above = [name for kind in act.synset.hypernyms() for name in kind.lemma_names()]
    gerunds = [gerund, *(g for name in above for g in sorted(_gerunds(name)))]
    for synset in dict.fromkeys(one for name in gerunds for one in _called_after(name)):
        act_stem = glosses.stem(relations.first_name(synset).split()[0])
        below = synset.closure(lambda low: low.hyponyms(), depth=3)
        # A knife is "used as a cutting instrument", but a razor for shaving.
        told = [low for low in below if act_stem in glosses.stems(low.definition())]
        common = [low for low in told if wordnet.commonness(low) >= _COMMON]
        for low in sorted(common, key=lambda low: (-wordnet.commonness(low), low.name()))[:_KINDS]:
            what = f"instrument: a {relations.first_name(synset)}"
            yield relations.found(relations.first_name(low), low, what, 0.45)


@cache
def _called_after(gerund: str) -> tuple[Synset, ...]:
    offsets = _led_by().get(gerund, ())
    led = (wordnet.reader().synset_from_pos_and_offset("n", offset) for offset in offsets)
    return tuple(synset for synset in led if "implement.n.01" in wordnet.ancestors(synset))


@cache
def _led_by() -> dict[str, list[int]]:
    """Index artifacts by a gerund that their first name begins with."""
    found: dict[str, list[int]] = {}
    for noun in glosses.nouns():
        first, _, rest = noun.names[0].partition("_")
        if noun.file == "06" and rest and first.endswith("ing"):
            found.setdefault(first, []).append(noun.offset)
    return found


def _gerunds(verb: str) -> set[str]:
    return {f"{verb}ing", f"{verb.removesuffix('e')}ing", f"{verb}{verb[-1]}ing"}


def _kinship(
    synset: Synset, verbs: Sequence[Synset], candidates: Sequence[tuple[str, Synset]]
) -> float:
    """Rate a thing by what its definition shares with those of verbs, and by its frequency."""
    share = dict(
        zip([s for _, s in candidates], wordnet.priors(candidates, candidates[0][0]), strict=True)
    )[synset]
    near = max(
        glosses.similarity(glosses.signature(synset), glosses.signature(verb)) for verb in verbs
    )
    return round(near + share, 3)
