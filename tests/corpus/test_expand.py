import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpus import wordnet
from corpus.expand import Options, entities
from corpus.labels import load_labels
from corpus.tags import tokens_of


def senses(label: str, options: Options | None = None) -> dict[str, str | None]:
    return {found.unit: found.synset for found in entities(label, options)}


def test_a_gerund_alone_gives_its_tool_and_its_person() -> None:
    found = entities("ironing")
    assert ("iron", "iron.n.04", "object") in {(f.unit, f.synset, f.kind) for f in found}
    assert senses("driving car")["driver"] == "driver.n.01"


def test_an_action_that_wordnet_lacks_is_a_motion_and_a_thing_that_it_lacks_is_none() -> None:
    assert [f.kind for f in entities("capoeira") if f.unit == "capoeira"] == ["motion"]
    assert [f.kind for f in entities("Nunchucks") if f.unit == "nunchucks"] == ["object"]
    assert [f.kind for f in entities("PlayingTabla") if f.unit == "tabla"] == ["object"]


def test_what_is_played_is_what_verbs_definitions_say_they_take() -> None:
    assert senses("playing organ")["organ"] == "organ.n.05"
    assert senses("playing recorder")["recorder"] == "fipple_flute.n.01"
    assert senses("BoxingPunchingBag")["boxer"] == "boxer.n.01"  # and nobody who packs


def test_a_role_is_of_the_thing_at_hand() -> None:
    assert senses("riding unicycle")["rider"] == "rider.n.03"  # of vehicles
    assert senses("riding camel")["rider"] == "rider.n.01"  # of animals
    assert senses("dealing cards")["dealer"] == "dealer.n.05"  # and not of illicit goods
    assert senses("steering car")["driver"] == "driver.n.01"  # what kind of person a motorist is


def test_whoever_does_something_is_no_vehicle_of_that_name() -> None:
    assert senses("sword fighting")["fighter"] == "combatant.n.01"
    assert "warship" not in senses("carrying baby")


def test_gas_is_not_seen_and_the_sky_is() -> None:
    assert not {"air", "gas", "oxygen"} & senses("inflating balloons").keys()
    assert senses("watching sky")["sky"] == "sky.n.01"


def test_a_slang_name_is_not_meant_by_a_definition() -> None:
    assert senses("bull fighting")["bull"] == "bull.n.01"  # and no policeman


@pytest.mark.parametrize(
    ("label", "unit"),
    [
        ("slicing onion", "knife"),  # slicing is cutting, and knives are cutting implements
        ("cooking chicken", "pan"),
        ("scuba diving", "water"),  # a water sport
        ("BreastStroke", "water"),
        ("waxing chest", "wax"),  # only the moon waxes for itself
        ("YoYo", "yo-yo"),
        ("Swing", "swing"),
        ("high fiving", "high five"),
        ("WritingOnBoard", "pen"),
        ("golf chipping", "golf ball"),
        ("brushing hair", "brush"),  # an everyday verb, and an everyday thing
        ("sailing", "sailboat"),  # a sailing boat by its other name
        ("carving marble", "chisel"),  # to chisel is to carve with one
        ("cleaning toilet", "brush"),
        ("tagging graffiti", "wall"),  # found "on rocks or walls", and before what is farther off
        ("riding snow blower", "snow"),  # which it removes, by its definition
        ("brushing teeth", "toothbrush"),  # a brush that is for teeth
        ("VolleyballSpiking", "net"),  # of the game that the ball is played in
        ("getting a haircut", "hairdresser"),  # who cuts hair
        ("square dancing", "dancer"),  # of dancing, which it is a kind of a kind of
        ("pullup", "bar"),  # an exercise, though one pulls up in a car
        ("polishing furniture", "polish"),  # "a preparation used in polishing"
        ("embroidering", "needle"),  # of needlework, all that embroidering speaks of
        ("hurling (sport)", "stick"),  # of hockey, which it is like
        ("playing polo", "horse"),  # whose back is horseback
        ("welding", "metal"),  # of many kinds, and of one look
        ("pouring beer", "glass"),  # a beer glass, for short
        ("making bed", "pillow"),  # a bed pillow, for short
        ("crying", "tear"),  # which is shed, and no crying by its other name
        ("playing rounders", "bat"),  # and no at-bat, as what one plays with is no act
        ("springboard diving", "water"),  # by diving's second sense: the first drops steeply
        ("dribble", "ball"),  # of the dribbler
        ("disc dog", "dog"),  # what lives is of its kind, whatever it is called after
        ("mooing", "cow"),  # "the sound made by a cow"
        ("tae kwon do", "tae kwon do"),  # whose last word is a verb elsewhere
        ("making latte art", "coffee"),
        ("digging", "earth"),  # which is no planet there
        ("fly tying", "fly"),
        ("longboarding", "longboard"),
        ("jetskiing", "jet ski"),
        ("drawing", "drawing paper"),  # the activity of that name, and no pulling
        ("ice climbing", "ice ax"),  # "used by mountain climbers"
        ("washing hands", "soap"),  # of the body, whatever "hands" is first
        ("gospel singing in church", "singer"),
        ("BlowDryHair", "hair dryer"),  # one verb of two words
        ("planting trees", "ground"),  # hardly deeper than a thing, but a place
        ("PlayingViolin", "bow"),  # named after all the parts of a violin
        ("blowing out candles", "fire"),  # a process to WordNet
        ("surfing water", "wave"),  # a movement to WordNet
        ("blowing bubble gum", "bubble"),  # a shape to WordNet
        ("playing cello", "bow"),  # with which its kind of instrument is played
        ("long jump", "jumper"),  # "jumping as far as possible"
        ("hand washing clothes", "soap"),  # as to hand-wash is to wash
    ],
)
def test_what_an_action_needs_is_found_by_what_wordnet_says_of_it(label: str, unit: str) -> None:
    assert unit in senses(label)


