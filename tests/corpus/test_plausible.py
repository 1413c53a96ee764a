"""What all ways of finding an entity have in common tells how plausible it is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from corpus import disambiguate, parse, plausible, relations
from corpus.disambiguate import Sense
from corpus.expand import Options, entities
from corpus.relations import Found


def tool(name: str, source: str = "definition of cut", score: float = 0.4) -> Found:
    synset = relations.synset_of(name)
    return relations.found(relations.first_name(synset), synset, source, score)


def known(label: str, entity: Found, ways: int = 1) -> dict[str, float]:
    return plausible.facts(entity, parse.parse(label), [], ways)


@pytest.mark.parametrize(
    ("label", "units"),
    [
        ("lowering flag", {"lower berth"}),
        ("catching fish", {"fishmonger"}),
        ("chasing horse", {"quoin"}),  # of a printer's chase
        ("grooming cat", {"wedding ring", "wedding picture"}),
    ],
)
def test_what_little_speaks_for_is_not_seen(label: str, units: set[str]) -> None:
    assert units.isdisjoint({entity.unit for entity in entities(label)})


def test_what_a_label_names_is_kept_however_implausible() -> None:
    assert "vase" in {entity.unit for entity in entities("lowering vase")}


def test_what_more_ways_lead_to_is_likelier() -> None:
    parsed, knife = parse.parse("cutting cake"), tool("knife.n.01")
    once, thrice = (plausible.logit(knife, parsed, [], ways) for ways in (1, 3))
    assert thrice > once
    quoin = tool("quoin.n.01", score=0.0)
    assert plausible.rated([quoin], parsed, [])[quoin] < plausible.LIKELY
    assert plausible.rated([quoin] * 9, parsed, [])[quoin] >= plausible.LIKELY


@pytest.mark.parametrize(
    ("fact", "likelier", "less"),
    [
        ("score", tool("knife.n.01", score=0.8), tool("knife.n.01", score=0.2)),
        ("part", tool("blade.n.08", "part of knife"), tool("blade.n.08")),
        (
            "by definition",
            tool("knife.n.01"),
            tool("knife.n.01", "instrument: its definition mentions the action"),
        ),
        ("kinds", tool("knife.n.01"), tool("parer.n.02")),  # knives have kinds
        ("depth", tool("tool.n.01"), tool("knife.n.01")),
        ("near", tool("cutter.n.06"), tool("hammer.n.02")),
        ("by name", tool("cake.n.03"), tool("bread.n.01")),
        ("body", tool("hand.n.01"), tool("hand.n.08")),
    ],
)
def test_a_fact_speaks_for_what_it_should(fact: str, likelier: Found, less: Found) -> None:
    left, right = (known("cutting cake", entity)[fact] for entity in (likelier, less))
    assert left != right
    assert (left - right) * plausible._WEIGHTS[fact] > 0


def test_what_may_be_anything_makes_all_less_likely() -> None:
    knife = tool("knife.n.01")
    assert known("cutting something", knife)["anything"] == 1
    assert known("cutting cake", knife)["anything"] == 0


def test_a_compound_that_the_label_joins_counts_as_its_words() -> None:
    # WordNet's "shot put", whose heavy ball is called a shot.
    shot, parsed = tool("shot.n.12"), parse.parse("Shotput")
    sense = disambiguate.of_unit(parsed.units[0], parsed)
    assert sense is not None
    assert sense.form == "shot put"
    without, named = (plausible.facts(shot, parsed, s, 1)["near"] for s in ([], [sense]))
    assert named > without
    assert "shot.n.12" in {entity.synset for entity in entities("Shotput")}


def test_the_rating_is_of_the_sense_and_not_of_how_it_is_called() -> None:
    ax = tool("ax.n.01")
    parsed, act = parse.parse("throwing axe"), Sense("axe", relations.synset_of("ax.n.01"), 1.0)
    other = replace(ax, unit="axe")
    assert plausible.logit(ax, parsed, [act], 1) == plausible.logit(other, parsed, [act], 1)


def test_a_cap_keeps_what_the_label_names_and_of_the_rest_the_most_plausible() -> None:
    every, few = entities("ironing"), entities("ironing", Options(cap=5))
    own = [entity for entity in few if entity.source != "default"]
    assert len(own) == 5
    assert own == [entity for entity in every if entity in own]  # in the same order
    by_score = [entity for entity in every if entity.source != "default"][:5]
    assert own != by_score
    assert {"iron", "clothes iron"} & {entity.unit for entity in own}


def test_fewer_entities_are_righter_ones() -> None:
    path = Path(__file__).with_name("judged.jsonl")
    cases = [json.loads(line) for line in path.read_text().splitlines()]

    def right(cap: int) -> float:
        options = Options(cap=cap)
        found = [
            (case["grades"], one) for case in cases for one in entities(case["label"], options)
        ]
        grades = [grades.get(f"{one.unit} {one.synset}") for grades, one in found]
        return sum(grade == 2 for grade in grades) / sum(grade is not None for grade in grades)

    assert right(4) > right(8) > right(24)


def test_of_what_little_speaks_for_the_likeliest_fills_up_to_three() -> None:
    own = [entity for entity in entities("swinging on something") if entity.source != "default"]
    assert len(own) == 3
