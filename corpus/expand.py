"""From a parsed label to its entities: what it names, and what is seen where that happens."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from nltk.corpus.reader.wordnet import Synset
from pydantic import BaseModel, ConfigDict, Field

from corpus import disambiguate, neighbours, parse, wordnet
from corpus.disambiguate import Sense, TextTerm
from corpus.parse import Parsed, Unit

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
_TOO_GENERAL = 70  # direct hyponyms: "device" and "garment" name no look
_PARTS_EACH, _GLOSS_NOUNS, _DOMAIN_MOST = 3, 6, 4
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


@dataclass(frozen=True)
class Found:
    """An entity of one label.

    Attributes:
        unit: the noun or phrase.
        synset: WordNet's name of its sense, None for a word that WordNet lacks.
        kind: object, body_part, scene, role or motion.
        description: the sense's gloss, or for an unknown word what the label says of it.
        source: where it came from: "label", "instrument: …", "part of …", "scene: …", "body" …
        score: how sure, in 0..1.
        runner_up: the sense that came second, None when there was no choice.
        margin: by how much it came second.
    """

    unit: str
    synset: str | None
    kind: str
    description: str
    source: str
    score: float
    runner_up: str | None = None
    margin: float = 1.0


def entities(
    label: str, options: Options | None = None, text: TextTerm | None = None
) -> list[Found]:
    """List the entities of a label, those it names first, the rest by score, the body last.

    Args:
        label: in any naming style.
        options: which expansions to make; all but siblings by default.
        text: agreement of gloss and label in a backbone's text space, where that means something.
    """
    options = options or Options()
    parsed = parse.parse(label)
    named = [(unit, disambiguate.of_unit(unit, parsed, text)) for unit in parsed.units]
    verbs = [s for verb in parsed.verbs if (s := disambiguate.of_verb(verb, parsed)) is not None]
    direct = list(_named(named, parsed))
    more = _expand(parsed, [s for _, s in named if s is not None], verbs, options)
    kept = _distinct(direct, more, parsed)[: options.cap]
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
            if wordnet.is_act(sense.synset) and not (
                unit.whole or " " in unit.text or wordnet.is_pastime(sense.synset)
            ):
                continue
            kind = wordnet.kind_of(sense.synset)
            if unit.place and kind == "object" and wordnet.is_scene(sense.synset):
                kind = "scene"
            yield Found(
                _spelled(unit.text, sense.form),
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


def _spelled(text: str, form: str) -> str:
    """Return WordNet's form with the label's spaces: "cell phone", not "cellphone"."""
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
    sense = _synset(synset)
    return Found(unit, synset, wordnet.kind_of(sense), sense.definition(), "default", 1.0)


@cache
def _synset(name: str) -> Synset:
    return wordnet.reader().synset(name)


def _expand(
    parsed: Parsed, units: list[Sense], verbs: list[Sense], options: Options
) -> list[Found]:
    context = _label_context(parsed, units, verbs)
    acts = verbs + [s for s in units if wordnet.is_act(s.synset)]
    things = [s for s in units if not wordnet.is_act(s.synset)]
    found: list[Found] = []
    for act in acts:
        tools = list(_derived(act))
        found += tools
        if act.synset.pos() == "v" and not any(tool.kind == "role" for tool in tools):
            found += _agent(act)
        for tool in tools:
            if tool.score >= 0.8 and tool.kind == "object":
                made = Sense(tool.unit, _synset(tool.synset or ""), tool.score)
                found += _of_gloss(made, context, share=0.25)
        found += _of_gloss(act, context, share=0.6)
        if wordnet.is_pastime(act.synset):
            found += _of_domain(act, context)
    for thing in things:
        found += _derived(thing, roles_only=True)
        found += _parts(thing)
        if not acts or len(things) == 1:
            found += _of_gloss(thing, context, share=0.3)
        if options.siblings:
            found += _siblings(thing)
    found += _mentioning(parsed, things, acts, context)
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
    bag = {token: wordnet.weight(token) for word in (*parsed.words, *parsed.context)
           for token in wordnet.stems(word)}  # fmt: skip
    for sense in (*units, *verbs):
        for token, value in wordnet.signature(sense.synset).items():
            bag[token] = max(bag.get(token, 0.0), 0.6 * value)
    return bag


def _counterparts(synset: Synset) -> list[Synset]:
    """Return an activity and the same activity as verb or noun."""
    same = [s for s in wordnet.derived(synset)
            if s.pos() == "v" or wordnet.is_act(s)]  # fmt: skip
    # The same only if a name is shared: "swimming" and "swim", not "drive" and "thrust".
    stems = {wordnet.stem(name.replace("_", "")) for name in synset.lemma_names()}
    return [synset] + [
        s for s in same if stems & {wordnet.stem(name.replace("_", "")) for name in s.lemma_names()}
    ]


def _derived(sense: Sense, roles_only: bool = False) -> Iterator[Found]:
    """Find instrument, place and role that WordNet derives from an act or thing."""
    own = wordnet.stem(sense.form.split()[-1].split("-")[-1])
    for act in [sense.synset] if roles_only else _counterparts(sense.synset):
        for lemma in act.lemmas():
            same = wordnet.stem(lemma.name().lower().split("_")[-1]) == own
            for form in lemma.derivationally_related_forms():
                target = form.synset()
                role = target.lexname() == "noun.person"
                if (
                    target.pos() != "n"
                    or wordnet.visibility(target) < 0.55
                    or (roles_only and not role)
                ):
                    continue
                score = 0.8 if same else 0.45
                what = "role" if role else "scene" if wordnet.is_scene(target) else "instrument"
                yield _found(
                    form.name().replace("_", " "),
                    target,
                    f"{what}: derived from {sense.form}",
                    score,
                )


def _agent(sense: Sense) -> Iterator[Found]:
    """Find the person that the spelling of a verb names: busk, busker."""
    base = sense.form
    for name in (f"{base}er", f"{base}r", f"{base}or", f"{base}{base[-1]}er", f"{base}ist"):
        for form, synset in wordnet.senses(name)[:3]:
            if form == name and synset.lexname() == "noun.person":
                yield _found(form, synset, f"role: named after {base}", 0.5)
                return


def _of_gloss(sense: Sense, context: dict[str, float], share: float) -> Iterator[Found]:
    """Find the visible nouns of an act's definition."""
    for synset in _counterparts(sense.synset):
        gloss = dict(context)
        for token in wordnet.stems(synset.definition()):
            gloss[token] = max(gloss.get(token, 0.0), wordnet.weight(token))
        for phrase, direct in _gloss_nouns(synset.definition())[:_GLOSS_NOUNS]:
            chosen = disambiguate.of_word(phrase, gloss)
            if chosen is None or wordnet.visibility(chosen.synset) < 0.6 or _general(chosen.synset):
                continue
            near = wordnet.similarity(wordnet.signature(chosen.synset), gloss)
            score = share * (0.6 + 0.4 * min(near / 0.2, 1.0)) + (0.1 if direct else 0.0)
            yield replace(
                _found(chosen.form, chosen.synset, f"definition of {sense.form}", score),
                runner_up=chosen.runner_up,
                margin=chosen.margin,
            )


