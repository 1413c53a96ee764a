import os
from pathlib import Path

import pytest

from corpus.errors import BadInput
from corpus.labels import readable
from extract.datasets import base, open_dataset
from tests.extract.conftest import fill, rows


@pytest.mark.parametrize(
    "text",
    [
        "a.mp4,singing\nb c.mp4,archery\n",
        "path,label\na.mp4,singing\n\nb c.mp4,archery\n",
        "label,path\nsinging,a.mp4\narchery,b c.mp4\n",
        "Path,label,duration\na.mp4,singing,9\nb c.mp4,archery\n",
        "id,file,class,fps\n1,a.mp4,singing,25\n2,b c.mp4,archery,25\n",
        "a.mp4 singing\nb c.mp4 archery\n",
        "a.mp4\tsinging\nb c.mp4\tarchery\n",
        '"a.mp4","singing"\n"b c.mp4","archery"\n',
        "\ufeffpath,label\na.mp4,singing\nb c.mp4,archery\n",  # as spreadsheets begin it
        "video_path,tag\na.mp4,singing\nb c.mp4,archery\n",
        "clip_path,label,tag\na.mp4,singing,x\nb c.mp4,archery,y\n",
        "video_name,file,class\nx,a.mp4,singing\ny,b c.mp4,archery\n",
    ],
)
def test_lists_come_with_commas_tabs_spaces_and_heads(tmp_path: Path, text: str):
    (tmp_path / "list.csv").write_text(text)
    dataset = open_dataset("csv", tmp_path)
    assert dataset.classes == ("archery", "singing")
    assert rows(dataset) == [("a.mp4", 1, "all"), ("b c.mp4", 0, "all")]
    assert dataset.root == tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "a.mp4\nb c.mp4\n",
        "path\na.mp4\n\nb c.mp4\n",
        'Video\na.mp4\n"b c.mp4"\n',
        '"a.mp4"\n"b c.mp4"\n',
        "path,split\na.mp4,all\nb c.mp4,\n",
    ],
)
def test_the_videos_of_a_list_without_labels_have_none_and_that_is_told(tmp_path: Path, text: str):
    (tmp_path / "list.csv").write_text(text)
    dataset = open_dataset("csv", tmp_path)
    assert rows(dataset) == [("a.mp4", -1, "all"), ("b c.mp4", -1, "all")]
    assert dataset.classes == ()
    assert dataset.notes == ("2 videos have no label: a.mp4, b c.mp4",)
    assert rows(open_dataset("csv", tmp_path, labels=("x", "y"))) == rows(dataset)


def test_a_line_of_a_list_ends_where_editors_end_it(tmp_path: Path):
    source = tmp_path / "list.csv"
    source.write_bytes("a\u2028b.mp4,x\r\nc\x85d.mp4,x\n".encode())
    assert rows(open_dataset("csv", source)) == [
        ("a\u2028b.mp4", 0, "all"),
        ("c\x85d.mp4", 0, "all"),
    ]


def test_a_list_s_third_column_is_the_split(tmp_path: Path):
    source = tmp_path / "list.csv"
    source.write_text("a.mp4,x,train\nb.mp4,y,test\n")
    assert rows(open_dataset("csv", source, "test")) == [("b.mp4", 1, "test")]
    assert len(open_dataset("csv", source).clips) == 2
    with pytest.raises(BadInput, match=r"no video of split 'val' \(it has test, train\)"):
        open_dataset("csv", source, "val")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "a.mp4,x\nv/b.mp4,Lifting it up completely, then letting it drop down\n",
            "list.csv:2: its third cell, 'then letting it drop down', is no split's name that is "
            "known; quote labels that hold commas",
        ),
        ("a.mp4,run, swim\nb.mp4,x\n", "list.csv:1: its third cell, 'swim', is no split's"),
        ("a.mp4,up, then down\nb.mp4,up, then up\n", "list.csv:1: its third cell, 'then down'"),
        ("a.mp4,x,300\nb.mp4,y,250\n", "list.csv:1: its third cell is a number, '300'"),
        ("v/a,300,0\nv/b,250,1\n", "list.csv:1: its third cell is a number, '0'"),
    ],
)
def test_a_third_cell_that_no_heading_explains_is_a_split_or_is_refused(
    tmp_path: Path, text: str, cause: str
):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(BadInput, match=cause):
        open_dataset("csv", tmp_path)


