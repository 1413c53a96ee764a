"""What an extraction will cost, before it is begun."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from corpus.backbone import Backbone
from extract.clip import Pixels
from extract.cores import cores
from extract.datasets import Dataset
from extract.encode import lanes
from extract.manifest import patch_dtype
from extract.options import Options, plan_of
from extract.pool import Pool
from extract.worker import Job

_SAMPLED = 16  # videos decoded, and batches encoded, to learn the rates


@dataclass(frozen=True)
class Estimate:
    """The expected cost of an extraction.

    Attributes:
        clips, missing: N, and how many of their files are not there.
        frames: to encode in all.
        bytes: of the cache, uncompressed; as much again is needed beside it until it is whole.
        decode_seconds, encode_seconds: for all, each as if it had the machine to itself.
        seconds: for all. On a CPU decoding and encoding share the cores; a GPU overlaps them.
    """

    clips: int
    missing: int
    frames: int
    bytes: int
    decode_seconds: float
    encode_seconds: float
    seconds: float


def estimate(
    dataset: Dataset,
    backbone: Backbone,
    options: Options,
    workers: int | None = None,
    timeout: float = 120.0,
) -> Estimate:
    """Count, and measure the rates on a few videos spread over the dataset.

    Args:
        dataset, backbone, options, workers, timeout: as for `extract`.

    Raises:
        BadInput: no file of the dataset is there, or the options do not fit the backbone.
    """
    dataset.check_there()
    encoder = options.encoder(backbone, lanes(backbone.device))
    plan, tower = plan_of(backbone, options, dataset.split), encoder.tower
    there = [clip for clip in dataset.clips if dataset.has(clip)]
    step = max(1, len(there) // _SAMPLED)
    sampled = there[::step][:_SAMPLED]
    jobs = [Job(dataset.path(clip), clip.video, plan) for clip in sampled]
    per_clip = plan.temporal * plan.framing.crops * plan.frames
    with Pool(workers or cores(), timeout) as pool:
        list(pool.read(jobs[:1] * (workers or cores()), ahead=1))  # starts the workers
        decode = _seconds(lambda: list(pool.read(jobs, ahead=len(jobs)))) / max(len(jobs), 1)
    height, width = backbone.preprocess.size
    blank = np.zeros((options.batch, height, width, 3), np.uint8)
    batch = Pixels(blank, np.zeros(options.batch, np.float32), "")

    many = 3 * encoder.lanes

    def encode() -> None:
        list(encoder.features((key, batch) for key in range(many)))

    encode()
    a_frame = _seconds(encode) / (many * options.batch)
    decode_all, encode_all = decode * len(there), a_frame * per_clip * len(there)
    on_cpu = backbone.device.type == "cpu"
    token = tower.dim + 2 if options.dtype == "int8" else 2 * tower.dim
    frame = encoder.regions * (token + 2) + tower.patches * patch_dtype(encoder.regions).itemsize
    return Estimate(
        clips=len(dataset.clips),
        missing=len(dataset.clips) - len(there),
        frames=per_clip * len(there),
        bytes=(frame + 4) * per_clip * len(there),
        decode_seconds=decode_all,
        encode_seconds=encode_all,
        seconds=decode_all + encode_all if on_cpu else max(decode_all, encode_all),
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