@pytest.mark.parametrize(
    ("label", "unit"),
    [
        ("sanding wood", "sand"),  # that is done with sandpaper
        ("draw_sword", "guard"),  # which a sword has, and who is nobody
        ("cartwheel", "cartwheel"),  # the act that is done, and no dollar of that name
        ("side kick", "side kick"),  # no sidekick
        ("mowing lawn", "mow"),  # a hayloft by its other name
        ("tango dancing", "steps"),  # which are danced, and no stairs
        ("sled dog racing", "half-breed"),  # "an offensive term for …"
        ("tying bow tie", "tie"),
        ("Pulling something from left to right", "right"),
        ("Turning the camera right while filming something", "right"),
        ("Holding something in front of something", "front"),
        ("Putting number of something onto something", "number"),
        ("exercising with an exercise ball", "exercise"),
        ("lifting barbell", "lift"),  # next to never is that a thing
        ("pulling rope (game)", "pull"),
        ("cartwheeling", "wheel"),  # arms and legs are only extended like its spokes
        ("playing bass guitar", "bass"),  # of which no word is said in its definition
        ("riding bike", "surfboard"),  # another sense of riding
        ("cutting grass", "cradle"),  # what cuts is a cradle scythe
        ("playing darts", "darts"),  # what is seen is a dart
        ("punching person (boxing)", "punch"),  # a deed here, and no tool to make holes
        ("salsa dancing", "salsa"),  # nobody dances with a sauce
        ("bodysurfing", "surfboard"),  # which it is done without
        ("rinsing dishes", "soap"),  # which is without
        ("snaffle", "curb"),  # a definition may begin with what is not there
        ("boxing", "postbox"),  # a box is not for boxing
        ("bowling", "salad plate"),
        ("writing", "cow pen"),  # penning is writing to few
        ("curling (sport)", "curling iron"),
        ("playing field hockey", "puck"),  # of ice hockey, which it is like but for the field
        ("clean and jerk", "cleaning implement"),  # a clean is no cleaning, and not without a jerk
        ("play_doublebass", "bass"),  # the double bass is there
        ("drumming fingers", "drum"),  # they only move as a drummer's sticks do
        ("dancing gangnam style", "style"),
        ("Putting something on its side", "side"),
        ("coughing", "lung"),  # within the body
        ("pushing cart", "force"),
        ("Shotput", "putter"),  # who puts at golf
        ("Tearing something just a little bit", "bit"),  # "a bit" says how
    ],
)
def test_words_that_name_no_thing_of_the_action_are_no_entities(label: str, unit: str) -> None:
    assert unit not in senses(label)


def test_what_something_is_done_with_is_no_person() -> None:
    assert senses("spray painting")["sprayer"] == "atomizer.n.01"


def test_what_is_handled_is_rather_small() -> None:
    assert senses("making balloon shapes")["balloon"] == "balloon.n.02"


def test_a_word_that_wordnet_lacks_is_described_by_its_label() -> None:
    (tabla,) = [found for found in entities("PlayingTabla") if found.unit == "tabla"]
    assert tabla.synset is None
    assert "playing tabla" in tabla.description