def test_splits_are_called_as_they_like_where_all_lines_or_a_heading_have_them(tmp_path: Path):
    for text, part in (("a.mp4,x,here\nb.mp4,y,there\n", "here"), ("b.mp4,y\na.mp4,x,Test1\n", "")):
        (tmp_path / "list.csv").write_text(text)
        assert rows(open_dataset("csv", tmp_path, part or "Test1")) == [
            ("a.mp4", 0, part or "Test1")
        ]
    (tmp_path / "list.csv").write_text("path,label,split\na.mp4,x,1\nb.mp4,y,2\n")
    assert rows(open_dataset("csv", tmp_path, "2")) == [("b.mp4", 1, "2")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.mp4\tup, then down\nb.mp4\tup\n", [("a.mp4", "up, then down"), ("b.mp4", "up")]),
        ("v/a,1.mp4 x\nv/b.mp4 y\n", [("v/a,1.mp4", "x"), ("v/b.mp4", "y")]),
        ("v/a,1.mp4 x\nv/b,1.mp4 y\n", [("v/a,1.mp4", "x"), ("v/b,1.mp4", "y")]),
        ("label\tpath\nx, y\ta\nz\tb\n", [("a", "x, y"), ("b", "z")]),
        ("a.mp4 , x\nb c.mp4,y z\n", [("a.mp4", "x"), ("b c.mp4", "y z")]),
        ("path\na,1.mp4\nb,1.mp4\n", [("a,1.mp4", ""), ("b,1.mp4", "")]),
        ("path\nv/a 2 5\nv/b 2 5\n", [("v/a 2 5", ""), ("v/b 2 5", "")]),
        ("Label,Path\nx,a\n", [("a", "x")]),
        ("label path\nx a,b\ny c,d\n", [("a,b", "x"), ("c,d", "y")]),
        ("v/a,white label\nv/b,x\n", [("v/a", "white label"), ("v/b", "x")]),
        ("a,1.mp4\nb.mp4\nc.mp4\n", [("a,1.mp4", ""), ("b.mp4", ""), ("c.mp4", "")]),
    ],
)
def test_what_parts_the_cells_is_what_follows_videos_and_not_what_the_first_line_holds(
    tmp_path: Path, text: str, expected: list[tuple[str, str]]
):
    (tmp_path / "list.txt").write_text(text)
    dataset = open_dataset("csv", tmp_path)
    names = (*dataset.classes, "")
    assert [(clip.video, names[clip.label]) for clip in dataset.clips] == expected


def test_a_file_whose_name_looks_like_frames_or_has_a_backslash_is_a_video(tmp_path: Path):
    fill(tmp_path, "v/a 300 | v\\a.mp4")
    (tmp_path / "list.csv").write_text("v/a 300 0\n")
    assert rows(open_dataset("csv", tmp_path, labels=("x",))) == [("v/a 300", 0, "all")]
    (tmp_path / "list.csv").write_text("v\\a.mp4,x\n")
    assert rows(open_dataset("csv", tmp_path)) == [("v\\a.mp4", 0, "all")]


def test_lines_that_repeat_others_are_left_out_and_counted(tmp_path: Path):
    (tmp_path / "list.csv").write_text("a.mp4,x\nb.mp4,y\n./a.mp4,x\na.mp4,x\n")
    dataset = open_dataset("csv", tmp_path)
    assert rows(dataset) == [("a.mp4", 0, "all"), ("b.mp4", 1, "all")]
    assert dataset.notes == ("2 lines repeat others: line 3 (as line 1), line 4 (as line 1)",)


def test_lines_that_contradict_others_are_refused_all_at_once(tmp_path: Path):
    (tmp_path / "list.csv").write_text(
        "a.mp4,x,train\nb.mp4,y,train\na.mp4,x,train\na.mp4,y,train\nb.mp4,y,test\n"
    )
    told = (
        r"list\.csv: 2 lines give videos another label or split: line 4 \(a\.mp4, otherwise in "
        r"line 1\), line 5 \(b\.mp4, otherwise in line 2\); keep one line of each video"
    )
    with pytest.raises(BadInput, match=told):
        open_dataset("csv", tmp_path, "train")


