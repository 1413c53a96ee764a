"""A dataset is a list: videos under a root, each with a class and a split."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from corpus.errors import BadInput
from corpus.labels import load_labels, readable
from corpus.words import counted
from extract.datasets.within import Within
from extract.manifest import list_hash

_SUFFIXES = "3gp avi flv gif m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts webm wmv"
_DEEPEST = 100  # folders in one another, in which videos are looked for
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
        notes: a line each of what was left out of the list, or is odd about it.
        holds: of an official list, which nobody is to mend: what the root has to hold.
        part: "i/n" when the clips are the i-th of n parts of the dataset, else "".
        start, whole_clips, whole_hash: of a part: see `CacheManifest`.
    """

    name: str
    root: Path
    split: str
    classes: tuple[str, ...]
    clips: tuple[Clip, ...] = field(repr=False)  # a notebook would choke on them
    notes: tuple[str, ...] = ()
    holds: str = ""
    part: str = ""
    start: int = 0
    whole_clips: int = 0
    whole_hash: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))
        object.__setattr__(self, "clips", tuple(self.clips))

    def path(self, clip: Clip) -> Path:
        """Where a clip's file is."""
        return self.root / clip.video

    def has(self, clip: Clip) -> bool:
        """Whether a clip's file is there; one that may not even be looked for is not."""
        return os.path.isfile(self.path(clip))  # Path.is_file would raise

    def check_there(self) -> None:
        """Refuse a dataset that lists no video, or no class of its own, or has none of its files.

        Raises:
            BadInput: so it is.
        """
        if not self.clips:
            raise BadInput(self.root, f"lists no video of {self.split!r}", "mend it, or --split")
        for clip in self.clips:
            if type(clip.label) is not int or type(clip.video) is not str:
                cause = f"{clip.video!r} with label {clip.label!r} is not a str with an int"
                raise BadInput("clips", cause, "make them so")
            if not -1 <= clip.label < len(self.classes):
                cause = f"has label {clip.label}, and there are {len(self.classes)} classes"
                raise BadInput(clip.video, cause, "use an index into them, or -1 for none")
        if not any(self.has(clip) for clip in self.clips):
            count, first = len(self.clips), self.clips[0].video
            cause = f"none of the {count} files that the list names is there, such as {first}"
            if count == 1:
                cause = f"the only file that the list names is not there: {first}"
            mend = "put the list into, or give as --root, the folder that its paths begin in"
            if self.holds:
                mend = f"give a --root that holds {self.holds}, where they were looked for"
            raise BadInput(self.root, cause, mend)

    def shard(self, part: str, block: int) -> "Dataset":
        """The i-th of n parts, for many machines; `alt-features merge` joins their caches.

        Args:
            part: "i/n", i counted from 1.
            block: parts are cut at multiples of this many clips. With the extraction's checkpoint
                the merged cache is, byte for byte, that of one machine alike.

        Raises:
            BadInput: not i/n, more parts than blocks, or, of the whole, as `check_there` says: a
                part may have none of its files, and is needed all the same.
        """
        self.check_there()
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", part, re.ASCII)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise BadInput(f"--shard {part}", "not i/n with i from 1 to n", "as in 3/8")
        index, count = int(match[1]), int(match[2])
        blocks = -(-len(self.clips) // block)
        if blocks < count:
            videos, cut = counted(len(self.clips), "video"), counted(blocks, "block")
            cause = f"{videos} in blocks of {block} make {cut}, not {count} parts"
            most = (len(self.clips) - 1) // (count - 1)
            smaller = f", or for all of them at most --checkpoint {most}" if most > 0 else ""
            raise BadInput(f"--shard {part}", cause, f"use fewer parts{smaller}")
        start, stop = (blocks * i // count * block for i in (index - 1, index))
        return replace(
            self,
            clips=self.clips[start:stop],
            part=f"{index}/{count}",  # however it was padded
            start=start,
            whole_clips=len(self.clips),
            whole_hash=list_hash((c.video, c.label, c.split) for c in self.clips),
        )


def existing_folder(root: Path, name: str, mend: str = "") -> Path:
    """Return `root` when it is a folder.

    Args:
        root: the dataset's root, or a folder in it.
        name: of the dataset.
        mend: what to do where there is no such folder, for one in the root.

    Raises:
        BadInput: it is not there, or is a file.
    """
    if not root.exists():
        whole = f"give the folder of {name} with --root, or as $ALT_DATA/<dataset>"
        raise BadInput(root, "no such folder", mend or whole)
    if not root.is_dir():
        raise BadInput(root, "not a folder", "give the folder that holds the videos")
    return root


def inside(root: Path, text: str, where: str, mend: str = "mend it, or --root") -> str:
    """Turn a path that a list names into one relative to `root`, with forward slashes.

    Args:
        root: the dataset's root.
        text: a path relative to the root, or an absolute one within it.
        where: "file:line", or the option, for the error.
        mend: what to do about one that leaves it.

    Raises:
        BadInput: the path leaves the root, or is no path at all.
    """
    return Within(root).relative(text, where, mend)


def read_lines(path: Path) -> list[str]:
    """Lines of a text file; a path may have Unicode's line separators, which end none.

    Raises:
        BadInput: it cannot be read as UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError as error:
        raise BadInput(path, "no such file", "check its name") from error
    except IsADirectoryError as error:
        raise BadInput(path, "is a folder", "give a text file") from error
    except UnicodeDecodeError as error:
        raise BadInput(path, "not UTF-8 text", "save it as UTF-8") from error


class Classes:
    """Class names in the order of their indices.

    Args:
        names: the names.
        source: where they come from, for errors.
        other: what to do about a name that is none of them but mend its spelling.
    """

    def __init__(
        self, names: Iterable[str], source: str, other: str = "give --labels that have it"
    ) -> None:
        self.names, self.source, self._other = tuple(names), source, other
        # Folders spell "shoot bow" as "shoot_bow": the exact name first, then how it reads.
        self._index = {readable(name): number for number, name in enumerate(self.names)}
        self._index |= {name: number for number, name in enumerate(self.names)}

    def label(self, name: str, where: object) -> int:
        """Index of a class name.

        Raises:
            BadInput: the name is not among the classes; `where` names the place.
        """
        index = self._index.get(name)
        if index is None:  # only then, as this takes its time
            index = self._index.get(readable(name))
        if index is None:
            labels = counted(len(self.names), "label")
            cause = f"the class {name!r} is not among the {labels} of {self.source}"
            raise BadInput(where, cause, f"mend its spelling, or {self._other}")
        return index


def official(name: str, labels: tuple[str, ...] | None) -> Classes:
    """The classes of a public dataset, in the order everybody reports them.

    Args:
        name: of the dataset and of our bundled label set.
        labels: what the user believes they are, if anything; checked.

    Raises:
        BadInput: `labels` are others, or in another order.
    """
    (known,) = load_labels(name)
    if labels is not None:
        same_order("--labels", labels, known.labels, f"{name}'s")
    return Classes(known.labels, name, "take the official list")


def same_order(where: object, told: Sequence[str], known: Sequence[str], whose: str) -> None:
    """Refuse a list of classes that is not the known one, naming the first difference.

    Raises:
        BadInput: the lists differ.
    """
    for number, (a, b) in enumerate(zip_longest(told, known), 1):
        if a is None or b is None or readable(a) != readable(b):
            cause = f"class {number} is {a!r}, and {whose} is {b!r}"
            raise BadInput(where, cause, "take the official list, in its order")


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


def is_video(name: str) -> bool:
    """Tell whether a file is a video by its name."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES


def walk(folder: Path, inner: str = "", above: frozenset[str] = frozenset()) -> Iterator[str]:
    """Paths within a folder of the files at any depth, by name; hidden ones are not data.

    Links to folders are followed, but for those that lead back to a folder they are in. What is
    found does not hang on the order in which a file system names its entries.

    Args:
        folder: whose files.
        inner: where in it to look, "" or a path that ends in a slash.
        above: real paths of the folders that this is in, so far as they were walked.

    Raises:
        BadInput: a folder, or what a link leads to, cannot be read, or folders lie too deep.
    """
    # `pathlib` takes most of the time that a large dataset takes.
    here = os.path.join(folder, inner)
    above |= {os.path.realpath(here)}
    if len(above) > _DEEPEST:
        cause = f"lies in more than {_DEEPEST} folders"
        raise BadInput(Path(here), cause, "put the videos nearer to --root")
    try:
        with os.scandir(here) as entries:
            seen = [entry for entry in entries if not is_aside(entry.name)]
            found = sorted((entry.name, entry.is_dir()) for entry in seen)
    except OSError as error:
        where, cause = Path(error.filename), f"cannot be read ({error.strerror})"
        raise BadInput(where, cause, "see to its permissions and its disk") from error
    for name, is_folder in found:
        if not is_folder:
            yield inner + name
        elif os.path.realpath(here + name) not in above:
            yield from walk(folder, f"{inner}{name}/", above)


def is_aside(name: str) -> bool:
    """Tell whether an entry is hidden, or the file system's own where a disk is the root."""
    return name.startswith(".") or name == "lost+found"
