import copy
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
import torch
from safetensors.torch import load_file, save_file

from adapter import runs, training
from adapter.baselines import MeanPooled
from adapter.compare import open_tests
from adapter.data import open_clips
from adapter.evaluate import evaluate, evaluate_run
from adapter.model import ModelConfig, Recogniser
from adapter.protocols import zero_shot
from adapter.runs import Run
from adapter.train import TrainConfig
from adapter.training import free_name, train_run
from corpus.errors import BadInput
from extract.store import FeatureCache

QUICK = TrainConfig(epochs=4, batch_size=8, lr=1e-3)


@pytest.fixture
def task(write_cache, make_task, mini):
    clips = open_clips([write_cache(noise=6, backbone=mini)])
    val = open_clips([write_cache("val.h5", noise=6, backbone=mini, seed=1, split="val")])
    return make_task(clips, val)


def test_a_run_folder_is_all_that_is_needed_to_score_again(task, tmp_path: Path) -> None:
    metrics = train_run(task, ModelConfig(), QUICK, tmp_path / "run")
    run = Run.load(tmp_path / "run")
    again = evaluate(run.model, task.val, run.labels).model_dump()
    assert again == metrics["validation"]
    assert again["top1"] == max(record["val_top1"] for record in metrics["history"])
    assert run.entities[3].unit == "thing 3"
    assert run.config.labels == task.clips.classes
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    assert any((tmp_path / "run" / "events").iterdir())
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == metrics


def test_a_run_has_the_last_epoch_beside_the_best_one(task, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("adapter.train._merit", lambda record: -record["epoch"])  # the first is
    linear, whole = ModelConfig(method="linear"), replace(task, val=None, validation="none")
    assert train_run(task, linear, QUICK, tmp_path / "run")["best_epoch"] == 1
    train_run(whole, linear, QUICK, tmp_path / "to the end")
    best, last, end = (
        load_file(tmp_path / file)["map.change.weight"]
        for file in (
            "run/adapter.safetensors",
            "run/last.safetensors",
            "to the end/adapter.safetensors",
        )
    )
    assert torch.equal(last, end)
    assert not torch.equal(best, end)


def test_a_run_notes_what_mean_pooled_clip_scores_on_its_validation_clips(
    task, tmp_path: Path
) -> None:
    metrics = train_run(task, ModelConfig(), QUICK, tmp_path / "run")
    clip = MeanPooled(task.backbone.logit_scale)
    assert metrics["validation_clip"] == evaluate(clip, task.val, task.labels).model_dump()
    assert metrics["validation_clip"] != metrics["validation"]


@pytest.mark.parametrize(
    "method", ["linear", "temporal", "alt-paper", "alt-learned", "alt-shuffled"]
)
def test_baselines_are_runs_too(task, tmp_path: Path, method: str) -> None:
    metrics = train_run(task, ModelConfig(method=method), QUICK, tmp_path / "run")
    run = Run.load(tmp_path / "run")
    assert evaluate(run.model, task.val, run.labels).model_dump() == metrics["validation"]


def test_a_run_notes_the_learning_rate_that_suits_its_method(task, tmp_path: Path) -> None:
    for method, rate in (("linear", 1e-4), ("alt", 1e-3)):
        train_run(task, ModelConfig(method=method), TrainConfig(epochs=1), tmp_path / method)
        assert Run.load(tmp_path / method).config.train.lr == rate
        assert f"lr {rate:g}," in (tmp_path / method / "README.md").read_text()


def test_a_run_killed_between_epochs_resumes_to_the_same_files(task, tmp_path: Path) -> None:
    train_run(task, ModelConfig(), QUICK, tmp_path / "whole")

    class Killed(Exception):
        pass

    def kill(record: dict[str, float]) -> None:
        if record["epoch"] == 2:
            raise Killed

    with pytest.raises(Killed):
        train_run(task, ModelConfig(), QUICK, tmp_path / "run", report=kill)
    with pytest.raises(BadInput, match=r"adapter\.safetensors is missing; finish the run with"):
        Run.load(tmp_path / "run")
    with pytest.raises(BadInput, match="unfinished run already; use --resume"):
        train_run(task, ModelConfig(), QUICK, tmp_path / "run")
    other = QUICK.model_copy(update={"lr": 1e-2})
    with pytest.raises(BadInput, match=r"other settings \(train\.lr .*, now 0\.01\)"):
        train_run(task, ModelConfig(), other, tmp_path / "run", resume=True)
    told: list[int] = []
    train_run(
        task,
        ModelConfig(),
        QUICK,
        tmp_path / "run",
        resume=True,
        report=lambda record: told.append(record["epoch"]),
    )
    assert told == [3, 4]
    for name in ("adapter.safetensors", "last.safetensors", "metrics.json", "config.json"):
        whole, resumed = (tmp_path / folder / name for folder in ("whole", "run"))
        assert whole.read_bytes() == resumed.read_bytes(), name
    with pytest.raises(BadInput, match="is finished: nothing to resume"):
        train_run(task, ModelConfig(), QUICK, tmp_path / "run", resume=True)


def test_resuming_where_no_run_was_begun_begins_one_and_says_so(task, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="run: no run was begun there yet; this begins one"):
        made = train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "run", resume=True)
    assert made == train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "new")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with (
        pytest.warns(UserWarning, match="no run was begun"),
        pytest.raises(BadInput, match="holds something that is no run"),
    ):
        train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "mine", resume=True)


