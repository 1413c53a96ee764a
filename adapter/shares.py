"""One batch divided: among processes, and in parts that are computed one after the other.

What a clip meets in training must not depend on how its batch is divided. So every part draws the
noise of the whole batch, from generators that are seeded alike, and takes its own clips' rows.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise

from torch import Tensor

_part: ContextVar[tuple[int, slice] | None] = ContextVar("part", default=None)


def in_pairs(count: int, parts: int) -> list[slice]:
    """Divide rows 0 … count − 1 into consecutive parts, none of which ends within a pair.

    Clips 2k and 2k + 1 of a batch stay together: MixUp mixes them.

    Returns:
        As many slices as parts, as even as can be; some are empty where there are few pairs.
    """
    pairs = -(-count // 2)
    ends = [min(count, 2 * (pairs * part // parts)) for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


@contextmanager
def part_of(whole: int, rows: slice) -> Iterator[None]:
    """Let `drawn` know, within the context, that the clips at hand are some rows of a batch.

    Args:
        whole: clips in the batch.
        rows: which of them are at hand.
    """
    token = _part.set((whole, rows))
    try:
        yield
    finally:
        _part.reset(token)


def drawn(sample: Callable[..., Tensor], *shape: int) -> Tensor:
    """Draw noise for the clips at hand.

    Args:
        sample: draws a tensor of the shape that it is called with from a global generator.
        shape: wanted; its first number is that of clips.

    Returns:
        sample(*shape); or, in `part_of` a batch, the rows of a draw for all of the batch.
    """
    part = _part.get()
    if part is None:
        return sample(*shape)
    whole, rows = part
    return sample(whole, *shape[1:])[rows]