def test_a_movement_called_after_what_it_is_not_done_with_is_kept_whole() -> None:
    (salsa,) = [found for found in entities("SalsaSpin") if found.unit == "salsa spin"]
    assert salsa.synset is None
    assert "sauce" not in senses("SalsaSpin")
    assert senses("pouring salsa")["salsa"] == "salsa.n.01"


@pytest.mark.parametrize(
    ("label", "last"),
    [
        ("เล่นกีตาร์", "เล่นกีตาร์"),
        ("გიტარაზე დაკვრა", "დაკვრა"),
        ("writing letter x", "x"),
        ("taking vitamin c", "c"),
    ],
)
def test_the_last_word_is_read_in_every_script_and_of_a_single_letter(
    label: str, last: str
) -> None:
    said = [token.text for token in tokens_of(label.split())]
    assert "".join(said) == label.replace(" ", "")
    assert said[-1] == last


def test_what_a_label_excludes_is_nowhere_among_its_entities() -> None:
    units = senses("opening bottle (not wine)")
    assert "bottle" in units
    assert not any("wine" in unit.split() for unit in units)


@pytest.mark.parametrize(
    ("option", "prefix"), [("parts", "part of"), ("roles", "role:"), ("scenes", "scene:")]
)
def test_each_expansion_can_be_switched_off(option: str, prefix: str) -> None:
    def sources(options: Options) -> list[str]:
        return [f.source for f in entities("HorseRiding", options) if f.source.startswith(prefix)]

    assert sources(Options())
    assert not sources(Options.model_validate({option: False}))


def test_the_body_can_be_left_out() -> None:
    assert "knee" in senses("HorseRiding")
    assert "knee" not in senses("HorseRiding", Options(body=False))


def test_siblings_come_without_instruments_as_well() -> None:
    found = entities("playing guitar", Options(siblings=True, instruments=False, parts=False))
    assert any(f.source.startswith("sibling of") for f in found)
    assert not any(f.source.startswith("sibling of") for f in entities("playing guitar"))


def test_with_no_expansion_only_the_label_speaks() -> None:
    bare = Options(instruments=False, parts=False, scenes=False, roles=False, body=False)
    assert [f.unit for f in entities("playing bass guitar", bare)] == ["bass guitar"]


def test_the_cap_holds() -> None:
    own = [f for f in entities("driving car", Options(cap=5)) if f.source != "default"]
    assert len(own) == 5
    assert own[0].unit == "car"


def test_no_unit_and_no_sense_comes_twice_in_a_label() -> None:
    own = ("stretching trunk muscles", "painting human face", "tickling human foot", "giving mitt")
    for label in (*load_labels("ucf101")[0].labels[:30], *own):
        found = entities(label)
        for names in ([f.unit for f in found], [f.synset for f in found if f.synset]):
            assert len(names) == len(set(names)), label


def test_hmdb_labels_have_entities_of_their_own() -> None:
    for label in load_labels("hmdb51")[0].labels:
        own = [found for found in entities(label) if found.source != "default"]
        assert len(own) >= 3, label


PIECES = ("ing", "playing ", "ball", "not ", " of ", " or ", "something", " 's", "_", "-", " ",
          ".", ",", "/", "(", ")", "&", "'", "\u2019", "9", "é", "人", "😀", "<b>")  # fmt: skip


