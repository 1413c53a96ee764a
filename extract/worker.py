"""A decoding worker: a process of its own, so that no video can take the run down.

Started as `python -m extract.worker FD TIMEOUT` (`extract.beside`); it reads jobs from that socket
until it closes.
"""

import os
import signal
import socket
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from corpus.errors import BadInput
from extract import beside, clip
from extract.clip import Pixels, Plan
from extract.decode import DecodeError, quiet

_LONGEST = 86400  # seconds; the alarm that ends a worker cannot be set for ever


@dataclass(frozen=True)
class Job:
    """One video to read; `name` is its path within its dataset."""

    path: Path
    name: str
    plan: Plan


def check_timeout(timeout: float) -> None:
    """Refuse a time for one video that a worker's alarm cannot be set to.

    Raises:
        BadInput: it is not above 0, or longer than a day.
    """
    if not 0 < timeout <= _LONGEST:
        mend = f"use {_LONGEST}, a day, for as good as no limit"
        raise BadInput(f"--timeout {timeout:g}", f"not above 0 and at most {_LONGEST}", mend)


def serve(jobs: Connection, timeout: float) -> None:
    """Answer each `Job` with `Pixels`, or with a string: the reason why there are none."""
    while True:
        try:
            job = jobs.recv()
        except EOFError:
            return
        # Not handled on purpose: SIGALRM ends the process even inside a native call that hangs.
        signal.setitimer(signal.ITIMER_REAL, timeout)
        try:
            answer: Pixels | str = clip.read(job.path, job.name, job.plan)
        except DecodeError as error:
            answer = str(error)
        except Exception as error:  # what went wrong is told, and not printed
            answer = " ".join(f"{type(error).__name__}: {error}".split())
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            send(jobs, answer)
        except BrokenPipeError:
            return


def send(pipe: Connection, answer: Pixels | str) -> None:
    """Send an answer: pixels as they are, past pickle, which would copy them twice at each end."""
    if isinstance(answer, str):
        pipe.send(answer)
        return
    pipe.send((answer.frames.shape, answer.timestamps, answer.note))
    view = np.ascontiguousarray(answer.frames).data.cast("B")
    while len(view):
        view = view[os.write(pipe.fileno(), view) :]


def receive(pipe: Connection) -> Pixels | str:
    """Receive what `send` sent.

    Raises:
        EOFError, OSError: the other end closed before all of it was there.
    """
    answer = pipe.recv()
    if isinstance(answer, str):
        return answer
    shape, timestamps, note = answer
    frames = np.empty(shape, np.uint8)
    view = frames.data.cast("B")
    ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=pipe.fileno())
    try:
        while len(view):
            # In one call: after each, a thread has to get Python's lock back, and many want it.
            count = ours.recv_into(view, len(view), socket.MSG_WAITALL)
            if not count:
                raise EOFError
            view = view[count:]
    finally:
        ours.detach()  # it is the pipe's
    return Pixels(frames, timestamps, note)


if __name__ == "__main__":
    caller = beside.caller()
    quiet()
    # The native libraries print lines of their own about files that they refuse.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    serve(caller, float(sys.argv[2]))
