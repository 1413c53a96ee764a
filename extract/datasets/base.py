"""A dataset is a list: videos under a root, each with a class and a split."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from corpus.errors import BadInput

_SUFFIXES = "3gp avi flv gif m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts webm wmv"
VIDEO_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())


@dataclass(frozen=True)
class Clip:
    """One video of a dataset.

    Attributes:
        video: path relative to the dataset's root, with forward slashes.
        label: index into the dataset's classes, or −1.
        split: the split it comes from.
    """

    video: str
    label: int
    split: str


@dataclass(frozen=True)
class Dataset:
    """Videos to extract, in a fixed order.

    Attributes:
        name: of the dataset, as asked for.
        root: folder that the clips' paths are relative to.
        split: as asked for.
        classes: class names; a clip's label is an index into them.
        clips: the videos; a file that is missing stays in the list and becomes a failed row.
        ignored: files under the root that are no videos, as paths relative to it.
    """

    name: str
    root: Path
    split: str
    classes: tuple[str, ...]
    clips: tuple[Clip, ...]
    ignored: tuple[str, ...] = field(default=())

    def path(self, clip: Clip) -> Path:
        """Where a clip's file is."""
        return self.root / clip.video


def existing_folder(root: Path, name: str) -> Path:
    """Return `root` when it is a folder.

    Raises:
        BadInput: it is not there, or is a file.
    """
    if not root.exists():
        mend = f"give the folder of {name} with --root, or set ALT_DATA to its parent"
        raise BadInput(root, "no such folder", mend)
    if not root.is_dir():
        raise BadInput(root, "not a folder", "give the folder that holds the videos")
    return root


def inside(root: Path, text: str, where: str) -> str:
    """Turn a path that a list names into one relative to `root`, with forward slashes.

    Args:
        root: the dataset's root.
        text: a path relative to the root, or an absolute one within it.
        where: "file:line" for the error.

    Raises:
        BadInput: the path leaves the root, or is no path at all.
    """
    path = PurePosixPath(text.strip())
    if path.is_absolute():
        absolute = PurePosixPath(root.absolute().as_posix())
        if path.is_relative_to(absolute):
            path = path.relative_to(absolute)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in text:
        raise BadInput(where, f"{text!r} is not a path under {root}", "mend the list, or --root")
    return path.as_posix()


def read_labels(path: Path) -> tuple[str, ...]:
    """Read class names from a text file, one a line, in the order of their indices.

    Raises:
        BadInput: no such file, not text, no lines, an empty line, or a name given twice.
    """
    lines = read_lines(path)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise BadInput(path, "has no labels", "give one label a line")
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        label = line.strip()
        if not label:
            mend = "remove it: a label's index is its line"
            raise BadInput(f"{path}:{number}", "is an empty line", mend)
        if label in seen:
            raise BadInput(
                f"{path}:{number}",
                f"repeats the label {label!r} of line {seen[label]}",
                "keep one of them",
            )
        seen[label] = number
    return tuple(seen)


def read_lines(path: Path) -> list[str]:
    """Lines of a text file.

    Raises:
        BadInput: it cannot be read as UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise BadInput(path, "no such file", "check its name") from error
    except IsADirectoryError as error:
        raise BadInput(path, "is a folder", "give a text file") from error
    except UnicodeDecodeError as error:
        raise BadInput(path, "not UTF-8 text", "save it as UTF-8") from error


def label_of(name: str, classes: dict[str, int], where: object, source: str) -> int:
    """Index of a class name.

    Raises:
        BadInput: the name is not among the classes.
    """
    if name not in classes:
        cause = f"the class {name!r} is not among the {len(classes)} labels of {source}"
        raise BadInput(where, cause, "add it there, or mend its spelling")
    return classes[name]


def utf8(name: str, where: Path) -> str:
    """Return a file's name when it can be stored as text.

    Raises:
        BadInput: its bytes are not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode(errors="backslashreplace").decode()
        raise BadInput(where / shown, "its name is not UTF-8", "rename it") from error
    return name
