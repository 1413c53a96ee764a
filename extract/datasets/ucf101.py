"""UCF-101 with its official lists, `ucfTrainTestlist`."""

import re
from pathlib import Path

from corpus.errors import BadInput
from extract.datasets.base import Clip, Dataset, existing_folder, inside, label_of, read_lines

_FOLDERS = ("UCF-101", "UCF101", "videos", ".")


def read(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List UCF-101's videos by its official lists.

    Args:
        root: the folder that holds `ucfTrainTestlist`, and the classes' folders in itself or in
            `UCF-101`.
        split: "train" or "test" of list 1; "train1" … "test3" of a list by number; "all" for
            train and test of list 1, which together hold every video once.
        labels: the classes that are expected, in their order; checked against `classInd.txt`.

    Raises:
        BadInput: a list is missing or damaged, or its classes are not `labels`.
    """
    existing_folder(root, "ucf101")
    lists = existing_folder(root / "ucfTrainTestlist", "ucf101")
    classes = _classes(lists / "classInd.txt")
    if labels is not None and labels != classes:
        pairs = enumerate(zip(labels, classes, strict=False), 1)
        shorter = min(len(labels), len(classes))
        first = next((i for i, (told, ours) in pairs if told != ours), shorter + 1)
        cause = f"differs from {lists / 'classInd.txt'} at class {first}"
        raise BadInput("--labels", cause, "leave --labels out, or mend it")
    videos = next(f for f in _FOLDERS if f == "." or (root / f).is_dir())
    index = {name: number for number, name in enumerate(classes)}
    clips = []
    for part, number in _parts(split):
        source = lists / f"{part}list0{number}.txt"
        for line_number, line in enumerate(read_lines(source), 1):
            if not line.strip():
                continue
            where = f"{source}:{line_number}"
            # A train line ends in its label, counted from 1; a test line is the path alone.
            path, _, told = line.strip().partition(" ")
            name = inside(root / videos, path, where)
            label = label_of(name.split("/")[0], index, where, "classInd.txt")
            if told.strip() and told.strip() != str(label + 1):
                cause = f"label {told.strip()} is not {classes[label]}'s, {label + 1}"
                raise BadInput(where, cause, "take the official lists")
            clips.append(Clip(name if videos == "." else f"{videos}/{name}", label, part))
    return Dataset("ucf101", root, split, classes, tuple(clips))


def _classes(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        index, _, name = line.strip().partition(" ")
        if index != str(len(names) + 1) or not name:
            raise BadInput(
                f"{path}:{number}", "not `index name` in order", "take the official file"
            )
        names.append(name)
    return tuple(names)


def _parts(split: str) -> list[tuple[str, int]]:
    if split == "all":
        return [("train", 1), ("test", 1)]
    match = re.fullmatch(r"(train|test)0?([123])?", split)
    if not match:
        mend = "use train, test, train1 … train3, test1 … test3, or all"
        raise BadInput(f"--split {split}", "ucf101 has no such split", mend)
    return [(match[1], int(match[2] or 1))]
