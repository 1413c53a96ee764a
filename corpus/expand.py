"""From a parsed label to its entities: what it names, and what is seen where that happens."""

import math
from collections.abc import Iterator
from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field

from corpus import associate, disambiguate, glosses, kinds, parse, plausible, relations, wordnet
from corpus.disambiguate import Sense, TextTerm
from corpus.parse import Parsed
from corpus.relations import Found
from corpus.siblings import Siblings
from corpus.spelling import DONE_WITH
from corpus.tags import is_light, ordinary, rather_verb
from corpus.units import Unit

# What every action shows: the person and their parts (paper §3.2).
BODY = {
    "head": "head.n.01",
    "face": "face.n.01",
    "eye": "eye.n.01",
    "mouth": "mouth.n.02",
    "shoulder": "shoulder.n.01",
    "arm": "arm.n.01",
    "hand": "hand.n.01",
    "finger": "finger.n.01",
    "torso": "torso.n.01",
    "leg": "leg.n.01",
    "knee": "knee.n.01",
    "foot": "foot.n.01",
}
_BOUNDS = "extremity.n.04"  # the locations that are edges, borders and ends
_USUAL = 2  # first senses of a word
_FEWEST = 3  # entities of its own that a label should have at least
_TOLD = 0.3  # score from which what is found is worth a plainer name
_FEW = 8  # from which nothing more is looked for