def test_a_run_killed_before_its_first_checkpoint_resumes_with_its_own_settings_alone(
    task, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    training._start(run, training._config(task, ModelConfig(), QUICK), task)
    with pytest.raises(BadInput, match="unfinished run already; use --resume, or another --out"):
        train_run(task, ModelConfig(), QUICK, run)
    with pytest.raises(BadInput, match=r"adapter\.safetensors is missing; finish the run with"):
        Run.load(run)
    other = QUICK.model_copy(update={"seed": 7})
    with pytest.raises(BadInput, match=r"other settings \(train\.seed 0, now 7\)"):
        train_run(task, ModelConfig(), other, run, resume=True)
    with pytest.raises(BadInput, match=r"other settings \(model\.method alt, now linear\)"):
        train_run(task, ModelConfig(method="linear"), QUICK, run, resume=True)
    turned = task.clips.relabelled(task.clips.classes[::-1])
    with pytest.raises(BadInput, match=r"other settings \(labels"):
        train_run(replace(task, clips=turned), ModelConfig(), QUICK, run, resume=True)
    for changed, name in (("clips", "contents"), ("val", "val_contents")):
        elsewhere = replace(getattr(task, changed), contents=("other",))
        moved = replace(task, **{changed: elsewhere})
        with pytest.raises(BadInput, match=rf"other settings \({name}"):
            train_run(moved, ModelConfig(), QUICK, run, resume=True)
    metrics = train_run(task, ModelConfig(), QUICK, run, resume=True)
    assert metrics == train_run(task, ModelConfig(), QUICK, tmp_path / "whole")


def test_what_is_drawn_for_a_run_is_drawn_by_its_seed(task, tmp_path: Path, monkeypatch) -> None:
    drawn = []

    def begun(model: Recogniser, *_: object) -> None:
        drawn.append(model.align.order)
        raise InterruptedError

    monkeypatch.setattr(training, "fit", begun)
    for seed in (0, 7):
        seeded = QUICK.model_copy(update={"seed": seed})
        with pytest.raises(InterruptedError):
            train_run(task, ModelConfig(method="alt-shuffled"), seeded, tmp_path / f"{seed}")
    assert not torch.equal(*drawn)


def test_training_that_cannot_begin_claims_no_folder(task, tmp_path: Path, monkeypatch) -> None:
    patient = QUICK.model_copy(update={"patience": 3})
    with pytest.raises(BadInput, match="patience: needs validation clips"):
        train_run(replace(task, val=None), ModelConfig(), patient, tmp_path / "run")

    def no_room(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(training, "as_read", no_room)
    with pytest.raises(OSError, match="no room"):
        train_run(task, ModelConfig(), QUICK, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("switched_off", [torch.no_grad, torch.inference_mode])
def test_training_without_gradients_is_refused_and_claims_no_folder(
    task, tmp_path: Path, switched_off
) -> None:
    with switched_off(), pytest.raises(BadInput, match="gradients are switched off here; call it"):
        train_run(task, ModelConfig(), QUICK, tmp_path / "run")
    assert not list(tmp_path.glob("run*"))


def test_training_that_ends_early_leaves_no_thread_behind(task, tmp_path: Path) -> None:
    before = threading.active_count()

    def stop(record: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(task, ModelConfig(), QUICK, tmp_path / "run", report=stop)
    assert threading.active_count() == before


def test_a_finished_run_is_not_overwritten(task, tmp_path: Path) -> None:
    train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "run")
    before = load_file(tmp_path / "run" / "adapter.safetensors")
    with pytest.raises(BadInput, match="holds a run already; use another --out"):
        train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "run")
    after = load_file(tmp_path / "run" / "adapter.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_folder_of_something_else_is_left_as_it_is(task, tmp_path: Path) -> None:
    for name in ("README.md", "config.json", "videos.json"):
        folder = tmp_path / name.split(".")[0]
        folder.mkdir()
        (folder / name).write_text("mine")
        with pytest.raises(BadInput, match=f"holds something that is no run .{name}.; use another"):
            train_run(task, ModelConfig(method="linear"), QUICK, folder)
        assert [path.read_text() for path in folder.iterdir()] == ["mine"]


def test_a_run_killed_before_it_had_its_settings_is_begun_anew(task, tmp_path: Path) -> None:
    run = tmp_path / "run"
    training._start(run, training._config(task, ModelConfig(method="linear"), QUICK), task)
    (run / "config.json").unlink()
    (run / ".config.x.json").write_text("{")
    train_run(task, ModelConfig(method="linear"), QUICK, run)
    assert Run.load(run).config.model.method == "linear"


def test_a_damaged_checkpoint_is_refused_and_never_unpickled(task, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    training._start(tmp_path / "run", training._config(task, ModelConfig(), QUICK), task)
    torch.save({"epoch": Trap()}, tmp_path / "run" / "checkpoint.pt")
    with pytest.raises(BadInput, match="is damaged"):
        train_run(task, ModelConfig(), QUICK, tmp_path / "run", resume=True)
    assert not (tmp_path / "trapped").exists()


def test_a_checkpoint_that_no_training_came_to_is_refused(task, tmp_path: Path) -> None:
    out, kept = tmp_path / "run", {}

    def stop(record: dict[str, float]) -> None:
        kept.update(torch.load(out / "checkpoint.pt", weights_only=True))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run(task, ModelConfig(), QUICK, out, report=stop)
    name = next(name for name, weight in kept["weights"].items() if weight.ndim == 2)
    nowhere = {**kept["weights"], name: torch.full_like(kept["weights"][name], torch.nan)}
    optimizer = copy.deepcopy(kept["optimizer"])
    optimizer["state"][0]["exp_avg"] = torch.zeros(3)
    narrow = {**kept["weights"], name: kept["weights"][name][:, :1]}
    for change in (
        {"epoch": 99},
        {"epoch": -5},
        {"epoch": "1"},
        {"best_epoch": 2},
        {"history": 5},
        {"best": {}},
        {"weights": narrow},
        {"weights": nowhere},
        {"optimizer": {"a": 1}},
        {"optimizer": optimizer},
    ):
        torch.save(kept | change, out / "checkpoint.pt")
        with pytest.raises(BadInput, match=r"checkpoint.pt: is damaged, and the run cannot go on"):
            train_run(task, ModelConfig(), QUICK, out, resume=True)
    torch.save(kept, out / "checkpoint.pt")
    train_run(task, ModelConfig(), QUICK, out, resume=True)


def test_what_is_no_run_or_a_damaged_one_is_refused(task, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a run folder"):
        Run.load(tmp_path)
    train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "run")
    weights = tmp_path / "run" / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BadInput, match="the run is damaged"):
        Run.load(tmp_path / "run")
    entities = tmp_path / "run" / "entities.jsonl"
    entities.write_bytes(b"\xff" + entities.read_bytes()[1:])
    with pytest.raises(BadInput, match=r"the run is damaged .*0xff"):
        Run.load(tmp_path / "run")
    train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "other")
    for content, cause in (("[1]", "0: Input should be"), ("{}", ""), ("7", ""), ('["a.mp4"', "")):
        (tmp_path / "other" / "videos.json").write_text(content)
        with pytest.raises(BadInput, match=rf"the run is damaged \({cause}"):
            Run.load(tmp_path / "other")
    (tmp_path / "other" / "videos.json").unlink()
    with pytest.raises(BadInput, match=r"other: videos\.json is missing; train again"):
        Run.load(tmp_path / "other")
    (tmp_path / "other" / "videos.json").write_text("[]")
    config = tmp_path / "other" / "config.json"
    facts = json.loads(config.read_text())
    config.write_text(json.dumps(facts | {"labels": facts["labels"][1:]}))
    with pytest.raises(BadInput, match=r"the run is damaged \(3 labels, but texts of \(4, 2, "):
        Run.load(tmp_path / "other")
    for wrong in ({"scale": float("nan")}, {"scale": 0}, {"clips": 0}):
        config.write_text(json.dumps(facts | wrong))
        with pytest.raises(BadInput, match=rf"config\.json: is damaged \({next(iter(wrong))}: "):
            Run.load(tmp_path / "other")
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace('"schema_version": 3', '"schema_version": 9'))
    with pytest.raises(BadInput, match="schema 9"):
        Run.load(tmp_path / "run")
    config.write_text("[" * 100_000)
    with pytest.raises(BadInput, match=r"config\.json: is damaged"):
        Run.load(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "change", "cause"),
    [
        ("label_text", lambda text: text.sum(), r"4 labels, but texts of \(\)"),
        ("label_text", lambda text: text[:, 0], r"4 labels, but texts of \(4, "),
        ("label_text", lambda text: text[..., :3], r"4 labels, but texts of \(4, 2, 3\)"),
        ("label_text", lambda text: text / 0, "not finite"),
        ("log_scale", lambda scale: scale * float("nan"), "not finite"),
        ("log_scale", lambda scale: torch.zeros(3), "size mismatch for log_scale"),
    ],
)
def test_weights_that_cannot_be_a_run_s_are_refused(
    task, tmp_path: Path, name: str, change, cause: str
) -> None:
    train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "run")
    path = tmp_path / "run" / "adapter.safetensors"
    weights = load_file(path)
    path.unlink()
    save_file(weights | {name: change(weights[name]).contiguous()}, path)
    with pytest.raises(BadInput, match=rf"the run is damaged \(.*({cause})"):
        Run.load(tmp_path / "run")
    path.unlink()
    path.mkdir()
    with pytest.raises(BadInput, match=r"adapter\.safetensors is missing"):
        Run.load(tmp_path / "run")


