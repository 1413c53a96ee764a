import json
import os
import re
import shutil
from pathlib import Path

import pytest

from corpus.errors import BadInput
from corpus.labels import load_labels
from extract.datasets import open_dataset
from tests.extract.conftest import fill, rows


def names_of(name: str) -> tuple[str, ...]:
    return load_labels(name)[0].labels


def ucf(root: Path) -> Path:
    lists = root / "ucfTrainTestlist"
    fill(root, "UCF-101/Archery/v_1.avi | UCF-101/Biking/v_2.avi")
    lists.mkdir()
    classes = enumerate(names_of("ucf101"), 1)
    (lists / "classInd.txt").write_text("".join(f"{n} {name}\r\n" for n, name in classes))
    (lists / "trainlist01.txt").write_text("Archery/v_1.avi 3\nBiking/v_2.avi 11\n")
    (lists / "testlist01.txt").write_text("Archery/v_3.avi\n\n")
    (lists / "testlist02.txt").write_text("Biking/v_4.avi\n")
    return root


def test_ucf101_is_read_by_its_official_lists(tmp_path: Path):
    ucf(tmp_path)
    dataset = open_dataset("ucf101", tmp_path, "train")
    assert dataset.classes == names_of("ucf101")
    assert rows(dataset) == [
        ("UCF-101/Archery/v_1.avi", 2, "train"),
        ("UCF-101/Biking/v_2.avi", 10, "train"),
    ]
    for second in ("test2", "test02"):
        assert rows(open_dataset("ucf101", tmp_path, second)) == [
            ("UCF-101/Biking/v_4.avi", 10, "test")
        ]
    everything = open_dataset("ucf101", tmp_path)
    assert [clip.split for clip in everything.clips] == ["train", "train", "test"]


def test_ucf101_s_lists_and_labels_must_agree(tmp_path: Path):
    lists = ucf(tmp_path) / "ucfTrainTestlist"
    wrong = ("ApplyEyeMakeup", "Archery", "ApplyLipstick", *names_of("ucf101")[3:])
    with pytest.raises(BadInput, match="class 2 is 'Archery', and ucf101's is 'ApplyLipstick'"):
        open_dataset("ucf101", tmp_path, labels=wrong)
    with pytest.raises(BadInput, match="class 101 is None, and ucf101's is 'YoYo'"):
        open_dataset("ucf101", tmp_path, labels=names_of("ucf101")[:100])
    with pytest.raises(BadInput, match="class 102 is 'Zumba', and ucf101's is None"):
        open_dataset("ucf101", tmp_path, labels=(*names_of("ucf101"), "Zumba"))
    with pytest.raises(BadInput, match="no such split"):
        open_dataset("ucf101", tmp_path, "train4")
    with pytest.raises(BadInput, match=r"testlist03.txt: no such file"):
        open_dataset("ucf101", tmp_path, "test3")
    (lists / "trainlist01.txt").write_text("Archery/v_1.avi 2\n")
    with pytest.raises(BadInput, match=r"trainlist01.txt:1: label 2 is not Archery's, 3"):
        open_dataset("ucf101", tmp_path, "train")
    (lists / "trainlist01.txt").write_text("Curling/v_1.avi 1\n")
    told = (
        "'Curling' is not among the 101 labels of ucf101; mend its spelling, or take the official"
    )
    with pytest.raises(BadInput, match=told):
        open_dataset("ucf101", tmp_path, "train")
    (lists / "classInd.txt").write_text("1 ApplyEyeMakeup\n3 Archery\n")
    with pytest.raises(BadInput, match=r"classInd.txt:2: not `index name` in order"):
        open_dataset("ucf101", tmp_path, "train")
    (lists / "classInd.txt").write_text("1 ApplyEyeMakeup\n2 Archery\n")
    with pytest.raises(BadInput, match=r"class 2 is 'Archery', and ucf101's is 'ApplyLipstick'"):
        open_dataset("ucf101", tmp_path, "train")


