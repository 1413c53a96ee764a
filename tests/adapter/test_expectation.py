import math

import pytest

from adapter.expectation import PEAK, STEP, UTILISATION, Expectation, clip_bytes, expect, hours
from adapter.flops import cost
from adapter.recipe import load
from adapter.settings import configs
from corpus.errors import BadInput


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
    # All regions are compared with all entities once, and no more in any of thirty epochs.
    compared = 5000 * 512 * 8 * counted.regions / 1e9
    assert counted.adapter - counted.adapter_looked_up == pytest.approx(compared)
    read = 3 * 30 * counted.adapter_looked_up + compared
    steps = 30 * math.ceil(240436 / configs(recipe.settings)[1].batch_size)
    seconds = 2e9 * read * 240436 / (PEAK * UTILISATION) + steps * STEP
    assert expect(recipe).training_hours == pytest.approx(seconds / 3600)
    # Each of thirty epochs reads it all, at 3 GB a second.
    assert expect(recipe).reading_hours == pytest.approx(30 * train.gigabytes / 3 / 3600)


def test_a_patch_takes_two_bytes_where_one_has_no_number_left_for_cut_regions() -> None:
    recipe = load("k400-b16")
    sizes = [clip_bytes(recipe, recipe.train, regions) for regions in (254, 255, 256)]
    region = 8 * (2 * 512 + 2)
    assert sizes[1] - sizes[0] == region
    assert sizes[2] - sizes[1] == region + 8 * 196


def test_base_to_novel_costs_sixteen_shots_of_half_the_classes() -> None:
    few = load("ucf101-few-shot")
    few = few.model_copy(update={"train": few.train.model_copy(update={"classes": 102})})
    halves = few.model_copy(update={"protocol": "base-to-novel"})
    # Fifty epochs each: 2 + 4 + 8 + 16 clips of all classes, and 16 of half of them.
    ratio = expect(few).reading_hours / expect(halves).reading_hours
    assert ratio == pytest.approx(30 / 8)
    unsaid = few.model_copy(update={"train": few.train.model_copy(update={"classes": 0})})
    with pytest.raises(BadInput, match=r"how many classes there are .*; add classes to its"):
        expect(unsaid)


@pytest.mark.parametrize(
    ("setting", "protocol", "mend"),
    [
        ("method=linear", "zero-shot", "name it among methods"),
        ("seed=4", "supervised", "say how many seeds there are"),
        ("patience=4", "supervised", "leave it out"),
    ],
)
def test_a_setting_that_the_commands_would_refuse_is_refused_where_costs_are_shown(
    setting: str, protocol: str, mend: str
) -> None:
    recipe = load("k400-b16").model_copy(update={"settings": (setting,), "protocol": protocol})
    with pytest.raises(BadInput, match=f"--set .*: cannot be set here; {mend}"):
        expect(recipe)


def test_patience_may_be_set_where_a_run_is_trained() -> None:
    assert expect(
        load("k400-b16").model_copy(update={"settings": ("patience=4",), "protocol": "zero-shot"})
    )


def test_costs_grow_with_seeds_and_views_and_shrink_with_bytes() -> None:
    recipe = load("k400-b16")
    once, runs = expect(recipe), recipe.model_copy(update={"seeds": 2 * recipe.seeds})
    # Runs of all seeds read what was looked up once.
    counted = cost("ViT-B-16", 8, frames=8, views=1)
    looked_up = hours((counted.adapter - counted.adapter_looked_up) * recipe.train.clips)
    assert expect(runs).training_hours + looked_up == pytest.approx(2 * once.training_hours)
    assert expect(runs).caches == once.caches

    def trained_on(**facts: object) -> Expectation:
        train = recipe.train.model_copy(update=facts)
        return expect(recipe.model_copy(update={"train": train}))

    more = trained_on(views="4x3")
    for name in ("gigabytes", "hours"):
        size, one = getattr(more.caches[0], name), getattr(once.caches[0], name)
        assert size == pytest.approx(12 * one)
    # A step reads a view of each clip; all views are looked up.
    assert more.training_hours - once.training_hours == pytest.approx(11 * looked_up)
    assert more.reading_hours == pytest.approx(once.reading_hours)
    regions = cost("ViT-B-16", 8, frames=8, views=1).regions
    frame = regions * (512 + 2 + 2) + 196 + 4  # a byte for each number, and a scale
    assert trained_on(dtype="int8").caches[0].gigabytes == pytest.approx(240436 * 8 * frame / 1e9)


def test_the_larger_half_of_an_odd_number_of_classes_is_paid_for() -> None:
    few = load("ucf101-few-shot").model_copy(update={"protocol": "base-to-novel"})
    odd, even = (
        expect(few.model_copy(update={"train": few.train.model_copy(update={"classes": count})}))
        for count in (101, 102)
    )
    assert odd.training_hours == even.training_hours