def test_evaluation_of_a_run_says_what_was_scored_against_what(
    task, tmp_path: Path, write_cache, mini
) -> None:
    train_run(task, ModelConfig(), QUICK, tmp_path / "run")
    path = write_cache("test.h5", noise=6, backbone=mini, seed=2, split="test", failed=2)
    result = evaluate_run(Run.load(tmp_path / "run"), [path])
    assert (result["clips"], result["failed"], result["left_out"]) == (18, 2, {})
    assert result["label_set"]["source"] == "run"
    assert result["contents"] == [FeatureCache(path).manifest.content_hash]
    clip = result["baselines"]["clip"]
    assert clip["list_hash"] == result["list_hash"]
    assert clip["difference"] == pytest.approx(result["top1"] - clip["top1"])


def test_evaluation_scores_the_test_split_and_tells_of_clips_trained_on(
    task, tmp_path: Path, write_cache, mini
) -> None:
    train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "run")
    run = Run.load(tmp_path / "run")
    assert run.videos == task.clips.videos
    mixed = write_cache("mixed.h5", backbone=mini, splits=("train", "train", "val", "test"))
    result = evaluate_run(run, [mixed])
    assert (result["clips"], result["named_as_in_training"]) == (4, 0)
    assert result["left_out"] == {"of split train": 8, "of split val": 4}
    path = task.clips.sources[0]
    with pytest.warns(
        UserWarning, match=r"16 of 16 videos of .*feats\.h5 have the names of videos trained"
    ):
        assert evaluate_run(run, [path])["named_as_in_training"] == 16


