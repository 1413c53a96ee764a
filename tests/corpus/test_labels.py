import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corpus
from corpus.errors import BadInput
from corpus.labels import LabelSet, bundled, check_label, label_set, load_labels, readable


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("PlayingGuitar", "playing guitar"),
        ("YoYo", "yo yo"),
        ("shoot_bow", "shoot bow"),
        ("Pushing [something] off of [something]", "pushing something off of something"),
        ("up/down", "up or down"),
        ("shooting goal (soccer)", "shooting goal (soccer)"),
        ("<b>riding</b> &amp; “jumping”", "riding & jumping"),
        ("  two   spaces\t", "two spaces"),
        ("massaging person’s head", "massaging person's head"),
        ("pour_dough2pan", "pour dough into pan"),
        ("Drink.Fromcup", "drink fromcup"),
    ],
)
def test_every_naming_style_becomes_plain_words(label: str, text: str) -> None:
    assert readable(label) == text


@given(st.text(max_size=200))
def test_whatever_is_read_has_single_spaces_and_no_capitals(label: str) -> None:
    once = readable(label)
    assert once == " ".join(once.split())
    assert once == once.lower()


@pytest.mark.parametrize("name", bundled())
def test_reading_a_label_twice_changes_nothing_more(name: str) -> None:
    for label in load_labels(name)[0].labels:
        assert readable(readable(label)) == readable(label)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("1 ApplyEyeMakeup\n2 Archery\n", "has a number before each label; leave the numbers"),
        ("0\tarchery\n1\tsinging\n\n", "has a number before each label"),
        ("1. archery\n2. singing\n", "has a number before each label"),
        ("index of it,what\n0,abseiling\n1,air drumming\n", "has a number before each label"),
        ("id name\n0 abseiling\n1 air drumming\n", "has a number before each label"),
        ("200,abseiling\n201,air drumming\n", "has a number before each label"),
        ("label;what\n7;abseiling\n3;air drumming\n", "has a number before each label"),
        ("archery,0\nsinging,1\n", "has a number after each label; leave the numbers out"),
        ("what\tnumber\narchery\t7\nsinging\t0\n", "has a number after each label"),
        ("name\narchery\nsinging\n", "its first line, 'name', says what the others are; take it"),
        ("Label\r\narchery\r\n", "its first line, 'Label', says what the others are"),
        ("id\tname\n1\tarchery\n2\tsinging\n", "has 2 ids, from 1 to 2, which are not 0 to 1"),
        ("id,name\n0,archery\n2,singing\n", "has 2 ids, from 0 to 2, which are not 0 to 1; count"),
        ("id,name\n0,archery\n0,singing\n", "has the id 0 twice, 'archery' and 'singing'"),
        ("id,name\n0,up, then down\n1,up\n", "line 2 of it is not id,name: '0,up, then down'"),
        ("id,name\n0,archery\n\n1,\n", "line 4 of it is not id,name: '1,'; mend the line"),
        ("id,name\n0,archery\nb,singing\n", "line 3 of it is not id,name: 'b,singing'"),
        ('id,name\n0,archery\n1,"x\n', r"line 3 of it cannot be read \(unexpected end"),
        ("id,index,name\n0,0,archery\n", "its columns id, index say the same; keep the one"),
        ("id,name\n", "holds no label"),
        ('{"Approaching something": "0",\n "Bending something": "1"}', "is JSON, and no list"),
        ('["archery", "singing"]\n', "is JSON, and no list of labels; put one label on each line"),
    ],
)
def test_what_data_sets_keep_their_classes_in_is_no_list_of_labels(
    tmp_path: Path, text: str, cause: str
) -> None:
    (tmp_path / "classInd.txt").write_text(text)
    with pytest.raises(BadInput, match=cause):
        load_labels(str(tmp_path / "classInd.txt"))


@pytest.mark.parametrize(
    "text",
    [
        'id,name\n0,archery\n1,"up, then down"\n',
        '\ufeffid,name\r\n1,"up, then down"\r\n0,archery\r\n',
        "class_id;fps;Action\n1;25;up, then down\n\n0;25;archery\n",
        "label\tindex\narchery\t0\nup, then down\t1\n",
        '"name","label_id"\n"up, then down","1"\n"archery","0"\n',
    ],
)
def test_a_table_of_ids_and_names_is_labels_in_the_order_of_their_ids(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "labels.csv").write_bytes(text.encode())
    (found,) = load_labels(str(tmp_path / "labels.csv"))
    assert (found.name, found.labels) == ("labels", ("archery", "up, then down"))


@pytest.mark.parametrize(
    "labels",
    [
        ["1 vs 1 football", "archery"],
        ["[something]"],
        ["7 card stud"],
        ["1 archery", "3 x"],
        ["1,500 m run", "10,000 m run"],
        ["gesture 1", "gesture 2"],
        ["archery, 1", "archery"],
        ["x, 2 of them", "archery, 1"],
        ["archery", "name", "label"],
    ],
)
def test_labels_may_hold_numbers_and_brackets(tmp_path: Path, labels: list[str]) -> None:
    (tmp_path / "mine.txt").write_text("\n".join(labels))
    assert list(load_labels(str(tmp_path / "mine.txt"))[0].labels) == labels


