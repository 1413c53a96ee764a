"""Kinetics-400, 600 and 700 with the official annotation files, in the layouts people have."""

import csv
from collections.abc import Iterator
from pathlib import Path

from corpus.errors import BadInput
from extract.datasets.base import Dataset, existing_folder, official, read_lines
from extract.datasets.finding import Line, by_stem, dataset_of, kept_in, locate

_PARTS = {"train": ("train",), "val": ("val", "validate", "validation"), "test": ("test",)}
_FOLDERS = ("videos_{}", "{}", "{}_256", "videos/{}")  # of a split's videos
_SHARED = ("videos", ".")


def read_k400(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List Kinetics-400; see `_read`."""
    return _read("400", root, split, labels)


def read_k600(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List Kinetics-600; see `_read`."""
    return _read("600", root, split, labels)


def read_k700(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List Kinetics-700; see `_read`."""
    return _read("700", root, split, labels)


def _read(number: str, root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List Kinetics' videos by an official annotation file.

    A video is found by its name, `<id>_<start>_<end>` with six digits each, or `<id>` alone, at
    any depth of the split's folder: so flat, by class, or in the parts that the archives unpack
    to. A video of the annotations that is not there stays in the list, to be counted.

    Args:
        number: "400", "600" or "700".
        root: holds the annotations (`train.csv`, `kinetics400_train.csv`, `annotations/…`) and
            the videos (`train`, `videos_train`, `train_256`, … or all in one).
        split: "train", "val" or "test"; "all" for those that have annotations.
        labels: the classes that are expected, in their order, if any are.

    Raises:
        BadInput: no annotations, or damaged ones, or a class that is not Kinetics'.
    """
    name = f"k{number}"
    existing_folder(root, name)
    if split not in (*_PARTS, "all"):
        raise BadInput(f"--split {split}", f"{name} has no such split", "use train, val, test, all")
    classes = official(name, labels)
    sources = {part: _annotations(root, number, part) for part in _PARTS}
    parts = [part for part in _PARTS if split == part or (split == "all" and sources[part])]
    located = []
    for part in parts or ["train"]:
        source = sources[part]
        if source is None:
            cause = f"holds no annotations such as {part}.csv or kinetics{number}_{part}.csv"
            raise BadInput(root, cause, "put the official file there")
        try:
            rows = list(_rows(source))
        except csv.Error as error:  # as when a quote is never closed
            raise BadInput(source, f"not CSV ({error})", "take the official file") from error
        lines = []
        for label, stem, video_id, where in rows:
            index = classes.label(label, where) if label else -1
            lines.append(Line((f"{stem}.mp4", f"{video_id}.mp4"), index, part, where))
        located.append(locate(root, lines, by_stem, _folders(part), _SHARED))
    usual = [folder.format("<split>") for folder in _FOLDERS]
    holds = kept_in("<id>_<start>_<end>.mp4", (*usual, *_SHARED))
    return dataset_of(name, root, split, classes.names, located, holds)


def _annotations(root: Path, number: str, part: str) -> Path | None:
    stems = [
        f"{prefix}{name}"
        for name in _PARTS[part]
        for prefix in ("", f"kinetics{number}_", f"kinetics-{number}_", f"kinetics_{number}_")
    ]
    stems += [f"k{number}_{name}" for name in _PARTS[part]]
    for folder in (root, root / "annotations"):
        for stem in stems:
            if (folder / f"{stem}.csv").is_file():
                return folder / f"{stem}.csv"
    return None


def _folders(part: str) -> list[str]:
    """What the folder of a split's videos may be called, in the order they are looked in."""
    return [folder.format(name) for name in _PARTS[part] for folder in _FOLDERS]


def _rows(source: Path) -> Iterator[tuple[str, str, str, str]]:
    """(label, name with times, id, place) of each line of an annotation file."""
    lines = read_lines(source)
    rows = csv.DictReader(lines, strict=True)
    needed = {"youtube_id", "time_start", "time_end"}
    if not needed <= set(rows.fieldnames or ()):
        cause = f"has no columns {', '.join(sorted(needed))} in its first line"
        raise BadInput(source, cause, "take the official file")
    empty = True
    for row in rows:
        where = f"{source}:{rows.line_num}"
        video_id = row["youtube_id"] or ""
        try:
            start, end = (round(float(row[name])) for name in ("time_start", "time_end"))
        except (TypeError, ValueError, OverflowError) as error:
            raise BadInput(where, "its times are not numbers", "take the official file") from error
        if not video_id or set("/\\\0") & set(video_id) or video_id.startswith("."):
            raise BadInput(where, f"{video_id!r} is not a video's id", "take the official file")
        empty = False
        # Some hands quote labels with a trailing space, or leave them out for the test split.
        yield (row.get("label") or "").strip(), f"{video_id}_{start:06d}_{end:06d}", video_id, where
    if empty:
        raise BadInput(source, "has no rows", "take the official file")
