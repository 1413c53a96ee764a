from pathlib import Path

import av
import numpy as np

from extract.clip import Plan, read
from extract.views import Framing

SIZE = (56, 56)


def test_views_follow_one_another_and_each_has_its_frames_in_order(
    tmp_path: Path, make_clip
) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=12)
    framing = Framing(SIZE, crops=3)
    pixels = read(path, "a", Plan(framing, frames=2, temporal=2, decoder="pyav"))
    # Of 12 frames: six to a segment, which the two views share out; each view in three crops.
    wanted = [[1, 7], [4, 10]]
    times = np.array(wanted)[:, None].repeat(3, axis=1) / 25
    np.testing.assert_allclose(pixels.timestamps.reshape(2, 3, 2), times, atol=1e-3)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    seen = pixels.frames.reshape(2, 3, 2, *SIZE, 3)
    for view, indices in enumerate(wanted):
        for step, index in enumerate(indices):
            np.testing.assert_array_equal(seen[view, :, step], framing.views(frames[index]))
    assert len({crop.tobytes() for crop in seen.reshape(12, -1)}) == 12


def test_augmented_views_of_the_same_frame_are_other_parts_of_it(tmp_path: Path, make_clip) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=1)

    def views(**changed: object) -> np.ndarray:
        return read(path, "a", Plan(Framing(SIZE), frames=1, temporal=3, **changed)).frames

    plain, first = views(), views(augment=True)
    assert len({view.tobytes() for view in plain}) == 1
    assert len({view.tobytes() for view in (plain[0], *first)}) == 4
    np.testing.assert_array_equal(views(augment=True), first)
    assert (views(augment=True, seed=1) != first).any()


def test_the_frames_of_an_augmented_view_tell_nothing_of_its_crop(
    tmp_path: Path, make_clip, monkeypatch
) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=50)
    areas: list[float] = []

    def look(framing: Framing, frame: np.ndarray, seed: list[int]) -> np.ndarray:
        areas.append(np.random.default_rng(seed).uniform())  # what the area is drawn from
        return framing.views(frame)

    monkeypatch.setattr(Framing, "random_view", look)
    plan = Plan(Framing(SIZE), frames=2, sampling="random", augment=True)
    times = np.array([read(path, f"video {number}", plan).timestamps for number in range(30)])
    for frame in (0, 1):
        assert abs(np.corrcoef(times[:, frame], areas[::2])[0, 1]) < 0.5


def test_random_frames_depend_on_the_seed_and_on_what_the_video_is_called(
    tmp_path: Path, make_clip
) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=50)

    def times(name: str, seed: int = 0) -> list[float]:
        plan = Plan(Framing(SIZE), frames=4, sampling="random", seed=seed)
        return read(path, name, plan).timestamps.tolist()

    assert times("a") == times("a")
    assert len({tuple(times(*one)) for one in (("a",), ("b",), ("a", 1), ("b", 1))}) == 4