@pytest.mark.parametrize("head", ["", "path,label,split\n"])
def test_a_split_column_counts_more_than_the_list_s_name(tmp_path: Path, head: str):
    (tmp_path / "train.csv").write_text(head + "a.mp4,x,train\nb.mp4,y,val\nc.mp4,y\n")
    assert rows(open_dataset("csv", tmp_path, "train")) == [
        ("a.mp4", 0, "train"),
        ("c.mp4", 1, "train"),  # whose line leaves it to the name
    ]


def test_a_first_video_whose_class_is_a_column_s_name_is_a_video(tmp_path: Path):
    (tmp_path / "list.csv").write_text("label.MP4,split\nb.mp4,label\n")
    dataset = open_dataset("csv", tmp_path)
    assert rows(dataset) == [("label.MP4", 1, "all"), ("b.mp4", 0, "all")]
    assert dataset.classes == ("label", "split")


def test_a_list_of_videos_without_suffixes_needs_no_heads(tmp_path: Path):
    (tmp_path / "list.csv").write_text("first,x\nsecond,y\n")
    assert [clip.video for clip in open_dataset("csv", tmp_path).clips] == ["first", "second"]


def test_a_list_s_full_paths_are_found_from_a_root_with_dots(tmp_path: Path, monkeypatch):
    fill(tmp_path, "videos/list.csv | work/x")
    monkeypatch.chdir(tmp_path / "work")
    for folder in (tmp_path / "videos", Path.cwd() / "../videos"):
        (tmp_path / "videos/list.csv").write_text(f"{folder}/a.mp4,x\n")
        for root in (Path("../videos"), tmp_path / "work/../videos"):
            assert rows(open_dataset("csv", root)) == [("a.mp4", 0, "all")]


def test_a_list_s_full_paths_are_found_through_links_of_the_root_or_of_theirs(tmp_path: Path):
    fill(tmp_path, "disk/data/list.csv | far/deep/b.mp4")
    (tmp_path / "data").symlink_to("disk/data")
    (tmp_path / "disk/data/more").symlink_to(tmp_path / "far/deep")
    (tmp_path / "videos").symlink_to("disk/data/clips")
    lines = [f"{tmp_path}/{part}/a.mp4,x\n" for part in ("data", "disk/data")]
    lines += [f"{tmp_path}/{part}/more/b.mp4,x\n" for part in ("data", "disk/data")]
    lines += [f"{tmp_path}/{part}/c.mp4,x\n" for part in ("videos", "far/../data/clips")]
    for root in (tmp_path / "data", tmp_path / "disk/data"):
        found = ("a", "a", "more/b", "more/b", "clips/c", "clips/c")
        for line, video in zip(lines, found, strict=True):
            (tmp_path / "disk/data/list.csv").write_text(line)
            assert rows(open_dataset("csv", root)) == [(f"{video}.mp4", 0, "all")]
        for path in ("far/deep/b.mp4", "data/../far/b.mp4", "data/../../far/b.mp4", "data2/a.mp4"):
            (tmp_path / "disk/data/list.csv").write_text(f"{tmp_path}/{path},x\n")
            with pytest.raises(BadInput, match="is not a path under"):
                open_dataset("csv", root)


def test_what_a_path_of_a_list_links_to_is_nobody_s_business(tmp_path: Path):
    fill(tmp_path, "far/b.mp4 | data/list.csv")
    (tmp_path / "data/b.mp4").symlink_to("../far/b.mp4")
    for path in ("b.mp4", f"{tmp_path}/data/b.mp4"):
        (tmp_path / "data/list.csv").write_text(f"{path},x\n")
        assert rows(open_dataset("csv", tmp_path / "data")) == [("b.mp4", 0, "all")]


def test_the_folders_of_a_list_are_looked_up_once(tmp_path: Path, monkeypatch):
    fill(tmp_path, "disk/list.csv")
    (tmp_path / "data").symlink_to("disk")
    text = "".join(f"{tmp_path}/data/v/{number}.mp4,x\n" for number in range(100))
    (tmp_path / "disk/list.csv").write_text(text)
    asked, realpath = [], os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path: asked.append(path) or realpath(path))
    assert len(open_dataset("csv", tmp_path / "disk").clips) == 100
    assert len(asked) == len(set(asked)) < 20


