"""Processes of our own beside this one: fresh interpreters at the other end of a pipe.

Fresh rather than forked, so that no HDF5 handle and no thread of the caller's is inherited, and
not by multiprocessing's spawn, which would run a notebook's or a script's main again.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path


def command(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """How to run a module of this project from any folder: the command line, and environment."""
    home = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    # -P: a file in the user's working folder must not stand in for a module of ours.
    line = [sys.executable, "-P", "-m", module, *arguments]
    return line, {**os.environ, "PYTHONPATH": path}


def start(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> tuple["subprocess.Popen[bytes]", Connection]:
    """Run `python -m module FD arguments…`, whose end of the pipe is the file descriptor FD.

    Args:
        module: of this project.
        arguments: more for its command line.
        environment: variables beside the caller's.

    Returns:
        The process and our end of the pipe; the caller is to close it, and to wait for the process.
    """
    ours, theirs = Pipe()
    line, variables = command(module, str(theirs.fileno()), *arguments)
    with theirs:
        process = subprocess.Popen(
            line,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**variables, **(environment or {})},
        )
    return process, ours


def caller() -> Connection:
    """Our end of the pipe, in a process that `start` started; when it ends is the caller's to say.

    Ctrl-C goes to the whole group of processes, and SIGTERM may: here both do nothing.
    """
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, signal.SIG_IGN)
    return Connection(int(sys.argv[1]))


def ending(process: "subprocess.Popen[bytes]") -> str:
    """Wait for a process, and say how it ended: "SIGKILL", "exit status 1"."""
    code = process.wait()
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"
