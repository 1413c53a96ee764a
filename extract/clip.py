"""One video to the pixels of its views: decoding, sampling and cropping together.

This is what a decoding worker runs, and it needs neither torch nor open_clip.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from extract import sampling
from extract.decode import Decoder, sample
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
    """

    framing: Framing
    frames: int = 8
    temporal: int = 1
    sampling: Sampling = "centre"
    seed: int = 0
    decoder: Decoder = "auto"


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

    def choose(timestamps: NDArray[np.float64]) -> NDArray[np.int64]:
        count = len(timestamps)
        if plan.sampling == "centre":
            positions = sampling.centre(count, plan.frames, plan.temporal)
        else:
            digest = hashlib.sha256(name.encode()).digest()
            rng = np.random.default_rng([plan.seed, int.from_bytes(digest[:8], "big")])
            positions = sampling.random(count, plan.frames, plan.temporal, rng)
        return sampling.at(positions, timestamps).ravel()

    read = sample(path, choose, plan.framing.views, plan.decoder)
    shape = (plan.temporal, plan.frames, *read.frames[0].shape)
    views = np.stack(read.frames).reshape(shape).swapaxes(1, 2)  # (temporal, S, T, h, w, 3)
    times = read.timestamps.reshape(plan.temporal, 1, plan.frames)
    times = np.broadcast_to(times, views.shape[:3])
    return Pixels(
        np.ascontiguousarray(views.reshape(-1, *views.shape[3:])),
        times.ravel().astype(np.float32),
        read.note,
    )
