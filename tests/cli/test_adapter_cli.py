"""alt-adapter through its own command line, on features of real files."""

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from adapter.cli import main
from corpus.backbone import Backbone
from extract.datasets import open_dataset
from extract.run import Options, extract

COMMANDS = ["train", "eval", "predict", "explain", "flops", "compare", "protocol", "sweep"]
COMMANDS += ["ablate", "export", "recipe"]


def alt_adapter(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adapter.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, cwd=cwd)


@pytest.fixture
def here(monkeypatch, capsys):
    """Run the command's own main in this process, which saves its imports."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["alt-adapter", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        streams = capsys.readouterr()
        return int(ended.value.code or 0), streams.out, " ".join(streams.err.split())

    return run


@pytest.fixture(scope="module")
def videos(tmp_path_factory, make_clip) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for index in range(6):
        name = ("playing guitar", "archery", "hugging")[index % 3]
        make_clip(root / name / f"{index}.mp4", frames=12, seed=index)
    (root / "archery" / "broken.mp4").write_bytes(b"not a video")
    return root


@pytest.fixture(scope="module")
def work(videos: Path, mini: Backbone, tmp_path_factory) -> Path:
    """A folder with features, and a run trained by the real command with nothing but them."""
    folder = tmp_path_factory.mktemp("work")
    options = Options(frames=3, merge=4)
    extract(open_dataset("folder", videos), mini, folder / "feats.h5", options, workers=1)
    done = alt_adapter("train", "--features", "feats.h5", "--epochs", 3, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stderr)
    return folder


def test_training_needs_nothing_but_features(work: Path) -> None:
    run = work / "runs" / "feats"
    config = json.loads((run / "config.json").read_text())
    assert sorted(config["labels"]) == ["archery", "hugging", "playing guitar"]
    assert (config["clips"], config["left_out"]) == (6, {"failed": 1})
    units = [json.loads(line)["unit"] for line in (run / "entities.jsonl").open()]
    assert "guitar" in units
    assert len(list((work / "artifacts" / "corpus").iterdir())) == 1
    said = (work / "said.txt").read_text()
    assert "warning: alt-mini has RANDOM weights" in said
    assert "UserWarning" not in said


def test_eval_prints_the_run_beside_clip(work: Path, here) -> None:
    code, printed, _ = here(
        "eval", "--features", work / "feats.h5", "--run", work / "runs/feats", "--json"
    )
    assert code == 0
    result = json.loads(printed)
    assert (result["clips"], result["failed"], result["labels"]) == (7, 1, 3)
    assert 0 <= result["top1"] <= result["top5"] == pytest.approx(6 / 7)
    assert result["baselines"]["clip"]["clips"] == 7
    code, printed, _ = here("eval", "--features", work / "feats.h5", "--run", work / "runs/feats")
    assert code == 0
    assert "mean-pooled CLIP" in printed
    assert "1 of them could not be decoded and count as wrong" in " ".join(printed.split())


def test_predict_names_the_action_and_the_entities(work: Path, videos: Path, here) -> None:
    video = videos / "archery" / "1.mp4"
    code, printed, _ = here(
        "predict", video, "--run", work / "runs/feats", "--top", 2, "--device", "cpu", "--json"
    )
    assert code == 0
    (prediction,) = json.loads(printed)
    assert prediction["video"] == str(video)
    assert len(prediction["labels"]) == 2
    assert prediction["labels"][0]["score"] >= prediction["labels"][1]["score"]
    assert prediction["entities"]


def test_one_broken_video_among_others_is_a_line_and_exit_1(work: Path, videos: Path, here) -> None:
    good, broken = videos / "archery" / "1.mp4", videos / "archery" / "broken.mp4"
    code, printed, said = here("predict", broken, good, "--run", work / "runs/feats", "--json")
    assert code == 1
    first, second = json.loads(printed)
    assert first["error"]
    assert second["labels"]
    assert "1 of 2 videos: no prediction" in said


def test_the_reason_for_no_prediction_is_one_line_with_the_name_as_it_is(
    work: Path, here, tmp_path: Path
) -> None:
    empty = tmp_path / "a clip of [b]more than eighty columns, with brackets in its name.mp4"
    empty.touch()
    code, printed, _ = here("predict", empty, "--run", work / "runs/feats")
    assert code == 1
    (line,) = printed.splitlines()
    assert line.startswith(f"{empty}: the file is empty")


def test_predict_chooses_from_labels_it_was_never_trained_on(
    work: Path, videos: Path, here, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("yoga\nwelding\n")
    code, printed, _ = here(
        "predict",
        videos / "archery/1.mp4",
        "--run",
        work / "runs/feats",
        "--labels",
        tmp_path / "mine.txt",
        "--json",
    )
    assert code == 0
    assert {scored["label"] for scored in json.loads(printed)[0]["labels"]} == {"yoga", "welding"}


def test_explain_writes_a_report(work: Path, videos: Path, here, tmp_path: Path) -> None:
    code, printed, _ = here(
        "explain",
        videos / "archery/1.mp4",
        "--run",
        work / "runs/feats",
        "--out",
        tmp_path / "report.html",
    )
    assert code == 0
    assert "report.html" in printed.replace("\n", "")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


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


def test_a_killed_comparison_goes_on_from_the_trainings_it_had_done(work: Path) -> None:
    command = ("compare", "--features", "feats.h5", "--test", "seen=feats.h5", "--json")
    command += ("--methods", "linear,temporal,alt", "--seeds", 2, "--set", "epochs=20")
    trainings = work / "killed" / "trainings"
    process = subprocess.Popen(
        [sys.executable, "-m", "adapter.cli", *map(str, command), "--out", "killed"],
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and len(list(trainings.glob("[!.]*.json"))) < 2:
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)  # its forks hold the other end of this pipe until they end
    there = {path: path.stat().st_mtime_ns for path in trainings.glob("[!.]*.json")}
    assert 2 <= len(there) < 6
    again, whole = (alt_adapter(*command, "--out", out, cwd=work) for out in ("killed", "whole"))
    assert again.returncode == whole.returncode == 0
    said = " ".join(again.stderr.split())
    assert f"{len(there)} of 6 trainings are taken from killed/trainings" in said
    assert {path: path.stat().st_mtime_ns for path in there} == there
    assert "are taken from" not in whole.stderr
    assert json.loads(again.stdout) == json.loads(whole.stdout)


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
        assert f"list1, {shots} shots, linear: harmonic mean of base and novel " in printed
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


def test_a_run_is_exported_and_a_recipe_shown(work: Path, here, tmp_path: Path) -> None:
    code, printed, _ = here(
        "export", "--run", work / "runs/feats", "--out", tmp_path / "a.pt2", "--json"
    )
    assert code == 0
    assert json.loads(printed)["difference"] < 1e-4
    code, printed, _ = here("recipe", "k400-l14", "--json")
    assert code == 0
    assert json.loads(printed)["paper"] == 4947


def test_recipes_are_listed_as_json_too(here) -> None:
    code, printed, _ = here("recipe")
    assert code == 0
    code, listed, _ = here("recipe", "--json")
    assert code == 0
    assert json.loads(listed) == [line.partition(":")[0] for line in printed.splitlines()]


def test_the_bundled_backbone_is_counted_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = alt_adapter("flops", "--model", "alt-mini", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"] > 0


def test_flops_are_printed_beside_the_papers(here) -> None:
    code, printed, _ = here(
        "flops", "--model", "ViT-L/14", "--frames", 32, "--views", 3, "--merge", 8, "--json"
    )
    assert code == 0
    counted = json.loads(printed)
    assert counted["total"] <= counted["paper_vit_l_14"] == 4947


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--features", "absent.h5"], "absent.h5: no such feature cache"),
        (["train", "--features", "foreign.h5"], "foreign.h5: not an HDF5 file"),
        (["train", "--features", "cut.h5"], "cut.h5: truncated"),
        (["train", "--features", "feats.h5", "--set", "x=1"], "--set x: no such setting"),
        (["train", "--features", "feats.h5", "--out", "runs/feats"], "holds a run already"),
        (["train", "--features", "absent.h5", "--out", "feats.h5"], "feats.h5: is a file"),
        (["train", "--features", "feats.h5", "--set", "patience=3"], "patience: needs validation"),
        (["train", "--features", "feats.h5", "--corpus", "runs"], "runs: is no corpus"),
        (["train", "--features", "feats.h5", "--prompt", "x"], "has not exactly one {}"),
        (["eval", "--features", "feats.h5", "--run", "nothing"], "nothing: is not a run folder"),
        (
            ["eval", "--features", "feats.h5", "--run", "runs/feats", "--labels", "few.txt"],
            "few.txt: 'archery', 'hugging' of the data are not among its 2 labels",
        ),
        (
            ["eval", "--features", "feats.h5", "--run", "runs/feats", "--labels", "empty.txt"],
            "holds no label; put one label on each line",
        ),
        (["predict", "x.mp4", "--run", "runs/feats", "--device", "tpu"], "no such device"),
        (["recipe", "k4000"], "k4000: no such recipe"),
        (["recipe", "k400-l14", "--run"], "k400-l14-train.h5: no such feature cache"),
        (["recipe", "--run"], "--run: is given without a recipe; name one of hmdb51-few-shot,"),
        (["recipe", "k400-l14", "--run", "--json"], "--json: has no effect with --run, which"),
        (["recipe", "--run", "--json"], "--json: has no effect with --run, which"),
        (
            ["sweep", "--features", "feats.h5", "--test", "a=feats.h5", "--set", "lr=1"],
            "nothing that varies",
        ),
        (
            ["ablate", "--features", "feats.h5", "--test", "a=feats.h5", "--engine", "spark"],
            "--engine spark: unknown; use local or ray",
        ),
        (["flops", "--model", "ViT-Z"], "--model ViT-Z: open_clip knows no such model"),
        (["compare", "--features", "feats.h5", "--test", "x"], "--test x: not a new NAME=CACHE"),
        (
            ["compare", "--features", "feats.h5", "--test", "a=feats.h5", "--methods", ","],
            "--methods ,: names no method; use clip, linear",
        ),
        (
            ["train", "--features", "feats.h5", "--set", "method=linear"],
            "--set method: cannot be set here; use --method",
        ),
        (
            ["train", "--features", "feats.h5", "--set", "seed=1"],
            "--set seed: cannot be set here; use --seed",
        ),
        (["train", "--features", "feats.h5", "--seed", str(10**22)], "'--seed'"),
        (
            ["compare", "--features", "feats.h5", "--test", "a=feats.h5", "--set", "patience=3"],
            "--set patience: cannot be set here; leave it out",
        ),
        (
            ["sweep", "--features", "feats.h5", "--test", "a=feats.h5", "--set", "seed=1,2"],
            "--set seed: cannot be set here; use --seeds",
        ),
        (
            ["ablate", "--features", "feats.h5", "--test", "a=feats.h5", "--set", "method=linear"],
            "--set method: cannot be set here",
        ),
        (
            ["protocol", "few-shot", "--features", "feats.h5", "--run", "runs/feats"],
            "--run: has no effect in few-shot, which trains runs of its own; leave it out",
        ),
        (
            ["compare", "--features", "feats.h5", "--test", "a=feats.h5", "--shots", "9"],
            "has 2 clips",
        ),
    ],
)
def test_bad_input_is_one_line_that_names_it_and_exit_2(
    work: Path, here, monkeypatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(work)
    Path("foreign.h5").write_text("hello")
    Path("cut.h5").write_bytes(Path("feats.h5").read_bytes()[:-2000])
    Path("few.txt").write_text("playing guitar\nyoga\n")
    Path("empty.txt").write_text("\n")
    before = sorted(Path("runs").iterdir())
    code, printed, said = here(*arguments)
    assert code == 2
    assert message in said
    assert "Traceback" not in said
    assert printed == ""
    assert sorted(Path("runs").iterdir()) == before


def test_help_is_fast_to_import_and_shows_an_example(here) -> None:
    check = "import sys, adapter.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
    for command in COMMANDS:
        code, printed, _ = here(command, "--help")
        assert code == 0
        assert f"Example: alt-adapter {command}" in " ".join(printed.split())
