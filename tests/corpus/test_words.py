from corpus.words import by_reason, counted, first_of, lasting, some


def test_one_thing_alone_is_told_in_the_singular():
    assert [counted(count, "video") for count in (0, 1, 2)] == ["0 videos", "1 video", "2 videos"]
    assert [counted(count, "class", "classes") for count in (1, 2)] == ["1 class", "2 classes"]


def test_no_more_are_said_to_be_left_than_are():
    assert some(list("abc"), "file", "files", most=3) == "3 files: a, b, c"
    assert some(list("abcd"), "file", "files", most=3) == "4 files: a, b, c and 1 more"
    assert some(["a"], "file is none", "files are none") == "1 file is none: a"


def test_a_name_that_is_no_text_can_be_told_all_the_same():
    assert some(["a\udcff.txt"], "file", "files").encode() == rb"1 file: a\udcff.txt"


def test_all_that_has_one_reason_is_told_in_one_line():
    missing = [(f"{number}.mp4", "no such file") for number in range(900)]
    assert by_reason([*missing[:450], ("b.mp4", "no frames"), *missing[450:]]) == [
        "0.mp4, 1.mp4, 2.mp4, 3.mp4, 4.mp4 and 895 more: no such file",
        "b.mp4: no frames",
    ]


def test_things_of_rare_reasons_are_counted_where_reasons_are_many():
    told = [(f"{number}.mp4", f"ends at {number} s") for number in range(9)]
    assert by_reason([*told, ("a.mp4", "gone"), ("b.mp4", "gone")], most=2) == [
        "a.mp4, b.mp4: gone",
        "0.mp4: ends at 0 s",
        "and 8 more, of other reasons",
    ]


def test_a_list_is_told_by_its_first_lines():
    assert first_of(list("ab" * 10)) == list("ab" * 10)
    assert first_of(list("ab" * 11))[19:] == ["b", "and 2 more, which --json lists"]


def test_a_time_is_told_in_the_unit_that_suits_it():
    times = [lasting(seconds) for seconds in (0.2, 20, 89, 204, 5399, 7560)]
    assert times == ["0 s", "20 s", "89 s", "3.4 minutes", "90.0 minutes", "2.1 hours"]
