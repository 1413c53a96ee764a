import numpy as np
import pytest

from adapter.statistics import bootstrap, paired


def test_the_bootstrap_interval_of_a_share_is_that_of_the_normal_approximation() -> None:
    right = np.arange(400) < 100
    low, high = bootstrap(right.astype(float))
    half = 1.96 * (0.25 * 0.75 / 400) ** 0.5
    assert low == pytest.approx(0.25 - half, abs=0.01)
    assert high == pytest.approx(0.25 + half, abs=0.01)


def test_equal_methods_do_not_differ() -> None:
    right = np.array([1.0, 0, 1, 1, 0])
    assert paired(right, right) == (0, (0, 0), 1)


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
    assert result.p < 0.001
