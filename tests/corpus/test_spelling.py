import pytest

from corpus import spelling, wordnet
from corpus.disambiguate import Sense, as_thing, of_verb
from corpus.expand import entities
from corpus.parse import parse


def chosen(label: str) -> Sense:
    parsed = parse(label)
    sense = of_verb(parsed.verbs[0], parsed)
    assert sense is not None
    return sense


@pytest.mark.parametrize(
    ("label", "unit", "kind"),
    [
        ("laying bricks", "bricklayer", "role"),
        ("opening bottle", "bottle opener", "object"),
        ("mowing lawn", "lawn mower", "object"),
    ],
)
def test_who_does_it_to_such_a_thing_is_found_by_name(label: str, unit: str, kind: str) -> None:
    found = {f.unit: f.kind for f in spelling.compounds(parse(label))}
    assert found[unit] == kind


def test_an_agent_is_the_one_who_is_near_to_what_the_verb_means() -> None:
    bowling = wordnet.reader().synset("bowling.n.01")
    (found,) = spelling.agent("bowling", bowling)
    assert (found.unit, found.synset) == ("bowler", "bowler.n.02")


def test_an_unknown_gerund_is_told_by_who_does_it() -> None:
    (found,) = spelling.agent("bartending")
    assert found.synset == "bartender.n.01"
    among = {f.unit: f.synset for f in entities("bartending")}
    assert among["bar"] in ("barroom.n.01", "bar.n.02")


def test_a_tool_is_what_the_verb_s_definition_does_it_with() -> None:
    (found,) = spelling.namesakes("brush", chosen("brush hair"))
    assert (found.unit, found.source) == ("brush", spelling.DONE_WITH)
    assert "brush" in {f.unit for f in entities("brush hair")}
    assert not list(spelling.namesakes("throwing", chosen("throwing ball")))


@pytest.mark.parametrize(
    ("label", "unit", "synset"),
    [
        ("playing darts", "dart", "dart.n.01"),
        ("playing marbles", "marble", "marble.n.02"),
        ("playing dominoes", "domino", "domino.n.04"),
    ],
)
def test_a_game_called_by_a_plural_is_played_with_those_things(
    label: str, unit: str, synset: str
) -> None:
    assert {f.unit: f.synset for f in entities(label)}[unit] == synset


def test_a_plural_game_that_is_called_after_no_thing_gets_none() -> None:
    rounders = Sense("rounders", wordnet.reader().synset("rounders.n.01"), 1.0)
    assert as_thing(rounders) == rounders
