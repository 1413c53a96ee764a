import importlib.util
from pathlib import Path

import onnxruntime
import pytest
import torch

from adapter import align
from adapter.data import open_clips
from adapter.evaluate import probabilities
from adapter.export import export
from adapter.model import ModelConfig
from adapter.runs import Run
from adapter.train import TrainConfig
from adapter.training import train_run
from corpus.errors import BadInput, RunFailed


@pytest.fixture
def task(write_cache, make_task, mini):
    return make_task(open_clips([write_cache(noise=6, backbone=mini)]))


@pytest.mark.parametrize("method", ["alt", "alt-paper", "linear"])
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


@pytest.mark.parametrize(("suffix", "held"), [("pt2", 0), ("pt2", 2), ("onnx", 0)])
def test_an_exported_run_takes_more_clips_than_are_aligned_at_once(
    task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, held: int
) -> None:
    train_run(task, ModelConfig(), TrainConfig(epochs=1), tmp_path / "run")
    run = Run.load(tmp_path / "run")
    facts = run.config.features
    # The two clips to trace are many, or just few enough.
    monkeypatch.setattr(align, "HELD", held * facts.frames * facts.regions * len(run.entities))
    assert export(run, tmp_path / f"adapter.{suffix}").difference < 1e-4


@pytest.mark.parametrize("method", ["alt", "alt-paper"])
def test_an_onnx_file_scores_as_the_run_does(task, tmp_path: Path, method: str) -> None:
    train_run(task, ModelConfig(method=method), TrainConfig(epochs=2, lr=5e-3), tmp_path / "run")
    run = Run.load(tmp_path / "run")
    assert export(run, tmp_path / "adapter.onnx").difference < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "adapter.onnx")
    batch, _ = task.clips.fetch(torch.arange(5))
    given = {"regions": batch.regions.float().numpy(), "place": batch.place.float().numpy()}
    (scores,) = session.run(["probabilities"], given)
    expected = probabilities(run.model, task.clips.subset(range(5)), run.labels)
    torch.testing.assert_close(torch.from_numpy(scores), expected, atol=1e-4, rtol=0)


def test_what_is_not_a_number_agrees_with_nothing(task, tmp_path: Path) -> None:
    train_run(task, ModelConfig(method="linear"), TrainConfig(epochs=1), tmp_path / "run")
    run = Run.load(tmp_path / "run")
    with torch.no_grad():
        next(run.model.parameters()).fill_(torch.nan)
    with pytest.raises(RunFailed, match="differs from the run by nan"):
        export(run, tmp_path / "adapter.pt2")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["feats.h5"]


def test_another_suffix_or_a_missing_package_is_told_in_one_line(
    task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_run(task, ModelConfig(), TrainConfig(epochs=1), tmp_path / "run")
    run = Run.load(tmp_path / "run")
    with pytest.raises(BadInput, match=r"name it \*.pt2"):
        export(run, tmp_path / "adapter.pt")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxscript" else found(name)
    )
    with pytest.raises(BadInput, match="onnxscript is not installed"):
        export(run, tmp_path / "adapter.onnx")
    assert not list(tmp_path.glob("adapter.*"))


def test_a_run_is_loaded_to_be_used_and_has_a_card(task, tmp_path: Path) -> None:
    train_run(task, ModelConfig(), TrainConfig(epochs=1), tmp_path / "run")
    assert not Run.load(tmp_path / "run").model.training
    card = (tmp_path / "run" / "README.md").read_text()
    assert "no clips to validate with" in card
    assert "RANDOM" in card


def test_a_card_names_every_cache_that_was_trained_on(
    write_cache, make_task, mini, tmp_path: Path
) -> None:
    caches = [write_cache(f"{seed}.h5", seed=seed, backbone=mini) for seed in range(2)]
    task = make_task(open_clips(caches))
    train_run(task, ModelConfig(method="linear"), TrainConfig(epochs=1), tmp_path / "run")
    card = (tmp_path / "run" / "README.md").read_text()
    assert len(set(task.clips.contents)) == 2
    assert all(f"`{digest}`" in card for digest in task.clips.contents)
