"""Whole extraction beside its own encoder, and beside the way of working of clip-video-encode.

One run, one machine, the same videos, frames and model; the three take turns, and what is reported
are the ratios.
"""

import operator
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import av
import numpy as np
import torch
import typer
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from corpus import command
from corpus.atomic import try_file, write_json
from corpus.backbone import Backbone
from corpus.command import leave_to_caller
from corpus.errors import BadInput
from extract import clip
from extract.clip import Pixels, Plan
from extract.cores import cores
from extract.datasets import Dataset, open_dataset
from extract.device import pick_device
from extract.encode import lanes
from extract.options import Options, plan_of, usual_batch, usual_checkpoint
from extract.pool import ENVIRONMENT, Pool
from extract.run import extract
from extract.views import normalise
from extract.worker import Job
from pipelines.timing import busy, machine, random_backbone, watched


class Figures(BaseModel):
    """What was measured, the medians over turns.

    Attributes:
        model, merge, precision, videos, frames: what ran; `frames` of all videos together.
            `precision` is that of the extraction, and of its encoder alone.
        machine: device and threads; `cores` are what the process may use.
        whole: seconds of `alt-extract`, from files to file.
        encoder: seconds of the region encoder alone, on the same frames in memory.
        decoding: CPU seconds of decoding, sampling and cropping alone, on all cores at once: what
            cores share (caches, and the units of one core that a machine shows as two) they share
            during an extraction too.
        workers: CPU seconds of the decoding workers during an extraction, from their start on; on a
            GPU those of the process that joins shards are among them.
        one_by_one: seconds of decoding every frame of a video, converting the same ones and
            encoding them with `encode_image`, a video after the other, on all threads.
        of_encoder: (encoder + decoding / cores) / whole; 1 when nothing else costs anything. On a
            GPU, which decoding leaves alone, the larger of the two takes the place of the sum.
        beside_workers: the same with what the workers did take in place of `decoding`: how much of
            the rate is left where they and the lanes wait for each other's memory.
        over_one_by_one: one_by_one / whole.
        busy: the share of an extraction, from its first batch to its last, in which the GPU was at
            work, by nvidia-smi; None without one.
    """

    model_config = ConfigDict(frozen=True)
    model: str
    merge: int
    precision: str
    videos: int
    frames: int
    machine: str
    cores: int
    whole: float
    encoder: float
    decoding: float
    workers: float
    one_by_one: float
    of_encoder: float
    beside_workers: float
    over_one_by_one: float
    busy: float | None


def measure(dataset: Dataset, backbone: Backbone, options: Options, turns: int) -> Figures:
    """Time the three ways in turns.

    Args:
        dataset: videos that all decode.
        backbone: on the device to use.
        options: of the extraction.
        turns: of each; one more goes first and is not counted.

    Raises:
        BadInput: the dataset's files are not there or one cannot be decoded, or the options do not
            fit the backbone.
    """
    plan = plan_of(backbone, options, dataset.split)
    encoder = options.encoder(backbone, lanes(backbone.device))
    paths = [dataset.path(video) for video in dataset.clips]
    jobs = [Job(path, video.video, plan) for path, video in zip(paths, dataset.clips, strict=True)]
    pixels = _read(jobs)

    spent: list[float] = []  # by the workers of each extraction
    shares: list[list[float]] = []  # of each, those in which the GPU was at work

    def whole() -> None:
        before = _ended()
        with tempfile.TemporaryDirectory() as folder, watched(backbone.device) as own:
            extract(dataset, backbone, Path(folder) / "feats.h5", options)
        shares.append(own)
        spent.append(_ended() - before)

    # Decoding alone is done as the extraction's workers do it.
    workers = patch.dict(os.environ, ENVIRONMENT)
    with workers, ProcessPoolExecutor(cores(), get_context("spawn"), leave_to_caller) as crew:
        # What the whole is compared with goes just before and just after it: machines change their
        # speed within minutes.
        ways: dict[str, Callable[[], float]] = {
            "encoder": _timed(lambda: _drain(encoder.features(enumerate(pixels)))),
            "whole": _timed(whole),
            "decoding": lambda: sum(crew.map(_decoding, jobs)),
            "workers": lambda: spent[-1],
            "one_by_one": _timed(lambda: _one_by_one(paths, pixels, backbone, plan)),
        }
        taken = [{name: way() for name, way in ways.items()} for _ in range(turns + 1)][1:]

    at_work = [share for own in shares[1:] if (share := busy(own)) is not None]

    def left(decoding: str) -> float:
        """The median share of the encoder's rate that is left, `decoding` taken off."""
        join = max if backbone.device.type == "cuda" else operator.add
        return statistics.median(
            join(once["encoder"], once[decoding] / cores()) / once["whole"] for once in taken
        )

    return Figures(
        model=backbone.name,
        merge=options.merge,
        precision=options.precision,
        videos=len(paths),
        frames=sum(len(one.frames) for one in pixels),
        machine=machine(backbone.device),
        cores=cores(),
        of_encoder=left("decoding"),
        beside_workers=left("workers"),
        over_one_by_one=statistics.median(once["one_by_one"] / once["whole"] for once in taken),
        busy=statistics.median(at_work) if at_work else None,
        **{name: statistics.median(once[name] for once in taken) for name in ways},
    )


