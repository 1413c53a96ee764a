"""The words that splits are called by, and what a split is for."""

import re
from functools import cache
from typing import Literal

Part = Literal["training", "validation", "test", "unused"]

# The first word of each may go on, as in "testlist01".
WORDS: dict[Part, tuple[str, ...]] = {
    "training": ("train", "training"),
    "validation": ("val", "valid", "validation", "validate", "dev", "eval", "minival"),
    "test": ("test", "testing", "holdout"),
}


@cache  # a list has few, each in very many rows
def part_of(split: str) -> Part:
    """Tell what a split is for by its words: "val", "validation", "test01", "novel_test", …

    All others train, but for what a list leaves "unused", as those of HMDB-51 do.
    """
    words = re.findall("[a-z]+", split.lower())
    if words == ["unused"]:
        return "unused"
    for part, (stem, *others) in WORDS.items():  # "train_val" trains on both
        if any(word.startswith(stem) or word in others for word in words):
            return part
    return "training"
