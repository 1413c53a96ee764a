"""A folder of videos with a subfolder for each class."""

from pathlib import Path

from corpus.errors import BadInput
from extract.datasets.base import (
    VIDEO_SUFFIXES,
    Classes,
    Clip,
    Dataset,
    existing_folder,
    inside,
    utf8,
    walk,
)


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
            or a subfolder that `labels` does not name.
    """
    existing_folder(root, "videos")
    base = root
    if split != "all":
        base = existing_folder(root / inside(root, split, f"--split {split}"), "videos")
    files = sorted(walk(base), key=lambda path: path.relative_to(root).parts)
    videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        cause = "empty folder" if not files else f"no video among its {len(files)} files"
        raise BadInput(base, cause, "give a folder with a subfolder of videos for each class")
    names = sorted({_class_name(path, base) for path in videos} - {""})
    classes = Classes(labels if labels is not None else names, "--labels")
    clips = []
    for path in videos:
        name = _class_name(path, base)
        label = classes.label(name, path.parent) if name else -1
        clips.append(Clip(utf8(path.relative_to(root).as_posix(), root), label, split))
    ignored = tuple(
        path.relative_to(root).as_posix().encode(errors="backslashreplace").decode()
        for path in files
        if path.suffix.lower() not in VIDEO_SUFFIXES
    )
    return Dataset("folder", root, split, classes.names, tuple(clips), ignored)


def _class_name(path: Path, base: Path) -> str:
    parts = path.relative_to(base).parts
    return utf8(parts[0], base) if len(parts) > 1 else ""
