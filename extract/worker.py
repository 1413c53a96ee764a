"""A decoding worker: a process of its own, so that no video can take the run down.

Started as `python -m extract.worker SOCKET ROOM TIMEOUT`; it reads jobs from that socket until it
closes, and leaves frames in that room. A fresh interpreter rather than a fork, so that no HDF5
handle and no thread of the caller's is inherited, and rather than multiprocessing's spawn, which
would run a notebook's or a script's main again.
"""

import signal
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extract import clip
from extract.clip import Plan
from extract.decode import DecodeError, quiet
from extract.room import Room


@dataclass(frozen=True)
class Job:
    """One video to read; `name` is its path within its dataset."""

    path: Path
    name: str
    plan: Plan


def serve(jobs: Connection, room: Room, timeout: float) -> None:
    """Answer each `Job` with what its `Pixels` are, or with a string: why there are none.

    The frames are left in `room`, and their shape stands for them in the answer.
    """
    while True:
        try:
            job = jobs.recv()
        except EOFError:
            return
        # Not handled on purpose: SIGALRM ends the process even inside a native call that hangs.
        signal.setitimer(signal.ITIMER_REAL, timeout)
        answer: tuple[tuple[int, ...], NDArray[np.float32], str] | str
        try:
            pixels = clip.read(job.path, job.name, job.plan)
            room.put(pixels.frames)
            answer = pixels.frames.shape, pixels.timestamps, pixels.note
        except DecodeError as error:
            answer = str(error)
        except (OSError, MemoryError) as error:
            answer = " ".join(f"{type(error).__name__}: {error}".split())
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            jobs.send(answer)
        except BrokenPipeError:
            return


if __name__ == "__main__":
    # Ctrl-C goes to the whole group of processes; the caller alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet()
    serve(Connection(int(sys.argv[1])), Room(int(sys.argv[2])), float(sys.argv[3]))
