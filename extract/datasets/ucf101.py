"""UCF-101 with its official lists, `ucfTrainTestlist`."""

import re
from pathlib import Path

from corpus.errors import BadInput
from extract.datasets.base import (
    Dataset,
    existing_folder,
    inside,
    official,
    read_lines,
    same_order,
)
from extract.datasets.finding import Line, by_path, dataset_of, kept_in, lists_in, locate

_VIDEOS = ("UCF-101", "UCF101", "videos", ".")


def read(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List UCF-101's videos by its official lists.

    Args:
        root: the folder that holds `ucfTrainTestlist` (or its files in `annotations`), and the
            classes' folders in itself or in `UCF-101`.
        split: "train" or "test" of list 1; "train1" … "test3" of a list by number; "all" for
            train and test of list 1, which together hold every video once.
        labels: the classes that are expected, in their order, if any are.

    Raises:
        BadInput: a list is missing or damaged, or its classes are not UCF-101's.
    """
    existing_folder(root, "ucf101")
    lists = lists_in(root, "ucf101", "classInd.txt", "ucfTrainTestlist", "annotations")
    classes = official("ucf101", labels)
    _check_order(lists / "classInd.txt", classes.names)
    lines = []
    for part, number in parts(split, "ucf101"):
        source = lists / f"{part}list0{number}.txt"
        for line_number, line in enumerate(read_lines(source), 1):
            if not line.strip():
                continue
            where = f"{source}:{line_number}"
            # A train line ends in its label, counted from 1; a test line is the path alone.
            path, _, told = line.strip().partition(" ")
            name = inside(root, path, where)
            label = classes.label(name.split("/")[0], where)
            if told.strip() and told.strip() != str(label + 1):
                cause = f"label {told.strip()} is not {classes.names[label]}'s, {label + 1}"
                raise BadInput(where, cause, "take the official lists")
            lines.append(Line((name,), label, part, where))
    located = locate(root, lines, by_path, _VIDEOS)
    holds = kept_in("<class>/*.avi", _VIDEOS)
    return dataset_of("ucf101", root, split, classes.names, [located], holds)


def parts(split: str, name: str) -> list[tuple[str, int]]:
    """(train or test, list number) that a split's name stands for.

    Raises:
        BadInput: there is no such split.
    """
    if split == "all":
        return [("train", 1), ("test", 1)]
    match = re.fullmatch(r"(train|test)0?([123])?", split)
    if not match:
        mend = "use train, test, train1 … train3, test1 … test3, or all"
        raise BadInput(f"--split {split}", f"{name} has no such split", mend)
    return [(match[1], int(match[2] or 1))]


def _check_order(path: Path, known: tuple[str, ...]) -> None:
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
    same_order(path, names, known, "ucf101's")
