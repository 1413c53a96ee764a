import re
import shutil
from pathlib import Path

import pytest

from corpus.errors import BadInput
from extract.datasets import open_dataset
from tests.extract.conftest import fill, rows
from tests.extract.official import HEAD, kinetics, names_of


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ("train/-a_0_000012_000022.mp4", "train/-a_0_000012_000022.mp4"),
        (
            "videos_train/air drumming/-a_0_000012_000022.mp4",
            "videos_train/air drumming/-a_0_000012_000022.mp4",
        ),
        (
            "train_256/air_drumming/-a_0_000012_000022.webm",
            "train_256/air_drumming/-a_0_000012_000022.webm",
        ),
        ("videos/part_3/-a_0.mkv", "videos/part_3/-a_0.mkv"),
        # The video of these times rather than of the id, of videos alone, and the first by name.
        ("train/-a_0.mp4 | train/-a_0_000012_000022.mp4", "train/-a_0_000012_000022.mp4"),
        (
            "train/-a_0_000012_000022.info | train/-a_0_000012_000022.mp4",
            "train/-a_0_000012_000022.mp4",
        ),
        (
            "train/1/-a_0_000012_000022.mp4 | train/2/-a_0_000012_000022.mp4",
            "train/1/-a_0_000012_000022.mp4",
        ),
        ("train/other.mp4", "train/-a_0_000012_000022.mp4"),  # missing, and told by its name
    ],
)
def test_kinetics_videos_are_found_in_every_layout(tmp_path: Path, files: str, found: str):
    fill(tmp_path, files)
    (tmp_path / "train.csv").write_text(HEAD + "air drumming,-a_0,12,22,train\n")
    dataset = open_dataset("k400", tmp_path, "train")
    assert rows(dataset) == [(found, 1, "train")]
    assert dataset.classes == names_of("k400")


@pytest.mark.parametrize("name", ["k400", "k600", "k700"])
def test_kinetics_annotations_have_many_names(tmp_path: Path, name: str):
    number = name[1:]
    (tmp_path / "annotations").mkdir()
    (tmp_path / f"annotations/kinetics{number}_train.csv").write_text(HEAD + "abseiling,a,0,10,\n")
    (tmp_path / "validate.csv").write_text(HEAD + "yoga,b,5.0,15.0,validate\n")
    (tmp_path / "test.csv").write_text("youtube_id,time_start,time_end\nc,1,11\n")
    dataset = open_dataset(name, tmp_path)
    yoga = names_of(name).index("yoga")
    assert rows(dataset) == [
        ("a_000000_000010.mp4", 0, "train"),
        ("b_000005_000015.mp4", yoga, "val"),
        ("c_000001_000011.mp4", -1, "test"),
    ]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("k400", "kinetics-400_val.csv"),
        ("k400", "kinetics_400_validate.csv"),
        ("k400", "k400_validation.csv"),
        ("k400", "annotations/kinetics_val.csv"),
        ("k400", "kinetics400/validate.csv"),
        ("k600", "annotations/val.txt"),
        ("k700", "kinetics700_2020/validate.csv"),
        ("k700", "annotations/kinetics700_2020_val.csv"),
    ],
)
def test_kinetics_annotations_are_known_by_every_hand_s_name(tmp_path: Path, name: str, file: str):
    fill(tmp_path, file)
    (tmp_path / file).write_text(HEAD + "yoga,a,0,10,val\n")
    for split in ("val", "validate", "all"):
        assert [clip.split for clip in open_dataset(name, tmp_path, split).clips] == ["val"]