class Options(BaseModel):
    """Which expansions a corpus has, and how many entities a label may have.

    Attributes:
        instruments: tools, materials and other things that go with the action.
        parts: part meronyms of the things named.
        scenes: places the action is found in.
        roles: people who act.
        body: the parts of the body that every action shows; those that a definition speaks of go
            with the instruments.
        siblings: other kinds of the same thing (off by default: they blur labels).
        cap: most entities of a label, the person and the body apart.
        first_sense: take WordNet's first sense of what a label names and does, and choose none:
            what disambiguation is worth shows beside it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruments: bool = True
    parts: bool = True
    scenes: bool = True
    roles: bool = True
    body: bool = True
    siblings: bool = False
    cap: int = Field(default=24, ge=1)
    first_sense: bool = False


def entities(
    label: str,
    options: Options | None = None,
    text: TextTerm | None = None,
    siblings: Siblings | None = None,
) -> list[Found]:
    """List the entities of a label, those it names first, the rest by score, the body last.

    Args:
        label: in any naming style.
        options: which expansions to make; all but siblings by default.
        text: agreement of gloss and label in a backbone's text space, where that means something.
        siblings: the labels of the set that it belongs to, which help to tell senses.
    """
    options = options or Options()
    parsed = parse.parse(label)
    named = []
    for unit in parsed.units:
        others = siblings.naming(unit.text, label) if siblings else []
        habits = siblings.habits(parsed) if siblings else frozenset()
        chosen = disambiguate.of_unit(unit, parsed, text, others, habits)
        named.append((unit, disambiguate.first(unit.text) if options.first_sense else chosen))
    senses = [sense for _, sense in named if sense is not None]
    meant = [
        disambiguate.first(verb, "v")
        if options.first_sense
        else disambiguate.of_verb(verb, parsed, senses)
        for verb in parsed.verbs
    ]
    verbs = [
        sense
        for verb, sense in zip(parsed.verbs, meant, strict=True)
        if sense is not None and not (parsed.units and _says_nothing(verb, sense))
    ]
    direct = list(_named(named, parsed, options))
    direct += [_unknown(Unit(text, False), parsed) for text in parsed.compounds]
    meanings = [*senses, *verbs]
    near = _wanted(associate.near(parsed, senses, verbs, options.siblings), options)
    rated = plausible.rated(near, parsed, meanings)
    kept = _distinct(direct, _likely(rated), parsed)
    if len(kept) < _FEW:
        far = _wanted(associate.farther(parsed, senses, verbs), options)
        farther = plausible.rated(far, parsed, meanings)
        kept = _distinct(kept, _likely(farther), parsed)[:_FEW]
        rated |= farther
    doubtful = sorted(rated, key=lambda entity: -rated[entity])
    while doubtful and len(kept) < _FEWEST:
        kept = _distinct(kept, [doubtful.pop(0)], parsed)
    if len(kept) < _FEWEST and (parsed.units or not parsed.placeholders):
        kept = _distinct(kept, _wanted(associate.anywhere(), options), parsed)[:_FEWEST]
    kept = _capped(kept, rated, options.cap)
    # The bed pillow goes by its plain name as well; but a horse's foot is not the one seen always.
    shorter = [short for entity in kept if entity.score >= _TOLD and entity.source != "label"
               for short in relations.plainly(entity)]  # fmt: skip
    shorter = _wanted([short for short in shorter if short.unit not in BODY], options)
    plainer = _likely(plausible.rated(shorter, parsed, meanings))
    kept = _distinct(kept, plainer, parsed)[: options.cap]
    taken = {name for found in kept for name in (found.unit, found.synset)} | set(parsed.excluded)
    always = {"person": "person.n.01"} if options.roles else {}
    always |= BODY if options.body else {}
    # A trunk is the torso: the sense is there already, by the label's own word.
    return kept + [_default(u, name) for u, name in always.items() if taken.isdisjoint((u, name))]


def _says_nothing(verb: str, sense: Sense) -> bool:
    """Tell whether a verb only governs what is seen: "putting", but not the putting of golf.

    A user of a megaphone, and a setting where something is put, are nothing that one sees.
    """
    return is_light(verb) and sense.form == wordnet.senses(verb, "v")[0][0]


def beyond_defaults(found: list[Found]) -> int:
    """Count the entities of a label that not every label has."""
    return sum(not entity.always for entity in found)


def _named(
    named: list[tuple[Unit, Sense | None]], parsed: Parsed, options: Options
) -> Iterator[Found]:
    for unit, sense in named:
        if sense is not None:
            # "stand" and "climb" say what is done and name no thing; nor does an act that is no
            # pastime. But a swing and a drink are things.
            bare = unit.whole and unit.text in parsed.verbs and rather_verb(unit.text)
            if bare and sense.synset.lexname() not in ("noun.artifact", "noun.food"):
                continue
            if _is_figurative(unit, sense) or _is_nowhere(unit, sense):
                continue
            named_act = unit.whole or " " in unit.text or kinds.is_pastime(sense.synset)
            done = unit.whole and unit.text in parsed.verbs and not kinds.is_pastime(sense.synset)
            happens = kinds.kind_of(sense.synset) == "motion"
            if happens and (rather_verb(unit.text) or done or not named_act):
                continue
            if not options.first_sense:
                sense = disambiguate.as_thing(sense)
            kind = kinds.kind_of(sense.synset)
            yield Found(
                _spelled(unit.text, sense),
                sense.synset.name(),
                kind,
                sense.synset.definition(),
                "label",
                sense.score,
                sense.runner_up,
                sense.margin,
            )
        elif not unit.known:
            yield _unknown(unit, parsed)


def _is_figurative(unit: Unit, sense: Sense) -> bool:
    """Tell whether a unit is hardly seen, and first means what is not: the style of a dance."""
    if kinds.is_act(sense.synset) or kinds.visibility(sense.synset) >= 0.5:
        return False
    _, usual = wordnet.senses(unit.text)[0]
    return not kinds.visibility(usual) and not kinds.is_act(usual)


def _is_nowhere(unit: Unit, sense: Sense) -> bool:
    """Tell whether a unit is a stretch of the world where nothing is done: nobody drums the air."""
    bounded = _BOUNDS in wordnet.ancestors(sense.synset)
    return kinds.is_nowhere(sense.synset) and not (bounded or unit.place)


def _spelled(text: str, sense: Sense) -> str:
    """Return WordNet's form, singular and with the label's spaces: "cell phone", "egg"."""
    form = sense.form
    names = {name.replace("_", " ").lower() for name in sense.synset.lemma_names()}
    for ending in ("s", "es"):
        if form.endswith(ending) and form.removesuffix(ending) in names:
            form = form.removesuffix(ending)
    letters = form.replace(" ", "").replace("-", "")
    for ending in ("", "s", "es"):
        base = text.removesuffix(ending)
        # Two words are written as they are; "yo yo" is none, and is spelled as WordNet does.
        words = base.split()
        same = "".join(words).replace("-", "") == letters
        if len(words) > 1 and same and all(map(ordinary, words)):
            return base
    return form


def _unknown(unit: Unit, parsed: Parsed) -> Found:
    """Keep a word that WordNet lacks, described by the label it stands in."""
    from corpus.labels import readable

    # An action's own name is what is done: capoeira. But nunchucks are things, and so are jet skis
    # to who goes jetskiing.
    said = readable(parsed.label)
    whole = unit.whole and unit.text in said
    motion = unit.text.endswith("ing") or (whole and not unit.text.endswith("s"))
    what = "the activity" if motion or whole else "what is seen in the action"
    description = f"{what} “{said}”"
    return Found(
        unit.text,
        None,
        "motion" if motion else "object",
        description,
        "label (not in WordNet)",
        0.5,
    )


def _default(unit: str, synset: str) -> Found:
    sense = relations.synset_of(synset)
    return Found(unit, synset, kinds.kind_of(sense), sense.definition(), "default", 1.0)


def _wanted(found: list[Found], options: Options) -> list[Found]:
    """Keep what the options ask for."""
    wanted = {
        "object": options.instruments,
        "motion": options.instruments,
        "body_part": options.instruments,
        "scene": options.scenes,
        "role": options.roles,
    }

    def is_wanted(entity: Found) -> bool:
        if entity.source.startswith("part of"):
            return options.parts
        return entity.source.startswith("sibling of") or wanted[entity.kind]

    return [entity for entity in found if is_wanted(entity)]


def _distinct(first: list[Found], more: list[Found], parsed: Parsed) -> list[Found]:
    """Unite entities of the same sense or name, best score first, without what is ruled out.

    Args:
        first: those that come first, in their own order.
        more: those that follow.
        parsed: the label.
    """
    kept: list[Found] = []
    units, synsets = set(), set()
    out = _ruled_out(parsed)
    ranked = sorted(more, key=lambda f: (-f.score, f.unit, f.synset or ""))
    spent = parsed.spent - _told_by_names(first)
    compounds = {word for unit in parsed.units if " " in unit.text for word in unit.text.split()}
    # To brush hair takes a brush; to tie a bow tie, no other tie.
    ranked = [*first, *ranked]
    spent -= {entity.unit for entity in ranked if entity.source == DONE_WITH} - compounds
    for place, entity in enumerate(ranked):
        new = place >= len(first)
        if new and (entity.unit in spent or set(entity.unit.split()) & set(parsed.excluded)):
            continue
        if entity.unit in units or (entity.synset and entity.synset in synsets):
            continue
        if new and _is_genus(entity, first):
            continue
        if entity.synset and not out.isdisjoint(
            wordnet.ancestors(relations.synset_of(entity.synset))
        ):
            continue
        kept.append(entity)
        units.add(entity.unit)
        if entity.synset:
            synsets.add(entity.synset)
    return kept


def _likely(rated: dict[Found, float]) -> list[Found]:
    return [entity for entity, rate in rated.items() if rate >= plausible.LIKELY]


def _capped(kept: list[Found], rated: dict[Found, float], most: int) -> list[Found]:
    """Keep so many entities in their order: those that the label names, and the most plausible."""
    best = sorted(kept, key=lambda entity: -rated.get(entity, math.inf))[:most]
    return [entity for entity in kept if entity in best]


def _is_genus(entity: Found, first: list[Found]) -> bool:
    """Tell whether a closed compound of the label has an entity in it: a wheelchair is a chair."""
    return any(
        found.source == "label"
        and " " not in found.unit
        and found.unit != entity.unit
        and found.unit.endswith(entity.unit)
        and entity.synset in wordnet.ancestors(relations.synset_of(found.synset or ""))
        for found in first
        if found.synset
    )


def _told_by_names(first: list[Found]) -> set[str]:
    """Return the words of names that may be things: "ice skating" has ice, a bass guitar no bass.

    What an activity's definition or its tools' say decides whether such a word names a thing; of a
    thing's name it is the first words that its own definition speaks of: a snow blower has snow.
    """
    named = [found for found in first if found.source == "label"]
    words = {word for found in named if found.kind == "motion" for word in found.unit.split()}
    for found in named:
        words |= {w for w in found.unit.split()[:-1] if _is_told(w, found.description)}
    return words


def _is_told(word: str, definition: str) -> bool:
    """Tell whether a definition speaks of what a word means, and of no piece of what it defines.

    "For removing snow", "drawn by a horse"; but "ties in a bow".
    """
    stem = glosses.stem(word)
    leads = [lead for lead, told in pairwise(definition.lower().split())
             if glosses.stems(told) == (stem,)]  # fmt: skip
    usual = [synset.lexname() for _, synset in wordnet.senses(word)[:_USUAL]]
    lives = any(name in ("noun.animal", "noun.plant") for name in usual)
    return any(lives or lead not in parse.ARTICLES for lead in leads)


def _ruled_out(parsed: Parsed) -> frozenset[str]:
    """Return the senses that a label excludes; their kinds are excluded with them."""
    return frozenset(
        synset.name()
        for phrase in parsed.excluded
        for _, synset in wordnet.senses(phrase)
        if kinds.visibility(synset) and not kinds.is_scene(synset)
    )
