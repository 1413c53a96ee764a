"""A folder of videos with a subfolder for each class."""

import os
from collections.abc import Iterator
from pathlib import Path

from corpus.errors import BadInput
from extract.datasets.base import VIDEO_SUFFIXES, Clip, Dataset, existing_folder, label_of, utf8


def read(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List a folder whose subfolders are named for their classes.

    Videos may lie deeper within a class's folder. Videos directly in the root have no class
    (label −1). With a split other than "all", the classes are looked for in `root/split`.

    Args:
        root: the folder.
        split: "all", or a subfolder such as "train".
        labels: class names in their order; by default the subfolders' names, sorted.

    Raises:
        BadInput: no such folder, no video in it, or a subfolder that `labels` does not name.
    """
    existing_folder(root, "videos")
    base = existing_folder(root / split, "videos") if split != "all" else root
    files = sorted(_files(base), key=lambda path: path.relative_to(root).parts)
    videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        cause = "empty folder" if not files else f"no video among its {len(files)} files"
        raise BadInput(base, cause, "give a folder with a subfolder of videos for each class")
    names = sorted({_class_name(path, base) for path in videos} - {""})
    classes = labels if labels is not None else tuple(names)
    index = {name: number for number, name in enumerate(classes)}
    clips = []
    for path in videos:
        name = _class_name(path, base)
        label = label_of(name, index, path.parent, "--labels") if name else -1
        clips.append(Clip(utf8(path.relative_to(root).as_posix(), root), label, split))
    ignored = tuple(
        path.relative_to(root).as_posix().encode(errors="backslashreplace").decode()
        for path in files
        if path.suffix.lower() not in VIDEO_SUFFIXES
    )
    return Dataset("folder", root, split, classes, tuple(clips), ignored)


def _class_name(path: Path, base: Path) -> str:
    parts = path.relative_to(base).parts
    return utf8(parts[0], base) if len(parts) > 1 else ""


def _files(folder: Path) -> Iterator[Path]:
    """Files at any depth, links to folders followed once; hidden ones are not data."""
    entered = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        entered.add(os.path.realpath(parent))
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(Path(parent, name)) not in entered
        ]
        yield from (Path(parent, name) for name in names if not name.startswith("."))
