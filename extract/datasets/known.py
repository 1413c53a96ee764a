"""The datasets by name."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from corpus.errors import BadInput
from extract.datasets import csv_list, folder, hmdb51, kinetics, ssv2, ucf101
from extract.datasets.base import Dataset

Read = Callable[[Path, str, tuple[str, ...] | None], Dataset]
_READERS: dict[str, Read] = {
    **{f"k{number}": partial(kinetics.read, number) for number in ("400", "600", "700")},
    "ucf101": ucf101.read,
    "hmdb51": hmdb51.read,
    "ssv2": ssv2.read,
    "folder": folder.read,
    "csv": csv_list.read,
}
NAMES = tuple(_READERS)


def open_dataset(
    name: str,
    root: Path | str | None = None,
    split: str = "all",
    labels: tuple[str, ...] | None = None,
) -> Dataset:
    """List a dataset's videos.

    Args:
        name: one of `NAMES`.
        root: its folder; by default `$ALT_DATA/<name>`.
        split: which part of it; "all" for everything.
        labels: class names in the order of their indices, where the dataset leaves them open;
            otherwise what its own are checked against.

    Raises:
        BadInput: an unknown name, a folder that is not there, lists that cannot be read.
    """
    if name not in _READERS:
        raise BadInput(f"--dataset {name}", "no such dataset", f"use one of {', '.join(NAMES)}")
    if root is None:
        data = os.environ.get("ALT_DATA")
        if not data:
            mend = f"give --root, or set ALT_DATA to the folder that has {name}/ in it"
            raise BadInput(f"--dataset {name}", "no --root, and ALT_DATA is not set", mend)
        root = Path(data) / name
    return _READERS[name](Path(root), split, labels)
