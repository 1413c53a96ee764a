"""Something-Something V2 with its official JSON files."""

import json
from pathlib import Path
from typing import Any

from corpus.errors import BadInput
from extract.datasets.base import (
    Dataset,
    existing_folder,
    inside,
    official,
    read_lines,
    same_order,
)
from extract.datasets.finding import Line, by_path, dataset_of, kept_in, locate

_VIDEOS = ("20bn-something-something-v2", "videos", ".")
_FILES = {
    "train": ("train", "something-something-v2-train"),
    "val": ("validation", "val", "something-something-v2-validation"),
    "test": ("test", "something-something-v2-test"),
}
_MEND = "take the official file"


def read(root: Path, split: str, labels: tuple[str, ...] | None) -> Dataset:
    """List Something-Something V2's videos, `<id>.webm`.

    Args:
        root: holds `labels.json`, `train.json`, … (or those in `labels` or `annotations`, or by
            their long names), and the videos in `20bn-something-something-v2` or `videos`.
        split: "train", "val", "test" (which has no labels), or "all" for train and val.
        labels: the classes that are expected, in their order, if any are.

    Raises:
        BadInput: a file is missing or damaged, or its classes are not the official ones.
    """
    existing_folder(root, "ssv2")
    wanted = {"all": ["train", "val"], "validation": ["val"]}.get(split, [split])
    if not set(wanted) <= set(_FILES):
        raise BadInput(f"--split {split}", "ssv2 has no such split", "use train, val, test or all")
    classes = official("ssv2", labels)
    order = _find(root, "labels", "something-something-v2-labels")
    numbered = _json(order, dict)
    try:
        names = sorted(numbered, key=lambda name: int(numbered[name]))
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(order, "its values are not class numbers", _MEND) from error
    same_order(order, names, classes.names, "ssv2's")
    lines = []
    for part in wanted:
        source = _find(root, *_FILES[part])
        for number, row in enumerate(_json(source, list), 1):
            where = f"{source}, entry {number}"
            if not isinstance(row, dict) or not isinstance(row.get("id"), str | int):
                raise BadInput(where, "has no id", _MEND)
            video = inside(root, f"{row['id']}.webm", where)
            template = str(row.get("template", "")).replace("[", "").replace("]", "")
            label = classes.label(template, where) if template else -1
            lines.append(Line((video,), label, part, where))
    located = locate(root, lines, by_path, _VIDEOS)
    holds = kept_in("<id>.webm", _VIDEOS)
    return dataset_of("ssv2", root, split, classes.names, [located], holds)


def _find(root: Path, *stems: str) -> Path:
    for folder in (root, root / "labels", root / "annotations"):
        for stem in stems:
            if (folder / f"{stem}.json").is_file():
                return folder / f"{stem}.json"
    raise BadInput(root, f"holds no {stems[0]}.json", "put the official file there")


def _json(path: Path, kind: type) -> Any:
    try:
        value = json.loads("\n".join(read_lines(path)))
    except (ValueError, RecursionError) as error:
        raise BadInput(path, f"not JSON ({error})", _MEND) from error
    if not isinstance(value, kind) or not value:
        raise BadInput(path, f"not a JSON {kind.__name__} with entries", _MEND)
    return value
