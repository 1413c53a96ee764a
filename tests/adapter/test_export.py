from pathlib import Path

import pytest
import torch

from adapter.data import open_clips
from adapter.evaluate import probabilities
from adapter.export import export
from adapter.model import Adapter, ModelConfig
from adapter.runs import Run
from adapter.train import TrainConfig
from adapter.training import train_run
from corpus.errors import BadInput


@pytest.fixture
def task(write_cache, make_task, mini):
    return make_task(open_clips([write_cache(noise=6, backbone=mini)]))


@pytest.mark.parametrize("method", ["alt", "linear"])
def test_an_exported_run_scores_as_the_run_does(task, tmp_path: Path, method: str) -> None:
    config = TrainConfig(epochs=2, batch_size=8, lr=5e-3)
    train_run(task, ModelConfig(method=method), config, tmp_path / "run")
    run = Run.load(tmp_path / "run")
    done = export(run, tmp_path / "adapter.pt2")
    assert done.difference < 1e-4
    scorer = torch.export.load(tmp_path / "adapter.pt2").module()
    batch, _ = task.clips.fetch(torch.arange(5))  # another batch size than it was exported with
    expected = probabilities(run.model, task.clips.subset(range(5)), run.labels)
    torch.testing.assert_close(
        scorer(batch.regions.float(), batch.place.float()), expected, atol=1e-4, rtol=0
    )


def test_an_adapter_is_loaded_from_its_run_folder_in_one_line(task, tmp_path: Path) -> None:
    train_run(task, ModelConfig(), TrainConfig(epochs=1), tmp_path / "run")
    adapter = Adapter.from_run(tmp_path / "run")
    assert not adapter.training
    card = (tmp_path / "run" / "README.md").read_text()
    assert "no clips to validate with" in card
    assert "RANDOM" in card
    train_run(task, ModelConfig(method="linear"), TrainConfig(epochs=1), tmp_path / "other")
    with pytest.raises(BadInput, match="is a run of linear"):
        Adapter.from_run(tmp_path / "other")
