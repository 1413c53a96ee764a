"""alt-adapter's comparisons, protocols, sweeps and ablations through its own command line."""

import importlib.util
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

from adapter import studies
from corpus.errors import BadInput
from corpus.words import counted
from extract.store import FeatureCache


def test_compare_prints_a_table_and_writes_it(work: Path, here, monkeypatch) -> None:
    monkeypatch.chdir(work)
    code, printed, _ = here(
        "compare",
        "--features",
        "feats.h5",
        "--test",
        "seen=feats.h5",
        "--methods",
        "clip,alt",
        "--seeds",
        2,
        "--set",
        "epochs=1",
        "--out",
        "comparison",
    )
    assert code == 0
    assert "mean-pooled CLIP" in printed
    record = json.loads((work / "comparison" / "comparison.json").read_text())
    assert [cell["method"] for cell in record["cells"]] == ["clip", "alt"]
    assert (work / "comparison" / "comparison.png").stat().st_size > 1000


def test_a_training_may_be_called_as_a_style_is(monkeypatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(studies, "notes", Console(file=screen, force_terminal=True, width=80))
    with studies.progress(1) as report:
        report("corpus [/] of [red]ink")
        latest = time.monotonic() + 60
        while "corpus [/] of [red]ink" not in screen.getvalue():  # a thread draws it
            assert time.monotonic() < latest
            time.sleep(0.02)


def test_a_picture_that_cannot_be_drawn_costs_no_table(work: Path, here, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "comparison.png")

    monkeypatch.chdir(work)
    monkeypatch.setattr("adapter.tables.draw_comparison", fail)
    compared = ("compare", "--features", "feats.h5", "--test", "seen=feats.h5", "--seeds", 1)
    compared += ("--methods", "clip", "--out", "undrawn")
    code, printed, said = here(*compared)
    assert code == 1
    assert "mean-pooled CLIP" in printed
    assert "error: comparison.png: No space left" in said
    _, printed, _ = here(*compared, "--json")
    assert json.loads(printed) == json.loads(Path("undrawn/comparison.json").read_text())


# A command that is killed as soon as it has kept two trainings.
KILLED = """
import os, signal
from adapter.cli import main

put, kept = os.replace, []

def replace(source, place):
    put(source, place)
    kept.extend([place] * ("trainings" in str(place)))
    if len(kept) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = replace
main()
"""


def test_a_killed_comparison_goes_on_from_the_trainings_it_had_done(
    work: Path, here, monkeypatch
) -> None:
    monkeypatch.chdir(work)
    command = ("compare", "--features", "feats.h5", "--test", "seen=feats.h5", "--json")
    command += ("--methods", "linear,temporal,alt", "--seeds", 2, "--set", "epochs=20")
    trainings = work / "killed" / "trainings"
    # Its forks hold the other end of these pipes until they end.
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, command), "--out", "killed"],
        cwd=work,
        capture_output=True,
        timeout=250,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    there = {path: path.stat().st_mtime_ns for path in trainings.glob("[!.]*.json")}
    assert len(there) == 2
    code, again, said = here(*command, "--out", "killed")
    assert code == 0
    assert f"{len(there)} of 6 trainings are taken from killed/trainings" in said
    assert {path: path.stat().st_mtime_ns for path in there} == there
    code, whole, said = here(*command, "--out", "whole")
    assert code == 0
    assert "are taken from" not in said
    assert json.loads(again) == json.loads(whole)


def test_a_protocol_prints_its_mean_over_parts(work: Path, here) -> None:
    arguments = ("--features", work / "feats.h5", "--run", work / "runs/feats")
    code, printed, _ = here("protocol", "ep1", *arguments)
    assert code == 0
    assert "ep1: top-1, 10 parts" in " ".join(printed.split())
    code, _, said = here("protocol", "ep9", *arguments)
    assert code == 2
    assert "ep9: no such protocol; use supervised, few-shot, base-to-novel, ep1" in said
    code, _, said = here("protocol", "ep1", "--features", work / "feats.h5")
    assert code == 2
    assert "--run: is missing" in said


