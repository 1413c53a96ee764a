"""A folder of videos with a subfolder for each class."""

import re
from pathlib import Path

from corpus.errors import BadInput
from corpus.words import counted, some
from extract.datasets.base import (
    VIDEO_SUFFIXES,
    Classes,
    Clip,
    Dataset,
    existing_folder,
    inside,
    is_aside,
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
    base = root
    if split != "all":
        part = root / inside(root, split, f"--split {split}")
        base = existing_folder(part, "videos", "mend --split, which is a folder in --root")
    files = sorted(walk(base), key=lambda path: path.relative_to(root).parts)
    videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        cause = "empty folder" if not files else f"no video among its {counted(len(files), 'file')}"
        raise BadInput(base, cause, "give a folder with a subfolder of videos for each class")
    names = sorted({_class_name(path, base) for path in videos} - {""})
    folders = sorted(path.name for path in base.iterdir() if path.is_dir())
    folders = [name for name in folders if not is_aside(name)]
    _check_classes(base, names, folders, videos, labels or ())
    classes = Classes(labels if labels is not None else names, "--labels")
    clips = []
    for path in videos:
        name = _class_name(path, base)
        label = classes.label(name, path.parent) if name else -1
        clips.append(Clip(utf8(path.relative_to(root).as_posix(), root), label, split))
    others = [path for path in files if path.suffix.lower() not in VIDEO_SUFFIXES]
    told = (
        (_names(root, others), "file is no video", "files are no videos"),
        (
            [name for name in folders if name not in names],
            "folder holds no video, and is no class",
            "folders hold no video, and are no classes",
        ),
        (
            _names(root, [path for path in videos if path.parent == base]),
            "video lies in no class's folder, and gets no label",
            "videos lie in no class's folder, and get no label",
        ),
    )
    notes = tuple(some(*what) for what in told if what[0])
    return Dataset("folder", root, split, classes.names, tuple(clips), notes)


def _names(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def _check_classes(
    base: Path, names: list[str], folders: list[str], videos: list[Path], labels: tuple[str, ...]
) -> None:
    """Refuse classes that are splits by their names; an action may be a training, or a test, too.

    They are splits where they hold folders of videos and there are no others; and where they are
    of several splits, and two hold such folders, or one is for validation, or there are no others.

    Args:
        base: the folder they are in.
        names: the classes, as it seems.
        folders: all folders there are, with videos or without.
        videos: what is in them.
        labels: what the user says are classes.

    Raises:
        BadInput: they are splits.
    """
    flat = {path.parent.name for path in videos if path.parent.parent == base}
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


def _class_name(path: Path, base: Path) -> str:
    parts = path.relative_to(base).parts
    return utf8(parts[0], base) if len(parts) > 1 else ""
