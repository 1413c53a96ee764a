"""The cache itself: memory on long runs, reading back, and what int8 costs.

Figures of one run on one machine; `python -m pipelines.bench_cache --help` lists them.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from threading import Thread
from typing import Annotated

import numpy as np
import torch
import typer

from adapter.data import ASKED
from corpus import command
from corpus.backbone import load
from corpus.errors import BadInput, RunFailed
from extract.datasets import open_dataset
from extract.options import Options
from extract.run import extract
from extract.store import FeatureCache
from pipelines.bench_loader import forget

app = command.application("Benchmarks of the feature cache.")
_MOST = 1_000_000  # videos of a run; each is a link
_JSON = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


@app.command(
    epilog="Example: python -m pipelines.bench_cache memory world/train --counts 1000,10000"
)
def memory(
    root: Annotated[Path, typer.Argument(help="A folder with videos; they are used in turn.")],
    counts: Annotated[
        str, typer.Option(help="Numbers of videos, with a run for each.")
    ] = "1000,10000",
    model: Annotated[str, typer.Option(help="open_clip model, or alt-mini.")] = "alt-mini",
    workers: Annotated[int, typer.Option(min=1, help="Decoding processes.")] = 2,
    json: _JSON = False,
) -> None:
    """Peak memory of alt-extract and its workers together, over runs of several lengths."""
    lengths = [part.strip() for part in counts.split(",")]
    if not all(length.isdecimal() and 0 < int(length) <= _MOST for length in lengths):
        cause = f"are no counts of 1 to {_MOST} videos"
        raise BadInput(f"--counts {counts}", cause, "as in 1000,10000")
    videos = sorted(path.resolve() for path in root.rglob("*.mp4"))
    if not videos:
        raise BadInput(root, "holds no .mp4 files", "make some: alt-demo world --out world")
    peaks = {}
    for count in map(int, lengths):
        with tempfile.TemporaryDirectory() as folder:
            clips = Path(folder) / "videos" / "any"
            clips.mkdir(parents=True)
            for index in range(count):
                (clips / f"{index:06d}.mp4").symlink_to(videos[index % len(videos)])
            peaks[count] = _peak(clips.parent, Path(folder) / "feats.h5", model, workers)
    if json:
        command.print_json(peaks)
    else:
        for count, megabytes in peaks.items():
            command.out.print(f"{count} videos: {megabytes:.0f} MB at most")


def _peak(root: Path, target: Path, model: str, workers: int) -> float:
    """The most that alt-extract and its workers hold at one time, in MB.

    What they share (code, mostly) counts once for each. Looked at ten times a second.
    """
    arguments = ["--dataset", "folder", "--root", str(root), "--out", str(target)]
    arguments += ["--model", model, "--pretrained", "none", "--workers", str(workers)]
    # One frame a video: what grows with the number of videos grows all the sooner.
    arguments += ["--frames", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "extract.cli", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    words: deque[str] = deque(maxlen=1)  # the last line; all are read, so that it can go on
    listener = Thread(target=words.extend, args=(process.stderr,), daemon=True)
    listener.start()
    most = 0.0
    while process.poll() is None:
        most = max(most, sum(_resident(pid) for pid in (process.pid, *_children(process.pid))))
        time.sleep(0.1)
    if process.returncode:
        listener.join()
        cause = f"exit status {process.returncode} ({' '.join(words).strip()})"
        raise RunFailed("alt-extract", cause, "mend that, and run again")
    return most


def _resident(pid: int) -> float:
    """MB of a process that are in memory; 0 when it is gone."""
    try:
        words = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0.0
    return int(words[1]) * resource.getpagesize() / 1e6


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    found = []
    for path in tasks:
        try:
            found += [int(child) for child in path.read_text().split()]
        except OSError:
            continue
    return found


@app.command(epilog="Example: python -m pipelines.bench_cache read feats.h5 --batch 16")
def read(
    path: Annotated[Path, typer.Argument(help="A cache; larger than 1 GB says more.")],
    batch: Annotated[int, typer.Option(min=1, help="Clips in a batch.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their order.")] = 0,
    turns: Annotated[int, typer.Option(min=1, help="Timed turns of each way.")] = 5,
    json: _JSON = False,
) -> None:
    """Random batches of whole clips beside the same bytes read from one end to the other.

    Both from the disk: the system is asked to forget the file before each. The two take turns, and
    the medians are told.
    """
    cache = FeatureCache(path)
    good = np.array([i for i, status in enumerate(cache.status) if status == "ok"])
    if not len(good):
        raise BadInput(path, "has no video that was decoded", "give another")
    order = np.random.default_rng(seed).permutation(good).tolist()
    rates, size = [], 0
    for _ in range(turns):
        forget(path)
        size, began = 0, time.perf_counter()
        for start in range(0, len(order), batch):
            # As far ahead as the adapter's loader asks.
            cache.expect(order[start + ASKED * batch * bool(start) : start + (ASKED + 1) * batch])
            rows = [cache.features(index) for index in order[start : start + batch]]
            size += sum(v.nbytes for row in rows for v in vars(row).values() if v is not None)
        clips = size / (time.perf_counter() - began)
        forget(path)
        left, block, began = size, bytearray(1 << 20), time.perf_counter()
        with path.open("rb", buffering=0) as file:
            while left > 0 and (got := file.readinto(block)):
                left -= got
        rates.append((clips, (size - left) / (time.perf_counter() - began)))
    clips, whole = (statistics.median(rate) / 1e6 for rate in zip(*rates, strict=True))
    facts = {
        "clips_MB_s": clips,
        "sequential_MB_s": whole,
        "ratio": clips / whole,
        "MB": size / 1e6,
    }
    if json:
        command.print_json(facts)
    else:
        command.out.print(
            f"{size / 1e6:.0f} MB: clips at random {clips:.0f} MB/s, from end to end {whole:.0f} "
            f"MB/s, {clips / whole:.2f} of it"
        )


@app.command(epilog="Example: python -m pipelines.bench_cache int8 world --split test")
def int8(
    root: Annotated[Path, typer.Argument(help="A demo world.")],
    split: Annotated[str, typer.Option(help="Which part of it.")] = "test",
    json: _JSON = False,
) -> None:
    """int8 caches beside float16 and beside all patches in float16: bytes and top-1 by no training.

    The bundled backbone; a video's embedding is its class tokens' mean, and in a second column the
    mean of all its regions.
    """
    backbone = load("alt-mini")
    dataset = open_dataset("csv", root, split)
    texts = backbone.encode_text([name.replace("_", " ") for name in dataset.classes])
    kinds = {
        "all patches, float16": Options(merge=0),
        "r=8, float16": Options(),
        "r=8, int8": Options(dtype="int8"),
        "r=8, int8, lz4": Options(dtype="int8", compression="lz4"),
        "r=8, int8, zstd": Options(dtype="int8", compression="zstd"),
    }
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, options) in enumerate(kinds.items()):
            target = Path(folder) / f"{number}.h5"
            extract(dataset, backbone, target, options)
            cache = FeatureCache(target)
            # A video that failed has no features: it counts as wrong, whatever its zeros are near.
            seen = torch.tensor([status == "ok" for status in cache.status])
            labels = torch.from_numpy(cache.labels).where(seen, -1)
            tokens = torch.stack([torch.from_numpy(cache.regions(i)) for i in range(len(cache))])
            rows[name] = {
                "bytes": target.stat().st_size,
                "class_tokens": _top1(tokens[:, :, 0].mean(1), texts, labels),
                "regions": _top1(tokens.mean((1, 2)), texts, labels),
            }
    if json:
        command.print_json(rows)
        return
    first = rows["all patches, float16"]["bytes"]
    for name, row in rows.items():
        command.out.print(
            f"{name:22} {row['bytes'] / first:.3f} of the bytes, top-1 {row['class_tokens']:.1f} % "
            f"by class tokens, {row['regions']:.1f} % by regions"
        )


def _top1(videos: torch.Tensor, texts: torch.Tensor, labels: torch.Tensor) -> float:
    """Top-1 in per cent of the text that is nearest to each video."""
    nearest = (torch.nn.functional.normalize(videos, dim=-1) @ texts.T).argmax(dim=-1)
    return 100 * float((nearest == labels).float().mean())


def main() -> None:
    """Run the command line."""
    command.run(app)


if __name__ == "__main__":
    main()
