import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.parse import parse, predicate


def units(label: str) -> list[str]:
    return [unit.text for unit in parse(label).units]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("playing bass guitar", ["bass guitar"]),
        ("PommelHorse", ["pommel horse"]),
        ("massaging person's head", ["person", "head"]),
        ("riding or walking with horse", ["horse"]),
        ("squeezing orange", ["orange"]),
        ("sawing wood", ["wood"]),
        ("StillRings", ["rings"]),
        ("PlayingTabla", ["tabla"]),
        ("massaging back", ["back"]),
        ("waking up", []),
        ("letting go of balloon", ["balloon"]),
        ("Tearing something into two pieces", ["pieces"]),
        ("Letting something roll up a slanted surface, so it rolls back down", ["surface"]),
        ("Turning the camera downwards while filming something", ["camera"]),
        ("Turning something upside down", []),
        ("Showing that something is inside something", []),
        ("Pretending to be tearing something that is not tearable", []),
        ("paragliding", ["paragliding"]),
        ("kitesurfing", ["kitesurfing", "kite"]),
        ("sit down", []),
        ("push up", ["push up"]),
        ("flic flac", ["flic flac"]),
        ("building sandcastle", ["sandcastle", "sand", "castle"]),
        ("playing kickball", ["kickball", "ball"]),
        ("kickflip", ["kickflip"]),
        ("open (e.g., a window, a car door)", ["window", "car door"]),
        ("opening_can", ["can"]),
        ("shovel_snow", ["shovel", "snow"]),
        ("Moving something across a surface until it falls down", ["surface"]),
        ("Failing to put something into something because something does not fit", []),
    ],
)
def test_nouns_are_found_longest_entry_first(label: str, expected: list[str]) -> None:
    assert units(label) == expected


@pytest.mark.parametrize(
    ("label", "verbs"),
    [
        ("mopping floor", ("mopping",)),
        ("shoot_bow", ("shoot",)),
        ("GolfSwing", ("swing",)),
        ("blowing out candles", ("blowing out",)),
        ("Picking something up", ("picking up",)),
        ("sticking tongue out", ("sticking out",)),
        ("trimming or shaving beard", ("trimming", "shaving")),
        ("Spinning something that quickly stops spinning", ("spinning",)),
        ("pretending to be a statue", ("pretending",)),
    ],
)
def test_actions_are_verbs_and_no_units(label: str, verbs: tuple[str, ...]) -> None:
    parsed = parse(label)
    assert parsed.verbs == verbs
    assert not set(verbs) & {unit.text for unit in parsed.units}


def test_parentheses_exclude_or_give_context() -> None:
    assert "wine" in parse("opening bottle (not wine)").excluded
    assert "wine" not in units("opening bottle (not wine)")
    for word in ("no", "without", "except", "excluding", "but not"):
        assert "wine" in parse(f"opening bottle ({word} wine)").excluded
    assert parse("shooting goal (soccer)").context == ("soccer",)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("KickingBall", "kicking"),
        ("playing the bass guitar", "playing"),
        ("looking at phone", "looking at"),
        ("riding or walking with horse", "riding or walking with"),
        ("changing wheel (not on bike)", "changing"),
        ("golf swing", "swing"),
        ("Putting [something] on a table", "putting something on"),
        ("archery", "archery"),
        ("PommelHorse", "pommel horse"),
        ("ball on a table", "ball on a table"),
        ("making paper aeroplanes", "making"),
    ],
)
def test_a_predicate_is_a_label_less_the_things_that_it_names(label: str, said: str) -> None:
    assert predicate(label) == said


def test_placeholders_name_nothing() -> None:
    parsed = parse("Pushing [something] off of [something]")
    assert parsed.units == ()
    assert parsed.placeholders


def test_a_part_of_an_animal_is_that_and_not_what_is_called_after_it() -> None:
    assert [unit.text for unit in parse("petting dog ears").units] == ["dog", "ears"]
    assert [unit.text for unit in parse("braiding horse tail").units] == ["horse", "tail"]
    assert [unit.text for unit in parse("eating chicken leg").units] == ["chicken leg"]


@pytest.mark.parametrize(
    ("label", "units", "verbs"),
    [
        ("HugPerson", ["person"], ("hug",)),  # and no kind of person
        ("nod head/bow", ["head", "bow"], ("nod",)),  # what is nodded heads nothing
        ("volleyball_set", ["volleyball"], ("set",)),
        ("sneeze/cough", [], ("sneeze", "cough")),  # nouns of nothing that is seen
        ("take ring", ["ring"], ("take",)),  # which ends like a gerund, and is none
        ("cutting string", ["string"], ("cutting",)),
        ("make pudding", ["pudding"], ("make",)),
        ("wash clothes", ["clothes"], ("wash",)),  # and no washcloth
    ],
)
def test_a_verb_in_its_base_form_is_told_from_what_it_is_done_to(
    label: str, units: list[str], verbs: tuple[str, ...]
) -> None:
    parsed = parse(label)
    assert ([unit.text for unit in parsed.units], parsed.verbs) == (units, verbs)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("riding exercise ball", ("exercise ball",)),
        ("Rock-paper-scissors", ("rock paper scissors",)),
        ("Blow-drying hair", ()),  # no word stands between those of a compound
        ("Carving jack-o-lanterns", ()),  # which WordNet has
    ],
)
def test_words_side_by_side_may_be_a_compound(label: str, expected: tuple[str, ...]) -> None:
    assert parse(label).compounds == expected


def test_an_unknown_word_is_marked_as_such() -> None:
    (unit,) = parse("playing didgeridoo").units
    assert (unit.text, unit.known) == ("didgeridoo", False)


@pytest.mark.parametrize(
    "label", ["", "🎸🎸", "弹吉他", "(not wine)", "()", "a " * 300, "…!?", "_"]
)
def test_labels_that_are_hardly_labels_are_read_without_an_error(label: str) -> None:
    parse(label)


@settings(max_examples=25)
@given(st.text(max_size=40))
def test_any_text_can_be_read(label: str) -> None:
    predicate(label)
    for unit in parse(label).units:
        assert any(char.isalpha() for char in unit.text)
