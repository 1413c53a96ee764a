import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from corpus.backbone import Backbone, load
from corpus.errors import BadInput
from extract import tome
from extract.regions import RegionEncoder
from pipelines.mini import train as training
from pipelines.mini.card import Figures, bundle, figures, rounded
from pipelines.mini.grouping import key_loss, listening
from pipelines.mini.losses import balance, region_loss, shown_by
from pipelines.mini.measure import recognition
from pipelines.mini.stills import HELD_OUT, collate, coverage, draw, normalise, one
from pipelines.mini.texts import (
    NAMES,
    PHRASES,
    definitions,
    filler,
    fillers,
    in_company,
    pairs_in_company,
    strangers,
    text_of,
)
from pipelines.mini.train import Progress, Recipe, rate_at, train
from pipelines.world.actions import ACTIONS
from pipelines.world.clips import MOST_SEEDS, listing
from pipelines.world.entities import ENTITIES, THINGS
from pipelines.world.stills import FIRST_SEED, company, still

TINY = Recipe(steps=3, batch=3, words=1, warmup=2, drawn=6, passes=1, settling=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """A training that nothing interrupted: its checkpoint, and what it learned."""
    path = tmp_path_factory.mktemp("whole") / "checkpoint.pt"
    return path, _trained(path)


def test_no_action_label_is_in_any_text_the_backbone_is_trained_on() -> None:
    rng = np.random.default_rng(0)
    every = [phrase.format(name) for name in NAMES for phrase in PHRASES]
    every += [f"{name}: {gloss}" for name in NAMES for gloss in definitions()[name]]
    names = [text_of(name, rng) for name in NAMES for _ in range(30)]
    assert set(names) <= set(every)
    names += [text for _ in range(30) for texts in pairs_in_company(40, 4, rng) for text in texts]
    names += [in_company(name, rng) for name in NAMES for _ in range(30)]
    names += strangers(3000, rng)
    captions = [still(FIRST_SEED + k, 24).caption for k in range(500)]
    captions += [one(k, 24, 3)[1] for k in range(500)]  # of which some are definitions
    for action in ACTIONS:
        for text in (*every, *names, *captions):
            assert action.label not in text.lower()


def test_captions_and_fillers_hold_no_word_for_an_action() -> None:
    verbs = {action.verb.phrase.split()[0] for action in ACTIONS}
    words = {word for k in range(500) for word in still(FIRST_SEED + k, 24).caption.split()}
    assert not verbs & {word.strip(",") for word in words}
    assert not verbs & set(fillers())
    rng = np.random.default_rng(0)
    assert not verbs & {filler(rng) for _ in range(20_000)}


def test_strangers_are_no_thing_of_the_world_and_hold_no_word_for_an_action() -> None:
    verbs = {action.verb.phrase.split()[0] for action in ACTIONS}
    others = [text.split(":")[0].split() for text in strangers(3000, np.random.default_rng(0))]
    assert not any(words[-1] in ENTITIES for words in others)
    assert not any(verbs & set(words) for words in others)
    # A third of them would be taken for something of the world by a reader of single words.
    assert 0.3 < np.mean([not ENTITIES.keys().isdisjoint(words) for words in others]) < 0.4


def test_stills_have_seeds_that_no_clip_has() -> None:
    last = max(clip.seed for clip in listing(2000, MOST_SEEDS - 1))
    assert last < FIRST_SEED < HELD_OUT
    assert FIRST_SEED + Recipe().steps * Recipe().batch + Recipe().drawn < HELD_OUT


def test_the_same_number_is_the_same_still() -> None:
    still_, again, other = (one(k, 60, 5) for k in (3, 3, 4))
    assert still_[1] == again[1]
    assert all(np.array_equal(a, b) for a, b in zip(still_[::2], again[::2], strict=True))
    assert not np.array_equal(still_[0], other[0])


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


def test_what_a_still_is_about_is_in_it_and_the_shares_sum_to_one() -> None:
    for k in range(120):
        shot = still(FIRST_SEED + k, 60)
        assert shot.about
        assert set(shot.about) <= {name for names in shot.names.values() for name in names}
        share = one(k, 60, 5)[-1]
        assert share.sum() == pytest.approx(1)
        assert {NAMES[at] for at in np.nonzero(share)[0]} == set(shot.about)


def test_a_still_with_the_figure_is_about_what_is_near_it_and_not_what_stands_around() -> None:
    said = left_out = 0
    for seed in range(80):
        shot = company(np.random.default_rng(seed), 60)
        if " with a" not in shot.caption:  # "a chef of low arms with a ball at the feet in a park"
            continue
        near = shot.caption.split(" with a")[1].split()
        things = {name for names in shot.names.values() for name in names} & set(THINGS)
        assert set(shot.about) <= things
        if shot.about[0] in near:
            said += 1
            left_out += len(things) > len(shot.about)
        else:
            assert not set(shot.about) & set(near)  # it cannot be made out
    assert said > 20
    assert left_out > 10


def test_cover_is_the_share_of_each_patch_that_shows_an_entity() -> None:
    compared = 0
    for number in range(4):
        shot = still(FIRST_SEED + number, 60)
        entities, cover = coverage(shot, 5)
        for k, name in enumerate(NAMES):
            numbers = [n for n, names in shot.names.items() if name in names]
            for patch, share in enumerate(cover[entities == k].ravel()):
                row, column = divmod(patch, 5)
                shown = np.isin(shot.ids, numbers)[12 * row :, 12 * column :][:12, :12]
                assert share == pytest.approx(255 * shown.mean(), abs=0.51)
                compared += 1
    assert compared > 8 * 25


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 4))
def test_companies_have_the_same_words_twice_and_differ_from_one_another(
    seed: int, names: int, each: int
) -> None:
    first, second = pairs_in_company(names, each, np.random.default_rng(seed))
    assert len(first) == len(second) == names * each
    for one_way, other_way in zip(first, second, strict=True):
        assert set(one_way.split()) <= set(other_way.split())
        assert one_way != other_way


