"""From a parsed label to its entities: what it names, and what is seen where that happens."""

from collections.abc import Iterator
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from corpus import disambiguate, glosses, kinds, neighbours, parse, relations, wordnet
from corpus.disambiguate import Sense, TextTerm
from corpus.parse import Parsed
from corpus.relations import Found
from corpus.siblings import Siblings
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
# Where an action of which nothing is known may be seen.
_ANYWHERE = {"floor": "floor.n.01", "room": "room.n.01", "street": "street.n.01"}
_FEWEST = 3
_EVERYDAY = 12  # senses of a verb from which it says little of what it is done with
_ASIDE = 2  # definitions worth an entity that mention the thing but not what is done with it
_NEAR = 0.16  # nearness of a definition that is worth an entity
_MOST = {"object": 5, "scene": 2, "role": 2, "body_part": 1}


class Options(BaseModel):
    """Which expansions a corpus has, and how many entities a label may have.

    Attributes:
        instruments: tools, materials and other things that go with the action.
        parts: part meronyms of the things named.
        scenes: places the action is found in.
        roles: people who act.
        body: parts of the body.
        siblings: other kinds of the same thing (off by default: they blur labels).
        cap: most entities of a label, body parts apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruments: bool = True
    parts: bool = True
    scenes: bool = True
    roles: bool = True
    body: bool = True
    siblings: bool = False
    cap: int = Field(default=24, ge=1)


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
        named.append((unit, disambiguate.of_unit(unit, parsed, text, others)))
    verbs = [s for verb in parsed.verbs if (s := disambiguate.of_verb(verb, parsed)) is not None]
    direct = list(_named(named, parsed))
    senses = [sense for _, sense in named if sense is not None]
    more = _expand(parsed, senses, verbs, options)
    kept = _distinct(direct, more, parsed)[: options.cap]
    if len(kept) < _FEWEST:
        kept = _distinct(direct, more + _widen(parsed, senses, verbs, options), parsed)[:_FEWEST]
    taken = {found.unit for found in kept} | set(parsed.excluded)
    if options.roles and "person" not in taken:
        kept.append(_default("person", "person.n.01"))
    if options.body:
        kept += [_default(u, name) for u, name in BODY.items() if u not in taken]
    return kept


def beyond_defaults(found: list[Found]) -> int:
    """Count the entities of a label that not every label has."""
    return sum(entity.source != "default" for entity in found)


def _named(named: list[tuple[Unit, Sense | None]], parsed: Parsed) -> Iterator[Found]:
    for unit, sense in named:
        if sense is not None:
            if kinds.is_act(sense.synset) and not (
                unit.whole or " " in unit.text or kinds.is_pastime(sense.synset)
            ):
                continue
            kind = kinds.kind_of(sense.synset)
            if unit.place and kind == "object" and kinds.is_scene(sense.synset):
                kind = "scene"
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
        if " " in text and base.replace(" ", "").replace("-", "") == letters:
            return base
    return form


def _unknown(unit: Unit, parsed: Parsed) -> Found:
    """Keep a word that WordNet lacks, described by the label it stands in."""
    from corpus.labels import readable

    motion = unit.text.endswith("ing")
    what = "the activity" if motion or unit.whole else "what is seen in the action"
    description = f"{what} “{readable(parsed.label)}”"
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


def _expand(
    parsed: Parsed, units: list[Sense], verbs: list[Sense], options: Options
) -> list[Found]:
    context = _label_context(parsed, units, verbs)
    acts = verbs + [s for s in units if kinds.is_act(s.synset)]
    things = [s for s in units if not kinds.is_act(s.synset)]
    found: list[Found] = []
    for act in acts:
        tools = list(relations.derived(act))
        found += tools
        found += relations.namesake(act)
        if not any(tool.kind == "role" and tool.score >= 0.8 for tool in tools):
            found += relations.agent(act)
        for tool in tools:
            if tool.score >= 0.8 and tool.kind == "object":
                made = Sense(tool.unit, relations.synset_of(tool.synset or ""), tool.score)
                found += relations.of_gloss(made, context, share=0.25)
        found += relations.of_gloss(act, context, share=0.6)
        if kinds.is_pastime(act.synset):
            found += relations.of_domain(act, context)
    for thing in things:
        found += relations.derived(thing, roles_only=True)
        found += relations.parts(thing)
        if not acts or len(things) == 1:
            found += relations.of_gloss(thing, context, share=0.3)
        if options.siblings:
            found += relations.siblings(thing)
    if parsed.units or not parsed.placeholders:  # "unfolding something" may be anything
        found += _mentioning(parsed, things, acts, context)
    return _wanted(found, options)


def _widen(parsed: Parsed, units: list[Sense], verbs: list[Sense], options: Options) -> list[Found]:
    """Look further for a label with hardly an entity: at what its senses are kinds of.

    Where nothing is known of a label that is no mere placeholder, the places that any action is
    seen in are better than nothing, and say that they are.
    """
    context = _label_context(parsed, units, verbs)
    found: list[Found] = []
    for sense in verbs:
        found += relations.of_gloss(sense, context, 0.35, examples=True)
        for _, synset in wordnet.senses(sense.form, "v")[:_FEWEST]:
            other = Sense(sense.form, synset, 0.3)
            found += [*relations.derived(other), *relations.of_gloss(other, context, 0.3)]
    for sense in (*units, *verbs):
        level = [sense.synset]
        for share in (0.3, 0.2):
            level = [parent for synset in level for parent in synset.hypernyms()]
            for synset in level:
                kind = Sense(relations.first_name(synset), synset, share)
                more = [*relations.derived(kind), *relations.of_gloss(kind, context, share)]
                found += [
                    replace(f, source=f"{f.source}, of which {sense.form} is a kind", score=share)
                    for f in more
                ]
    if not parsed.placeholders or units:
        found += [
            relations.found(unit, relations.synset_of(name), "scene: any action", 0.05)
            for unit, name in _ANYWHERE.items()
        ]
    return _wanted(found, options)


def _wanted(found: list[Found], options: Options) -> list[Found]:
    """Keep what the options ask for."""
    wanted = {
        "object": options.instruments,
        "motion": options.instruments,
        "body_part": options.instruments,
        "scene": options.scenes,
        "role": options.roles,
    }
    return [
        entity
        for entity in found
        if (options.parts if entity.source.startswith("part of") else wanted[entity.kind])
    ]


def _label_context(parsed: Parsed, units: list[Sense], verbs: list[Sense]) -> dict[str, float]:
    """Return the words of a label and of the senses chosen in it."""
    bag = {token: glosses.weight(token) for word in (*parsed.words, *parsed.context)
           for token in glosses.stems(word)}  # fmt: skip
    for sense in (*units, *verbs):
        for token, value in glosses.signature(sense.synset).items():
            bag[token] = max(bag.get(token, 0.0), 0.6 * value)
    return bag


def _mentioning(
    parsed: Parsed, things: list[Sense], acts: list[Sense], context: dict[str, float]
) -> Iterator[Found]:
    """Find tools, places and people whose definitions mention what the label is about."""
    phrases = [neighbours.Phrase(_names(thing), 1.0) for thing in things]
    for act in acts:
        # An everyday verb alone points everywhere; a named activity points home.
        named = act.synset.pos() == "n"
        everyday = not named and len(wordnet.senses(act.form, "v")) > _EVERYDAY
        if everyday and not all(unit.known for unit in parsed.units):
            continue
        lead = act.form.replace(" ", "_") if named else _gerund(act, parsed)
        weight = 0.6 if everyday and things else 1.0
        phrases.append(neighbours.Phrase(_names(act), weight, lead, act=True))
    chosen = {sense.synset.name() for sense in (*things, *acts)}
    total = sum(phrase.weight for phrase in phrases) or 1.0
    left = dict(_MOST)
    aside = _ASIDE if any(phrase.act for phrase in phrases) else len(kinds.VISIBLE)
    ranked = []
    for synset, near, by_act in neighbours.mentioning(phrases):
        # Kinds of what is named already ("dark bread" beside "bread") add nothing.
        if not chosen.isdisjoint(wordnet.ancestors(synset)) or kinds.visibility(synset) < 0.55:
            continue
        alike = min(glosses.similarity(glosses.signature(synset), context) / 0.3, 1.0)
        known = min(wordnet.commonness(synset), 10) / 10
        score = near / total * (0.5 + 0.5 * alike) + 0.05 * known
        ranked.append((-round(score, 3), synset.name(), synset, by_act))
    for score, _, synset, by_act in sorted(ranked, key=lambda item: item[:2]):
        kind = kinds.kind_of(synset)
        if -score < _NEAR or not left.get(kind, 0) or not (by_act or aside):
            continue
        left[kind] -= 1
        aside -= not by_act
        what = {"object": "instrument"}.get(kind, kind)
        yield relations.found(
            relations.first_name(synset),
            synset,
            f"{what}: its definition mentions the action",
            -score,
        )


def _gerund(act: Sense, parsed: Parsed) -> str:
    """Return a verb's gerund as the label has it, or as its derived noun spells it."""
    names = [*parsed.words] + [n for s in wordnet.derived(act.synset) for n in s.lemma_names()]
    stem = glosses.stem(act.form)
    fits = [n for n in names if n.endswith("ing") and glosses.stem(n) == stem]
    return fits[0] if fits else act.form


