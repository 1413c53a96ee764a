"""Frames to a video file: H.264 in MP4, as cameras and phones write it."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from corpus.atomic import atomic_file


def film(frames: Sequence[np.ndarray], path: Path, fps: int, crf: int) -> None:
    """Encode frames.

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
        # One thread, so that the same frames give the same file.
        stream.options = {"crf": str(crf), "preset": "veryfast", "threads": "1"}
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
