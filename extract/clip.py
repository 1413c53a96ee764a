"""One video to the pixels of its views: decoding, sampling and cropping together.

This is what a decoding worker runs, and it needs neither torch nor open_clip.
"""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from extract import sampling
from extract.decode import Decoder, Frame, visit
from extract.views import Framing

Sampling = Literal["centre", "random"]


@dataclass(frozen=True)
class Plan:
    """How every video of an extraction is looked at.

    Attributes:
        framing: from a frame to its S spatial views.
        frames: T, frames in a view.
        temporal: temporal views; V = temporal · S.
        sampling: "centre" or "random" frames within TSN segments.
        seed: of random sampling.
        decoder: "auto", "decord" or "pyav".
        augment: each view has a random crop and, by even chance, is mirrored.
    """

    framing: Framing
    frames: int = 8
    temporal: int = 1
    sampling: Sampling = "centre"
    seed: int = 0
    decoder: Decoder = "auto"
    augment: bool = False


@dataclass(frozen=True)
class Pixels:
    """The views of one video.

    Attributes:
        frames: (V·T, h, w, 3) uint8; view v = temporal view · S + crop, frame v · T + t.
        timestamps: (V·T,) float32, seconds from the video's first frame.
        note: what was passed over in the file, or "".
    """

    frames: NDArray[np.uint8]
    timestamps: NDArray[np.float32]
    note: str


def read(path: Path, name: str, plan: Plan) -> Pixels:
    """Read the views of one video.

    Args:
        path: the file.
        name: what the video is called in its dataset: random sampling depends on it and on the
            seed, so on no order of work.
        plan: how to look at it.

    Raises:
        DecodeError: the video cannot be decoded.
    """

    digest = hashlib.sha256(name.encode()).digest()
    seed = [plan.seed, int.from_bytes(digest[:8], "big")]
    looks = [plan.framing.views] * plan.temporal
    if plan.augment:
        # From 1 on: NumPy ignores zeros at the end of a seed, and with 0 the first view's crop
        # would be decided by the very numbers that choose its frames.
        numbers = range(1, 1 + plan.temporal)
        looks = [partial(plan.framing.random_view, seed=[*seed, number]) for number in numbers]
    indices = np.zeros((plan.temporal, plan.frames), dtype=np.int64)
    times = np.zeros(0)
    seen: dict[tuple[int, int], NDArray[np.uint8]] = {}  # by (temporal view, frame index)

    def choose(timestamps: NDArray[np.float64], end: float) -> list[int]:
        nonlocal indices, times
        if plan.sampling == "centre":
            positions = sampling.centre(len(timestamps), plan.frames, plan.temporal)
        else:
            rng = np.random.default_rng(seed)
            positions = sampling.random(len(timestamps), plan.frames, plan.temporal, rng)
        indices, times = sampling.at(positions, timestamps, end), timestamps
        return indices.ravel().tolist()

    def see(index: int, frame: Frame) -> None:
        views = None
        for view in np.flatnonzero((indices == index).any(axis=1)).tolist():
            if views is None or plan.augment:
                views = looks[view](frame)
            seen[view, index] = views  # (S, h, w, 3)

    note = visit(path, choose, see, plan.decoder)
    stacks = [
        np.stack([seen[view, i] for i in row], 1) for view, row in enumerate(indices.tolist())
    ]
    frames = np.concatenate(stacks)  # (temporal · S, T, h, w, 3)
    spatial = len(frames) // plan.temporal
    shown = times[indices].repeat(spatial, axis=0)  # (temporal · S, T)
    return Pixels(frames.reshape(-1, *frames.shape[2:]), shown.ravel().astype(np.float32), note)