def test_kinetics_600_is_read_as_cvdf_gives_it_out(tmp_path: Path):
    fill(tmp_path, "annotations/readme.md | train/a_000000_000010.mp4 | val/b_000000_000010.mp4")
    lists = tmp_path / "annotations"
    (lists / "train.txt").write_text(HEAD + "yoga,a,0,10,train\n")
    (lists / "val.txt").write_text(HEAD + "yoga,b,0,10,validate\n")
    (lists / "kinetics600_holdout_test.csv").write_text(HEAD + "yoga,c,0,10,test\n")
    dataset = open_dataset("k600", tmp_path)
    assert [clip.split for clip in dataset.clips] == ["train", "val", "test"]
    (lists / "val.csv").write_text(HEAD + "yoga,d,0,10,validate\n")
    assert open_dataset("k600", tmp_path, "val").clips[0].video == "val/d_000000_000010.mp4"
    (lists / "train.txt").write_text("train/a_000000_000010.mp4 398\n")  # another tool's
    assert [clip.split for clip in open_dataset("k600", tmp_path).clips] == ["val", "test"]


def test_annotations_of_kinetics_that_others_are_taken_before_are_told_of(tmp_path: Path):
    fill(tmp_path, "annotations/readme.md")
    kinetics(tmp_path, "test", "a")
    shutil.copy(tmp_path / "test.csv", tmp_path / "annotations")  # the same again
    assert open_dataset("k600", tmp_path).notes == ()
    holdout = "annotations/kinetics600_holdout_test.csv"
    (tmp_path / holdout).write_text(HEAD + "yoga,b,0,10,test\n")
    dataset = open_dataset("k600", tmp_path)
    assert len(dataset.clips) == 1
    assert dataset.notes == (f"test is read from test.csv, and not from {holdout}",)


def test_a_split_of_kinetics_that_has_videos_and_no_annotations_is_told_of(tmp_path: Path):
    fill(tmp_path, "test/a_000000_000010.mp4 | videos/train/deep/b_000000_000010.mp4 | val/c.txt")
    (tmp_path / "test.csv").write_text(HEAD + "yoga,a,0,10,test\n")
    told = (
        "train has videos in videos/train/, and no annotations, such as train.csv, are there: it "
        "is left out"
    )
    assert open_dataset("k600", tmp_path).notes == (told,)
    assert open_dataset("k600", tmp_path, "test").notes == ()


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ("train/part_0.tar.gz | train_256/yoga/a_000000_000010.mp4", "train_256/yoga/"),
        ("train/part_0.tar.gz | videos/x/a_000000_000010.mp4", "videos/x/"),
        ("videos_train/b_000000_000010.mp4 | videos/a_000000_000010.mp4", "videos/"),
        ("train/.gitkeep | videos/.gitkeep | part_0/a_000000_000010.mp4", "part_0/"),
    ],
)
def test_kinetics_videos_are_in_the_first_folder_that_has_them(
    tmp_path: Path, files: str, found: str
):
    fill(tmp_path, files)
    kinetics(tmp_path, "train", "a", "z")
    dataset = open_dataset("k400", tmp_path, "train")
    home = found.split("/")[0] if found != "part_0/" else ""
    assert [clip.video for clip in dataset.clips] == [
        f"{found}a_000000_000010.mp4",
        (Path(home) / "z_000000_000010.mp4").as_posix(),  # expected beside the other
    ]
    assert dataset.notes == ()


def test_videos_of_one_split_in_several_folders_are_all_found_and_told_of(tmp_path: Path):
    fill(tmp_path, "train/a_000000_000010.mp4 | train_256/b_000000_000010.mp4")
    fill(tmp_path, "train_256/a_000000_000010.mp4 | train_256/c_000000_000010.mp4")
    kinetics(tmp_path, "train", "a", "b", "c")
    dataset = open_dataset("k400", tmp_path)
    assert [clip.video.split("/")[0] for clip in dataset.clips] == [
        "train",
        "train_256",
        "train_256",
    ]
    (note,) = dataset.notes
    assert note == "videos of train lie in several folders: 1 in train/, 2 in train_256/"