def test_a_name_that_no_file_can_have_is_no_label_set() -> None:
    with pytest.raises(BadInput, match="no such label set, file or folder"):
        load_labels("a" * 300)


def test_the_bundled_sets_have_their_sizes() -> None:
    sizes = {name: len(load_labels(name)[0].labels) for name in bundled()}
    assert sizes == {
        "hmdb51": 51,
        "k400": 400,
        "k600": 600,
        "k700": 700,
        "ssv2": 174,
        "ucf101": 101,
    }


def test_bundled_labels_are_the_official_ones(shared: Path) -> None:
    root = Path(corpus.__file__).parents[1]
    folders = [root / "corpus" / "label_sets", root / "adapter" / "recipes" / "lists"]
    ours = {path.name: path.read_bytes() for folder in folders for path in folder.glob("*.txt")}
    theirs = {path.name: path.read_bytes() for path in (shared / "labels").glob("*.txt")}
    assert ours == theirs


def test_a_file_and_a_bundled_set_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "mine.txt"
    path.write_text("Juggling\r\nflying kite\r\n\n", encoding="utf-8-sig")
    mine, ucf = load_labels(f"{path},ucf101")
    assert (mine.name, mine.labels) == ("mine", ("Juggling", "flying kite"))
    assert ucf.name == "ucf101"
    assert load_labels(f"ucf101, {path},ucf101") == [ucf, mine]
    assert load_labels("ucf101,~/mine.txt") == [ucf, mine]


def test_two_files_of_one_name_are_two_sets_that_are_named_apart(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "classes.txt" for folder in ("x", "y")]
    for path, label in zip(paths, ("archery", "juggling"), strict=True):
        path.parent.mkdir()
        path.write_text(f"{label}\n")
    x, y = load_labels(",".join(map(str, paths)))
    assert (x.name, x.labels) == ("classes", ("archery",))
    assert (y.name, y.labels) == ("classes-2", ("juggling",))


def test_a_class_folder_whose_name_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    with pytest.raises(BadInput, match=r"label 'caf\\udce9' is not UTF-8; rename it"):
        load_labels(str(tmp_path))


def test_only_a_line_break_ends_a_label_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("play\u2028guitar\nrun\n", encoding="utf-8")
    assert load_labels(str(tmp_path / "list.txt"))[0].labels == ("play\u2028guitar", "run")


def test_the_folders_of_a_dataset_are_labels(tmp_path: Path) -> None:
    for name in ("swim", "run", ".cache"):
        (tmp_path / name).mkdir()
    assert load_labels(str(tmp_path))[0].labels == ("run", "swim")
    with pytest.raises(
        BadInput, match="swim: has no folder in it; give one with a folder for each"
    ):
        load_labels(str(tmp_path / "swim"))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "holds no label"),
        (b"\n\n", "holds no label"),
        (b"run\n\nswim\n", "line 2 is empty"),
        (b"Archery\nrun\narchery\n", "labels 1 and 3"),
        (b"\xff\xfe\x00run", "not UTF-8"),
    ],
)
def test_a_list_whose_lines_are_no_class_indices_is_refused(
    tmp_path: Path, content: bytes, cause: str
) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=cause):
        load_labels(str(path))


def test_two_folders_of_one_label_are_named(tmp_path: Path) -> None:
    for name in ("A", "a", "b"):
        (tmp_path / name).mkdir()
    with pytest.raises(BadInput, match="labels 1 and 2 are the same, 'A' and 'a'; keep one"):
        load_labels(str(tmp_path))


def test_a_misspelt_set_gets_a_suggestion() -> None:
    with pytest.raises(BadInput, match="did you mean k400"):
        load_labels("k40")


def test_a_label_is_found_in_its_set_however_it_is_spelled() -> None:
    sets = load_labels("ucf101")
    assert check_label("pommel horse", sets) == "PommelHorse"
    alike = [LabelSet("mine", ("PlayingGuitar", "playing guitar"))]
    assert [check_label(label, alike) for label in alike[0].labels] == [*alike[0].labels]
    with pytest.raises(BadInput, match="is not in ucf101"):
        check_label("flying to the moon", sets)


@pytest.mark.parametrize(
    ("label", "why"), [("jugg\0ling", "is not text"), ("x" * 100_001, "100,001")]
)
def test_what_is_no_label_in_a_list_is_refused(label: str, why: str) -> None:
    with pytest.raises(BadInput, match=f"line 2 .*{why}"):
        label_set("mine", ["archery", label])


@pytest.mark.parametrize("label", [1, None, b"archery"])
def test_a_label_that_is_no_text_is_refused(label: object) -> None:
    with pytest.raises(BadInput, match=r"mine: label .* is no text; give texts"):
        label_set("mine", ["archery", label])
