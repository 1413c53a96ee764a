"""How busy a training step is kept by clips that are streamed from a cache on the disk."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from adapter.clips import Clips
from adapter.data import open_clips
from adapter.model import ModelConfig
from adapter.nearest import with_nearest
from corpus.preprocess import Preprocess
from extract.manifest import patch_dtype
from extract.regions import RegionEncoder
from extract.store import CacheManifest, CacheWriter, Entry, Features

STEPS = 8  # counted; one more goes first


class Streamed(NamedTuple):
    """What streaming took.

    Attributes:
        wait: seconds of a step that it waited for its batch, the mean.
        step: seconds of the step itself, the mean.
        megabytes: of a batch in the cache, and of what was looked up for it.
        disk: MB/s of reading the file from end to end, none of it in the page cache: what no loader
            can beat.
    """

    wait: float
    step: float
    megabytes: float
    disk: float

    @property
    def busy(self) -> float:
        """Share of the time that is not waiting."""
        return self.step / (self.wait + self.step)


def stream(
    step: Callable[[Clips], None],
    encoder: RegionEncoder,
    frames: int,
    batch: int,
    device: torch.device,
    entities: Tensor,
    folder: Path | None = None,
) -> Streamed:
    """Write a cache of random clips, forget it, and train from it in random order.

    As in training, what regions are nearest to is looked up first.

    Args:
        step: a training step.
        encoder: whose regions the clips are like.
        frames: T.
        batch: clips to a step.
        device: that the step is done on.
        entities: (K, dim) unit rows, to look up.
        folder: where the cache is written, for as long as this takes; a temporary one by default.
    """
    waits, steps = [], []
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name, "random.h5")
        _write(path, encoder, frames, (STEPS + 1) * batch)
        disk = _plainly(path)
        clips = open_clips([path], in_memory=False)
        top_k = ModelConfig().top_k
        clips = with_nearest(clips, entities.to(device), "random", top_k, str(device))
        for written in Path(name).iterdir():
            forget(written)
        order = torch.randperm(len(clips)).split(batch)
        began = time.perf_counter()
        for at_hand, _ in clips.batches(order, device):
            ready = time.perf_counter()
            step(at_hand)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            done = time.perf_counter()
            waits.append(ready - began)
            steps.append(done - ready)
            began = done
        size = sum(written.stat().st_size for written in Path(name).iterdir()) / (STEPS + 1)
    return Streamed(sum(waits[1:]) / STEPS, sum(steps[1:]) / STEPS, size / 1e6, disk)


def forget(path: Path) -> None:
    """Drop a file from the page cache, so that it has to come from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())  # what is not there yet is not dropped
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _plainly(path: Path) -> float:
    forget(path)
    began = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.read(2**20):
            pass
    return path.stat().st_size / 1e6 / (time.perf_counter() - began)


def _write(path: Path, encoder: RegionEncoder, frames: int, clips: int) -> None:
    preprocess = Preprocess(
        size=(0, 0), mean=(0, 0, 0), std=(1, 1, 1), interpolation="", resize_mode=""
    )
    manifest = CacheManifest(
        dataset="random",
        split="train",
        classes=("any",),
        clips=clips,
        backbone="random",
        model="random",
        pretrained="none",
        fingerprint="random",
        random_weights=True,
        merge=encoder.merge,
        frames=frames,
        views="1x1",
        sampling="centre",
        seed=0,
        preprocess=preprocess,
        precision="float32",
        dtype="float16",
        compression="none",
        dim=encoder.dim,
        regions=encoder.regions,
        patches=encoder.patches,
        grid=encoder.grid,
    )
    draw = np.random.default_rng(0)
    numbers = patch_dtype(encoder.regions)
    some = Features(
        regions=draw.standard_normal((frames, encoder.regions, encoder.dim)).astype(np.float16),
        region_size=np.ones((frames, encoder.regions), np.uint16),
        patch_region=draw.integers(1, encoder.regions, (frames, encoder.patches), numbers),
        timestamps=np.arange(frames, dtype=np.float32),
    )
    writer = CacheWriter(path, manifest)
    for row in range(clips):
        writer.append(Entry(f"{row}.mp4", 0, "train", "ok"), some)
    writer.close()
