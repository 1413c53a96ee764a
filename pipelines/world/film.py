"""Frames to a video file: H.264 in MP4, as cameras and phones write it."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from corpus.atomic import atomic_file


def film(frames: Sequence[np.ndarray], path: Path, fps: int, crf: int) -> None:
    """Encode frames; the same ones give the same file, byte for byte, on one kind of machine.

    Args:
        frames: (H, W, 3) uint8 RGB, H and W even.
        path: the .mp4 to write; whole or absent.
        fps: frames a second.
        crf: H.264's constant rate factor, 0 (lossless) to 51.
    """
    with atomic_file(path) as draft, av.open(str(draft), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = frames[0].shape[:2]
        # One thread: several workers write films side by side. Without macroblock trees, whose
        # vector code gives other numbers from one run to the next.
        stream.options = {
            "crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0",
        }  # fmt: skip
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
