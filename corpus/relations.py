"""What WordNet relates to a sense: who and what is derived from it, or defined with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import aptness, disambiguate, glosses, kinds, wordnet
from corpus.disambiguate import Sense

_SIBLINGS_EACH, _DOMAIN_MOST = 3, 4
# Uses in WordNet's texts that make a verb an everyday one, and how many of them to each of a thing
# leave the thing in its shadow.
_EVERYDAY, _OVERSHADOWED = 20, 8
_PLAIN = 3  # senses of a verb that a tool of its name is likely the tool of
_OF_KIND = 0.4  # score of what an activity's kinds are called after
_LIKELY = 0.7  # of what is derived from a synonym of an act, and does not speak of it
_GENERAL = 4  # depth of a kind that tells nothing of who does what with it
_MADE_FOR = 0.6  # of the kind of a tool that is for the thing at hand

_SHORT, _SHORT_OF = 0.5, 2  # what a longer name's last word is worth of it; steps up to it

Names = tuple[tuple[str, ...], ...]  # of one thing; each name is the stems of its words


@dataclass(frozen=True)
class Found:
    """An entity of one label.

    Attributes:
        unit: the noun or phrase.
        synset: WordNet's name of its sense, None for a word that WordNet lacks.
        kind: object, body_part, scene, role or motion.
        description: the sense's gloss, or for an unknown word what the label says of it.
        source: where it came from: "label", "instrument: …", "part of …", "scene: …", "default" …
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

    @property
    def always(self) -> bool:
        """Whether it is one of those that every label has, whatever a person made of it."""
        return self.source.split(",")[0] == "default"


def counterparts(synset: Synset) -> list[Synset]:
    """Return an activity and the same as verb or noun: to moo, and the sound that a cow makes."""
    same = [s for s in wordnet.derived(synset)
            if s.pos() == "v" or kinds.is_act(s) or kinds.is_sound(s)]  # fmt: skip
    # The same only if a name is shared: "swimming" and "swim", not "drive" and "thrust".
    stems = {glosses.stem(name.replace("_", "")) for name in synset.lemma_names()}
    return [synset] + [
        s for s in same if stems & {glosses.stem(name.replace("_", "")) for name in s.lemma_names()}
    ]


def derived(sense: Sense, roles_only: bool = False) -> Iterator[Found]:
    """Find instrument, place and role that WordNet derives from an act or thing."""
    own = glosses.stem(sense.form.split()[-1].split("-")[-1])
    for act in [sense.synset] if roles_only else counterparts(sense.synset):
        for lemma in act.lemmas():
            same = glosses.stem(lemma.name().lower().split("_")[-1]) == own
            forms = lemma.derivationally_related_forms()
            devices = {
                form.name()
                for form in forms
                if form.synset().lexname() == "noun.artifact"
                and form.synset().lemma_names()[0] == form.name()
                and not kinds.is_vehicle(form.synset())
            }
            persons = {f.name() for f in forms if f.synset().lexname() == "noun.person"}
            for form in forms:
                target = form.synset()
                role = target.lexname() == "noun.person"
                if (
                    target.pos() != "n"
                    or not kinds.is_seen(target)
                    or aptness.is_product(target, form.name())
                    or aptness.is_slang(target)
                    or (roles_only and not role)
                    or (role and form.name() in devices)  # a peeler is rather what one peels with
                    or (kinds.is_vehicle(target) and form.name() in persons)  # fighters fly none
                    or (same and not is_handled(target, form.name(), act))
                    or (not role and is_overshadowed(form.name(), target))
                ):
                    continue
                likely = _likely(form.name(), target, act)
                if not same and likely < _LIKELY and not _is_told(target, sense):
                    continue
                # Of several of one name (bowlers) the one nearest to the act goes first.
                score = (0.8 if same else 0.45) + 0.05 * likely
                if target.lexname() in ("noun.plant", "noun.animal"):
                    score = 0.3  # a climber is a vine as well
                what = "role" if role else "scene" if kinds.is_scene(target) else "instrument"
                yield found(
                    _name_like(form.name(), target),
                    target,
                    f"{what}: derived from {sense.form}",
                    score,
                )


def _is_told(target: Synset, sense: Sense) -> bool:
    """Tell whether a definition speaks of an act or thing by name: a pen, of writing.

    What is derived from its synonyms is else as often of another sense: who pushes promotes.
    """
    names = [sense.form, *(sense.synset.lemma_names() if sense.synset.pos() == "n" else [])]
    stems = {stem for name in names for stem in glosses.stems(name.replace("_", " "))}
    return not stems.isdisjoint(glosses.stems(target.definition()))


