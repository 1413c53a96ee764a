"""Trainings in forks. `test_forks.py` runs this file in a process of its own.

Where a run is exported, as by other tests, before anything is trained, forks cannot train: the last
test needs a process like that, and the others one unlike it.
"""

import os
import time
import warnings
from collections.abc import Iterator

import pytest
import torch

from adapter import forks
from adapter.compare import compare, method_rows, one_by_one, open_tests
from adapter.data import open_clips
from adapter.forks import forked
from adapter.model import ModelConfig
from adapter.protocols_trained import conduct
from adapter.train import TrainConfig
from corpus.errors import RunFailed
from corpus.words import counted

CONFIG = TrainConfig(epochs=2, batch_size=8)


@pytest.fixture
def task(write_cache, make_task, mini):
    return make_task(open_clips([write_cache(noise=6, backbone=mini)]))


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_side_by_side_gives_the_numbers_of_one_after_the_other(
    task, write_cache, mini, one_thread
) -> None:
    tests = open_tests({"base": write_cache("base.h5", noise=6, backbone=mini, seed=1)}, task)
    told: list[str] = []
    given = (method_rows(task, ["clip", "linear", "alt"], ModelConfig(), CONFIG), tests, [0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of no forks
        apart = compare(*given, report=told.append, engine=forked(2))
    assert apart == compare(*given, engine=one_by_one)
    assert len(told) == 6


def test_a_protocol_is_carried_out_by_the_engine_that_is_given(task, write_cache, mini) -> None:
    test = write_cache("base.h5", noise=6, backbone=mini, seed=1, split="test")
    tests = open_tests({"base": test}, task)
    asked: list[str] = []

    def engine(jobs, *rest):
        asked.extend(job.name for job in jobs)
        return one_by_one(jobs, *rest)

    conduct("few-shot", task, tests, ["clip"], 2, ModelConfig(), CONFIG, [1, 2], engine=engine)
    assert asked == [
        f"clip, seed {seed}, {counted(shots, 'shot')}" for shots in (1, 2) for seed in (0, 1)
    ]


def test_a_training_process_that_is_killed_is_told_of_in_one_line(
    task, write_cache, mini, monkeypatch
) -> None:
    tests = open_tests({"base": write_cache("base.h5", noise=6, backbone=mini, seed=1)}, task)
    monkeypatch.setattr(forks, "train_and_score", lambda *_: os._exit(9))
    with pytest.raises(RunFailed, match="a process that trained one was killed"):
        compare(
            method_rows(task, ["linear"], ModelConfig(), CONFIG), tests, [0, 1], engine=forked(2)
        )


def test_an_interrupted_comparison_starts_no_further_training(
    task, write_cache, mini, tmp_path, monkeypatch
) -> None:
    tests = open_tests({"base": write_cache("base.h5", noise=6, backbone=mini, seed=1)}, task)
    known = forks.train_and_score

    def noted(job, *rest):
        (tmp_path / f"seed {job.seed}").touch()
        return known(job, *rest)

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(forks, "train_and_score", noted)
    given = (method_rows(task, ["linear"], ModelConfig(), CONFIG), tests, range(30))
    with pytest.raises(KeyboardInterrupt):
        compare(*given, report=interrupt, engine=forked(2))
    assert len(list(tmp_path.glob("seed *"))) < 30


def test_a_comparison_that_is_stopped_waits_for_no_training(
    task, write_cache, mini, tmp_path, monkeypatch
) -> None:
    tests = open_tests({"base": write_cache("base.h5", noise=6, backbone=mini, seed=1)}, task)
    known = forks.train_and_score

    def endless(job, *rest):
        if job.seed:
            (tmp_path / str(os.getpid())).touch()
            time.sleep(1000)
        return known(job, *rest)

    def stop(_: str) -> None:
        while not list(tmp_path.glob("[0-9]*")):
            time.sleep(0.02)
        raise KeyboardInterrupt  # as on SIGTERM, of which forks are told nothing

    monkeypatch.setattr(forks, "train_and_score", endless)
    given = (method_rows(task, ["linear"], ModelConfig(), CONFIG), tests, range(9))
    with pytest.raises(KeyboardInterrupt):
        compare(*given, report=stop, engine=forked(2))
    for started in tmp_path.glob("[0-9]*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.name), 0)


def test_one_worker_is_no_fork_at_all() -> None:
    assert forked(1) is one_by_one


def test_where_forks_cannot_train_it_is_said_and_done_one_after_the_other(
    task, write_cache, mini, one_thread
) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    tests = open_tests({"base": write_cache("base.h5", noise=6, backbone=mini, seed=1)}, task)
    given = (method_rows(task, ["linear"], ModelConfig(), CONFIG), tests, [0, 1])
    with FakeTensorMode():  # as an export does
        torch.zeros(1)
    torch.zeros(1, requires_grad=True).sum().backward()
    with pytest.warns(UserWarning, match="trained one after the other"):
        found = compare(*given, engine=forked(2))
    assert found == compare(*given, engine=one_by_one)
