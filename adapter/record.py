"""A comparison as a record: its cells, and all that decided them."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from adapter.baselines import TITLES, peak_lr
from adapter.compare import Cell, Column, Variant, few_shot
from adapter.task import Task


def comparison_record(
    cells: Sequence[Cell],
    rows: Sequence[Variant],
    tests: Sequence[Column],
    seeds: Sequence[int],
    shots: Sequence[int | None] = (None,),
) -> dict[str, Any]:
    """Return all of a comparison as JSON-like data.

    Args:
        cells: that it came to.
        rows: what was trained. The last one's task is described in full; of each row stands what
            may differ: settings with nothing left to defaults, corpus, and features.
        tests: that were scored on; of rows that have tests of their own, those stand with the row.
        seeds: that each row was trained with.
        shots: clips of each class that each row was trained on; None for all.

    Returns:
        The record. `features` is the manifest of the first cache trained on, `contents` are the
        content hashes of all of them, as in a run's config.json.
    """
    task = rows[-1].task
    titles: dict[str, str] = dict(TITLES.items())  # rows that are no method have their names
    return {
        "cells": [cell.model_dump(mode="json") for cell in cells],
        "titles": {one.name: titles.get(one.name, one.name) for one in rows},
        "rows": {one.name: _decided(one, shots) for one in rows},
        "seeds": list(seeds),
        "labels": list(task.clips.classes),
        "prompts": list(task.prompts),
        "features": task.clips.facts.model_dump(mode="json"),
        "contents": list(task.clips.contents),
        "clips": len(task.clips),
        "left_out": dict(task.clips.left_out),
        "tests": {test.name: _described(test, task) for test in tests},
        "version": version("alt-video"),
    }


def _decided(row: Variant, shots: Sequence[int | None]) -> dict[str, Any]:
    """What decided a row, its epochs by the shots; mean-pooled CLIP has no training."""
    method, corpus, clips = row.model.method, row.task.corpus, row.task.clips
    train = row.train.model_dump(mode="json", exclude={"seed"}) | {
        "lr": peak_lr(method, row.train),
        "epochs": {
            str(few or "all"): row.train.passes(len(few_shot(clips, few, 0) if few else clips))
            for few in shots
        },
    }
    return {
        "model": row.model.model_dump(mode="json"),
        "train": None if method == "clip" else train,
        "corpus": {"id": corpus.id, "entities": len(corpus.entities)},
        "contents": list(clips.contents),
        "tests": {test.name: {"contents": list(test.clips.contents)} for test in row.tests},
    }


def _described(test: Column, task: Task) -> dict[str, Any]:
    return {
        "clips": len(test.clips),
        "failed": int((~test.clips.seen).sum()),
        "named_as_in_training": test.clips.named_as(task.clips.videos),
        "views": test.clips.views,
        "left_out": dict(test.clips.left_out),
        "contents": list(test.clips.contents),
        "labels": len(test.labelling.names),
        "label_set": {
            "source": test.labelling.source,
            "names": list(test.labelling.names),
            "hash": test.labelling.hash,
            "new": test.labelling.new,
        },
    }
