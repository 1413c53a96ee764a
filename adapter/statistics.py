"""How sure a score is, and whether one method beats another on the same clips."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


class Paired(NamedTuple):
    """One method against another on the same clips.

    Attributes:
        difference: mean of first minus second.
        interval: of the difference, by bootstrap over clips.
        p: two-sided; how often differences with random signs are as large.
    """

    difference: float
    interval: Interval
    p: float


def bootstrap(values: NDArray[np.floating], seed: int = 0) -> Interval:
    """95 % bootstrap interval of a mean.

    Args:
        values: (N,), one for each clip; for several seeds, each clip's mean over them.
        seed: of the draws.
    """
    count = len(values)
    generator = np.random.default_rng(seed)
    # Sums of resampled values: a draw is how often each clip was taken.
    means = [
        np.bincount(generator.integers(count, size=count), minlength=count) @ values / count
        for _ in range(DRAWS // 5)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(low), float(high))


def paired(first: NDArray[np.floating], second: NDArray[np.floating], seed: int = 0) -> Paired:
    """Compare two methods clip by clip.

    Args:
        first, second: (N,), right (1) or wrong (0) for each clip, or its mean over seeds.
        seed: of the draws.

    Returns:
        The difference, its interval, and the p of a sign-flip permutation test, whose smallest
        value is 1 / (DRAWS + 1).
    """
    difference = first.astype(np.float64) - second
    differing = difference[difference != 0]
    generator = np.random.default_rng(seed)
    observed, as_large = abs(differing.sum()), 0
    for _ in range(10):
        signs = generator.integers(0, 2, size=(DRAWS // 10, len(differing))) * 2 - 1
        as_large += int((np.abs(signs @ differing) >= observed - 1e-12).sum())
    return Paired(
        float(difference.mean()), bootstrap(difference, seed), (as_large + 1) / (DRAWS + 1)
    )
