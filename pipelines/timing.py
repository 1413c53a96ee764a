"""What benchmarks share: how long something takes, and on what."""

import platform
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from corpus.backbone import Backbone, load
from corpus.source import RANDOM


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return how long work takes, what it leaves to a GPU included."""
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


@contextmanager
def watched(device: torch.device) -> Iterator[list[float]]:
    """Watch how busy a GPU is, by nvidia-smi.

    Yields:
        A list, filled when the `with` ends: of each tenth of a second, the share in which a kernel
        ran. It stays empty on a CPU, and where nvidia-smi is not there or cannot tell.
    """
    shares: list[float] = []
    if device.type != "cuda" or not shutil.which("nvidia-smi"):
        yield shares
        return
    which = f"--id=GPU-{torch.cuda.get_device_properties(device).uuid}"
    query = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=100")
    with subprocess.Popen(
        ["nvidia-smi", which, *query], stdout=subprocess.PIPE, text=True
    ) as watch:
        try:
            yield shares
        finally:
            watch.terminate()
            told, _ = watch.communicate()
            shares += [int(line) / 100 for line in told.split("\n") if line.strip().isdigit()]


def busy(shares: Sequence[float]) -> float | None:
    """Return a GPU's mean share from the first time that it is at work to the last."""
    at_work = [number for number, share in enumerate(shares) if share]
    if not at_work:
        return None
    between = shares[at_work[0] : at_work[-1] + 1]
    return sum(between) / len(between)


def machine(device: torch.device) -> str:
    """Name a device, and what runs on it."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"


def random_backbone(model: str, device: torch.device | str) -> Backbone:
    """Make a backbone with random weights, without the warning: only its time is measured."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(model, RANDOM, device)
