from pathlib import Path

import numpy as np
import pytest

from adapter import runs
from adapter.data import open_clips
from adapter.model import ModelConfig
from adapter.protocols import half, zero_shot
from adapter.runs import Run
from adapter.train import TrainConfig
from adapter.training import train_run
from corpus.errors import BadInput

NOVEL = ("yoga", "zumba", "welding", "archery", "bowling")


@pytest.fixture
def run(write_cache, make_task, mini, tmp_path: Path, monkeypatch) -> Run:
    task = make_task(open_clips([write_cache(backbone=mini)]))
    train_run(task, ModelConfig(method="linear"), TrainConfig(epochs=1), tmp_path / "run")
    monkeypatch.setattr(runs, "backbone_of", lambda *_: mini)
    return Run.load(tmp_path / "run")


@pytest.fixture
def novel(write_cache, mini) -> Path:
    return write_cache("novel.h5", classes=NOVEL, per_class=3, noise=5, backbone=mini, failed=1)


def test_a_half_is_the_published_draw() -> None:
    np.random.seed(3)
    assert half(101, 3) == sorted(np.random.permutation(101)[:50].tolist())
    assert half(51, 0) != half(51, 1)


def test_ep1_is_ten_halves_of_the_classes_with_all_their_clips(run: Run, novel: Path) -> None:
    result = zero_shot(run, "ep1", [novel])
    assert len(result.parts) == 10
    for part in result.parts:
        assert (part.run.clips, part.run.labels) == (6, 2)
        assert part.clip.list_hash == part.run.list_hash
    scores = [part.run.top1 for part in result.parts]
    assert result.mean == pytest.approx(np.mean(scores))
    assert result.std == pytest.approx(np.std(scores))
    assert result.left_out == 1


def test_ep2_is_all_classes_at_once(run: Run, novel: Path) -> None:
    (part,) = zero_shot(run, "ep2", [novel]).parts
    assert (part.run.clips, part.run.labels, part.new_labels) == (15, 5, 4)


def test_ep3_is_each_test_list(run: Run, novel: Path, write_cache, mini) -> None:
    other = write_cache("other.h5", classes=NOVEL, per_class=2, backbone=mini, seed=4)
    parts = zero_shot(run, "ep3", [novel, other]).parts
    assert [part.run.clips for part in parts] == [15, 10]


def test_lists_are_classifiers_over_their_labels_alone(
    run: Run, novel: Path, tmp_path: Path
) -> None:
    lists = [tmp_path / "one.txt", tmp_path / "two.txt"]
    lists[0].write_text("zumba\nyoga\n")
    lists[1].write_text("Welding\nbowling\narchery\n")
    result = zero_shot(run, "lists", [novel], lists)
    assert [(part.run.clips, part.run.labels) for part in result.parts] == [(6, 2), (9, 3)]
    lists[0].write_text("zumba\nswimming\n")
    with pytest.raises(BadInput, match=r"one\.txt: 1 of its labels have no clip .*'swimming'"):
        zero_shot(run, "lists", [novel], lists)
    with pytest.raises(BadInput, match="--list: is missing"):
        zero_shot(run, "lists", [novel])
