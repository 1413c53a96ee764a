import pytest

from corpus.tally import shown, tallied


def test_items_pass_unchanged_and_each_is_told_of_with_the_total() -> None:
    told: list[tuple[int, int]] = []
    assert [*tallied("abc", 3, lambda *done: told.append(done))] == [*"abc"]
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [*tallied(iter("ab"), 2, None)] == [*"ab"]


def test_nothing_is_shown_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with shown("scoring") as tally:
        tally(1, 2)
    assert capfd.readouterr() == ("", "")
