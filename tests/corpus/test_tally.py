import io

import pytest
from rich.console import Console

from corpus.tally import shown, stages, tallied


def test_items_pass_unchanged_and_each_is_told_of_with_the_total() -> None:
    told: list[tuple[int, int]] = []
    assert [*tallied("abc", 3, lambda *done: told.append(done))] == [*"abc"]
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert [*tallied(iter("ab"), 2, None)] == [*"ab"]


def test_nothing_is_shown_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with shown("scoring") as tally:
        tally(1, 2)
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_shown_only_while_something_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr("corpus.command.notes", notes)
    with shown("scoring"):
        pass
    assert "scoring" not in notes.file.getvalue()
    with shown("scoring") as tally:
        tally(1, 2)
    assert "scoring" in notes.file.getvalue()


def test_each_stage_is_named_and_timed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr("corpus.command.notes", notes)
    with stages() as step:
        for done in (1, 2, 3):
            step("parsing", done, 3)
        step("embedding", 1, 3)
    shown_last = notes.file.getvalue().rpartition("embedding")[2]
    assert "1/3" in shown_last
    assert "-:--:--" in shown_last  # and not 0:00:00, as if it were done