def test_a_label_of_a_list_is_read_as_often_as_it_is_new(tmp_path: Path, monkeypatch):
    text = "".join(f"{number}.mp4,shoot {('bow', 'ball')[number % 2]}\n" for number in range(100))
    (tmp_path / "list.csv").write_text(text)
    asked = []
    monkeypatch.setattr(base, "readable", lambda label: asked.append(label) or readable(label))
    dataset = open_dataset("csv", tmp_path, labels=("shoot_ball", "shoot_bow"))
    assert [clip.label for clip in dataset.clips] == [1, 0] * 50
    assert len(asked) < 10


def test_the_only_list_of_a_folder_is_taken_however_it_is_written(tmp_path: Path):
    (tmp_path / "LIST.CSV").write_text("a.mp4,x\n")
    (tmp_path / "notes.md").write_text("none")
    assert rows(open_dataset("csv", tmp_path)) == [("a.mp4", 0, "all")]


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
        ("a.mp4,x\n\nb.mp4\n", r"list.csv:3: not `path,label`"),
        ("a.mp4,x,train,9\n", r"list.csv:1: not `path,label`"),
        ("path,label\na.mp4,\n", r"list.csv:2: not `path,label`"),
        ("path,split\n,train\n", r"list.csv:2: not a path: ',train'; mend the line"),
        ('path\nb.mp4\n""\n', r"list.csv:3: not a path: "),
        ("b.mp4 x\na.mp4 x train\n", r"list.csv:2: more than a path and a label: 'a.mp4 x train'"),
        ("path,lable\na.mp4,x\n", r"list.csv:1: 0 of its columns are called label or class"),
        ("a.mp4\n../b.mp4\n", r"list.csv:2: '../b.mp4' is not a path under"),
        (".,x\n", r"list.csv:1: '.' is not a path under"),
        ("../../etc/passwd,x\n", r"list.csv:1: '../../etc/passwd' is not a path under"),
        (
            "/etc/passwd,x\n",
            r"list.csv:1: '/etc/passwd' is not a path under .*; mend it, or put the list into t",
        ),
        ("a.mp4,0\nb.mp4,1\n", "its labels are numbers; give their names with --labels"),
        (
            "location,label\na.mp4,x\n",
            r"list.csv:1: 0 of its columns are called path or video or file or filename; call one",
        ),
        ("video_path,class_name\na.mp4,x\n", "list.csv:1: 0 of its columns are called label or"),
        (
            "location,class_name\na.mp4,x\n",
            r"list.csv:1: has no video, .*'location', 'class_name'.*; call the columns path or .*"
            "filename, label or class, split;",
        ),
        ("location class_name\nb/a.mp4 x\n", "list.csv:1: has no video, as other lines have"),
        ("id,name,file_path,fps\n1,x,a.MP4,25\n", "list.csv:1: has no video, as other lines"),
        ("path,name\na.mp4,x\n", r"list.csv:1: 0 of its columns are called label or class; call"),
        ("path,label,class\na.mp4,0,x\n", r"list.csv:1: 2 of its columns are called label or"),
        (f"a.mp4,x\n{'b' * 140_000},x\n", r"list.csv:2: cannot be read \(field larger than"),
        ('path,label\na.mp4,x\nb.mp4,"x,train\n', r"list.csv:3: cannot be read \(unexpected end"),
        ("# mine\na.mp4,x\n", r"list.csv:1: is a remark, and no video: '# mine'; take it out"),
        ("# path,label\na.mp4,x\n", r"list.csv:1: is a remark, and no video: '# path,label'"),
        ("a.mp4 x\n# more of them\nb.mp4 y\n", "list.csv:2: is a remark, and no video"),
        ("x,a.mp4\ny,b.mp4\n", "list.csv:1: its first cell is no video, and another is"),
        ("a.mp4 300 0\nb.mp4 250 1\n", "list.csv:1: more than a path and a label"),
        ("v/a 300 0\nv/b 250 1\n", "list.csv:1: looks like a folder of frames, their number"),
        ("v\\a.mp4,x\n", r"list.csv:1: 'v\\\\a.mp4' has \\ in it, .*; write / between folders"),
    ],
)
def test_a_bad_list_is_named_with_its_line(tmp_path: Path, text: str, cause: str):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(BadInput, match=cause):
        open_dataset("csv", tmp_path)


def test_an_index_that_no_machine_counts_to_is_a_name_that_is_not_there(tmp_path: Path):
    (tmp_path / "list.csv").write_text(f"a.mp4,{'9' * 5000}\n")
    with pytest.raises(BadInput, match=r"list\.csv:1: "):
        open_dataset("csv", tmp_path, labels=("x", "y"))