@pytest.mark.parametrize(
    ("name", "lists"), [("ucf101", "ucfTrainTestlist"), ("hmdb51", "testTrainMulti_7030_splits")]
)
def test_a_dataset_s_folder_without_its_lists_says_where_they_belong(
    tmp_path: Path, name: str, lists: str
):
    with pytest.raises(BadInput, match=f"{lists}: no such folder; put the official {lists} there"):
        open_dataset(name, tmp_path)


def test_a_list_without_videos_is_refused_before_any_work(tmp_path: Path):
    (ucf(tmp_path) / "ucfTrainTestlist/testlist01.txt").write_text("\n")
    with pytest.raises(
        BadInput, match=f"{tmp_path}: lists no video of 'test'; mend it, or --split"
    ):
        open_dataset("ucf101", tmp_path, "test").check_there()


def hmdb(root: Path) -> Path:
    lists = root / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for name in names_of("hmdb51"):
        stem = name.replace(" ", "_")
        (lists / f"{stem}_test_split1.txt").write_text(
            f"{stem}_a.avi 1 \n{stem}_b.avi 2 \n{stem}_c.avi 0 \n"
        )
    return root


def test_hmdb51_is_read_by_its_official_lists(tmp_path: Path):
    hmdb(tmp_path)
    dataset = open_dataset("hmdb51", tmp_path, "test")
    assert dataset.classes == names_of("hmdb51")
    assert len(dataset.clips) == 51
    assert rows(dataset)[0] == ("brush_hair/brush_hair_b.avi", 0, "test")
    assert [clip.label for clip in dataset.clips] == list(range(51))
    everything = open_dataset("hmdb51", tmp_path)
    assert [clip.split for clip in everything.clips[:3]] == ["train", "test", "unused"]
    # Where two popular repositories have them the wrong way round.
    assert dataset.classes.index("kick") < dataset.classes.index("kick ball")
    assert dataset.classes.index("sword") < dataset.classes.index("sword exercise")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        *(("ucf101", folder) for folder in ("UCF101", "videos", ".")),
        *(("hmdb51", folder) for folder in ("videos", "hmdb51_org", "hmdb51", ".")),
        *(("ssv2", folder) for folder in ("videos", ".")),
    ],
)
def test_videos_lie_in_a_folder_of_any_usual_name_or_in_the_root(
    tmp_path: Path, name: str, folder: str
):
    {"ucf101": ucf, "hmdb51": hmdb, "ssv2": ssv2}[name](tmp_path)
    for made in ("UCF-101", "20bn-something-something-v2"):
        shutil.rmtree(tmp_path / made, ignore_errors=True)
    (tmp_path / folder).mkdir(exist_ok=True)
    video, *_ = (clip.video for clip in open_dataset(name, tmp_path, "test").clips)
    own = {"ucf101": "Archery/v_3.avi", "hmdb51": "brush_hair/brush_hair_b.avi", "ssv2": "9.webm"}
    assert video == (Path(folder) / own[name]).as_posix()


@pytest.mark.parametrize("name", ["ucf101", "hmdb51", "ssv2"])
def test_videos_are_in_the_first_folder_that_has_them(tmp_path: Path, name: str):
    {"ucf101": ucf, "hmdb51": hmdb, "ssv2": ssv2}[name](tmp_path)
    for made in ("UCF-101", "20bn-something-something-v2"):
        shutil.rmtree(tmp_path / made, ignore_errors=True)
    fill(tmp_path, "UCF-101/UCF101.rar | videos/x.rar | hmdb51_org/wave.rar")
    fill(
        tmp_path, "20bn-something-something-v2/part-00 | Archery/v_3.avi | wave/wave_b.avi | 9.webm"
    )
    videos = [clip.video for clip in open_dataset(name, tmp_path, "test").clips]
    last = {"ucf101": "Archery/v_3.avi", "hmdb51": "wave/wave_b.avi", "ssv2": "9.webm"}
    assert videos[-1] == last[name]
    assert videos[0].count("/") == last[name].count("/")  # one that is missing is expected there


