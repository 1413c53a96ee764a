import os
import stat
from pathlib import Path

import pytest

from corpus.atomic import atomic_file, atomic_folder, write_json


def test_a_file_appears_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "new" / "a.txt") as draft:
        draft.write_text("whole")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert os.listdir(tmp_path / "new") == ["a.txt"]
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"


def test_a_failure_keeps_the_old_file_and_removes_the_draft(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def interrupted() -> None:
        with atomic_file(target) as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_result_has_the_mode_that_the_umask_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {"b": 1})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o640


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "corpus"
    for name in ("one", "two"):
        with atomic_folder(target) as draft:
            (draft / name).write_text(name)
    assert os.listdir(target) == ["two"]
    assert os.listdir(tmp_path) == ["corpus"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "corpus"
    with atomic_folder(target) as draft:
        (draft / "one").write_text("one")

    def fails() -> None:
        with atomic_folder(target) as draft:
            (draft / "two").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fails()
    assert os.listdir(target) == ["one"]
    assert os.listdir(tmp_path) == ["corpus"]


def test_an_error_of_writing_names_the_target_and_not_the_draft(tmp_path: Path) -> None:
    def fills_up() -> None:
        with atomic_file(tmp_path / "a.pt"):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space") as caught:
        fills_up()
    assert caught.value.filename == str(tmp_path / "a.pt")
