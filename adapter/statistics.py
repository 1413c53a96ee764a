"""How sure a score is, and whether one method beats another on the same clips and seeds.

Two things could have come out otherwise: which clips were tested on, and which seeds trained.
Intervals draw both anew. A difference has a p for each: that other clips would not show it, and
that other seeds would not; a claim needs both.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
_AT_ONCE = 30_000  # numbers drawn together, of clips and seeds in turn
_SIGNS_AT_ONCE = 2**22  # of these numbers: 32 MB
_SURE = 0.01  # below which a p has to be for a claim


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


class Paired(NamedTuple):
    """One method against another on the same clips, with the same seeds.

    Attributes:
        difference: mean of first minus second.
        interval: of the difference, by bootstrap over clips and seeds.
        p: over clips, two-sided: how often differences with random signs are as large.
        p_seeds: over seeds, two-sided: of a paired t-test; None for a single seed. Scores are whole
            clips, so that seeds may agree by chance: their spread counts as that of rounding at
            least, a clip over the root of 12.
    """

    difference: float
    interval: Interval
    p: float
    p_seeds: float | None

    def sure(self) -> bool:
        """Tell whether the difference holds over clips and, where there are several, over seeds."""
        return self.p < _SURE and (self.p_seeds is None or self.p_seeds < _SURE)


def bootstrap(values: NDArray[np.floating], seed: int = 0) -> Interval:
    """95 % bootstrap interval of a mean: each draw takes clips, and seeds, with repetition.

    Args:
        values: (N,), one for each clip; or (S, N), of several seeds. Of few seeds the interval
            is somewhat too narrow, as any bootstrap of few is.
        seed: of the draws.
    """
    values = np.atleast_2d(values).astype(np.float64)
    seeds, count = values.shape
    generator, left, sums = np.random.default_rng(seed), DRAWS // 5, []
    while left:
        draws = min(left, max(1, _AT_ONCE // count))
        # (draws, S). Not by BLAS, whose threads wait for one another longer than this takes.
        by_seed = np.einsum("dn,sn->ds", _drawn(generator, draws, count), values)
        sums.append((_drawn(generator, draws, seeds) * by_seed).sum(axis=1))
        left -= draws
    means = np.concatenate(sums) / (seeds * count)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(low), float(high))


def paired(first: NDArray[np.floating], second: NDArray[np.floating], seed: int = 0) -> Paired:
    """Compare two methods clip by clip and seed by seed.

    Args:
        first, second: (N,) or (S, N), right (1) or wrong (0) for each seed and clip, in the same
            order.
        seed: of the draws.

    Returns:
        The difference, its interval, the p of a sign-flip permutation test on each clip's mean
        over seeds, whose smallest value is 1 / (DRAWS + 1), and that of a paired t-test on each
        seed's mean over clips.
    """
    each = np.atleast_2d(first).astype(np.float64) - np.atleast_2d(second)
    difference, count = each.mean(axis=0), each.shape[1]
    differing = difference[np.abs(difference) > 1e-12]
    generator = np.random.default_rng(seed)
    observed, as_large, left = abs(differing.sum()), 0, DRAWS
    while left:
        draws = min(left, DRAWS // 10, max(1, _SIGNS_AT_ONCE // max(1, len(differing))))
        signs = generator.integers(0, 2, size=(draws, len(differing))) * 2 - 1
        as_large += int((np.abs(signs @ differing) >= observed - 1e-12).sum())
        left -= draws
    return Paired(
        float(each.mean()),
        bootstrap(each, seed),
        (as_large + 1) / (DRAWS + 1),
        t_test(each.mean(axis=1), 1 / count / math.sqrt(12)) if len(each) > 1 else None,
    )


def t_test(values: NDArray[np.floating], least: float = 0.0) -> float:
    """Two-sided p of a t-test that a mean is zero.

    The distribution's closed form for whole degrees of freedom is Abramowitz and Stegun, Handbook
    of Mathematical Functions, 26.7.3 and 26.7.4.

    Args:
        values: two at least.
        least: standard deviation that they are taken to have at least.
    """
    free = len(values) - 1
    spread = max(float(np.std(values, ddof=1)), least)
    mean, error = float(np.mean(values)), spread / math.sqrt(len(values))
    angle = math.atan2(abs(mean), error * math.sqrt(free))
    # cos θ + (2/3) cos³ θ + … for odd, 1 + (1/2) cos² θ + … for even degrees of freedom
    odd = free % 2
    term, total = math.cos(angle) if odd else 1.0, 0.0
    for power in range(odd, free - 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (power + 1) / (power + 2)
    inside = math.sin(angle) * total
    if odd:
        inside = (angle + inside) * 2 / math.pi
    return min(1.0, max(0.0, 1.0 - inside))


def _drawn(generator: np.random.Generator, draws: int, count: int) -> NDArray[np.intp]:
    """Draw so many of so many with repetition: how often each was taken, (draws, count)."""
    taken = generator.integers(count, size=(draws, count)) + count * np.arange(draws)[:, None]
    return np.bincount(taken.ravel(), minlength=draws * count).reshape(draws, count)
