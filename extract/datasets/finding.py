"""Where the videos of an official list are, in the layouts that people have."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus.errors import BadInput
from corpus.words import counted
from extract.datasets.base import Clip, Dataset, existing_folder, is_video, utf8, walk
from extract.datasets.repeats import once

Find = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Line:
    """What an official list says of a video.

    Attributes:
        names: what its file may be called, the likeliest first.
        label, split: as a clip has them.
        where: the place that says so: "file:line".
    """

    names: tuple[str, ...]
    label: int
    split: str
    where: str


@dataclass(frozen=True)
class Located:
    """The clips of some lines.

    Attributes:
        rows: clips, each with the place that names it.
        there: videos that are there.
        notes: what is odd about the places.
    """

    rows: list[tuple[Clip, str]]
    there: frozenset[str]
    notes: tuple[str, ...]


def locate(
    root: Path,
    lines: Sequence[Line],
    index: Callable[[Path], Find],
    own: Sequence[str],
    shared: Sequence[str] = (),
    over: Sequence[str] = (),
) -> Located:
    """Look for videos in the folders where people put them.

    Each is taken from the first folder that has it. One that is nowhere is expected, by its first
    name, in the first folder that has any, or else in the first that is there.

    Args:
        root: the dataset's root.
        lines: the videos.
        index: looks into a folder: `by_path` or `by_stem`.
        own: folders in the root, in the order they are looked in; "." is the root.
        shared: large folders of all splits; each is looked in while nothing was found but in
            `over`.
        over: folders of what is to be taken in place of files elsewhere, looked in first.

    Raises:
        BadInput: a folder cannot be read, or a file's name cannot be stored.
    """
    found: dict[int, str] = {}
    homes = Counter[str]()
    there = [name for name in (*over, *own, *shared) if (root / name).is_dir()]
    for folder in there:
        if folder in shared and homes.keys() - set(over):
            break
        find = index(root / folder)
        for number, line in enumerate(lines):
            if number not in found:
                name = next(filter(None, map(find, line.names)), None)
                if name is not None:
                    found[number] = utf8(_joined(folder, name), root)
                    homes[folder] += 1
    home = next((name for name in (*homes, *there, ".") if name not in over), ".")
    videos = [found.get(n) or _joined(home, line.names[0]) for n, line in enumerate(lines)]
    rows = [
        (Clip(video, line.label, line.split), line.where)
        for video, line in zip(videos, lines, strict=True)
    ]
    told = []
    if len(homes) > 1:
        shares = ", ".join(f"{homes[folder]} in {_called(folder)}" for folder in homes)
        splits = " and ".join(dict.fromkeys(line.split for line in lines))
        told = [f"videos of {splits} lie in several folders: {shares}"]
    return Located(rows, frozenset(found.values()), tuple(told))


def dataset_of(
    name: str,
    root: Path,
    split: str,
    classes: tuple[str, ...],
    located: Iterable[Located],
    holds: str,
    told: Iterable[str] = (),
) -> Dataset:
    """Make a dataset of located videos, and tell of splits that are listed and not there.

    Args:
        name, root, split, classes, holds: as `Dataset` has them.
        located: the videos.
        told: further notes.
    """
    located = list(located)
    clips, notes = once(row for part in located for row in part.rows)
    there = frozenset[str]().union(*(part.there for part in located))
    odd = [note for part in located for note in part.notes]
    notes = (*notes, *odd, *told, *_absent(clips, there))
    return Dataset(name, root, split, classes, clips, notes, holds=holds)


def _absent(clips: Sequence[Clip], there: frozenset[str]) -> list[str]:
    """A note of each split that has no file, where others have."""
    listed = Counter(clip.split for clip in clips)
    found = dict.fromkeys(clip.split for clip in clips if clip.video in there)
    named = " or ".join(f"--split {part}" for part in found if part != "unused")
    mend = f"; to leave them out use {named}" if named else ""
    return [
        f"{part} is listed with {counted(count, 'video')}, and none is there: failed rows{mend}"
        for part, count in listed.items()
        if found and part not in found
    ]


def by_path(folder: Path) -> Find:
    """Find a folder's files by their paths in it.

    Where none is called just so, one is taken that has letters of other case (UCF-101's lists and
    its archive differ in that) or another suffix, as videos have that were converted.
    """
    looked: dict[str, tuple[str, dict[str, list[str]]]] = {}

    def find(name: str) -> str | None:
        above, _, last = name.rpartition("/")
        if above not in looked:
            real = _real(folder, above)
            known: dict[str, list[str]] = {}
            for file in filter(is_video, _names(folder / real)):
                known.setdefault(os.path.splitext(file)[0].casefold(), []).append(file)
            looked[above] = real, known
        real, known = looked[above]
        stem, _ = os.path.splitext(last)
        alike = known.get(stem.casefold(), [])
        if len(alike) > 1:
            alike = sorted(alike, key=lambda file: (file != last, not file.startswith(stem)))
        return _first_filled(folder, [_joined(real, file) for file in alike])

    return find


def by_stem(folder: Path) -> Find:
    """Find a folder's videos by their names without suffix, at any depth."""
    known: dict[str, list[str]] = {}
    for name in filter(is_video, walk(folder)):
        known.setdefault(os.path.splitext(name.rpartition("/")[2])[0], []).append(name)
    return lambda name: _first_filled(folder, known.get(os.path.splitext(name)[0], []))


def lists_in(root: Path, name: str, pattern: str, *folders: str) -> Path:
    """The first of these folders that has an official list.

    Args:
        root: the dataset's root.
        name: of the dataset.
        pattern: what its lists are called.
        folders: in the root, the official one first.

    Raises:
        BadInput: none has one, and the first is not there.
    """
    for folder in folders:
        if any((root / folder).glob(pattern)):
            return root / folder
    mend = f"put the official {folders[0]} there, or mend --root"
    return existing_folder(root / folders[0], name, mend)


def kept_in(form: str, folders: Sequence[str]) -> str:
    """Say in which folders of a root files are looked for: "*.mp4 in a/, b/ or right in it"."""
    named = ", ".join(f"{folder}/" for folder in folders if folder != ".")
    return f"{form} in {named} or right in it"


def _real(folder: Path, inner: str) -> str:
    """A folder's path in another as the disk has it, where letters may differ in case."""
    real = ""
    for part in filter(None, inner.split("/")):
        names = _names(folder / real)
        alike = (name for name in names if name.casefold() == part.casefold())
        real = _joined(real, part if part in names else next(alike, part))
    return real


def _names(folder: Path) -> list[str]:
    """What is in a folder, by name; nothing where there is none."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        cause = f"cannot be read ({error.strerror})"
        raise BadInput(folder, cause, "see to its permissions and its disk") from error


def _first_filled(folder: Path, names: Sequence[str]) -> str | None:
    """The first that is not empty, of files that may each be the one, or else the first."""
    if len(names) < 2:
        return names[0] if names else None
    return next((name for name in names if _size(folder / name)), names[0])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # such as a link to nothing
        return 0


def _joined(folder: str, name: str) -> str:
    return name if folder in ("", ".") else f"{folder}/{name}"


def _called(folder: str) -> str:
    return "the root" if folder == "." else f"{folder}/"
