import os
import shutil
import stat
from pathlib import Path

import pytest

from corpus.atomic import (
    atomic_file,
    atomic_folder,
    check_kind,
    try_file,
    try_place,
    write_json,
)
from corpus.errors import BadInput


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
        with atomic_folder(tmp_path / "corpus"):
            pass
        assert os.umask(0o027) == 0o027  # which is left as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "corpus").stat().st_mode) == 0o750


def test_all_is_on_the_disk_before_it_has_its_name_and_then_the_name_is(
    tmp_path: Path, synced: list[tuple[str, bytes]]
) -> None:
    with atomic_file(tmp_path / "a.txt") as file:
        pass
    assert [name for name, _ in synced] == [file.name, "named", tmp_path.name]
    synced.clear()
    with atomic_folder(tmp_path / "corpus") as folder:
        (folder / "in").mkdir()
        (folder / "in" / "b.txt").touch()
    names = [name for name, _ in synced]
    assert sorted(names[:3]) == sorted(["in", "b.txt", folder.name])
    assert names[3:] == ["named", tmp_path.name]


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


def test_what_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "disk" / "corpus").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "corpus")
    for name in ("one", "two"):
        with atomic_folder(tmp_path / "link") as draft:
            (draft / name).write_text(name)
    assert (tmp_path / "link").is_symlink()
    assert os.listdir(tmp_path / "disk" / "corpus") == ["two"]
    assert sorted(os.listdir(tmp_path)) == ["disk", "link"]
    assert os.listdir(tmp_path / "disk") == ["corpus"]


@pytest.mark.parametrize("comes", [True, False])
def test_of_two_that_replace_a_folder_at_once_the_last_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes: bool
) -> None:
    target, replace, met = tmp_path / "corpus", os.replace, False

    def write(name: str) -> None:
        with atomic_folder(target) as draft:
            (draft / name).write_text(name)

    def meeting(source: Path, place: Path) -> None:
        nonlocal met
        first, met = source == target and not met, met or source == target
        if first and not comes:
            shutil.rmtree(target)  # another moves the old one aside before we do
        replace(source, place)
        if first:
            write("two")  # or is done as soon as we have moved it

    write("one")
    monkeypatch.setattr(os, "replace", meeting)
    write("three")
    assert os.listdir(target) == ["three"]
    assert os.listdir(tmp_path) == ["corpus"]


def test_a_folder_that_cannot_take_its_place_puts_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, replace = tmp_path / "corpus", os.replace
    with atomic_folder(target) as draft:
        (draft / "one").write_text("one")

    def failing(source: Path, place: Path) -> None:
        if place == target and not target.exists() and source.parent == tmp_path:
            raise OSError(5, "Input/output error", str(source))
        replace(source, place)

    def fails() -> None:
        with atomic_folder(target) as draft:
            (draft / "two").write_text("two")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="Input/output error"):
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

    def fills_up_within() -> None:
        with atomic_folder(tmp_path / "corpus") as draft:
            raise OSError(28, "No space left on device", str(draft / "in" / "b.txt"))

    with pytest.raises(OSError, match="No space") as caught:
        fills_up_within()
    assert caught.value.filename == str(tmp_path / "corpus")


def test_an_error_about_another_file_keeps_its_name(tmp_path: Path) -> None:
    for writing in (atomic_file, atomic_folder):
        with pytest.raises(FileNotFoundError) as caught, writing(tmp_path / "a"):
            (tmp_path / "absent").read_text()
        assert caught.value.filename == str(tmp_path / "absent")


def test_trying_a_place_names_a_target_that_cannot_be_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no folder")
    with pytest.raises(NotADirectoryError) as caught:
        try_place(tmp_path / "notes.txt" / "corpus")
    assert caught.value.filename == str(tmp_path / "notes.txt" / "corpus")
    try_place(tmp_path / "new" / "corpus")
    try_file(tmp_path / "new" / "notes.txt")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        try_file(tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_file_is_written_where_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "a.csv").symlink_to("far/b.csv")
    for text in ("first", "second"):
        with atomic_file(tmp_path / "a.csv") as draft:
            draft.write_text(text)
        assert (tmp_path / "a.csv").is_symlink()
        assert (tmp_path / "far" / "b.csv").read_text() == text


def test_a_pipe_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no file"), atomic_file(tmp_path / "pipe"):
        pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_file_that_is_called_otherwise_than_its_kind_is_refused(tmp_path: Path) -> None:
    for name in ("a.svg", "A.PNG"):
        check_kind(tmp_path / name, ".png", ".svg")
    with pytest.raises(BadInput, match=r"a\.h5: is not called \*\.png or .*, as in a\.png$"):
        check_kind(tmp_path / "a.h5", ".png", ".svg")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(BadInput, match=r"b\.png: is a folder; name a file"):
        check_kind(tmp_path / "b.png", ".png", ".svg")


def test_json_is_the_same_bytes_whatever_the_order_and_readable(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "ü"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "a": "ü",\n  "b": 1\n}\n'
