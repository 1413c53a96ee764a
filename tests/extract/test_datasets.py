from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import BadInput
from extract.datasets import open_dataset, read_labels
from extract.datasets.base import inside


def fill(root: Path, text: str) -> Path:
    """Make empty files of these names."""
    for name in text.split("|"):
        path = root / name.strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def rows(dataset) -> list[tuple[str, int, str]]:
    return [(clip.video, clip.label, clip.split) for clip in dataset.clips]


def test_a_folder_s_subfolders_are_its_classes(tmp_path: Path):
    fill(tmp_path, "singing/b.mp4 | singing/A.AVI | archery/deep/c.webm | archery/.hidden.mp4")
    fill(tmp_path, "notes.txt | .git/x.mp4")
    dataset = open_dataset("folder", tmp_path)
    assert dataset.classes == ("archery", "singing")
    assert rows(dataset) == [
        ("archery/deep/c.webm", 0, "all"),
        ("singing/A.AVI", 1, "all"),
        ("singing/b.mp4", 1, "all"),
    ]
    assert dataset.ignored == ("notes.txt",)


def test_videos_in_the_root_have_no_class(tmp_path: Path):
    fill(tmp_path, "a.mp4 | x/b.mp4")
    assert rows(open_dataset("folder", tmp_path)) == [("a.mp4", -1, "all"), ("x/b.mp4", 0, "all")]


def test_a_split_of_a_folder_is_a_subfolder(tmp_path: Path):
    fill(tmp_path, "train/x/a.mp4 | val/x/b.mp4")
    dataset = open_dataset("folder", tmp_path, "val")
    assert rows(dataset) == [("val/x/b.mp4", 0, "val")]
    assert dataset.classes == ("x",)


def test_labels_give_the_order_and_must_name_every_folder(tmp_path: Path):
    fill(tmp_path, "a/1.mp4 | b/2.mp4")
    dataset = open_dataset("folder", tmp_path, labels=("b", "z", "a"))
    assert rows(dataset) == [("a/1.mp4", 2, "all"), ("b/2.mp4", 0, "all")]
    with pytest.raises(BadInput, match=r"b: the class 'b' is not among the 1 labels"):
        open_dataset("folder", tmp_path, labels=("a",))


def test_a_link_that_leads_back_is_followed_once(tmp_path: Path):
    fill(tmp_path, "a/1.mp4")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    assert rows(open_dataset("folder", tmp_path)) == [("a/1.mp4", 0, "all")]


@pytest.mark.parametrize(
    ("files", "cause"), [("", "empty folder"), ("a/x.txt | b.md", "no video among its 2 files")]
)
def test_a_folder_without_videos_is_refused(tmp_path: Path, files: str, cause: str):
    if files:
        fill(tmp_path, files)
    with pytest.raises(BadInput, match=cause):
        open_dataset("folder", tmp_path)


@pytest.mark.parametrize("name", ["folder", "csv", "ucf101"])
def test_a_missing_root_is_named_with_its_mend(tmp_path: Path, name: str, monkeypatch):
    with pytest.raises(BadInput, match=r"absent: no such folder; .*--root"):
        open_dataset(name, tmp_path / "absent")
    monkeypatch.setenv("ALT_DATA", str(tmp_path))
    with pytest.raises(BadInput, match=f"{name}: no such folder"):
        open_dataset(name)
    monkeypatch.delenv("ALT_DATA")
    with pytest.raises(BadInput, match="ALT_DATA is not set"):
        open_dataset(name)


def test_an_unknown_dataset_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="use one of folder, csv, ucf101"):
        open_dataset("imagenet", Path("."))


@pytest.mark.parametrize(
    "text",
    [
        "a.mp4,singing\nb c.mp4,archery\n",
        "path,label\na.mp4,singing\n\nb c.mp4,archery\n",
        "label,path\nsinging,a.mp4\narchery,b c.mp4\n",
        "a.mp4 singing\nb c.mp4 archery\n",
        "a.mp4\tsinging\nb c.mp4\tarchery\n",
        '"a.mp4","singing"\n"b c.mp4","archery"\n',
    ],
)
def test_lists_come_with_commas_tabs_spaces_and_heads(tmp_path: Path, text: str):
    (tmp_path / "list.csv").write_text(text)
    dataset = open_dataset("csv", tmp_path)
    assert dataset.classes == ("archery", "singing")
    assert rows(dataset) == [("a.mp4", 1, "all"), ("b c.mp4", 0, "all")]
    assert dataset.root == tmp_path


def test_a_list_s_third_column_is_the_split(tmp_path: Path):
    source = tmp_path / "list.csv"
    source.write_text("a.mp4,x,train\nb.mp4,y,test\n")
    assert rows(open_dataset("csv", source, "test")) == [("b.mp4", 1, "test")]
    assert len(open_dataset("csv", source).clips) == 2
    with pytest.raises(BadInput, match=r"no video of split 'val' \(it has test, train\)"):
        open_dataset("csv", source, "val")