@example(["ing"])
@example(["ball", " ", ".", " ", "ball"])
@settings(max_examples=60, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_what_is_put_together_as_labels_are_has_entities_each_once(pieces: list[str]) -> None:
    units = [entity.unit for entity in entities("".join(pieces))]
    assert len(units) == len(set(units))
    assert all(unit.strip() for unit in units)


def test_a_word_longer_than_any_of_wordnet_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    entry = wordnet.entry
    monkeypatch.setattr(
        wordnet, "entry", lambda form, pos="n": asked.append(form) or entry(form, pos)
    )
    assert [f.unit for f in entities("ball" * 60) if f.source != "default"]
    assert len(asked) < 50
    longest = max(map(len, wordnet.reader()._lemma_pos_offset_map))
    assert longest == wordnet.LONGEST


@pytest.mark.parametrize("label", ["climb", "pick", "stand", "throw", "walk"])
def test_a_bare_verb_names_no_thing_though_a_noun_is_spelled_like_it(label: str) -> None:
    assert label not in {found.unit for found in entities(label)}


@pytest.mark.parametrize(("label", "thing"), [("golf", "golf"), ("drink", "drink")])
def test_a_word_that_is_a_game_or_a_thing_as_well_stays_one(label: str, thing: str) -> None:
    assert thing in {found.unit for found in entities(label)}


@pytest.mark.parametrize(
    ("label", "ball"),
    [("Basketball", "basketball.n.02"), ("playing volleyball", "volleyball.n.02")],
)
def test_a_game_is_seen_by_the_ball_that_it_shares_its_name_with(label: str, ball: str) -> None:
    assert ball in senses(label).values()


def test_what_a_verb_does_to_a_thing_says_less_of_the_place_that_it_is_done_at() -> None:
    assert senses("Putting something on the table")["table"] == "table.n.02"  # no meal is laid


def test_a_feat_called_after_its_verb_is_no_entity_and_brings_none_of_its_name() -> None:
    assert "cartwheel" not in senses("cartwheeling")  # neither the feat nor a wheel
    assert "sip" not in senses("sipping cup")


def test_what_is_said_or_happens_names_no_thing_but_a_fire_does() -> None:
    assert "question" not in senses("answering questions")
    assert "halt" not in senses("Something colliding with something and both come to a halt")
    (fire,) = [found for found in entities("extinguishing fire") if found.unit == "fire"]
    assert fire.kind == "object"


def test_a_stretch_of_the_world_is_named_only_where_something_is_done_in_it() -> None:
    assert "air" in senses("Throwing something in the air and catching it")
    assert "air" not in senses("air drumming")
    assert "beat" not in senses("beatboxing")  # a sentry's
    assert "lawn" in senses("mowing lawn")


def test_who_rides_a_bike_is_the_rider_whose_definition_has_it() -> None:
    assert senses("riding a bike")["rider"] == "rider.n.03"  # and not a passenger
    assert senses("HorseRiding")["rider"] == "rider.n.01"


def test_a_verb_in_an_example_or_in_its_own_definition_is_no_thing_of_its_name() -> None:
    assert "tear" not in senses("Tearing something just a little bit")
    assert "cover" not in senses("Covering something with something")
    assert "brush" in senses("brushing hair")  # "rub with a brush"


def test_a_large_thing_is_not_what_is_held() -> None:
    assert senses("balloon blowing")["balloon"] == "balloon.n.02"


def test_a_tool_of_a_verbs_own_name_is_told_of_unless_the_verb_means_little_else() -> None:
    assert "pack" not in senses("packing")
    assert senses("mopping floor")["mop"] == "swab.n.02"


@pytest.mark.parametrize(
    ("label", "unit", "sense"),
    [
        ("playing chess", "board", "board.n.09"),  # a board game
        ("playing netball", "court", "court.n.04"),
        ("playing monopoly", "die", "die.n.01"),  # told of last
        ("rock climbing", "rope", "rope.n.01"),
        ("tasting wine", "wineglass", "wineglass.n.01"),  # one word for a glass of wine
    ],
)
def test_a_game_has_what_its_kind_and_all_its_definition_name_and_a_thing_what_is_called_after_it(
    label: str, unit: str, sense: str
) -> None:
    assert senses(label).get(unit) == sense


def test_an_unknown_gerund_made_of_a_tool_is_kept_as_the_tool() -> None:
    (ski,) = [found for found in entities("jetskiing") if found.source.startswith("label")]
    assert (ski.unit, ski.kind) == ("jet ski", "object")
    assert {"longboard", "board"} <= set(senses("longboarding"))
    assert "longboarding" not in senses("longboarding")


@pytest.mark.parametrize(
    ("label", "unit", "sense"),
    [
        ("making bed", "bedroom", "bedroom.n.01"),  # whose furniture beds are
        ("installing carpet", "floor", "floor.n.01"),  # of which carpets are covers
        ("picking apples", "apple tree", "apple_tree.n.01"),
        ("archaeological excavation", "archeologist", "archeologist.n.01"),
        ("Piling something up", "pile", "pile.n.01"),  # a group to WordNet
    ],
)
def test_a_thing_is_where_its_kind_is_and_grows_and_who_works_there_is_there(
    label: str, unit: str, sense: str
) -> None:
    assert senses(label).get(unit) == sense


def test_apples_that_are_not_gathered_have_no_tree() -> None:
    assert "apple tree" not in senses("peeling apples")


def test_where_the_vehicle_of_an_example_goes_is_there_and_not_what_a_definition_denies() -> None:
    assert {"boat", "water"} <= set(senses("capsizing"))
    assert "rail" not in senses("motorcycling")  # on which a motor vehicle does not run


def test_no_number_is_seen() -> None:
    assert "deflator" not in senses("deflating balloon")  # of statistics


def test_an_unknown_word_ends_before_what_is_done() -> None:
    assert "rubiks cube" in senses("rubiks cube solving")


def test_a_tool_and_a_person_of_one_name_are_the_tool() -> None:
    assert senses("peeling potatoes")["peeler"] == "peeler.n.03"
    assert senses("climbing tree")["climber"] == "climber.n.04"  # crampons are climbers, hardly


def test_a_label_that_is_one_noun_names_no_person() -> None:
    assert senses("punching bag")["punching bag"] == "punching_bag.n.02"


def test_a_verb_that_says_nothing_brings_nothing_beside_what_its_label_names() -> None:
    horse = {found.unit for found in entities("getting on horse")}
    assert "saddle" in horse
    assert horse.isdisjoint({"barbershop", "sand wedge", "telephone operator", "acquirer"})
    assert {"user", "home"}.isdisjoint(senses("using megaphone"))
    assert "bed" in senses("getting up")  # which names nothing, so that it is all there is
    assert senses("golf putting")["putter"] == "putter.n.02"  # of putt, and of no put


def test_a_verb_that_says_nothing_tells_no_sense_either() -> None:
    assert senses("doing laundry")["laundry"] == "laundry.n.01"


def test_what_is_done_to_a_thing_of_a_body_s_name_is_done_to_the_body() -> None:
    assert senses("cutting nails")["nail"] == "nail.n.01"
    assert senses("hammering nails")["nail"] == "nail.n.02"


def test_what_has_a_longer_name_is_also_what_it_is_called_for_short() -> None:
    found = senses("digging")
    assert found["ditch spade"] == "ditch_spade.n.01"
    assert found["spade"] == "spade.n.02"
    assert senses("trapezing")["acrobat"] == "acrobat.n.01"
    assert "horse" not in senses("PommelHorse")  # which is no horse


def test_parentheses_that_name_a_sport_bring_what_is_seen_there() -> None:
    assert {"boxer", "boxing glove"} <= set(senses("punching person (boxing)"))
    assert "game" not in senses("pulling rope (game)")


def test_a_gerund_may_be_of_the_verb_that_takes_what_the_label_has() -> None:
    assert "hair dye" in senses("dying hair")
    assert "blower" in senses("blowing leaves")


def test_what_moves_by_its_own_name_has_no_thing_of_that_name() -> None:
    assert "pump" not in senses("pumping fist")
    assert "pump" in senses("pumping gas")
    assert "tie" not in senses("fly tying")


def test_what_moves_a_vehicle_s_kind_and_where_it_moves_go_with_it() -> None:
    assert {"kayak", "paddle", "water"} <= set(senses("Kayaking"))


def test_a_sport_brings_what_its_players_are_named_after() -> None:
    assert senses("hockey stop")["skate"] == "skate.n.01"


def test_an_animal_in_an_activity_s_name_brings_where_it_lives() -> None:
    assert "beehive" in senses("bee keeping")


def test_a_closed_compound_is_not_its_own_genus_as_well() -> None:
    found = senses("pushing wheelchair")
    assert "wheelchair" in found
    assert "chair" not in found


def test_things_that_wordnet_knows_by_their_words_alone_are_kept_whole() -> None:
    found = senses("throwing water balloon")
    assert found["water balloon"] is None
    assert "water" in found
    assert "javelin throw" not in senses("javelin throw")  # which is done, and not seen


@pytest.mark.parametrize(
    ("label", "whole", "head"),
    [
        ("bouncing on bouncy castle", "bouncy castle", "castle"),
        ("exercising with an exercise ball", "exercise ball", "ball"),
        ("riding mechanical bull", "mechanical bull", "bull"),
    ],
)
def test_the_head_of_a_compound_kept_whole_is_no_entity(label: str, whole: str, head: str) -> None:
    found = {entity.unit: entity.source for entity in entities(label)}
    assert found[whole].startswith("label")
    assert not found.get(head, "").startswith("label")


def test_a_head_that_means_little_keeps_its_meaning_in_a_compound() -> None:
    assert {"flat surface", "surface"} <= set(senses("Rolling something on a flat surface"))


def test_the_first_word_of_a_name_is_a_thing_where_the_definition_speaks_of_it_as_one() -> None:
    assert "paint" in senses("using a paint roller")
    assert "bow" not in senses("tying bow tie")  # which ties in a bow
    assert "slot" not in senses("playing slot machine")


def test_a_vehicle_called_after_two_things_brings_neither() -> None:
    found = senses("jetskiing")
    assert found["jet ski"] is None
    assert not {"jet", "ski"} & set(found)
    assert "snow" in senses("tobogganing")  # over which its kind moves
