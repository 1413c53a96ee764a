import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.errors import BadInput
from extract.datasets import open_dataset
from extract.datasets.base import inside
from extract.options import usual_checkpoint
from tests.extract.conftest import fill, rows


def test_a_folder_s_subfolders_are_its_classes(tmp_path: Path):
    fill(tmp_path, "singing/b.mp4 | singing/A.AVI | archery/deep/c.webm | archery/.hidden.mp4")
    fill(tmp_path, "notes.txt | .git/x.mp4 | lost+found/y.mp4")
    dataset = open_dataset("folder", tmp_path)
    assert dataset.classes == ("archery", "singing")
    assert rows(dataset) == [
        ("archery/deep/c.webm", 0, "all"),
        ("singing/A.AVI", 1, "all"),
        ("singing/b.mp4", 1, "all"),
    ]
    assert dataset.notes == ("1 file is no video: notes.txt",)


def test_classes_that_read_alike_are_told_apart_by_their_exact_names(tmp_path: Path):
    fill(tmp_path, "shoot bow/a.mp4 | shoot_bow/b.mp4")
    assert [clip.label for clip in open_dataset("folder", tmp_path).clips] == [0, 1]
    dataset = open_dataset("folder", tmp_path, labels=("shoot_bow", "shoot bow"))
    assert [clip.label for clip in dataset.clips] == [1, 0]


def test_clips_are_listed_class_after_class(tmp_path: Path):
    fill(tmp_path, "run/a.mp4 | run up/b.mp4 | run-up/c.mp4")
    assert [clip.label for clip in open_dataset("folder", tmp_path).clips] == [0, 1, 2]


def test_a_file_is_no_root_of_a_folder_of_videos(tmp_path: Path):
    fill(tmp_path, "a.mp4")
    with pytest.raises(BadInput, match=r"a\.mp4: not a folder; give the folder that holds"):
        open_dataset("folder", tmp_path / "a.mp4")


def test_videos_in_the_root_have_no_class(tmp_path: Path):
    fill(tmp_path, "a.mp4 | x/b.mp4")
    dataset = open_dataset("folder", tmp_path)
    assert rows(dataset) == [("a.mp4", -1, "all"), ("x/b.mp4", 0, "all")]
    assert dataset.notes == ("1 video lies in no class's folder, and gets no label: a.mp4",)


def test_what_of_a_folder_is_no_class_or_no_video_is_told(tmp_path: Path):
    fill(tmp_path, "train/x/a.mp4 | train/notes/b.txt | train/c.txt")
    (tmp_path / "train/empty").mkdir()
    (tmp_path / "train/.hidden").mkdir()
    assert open_dataset("folder", tmp_path, "train").notes == (
        "2 files are no videos: train/c.txt, train/notes/b.txt",
        "2 folders hold no video, and are no classes: empty, notes",
    )


def test_of_many_files_that_are_no_videos_the_first_are_named(tmp_path: Path):
    fill(tmp_path, "x/a.mp4 | x/1.txt | x/2.txt | x/3.txt | x/4.txt | x/5.txt | x/6.txt | x/7.txt")
    (note,) = open_dataset("folder", tmp_path).notes
    assert note == "7 files are no videos: x/1.txt, x/2.txt, x/3.txt, x/4.txt, x/5.txt and 2 more"


def test_a_split_of_a_folder_is_a_subfolder(tmp_path: Path):
    fill(tmp_path, "train/x/a.mp4 | val/x/b.mp4")
    dataset = open_dataset("folder", tmp_path, "val")
    assert rows(dataset) == [("val/x/b.mp4", 0, "val")]
    assert dataset.classes == ("x",)
    with pytest.raises(
        BadInput, match=r"/test: no such folder; mend --split, which is a folder in"
    ):
        open_dataset("folder", tmp_path, "test")


@pytest.mark.parametrize(
    "files",
    [
        "train/x/a.mp4 | val/x/b.mp4 | test/y/c.mp4",
        "Train/x/a.mp4 | validation/x/deep/b.mp4 | more/d.mp4",
        "train/x/a.mp4",
        "train_256/x/a.mp4 | val_256/x/b.mp4",
        "train_256/x/a.mp4",
        "videos_train/a.mp4 | videos_val/b.mp4",
        "k400-Train2/a.mp4 | k400-Test2/b.mp4",
        "train/a.mp4 | val/b.mp4 | more/c.mp4",
        "train/a.mp4 | replacement/replacement_for_corrupted_k400/b.mp4",
        "train/a.mp4 | replacement/replacement_for_corrupted_k400/b.mp4 | val/.gitkeep",
        "train/a.mp4 | val/part_0.tar.gz",
        "train/x/a.mp4 | dev/x/b.mp4",
    ],
)
def test_splits_of_a_folder_are_not_taken_for_its_classes(tmp_path: Path, files: str):
    fill(tmp_path, files)
    with pytest.raises(
        BadInput, match=r"look like splits.*; give one of them, as in --split \S+, or name"
    ):
        open_dataset("folder", tmp_path)


