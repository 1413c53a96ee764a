import json
import sys
from pathlib import Path

import pytest

from adapter import task as tasks
from adapter.cli import main
from adapter.flops import cost
from adapter.recipe import (
    PEAK,
    UTILISATION,
    adapter_commands,
    expect,
    extract_commands,
    label_list,
    load,
    names,
)
from adapter.settings import configs
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
        configs(recipe.settings)
        assert len(list(extract_commands(recipe))) == 1 + len(recipe.test)
        assert list(adapter_commands(recipe, Path("runs/x")))


def test_the_papers_video_costs_no_more_than_the_paper_says() -> None:
    expected = expect(load("k400-l14"))
    assert expected.paper == 4947
    assert 0.95 * 4947 < expected.gmacs <= 4947


def test_costs_follow_from_sizes() -> None:
    recipe = load("k400-b16")
    train, _ = expect(recipe).caches
    counted = cost("ViT-B-16", 8, frames=8, views=1)
    # embeddings of 512 halves and a size; a byte for each of 196 patches; a time
    frame = counted.regions * (2 * 512 + 2) + 196 + 4
    assert train.gigabytes == pytest.approx(240436 * 8 * frame / 1e9)
    seconds = 2e9 * counted.encoder * 240436 / (PEAK * UTILISATION)
    assert train.hours == pytest.approx(seconds / 3600)
    steps = 3 * 2e9 * counted.adapter * 240436 * 30 / (PEAK * UTILISATION)
    assert expect(recipe).training_hours == pytest.approx(steps / 3600)
    # Each of thirty epochs reads it all, at 3 GB a second.
    assert expect(recipe).reading_hours == pytest.approx(30 * train.gigabytes / 3 / 3600)


def test_the_lists_of_kinetics_600_are_classes_of_it_that_kinetics_400_has_not() -> None:
    k400, k600 = (
        {readable(name) for name in load_labels(known)[0].labels} for known in ("k400", "k600")
    )
    for path in load("k400-zero-shot").test[-1].lists:
        labels = {readable(name) for name in load_labels(str(label_list(path)))[0].labels}
        assert len(labels) == 160
        assert labels <= k600 - k400


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
    (tmp_path / "x.toml").write_text("title = 3")
    with pytest.raises(BadInput, match="is no recipe"):
        load(str(tmp_path / "x.toml"))
