import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from corpus.errors import BadInput
from corpus.expand import entities
from corpus.overrides import Overrides, written


def test_overrides_drop_change_and_add(tmp_path: Path) -> None:
    path = tmp_path / "overrides.txt"
    path.write_text("# mine\n*, hand, drop\nPlayingCello, cello, guitar.n.01\n\nx, bow, bow.n.04\n")
    corrections = Overrides.read(path)
    found, _ = corrections.apply("PlayingCello", entities("PlayingCello"))
    by_unit = {f.unit: f for f in found}
    assert "hand" not in by_unit
    assert by_unit["cello"].synset == "guitar.n.01"
    others = [f for f in found if f.unit != "bow"]
    assert corrections.apply("x", others)[0][0].unit == "bow"  # before what was found


@pytest.mark.parametrize("sense", ["run.v.01", "dog.n.0", "dog.n.-1", "dog.n.99", "dog"])
def test_a_correction_to_what_is_no_noun_of_wordnet_is_refused(tmp_path: Path, sense: str) -> None:
    (tmp_path / "overrides.txt").write_text(f"*, guitar, {sense}\n")
    with pytest.raises(BadInput, match=rf"line 1: WordNet has no noun's synset '{sense}'"):
        Overrides.read(tmp_path / "overrides.txt")


def test_corrections_are_read_as_editors_and_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "overrides.txt"
    path.write_text('\ufeff"a, b" , cello,Guitar.N.01\r\n  # mine\r\n*, "c, d", drop', "utf-8")
    assert Overrides.read(path).lines == (
        ("a, b", "cello", "Guitar.N.01"),
        ("*", "c, d", "drop"),
    )
    for line in ("*, , drop", "*, hand", "*, hand, drop, x"):
        path.write_text(f"# mine\n{line}\n")
        with pytest.raises(BadInput, match=rf"line 2: has {line.count(',') + 1} fields; write"):
            Overrides.read(path)


def test_a_correction_finds_its_unit_in_any_case_and_says_whether_it_found_any() -> None:
    lines = (("*", "Cello", "guitar.n.01"), ("*", "hand", "drop"), ("x", "knee", "drop"))
    found, met = Overrides(lines).apply("PlayingCello", entities("PlayingCello"))
    by_unit = {f.unit: f for f in found}
    assert by_unit["cello"].synset == "guitar.n.01"
    assert met == set(lines[:2])
    assert by_unit["cello"].source == "label, override"
    assert Overrides(lines[:1]).apply("juggling", []) == ([], set())


@example("#playing", "cello")
@example('"playing" "cello"', "cello")
@example('a, "b"', "cello")
@example("play\u2028cello", "cello")
@given(st.text(min_size=1), st.text(min_size=1))
def test_a_correction_is_read_as_it_is_written(label: str, unit: str) -> None:
    line = (label.strip(), unit.strip(), "bow.n.04")
    assume(line[0] and line[1] and not set("\r\n") & set(label + unit))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "overrides.txt"
        path.write_text(f"# mine\n{written(line)}\n", encoding="utf-8")
        assert Overrides.read(path).lines == (line,)