@pytest.mark.parametrize("name", ["ucf101", "hmdb51", "ssv2"])
def test_videos_that_were_converted_are_found_by_their_stems(tmp_path: Path, name: str):
    {"ucf101": ucf, "hmdb51": hmdb, "ssv2": ssv2}[name](tmp_path)
    fill(tmp_path, "UCF-101/Archery/v_3.mp4 | videos/wave/wave_b.MKV")
    fill(tmp_path, "20bn-something-something-v2/9.mp4 | 20bn-something-something-v2/9.json")
    dataset = open_dataset(name, tmp_path, "test")
    assert (
        dataset.clips[-1].video
        == {
            "ucf101": "UCF-101/Archery/v_3.mp4",
            "hmdb51": "videos/wave/wave_b.MKV",
            "ssv2": "20bn-something-something-v2/9.mp4",
        }[name]
    )
    assert dataset.has(dataset.clips[-1])


def test_a_class_s_folder_may_have_letters_of_other_case_than_its_list(tmp_path: Path):
    lists = ucf(tmp_path) / "ucfTrainTestlist"
    (lists / "testlist01.txt").write_text(
        "HandstandPushups/v_HandStandPushups_g01_c01.avi\nHandstandPushups/v_HandstandPushups_g02.avi\n"
    )
    fill(tmp_path, "UCF-101/HandStandPushups/v_HandStandPushups_g01_c01.avi")
    fill(tmp_path, "UCF-101/HandStandPushups/v_HandStandPushups_g02.avi")
    label = names_of("ucf101").index("HandstandPushups")
    assert rows(open_dataset("ucf101", tmp_path, "test")) == [
        ("UCF-101/HandStandPushups/v_HandStandPushups_g01_c01.avi", label, "test"),
        ("UCF-101/HandStandPushups/v_HandStandPushups_g02.avi", label, "test"),
    ]
    fill(tmp_path, "UCF-101/HandstandPushups/v_HandStandPushups_g01_c01.avi")
    clips = open_dataset("ucf101", tmp_path, "test").clips
    assert clips[0].video == "UCF-101/HandstandPushups/v_HandStandPushups_g01_c01.avi"


@pytest.mark.parametrize(
    ("name", "lists", "folder"),
    [
        ("ucf101", "ucfTrainTestlist", "annotations"),
        ("hmdb51", "testTrainMulti_7030_splits", "annotations"),
        (
            "hmdb51",
            "testTrainMulti_7030_splits",
            "test_train_splits/testTrainMulti_7030_splits",
        ),
    ],
)
def test_lists_may_lie_in_other_folders(tmp_path: Path, name: str, lists: str, folder: str):
    listed = rows(open_dataset(name, {"ucf101": ucf, "hmdb51": hmdb}[name](tmp_path)))
    (tmp_path / folder).parent.mkdir(exist_ok=True)
    (tmp_path / lists).rename(tmp_path / folder)
    assert rows(open_dataset(name, tmp_path)) == listed


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("ucf101", "<class>/*.avi in UCF-101/, UCF101/, videos/ or right in it"),
        ("hmdb51", "<class>/*.avi in videos/, hmdb51_org/, hmdb51/ or right in it"),
        ("ssv2", "<id>.webm in 20bn-something-something-v2/, videos/ or right in it"),
        (
            "k400",
            "<id>_<start>_<end>.mp4 in videos_<split>/, <split>/, <split>_256/, videos/<split>/, "
            "videos/ or right in it",
        ),
    ],
)
def test_an_official_list_of_which_no_video_is_there_says_what_the_root_must_hold(
    tmp_path: Path, name: str, holds: str
):
    {"ucf101": ucf, "hmdb51": hmdb, "ssv2": ssv2}.get(name, lambda root: None)(tmp_path)
    kinetics(tmp_path, "test", "a", "b")
    dataset = open_dataset(name, tmp_path, "test")
    told = f"; give a --root that holds {holds}, where they were looked for"
    with pytest.raises(BadInput, match=f"list names is .*{re.escape(told)}$"):
        dataset.check_there()
    assert dataset.notes == ()