@cache
def _gloss_nouns(gloss: str) -> tuple[tuple[str, bool], ...]:
    """List a definition's noun phrases, and whether means or place leads there ("with a bow")."""
    gloss = gloss.partition(";")[0].replace("(", ", ").replace(")", ", ")
    doc = parse.nlp()(gloss)
    words = [token.text.lower() for token in doc]
    taken = [False] * len(words)
    found: list[tuple[int, str, bool]] = []

    def lead(token_at: int) -> bool:
        head = doc[token_at].head
        return head.tag_ == "IN" and head.text.lower() in (
            "with",
            "on",
            "in",
            "by",
            "using",
            "from",
            "through",
        )

    for start, end in wordnet.ngrams(words, 3):
        if any(taken[start:end]) or not all(
            t.tag_[:2] in ("NN", "JJ", "VB") for t in doc[start:end]
        ):
            continue
        if doc[end - 1].tag_[:2] == "NN" and wordnet.senses(" ".join(words[start:end])):
            found.append((start, " ".join(words[start:end]), lead(end - 1)))
            taken[start:end] = [True] * (end - start)
    for at, token in enumerate(doc):
        if not taken[at] and token.tag_ in ("NN", "NNS") and wordnet.senses(words[at]):
            found.append((at, words[at], lead(at)))
    return tuple((phrase, direct) for _, phrase, direct in sorted(found))


def _of_domain(sense: Sense, context: dict[str, float]) -> Iterator[Found]:
    """Find the things that WordNet files under an activity as their topic (fencing: foil)."""
    members = [m for act in _counterparts(sense.synset) for m in act.in_topic_domains()]
    ranked = sorted(
        (-round(wordnet.similarity(wordnet.signature(m), context), 3), m.name(), m)
        for m in members
        if m.pos() == "n" and wordnet.visibility(m) >= 0.55
    )
    for near, _, member in ranked[:_DOMAIN_MOST]:
        yield _found(_first_name(member), member, f"topic {sense.form}", 0.4 - near)


