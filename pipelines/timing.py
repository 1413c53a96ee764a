"""What benchmarks share: how long something takes, and on what."""

import platform
import time
import warnings
from collections.abc import Callable

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