def _names(sense: Sense) -> tuple[tuple[str, ...], ...]:
    """Return the stems of a sense's name in the label, and of its synonyms."""
    names = [sense.form]
    if sense.synset.pos() == "n":  # a verb's synonyms are too many things, and a rare name's
        synonyms = [name.replace("_", " ").lower() for name in sense.synset.lemma_names()]
        names += [n for n in synonyms if sense.synset in [s for _, s in wordnet.senses(n)[:1]]]
    return tuple(
        dict.fromkeys(tuple(sorted(set(glosses.stems(n)))) for n in names if glosses.stems(n))
    )


def _distinct(direct: list[Found], more: list[Found], parsed: Parsed) -> list[Found]:
    """Unite entities of the same sense or name, best score first, without what is ruled out."""
    kept: list[Found] = []
    units, synsets = set(), set()
    out = _ruled_out(parsed)
    ranked = sorted(more, key=lambda f: (-f.score, f.unit, f.synset or ""))
    spent = parsed.spent - _words_of_acts(direct)
    for entity in [*direct, *ranked]:
        named = entity.source.startswith("label")
        if not named and (entity.unit in spent or set(entity.unit.split()) & set(parsed.excluded)):
            continue
        if entity.unit in units or (entity.synset and entity.synset in synsets):
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


def _words_of_acts(direct: list[Found]) -> set[str]:
    """Return the words of named activities: "ice skating" has ice, a bass guitar has no bass.

    What the activity's definition or its tools' say decides whether such a word names a thing.
    """
    return {word for found in direct if found.kind == "motion" for word in found.unit.split()}


def _ruled_out(parsed: Parsed) -> frozenset[str]:
    """Return the senses that a label excludes; their kinds are excluded with them."""
    return frozenset(
        synset.name()
        for phrase in parsed.excluded
        for _, synset in wordnet.senses(phrase)
        if kinds.visibility(synset) and not kinds.is_scene(synset)
    )