@pytest.mark.parametrize(
    "files",
    [
        "train/a.mp4 | plane/b.mp4 | test/c.mp4",
        "train/x/a.mp4 | b/c.mp4",
        "train/a.mp4",
        "train/a.mp4 | dog training/b.mp4 | strength_training/c.mp4",
        "train/a.mp4 | plane/b.mp4 | testimony/c.mp4 | replacement part/d.mp4",
    ],
)
def test_classes_that_are_called_as_splits_are_can_be(tmp_path: Path, files: str):
    fill(tmp_path, files)
    assert "train" in open_dataset("folder", tmp_path).classes


def test_the_split_to_give_is_named_as_its_folder_is(tmp_path: Path):
    fill(tmp_path, "videos_val/b.mp4 | videos_train/a.mp4 | replacement/c.mp4 | tools/.gitkeep")
    told = (
        "its folders replacement, videos_train, videos_val look like splits; give one of them, as "
        "in --split videos_train, or name classes with --labels"
    )
    with pytest.raises(BadInput, match=told):
        open_dataset("folder", tmp_path)
    assert len(open_dataset("folder", tmp_path, "videos_train").clips) == 1
    fill(tmp_path / "empty", "train/.gitkeep | val/.gitkeep | run/a.mp4")
    assert open_dataset("folder", tmp_path / "empty").classes == ("run",)


def test_labels_say_that_what_looks_like_splits_are_classes(tmp_path: Path):
    fill(tmp_path, "train/old/a.mp4 | test/new/b.mp4")
    assert open_dataset("folder", tmp_path, labels=("test", "train")).classes == ("test", "train")


def test_labels_give_the_order_and_must_name_every_folder(tmp_path: Path):
    fill(tmp_path, "a/1.mp4 | b/2.mp4")
    dataset = open_dataset("folder", tmp_path, labels=("b", "z", "a"))
    assert rows(dataset) == [("a/1.mp4", 2, "all"), ("b/2.mp4", 0, "all")]
    told = (
        "b: the class 'b' is not among the 1 label of .*; mend its spelling, or give --labels that"
    )
    with pytest.raises(BadInput, match=told):
        open_dataset("folder", tmp_path, labels=("a",))


def test_a_split_of_a_folder_lies_in_it(tmp_path: Path):
    fill(tmp_path, "here/train/x/a.mp4 | other/x/b.mp4")
    for split in ("../other", str(tmp_path / "other")):
        with pytest.raises(BadInput, match=rf"--split {split}: '{split}' is not a path under"):
            open_dataset("folder", tmp_path / "here", split)


def test_a_link_that_leads_back_is_not_followed(tmp_path: Path):
    fill(tmp_path, "a/1.mp4")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    assert rows(open_dataset("folder", tmp_path)) == [("a/1.mp4", 0, "all")]


def test_folders_in_folders_without_end_are_refused(tmp_path: Path):
    deep = tmp_path / "a"
    for _ in range(110):
        deep /= "d"
    fill(tmp_path, f"{deep.relative_to(tmp_path)}/1.mp4")
    with pytest.raises(BadInput, match=r"d: lies in more than 100 folders; put the videos nearer"):
        open_dataset("folder", tmp_path)


class Backwards:
    """What `os.scandir` gives, in the opposite order."""

    def __init__(self, path) -> None:
        with SCANDIR(path) as entries:
            self._entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

    def __enter__(self):
        return iter(self._entries)

    def __exit__(self, *_) -> None:
        pass


SCANDIR = os.scandir


