"""What is seen where an action happens, beyond what its label names: tools, places, people, parts.

All of it is what WordNet says of the label's senses: what is derived from them, what their
definitions speak of, whose definitions speak of them, what is spelled like them.
"""

from collections.abc import Iterator
from dataclasses import replace

from corpus import (
    aptness,
    definitions,
    disambiguate,
    games,
    glosses,
    kinds,
    manners,
    mentions,
    relations,
    spelling,
    surroundings,
    wording,
    wordnet,
)
from corpus.disambiguate import Sense
from corpus.parse import Parsed
from corpus.relations import Found

# Where an action of which nothing is known may be seen.
_ANYWHERE = {"floor": "floor.n.01", "room": "room.n.01", "street": "street.n.01"}
_OTHER_SENSES = 3  # of a verb, read where the likeliest says little
_AS_LIKELY = 0.5  # share of the best sense's score from which the second is read as well
_MANY_KINDS = 10  # of a pastime that names no certain one
_SURE = 0.8  # score of a tool or role whose own definition is worth reading


def near(parsed: Parsed, units: list[Sense], verbs: list[Sense], kin: bool) -> list[Found]:
    """Find what WordNet says goes with a label.

    Args:
        parsed: the label.
        units: the senses chosen for what it names.
        verbs: those chosen for what is done.
        kin: find other kinds of the things named, too.
    """
    context = _context(parsed, units, verbs)
    acts = verbs + [s for s in units if kinds.is_act(s.synset)] + _topics(parsed)
    things = [s for s in units if not kinds.is_act(s.synset)]
    found = list(spelling.compounds(parsed))
    animals: list[Sense] = []
    specific = bool(parsed.units or not parsed.placeholders)  # else anything may be unfolded
    for act in acts:
        named = (*relations.derived(act), *spelling.namesakes(act.form, act))
        tools = [relations.as_doer(tool, things) for tool in named]
        if not any(tool.kind == "role" and tool.score >= _SURE for tool in tools):
            agents = spelling.agent(act.form, act.synset) if specific else ()
            tools += [relations.as_doer(agent, things) for agent in agents]
        defined = _told(act, context)
        of_act = tools + defined
        if not _is_settled(act, units):
            of_act += _told_otherwise(act, context)
        animals += _animals_in_name(act, defined)
        of_act += spelling.implements(act, wording.gerund(act, parsed))
        of_act += manners.means(act, context)
        if kinds.is_pastime(act.synset):  # what a game has is its own, whatever else has it
            found += of_act + list(relations.of_domain(act, context))
        else:
            found += games.apart(of_act, parsed)
        found += games.apart(relations.of_kind(act), parsed)
    for word in parsed.words:
        found += relations.of_field(word)
    for unit in parsed.units:
        if not unit.known and unit.text.endswith("ing"):
            for agent in spelling.agent(unit.text):
                # All that is known of an unknown action is what is said of who does it.
                found += [agent, *definitions.things(_sense(agent), context, share=0.5)]
    for tool in [f for f in found if f.score >= _SURE and f.kind in ("object", "role")]:
        if things and _is_of_other_things(tool, things, acts):
            continue
        found += _of_tool(tool, context)
        if tool.kind == "object":
            found += definitions.used_with(_sense(tool), context, travelled=True)
            found += relations.made_for(_sense(tool), [wording.names(thing) for thing in things])
    for thing in things:
        for role in relations.derived(thing, roles_only=True):
            found += [role, *relations.kind_of_doer(role, thing)]
        if " " in thing.form and thing.form.endswith("ing"):  # gospel singing, WordNet's a music
            found += spelling.agent(thing.form, thing.synset)
        found += surroundings.parts(thing)
        found += [*surroundings.place_of(thing), *surroundings.plant_of(thing, acts)]
        found += definitions.used_with(thing, context)
        if not acts or len(things) <= 2:
            found += definitions.things(thing, context, share=0.3)
        if game := disambiguate.game_of(thing):
            found += definitions.things(game, context, share=0.4)
        if kin:
            found += relations.siblings(thing)
    if specific:
        known = {f.synset for f in found}
        spoken = mentions.mentioning(parsed, things + animals, acts, context, known)
        mentioned = games.apart(spoken, parsed)
        doers = {doer for act in acts for doer in wordnet.doers(act.form)}
        found += mentioned
        for doer in [entity for entity in mentioned if entity.unit in doers]:
            if not (things and _is_of_other_things(doer, things, acts)):
                found += _of_tool(doer, context)
    likened = {act.form for act in acts if _is_likened(act, parsed, things)}
    return [f for f in found if f.unit not in likened]


