import json
import os
import re
import shutil
from pathlib import Path

import pytest

from corpus.errors import BadInput
from extract.datasets import open_dataset
from tests.extract.conftest import fill, rows
from tests.extract.official import HEAD, hmdb, kinetics, names_of, ssv2, ucf


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
    assert everything.clips[2].video == "UCF-101/Archery/v_3.avi"  # of list 1, as those before it


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
    (tmp_path / lists).mkdir()  # one without lists is not taken for theirs
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


def test_an_empty_file_is_no_video_where_another_of_its_name_is_one(tmp_path: Path):
    fill(tmp_path, "train/a_000000_000010.mkv | train/b_000000_000010.avi")
    (tmp_path / "train/a_000000_000010.mp4").write_bytes(b"video")
    (tmp_path / "train/b_000000_000010.mp4").symlink_to("absent.mp4")
    kinetics(tmp_path, "train", "a", "b")
    videos = [clip.video for clip in open_dataset("k400", tmp_path, "train").clips]
    assert videos == ["train/a_000000_000010.mp4", "train/b_000000_000010.avi"]
    ucf(tmp_path / "ucf")
    (tmp_path / "ucf/UCF-101/Archery/v_1.3gp").write_bytes(b"video")
    clips = open_dataset("ucf101", tmp_path / "ucf", "train").clips
    assert clips[0].video == "UCF-101/Archery/v_1.3gp"
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