def _parts(sense: Sense) -> Iterator[Found]:
    """Find the parts of a thing, its own before those of its kind."""
    parts: list[Synset] = []
    level = [sense.synset]
    for _ in range(3):
        own = [p for s in level for p in s.part_meronyms() if wordnet.visibility(p) >= 0.6]
        parts += sorted(own, key=lambda p: -wordnet.commonness(p))
        if len(parts) >= _PARTS_EACH or wordnet.kind_of(sense.synset) in ("role", "scene"):
            break
        level = [parent for s in level for parent in s.hypernyms()]
    for rank, part in enumerate(dict.fromkeys(parts[:_PARTS_EACH])):
        yield _found(_first_name(part), part, f"part of {sense.form}", 0.35 - 0.01 * rank)


def _siblings(sense: Sense) -> Iterator[Found]:
    kin = [k for parent in sense.synset.hypernyms() for k in parent.hyponyms() if k != sense.synset]
    for sibling in sorted(kin, key=lambda k: -wordnet.commonness(k))[:_PARTS_EACH]:
        if wordnet.visibility(sibling) >= 0.55:
            yield _found(_first_name(sibling), sibling, f"sibling of {sense.form}", 0.2)


def _mentioning(
    parsed: Parsed, things: list[Sense], acts: list[Sense], context: dict[str, float]
) -> Iterator[Found]:
    """Find tools, places and people whose definitions mention what the label is about."""
    phrases = [neighbours.Phrase(_names(thing), 1.0) for thing in things]
    for act in acts:
        # An everyday verb alone points everywhere; a named activity points home.
        named = act.synset.pos() == "n"
        lead = act.form.replace(" ", "_") if named else _gerund(act, parsed)
        phrases.append(neighbours.Phrase(_names(act), 1.0 if named or not things else 0.6, lead))
    chosen = {sense.synset.name() for sense in (*things, *acts)}
    total = sum(phrase.weight for phrase in phrases) or 1.0
    left = dict(_MOST)
    ranked = []
    for synset, near in neighbours.mentioning(phrases):
        # Kinds of what is named already ("dark bread" beside "bread") add nothing.
        if not chosen.isdisjoint(wordnet.ancestors(synset)) or wordnet.visibility(synset) < 0.55:
            continue
        alike = min(wordnet.similarity(wordnet.signature(synset), context) / 0.3, 1.0)
        known = min(wordnet.commonness(synset), 10) / 10
        score = near / total * (0.5 + 0.5 * alike) + 0.05 * known
        ranked.append((-round(score, 3), synset.name(), synset))
    for score, _, synset in sorted(ranked, key=lambda item: item[:2]):
        kind = wordnet.kind_of(synset)
        if -score < _NEAR or not left.get(kind, 0):
            continue
        left[kind] -= 1
        what = {"object": "instrument"}.get(kind, kind)
        yield _found(
            _first_name(synset), synset, f"{what}: its definition mentions the action", -score
        )


def _gerund(act: Sense, parsed: Parsed) -> str:
    """Return a verb's gerund as the label has it, or as its derived noun spells it."""
    names = [*parsed.words] + [n for s in wordnet.derived(act.synset) for n in s.lemma_names()]
    stem = wordnet.stem(act.form)
    fits = [n for n in names if n.endswith("ing") and wordnet.stem(n) == stem]
    return fits[0] if fits else act.form


def _names(sense: Sense) -> tuple[tuple[str, ...], ...]:
    """Return the stems of a sense's name in the label, and of its synonyms."""
    names = [sense.form]
    if sense.synset.pos() == "n":  # a verb's synonyms are too many things
        names += [name.replace("_", " ") for name in sense.synset.lemma_names()]
    return tuple(
        dict.fromkeys(tuple(sorted(set(wordnet.stems(n)))) for n in names if wordnet.stems(n))
    )


def _general(synset: Synset) -> bool:
    return len(synset.hyponyms()) > _TOO_GENERAL or synset.min_depth() < 4


def _first_name(synset: Synset) -> str:
    return str(synset.lemma_names()[0]).replace("_", " ").lower()


def _found(unit: str, synset: Synset, source: str, score: float) -> Found:
    return Found(
        unit.lower(),
        synset.name(),
        wordnet.kind_of(synset),
        synset.definition(),
        source,
        round(score, 3),
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
        if entity.synset and not out.isdisjoint(wordnet.ancestors(_synset(entity.synset))):
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
        if wordnet.visibility(synset) and not wordnet.is_scene(synset)
    )