def _of_tool(tool: Found, context: dict[str, float]) -> list[Found]:
    """Find what the definition of a tool, or of who does an action, speaks of."""
    spoken = definitions.things(_sense(tool), context, share=0.25)
    # A role's definition begins with what kind of person it is, which is no news.
    return [f for f in spoken if tool.kind == "object" or f.kind != "role"]


def _is_of_other_things(tool: Found, things: list[Sense], acts: list[Sense]) -> bool:
    """Tell whether who or what does an act is defined by other things than those at hand.

    Who pushes a box is no pusher of babies.
    """
    doers = {doer for act in acts for doer in wordnet.doers(act.form)}
    told = relations.told_of(relations.synset_of(tool.synset or ""), things)
    return tool.unit in doers and not told


def _sense(found: Found) -> Sense:
    """Return what was found, and WordNet has, as a sense to read on from."""
    return Sense(found.unit, relations.synset_of(found.synset or ""), found.score)


def _topics(parsed: Parsed) -> list[Sense]:
    """Return the pastimes that a label's parentheses name: "(boxing)", but not "(sport)"."""
    named = [pairs[0] for word in parsed.context if (pairs := wordnet.senses(word))]
    return [
        Sense(form, synset, 1.0)
        for form, synset in named
        if kinds.is_pastime(synset) and wordnet.breadth(synset) < _MANY_KINDS
    ]


def _told(act: Sense, context: dict[str, float]) -> list[Found]:
    """Find what the definition of an act speaks of, and that of the only tool that it speaks of.

    Whoever embroiders does needlework, which is done with needle and thread; and what is said of a
    game that another is like holds for that one as well.
    """
    told = list(definitions.things(act, context, share=0.6))
    for kind in act.synset.hypernyms():  # to hand-wash is to wash
        name = relations.first_name(kind)
        if act.synset.pos() == "v" and act.form.endswith(name) and act.form != name:
            told += definitions.things(Sense(name, kind, act.score), context, share=0.5)
    plain = len(wordnet.senses(act.form, "v")) <= spelling.PLAIN
    if plain and len({thing.synset for thing in told}) == 1:
        only = _sense(told[0])
        if only.synset.lexname() == "noun.artifact":
            told += definitions.things(only, context, share=0.4)
    if kinds.is_pastime(act.synset):
        for role in [thing for thing in told if thing.kind == "role"]:
            told += _of_role(role)
    if any(thing.kind == "object" for thing in told):  # field hockey has no puck of ice hockey
        return told
    for game in definitions.likened(act):
        told += definitions.things(game, context, share=0.4)
    return told


def _is_settled(act: Sense, units: list[Sense]) -> bool:
    """Tell whether the definition of an act speaks of what is at hand: basketball is a game."""
    return bool(relations.told_of(act.synset, [unit for unit in units if unit != act]))


def _told_otherwise(act: Sense, context: dict[str, float]) -> Iterator[Found]:
    """Find what the second sense of an act speaks of, where it is not much less likely.

    Whoever dives drops steeply, or plunges into water. But a pastime of a name is no other act.
    """
    if kinds.is_pastime(act.synset):
        return
    if act.runner_up and act.score - act.margin >= _AS_LIKELY * act.score:
        other = Sense(act.form, relations.synset_of(act.runner_up), act.score)
        told = definitions.things(other, context, share=0.4)
        yield from (thing for thing in told if thing.unit != act.form)


