"""alt-adapter through its own command line, on features of real files."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import alt_adapter

COMMANDS = ["train", "eval", "predict", "explain", "flops", "compare", "protocol", "sweep"]
COMMANDS += ["ablate", "export", "recipe"]


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
    assert "1 of them could not be read: counted as wrong" in " ".join(printed.split())


def test_clip_is_scored_beside_the_run_unless_it_is_not_wanted(work: Path, here) -> None:
    scored = ("eval", "--features", work / "feats.h5", "--run", work / "runs/feats")
    code, printed, _ = here(*scored, "--no-baselines", "--json")
    assert (code, "baselines" in json.loads(printed)) == (0, False)
    code, printed, _ = here(*scored, "--no-baselines")
    assert (code, "CLIP" in printed) == (0, False)


def test_what_training_is_asked_for_is_what_it_gets(here, monkeypatch, tmp_path: Path) -> None:
    asked = []

    def open_task(features, val, corpus, prompts, device, *, say, step):
        asked.append((features, val, corpus, prompts, device))
        return SimpleNamespace(describe=list, clips=range(7))

    def train_run(task, model, train, to, device, resume, report, tally):
        asked.append((model, train, to, resume))
        return {"history": [], "best_epoch": 0}

    monkeypatch.setattr("adapter.task.open_task", open_task)
    monkeypatch.setattr("adapter.training.train_run", train_run)
    a, b, v, run = (tmp_path / name for name in ("a.h5", "b.h5", "v.h5", "run"))
    code, printed, _ = here(
        *("train", "--features", a, "--features", b, "--val", v, "--corpus", "c", "--out", run),
        *("--method", "linear", "--epochs", 3, "--batch-size", 5, "--lr", 2e-3, "--seed", 9),
        *("--set", "weight_decay=0.5", "--prompt", "a {}", "--device", "cpu", "--resume", "--json"),
    )
    assert (code, json.loads(printed)["run"]) == (0, str(run))
    opened, (model, train, to, resume) = asked
    assert opened == ([a, b], [v], Path("c"), ["a {}"], "cpu")
    assert (model.method, to, resume) == ("linear", run, True)
    assert (train.epochs, train.batch_size, train.lr, train.seed) == (3, 5, 2e-3, 9)
    assert train.weight_decay == 0.5
    code, _, said = here("train", "--features", a, "--epochs", 3, "--set", "epochs=4")
    assert (code, said) == (2, "error: --set epochs: cannot be set here; use --epochs")


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


def test_predict_reads_a_cache_in_place_of_videos(work: Path, here) -> None:
    run, cache = work / "runs/feats", work / "feats.h5"
    code, printed, said = here("predict", "--features", cache, "--run", run, "--top", 1, "--json")
    assert code == 1
    predictions = json.loads(printed)
    assert len(predictions) == 7
    (failed,) = (one for one in predictions if "error" in one)
    assert failed["video"] == "archery/broken.mp4"
    assert all(one["truth"] == one["video"].partition("/")[0] for one in predictions)
    assert "1 of 7 videos: no prediction" in said
    _, lines, _ = here("predict", "--features", cache, "--run", run, "--top", 1)
    for one in predictions:
        assert f"{one['video']}, labelled {one['truth']}" in lines


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
        "--top",
        1,
        "--json",
    )
    assert code == 0
    told = json.loads(printed)
    assert told["report"] == str(tmp_path / "report.html")
    assert len(told["labels"]) == len(told["entities"]) == 1
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_a_run_is_exported_and_a_recipe_shown(work: Path, here, tmp_path: Path) -> None:
    code, printed, _ = here(
        "export", "--run", work / "runs/feats", "--out", tmp_path / "a.pt2", "--json"
    )
    assert code == 0
    assert json.loads(printed)["difference"] < 1e-4
    code, printed, _ = here("recipe", "k400-l14", "--json")
    assert code == 0
    assert json.loads(printed)["paper"] == 4947
    code, printed, _ = here("recipe", "k400-l14", "--out", tmp_path / "my runs", "--json")
    words = shlex.split(json.loads(printed)["commands"][-1])
    assert words[words.index("--out") + 1] == f"{tmp_path}/my runs"


def test_recipes_are_listed_as_json_too(here) -> None:
    code, printed, _ = here("recipe")
    assert code == 0
    code, listed, _ = here("recipe", "--json")
    assert code == 0
    assert json.loads(listed) == [line.partition(":")[0] for line in printed.splitlines()]


def test_the_backbone_of_the_environment_is_counted_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("ALT_MODEL", "alt-mini")
    done = alt_adapter("flops", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["encoder_frame"] < 1  # ViT-B-16 has 11 and more


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
        (
            ["predict", "--run", "runs/feats"],
            "VIDEOS and --features: are missing; give video files",
        ),
        (
            ["predict", "x.mp4", "--features", "feats.h5", "--run", "runs/feats"],
            "VIDEOS and --features: are both given",
        ),
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
        (["protocol", "few-shot", "--features", "feats.h5"], "--test: is missing"),
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
        assert re.search(rf"Examples?: alt-adapter {command}", " ".join(printed.split()))


def test_a_recipe_runs_no_code_that_lies_in_the_working_folder(
    tmp_path: Path, here, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("typer.py").write_text("open('it_ran', 'w')\n")
    Path("a.h5").touch()
    cache = (
        'cache = "a.h5"\ndataset = "csv"\nsplit = "train"\nclips = 1\nframes = 1\nviews = "1x1"\n'
    )
    Path("mine.toml").write_text(
        'title = "t"\nprotocol = "supervised"\nmodel = "alt-mini"\npretrained = "bundled"\n'
        f'merge = 2\nsettings = []\nseeds = 1\n[train]\n{cache}[[test]]\nname = "n"\n{cache}'
    )
    code, _, said = here("recipe", "mine.toml", "--run")
    assert (code, "alt-adapter protocol: ended with 2" in said) == (1, True)
    assert not Path("it_ran").exists()