def test_scoring_a_video_twice_is_told_of(task, tmp_path: Path, write_cache, mini) -> None:
    train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "run")
    run = Run.load(tmp_path / "run")
    one, other = (
        write_cache(f"{seed}.h5", backbone=mini, seed=seed, folder="test") for seed in (1, 2)
    )
    for score in (
        lambda: evaluate_run(run, [one, other]),
        lambda: zero_shot([run], "ep2", [one, other]),
    ):
        with pytest.warns(UserWarning, match="16 of 32 rows of .* counts again"):
            score()
    with h5py.File(one, "r+") as file:  # as where a list names it under two classes
        file["video"][1] = file["video"][0]
    with pytest.warns(UserWarning, match=r"1 of 16 rows of .*1\.h5 .* counts again"):
        open_tests({"test": one}, task)


def test_scoring_the_clips_that_chose_the_epoch_is_told_of(
    task, tmp_path: Path, write_cache, mini
) -> None:
    val = write_cache("val.h5", noise=6, backbone=mini, seed=1, split="val", folder="val")
    chosen = replace(task, val=open_clips([val], scored=True))
    train_run(chosen, ModelConfig(method="linear"), QUICK, tmp_path / "run")
    run = Run.load(tmp_path / "run")
    assert run.val_videos == chosen.val.videos
    with pytest.warns(UserWarning, match=r"16 of 16 videos of .*val\.h5 .* chosen by: if they are"):
        result = evaluate_run(run, [val])
    assert (result["named_as_in_training"], result["named_as_in_validation"]) == (0, 16)
    with pytest.warns(UserWarning, match="the epoch was chosen by"):
        zero_shot([run], "ep2", [val])
    train_run(replace(task, val=None), ModelConfig(method="linear"), QUICK, tmp_path / "last")
    assert evaluate_run(Run.load(tmp_path / "last"), [val])["named_as_in_validation"] == 0