def as_doer(role: Found, things: Sequence[Sense]) -> Found:
    """Take the person of a role's name whose definition fits best what is at hand: bikes' riders.

    Args:
        role: anything found; what is no role is returned as it is.
        things: the senses of what a label names.
    """
    if role.kind != "role":
        return role
    own = [s for s in wordnet.entry(role.unit)
           if s.lexname() == "noun.person" and first_name(s) == role.unit]  # fmt: skip
    best = max(own, key=lambda person: told_of(person, things), default=None)
    if best is None or told_of(best, things) <= told_of(synset_of(role.synset or ""), things):
        return role
    return found(role.unit, best, role.source, role.score)


def kind_of_doer(role: Found, thing: Sense) -> Iterator[Found]:
    """Find the kind of person a role is by the kind of its thing: a motorist is a driver."""
    for kind in synset_of(role.synset or "").hypernyms():
        if kind.lexname() == "noun.person" and told_of(kind, [thing]):
            yield found(first_name(kind), kind, f"{role.source}, in general", _SHORT * role.score)


def of_field(adjective: str) -> Iterator[Found]:
    """Find who works in the field that an adjective is of: the archeologist of archeological."""
    for synset in wordnet.reader().synsets(adjective, "a")[:1]:
        fields = [noun.synset() for lemma in synset.lemmas() for noun in lemma.pertainyms()]
        for field in dict.fromkeys(f for f in fields if f.lexname() == "noun.cognition"):
            for person in wordnet.derived(field):
                if person.lexname() == "noun.person":
                    yield found(first_name(person), person, f"role: of {first_name(field)}", 0.5)


def told_of(synset: Synset, things: Sequence[Sense]) -> int:
    """Count the names of things, and of what they are kinds of, in the definition of a synset."""
    above = [synset_of(n) for thing in things for n in sorted(wordnet.ancestors(thing.synset))]
    names = {
        tuple(glosses.stems(name.replace("_", " ")))
        for kind in above
        if wordnet.depth(kind) > _GENERAL
        for name in kind.lemma_names()
    }
    stems = set(glosses.stems(synset.definition()))
    return sum(stems.issuperset(name) for name in names if name)


def is_handled(target: Synset, name: str, act: Synset) -> bool:
    """Tell whether what is of the verb's own name is what is handled: water is, sand is not.

    Where it is, the verb's definition says so: "supply with water", but "rub with sandpaper". A
    tool need not be told of that goes by that name first, if the verb means little else: no hayloft
    is mown, but a swab mops, and to pack takes no pack.
    """
    tool = target.lexname() == "noun.artifact" and not aptness.is_byname(name, target)
    plain = kinds.is_scene(target) or len(wordnet.senses(name, "v")) <= _PLAIN
    if (tool and plain) or act.pos() != "v" or name not in act.lemma_names():
        return True
    told = set(glosses.stems(act.definition()))
    return any(told.issuperset(glosses.stems(n.replace("_", " "))) for n in target.lemma_names())


def is_overshadowed(name: str, target: Synset) -> bool:
    """Tell whether a name is an everyday verb that hardly ever means this thing.

    "Lift" is said of what is done, and next to never of a device worn in a shoe.
    """
    word = name.replace("_", " ").lower()
    done = sum(wordnet.frequency(s, word) for form, s in wordnet.senses(word, "v") if form == word)
    return done >= _EVERYDAY and done > _OVERSHADOWED * wordnet.frequency(target, word)


def _likely(name: str, synset: Synset, act: Synset) -> float:
    """Rate a sense of a name by its nearness to an act and its frequency, in 0..1."""
    near = glosses.similarity(glosses.signature(synset), glosses.signature(act))
    pairs = wordnet.senses(name.replace("_", " ").lower())
    shares = wordnet.priors(pairs, name)
    share = max((p for p, (_, s) in zip(shares, pairs, strict=True) if s == synset), default=0.0)
    rate = 0.6 if aptness.is_byname(name.replace("_", " ").lower(), synset) else 1.0
    return (0.5 * min(near / 0.4, 1.0) + 0.5 * share) * rate


def _name_like(name: str, synset: Synset) -> str:
    """Return what a synset is called first among its names of one stem: "coloring"."""
    own = glosses.stem(name.lower().replace("_", " "))
    names = [n.replace("_", " ") for n in synset.lemma_names()]
    return next((n for n in names if glosses.stem(n.lower()) == own), name.replace("_", " "))


