from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import BadInput
from corpus.wordnet import reader
from pipelines.world.actions import (
    ACTIONS,
    BASE,
    BY_LABEL,
    NOVEL_COMBINATION,
    NOVEL_ENTITY,
    SPLITS,
    labels_of,
    opposites,
)
from pipelines.world.clips import MOST_SEEDS, NEVER_SEEN, Take, listing
from pipelines.world.entities import DRAW, ENTITIES, ROLES, SCENES, THINGS
from pipelines.world.figure import Pose
from pipelines.world.film import film
from pipelines.world.motions import Moment, Placed
from pipelines.world.stage import Nuisance, Stage, scatter
from pipelines.world.stills import FIRST_SEED
from pipelines.world.truth import entities_seen, read
from pipelines.world.write import write_world

STILL_CAMERA = Nuisance(
    distractors=(0, 0), occluded=0, blur=(0, 0), noise=(0, 0), textured=0, jitter=0, gradient=0
)


def test_every_entity_is_a_wordnet_noun_and_is_drawn_in_its_own_sense() -> None:
    for name, entity in ENTITIES.items():
        assert reader().synset(entity.synset) in reader().synsets(name, "n"), name
    assert set(THINGS) == set(DRAW)


def test_the_world_is_as_rich_as_promised() -> None:
    assert len(ENTITIES) >= 60
    assert {entity.kind for entity in ENTITIES.values()} == {
        "object",
        "animal",
        "scene",
        "role",
        "body_part",
    }
    assert len(BY_LABEL) == len(ACTIONS)
    assert len(BASE) >= 48
    assert len([pair for pair in opposites() if pair[0] in BASE]) >= 8


def test_novel_combinations_join_a_verb_and_a_thing_that_base_actions_have() -> None:
    base = [action for action in ACTIONS if action.group == "base"]
    for label in NOVEL_COMBINATION:
        action = BY_LABEL[label]
        assert action.verb.phrase in {other.verb.phrase for other in base}
        assert action.thing in {other.thing for other in base}
        assert (action.verb.phrase, action.thing) not in {(b.verb.phrase, b.thing) for b in base}


def test_novel_entities_act_in_no_base_action_and_stand_around_in_no_base_clip() -> None:
    acting = {action.thing for action in ACTIONS if action.group != "novel_entity"}
    assert {BY_LABEL[label].thing for label in NOVEL_ENTITY} == NEVER_SEEN
    assert not acting & NEVER_SEEN
    for clip in listing(600, seed=3):
        if clip.split in ("train", "val", "test"):
            take = Take(clip.label, clip.seed, size=16)
            assert not NEVER_SEEN & {name for of in take.names.values() for name in of}


@pytest.mark.parametrize(("forward", "backward"), opposites())
def test_opposite_actions_have_the_same_moments_in_opposite_order(
    forward: str, backward: str
) -> None:
    for u, turns in ((0.0, 0.0), (0.25, 0.8), (0.625, 2.1), (1.0, 3.0)):
        assert BY_LABEL[forward].at(u, turns) == BY_LABEL[backward].at(1 - u, -turns)
    assert BY_LABEL[forward].at(0.1, 0.3) != BY_LABEL[forward].at(0.9, -0.3)


def test_every_action_moves() -> None:
    for action in ACTIONS:
        moments = [action.at(u, 2.3 * u) for u in np.linspace(0, 1, 9)]
        still = sum(a == b for a, b in pairwise(moments))
        assert still <= 3, action.label


def test_the_same_seed_gives_the_same_bytes_of_every_frame() -> None:
    first, again, other = (Take("kicking ball", seed, size=96) for seed in (5, 5, 6))
    for (image, ids), (image_again, ids_again) in zip(first.frames(), again.frames(), strict=True):
        assert image.tobytes() == image_again.tobytes()
        assert ids.tobytes() == ids_again.tobytes()
    assert next(iter(other.frames()))[0].tobytes() != next(iter(first.frames()))[0].tobytes()


@pytest.mark.parametrize("name", THINGS)
def test_the_mask_of_a_thing_is_where_its_pixels_are(name: str) -> None:
    """With and without the thing, images differ within its mask and on its antialiased edge."""
    placed = Placed(name, 0.1, 0.3, 0.2, 0.6, scale=0.8)
    images = []
    for things in ((placed,), ()):
        stage = Stage(np.random.default_rng(8), "meadow", None, (), 128, STILL_CAMERA)
        images.append(stage.shoot(Moment(Pose(), things)))
    (seen, ids), (empty, _) = images
    mask, changed = ids == 10, (seen != empty).any(axis=2)
    assert mask.sum() > 60
    assert not (changed & ~_grown(mask, 2)).any()
    inside = _grown(~mask, 1)
    assert (changed | inside)[mask].mean() > 0.97


def test_masks_lie_half_a_pixel_up_and_left_of_their_pixels_and_no_more() -> None:
    """Over all things, the middle of a mask lies so far from that of what the thing changes."""
    shifts = []
    for name in THINGS:
        placed = Placed(name, 0.1, 0.3, 0.2, 0.6, scale=0.8)
        (seen, ids), (empty, _) = (
            Stage(np.random.default_rng(8), "meadow", None, (), 128, STILL_CAMERA).shoot(
                Moment(Pose(), things)
            )
            for things in ((placed,), ())
        )
        changed = np.argwhere((seen != empty).any(axis=2))
        shifts.append(np.argwhere(ids == 10).mean(axis=0) - changed.mean(axis=0))
    assert np.mean(shifts, axis=0) == pytest.approx(-0.5, abs=0.1)


