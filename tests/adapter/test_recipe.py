import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapter import task as tasks
from adapter.cli import main
from adapter.expectation import expect
from adapter.model import ModelConfig
from adapter.recipe import adapter_commands, extract_commands, finished, label_list, load, names
from adapter.settings import configs
from adapter.train import TrainConfig
from adapter.training import train_run
from corpus.errors import BadInput
from corpus.labels import load_labels, readable


def test_the_papers_settings_are_there() -> None:
    assert names() == [
        "hmdb51-few-shot",
        "k400-b16",
        "k400-l14",
        "k400-zero-shot",
        "ucf101-few-shot",
    ]
    for name in names():
        recipe = load(name)
        assert configs(recipe.settings)[1].lr is None, "each method has a rate of its own"
        assert len(list(extract_commands(recipe))) == 1 + len(recipe.test)
        assert list(adapter_commands(recipe, Path("runs/x")))


def test_the_lists_of_kinetics_600_are_classes_of_it_that_kinetics_400_has_not() -> None:
    k400, k600 = (
        {readable(name) for name in load_labels(known)[0].labels} for known in ("k400", "k600")
    )
    for path in load("k400-zero-shot").test[-1].lists:
        labels = {readable(name) for name in load_labels(str(label_list(path)))[0].labels}
        assert len(labels) == 160
        assert labels <= k600 - k400