def test_a_protocol_of_lists_tells_of_clips_that_are_of_none_of_a_list(
    work: Path, here, monkeypatch
) -> None:
    monkeypatch.chdir(work)
    classes = FeatureCache(work / "feats.h5").manifest.classes
    (work / "most.txt").write_text("\n".join(classes[:-1]))
    (work / "whole.txt").write_text("\n".join(classes))
    lists = ("--list", "most.txt", "--list", "whole.txt")
    code, printed, _ = here(
        *("protocol", "lists", "--features", "feats.h5", "--run", "runs/feats"), *lists
    )
    assert code == 0
    told = [line for line in printed.splitlines() if "left out" in line]
    assert told == ["2 clips left out of most: of other classes"]


@pytest.mark.parametrize(
    "option",
    ["prompt", "shots", "methods", "test", "seeds", "set", "corpus", "engine", "list"],
)
def test_a_protocol_that_scores_refuses_what_it_would_not_read(
    work: Path, here, option: str
) -> None:
    scored = ("--features", work / "feats.h5", "--run", work / "runs/feats")
    code, printed, said = here("protocol", "ep2", *scored, f"--{option}", 3)
    assert code == 2
    assert printed == ""
    assert f"--{option}: has no effect in ep2, which scores runs as they were trained" in said


