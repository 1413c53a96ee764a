import pytest

from corpus import wordnet
from corpus.disambiguate import of_verb
from corpus.expand import entities
from corpus.parse import parse
from corpus.selection import affinity, compounds
from corpus.siblings import Siblings


def sense(name: str) -> wordnet.Synset:
    return wordnet.reader().synset(name)


def test_a_verb_prefers_the_kind_of_thing_that_definitions_use_it_of() -> None:
    assert affinity("eat", sense("chip.n.04")) > affinity("eat", sense("chip.n.03"))
    assert affinity("bake", sense("cake.n.03")) > 0.5
    assert affinity("qwertz", sense("cake.n.03")) == 0


def test_compounds_are_found_by_modifier_and_head() -> None:
    assert "gas_pump.n.01" in {synset.name() for synset in compounds("ga", "pump")}
    assert not compounds("pump", "ga")


@pytest.mark.parametrize(
    ("label", "unit", "synset"),
    [
        ("scrambling eggs", "egg", "egg.n.02"),
        ("peeling banana", "banana", "banana.n.02"),
        ("pumping gas", "gas", "gasoline.n.01"),
        ("playing harp", "harp", "harp.n.01"),
        ("carving marble", "marble", "marble.n.01"),
        ("alligator wrestling", "alligator", "alligator.n.02"),
        ("adjusting glasses", "glasses", "spectacles.n.01"),
        ("breaking glass", "glass", "glass.n.01"),
        ("climbing stairs", "stairs", "stairs.n.01"),
        ("drinking from cup", "cup", "cup.n.01"),
    ],
)
def test_verb_and_number_tell_the_sense_of_an_object(label: str, unit: str, synset: str) -> None:
    assert {f.unit: f.synset for f in entities(label)}[unit] == synset


@pytest.mark.parametrize(
    ("label", "verb", "synset"),
    [
        ("playing trombone", "playing", "playing.n.01"),
        ("ice fishing", "fishing", "fishing.n.01"),
        ("throwing ball", "throwing", "throw.v.01"),
    ],
)
def test_a_gerund_may_mean_the_pastime_of_its_name(label: str, verb: str, synset: str) -> None:
    sense = of_verb(verb, parse(label))
    assert sense is not None
    assert sense.synset.name() == synset


def test_another_label_of_the_set_helps_with_a_sense() -> None:
    label = "separating eggs"
    siblings = Siblings([label, "cooking egg", "playing cello"])
    assert [parsed.label for parsed in siblings.naming("eggs", label)] == ["cooking egg"]
    assert {f.unit: f.synset for f in entities(label)}["egg"] == "egg.n.01"
    among = {f.unit: f.synset for f in entities(label, siblings=siblings)}
    assert among["egg"] == "egg.n.02"  # which is food


def test_a_text_space_moves_a_sense_to_the_gloss_that_it_finds_near_the_label() -> None:
    asked: set[str] = set()

    def near(gloss: str, label: str) -> float:
        asked.add(label)
        return float(gloss.startswith("bow: a slightly curved piece of"))

    alone, moved = (
        {f.unit: f.synset for f in entities("shoot_bow", text=text)}["bow"] for text in (None, near)
    )
    assert (alone, moved) == ("bow.n.04", "bow.n.02")
    assert asked == {"shoot_bow"}
    even = {f.unit: f.synset for f in entities("shoot_bow", text=lambda *_: 0.9)}
    assert even["bow"] == alone  # what it says of all alike says nothing


def test_what_is_done_with_anything_gets_no_tool_of_something() -> None:
    sources = [found.source for found in entities("Unfolding something")]
    assert not any("mentions the action" in source for source in sources)


def test_a_sense_is_the_likelier_for_the_kind_of_thing_that_its_verb_takes_in_the_set() -> None:
    label = "feeding seal"
    animals = ["cat", "goat", "horse", "elephant", "pigeon", "duck"]
    others = ["washing dishes", "cutting cake", "throwing ball", "playing piano", "opening door"]
    siblings = Siblings([label, *(f"feeding {name}" for name in animals), *others])
    assert siblings.habits(parse(label)) == {"living_thing.n.01"}
    assert {f.unit: f.synset for f in entities(label)}["seal"] == "seal.n.08"  # a fastener
    among = {f.unit: f.synset for f in entities(label, siblings=siblings)}
    assert among["seal"] == "seal.n.09"


def test_a_verb_has_no_habit_that_takes_few_things_or_takes_what_all_others_do() -> None:
    few = Siblings(["playing cello", "playing oboe", "washing dishes"])
    assert not few.habits(parse("playing cello"))
    things = ["ball", "book", "cup", "shoe", "lamp", "rope"]
    all_alike = Siblings([f"{verb} {thing}" for verb in ("lifting", "moving") for thing in things])
    assert not all_alike.habits(parse("lifting ball"))


def test_a_name_borrows_few_of_the_uses_that_a_sense_has_under_its_other_names() -> None:
    # Lids are hats, and mugs chumps; it is as "hat" and "chump" that texts speak of them.
    for word, known in (("flesh", "flesh.n.01"), ("frame", "frame.n.01"), ("lid", "eyelid.n.01")):
        candidates = wordnet.senses(word)
        shares = wordnet.priors(candidates, word)
        assert candidates[shares.index(max(shares))][1].name() == known
    fires = wordnet.senses("fire")  # its own first name keeps them all
    assert max(wordnet.priors(fires, "fire")) > 0.8