def test_a_folder_of_videos_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch):
    ucf(tmp_path)
    listdir = os.listdir

    def denied(path):
        if Path(path).name == "Archery":
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", denied)
    with pytest.raises(BadInput, match=r"UCF-101/Archery: cannot be read \(Permission denied\)"):
        open_dataset("ucf101", tmp_path)


def test_a_name_of_hmdb51_may_have_spaces(tmp_path: Path):
    lists = hmdb(tmp_path) / "testTrainMulti_7030_splits"
    (lists / "wave_test_split1.txt").write_text("wave_a b.avi 1 \n")
    assert rows(open_dataset("hmdb51", tmp_path, "train"))[-1] == ("wave/wave_a b.avi", 50, "train")


def test_hmdb51_s_damaged_lists_are_refused(tmp_path: Path):
    lists = hmdb(tmp_path) / "testTrainMulti_7030_splits"
    with pytest.raises(BadInput, match="has no list 2 of 51 classes"):
        open_dataset("hmdb51", tmp_path, "test2")
    (lists / "wave_test_split1.txt").rename(tmp_path / "wave")
    with pytest.raises(BadInput, match=r"has no list 1 of 1 classes \('wave' the first\)"):
        open_dataset("hmdb51", tmp_path)
    (lists / "wave_test_split1.txt").write_text("a.avi 7\n")
    with pytest.raises(BadInput, match=r"wave_test_split1.txt:1: not `video 0\|1\|2`"):
        open_dataset("hmdb51", tmp_path)
    (lists / "wave_test_split1.txt").write_text("../../x.avi 1\n")
    with pytest.raises(BadInput, match="is not a path under"):
        open_dataset("hmdb51", tmp_path)
    (lists / "wave_test_split1.txt").rename(lists / "waving_test_split1.txt")
    with pytest.raises(BadInput, match="'waving' is not among the 51 labels"):
        open_dataset("hmdb51", tmp_path)


HEAD = "label,youtube_id,time_start,time_end,split\n"


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


def kinetics(root: Path, split: str, *ids: str) -> None:
    rows_of = "".join(f"yoga,{one},0,10,{split}\n" for one in ids)
    (root / f"{split}.csv").write_text(HEAD + rows_of)


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


def test_an_empty_file_is_no_video_where_another_of_its_name_is_one(tmp_path: Path):
    fill(tmp_path, "train/a_000000_000010.mkv | train/b_000000_000010.avi")
    (tmp_path / "train/a_000000_000010.mp4").write_bytes(b"video")
    (tmp_path / "train/b_000000_000010.mp4").symlink_to("absent.mp4")
    kinetics(tmp_path, "train", "a", "b")
    videos = [clip.video for clip in open_dataset("k400", tmp_path, "train").clips]
    assert videos == ["train/a_000000_000010.mp4", "train/b_000000_000010.avi"]
    ucf(tmp_path / "ucf")
    (tmp_path / "ucf/UCF-101/Archery/v_1.mp4").write_bytes(b"video")
    clips = open_dataset("ucf101", tmp_path / "ucf", "train").clips
    assert clips[0].video == "UCF-101/Archery/v_1.mp4"
    (tmp_path / "ucf/UCF-101/Archery/v_1.avi").write_bytes(b"video")  # as the list has it
    clips = open_dataset("ucf101", tmp_path / "ucf", "train").clips
    assert clips[0].video == "UCF-101/Archery/v_1.avi"