def test_a_protocol_that_trains_writes_its_metrics(work: Path, here, monkeypatch) -> None:
    monkeypatch.chdir(work)
    code, printed, _ = here(
        *("protocol", "base-to-novel", "--features", "feats.h5", "--test", "list1=feats.h5"),
        *("--shots", "1,2", "--seeds", 1, "--methods", "clip,linear", "--set", "epochs=1"),
        *("--out", "measured"),
    )
    assert code == 0
    for shots in (1, 2):
        assert (
            f"list1, {counted(shots, 'shot')}, linear: harmonic mean of base and novel " in printed
        )
    record = json.loads((work / "measured" / "metrics.json").read_text())
    assert record["protocol"] == "base-to-novel"
    assert sum(test["clips"] for test in record["tests"].values()) == 7


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "--test", "a=feats.h5"],
        ["sweep", "--test", "a=feats.h5", "--set", "lr=1e-3,1e-4"],
        ["ablate", "--test", "a=feats.h5"],
        ["protocol", "few-shot", "--test", "a=feats.h5", "--shots", "1"],
        ["protocol", "ep2", "--run", "runs/feats"],
    ],
)
def test_a_place_that_cannot_be_written_is_told_of_before_any_training(
    work: Path, here, monkeypatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(work)
    for late in ("adapter.task.open_task", "adapter.protocols.zero_shot"):
        monkeypatch.setattr(late, lambda *_, **__: pytest.fail("too late"))
    code, _, said = here(*arguments, "--features", "feats.h5", "--out", "said.txt/here")
    assert code == 1
    assert said.startswith("error: said.txt/here/")
    assert "Traceback" not in said


STUDIES = pytest.mark.parametrize(
    "arguments",
    [
        ["compare"],
        ["sweep", "--set", "lr=1e-3,1e-4"],
        ["ablate"],
        ["protocol", "few-shot"],
    ],
)


@STUDIES
def test_whatever_trains_many_times_does_it_with_the_engine_that_is_named(
    here, arguments: list[str]
) -> None:
    given = ("--features", "feats.h5", "--test", "a=feats.h5", "--engine", "cloud")
    code, printed, said = here(*arguments, *given)
    assert (code, printed) == (2, "")
    assert said.splitlines() == ["error: --engine cloud: unknown; use local or ray"]


@STUDIES
def test_where_trainings_are_compared_no_clip_is_spared_for_validation(
    here, monkeypatch, arguments: list[str]
) -> None:
    def open_task(features, val, corpus, prompts, device, *, spare, say, step):
        asked.append((features, val, corpus, prompts, device, spare))
        raise BadInput("task", "is known", "go no further")

    asked: list[object] = []
    monkeypatch.setattr("adapter.task.open_task", open_task)
    given = ("--features", "a.h5", "--test", "b=b.h5", "--prompt", "a {}", "--corpus", "c")
    here(*arguments, *given, "--device", "cpu")
    assert asked == [([Path("a.h5")], (), Path("c"), ["a {}"], "cpu", False)]


def test_a_protocol_that_scores_writes_its_metrics(work: Path, here, monkeypatch) -> None:
    monkeypatch.chdir(work)
    Path("one.txt").write_text("archery\nhugging\n")
    scored = ("protocol", "lists", "--features", "feats.h5", "--run", "runs/feats")
    code, printed, said = here(*scored, "--list", "one.txt", "--out", "scored", "--json")
    assert code == 0, said
    assert json.loads(printed) == json.loads(Path("scored/metrics.json").read_text())
    code, _, said = here("protocol", "few-shot", "--features", "feats.h5", "--list", "one.txt")
    assert (code, "--list: has no effect in few-shot, which trains" in said) == (2, True)


def test_a_sweep_has_a_row_for_each_combination(work: Path, here, monkeypatch) -> None:
    monkeypatch.chdir(work)
    code, printed, _ = here(
        *("sweep", "--features", "feats.h5", "--test", "seen=feats.h5", "--method", "linear"),
        *("--set", "lr=1e-4,4e-4", "--set", "epochs=1", "--seeds", 2, "--json"),
    )
    assert code == 0
    record = json.loads(printed)
    assert [cell["method"] for cell in record["cells"]] == ["lr=1e-4", "lr=4e-4"]
    assert len(record["cells"][0]["seeds"]) == 2
    assert {row["model"]["method"] for row in record["rows"].values()} == {"linear"}
    assert [row["train"]["lr"] for row in record["rows"].values()] == [1e-4, 4e-4]


def test_an_ablation_records_the_settings_that_it_was_given(work, here, monkeypatch) -> None:
    monkeypatch.chdir(work)
    changes = {"layers: 0": {"layers": 0}, "soft": {"align": "soft", "explore": False}}
    monkeypatch.setattr("adapter.ablation.CHANGES", changes)
    (corpus,) = Path("artifacts/corpus").iterdir()
    code, printed, _ = here(
        *("ablate", "--features", "feats.h5", "--test", "seen=feats.h5", "--corpus", corpus),
        *("--corpus", corpus, "--set", "epochs=1", "--set", "lr=2e-3", "--seeds", 1, "--json"),
        *("--set", "temperature=0.5"),  # which the soft row alone reads
    )
    assert code == 0
    layers, soft, words, alt = json.loads(printed)["rows"].values()
    for row in (layers, soft, words, alt):
        assert (row["train"]["epochs"], row["train"]["lr"]) == ({"all": 1}, 2e-3)
        assert row["corpus"]["id"] == json.loads((corpus / "corpus.json").read_text())["id"]
    assert [row["model"]["layers"] for row in (layers, soft, words, alt)] == [0, 1, 1, 1]
    assert (soft["model"]["align"], soft["train"]["temperature"]) == ("soft", 0.5)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray")
def test_a_sweep_on_ray_has_the_numbers_of_one_in_this_process(work, here, monkeypatch) -> None:
    import ray

    monkeypatch.chdir(work)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as each training on Ray has
    sweep = ("sweep", "--features", "feats.h5", "--test", "seen=feats.h5", "--seeds", 2)
    sweep += ("--set", "lr=1e-4,1e-2", "--set", "epochs=2", "--set", "layers=1")
    try:
        for engine in ("local", "ray"):
            code, _, said = here(*sweep, "--engine", engine, "--out", f"swept-{engine}")
            assert code == 0, said
    finally:
        ray.shutdown()
        torch.set_num_threads(threads)
    local, spread = (Path(f"swept-{name}/sweep.json").read_bytes() for name in ("local", "ray"))
    assert local == spread
    assert len({str(cell["seeds"]) for cell in json.loads(local)["cells"]}) == 2
