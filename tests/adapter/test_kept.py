from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from adapter.compare import (
    Column,
    Engine,
    Job,
    Report,
    Score,
    Variant,
    compare,
    method_rows,
    one_by_one,
    open_tests,
    quiet,
    scored,
)
from adapter.data import open_clips
from adapter.kept import kept
from adapter.model import Method, ModelConfig
from adapter.train import TrainConfig
from corpus.errors import RunFailed

METHODS: tuple[Method, ...] = ("linear", "alt")
MODEL = ModelConfig()
CONFIG = TrainConfig(epochs=2, batch_size=8)


class Counted:
    """Trains as another engine does, and breaks down before job number `most`."""

    def __init__(self, most: int = 99, engine: Engine = one_by_one) -> None:
        self.done: list[str] = []
        self.most, self.engine = most, engine

    def __call__(
        self, jobs: Sequence[Job], tests: Sequence[Column], device: str, report: Report
    ) -> Generator[list[Score], None, None]:
        for job, scores in zip(jobs, self.engine(jobs, tests, device, report), strict=True):
            if len(self.done) == self.most:
                raise RunFailed(job.name, "broke down", "run it again")
            self.done.append(job.name)
            yield scores


def at_once(
    jobs: Sequence[Job], tests: Sequence[Column], device: str, report: Report
) -> Generator[list[Score], None, None]:
    """Score every training as if all had been right, for what asks only which were done."""
    for job in jobs:
        columns = job.variant.tests or tests
        yield [
            scored(torch.eye(len(test.labelling.names))[test.clips.labels], test.clips)
            for test in columns
        ]


@pytest.fixture
def task(write_cache, make_task, mini):
    return make_task(open_clips([write_cache(noise=6, backbone=mini)]))


@pytest.fixture
def tests(write_cache, task, mini):
    paths = {
        "base": write_cache("base.h5", noise=6, backbone=mini, seed=1, failed=1, split="test"),
        "novel": write_cache("novel.h5", classes=("yoga", "zumba"), backbone=mini, split="test"),
    }
    return open_tests(paths, task)


def test_an_interrupted_comparison_goes_on_and_ends_as_a_whole_one(
    task, tests, tmp_path: Path
) -> None:
    def run(engine, seeds=(0, 1), report=quiet):
        shots = [None, 2]
        rows = method_rows(task, METHODS, MODEL, CONFIG)
        return compare(rows, tests, seeds, shots, report=report, engine=engine)

    whole, first, told = run(None), Counted(most=3), []
    with pytest.raises(RunFailed, match="broke down"):
        run(kept(first, tmp_path / "kept"))
    assert len(list((tmp_path / "kept").iterdir())) == 3
    second = Counted()
    assert run(kept(second, tmp_path / "kept", told.append)) == whole
    assert told == [f"3 of 8 trainings are taken from {tmp_path / 'kept'}"]
    assert len(second.done) == 5
    assert not set(second.done) & set(first.done)
    third, reported = Counted(), []
    assert run(kept(third, tmp_path / "kept"), report=reported.append) == whole
    assert not third.done
    assert len(reported) == 8  # a bar that counts trainings gets to its end
    longer = Counted()
    run(kept(longer, tmp_path / "kept"), seeds=(0, 1, 2))
    assert longer.done == [
        f"{method}, seed 2{shots}" for shots in ("", ", 2 shots") for method in METHODS
    ]


