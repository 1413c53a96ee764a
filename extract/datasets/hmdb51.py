"""HMDB-51 with its official lists, `testTrainMulti_7030_splits`."""

from pathlib import Path

from corpus.errors import BadInput
from extract.datasets.base import Dataset, existing_folder, inside, official, read_lines
from extract.datasets.finding import Line, by_path, dataset_of, kept_in, lists_in, locate
from extract.datasets.ucf101 import parts

_LISTS = "testTrainMulti_7030_splits"
_VIDEOS = ("videos", "hmdb51_org", "hmdb51", ".")
_MARKS = {"0": "unused", "1": "train", "2": "test"}


def read(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List HMDB-51's videos by its official lists.

    Args:
        root: the folder that holds the lists' folder (also in `test_train_splits`, or its files in
            `annotations`), and the classes' folders in itself or in `videos` or `hmdb51_org`.
        split: "train" or "test" of list 1; "train1" … "test3" of a list by number; "all" for
            every video of list 1, those it leaves unused included.
        labels: the classes that are expected, in their order, if any are.

    Raises:
        BadInput: a list is missing or damaged, or its classes are not HMDB-51's.
    """
    existing_folder(root, "hmdb51")
    folders = (_LISTS, f"test_train_splits/{_LISTS}", "annotations")
    lists = lists_in(root, "hmdb51", "*_test_split[123].txt", *folders)
    classes = official("hmdb51", labels)
    ((wanted, number), *_) = parts(split, "hmdb51")
    ending = f"_test_split{number}.txt"
    found: dict[int, list[Line]] = {}
    for source in sorted(lists.glob(f"*{ending}")):
        name = source.name.removesuffix(ending)
        label = classes.label(name, source)
        found[label] = []
        for line_number, line in enumerate(read_lines(source), 1):
            if not line.strip():
                continue
            where = f"{source}:{line_number}"
            path, _, mark = line.strip().rpartition(" ")
            if mark not in _MARKS or not path:
                raise BadInput(where, "not `video 0|1|2`", "take the official lists")
            video = f"{name}/{inside(root / name, path, where)}"
            if split == "all" or _MARKS[mark] == wanted:
                found[label].append(Line((video,), label, _MARKS[mark], where))
    missing = [name for label, name in enumerate(classes.names) if label not in found]
    if missing:
        cause = f"has no list {number} of {len(missing)} classes ({missing[0]!r} the first)"
        raise BadInput(lists, cause, "take the official lists")
    lines = [line for label in sorted(found) for line in found[label]]
    located = locate(root, lines, by_path, _VIDEOS)
    holds = kept_in("<class>/*.avi", _VIDEOS)
    return dataset_of("hmdb51", root, split, classes.names, [located], holds)