def test_what_is_in_front_hides_what_is_behind_in_the_truth_too() -> None:
    near = Placed("box", 0, 0.2, front=True, scale=2)
    far = Placed("ball", 0, 0.3)
    stage = Stage(np.random.default_rng(1), "beach", None, (), 128, STILL_CAMERA)
    _, ids = stage.shoot(Moment(Pose(), (far, near)))
    _, alone = stage.shoot(Moment(Pose(), (far,)))
    assert (ids == 10).sum() < (alone == 10).sum()
    assert (ids == 11).any()


def test_boxes_are_the_tight_bounds_of_masks() -> None:
    take = Take("throwing ball", 11, size=96)
    ids = [frame for _, frame in take.frames()]
    seen = {entity.entity: entity for entity in entities_seen(ids, take.names, take.acting)}
    assert seen["ball"].acting
    assert seen[take.stage.role or ""].acting
    assert not seen[take.stage.scene].acting
    assert {"hand", "head", "leg"} <= seen.keys()
    for entity in seen.values():
        for frame, box in zip(ids, entity.boxes, strict=True):
            rows, columns = np.nonzero(np.isin(frame, entity.ids))
            if box is None:
                assert not len(rows)
            else:
                assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@given(seed=st.integers(0, MOST_SEEDS - 2), clips=st.integers(len(SPLITS), 400))
@settings(max_examples=30)
def test_splits_and_worlds_share_no_seed(seed: int, clips: int) -> None:
    listed = listing(clips, seed) + listing(clips, seed + 1)
    seeds = [clip.seed for clip in listed]
    assert len(set(seeds)) == len(seeds)
    assert max(seeds) < FIRST_SEED
    assert len({clip.path for clip in listing(clips, seed)}) == clips
    assert all(clip.label in labels_of(clip.split) for clip in listed)


@pytest.mark.parametrize(("clips", "seed"), [(4, 0), (100, -1), (100, MOST_SEEDS)])
def test_impossible_worlds_are_refused(clips: int, seed: int) -> None:
    with pytest.raises(BadInput, match="--"):
        listing(clips, seed)


def test_labels_cannot_be_read_off_colours() -> None:
    """A linear probe on joint colour histograms stays under twice chance."""
    features, labels = [], []
    for k in range(20 * len(BASE)):
        take = Take(BASE[k % len(BASE)], 10**9 + k, size=64)
        image, _ = take.stage.shoot(take.moment(0.5), 0.5, 0)
        bins = (image // 64).reshape(-1, 3) @ np.array([16, 4, 1])
        features.append(np.sqrt(np.bincount(bins, minlength=64) / bins.size))
        labels.append(k % len(BASE))
    x = np.column_stack((np.array(features), np.ones(len(features))))
    y = np.eye(len(BASE))[labels]
    train = np.arange(len(x)) < len(x) // 2
    ridge = x[train].T @ x[train] + 0.1 * np.eye(x.shape[1])
    weights = np.linalg.solve(ridge, x[train].T @ (y[train] - y[train].mean(0)))
    right = (x[~train] @ weights).argmax(1) == np.array(labels)[~train]
    assert right.mean() < 2 / len(BASE)


def test_distractors_are_other_things_than_the_acting_one() -> None:
    for seed in range(50):
        around = scatter(np.random.default_rng(seed), 3, THINGS, ("ball",))
        names = [placed.name for placed in around]
        assert "ball" not in names
        assert len(set(names)) == 3


def test_every_role_and_scene_can_be_drawn() -> None:
    for role in ROLES:
        for scene in SCENES:
            stage = Stage(np.random.default_rng(0), scene, role, (), 64, STILL_CAMERA)
            _, ids = stage.shoot(Moment(Pose()))
            assert {0, 2, 3, 4, 6} <= set(np.unique(ids).tolist())


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    wide = torch.nn.functional.max_pool2d(
        torch.from_numpy(mask)[None, None].float(), 2 * by + 1, 1, by
    )
    return wide[0, 0].numpy() > 0


def test_the_same_frames_make_the_same_film_byte_for_byte(tmp_path: Path) -> None:
    take = next(Take(clip.label, clip.seed) for clip in listing(200, 0) if clip.split == "val")
    frames = [image for image, _ in take.frames()]
    films, others = set(), []
    for number in range(6):
        others.append(np.full(10**6 + 4099 * number, 255, np.uint8))  # memory lies otherwise
        film(frames, tmp_path / f"{number}.mp4", take.fps, take.crf)
        films.add((tmp_path / f"{number}.mp4").read_bytes())
    assert len(films) == 1


def test_a_film_decodes_to_the_frames_it_was_made_of(tmp_path: Path) -> None:
    take = Take("riding bicycle", 21)
    frames = [image for image, _ in take.frames()]
    film(frames, tmp_path / "x.mp4", take.fps, 18)
    with av.open(str(tmp_path / "x.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == take.fps
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(decoded) == take.count
    for frame, other in zip(frames, decoded, strict=True):
        assert np.abs(frame.astype(int) - other).mean() < 16


@pytest.mark.parametrize(("suffix", "left"), [(".json", 200), (".png", 100), (".png", None)])
def test_truth_that_is_damaged_or_lost_is_told_by_its_file(
    tmp_path: Path, suffix: str, left: int | None
) -> None:
    write_world(tmp_path, 5, 4)
    video = next(tmp_path.glob("val/*/*.mp4"))
    assert read(video)[1].any()
    path = video.with_suffix(suffix)
    content = path.read_bytes()
    path.unlink()
    if left is not None:
        path.write_bytes(content[:left])
    with pytest.raises(BadInput, match=rf"{path.name}: is missing or damaged .*; remove it"):
        read(video)
