import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract import sampling
from extract.sampling import centre, random

COUNTS = st.integers(1, 400)
FRAMES = st.integers(1, 40)


def steady(count: int) -> np.ndarray:
    return np.arange(count) / 30


def at(positions: np.ndarray, timestamps: np.ndarray, last: float | None = None) -> np.ndarray:
    """The frames at positions, of a video whose last frame stays the usual time if not another."""
    if last is None:
        last = np.median(np.diff(timestamps)) if len(timestamps) > 1 else 1 / 30
    return sampling.at(positions, timestamps, timestamps[-1] + last)


@given(COUNTS, FRAMES)
def test_test_sampling_takes_the_segments_centres(count: int, frames: int):
    index = at(centre(count, frames), steady(count))
    expected = [int(i * count / frames + count / (2 * frames)) for i in range(frames)]
    # i·N/T + N/(2T) and (i + ½)·N/T may differ in the last bit, at a frame's edge.
    assert np.abs(index[0] - expected).max() <= 1
    assert np.mean(index[0] == expected) > 0.7
    assert (np.diff(index[0]) >= 0).all()
    assert 0 <= index.min() <= index.max() < count


def test_known_centres():
    assert at(centre(16, 8), steady(16)).tolist() == [[1, 3, 5, 7, 9, 11, 13, 15]]
    assert at(centre(100, 4), steady(100)).tolist() == [[12, 37, 62, 87]]
    assert at(centre(3, 6), steady(3)).tolist() == [[0, 0, 1, 1, 2, 2]]
    assert at(centre(1, 4), steady(1)).tolist() == [[0, 0, 0, 0]]


def test_temporal_views_share_out_the_segments():
    assert at(centre(48, 4, 3), steady(48)).tolist() == [
        [2, 14, 26, 38],
        [6, 18, 30, 42],
        [10, 22, 34, 46],
    ]


@given(COUNTS, FRAMES, st.integers(1, 3), st.integers(0, 99))
def test_train_sampling_takes_one_frame_of_each_segment(count, frames, views, seed):
    index = at(random(count, frames, views, np.random.default_rng(seed)), steady(count))
    assert index.shape == (views, frames)
    if count <= frames:
        expected = np.rint(np.linspace(0, count - 1, frames))
        assert (index == expected).all()
    else:
        length = count // frames
        assert (index // length == np.arange(frames)).all()


def test_train_sampling_reaches_every_frame_and_only_by_its_seed():
    draws = [
        at(random(24, 4, 1, np.random.default_rng(seed)), steady(24))[0] for seed in range(200)
    ]
    assert set(np.concatenate(draws)) == set(range(24))
    again = at(random(24, 4, 1, np.random.default_rng(7)), steady(24))[0]
    assert (again == draws[7]).all()


def test_train_views_are_drawn_each_for_itself_in_the_middle_of_frames():
    first, second = random(900, 8, 2, np.random.default_rng(0))
    assert (first != second).any()
    for count in (8, 900):
        assert (random(count, 8, 2, np.random.default_rng(0)) % 1 == 0.5).all()


def test_a_variable_frame_rate_is_sampled_by_time():
    # Ten frames in the first second, then one that stands for nine seconds.
    times = np.concatenate([np.arange(10) / 10, [1.0, 9.9]])
    assert at(centre(12, 4), times).tolist() == [[10, 10, 10, 10]]
    # The same where it is the very last one.
    assert at(centre(10, 8), np.arange(10) / 10, 9.1).tolist() == [[6, 9, 9, 9, 9, 9, 9, 9]]
    assert at(centre(2, 4), np.arange(2) / 10, 9.9).tolist() == [[1, 1, 1, 1]]
    # A still of eight seconds, then ten frames in one: 8 of 9 segments see the still.
    still_first = np.concatenate([[0], 8 + np.arange(10) / 10])
    assert at(centre(11, 9), still_first).tolist() == [[0, 0, 0, 0, 0, 0, 0, 0, 6]]
    # Half of the time at half the rate.
    halved = np.concatenate([np.arange(20), 20 + 2 * np.arange(10)])
    assert at(centre(30, 2), halved, 2).tolist() == [[10, 25]]
    # Most frames a second apart, and a burst of four in less than half of one.
    burst = np.array([0, 1, 2, 3, 4, 5, 5.1, 5.2, 5.3])
    assert at(centre(9, 3), burst).tolist() == [[1, 3, 7]]


@pytest.mark.parametrize("rate", [24, 29.97, 60])
def test_times_rounded_to_milliseconds_are_still_a_steady_rate(rate: float):
    times = np.round(np.arange(90) / rate, 3)
    assert (at(centre(90, 8), times) == at(centre(90, 8), steady(90))).all()
