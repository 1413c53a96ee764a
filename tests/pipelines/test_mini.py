import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from corpus.backbone import Backbone, load
from extract.regions import RegionEncoder
from pipelines.mini import train as training
from pipelines.mini.card import Figures, bundle, figures, rounded
from pipelines.mini.stills import HELD_OUT, Stills, collate, coverage, normalise
from pipelines.mini.texts import NAMES, every_text, fillers, text_of
from pipelines.mini.train import Progress, Recipe, once_each, rate_at, regions_of, train
from pipelines.world.actions import ACTIONS
from pipelines.world.clips import MOST_SEEDS, listing
from pipelines.world.entities import ENTITIES
from pipelines.world.stills import FIRST_SEED, still

TINY = Recipe(steps=3, batch=3, words=1, warmup=2)


def test_no_action_label_is_in_any_text_the_backbone_is_trained_on() -> None:
    rng = np.random.default_rng(0)
    names = [text_of(name, rng) for name in NAMES for _ in range(30)]
    captions = [still(FIRST_SEED + k, 24).caption for k in range(500)]
    for action in ACTIONS:
        for text in (*every_text(), *names, *captions):
            assert action.label not in text.lower()


def test_captions_and_fillers_hold_no_word_for_an_action() -> None:
    verbs = {action.verb.phrase.split()[0] for action in ACTIONS}
    words = {word for k in range(500) for word in still(FIRST_SEED + k, 24).caption.split()}
    assert not verbs & {word.strip(",") for word in words}
    assert not verbs & set(fillers())


def test_stills_have_seeds_that_no_clip_has() -> None:
    last = max(clip.seed for clip in listing(2000, MOST_SEEDS - 1))
    assert last < FIRST_SEED < HELD_OUT
    assert FIRST_SEED + Recipe().steps * Recipe().batch < HELD_OUT


def test_the_same_number_is_the_same_still() -> None:
    one, again, other = (Stills(60, 5, 9)[k] for k in (3, 3, 4))
    assert one[1] == again[1]
    assert all(np.array_equal(a, b) for a, b in zip(one[::2], again[::2], strict=True))
    assert not np.array_equal(one[0], other[0])


def test_a_caption_names_things_that_are_there() -> None:
    for k in range(120):
        shot = still(FIRST_SEED + k, 60)
        present = {name for names in shot.names.values() for name in names}
        said = {
            word
            for word in shot.caption.replace(",", "").split()
            if word in ENTITIES and ENTITIES[word].kind in ("object", "animal", "role", "scene")
        }
        assert said <= present, shot.caption


def test_cover_is_the_share_of_each_patch_that_shows_an_entity() -> None:
    shot = still(FIRST_SEED + 5, 60)
    entities, cover = coverage(shot, 5)
    for k, name in enumerate(NAMES):
        numbers = [n for n, names in shot.names.items() if name in names]
        rows = cover[entities == k]
        if len(rows):
            assert rows[0].sum() * 144 == pytest.approx(np.isin(shot.ids, numbers).sum(), abs=0.1)


@given(st.lists(st.integers(0, len(NAMES) - 1), min_size=1, max_size=200))
def test_no_group_of_regions_has_an_entity_twice(entity: list[int]) -> None:
    groups = once_each(np.array(entity), np.random.default_rng(0))
    for group in groups:
        chosen = [entity[k] for k in group.tolist()]
        assert len(set(chosen)) == len(chosen)
    assert len(groups[0]) == len(set(entity))


@pytest.mark.parametrize("merge", [0, 8])
def test_regions_are_made_of_tokens_that_show_the_entity(mini: Backbone, merge: int) -> None:
    size = mini.preprocess.size[0]
    batch = collate([Stills(size, 10, 8)[k] for k in range(4)])
    with torch.no_grad():
        seen = RegionEncoder(mini.model, merge)(normalise(batch.images, mini.preprocess))
        # One axis a token: a region then says which tokens it is made of.
        axes = torch.eye(seen.tokens.shape[1]).expand(4, -1, -1)
        rows, entity = regions_of(batch, seen, axes, 20, np.random.default_rng(0))
    pooled = len(rows) // (1 + training.SINGLES)
    assert torch.equal(entity[:pooled], entity[pooled : 2 * pooled])
    assert (rows[pooled:].amax(-1) == 1).all()
    assert (rows[:, 0] == 0).all()  # the class token is no region
    assert len(set(entity.tolist())) > 8


def test_training_goes_on_after_an_interruption_as_if_there_had_been_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVED", 1)
    monkeypatch.setattr(training, "REPORTED", 1)
    whole = _trained(tmp_path / "whole.pt")

    def interrupt(progress: Progress) -> None:
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _trained(tmp_path / "parts.pt", interrupt)
    parts = _trained(tmp_path / "parts.pt")
    assert parts.keys() == whole.keys()
    for name in whole:
        assert torch.equal(parts[name], whole[name]), name


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [rate_at(step, Recipe()) for step in range(Recipe().steps + 1)]
    assert np.argmax(rates) in (Recipe().warmup - 1, Recipe().warmup)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_a_bundled_backbone_is_the_one_that_was_measured(mini: Backbone, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = rounded(load("alt-mini", "none", seed=3))
    found = figures(trained, clips=5, each=1)
    weights, card = bundle(trained, TINY, found, tmp_path)
    assert weights.stat().st_size <= 12 * 2**20
    again = load("alt-mini", str(weights))
    # What is loaded computes in full precision, from the rounded values.
    assert torch.equal(again.encode_text(["a ball"]), trained.encode_text(["a ball"]))
    assert again.fingerprint != mini.fingerprint
    assert f"{found.recognition.top1_name:.1%}" in card.read_text()
    assert [a.merge for a in found.alignment] == [0, 4, 8]
    assert [a.regions for a in found.alignment] == [100, 76, 52]
    assert Figures.model_validate_json(found.model_dump_json()) == found


def _trained(checkpoint: Path, report: object = lambda _: None) -> dict[str, torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backbone = train(TINY, checkpoint, workers=0, report=report)  # type: ignore[arg-type]
    return backbone.model.state_dict()