def test_a_recipe_that_is_stopped_lets_its_command_end_by_itself(
    write_cache, mini, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_cache(backbone=mini)
    Path("z.toml").write_text(ZERO_SHOT)
    done: list[str] = []

    class Child:
        def wait(self) -> int:
            done.append("wait")
            if len(done) == 1:
                raise KeyboardInterrupt
            return 143

        def terminate(self) -> None:
            done.append("terminate")

    @contextmanager
    def begun(command: list[str], **_: object) -> Iterator[Child]:
        yield Child()

    monkeypatch.setattr(subprocess, "Popen", begun)
    monkeypatch.setattr(sys, "argv", ["alt-adapter", "recipe", "z.toml", "--run"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, done) == (130, ["wait", "terminate", "wait"])


@pytest.mark.parametrize("name", names())
def test_a_recipe_runs_once_its_caches_exist(
    name: str, write_cache, make_task, mini, tmp_path: Path, monkeypatch
) -> None:
    recipe = load(name)
    few = ("archery", "hugging", "singing")
    new = dict.fromkeys(
        label
        for path in recipe.test[-1].lists
        for label in load_labels(str(label_list(path)))[0].labels
    )
    for cache in {recipe.train, *recipe.test}:
        (tmp_path / cache.cache).parent.mkdir(parents=True, exist_ok=True)
        write_cache(
            cache.cache,
            classes=tuple(new) if cache.lists else few,
            per_class=1 if cache.lists else 16 if cache == recipe.train else 2,
            views=cache.views,
            dtype=cache.dtype,
            split=cache.split,
            backbone=mini,
            failed=1,
        )
    # The corpus is not what this is about; an epoch, a seed and one method tell enough.
    given = make_task(tasks.open_clips([tmp_path / recipe.train.cache])).corpus
    monkeypatch.setattr(tasks, "_corpus", lambda *_: given)
    monkeypatch.chdir(tmp_path)
    short = recipe.model_copy(
        update={
            "seeds": 1,
            "methods": ("clip", "alt"),
            "settings": (*recipe.settings, "epochs=1"),
        }
    )
    for step in adapter_commands(short, Path("runs/x")):
        monkeypatch.setattr(sys, "argv", ["alt-adapter", *step])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, step
    records = {
        p.parent.name: json.loads(p.read_text()) for p in Path("runs/x").rglob("metrics.json")
    }
    measured = {test.name for test in recipe.test} if recipe.protocol == "zero-shot" else {"x"}
    for one in measured:
        cells = records[one]["cells"]
        assert {cell["method"] for cell in cells} == {"clip", "alt"}
        assert sum(cell["seeds"][0]["failed"] for cell in cells) >= 2


def test_what_is_no_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such recipe; use hmdb51-few-shot"):
        load("k4000")
    for text in ("title = 3", "title = " + "[" * 100_000):
        (tmp_path / "x.toml").write_text(text)
        with pytest.raises(BadInput, match=r"x\.toml: is no recipe"):
            load(str(tmp_path / "x.toml"))


ZERO_SHOT = """
title = "A small one"
protocol = "zero-shot"
model = "ViT-B/16"
pretrained = "openai"
merge = 8
settings = ["epochs=2"]
seeds = 2
methods = ["clip", "linear"]
train = {cache = "feats.h5", dataset = "folder", split = "", clips = 9, frames = 4, views = "1x1"}

[[test]]
name = "new"
cache = "feats.h5"
dataset = "folder"
split = ""
clips = 9
frames = 4
views = "1x1"
"""
TEST = ZERO_SHOT[ZERO_SHOT.index("[[test]]") :]


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ('"1x1"}', '"foo"}', r"train\.views: String should match"),
        ("clips = 9, frames = 4", "clips = 9, frames = 0", r"train\.frames: .* greater than 0"),
        ("seeds = 2", "seeds = 0", "seeds: .* greater than 0"),
        ("seeds = 2", "seeds = 2_000_000_000", "seeds: .* less than or equal to 10000"),
        ("clips = 9", f"clips = {10**400}", r"train\.clips: .* less than or equal to"),
        ("9, frames", "9, classes = -1, frames", r"train\.classes: .* greater than or equal to 0"),
        (TEST, "test = []", "test: Tuple"),
        ('"clip", "linear"', "", "methods: Tuple should have at least 1"),
        ('"clip", "linear"', '"clip"', r"methods: clip alone has nothing to train\)"),
        ('name = "new"', "", r"test: one has no name\)"),
        (
            TEST,
            TEST + TEST.replace('"new"', '"new"\nprotocol = "ep1"'),
            "test: 2 data sets are .*'new'",
        ),
        (
            TEST,
            TEST + TEST.replace('"new"', '"new"\nlists = ["k600_zs_split1.txt"]'),
            "test: 2 data sets are .*'new'",
        ),
        (TEST, TEST + TEST.replace('"new"', '"old"') + TEST, "test: 2 data sets are called 'new'"),
        *(
            (TEST, TEST.replace('"new"', f'"{name}"'), "test: .* is no name for a column and a")
            for name in ("../new", "/new", "..", "a=b", "new\\u0000")
        ),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_by_the_name_of_what_is_wrong(
    tmp_path: Path, good: str, bad: str, message: str
) -> None:
    (tmp_path / "x.toml").write_text(ZERO_SHOT.replace(good, bad))
    with pytest.raises(BadInput, match=rf"x\.toml: is no recipe \({message}"):
        load(str(tmp_path / "x.toml"))


def test_tests_of_a_recipe_that_trains_are_columns_with_names_of_their_own(tmp_path: Path) -> None:
    recipe = tmp_path / "x.toml"
    trains = ZERO_SHOT.replace('"zero-shot"', '"supervised"')
    recipe.write_text(trains + TEST.replace('"new"', '"old"'))
    assert "new=feats.h5" in next(adapter_commands(load(str(recipe)), tmp_path))
    recipe.write_text(trains + TEST)
    with pytest.raises(BadInput, match="test: 2 data sets are called 'new'"):
        load(str(recipe))
    recipe.write_text(trains.replace('name = "new"', ""))
    with pytest.raises(BadInput, match="test: one has no name"):
        load(str(recipe))


def test_commands_say_all_that_a_recipe_does(tmp_path: Path) -> None:
    trains = ZERO_SHOT.replace('"zero-shot"', '"supervised"').replace('"clip", "', '"temporal", "')
    trains = trains.replace(TEST, TEST.replace("feats.h5", "test.h5"))
    (tmp_path / "x.toml").write_text(trains.replace('"1x1"}', '"4x3", dtype = "int8"}'))
    recipe = load(str(tmp_path / "x.toml"))
    (command,) = adapter_commands(recipe, tmp_path / "out")
    given = dict(zip(command[2::2], command[3::2], strict=True))
    assert command[:2] == ["protocol", "supervised"]
    assert given == {
        **{"--features": "feats.h5", "--test": "new=test.h5", "--set": "epochs=2"},
        **{"--methods": "temporal,linear", "--seeds": "2", "--out": str(tmp_path / "out")},
    }
    train, test = (dict(zip(c[::2], c[1::2], strict=True)) for c in extract_commands(recipe))
    assert (train["--views"], train["--dtype"]) == ("4x3", "int8")
    assert (test["--views"], test["--dtype"]) == ("1x1", "float16")


def test_a_cache_that_several_tests_read_is_made_and_paid_for_once(tmp_path: Path) -> None:
    other = TEST.replace('"new"', '"other"\nprotocol = "ep1"')
    (tmp_path / "x.toml").write_text(ZERO_SHOT + other)
    recipe = load(str(tmp_path / "x.toml"))
    assert [cache.cache for cache in expect(recipe).caches] == ["feats.h5"]
    assert len(list(extract_commands(recipe))) == 1


def test_every_run_is_scored_on_all_caches_of_a_data_set(tmp_path: Path) -> None:
    second = TEST.replace('"feats.h5"', '"second.h5"')
    (tmp_path / "x.toml").write_text(ZERO_SHOT + second)
    *trainings, scoring = adapter_commands(load(str(tmp_path / "x.toml")), Path("out"))
    assert [step[step.index("--method") + 1] for step in trainings] == ["linear", "linear"]
    runs = [part for seed in (0, 1) for part in ("--run", f"out/linear-{seed}")]
    features = ["--features", "feats.h5", "--features", "second.h5"]
    assert scoring[: 2 + len(runs + features)] == ["protocol", "ep2", *runs, *features]


def test_a_model_may_be_named_as_flops_takes_it(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(ZERO_SHOT)
    recipe = load(str(tmp_path / "x.toml"))
    assert expect(recipe) == expect(recipe.model_copy(update={"model": "ViT-B-16"}))


def test_a_method_is_given_those_settings_alone_that_it_reads(tmp_path: Path) -> None:
    settings = '["epochs=2", "top-k=2", "layers=2"]'
    methods = '["linear", "temporal", "alt"]'
    text = ZERO_SHOT.replace('["epochs=2"]', settings).replace('["clip", "linear"]', methods)
    (tmp_path / "z.toml").write_text(text.replace("seeds = 2", "seeds = 1"))
    linear, temporal, alt, _ = adapter_commands(load(str(tmp_path / "z.toml")), tmp_path / "out")
    for command, own in (
        (linear, ["epochs=2"]),
        (temporal, ["epochs=2", "layers=2"]),
        (alt, ["epochs=2", "top-k=2", "layers=2"]),
    ):
        given = [command[i + 1] for i, word in enumerate(command) if word == "--set"]
        assert given == own
        configs(given, method=command[command.index("--method") + 1])


def test_a_recipe_goes_on_where_it_was_left(
    write_cache, make_task, mini, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    task = make_task(tasks.open_clips([write_cache(backbone=mini)]))
    Path("z.toml").write_text(ZERO_SHOT)

    def interrupt(_: dict[str, float]) -> None:
        raise KeyboardInterrupt

    linear, config = ModelConfig(method="linear"), TrainConfig(epochs=2)
    train_run(task, linear, config, Path("out/linear-0"))
    second = config.model_copy(update={"seed": 1})
    with pytest.raises(KeyboardInterrupt):
        train_run(task, linear, second, Path("out/linear-1"), report=interrupt)
    steps = []

    @contextmanager
    def noted(command: list[str], **_: object) -> Iterator[SimpleNamespace]:
        steps.append(command[command.index("adapter.cli") + 1 :])
        yield SimpleNamespace(wait=lambda: 0)

    monkeypatch.setattr(subprocess, "Popen", noted)
    monkeypatch.setattr(sys, "argv", ["alt-adapter", "recipe", "z.toml", "--run", "--out", "out"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    training, scoring = steps
    assert training[-3:] == ["--out", "out/linear-1", "--resume"]
    assert scoring[:6] == ["protocol", "ep2", "--run", "out/linear-0", "--run", "out/linear-1"]
    # What is shown is the whole of it; and a finished run of another recipe is not taken for one.
    recipe = load("z.toml")
    assert [step[0] for step in adapter_commands(recipe, Path("out"))] == ["train"] * 2 + [
        "protocol"
    ]
    told = "out/linear-0: is finished, with other settings"
    other = recipe.model_copy(update={"settings": ("epochs=3",)})
    with pytest.raises(BadInput, match=told):
        list(adapter_commands(other, Path("out"), go_on=True))
    at_its_rate = recipe.model_copy(update={"settings": ("epochs=2", "lr=1e-4")})
    assert finished(at_its_rate, Path("out/linear-0"), "linear", 0)
    for method, seed in (("linear", 1), ("temporal", 0)):
        with pytest.raises(BadInput, match=told):
            finished(at_its_rate, Path("out/linear-0"), method, seed)


def test_a_finished_run_on_further_features_is_not_taken_for_the_recipes(
    write_cache, make_task, mini, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    caches = [write_cache(backbone=mini), write_cache("more.h5", seed=1, backbone=mini)]
    task = make_task(tasks.open_clips(caches))
    train_run(task, ModelConfig(method="linear"), TrainConfig(epochs=2), Path("out/linear-0"))
    Path("z.toml").write_text(ZERO_SHOT)
    with pytest.raises(BadInput, match=r"out/linear-0: is finished, with other .* features"):
        list(adapter_commands(load("z.toml"), Path("out"), go_on=True))
