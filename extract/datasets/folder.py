"""A folder of videos with a subfolder for each class."""

import re
from pathlib import Path

from corpus.errors import BadInput
from corpus.words import counted, some
from extract.datasets.base import (
    Classes,
    Clip,
    Dataset,
    existing_folder,
    inside,
    is_aside,
    is_video,
    utf8,
    walk,
)
from extract.datasets.splits import WORDS

_REPLACED = "replacement"  # the folder of what CVDF gives out anew of Kinetics


def read(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List a folder whose subfolders are named for their classes.

    Videos may lie deeper within a class's folder. Videos directly in the root have no class
    (label −1). With a split other than "all", the classes are looked for in `root/split`.

    Args:
        root: the folder.
        split: "all", or a subfolder such as "train".
        labels: class names in their order; by default the subfolders' names, sorted.

    Raises:
        BadInput: no such folder, one that cannot be read or is not in the root, no video in it,
            subfolders that are splits rather than classes, or one that `labels` does not name.
    """
    existing_folder(root, "videos")
    base, before = root, ""
    if split != "all":
        before = inside(root, split, f"--split {split}") + "/"
        base = existing_folder(root / before, "videos", "mend --split, which is a folder in --root")
    files = list(walk(base))
    videos = list(filter(is_video, files))
    if not videos:
        cause = "empty folder" if not files else f"no video among its {counted(len(files), 'file')}"
        raise BadInput(base, cause, "give a folder with a subfolder of videos for each class")
    names = sorted(utf8(name, base) for name in {*map(_class_name, videos)} - {""})
    folders = sorted(path.name for path in base.iterdir() if path.is_dir())
    folders = [name for name in folders if not is_aside(name)]
    _check_classes(base, names, folders, videos, labels or ())
    classes = Classes(labels if labels is not None else names, "--labels")
    index = {"": -1} | {name: classes.label(name, base / name) for name in names}
    clips = [Clip(utf8(before + path, root), index[_class_name(path)], split) for path in videos]
    told = (
        (
            [before + path for path in files if not is_video(path)],
            "file is no video",
            "files are no videos",
        ),
        (
            [name for name in folders if name not in names],
            "folder holds no video, and is no class",
            "folders hold no video, and are no classes",
        ),
        (
            [before + path for path in videos if not _class_name(path)],
            "video lies in no class's folder, and gets no label",
            "videos lie in no class's folder, and get no label",
        ),
    )
    notes = tuple(some(*what) for what in told if what[0])
    return Dataset("folder", root, split, classes.names, tuple(clips), notes)


def _check_classes(
    base: Path, names: list[str], folders: list[str], videos: list[str], labels: tuple[str, ...]
) -> None:
    """Refuse classes that are splits by their names; an action may be a training, or a test, too.

    They are splits where they hold folders of videos and there are no others; and where they are
    of several splits, and two hold such folders, or one is for validation, or there are no others.

    Args:
        base: the folder they are in.
        names: the classes, as it seems.
        folders: all folders there are, with videos or without.
        videos: what is in them, by paths in `base`.
        labels: what the user says are classes.

    Raises:
        BadInput: they are splits.
    """
    flat = {_class_name(path) for path in videos if path.count("/") == 1}
    splits = {name: _split(name) for name in folders if _split(name) and name not in labels}
    filled = [name for name in names if name in splits]
    deep = [name for name in filled if name not in flat]
    of = set(splits.values())
    several = len(of) > 1 and (len(deep) > 1 or "validation" in of or filled == names)
    if filled and (several or deep == names):
        with_classes = ", with a folder for each class" if deep else ""
        cause = f"its folders {', '.join(splits)} look like splits{with_classes}"
        like = min(filled, key=lambda name: splits[name] == _REPLACED)
        mend = f"give one of them, as in --split {like}, or name classes with --labels"
        raise BadInput(base, cause, mend)


def _split(name: str) -> str:
    """The part that a folder's name has a word of, as in `videos_train` or `val_256`, or ""."""
    if name.lower() == _REPLACED:
        return _REPLACED
    words = re.split("[^a-z]+", name.lower())
    return next((part for word in words for part in WORDS if word in WORDS[part]), "")


def _class_name(path: str) -> str:
    """The outermost folder that a video is in, or ""."""
    return path.partition("/")[0] if "/" in path else ""