def _is_likened(act: Sense, parsed: Parsed, things: list[Sense]) -> bool:
    """Tell whether an act is only like that of the thing of its name: fists are pumped."""
    if aptness.with_object(act.synset, parsed) < 1:  # fingers drum, on no drum
        return True
    bodily = any(thing.synset.lexname() == "noun.body" for thing in things)
    return bodily and f"like a {act.form}" in act.synset.definition()


def _animals_in_name(act: Sense, defined: list[Found]) -> Iterator[Sense]:
    """Find the animals of an act's definition that its name has as well: bees, of beekeeping."""
    for thing in defined:
        if thing.synset and act.form.startswith(thing.unit):
            synset = relations.synset_of(thing.synset)
            if synset.lexname() == "noun.animal":
                yield Sense(thing.unit, synset, thing.score)


def _of_role(role: Found) -> Iterator[Found]:
    """Find what the people whom a sport's definition speaks of have: skaters, skates."""
    for verb in wordnet.derived(relations.synset_of(role.synset or "")):
        if verb.pos() == "v":
            name = relations.first_name(verb)
            yield from spelling.namesakes(name, Sense(name, verb, role.score))


def farther(parsed: Parsed, units: list[Sense], verbs: list[Sense]) -> list[Found]:
    """Look further for a label with hardly an entity: at what its senses are kinds of."""
    context = _context(parsed, units, verbs)
    found: list[Found] = []
    for sense in verbs:
        # What is moved or turned in an example is any thing.
        vague = wording.is_vague(sense)
        examples = [] if vague else list(definitions.things(sense, context, 0.35, examples=True))
        found += examples
        # Where boats capsize there is water.
        vehicles = [f for f in examples if kinds.is_vehicle(_sense(f).synset)]
        for vehicle in vehicles if not parsed.placeholders else []:
            found += definitions.used_with(_sense(vehicle), context, travelled=True)
        others = [] if parsed.units else wordnet.senses(sense.form, "v")
        for _, synset in others[:_OTHER_SENSES]:
            other = Sense(sense.form, synset, 0.3)
            found += [*relations.derived(other), *definitions.things(other, context, 0.3)]
    for sense in (*units, *verbs):
        level = [sense.synset]
        for share in (0.3, 0.2, 0.15, 0.1):
            level = [parent for synset in level for parent in synset.hypernyms()]
            if share < 0.2:  # farther up only sports and dances still show what they are
                level = [synset for synset in level if kinds.is_pastime(synset)]
            for synset in level:
                if not synset.hypernyms():  # to move and to change say nothing
                    continue
                kind = Sense(relations.first_name(synset), synset, share)
                doers = [one for one in relations.derived(kind) if one.kind == "role"]
                more = [*doers, *definitions.things(kind, context, share)]
                found += [
                    replace(f, source=f"{f.source}, of which {sense.form} is a kind", score=share)
                    for f in more
                ]
    return found


def anywhere() -> list[Found]:
    """Name the places that any action is seen in: better than nothing, and said to be that."""
    return [
        relations.found(unit, relations.synset_of(name), "scene: any action", 0.05)
        for unit, name in _ANYWHERE.items()
    ]


def _context(parsed: Parsed, units: list[Sense], verbs: list[Sense]) -> dict[str, float]:
    """Return the words of a label and of the senses chosen in it."""
    bag = {token: glosses.weight(token) for word in (*parsed.words, *parsed.context)
           for token in glosses.stems(word)}  # fmt: skip
    for sense in (*units, *verbs):
        for token, value in glosses.signature(sense.synset).items():
            bag[token] = max(bag.get(token, 0.0), 0.6 * value)
    return bag