def test_whatever_changes_a_score_is_another_training(
    task, tests, write_cache, mini, tmp_path: Path, monkeypatch
) -> None:
    def trained(
        task=task, tests=tests, config=CONFIG, model=MODEL, seed=0, shots=None, own=(), device="cpu"
    ) -> int:
        engine = Counted(engine=at_once)
        jobs = [Job(Variant("alt", model, config, task, own), seed, shots)]
        list(kept(engine, tmp_path / "kept")(jobs, tests, device, quiet))
        return len(engine.done)

    alone = SimpleNamespace(num_processes=1)  # whatever the device, which need not be there
    monkeypatch.setattr("adapter.kept.processes", lambda device: alone)
    assert trained() == 1
    assert trained() == 0
    assert trained(config=CONFIG.model_copy(update={"seed": 7})) == 0  # the comparison's counts
    assert trained(config=CONFIG.model_copy(update={"lr": 2e-3})) == 1
    assert trained(model=ModelConfig(layers=0)) == 1
    assert trained(seed=1) == 1
    assert trained(shots=2) == 1
    assert trained(device="cuda") == 1
    assert trained(tests=tests[:1]) == 1
    assert trained(own=tuple(tests)) == 0  # which are the same
    assert trained(own=tuple(tests[::-1])) == 1
    assert trained(task=replace(task, labels=task.labels.flip(0))) == 1
    assert trained(task=replace(task, clips=task.clips.subset(range(8)))) == 1
    flipped = replace(task.clips, labels=task.clips.labels.flip(0))
    assert trained(task=replace(task, clips=flipped)) == 1
    first, second = (task.clips.labels == 0).nonzero()[:2, 0].tolist()
    others = [i for i in range(len(task.clips)) if i not in (first, second)]
    for one in (first, second):  # as many clips of each class, but not the same
        assert trained(task=replace(task, clips=task.clips.subset([one, *others]))) == 1
    few = replace(task.corpus, embeddings=task.corpus.embeddings[::-1].copy())
    assert trained(task=replace(task, corpus=few)) == 1
    labelling = replace(tests[0].labelling, text=tests[0].labelling.text.flip(0))
    assert trained(tests=[replace(tests[0], labelling=labelling), tests[1]]) == 1
    other = open_clips([write_cache("other.h5", noise=6, backbone=mini, seed=5)])
    assert trained(task=replace(task, clips=other)) == 1
    assert trained() == 0
    monkeypatch.setattr("adapter.kept._code", lambda: "of another version")
    assert trained() == 1
    monkeypatch.setattr("torch.__version__", "0.1")
    assert trained() == 1


@pytest.mark.parametrize(
    "damaged",
    [
        lambda made: "",
        lambda made: made[:40],
        lambda made: made.replace('"right": [\n    "', '"right": [\n    "0'),
        lambda made: made.replace('"top1": ', '"top1": 7', 1),
    ],
)
def test_a_damaged_training_is_told_of_and_done_again(task, tests, tmp_path: Path, damaged) -> None:
    def run(engine):
        return compare(method_rows(task, ["alt"], MODEL, CONFIG), tests, [0], engine=engine)

    folder = tmp_path / "kept"
    whole = run(kept(Counted(), folder))
    (file,) = folder.iterdir()
    made = file.read_text()
    file.write_text(damaged(made))
    assert file.read_text() != made
    again = Counted()
    with pytest.warns(UserWarning, match=f"{file.name} is damaged: that adapter is trained again"):
        assert run(kept(again, folder)) == whole
    assert again.done == ["alt, seed 0"]
    assert file.read_text() == made


def test_a_folder_that_nothing_can_be_kept_in_is_told_of_before_any_training(
    task, tests, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    engine, rows = Counted(), method_rows(task, ["alt"], MODEL, CONFIG)
    with pytest.raises(OSError, match="file"):
        compare(rows, tests, [0], engine=kept(engine, tmp_path / "file" / "k"))
    assert not engine.done


def test_several_processes_keep_nothing(task, tests, tmp_path: Path, monkeypatch) -> None:
    two = SimpleNamespace(num_processes=2)
    monkeypatch.setattr("adapter.kept.processes", lambda device: two)
    engine, rows = Counted(), method_rows(task, ["alt"], MODEL, CONFIG)
    compare(rows, tests, [0], engine=kept(engine, tmp_path / "k"))
    assert engine.done == ["alt, seed 0"]
    assert not (tmp_path / "k").exists()