def test_a_split_that_is_listed_and_not_there_stays_in_the_list_and_is_told_of(tmp_path: Path):
    fill(tmp_path, "train/a_000000_000010.mp4 | val/b_000000_000010.mp4")
    kinetics(tmp_path, "train", "a", "x")
    kinetics(tmp_path, "val", "b")
    kinetics(tmp_path, "test", "y", "z")
    dataset = open_dataset("k400", tmp_path)
    assert [clip.split for clip in dataset.clips] == ["train", "train", "val", "test", "test"]
    told = (
        "test is listed with 2 videos, and none is there: failed rows; to leave them out use "
        "--split train or --split val"
    )
    assert dataset.notes == (told,)
    assert open_dataset("k400", tmp_path, "train").notes == ()
    told = (
        "val is listed with 1 video, and none is there: failed rows; to leave them out use "
        "--split train"
    )
    assert open_dataset("ssv2", ssv2(tmp_path / "ssv2")).notes == (told,)


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


def ssv2(root: Path) -> Path:
    labels = {name: str(number) for number, name in enumerate(names_of("ssv2"))}
    fill(root, "20bn-something-something-v2/7.webm")
    (root / "labels.json").write_text(json.dumps(labels))
    row = {"id": "7", "label": "…", "template": "Holding [something] next to [something]"}
    (root / "train.json").write_text(json.dumps([row]))
    (root / "something-something-v2-validation.json").write_text(json.dumps([row | {"id": 8}]))
    (root / "test.json").write_text('[{"id": "9"}]')
    return root


def test_ssv2_is_read_by_its_official_files(tmp_path: Path):
    ssv2(tmp_path)
    holding = names_of("ssv2").index("Holding something next to something")
    assert rows(open_dataset("ssv2", tmp_path)) == [
        ("20bn-something-something-v2/7.webm", holding, "train"),
        ("20bn-something-something-v2/8.webm", holding, "val"),
    ]
    for name in ("val", "validation"):
        assert [clip.split for clip in open_dataset("ssv2", tmp_path, name).clips] == ["val"]
    assert rows(open_dataset("ssv2", tmp_path, "test")) == [
        ("20bn-something-something-v2/9.webm", -1, "test")
    ]


@pytest.mark.parametrize("folder", ["labels", "annotations"])
def test_the_files_of_ssv2_may_lie_in_a_folder_of_their_own(tmp_path: Path, folder: str):
    listed = rows(open_dataset("ssv2", ssv2(tmp_path)))
    (tmp_path / folder).mkdir()
    for path in tmp_path.glob("*.json"):
        path.rename(tmp_path / folder / path.name)
    assert rows(open_dataset("ssv2", tmp_path)) == listed


def test_ssv2_s_damaged_files_are_refused(tmp_path: Path):
    root = ssv2(tmp_path)
    for content, cause in (
        ("{", "train.json: not JSON"),
        ("[" * 100_000, "train.json: not JSON"),
        ("{}", "train.json: not a JSON list with entries"),
        ("[{}]", "train.json, entry 1: has no id"),
        ('[{"id": "../../../x"}]', "is not a path under"),
        ('[{"id": "\\u0000"}]', "is not a path under"),
        ('[{"id": "\\ud800"}]', "is not a path under"),
        ('[{"id": null}]', "train.json, entry 1: has no id"),
        ('[{"id": ["7"]}]', "train.json, entry 1: has no id"),
        ('[{"id": "1", "template": "Juggling"}]', "'Juggling' is not among the 174 labels"),
    ):
        (root / "train.json").write_text(content)
        with pytest.raises(BadInput, match=cause):
            open_dataset("ssv2", tmp_path, "train")
    (root / "labels.json").write_text('{"Approaching something": Infinity}')
    with pytest.raises(BadInput, match=r"labels.json: its values are not class numbers"):
        open_dataset("ssv2", tmp_path)
    (root / "labels.json").write_text('{"Approaching something": "0"}')
    with pytest.raises(BadInput, match=r"labels.json: class 1 is 'Approaching something', and"):
        open_dataset("ssv2", tmp_path)