def test_a_class_may_be_called_by_a_number_among_names(tmp_path: Path):
    (tmp_path / "list.csv").write_text("a.mp4,x\nb.mp4,1\n")
    assert rows(open_dataset("csv", tmp_path)) == [("a.mp4", 1, "all"), ("b.mp4", 0, "all")]


def test_a_path_with_spaces_may_have_a_folder_called_like_a_video(tmp_path: Path):
    (tmp_path / "list.txt").write_text("cut of a.mp4 here/b.mp4 x\n")
    assert rows(open_dataset("csv", tmp_path)) == [("cut of a.mp4 here/b.mp4", 0, "all")]


def test_numbers_that_are_all_among_the_names_are_names(tmp_path: Path):
    (tmp_path / "list.csv").write_text("a.mp4,1\nb.mp4,2\n")
    for labels, expected in (("123", [0, 1]), ("320", [1, 2]), ("xyz", [1, 2])):
        dataset = open_dataset("csv", tmp_path, labels=tuple(labels))
        assert [clip.label for clip in dataset.clips] == expected


def test_labels_that_count_from_1_are_refused_and_not_shifted(tmp_path: Path):
    for text in ("a.mp4,1\nb.mp4,3\n", "a.mp4,3.0\nb.mp4,1.0\n"):
        (tmp_path / "list.csv").write_text(text)
        told = "list.csv: its labels count from 1 to 3, and indices count from 0 to 2; take 1 off"
        with pytest.raises(BadInput, match=told):
            open_dataset("csv", tmp_path, labels=("x", "y", "z"))
        assert len(open_dataset("csv", tmp_path, labels=("w", "x", "y", "z")).clips) == 2


def test_indices_may_be_written_with_a_point(tmp_path: Path):
    (tmp_path / "list.csv").write_text("a.mp4,0.0\nb.mp4,2.0\n")
    dataset = open_dataset("csv", tmp_path, labels=("x", "y", "z"))
    assert [clip.label for clip in dataset.clips] == [0, 2]
    with pytest.raises(BadInput, match="its labels are numbers; give their names with --labels"):
        open_dataset("csv", tmp_path)


def test_videos_in_a_folder_named_for_another_class_are_told_of(tmp_path: Path):
    text = "v/playing_guitar/a.mp4,2\nv/yoga/b.mp4,1\nv/PlayingGuitar/c.mp4,0\nmore/d.mp4,0\n"
    (tmp_path / "list.csv").write_text(text)
    labels = ("playing guitar", "yoga", "archery")
    assert open_dataset("csv", tmp_path, labels=labels).notes == (
        "1 video lies in a folder named for another class: v/playing_guitar/a.mp4 (archery)",
    )
    labels = ("yoga", "archery", "playing guitar")
    assert open_dataset("csv", tmp_path, labels=labels).notes == (
        "2 videos lie in a folder named for another class: v/yoga/b.mp4 (archery), "
        "v/PlayingGuitar/c.mp4 (yoga)",
    )


def test_a_class_is_known_without_its_spaces_where_it_is_the_only_one(tmp_path: Path):
    (tmp_path / "list.csv").write_text("a.mp4,HandStandPushups\nb.mp4,handstand_pushups\n")
    dataset = open_dataset("csv", tmp_path, labels=("Archery", "HandstandPushups"))
    assert [clip.label for clip in dataset.clips] == [1, 1]
    with pytest.raises(BadInput, match=r"list.csv:1: the class 'HandStandPushups' is not among"):
        open_dataset("csv", tmp_path, labels=("Handstand pushups", "Handstandpush ups"))


def test_indices_and_names_are_checked_against_the_labels(tmp_path: Path):
    for index in (-1, 2):
        (tmp_path / "list.csv").write_text(f"a.mp4,{index}\n")
        with pytest.raises(BadInput, match=f"label {index} is not an index into the 2 labels"):
            open_dataset("csv", tmp_path, labels=("x", "y"))
    (tmp_path / "list.csv").write_text("a.mp4,x\nb.mp4,z\n")
    with pytest.raises(BadInput, match=r"list.csv:2: the class 'z' is not among the 2 labels"):
        open_dataset("csv", tmp_path, labels=("x", "y"))