def test_what_links_lead_to_is_listed_in_each_place_in_whatever_order_a_disk_has(
    tmp_path: Path, monkeypatch
):
    fill(tmp_path, "a/y.mp4 | b/x.mp4")
    (tmp_path / "a/more").symlink_to("../b")
    (tmp_path / "b/back").symlink_to("../a")
    listed = rows(open_dataset("folder", tmp_path))
    assert [video for video, _, _ in listed] == [
        "a/more/x.mp4",
        "a/y.mp4",
        "b/back/y.mp4",
        "b/x.mp4",
    ]
    monkeypatch.setattr(os, "scandir", Backwards)
    assert rows(open_dataset("folder", tmp_path)) == listed


def test_a_folder_that_cannot_be_read_is_named_and_not_left_out(tmp_path: Path, monkeypatch):
    fill(tmp_path, "a/1.mp4 | b/2.mp4 | .git/3.mp4")

    def scandir(path):
        if Path(path).name in ("b", ".git"):
            raise PermissionError(13, "Permission denied", str(path))
        return SCANDIR(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(BadInput, match=r"/b: cannot be read \(Permission denied\); see to"):
        open_dataset("folder", tmp_path)
    assert len(open_dataset("folder", tmp_path / "a").clips) == 1


def test_a_name_that_cannot_be_stored_as_text_is_refused(tmp_path: Path):
    (tmp_path / "a").mkdir()
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/a/\xff.mp4")).touch()
    except OSError:
        pytest.skip("needs a disk whose names may be any bytes")
    with pytest.raises(BadInput, match=r"a/\\udcff\.mp4: its name is not UTF-8; rename it"):
        open_dataset("folder", tmp_path)


def test_a_link_to_nothing_is_a_video_that_is_not_there(tmp_path: Path):
    fill(tmp_path, "a/1.mp4")
    (tmp_path / "a/2.mp4").symlink_to("absent.mp4")
    assert len(open_dataset("folder", tmp_path).clips) == 2


@pytest.mark.parametrize(
    ("files", "cause"), [("", "empty folder"), ("a/x.txt | b.md", "no video among its 2 files")]
)
def test_a_folder_without_videos_is_refused(tmp_path: Path, files: str, cause: str):
    if files:
        fill(tmp_path, files)
    with pytest.raises(BadInput, match=cause):
        open_dataset("folder", tmp_path)


@pytest.mark.parametrize("name", ["folder", "csv", "k400", "k700", "ucf101", "hmdb51", "ssv2"])
def test_a_missing_root_is_named_with_its_mend(tmp_path: Path, name: str, monkeypatch):
    with pytest.raises(BadInput, match=r"absent: no such folder; .*--root, or as \$ALT_DATA"):
        open_dataset(name, tmp_path / "absent")
    monkeypatch.setenv("ALT_DATA", str(tmp_path))
    with pytest.raises(BadInput, match=f"{name}: no such folder"):
        open_dataset(name)
    monkeypatch.delenv("ALT_DATA")
    with pytest.raises(BadInput, match=f"ALT_DATA is not set; .* that has {name}/ in it"):
        open_dataset(name)


def test_an_unknown_dataset_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="use one of k400, k600"):
        open_dataset("imagenet", Path("."))


_STEPS = st.sampled_from(["..", ".", "a", "", "data", "videos", "x.mp4"])


@given(st.text(min_size=1, max_size=30) | st.lists(_STEPS, min_size=1).map("/".join))
@example("a/../../x.mp4")
def test_no_path_of_a_list_leaves_the_root(text: str):
    root = Path("/data/videos")
    try:
        inner = inside(root, text, "list:1")
    except BadInput:
        return
    assert (root / inner).resolve().is_relative_to(root)


def test_parts_are_cut_where_shards_end_whatever_device_makes_them():
    # `alt-extract --shard` cuts at multiples of a GPU's.
    assert usual_checkpoint("cuda") % usual_checkpoint("cpu") == 0


def test_a_padded_part_is_the_part(tmp_path: Path):
    fill(tmp_path, "a/1.mp4 | b/2.mp4")
    dataset = open_dataset("folder", tmp_path)
    assert dataset.shard("01/002", 1) == dataset.shard("1/2", 1)


def test_what_may_not_be_looked_for_or_is_a_folder_is_a_video_that_is_not_there(tmp_path: Path):
    (tmp_path / "folder.mp4").mkdir()
    fill(tmp_path, "file.mp4")
    long = "x" * 300  # longer than names may be
    (tmp_path / "list.csv").write_text(f"{long}.mp4,x\nfolder.mp4,x\nfile.mp4,x\n")
    dataset = open_dataset("csv", tmp_path)
    assert [dataset.has(clip) for clip in dataset.clips] == [False, False, True]
