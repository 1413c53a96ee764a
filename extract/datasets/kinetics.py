"""Kinetics-400, 600 and 700 with the official annotation files, in the layouts people have."""

import csv
import filecmp
from collections.abc import Iterator
from pathlib import Path

from corpus.errors import BadInput
from extract.datasets.base import (
    Dataset,
    existing_folder,
    is_video,
    official,
    read_lines,
    walk,
)
from extract.datasets.finding import Line, by_stem, dataset_of, kept_in, locate

_PARTS = {"train": ("train",), "val": ("val", "validate", "validation"), "test": ("test",)}
_FOLDERS = ("videos_{}", "{}", "{}_256", "videos/{}")  # of a split's videos
_SHARED = ("videos", ".")
_REPLACED = ("replacement", "replacement_for_corrupted_k400")  # files that CVDF gives out anew


def read(number: str, root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List Kinetics' videos by an official annotation file.

    A video is found by its name, `<id>_<start>_<end>` with six digits each, or `<id>` alone, at
    any depth of the split's folder: so flat, by class, or in the parts that the archives unpack
    to. A video of the annotations that is not there stays in the list, to be counted.

    Args:
        number: "400", "600" or "700".
        root: holds the annotations (`train.csv`, `kinetics400_train.csv`, `annotations/…`) and
            the videos (`train`, `videos_train`, `train_256`, … or all in one). What is in
            `replacement` goes before files of the same name elsewhere.
        split: "train", "val" (or "validate") or "test"; "all" for those that have annotations.
        labels: the classes that are expected, in their order, if any are.

    Raises:
        BadInput: no annotations, or damaged ones, or a class that is not Kinetics'.
    """
    name = f"k{number}"
    existing_folder(root, name)
    wanted = [part for part in _PARTS if split == "all" or split in _PARTS[part]]
    if not wanted:
        raise BadInput(f"--split {split}", f"{name} has no such split", "use train, val, test, all")
    classes = official(name, labels)
    sources = {part: _annotations(root, number, part) for part in wanted}
    if not any(sources.values()):
        part = wanted[0]
        cause = f"holds no annotations such as {part}.csv or kinetics{number}_{part}.csv"
        raise BadInput(root, cause, "put the official file there")
    located, told = [], []
    for part in wanted:
        if not sources[part]:
            told += _left_out(root, part)
            continue
        source, *more = sources[part]
        others = [path for path in more if not filecmp.cmp(path, source, shallow=False)]
        if others:
            names = [path.relative_to(root).as_posix() for path in (source, *others)]
            told.append(f"{part} is read from {names[0]}, and not from {', '.join(names[1:])}")
        try:
            rows = list(_rows(source))
        except csv.Error as error:  # as when a quote is never closed
            raise BadInput(source, f"not CSV ({error})", "take the official file") from error
        lines = []
        for label, stem, video_id, where in rows:
            index = classes.label(label, where) if label else -1
            lines.append(Line((f"{stem}.mp4", f"{video_id}.mp4"), index, part, where))
        located.append(locate(root, lines, by_stem, _folders(part), _SHARED, _REPLACED))
    usual = [folder.format("<split>") for folder in _FOLDERS]
    holds = kept_in("<id>_<start>_<end>.mp4", (*usual, *_SHARED))
    return dataset_of(name, root, split, classes.names, located, holds, told)


def _annotations(root: Path, number: str, part: str) -> list[Path]:
    """The annotation files of a split, the one to take first."""
    own = f"kinetics{number}"
    before = (f"{own}_", f"kinetics-{number}_", f"kinetics_{number}_", f"k{number}_")
    stems = [
        f"{prefix}{name}"
        for prefix in ("", *before, "kinetics_", f"{own}_2020_")
        for name in (*_PARTS[part], f"holdout_{part}")
    ]
    paths = (
        root / folder / f"{stem}{suffix}"
        for suffix in (".csv", ".txt")  # CVDF's lists of Kinetics-600 are CSV by any name
        for folder in (".", "annotations", own, f"{own}_2020")
        for stem in stems
    )
    return list(filter(_is_list, paths))


def _is_list(path: Path) -> bool:
    """Tell whether a file is there, and of a text file whether it is one of annotations."""
    if path.suffix == ".csv" or not path.is_file():
        return path.is_file()
    with path.open(encoding="utf-8", errors="replace") as file:
        return "youtube_id" in file.readline()


def _left_out(root: Path, part: str) -> list[str]:
    """A note where a split without annotations has videos."""
    for folder in _folders(part):
        files = walk(root / folder) if (root / folder).is_dir() else iter(())
        if any(map(is_video, files)):
            without = f"and no annotations, such as {part}.csv, are there: it is left out"
            return [f"{part} has videos in {folder}/, {without}"]
    return []


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