def test_a_list_named_for_the_split_is_taken(tmp_path: Path):
    (tmp_path / "train.txt").write_text("a.mp4 0\n")
    (tmp_path / "val.txt").write_text("b.mp4 1\n")
    assert rows(open_dataset("csv", tmp_path, "val", ("x", "y"))) == [("b.mp4", 1, "val")]
    with pytest.raises(BadInput, match="2 lists"):
        open_dataset("csv", tmp_path)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "is empty"),
        ("path,label\n", "has no rows"),
        ("a.mp4,x\nb.mp4\n", r"list.csv:2: not `path,label`"),
        ("a.mp4,x,train,9\n", r"list.csv:1: not `path,label`"),
        ("a.mp4,x\nb.mp4,y\na.mp4,x\n", r"list.csv:3: repeats a.mp4 of line 1"),
        ("../../etc/passwd,x\n", r"list.csv:1: '../../etc/passwd' is not a path under"),
        ("/etc/passwd,x\n", r"list.csv:1: '/etc/passwd' is not a path under"),
        ("a.mp4,0\nb.mp4,1\n", "its labels are numbers; give their names with --labels"),
    ],
)
def test_a_bad_list_is_named_with_its_line(tmp_path: Path, text: str, cause: str):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(BadInput, match=cause):
        open_dataset("csv", tmp_path)


def test_indices_and_names_are_checked_against_the_labels(tmp_path: Path):
    (tmp_path / "list.csv").write_text("a.mp4,2\n")
    with pytest.raises(BadInput, match="label 2 is not an index into the 2 labels"):
        open_dataset("csv", tmp_path, labels=("x", "y"))
    (tmp_path / "list.csv").write_text("a.mp4,x\nb.mp4,z\n")
    with pytest.raises(BadInput, match=r"list.csv:2: the class 'z' is not among the 2 labels"):
        open_dataset("csv", tmp_path, labels=("x", "y"))


@given(st.text(min_size=1, max_size=30))
def test_no_path_of_a_list_leaves_the_root(text: str):
    root = Path("/data/videos")
    try:
        inner = inside(root, text, "list:1")
    except BadInput:
        return
    assert (root / inner).resolve().is_relative_to(root)


def ucf(root: Path) -> Path:
    lists = root / "ucfTrainTestlist"
    fill(root, "UCF-101/Archery/v_1.avi | UCF-101/Biking/v_2.avi")
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\r\n2 Biking\r\n")
    (lists / "trainlist01.txt").write_text("Archery/v_1.avi 1\nBiking/v_2.avi 2\n")
    (lists / "testlist01.txt").write_text("Archery/v_3.avi\n\n")
    (lists / "testlist02.txt").write_text("Biking/v_4.avi\n")
    return root


def test_ucf101_is_read_by_its_official_lists(tmp_path: Path):
    ucf(tmp_path)
    dataset = open_dataset("ucf101", tmp_path, "train")
    assert dataset.classes == ("Archery", "Biking")
    assert rows(dataset) == [
        ("UCF-101/Archery/v_1.avi", 0, "train"),
        ("UCF-101/Biking/v_2.avi", 1, "train"),
    ]
    assert rows(open_dataset("ucf101", tmp_path, "test2")) == [
        ("UCF-101/Biking/v_4.avi", 1, "test")
    ]
    assert [clip.split for clip in open_dataset("ucf101", tmp_path).clips] == [
        "train",
        "train",
        "test",
    ]


def test_ucf101_s_lists_and_labels_must_agree(tmp_path: Path):
    lists = ucf(tmp_path) / "ucfTrainTestlist"
    with pytest.raises(BadInput, match=r"differs from .* at class 2"):
        open_dataset("ucf101", tmp_path, labels=("Archery", "Bowling"))
    with pytest.raises(BadInput, match="no such split"):
        open_dataset("ucf101", tmp_path, "train4")
    with pytest.raises(BadInput, match=r"testlist03.txt: no such file"):
        open_dataset("ucf101", tmp_path, "test3")
    (lists / "trainlist01.txt").write_text("Archery/v_1.avi 2\n")
    with pytest.raises(BadInput, match=r"trainlist01.txt:1: label 2 is not Archery's, 1"):
        open_dataset("ucf101", tmp_path, "train")
    (lists / "trainlist01.txt").write_text("Curling/v_1.avi 1\n")
    with pytest.raises(BadInput, match=r"'Curling' is not among the 2 labels of classInd.txt"):
        open_dataset("ucf101", tmp_path, "train")
    (lists / "classInd.txt").write_text("1 Archery\n3 Biking\n")
    with pytest.raises(BadInput, match=r"classInd.txt:2"):
        open_dataset("ucf101", tmp_path, "train")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"a\nb\na\n", r"labels.txt:3: repeats the label 'a' of line 1"),
        (b"a\n\nb\n", r"labels.txt:2: is an empty line"),
        (b"", "has no labels"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_a_bad_label_file_is_named_with_its_line(tmp_path: Path, content: bytes, cause: str):
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(BadInput, match=cause):
        read_labels(tmp_path / "labels.txt")


def test_labels_may_end_in_a_newline_or_two(tmp_path: Path):
    (tmp_path / "labels.txt").write_text("shoot bow\nsing\n\n")
    assert read_labels(tmp_path / "labels.txt") == ("shoot bow", "sing")