def test_a_replacement_of_a_kinetics_video_goes_before_the_corrupted_one(tmp_path: Path):
    inner = "replacement/replacement_for_corrupted_k400"
    fill(tmp_path, f"{inner}/a_000000_000010.mp4 | {inner}/other_000000_000010.mp4")
    fill(tmp_path, "val/a_000000_000010.mp4 | val/b_000000_000010.mp4")
    kinetics(tmp_path, "val", "a", "b", "c")
    dataset = open_dataset("k400", tmp_path, "val")
    assert [clip.video for clip in dataset.clips] == [
        f"{inner}/a_000000_000010.mp4",
        "val/b_000000_000010.mp4",
        "val/c_000000_000010.mp4",
    ]
    told = "videos of val lie in several folders: 1 in replacement/, 1 in val/"
    assert dataset.notes == (told,)
    (tmp_path / "val").rename(tmp_path / "part_0")  # where the root is looked in last
    dataset = open_dataset("k400", tmp_path, "val")
    assert [clip.video for clip in dataset.clips[:2]] == [
        f"{inner}/a_000000_000010.mp4",
        "part_0/b_000000_000010.mp4",
    ]


def test_kinetics_times_are_rounded_and_labels_may_have_spaces_around_or_be_blank(tmp_path: Path):
    (tmp_path / "val.csv").write_text(HEAD + '"yoga ",a,4.9999,14.9999,\n')
    (tmp_path / "test.csv").write_text(HEAD + '" ",b,0.0001,10.0001,\n')
    assert rows(open_dataset("k400", tmp_path)) == [
        ("a_000005_000015.mp4", names_of("k400").index("yoga"), "val"),
        ("b_000000_000010.mp4", -1, "test"),
    ]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a,b\n1,2\n", "has no columns"),
        (HEAD, "has no rows"),
        (HEAD + "yoga,a,x,10,train\n", "train.csv:2: its times are not numbers"),
        (HEAD + "yoga,a,0,inf,train\n", "train.csv:2: its times are not numbers"),
        (HEAD + '"' + "yoga,a,0,10,train\n" * 9000, "train.csv: not CSV (field larger than"),
        (HEAD + 'yoga,a,0,10,"train\nyoga,b,0,10,train\n', "not CSV (unexpected end of data)"),
        (HEAD + "yoga,../../a,0,10,train\n", "train.csv:2: '../../a' is not a video's id"),
        (HEAD + "yoga,a\0b,0,10,train\n", "train.csv:2: 'a\\x00b' is not a video's id"),
        (HEAD + "yoga,a\\b,0,10,train\n", r"train.csv:2: 'a\\b' is not a video's id"),
        (HEAD + "yoga,.a,0,10,train\n", "train.csv:2: '.a' is not a video's id"),
        (HEAD + "yogha,a,0,10,train\n", "train.csv:2: the class 'yogha' is not among the 400"),
    ],
)
def test_bad_kinetics_annotations_are_named_with_their_line(tmp_path, text: str, cause: str):
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(BadInput, match=re.escape(cause)):
        open_dataset("k400", tmp_path, "train")


def test_kinetics_without_annotations_says_where_they_belong(tmp_path: Path):
    with pytest.raises(BadInput, match=r"no annotations such as train.csv or kinetics400_train"):
        open_dataset("k400", tmp_path)
    with pytest.raises(BadInput, match=r"no annotations such as val.csv"):
        open_dataset("k400", tmp_path, "val")
    with pytest.raises(BadInput, match="k400 has no such split"):
        open_dataset("k400", tmp_path, "train1")


def test_a_video_of_two_splits_is_a_row_of_each(tmp_path: Path):
    (tmp_path / "train.csv").write_text(HEAD + "yoga,a,0,10,train\n")
    (tmp_path / "test.csv").write_text("youtube_id,time_start,time_end\na,0,10\n")
    dataset = open_dataset("k400", tmp_path)
    assert [clip.split for clip in dataset.clips] == ["train", "test"]
    assert dataset.notes == ()  # the test split has no labels: it is not of two classes
