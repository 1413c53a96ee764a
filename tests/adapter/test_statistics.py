import numpy as np
import pytest

from adapter.statistics import DRAWS, Interval, Paired, bootstrap, paired, t_test


def test_seeds_that_agree_by_rounding_alone_are_no_proof() -> None:
    """Two seeds, each five clips of ten ahead: with so few clips they might well have differed."""
    ahead, behind = np.ones((2, 10)), np.tile([1.0, 0.0], (2, 5))
    few = paired(ahead, behind)
    assert few.difference == 0.5
    assert few.p_seeds is not None
    assert few.p_seeds > 0.01
    many = paired(np.ones((2, 1000)), np.tile([1.0, 0.0], (2, 500)))
    assert many.p_seeds is not None
    assert many.p_seeds < 0.001


def test_the_bootstrap_interval_of_a_share_is_that_of_the_normal_approximation() -> None:
    right = np.arange(400) < 100
    low, high = bootstrap(right.astype(float))
    half = 1.96 * (0.25 * 0.75 / 400) ** 0.5
    assert low == pytest.approx(0.25 - half, abs=0.01)
    assert high == pytest.approx(0.25 + half, abs=0.01)
    assert high - low == pytest.approx(2 * half, rel=0.05)  # one of 90 % is a sixth narrower


def test_equal_methods_do_not_differ() -> None:
    right = np.array([1.0, 0, 1, 1, 0])
    assert paired(right, right) == (0, (0, 0), 1, None)
    assert paired(np.stack([right, right]), np.stack([right, right])).p_seeds == 1


def test_a_difference_is_sure_below_a_p_of_one_in_a_hundred_over_clips_and_over_seeds() -> None:
    for p, p_seeds, sure in (
        (0.0099, None, True), (0.0101, None, False), (0.0099, 0.0099, True),
        (0.0099, 0.0101, False), (0.0101, 0.0099, False),
    ):  # fmt: skip
        assert Paired(0.1, Interval(0.0, 0.2), p, p_seeds).sure() == sure


def test_p_is_that_of_the_sign_test_when_every_difference_has_one_size() -> None:
    # Ten clips differ, nine in favour: two-sided binomial p = 2 (1 + 10) / 2^10.
    first, second = np.zeros(50), np.zeros(50)
    first[:9], second[9] = 1, 1
    result = paired(first, second)
    assert result.difference == pytest.approx(8 / 50)
    assert result.p == pytest.approx(22 / 1024, abs=0.005)


def test_a_difference_in_every_clip_is_as_sure_as_it_can_be() -> None:
    result = paired(np.ones(60), np.zeros(60))
    assert result.difference == 1
    assert result.p == 1 / (DRAWS + 1)  # so many draws can show no more, and never 0
    assert result.sure()


@pytest.mark.parametrize(
    ("free", "t", "p"),
    [(1, 12.706, 0.05), (2, 4.303, 0.05), (4, 4.604, 0.01), (5, 2.571, 0.05), (30, 2.042, 0.05)],
)
def test_p_over_seeds_is_that_of_the_printed_t_tables(free: int, t: float, p: float) -> None:
    values = np.arange(free + 1) - free / 2
    values *= (free + 1) ** 0.5 / values.std(ddof=1)
    assert t_test(values + t) == pytest.approx(p, rel=2e-3)
    assert t_test(-values - t) == pytest.approx(p, rel=2e-3)


def test_a_lead_that_one_seed_made_is_sure_over_clips_and_not_over_seeds() -> None:
    # The first of five seeds is right in all of 400 clips, the others in half, like the rival.
    ours = np.tile(np.arange(400) % 2 == 0, (5, 1)).astype(float)
    theirs, ours[0] = ours.copy(), 1
    result = paired(ours, theirs)
    assert result.p < 0.001
    assert result.p_seeds == pytest.approx(0.374, abs=0.001)  # t = 1 with 4 degrees of freedom
    assert not result.sure()
    assert result.interval.low == 0


def test_p_over_clips_is_of_all_seeds() -> None:
    ahead, behind = np.ones(10), np.zeros(10)  # with one seed the one method, with one the other
    assert paired(np.stack([ahead, behind]), np.stack([behind, ahead])).p == 1


def test_of_seeds_that_agree_the_interval_is_that_over_clips() -> None:
    right = (np.random.default_rng(0).random(200) < 0.4).astype(float)
    alone = bootstrap(right)
    assert alone.high - alone.low > 0.1
    assert bootstrap(np.tile(right, (3, 1))) == pytest.approx(alone, abs=0.02)


def test_an_interval_over_seeds_is_wider_than_one_over_clips_alone() -> None:
    draw = np.random.default_rng(0)
    skill = np.array([0.3, 0.5, 0.7, 0.4, 0.6])
    right = (draw.random((5, 1000)) < skill[:, None]).astype(float)
    low, high = bootstrap(right)
    alone = bootstrap(right.mean(axis=0))
    assert high - low > 3 * (alone.high - alone.low)
    # Of five means with this spread: 1.96 · std / √5, with the bootstrap's √(4/5).
    expected = 2 * 1.96 * skill.std(ddof=1) / 5**0.5 * 0.8**0.5
    assert high - low == pytest.approx(expected, rel=0.15)
