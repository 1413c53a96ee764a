"""A training step from cached features beside the same step with the frozen image tower in it.

One run, one machine, random weights: what is reported is the ratio. Also how busy the step is when
its clips are streamed from a cache on the disk, and the memory that the adapter takes at the
paper's size.
"""

import statistics
from pathlib import Path
from typing import Annotated

import torch
import typer
from pydantic import BaseModel, ConfigDict
from torch import nn
from torch.nn import functional as F

from adapter.baselines import build
from adapter.clips import PLACE, Clips
from adapter.model import ModelConfig
from corpus import command
from corpus.atomic import try_file, write_json
from extract.device import pick_device
from extract.regions import RegionEncoder
from pipelines.bench_loader import stream
from pipelines.timing import machine, random_backbone, seconds


class Figures(BaseModel):
    """What was measured.

    Attributes:
        model, merge, frames, batch, entities: what ran.
        machine: device and threads.
        cached, end_to_end: seconds of a training step, the median turn of each. Cached is from
            the device's memory, with regions' nearest entities looked up; end to end they are
            compared anew.
        ratio: end to end over cached, the median over turns.
        streamed: seconds of a step whose clips come from a file that is not in the page cache,
            the mean.
        busy: share of those steps that is not waiting for a batch.
        megabytes: of a batch in that file, and of what was looked up for it.
        disk: MB/s of reading that file from end to end.
        memory_gb: what the adapter's step at `memory_of` adds at its peak: to what a GPU has
            allocated, the adapter and its batch counted, or on a CPU to the process, without them.
        memory_of: frames, regions and clips of that step; None when it was not asked for.
    """

    model_config = ConfigDict(frozen=True)
    model: str
    merge: int
    frames: int
    batch: int
    entities: int
    machine: str
    cached: float
    end_to_end: float
    ratio: float
    streamed: float
    busy: float
    megabytes: float
    disk: float
    memory_gb: float | None
    memory_of: tuple[int, int, int] | None


def measure(
    model: str, merge: int, frames: int, batch: int, turns: int, device: torch.device, memory: bool
) -> Figures:
    """Time both steps in turns; one more turn goes first and is not counted."""
    entities, labels = 5000, 400
    clip = random_backbone(model, device).model
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    encoder = RegionEncoder(clip.to(dtype), merge, dtype)
    step = _Step(encoder.dim, encoder.regions, entities, labels, device)
    height, width = clip.visual.image_size
    images = torch.randn(batch * frames, 3, height, width, device=device, dtype=dtype)
    clips = _random(4 * batch, frames, encoder.regions, encoder.dim, entities).to(device)

    def load_batch() -> Clips:
        rows = torch.randint(len(clips.regions), (batch,), device=device)
        return clips.map(lambda tensor: tensor[rows])

    def encoded() -> Clips:
        with torch.no_grad():
            regions = encoder(images).tokens.float().unflatten(0, (batch, frames))
        return Clips(regions, load_batch().place)

    cached, whole = [], []
    for _ in range(turns + 1):
        cached.append(seconds(lambda: step(load_batch()), device))
        whole.append(seconds(lambda: step(encoded()), device))
    used = (32, 101, 64) if memory else None
    streamed = stream(step, encoder, frames, batch, device, step.entities)
    return Figures(
        model=model,
        merge=merge,
        frames=frames,
        batch=batch,
        entities=entities,
        machine=machine(device),
        cached=statistics.median(cached[1:]),
        end_to_end=statistics.median(whole[1:]),
        ratio=statistics.median(w / c for w, c in zip(whole[1:], cached[1:], strict=True)),
        streamed=streamed.wait + streamed.step,
        busy=streamed.busy,
        megabytes=streamed.megabytes,
        disk=streamed.disk,
        memory_gb=_memory(used, encoder.dim, device) if used else None,
        memory_of=used,
    )


class _Step:
    """One step of the default adapter, by the default optimiser."""

    def __init__(
        self, dim: int, regions: int, entities: int, labels: int, device: torch.device
    ) -> None:
        self.entities = F.normalize(torch.randn(entities, dim), dim=-1)
        self.model: nn.Module = build(ModelConfig(), self.entities, regions, 100.0).to(device)
        self.labels = F.normalize(torch.randn(labels, 2, dim, device=device), dim=-1)
        self.optimizer = torch.optim.AdamW(self.model.parameters())

    def __call__(self, clips: Clips) -> None:
        target = torch.randint(len(self.labels), (len(clips.regions),), device=self.labels.device)
        kind = self.labels.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            logits = self.model(clips, self.labels)
        F.cross_entropy(logits, target).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def _random(batch: int, frames: int, regions: int, dim: int, entities: int) -> Clips:
    """Make clips as training reads them: with their regions' nearest entities looked up."""
    shape, k = (batch, frames, regions), ModelConfig().top_k
    cosine = torch.rand(*shape, k).sort(dim=-1, descending=True).values
    return Clips(
        torch.randn(*shape, dim).half(),
        torch.rand(*shape, PLACE).half(),
        torch.randint(entities, (*shape, k)),
        cosine,
    )


def _memory(size: tuple[int, int, int], dim: int, device: torch.device) -> float:
    """What one step adds at its peak, in GB; of a CPU's only Linux can tell."""
    frames, regions, batch = size
    allocated = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
    step = _Step(dim, regions, 5000, 400, device)
    clips = _random(batch, frames, regions, dim, 5000).to(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        step(clips)
        return (torch.cuda.max_memory_allocated(device) - allocated) / 1e9
    Path("/proc/self/clear_refs").write_text("5")  # the mark of the peak is set to what is held now
    before = _held("VmHWM")
    step(clips)
    return (_held("VmHWM") - before) / 1e9


def _held(name: str) -> int:
    """Bytes of this process, by a name in /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


app = command.application("The adapter's training step from cache, beside one end to end.")


@app.command()
def step(
    model: Annotated[str, typer.Option(help="open_clip model.")] = "ViT-B-16",
    merge: Annotated[int, typer.Option(help="Token pairs merged in each block, r.")] = 8,
    frames: Annotated[int, typer.Option(min=1, help="Frames in a clip.")] = 8,
    batch: Annotated[int, typer.Option(min=1, help="Clips in a step.")] = 32,
    turns: Annotated[int, typer.Option(min=1, help="Timed steps of each kind.")] = 3,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps …")] = "cpu",
    memory: Annotated[bool, typer.Option(help="Also 32 frames x 101 regions x 64 clips.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the figures, as JSON.")] = None,
) -> None:
    """Time both steps and print the figures as JSON.

    Example: python -m pipelines.bench_adapter --device cuda --memory --out adapter.json
    """
    if out:
        try_file(out)
    where = torch.device(pick_device(device))
    figures = measure(model, merge, frames, batch, turns, where, memory)
    facts = figures.model_dump(mode="json")
    if out:
        write_json(out, facts)
    command.print_json(facts)


def main() -> None:
    """Run the command line."""
    command.run(app)


if __name__ == "__main__":
    main()