@pytest.mark.parametrize("merge", [0, 8])
def test_what_tokens_show_adds_up_to_what_is_in_the_picture(mini: Backbone, merge: int) -> None:
    batch = draw(range(4), mini.preprocess.size[0], 10, None)
    with torch.no_grad():
        seen = RegionEncoder(mini.model, merge)(normalise(batch.images, mini.preprocess))
    shown = shown_by(batch, seen)
    assert (shown[:, 0] == 0).all()  # the class token is no region
    for k in range(4):
        for entity in range(len(NAMES)):
            rows = batch.cover[k][batch.entities[k] == entity].float() / 255
            assert float(shown[k, :, entity].sum()) == pytest.approx(float(rows.sum()), abs=1e-3)
            by_hand = torch.zeros(seen.size.shape[1])
            by_hand.index_add_(0, seen.source[k], rows.sum(0))  # each patch to its own token
            torch.testing.assert_close(shown[k, :, entity], by_hand)
            if not merge:
                torch.testing.assert_close(shown[k, 1:, entity], rows.sum(0))


def test_the_region_loss_is_least_when_tokens_are_the_texts_of_what_they_show() -> None:
    texts = torch.eye(4)
    shown = torch.tensor([[[3.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 1.0, 1.0]]])
    right = torch.stack([texts[0], texts[1], (texts[2] + texts[3]) / 2**0.5])[None]
    scale = torch.tensor(20.0)
    best = region_loss(right, texts, shown, scale)
    assert best < 0.25
    assert region_loss(right[:, [1, 0, 2]], texts, shown, scale) > best + 5
    # Twice the unit is the same loss.
    assert torch.allclose(region_loss(right, texts, 2 * shown, scale), best)


