from pathlib import Path

import pytest

from adapter.flops import cost
from adapter.recipe import (
    PEAK,
    UTILISATION,
    adapter_commands,
    expect,
    extract_commands,
    load,
    names,
)
from adapter.settings import configs
from corpus.errors import BadInput


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
    assert 0.99 * 4947 < expected.gmacs <= 4947


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


def test_what_is_no_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such recipe; use hmdb51-few-shot"):
        load("k4000")
    (tmp_path / "x.toml").write_text("title = 3")
    with pytest.raises(BadInput, match="is no recipe"):
        load(str(tmp_path / "x.toml"))