def _read(jobs: list[Job]) -> list[Pixels]:
    pixels = []
    with Pool(cores()) as pool:
        for job, answer in zip(jobs, pool.read(jobs, 2 * cores()), strict=True):
            if isinstance(answer, str):
                raise BadInput(job.path, answer, "leave it out: all are to decode")
            pixels.append(answer)
    return pixels


def _timed(way: Callable[[], None]) -> Callable[[], float]:
    """Wall-clock seconds of each call of `way`."""

    def run() -> float:
        began = time.perf_counter()
        way()
        return time.perf_counter() - began

    return run


def _ended() -> float:
    """CPU seconds of all processes of this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _decoding(job: Job) -> float:
    """CPU seconds of reading one video."""
    began = time.process_time()
    clip.read(job.path, job.name, job.plan)
    return time.process_time() - began


def _drain(results: object) -> None:
    for _ in results:  # type: ignore[attr-defined]
        pass


@torch.inference_mode()
def _one_by_one(paths: list[Path], kept: list[Pixels], backbone: Backbone, plan: Plan) -> None:
    """Encode whole frames, a video after the other, each of them decoded to its end."""
    facts = backbone.preprocess
    for path, pixels in zip(paths, kept, strict=True):
        frames = _frames_at(path, pixels.timestamps)
        views = np.concatenate([plan.framing.views(frame) for frame in frames])
        batch = torch.from_numpy(views).to(backbone.device)
        backbone.model.encode_image(normalise(batch, facts.mean, facts.std)).cpu()


def _frames_at(path: Path, timestamps: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    """Decode all of a video, on all threads, and convert only the frames shown at these times."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        assert isinstance(stream, av.VideoStream)
        stream.thread_type = "AUTO"
        frames = list(container.decode(stream))
        times = np.array([frame.time or 0.0 for frame in frames])
        nearest = np.abs(times[:, None] - times[0] - timestamps).argmin(axis=0)
        # One for all frames: a frame that converts itself sets up its own, which takes longer.
        converter = VideoReformatter()
        shown = [converter.reformat(frames[i], format="rgb24") for i in nearest]
        return [np.asarray(frame.to_ndarray(), np.uint8) for frame in shown]


app = command.application("Benchmarks of the extraction, as ratios measured in one run.")


@app.command(
    epilog="Example: alt-demo world --out world --clips 60 --seed 7 && "
    "python -m pipelines.bench_extract world --out bench.json"
)
def run(
    root: Annotated[Path, typer.Argument(help="A demo world's folder, or folders of videos.")],
    split: Annotated[str, typer.Option(help="Which part of a demo world.")] = "train",
    model: Annotated[str, typer.Option(help="open_clip model, or alt-mini.")] = "alt-mini",
    merge: Annotated[int, typer.Option(help="Token pairs merged in each block, r.")] = 8,
    precision: Annotated[
        str, typer.Option(help="float32, bfloat16 or float16; of the regions only.")
    ] = "float32",
    frames: Annotated[int, typer.Option(min=1, help="Frames of a video.")] = 8,
    keep_regions: Annotated[
        int, typer.Option(min=0, help="Store only so many of the largest regions; 0 for all.")
    ] = 0,
    turns: Annotated[int, typer.Option(min=1, help="Timed turns of each way.")] = 3,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps …")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Also write the figures, as JSON.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time alt-extract against its encoder alone and against one video at a time."""
    if out:
        try_file(out)
    where = pick_device(device)
    if not root.is_dir():
        raise BadInput(root, "no such folder", "make one: alt-demo world --out world")
    listed = (root / f"{split}.csv").is_file()
    if not listed and (root / "world.json").is_file():
        raise BadInput(f"--split {split}", f"{root} has no {split}.csv", "use train, or test")
    dataset = open_dataset("csv", root, split) if listed else open_dataset("folder", root)
    backbone = random_backbone(model, where)
    kind = backbone.device.type
    batch, checkpoint = usual_batch(kind), usual_checkpoint(kind)
    options = Options(
        frames=frames,
        merge=merge,
        keep_regions=keep_regions,
        precision=precision,
        batch=batch,
        checkpoint=checkpoint,
    )
    figures = measure(dataset, backbone, options, turns)
    if out:
        write_json(out, figures.model_dump())
    if json:
        command.print_json(figures.model_dump())
        return
    command.out.print(
        f"{figures.videos} videos, {figures.frames} frames in {figures.whole:.2f} s: "
        f"{figures.of_encoder:.2f} of the encoder's rate less decoding's share "
        f"({figures.beside_workers:.2f} less that of the workers beside it), "
        f"{figures.over_one_by_one:.2f}x one video at a time"
    )
    at_work = "" if figures.busy is None else f", at work {100 * figures.busy:.0f} % of the time"
    command.out.print(f"{figures.machine}{at_work}, {figures.cores} cores")


def main() -> None:
    """Run the command line."""
    command.run(app)


if __name__ == "__main__":
    main()