def test_the_key_loss_is_least_when_patches_that_show_the_same_have_like_keys() -> None:
    shown = torch.eye(2).repeat_interleave(3, dim=0)[None]  # three patches of each of two things
    alike = torch.cat([torch.zeros(1, 2), shown[0]])[None]
    across = alike[:, [0, 1, 4, 2, 5, 3, 6]]
    assert key_loss([alike], shown) < 0.01
    assert key_loss([across], shown) > 1
    # A patch with nothing like it is not asked, and more of everything is the same.
    lonely = torch.eye(3)[[0, 0, 1, 1, 2]][None]
    keys = torch.cat([torch.zeros(1, 1, 3), lonely], dim=1)
    assert key_loss([keys], 7 * lonely) < 0.01


def test_the_keys_that_are_listened_to_are_those_that_tokens_merge_by(
    mini: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged_by: list[torch.Tensor] = []

    def match(keys: torch.Tensor, r: int) -> tome.Merge:
        merged_by.append(keys)
        return real(keys, r)

    real = tome.match
    monkeypatch.setattr(tome, "match", match)
    encoder = RegionEncoder(mini.model, 8)
    with listening(encoder) as heard, torch.no_grad():
        encoder(torch.rand(2, 3, *mini.preprocess.size))
    assert len(heard) == len(merged_by) == 6
    for one_way, other_way in zip(heard, merged_by, strict=True):
        torch.testing.assert_close(one_way, other_way)
    with torch.no_grad():
        encoder(torch.rand(2, 3, *mini.preprocess.size))
    assert len(heard) == 6  # it listens no more


def test_what_is_seldom_seen_weighs_more() -> None:
    batch = collate([one(k, 60, 5) for k in range(12)])
    weights = balance(batch)
    mass = torch.zeros(len(NAMES))
    for entities, cover in zip(batch.entities, batch.cover, strict=True):
        for entity, share in zip(entities, cover, strict=True):
            if entity >= 0:
                mass[entity] += share.sum()
    order = mass.argsort()
    assert (weights[order].diff() < 1e-3).all()
    assert weights[order[-1]] < 1 < weights[order[0]]


def test_training_goes_on_after_an_interruption_as_if_there_had_been_none(
    whole: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVED", 1)
    monkeypatch.setattr(training, "REPORTED", 1)

    def interrupt(progress: Progress) -> None:
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _trained(tmp_path / "parts.pt", interrupt)
    steps: list[int] = []
    parts = _trained(tmp_path / "parts.pt", lambda progress: steps.append(progress.step))
    assert steps == [3]
    assert parts.keys() == whole[1].keys()
    for name, weights in whole[1].items():
        assert torch.equal(parts[name], weights), name


def test_the_shipped_backbone_recognises_single_things_it_has_not_seen() -> None:
    found = recognition(load("alt-mini"), each=2)
    assert found.ways >= 60
    assert found.top1_name >= 0.8
    assert found.top1_definition >= 0.8
    assert found.patch >= 0.8


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [rate_at(step, Recipe()) for step in range(Recipe().steps + 1)]
    assert max(rates) == pytest.approx(1)
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


def test_a_checkpoint_that_is_none_of_this_recipe_is_kept_and_refused(
    whole: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(whole[0], tmp_path))
    made = path.read_bytes()
    other = replace(TINY, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(BadInput, match=r"is of another recipe.*; remove it, or give"):
            train(other, path, workers=0)
        with monkeypatch.context() as patch:
            patch.setattr("pipelines.mini.train.drawn_by", lambda: "an earlier version")
            with pytest.raises(BadInput, match="were drawn otherwise"):
                train(TINY, path, workers=0)
        assert path.read_bytes() == made
        path.write_bytes(made[:5000])
        with pytest.raises(BadInput, match="is no checkpoint of the mini backbone"):
            train(TINY, path, workers=0)
        with pytest.raises(BadInput, match="is no checkpoint of the mini backbone"):
            train(TINY, tmp_path, workers=0)


def _trained(checkpoint: Path, report: object = lambda _: None) -> dict[str, torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backbone = train(TINY, checkpoint, workers=0, report=report)  # type: ignore[arg-type]
    return backbone.model.state_dict()
