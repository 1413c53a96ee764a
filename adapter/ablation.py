"""What each part of ALT is worth: the same training with one part changed at a time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapter.compare import Variant
from adapter.model import ModelConfig
from adapter.task import Task, open_corpus
from adapter.train import TrainConfig

# The last row of a table is ALT as it is; a row that is not behind it is a part not earned.
CHANGES: dict[str, dict[str, Any]] = {
    "words: learned vectors": {"method": "alt-learned"},
    "words: shuffled entities": {"method": "alt-shuffled"},
    "words: none, what regions look like": {"align": "none"},
    "alignment: soft": {"align": "soft", "explore": False},
    "alignment: no Gumbel noise": {"explore": False},
    "alignment: learned projections": {"project": True},
    "candidates: 2": {"top_k": 2},
    "candidates: 16": {"top_k": 16},
    "candidates: 64, soft": {"top_k": 64, "align": "soft", "explore": False},
    "tracks: 8": {"tracks": 8},
    "tracks: 32": {"tracks": 32},
    "layers: 0": {"layers": 0},
    "layers: 2": {"layers": 2},
    "layers: 4": {"layers": 4},
    "time: none, where a path was on average": {"waves": 0},
    "time: where a path was on average, and how far it went": {"waves": 1},
    "time: a convolution of paths": {"convolution": True},
    "no place": {"place": False},
    "tracks see one another's looks": {"content": True},
    "one vector for a clip": {"pool": True},
    "class token: none": {"class_token": 0.0},
    "class token: as much as tracks": {"class_token": 1.0},
    "class token: tracks added by a gate that starts at zero": {"class_token": 1.0, "gate": True},
}


def variants(
    task: Task, model: ModelConfig, train: TrainConfig, corpora: Sequence[Path] = ()
) -> list[Variant]:
    """List what an ablation trains.

    Args:
        task: with the corpus that ALT itself is given.
        model, train: ALT as it is; a change that changes nothing is left out.
        corpora: folders of other corpora, each a row.

    Raises:
        BadInput: a corpus that cannot be read, or of another backbone.
    """
    changed = {name: model.model_copy(update=change) for name, change in CHANGES.items()}
    rows = [Variant(name, shape, train, task) for name, shape in changed.items() if shape != model]
    for folder in corpora:
        corpus = open_corpus(folder, task.backbone)
        name = f"corpus: {folder.name} ({len(corpus.entities)} entities)"
        rows.append(Variant(name, model, train, replace(task, corpus=corpus)))
    return [*rows, Variant(model.method, model, train, task)]