def made_for(tool: Sense, things: Sequence[Names]) -> Iterator[Found]:
    """Find the kinds of a tool that are for the things of a label: to brush teeth, a toothbrush.

    Args:
        tool: what the action is done with.
        things: the stems of each name of each thing.
    """
    for kind in tool.synset.hyponyms():
        told = set(glosses.stems(kind.definition()))
        if any(told.issuperset(name) for names in things for name in names if name):
            yield found(first_name(kind), kind, f"instrument: a kind of {tool.form}", _MADE_FOR)


def of_domain(sense: Sense, context: dict[str, float]) -> Iterator[Found]:
    """Find the things that WordNet files under an activity as their topic (fencing: foil)."""
    members = [m for act in counterparts(sense.synset) for m in act.in_topic_domains()]
    ranked = sorted(
        (-round(glosses.similarity(glosses.signature(m), context), 3), m.name(), m)
        for m in members
        if m.pos() == "n" and kinds.is_seen(m)
    )
    for near, _, member in ranked[:_DOMAIN_MOST]:
        yield found(first_name(member), member, f"topic {sense.form}", min(0.4 - near, 0.9))


def of_kind(sense: Sense) -> Iterator[Found]:
    """Find what the names of an activity's kinds say: the water of a water sport."""
    for act in counterparts(sense.synset):
        for level in act.hypernym_paths():
            for kind in level[-4:-1]:
                yield from _in_names(kind, sense)


def _in_names(kind: Synset, sense: Sense) -> Iterator[Found]:
    for name in kind.lemma_names():
        first, *rest = name.lower().split("_")
        if not rest:
            continue
        for _, synset in wordnet.senses(first)[:1]:
            if kinds.is_pastime(synset) and kind not in synset.hypernyms():
                for above in synset.hypernyms():  # swimming strokes are of a water sport
                    yield from _in_names(above, sense)
        if not kinds.is_pastime(kind):
            continue
        text = name.lower().replace("_", " ")
        # The board that is "designed for board games", or what the game's definition points at.
        own = set(glosses.stems(text))
        told = [s for _, s in wordnet.senses(first) if own.issubset(glosses.stems(s.definition()))]
        fits = disambiguate.of_word(first, glosses.signature(kind), bodily=True)
        for synset in [*told, *([fits.synset] if fits else [])][:1]:
            if kinds.visibility(synset) >= 0.8:
                what = "scene" if kinds.is_scene(synset) else "instrument"
                source = f"{what}: {sense.form} is a {text}"
                yield found(first_name(synset), synset, source, _OF_KIND)


def plainly(entity: Found) -> Iterator[Found]:
    """Find what a thing of a longer name is called for short: a ditch spade is a spade."""
    head = entity.unit.split()[-1]
    if head == entity.unit or entity.synset is None:
        return
    level = [synset_of(entity.synset)]
    for _ in range(_SHORT_OF):
        level = [parent for synset in level for parent in synset.hypernyms()]
        for synset in level:
            if head in synset.lemma_names() and kinds.is_seen(synset):
                if not kinds.is_general(synset):
                    source = f"{entity.unit}, for short"
                    yield found(head, synset, source, _SHORT * entity.score)
                return


def siblings(sense: Sense) -> Iterator[Found]:
    """Find other kinds of what a sense is a kind of, the common ones."""
    kin = [k for parent in sense.synset.hypernyms() for k in parent.hyponyms() if k != sense.synset]
    for sibling in sorted(kin, key=lambda k: -wordnet.commonness(k))[:_SIBLINGS_EACH]:
        if kinds.is_seen(sibling):
            yield found(first_name(sibling), sibling, f"sibling of {sense.form}", 0.2)


def first_name(synset: Synset) -> str:
    """Return what WordNet calls a synset first, with spaces."""
    return str(synset.lemma_names()[0]).replace("_", " ").lower()


def found(unit: str, synset: Synset, source: str, score: float) -> Found:
    """Make an entity of a synset."""
    return Found(
        unit.lower(),
        synset.name(),
        kinds.kind_of(synset),
        synset.definition(),
        source,
        round(min(max(score, 0.0), 1.0), 3),
    )


@cache
def synset_of(name: str) -> Synset:
    """Return a synset by its name ("bow.n.04")."""
    return wordnet.reader().synset(name)