def test_a_run_is_asked_about_labels_it_never_saw(
    task, tmp_path: Path, write_cache, mini, monkeypatch
) -> None:
    train_run(task, ModelConfig(), QUICK, tmp_path / "run")
    monkeypatch.setattr(runs, "backbone_of", lambda *_: mini)
    path = write_cache("novel.h5", classes=("yoga", "zumba"), backbone=mini, split="test")
    result = evaluate_run(Run.load(tmp_path / "run"), [path])
    assert result["label_set"]["source"] == "features"
    assert (result["labels"], result["label_set"]["new"]) == (2, 2)
    (tmp_path / "wide.txt").write_text("zumba\nyoga\narchery\nwelding\n")
    wide = evaluate_run(Run.load(tmp_path / "run"), [path], tmp_path / "wide.txt")
    assert (wide["labels"], wide["label_set"]["new"]) == (4, 3)
    (tmp_path / "narrow.txt").write_text("zumba\narchery\n")
    with pytest.raises(BadInput, match="'yoga' of the data is not among its 2 labels"):
        evaluate_run(Run.load(tmp_path / "run"), [path], tmp_path / "narrow.txt")


def test_features_of_another_backbone_are_refused(task, tmp_path: Path, write_cache, mini) -> None:
    train_run(task, ModelConfig(method="linear"), QUICK, tmp_path / "run")
    run = Run.load(tmp_path / "run")
    other = write_cache("other.h5", backbone=mini, fingerprint="f" * 32)
    with pytest.raises(BadInput, match=r"other\.h5: its features are of alt-mini/none \(f{8}\)"):
        evaluate_run(run, [other])
    merged = write_cache("merged.h5", backbone=mini, merge=3)
    with pytest.raises(BadInput, match="merges 3 tokens"):
        evaluate_run(run, [merged])
    squashed = run.config.features.preprocess.model_copy(update={"resize_mode": "squash"})
    squashed = write_cache("squashed.h5", backbone=mini, preprocess=squashed)
    with pytest.raises(BadInput, match="its pixels were prepared otherwise"):
        evaluate_run(run, [squashed])


def test_a_default_name_never_meets_another_run(tmp_path: Path) -> None:
    assert free_name(tmp_path, "feats") == tmp_path / "feats"
    assert free_name(tmp_path, "feats", resume=True) == tmp_path / "feats"
    (tmp_path / "feats").mkdir()
    (tmp_path / "feats-2").mkdir()
    assert free_name(tmp_path, "feats") == tmp_path / "feats-3"
    assert free_name(tmp_path, "feats", resume=True) == tmp_path / "feats-2"
