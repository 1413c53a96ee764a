"""What an extraction will cost, before it is begun."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpus.tally import Tally, tallied
from extract.clip import Pixels
from extract.cores import cores
from extract.datasets import Clip
from extract.manifest import row_bytes
from extract.pool import Pool
from extract.task import Task
from extract.worker import Job

_SAMPLED = 16  # videos decoded to learn the rate
_SMALL = 8  # frames to a batch that is encoded to learn it where the tower is slow
_TIMED = 1.0  # seconds of encoding, or one round of batches where that takes longer


@dataclass(frozen=True)
class Estimate:
    """The expected cost of an extraction, or of what is left of one.

    Attributes:
        clips: N, videos of the dataset.
        left: how many of them are yet to be encoded; the other figures are about these.
        missing: how many of their files are not there.
        frames: to encode.
        bytes: of their rows, uncompressed; as much again is needed beside until the cache is whole.
        decode_seconds, encode_seconds: each as if it had the machine to itself.
        seconds: for all. On a CPU decoding and encoding share the cores; a GPU overlaps them.
    """

    clips: int
    left: int
    missing: int
    frames: int = 0
    bytes: int = 0
    decode_seconds: float = 0.0
    encode_seconds: float = 0.0
    seconds: float = 0.0


def estimate(
    task: Task,
    left: Sequence[Clip],
    workers: int | None = None,
    timeout: float = 120.0,
    tally: Tally | None = None,
) -> Estimate:
    """Count, and measure the rates on a few videos spread over those that are left.

    Args:
        task: what is to be made.
        left: its videos that are yet to be encoded.
        workers, timeout: as for `extract`.
        tally: called with each video whose file is looked for.
    """
    dataset, encoder, backbone = task.dataset, task.encoder, task.encoder.backbone
    there = [clip for clip in tallied(left, len(left), tally) if dataset.has(clip)]
    counts = Estimate(len(dataset.clips), len(left), len(left) - len(there))
    if not there:
        return counts
    frames = task.manifest.frame_count * len(there)
    step = max(1, len(there) // _SAMPLED)
    sampled = there[::step][:_SAMPLED]
    jobs = [Job(dataset.path(clip), clip.video, task.plan) for clip in sampled]
    with Pool(workers or cores(), timeout) as pool:
        list(pool.read(jobs[:1] * (workers or cores()), ahead=1))  # starts the workers
        decode = _seconds(lambda: list(pool.read(jobs, ahead=len(jobs)))) / len(jobs)
    on_cpu = backbone.device.type == "cpu"
    many = encoder.lanes * (1 if on_cpu else 3)  # a GPU is asked for more while it works

    def encode(size: int) -> None:
        blank = np.zeros((size, *backbone.preprocess.size, 3), np.uint8)
        batch = Pixels(blank, np.zeros(size, np.float32), "")
        list(encoder.features(((key, batch) for key in range(many)), group=lambda key: key))

    batch = min(encoder.batch, frames)  # no larger one comes about
    size = min(batch, _SMALL) if on_cpu else batch
    if _seconds(lambda: encode(size)) < _TIMED:
        size = batch  # a tower so quick takes longer for a frame of a small batch
    taken = [_seconds(lambda: encode(size))]
    while sum(taken) < _TIMED:
        taken.append(_seconds(lambda: encode(size)))
    a_frame = sum(taken) / len(taken) / (many * size)
    decode_all, encode_all = decode * len(there), a_frame * frames
    return replace(
        counts,
        frames=frames,
        bytes=row_bytes(task.manifest) * len(there),
        decode_seconds=decode_all,
        encode_seconds=encode_all,
        seconds=decode_all + encode_all if on_cpu else max(decode_all, encode_all),
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
