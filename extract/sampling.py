"""Which frames of a video are looked at: TSN segments, as the peers sample them.

A position is a float in [0, N): position 3.5 of a video of N frames is the middle of frame 3.
"""

import numpy as np
from numpy.typing import NDArray


def centre(count: int, frames: int, views: int = 1) -> NDArray[np.float64]:
    """Positions at the segments' centres, the deterministic test sampling.

    Several temporal views share out each segment evenly; one view takes `i·N/T + N/(2T)`.

    Args:
        count: N, frames in the video.
        frames: T, segments and frames of a view.
        views: temporal views.

    Returns:
        (views, T) positions.
    """
    segment = np.arange(frames)[None] + (np.arange(views)[:, None] + 0.5) / views
    return segment * count / frames


def random(count: int, frames: int, views: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Positions at random offsets within the segments, the train sampling.

    Segment i gives `i·(N//T) + randint(N//T)`; a video of no more than T frames gives them all,
    evenly repeated. Arguments and result as in `centre`.
    """
    if count <= frames:
        index = np.rint(np.linspace(0, count - 1, frames))[None].repeat(views, axis=0)
    else:
        length = count // frames
        index = np.arange(frames) * length + rng.integers(0, length, (views, frames))
    return index + 0.5


def at(
    positions: NDArray[np.float64], timestamps: NDArray[np.float64], end: float
) -> NDArray[np.int64]:
    """The frames that are on show at these positions.

    Where frames come at a steady rate this is the position rounded down. Otherwise (variable
    frame rate) a position is a share of the video's duration, so that a long still does not count
    for less than a fast passage of many frames.

    Args:
        positions: of any shape, in [0, N).
        timestamps: (N,) seconds, ascending from 0.
        end: seconds, when the last frame's time is over.

    Returns:
        Frame indices, of the shape of `positions`.
    """
    steps = np.diff(timestamps, append=end)
    usual = np.median(steps)
    if steps.max() < 1.5 * usual and steps.min() > 0.5 * usual:
        return np.floor(positions).astype(np.int64)
    seconds = positions / len(timestamps) * end
    return np.searchsorted(timestamps, seconds, side="right") - 1