def test_a_training_list_that_lacks_labels_is_told_of(tmp_path: Path):
    head, rest = "class,youtube_id,time_start,time_end,split\n", ",0,10,train\n"
    (tmp_path / "train.csv").write_text(head + "yoga,a" + rest + "yoga,b" + rest)
    told = "2 videos have no label: a_000000_000010.mp4, b_000000_000010.mp4"
    assert open_dataset("k400", tmp_path, "train").notes == (told,)
    root = ssv2(tmp_path / "ssv2")
    (root / "train.json").write_text('[{"id": "7", "label": "holding"}]')
    told = "1 video has no label: 20bn-something-something-v2/7.webm"
    assert open_dataset("ssv2", root, "train").notes == (told,)
    assert open_dataset("ssv2", root, "test").notes == ()  # published without them


def test_what_an_official_list_says_twice_is_there_once_and_told(tmp_path: Path):
    (tmp_path / "train.csv").write_text(
        HEAD + "yoga,a,0,10,train\nabseiling,b,0,10,train\nyoga,a,0,10,train\n"
    )
    lists = ucf(tmp_path / "ucf") / "ucfTrainTestlist"
    (lists / "testlist01.txt").write_text("Archery/v_3.avi\n" * 2)
    marked = hmdb(tmp_path / "hmdb") / "testTrainMulti_7030_splits/wave_test_split1.txt"
    marked.write_text("wave_a.avi 1 \nwave_a.avi 1 \n")
    source = ssv2(tmp_path / "ssv2") / "test.json"
    source.write_text('[{"id": "9"}, {"id": 9}]')
    for name, root, split, count, said in (
        ("k400", tmp_path, "train", 2, rf"{tmp_path}/train.csv:4 \(as {tmp_path}/train.csv:2\)"),
        ("ucf101", tmp_path / "ucf", "test", 1, r".*/testlist01.txt:2 \(as .*/testlist01.txt:1\)"),
        ("hmdb51", tmp_path / "hmdb", "train", 51, r".*/wave_test_split1.txt:2 \(as .*:1\)"),
        ("ssv2", tmp_path / "ssv2", "test", 1, r".*/test.json, entry 2 \(as .*entry 1\)"),
    ):
        dataset = open_dataset(name, root, split)
        (note,) = dataset.notes
        assert len(dataset.clips) == len({clip.video for clip in dataset.clips}) == count
        assert re.fullmatch(f"1 line repeats another: {said}", note)
    assert open_dataset("ucf101", tmp_path / "ucf", "train").notes == ()


def test_a_video_of_two_classes_is_kept_under_both_and_told_with_both_its_lines(tmp_path: Path):
    rows_of = "yoga,a,0,10,train\nabseiling,a,0,10,train\n"
    (tmp_path / "train.csv").write_text(HEAD + rows_of)
    root = ssv2(tmp_path / "ssv2")
    held = {"id": "7", "template": "Holding [something] next to [something]"}
    other = {"id": 7, "template": "Closing [something]"}
    (root / "train.json").write_text(json.dumps([held, other]))
    for dataset, told in (
        (open_dataset("k400", tmp_path, "train"), r"a_0.*\.mp4 \(.*train.csv:2, .*train.csv:3\)"),
        (open_dataset("ssv2", root, "train"), r".*7\.webm \(.*entry 1, .*entry 2\)"),
    ):
        assert len({clip.label for clip in dataset.clips}) == 2
        (note,) = dataset.notes
        assert re.fullmatch(f"1 video is of two classes: {told}", note)


def test_a_video_of_two_splits_is_a_row_of_each(tmp_path: Path):
    (tmp_path / "train.csv").write_text(HEAD + "yoga,a,0,10,train\n")
    (tmp_path / "test.csv").write_text("youtube_id,time_start,time_end\na,0,10\n")
    dataset = open_dataset("k400", tmp_path)
    assert [clip.split for clip in dataset.clips] == ["train", "test"]
    assert dataset.notes == ()  # the test split has no labels: it is not of two classes
