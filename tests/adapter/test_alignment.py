import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from adapter.alignment import Alignment, alignment
from adapter.data import open_clips
from adapter.model import ModelConfig
from adapter.nearest import as_read, nearest
from adapter.runs import Named
from adapter.train import TrainConfig
from adapter.training import train_run

NAMES = [Named(unit=f"thing {at}", kind="object", description="") for at in range(40)]


@pytest.fixture
def task(write_cache, make_task, mini):
    cache = write_cache(noise=6, backbone=mini, views="1x2", splits=("train", "test"))
    return make_task(open_clips([cache]))


def test_entities_are_counted_by_the_regions_of_the_clips_that_are_given(task) -> None:
    found = alignment(as_read(task, ModelConfig()), NAMES)
    batch, _ = task.clips.fetch(torch.arange(len(task.clips) * task.clips.views))
    _, entities = nearest(batch.regions[:, :, 1:], task.entities, 1)
    by_hand = Counter(f"thing {at}" for at in entities.flatten().tolist())
    assert (found.clips, found.entities, found.used) == (len(task.clips), 40, len(by_hand))
    shares = [count / by_hand.total() for _, count in by_hand.most_common(10)]
    assert [one.share for one in found.commonest] == pytest.approx(shares)
    assert all(by_hand[one.entity] / by_hand.total() == one.share for one in found.commonest)


def test_entities_that_no_region_is_nearest_to_are_none_of_the_commonest(task) -> None:
    clips = as_read(task, ModelConfig())
    table = np.zeros_like(clips.store.table)
    table["entity"] = 3
    found = alignment(replace(clips, store=replace(clips.store, table=table)), NAMES)
    assert found.describe() == "regions align with 1 of 40 entities, most often thing 3 (100 %)"


def test_no_more_than_a_thousand_clips_are_looked_at_from_end_to_end(
    task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.alignment._CLIPS", 3)
    clips = as_read(task, ModelConfig())
    few = alignment(clips.subset(range(0, len(clips), -(-len(clips) // 3))), NAMES)
    assert alignment(clips, NAMES) == few
    assert few.clips <= 3


def test_what_regions_align_with_is_noted_in_a_run_of_alt_and_in_its_card(
    task, tmp_path: Path
) -> None:
    for method in ("alt", "alt-paper", "alt-shuffled", "linear"):
        train_run(task, ModelConfig(method=method), TrainConfig(epochs=1), tmp_path / method)
        metrics = json.loads((tmp_path / method / "metrics.json").read_text())
        card = (tmp_path / method / "README.md").read_text()
        noted = method in ("alt", "alt-paper")
        assert ("alignment" in metrics) == ("regions align with" in card) == noted
    found = Alignment.model_validate(
        json.loads((tmp_path / "alt/metrics.json").read_text())["alignment"]
    )
    assert found.describe() in (tmp_path / "alt" / "README.md").read_text()
    assert found.describe().startswith(
        f"regions align with {found.used} of 40 entities, most often"
    )


def test_nothing_is_said_of_clips_whose_nearest_entities_were_not_looked_up(task) -> None:
    assert alignment(task.clips, NAMES) is None
    assert alignment(as_read(task, ModelConfig(project=True)), NAMES) is None
