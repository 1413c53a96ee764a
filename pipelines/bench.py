"""The region encoder beside open_clip's own image tower: the same batch, the same weights, one run.

Times on a shared machine drift, so the two take turns and what is reported is their ratio.
"""

import statistics
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from pydantic import BaseModel, ConfigDict
from rich.table import Table
from torch import Tensor

from adapter.flops import cost
from corpus import command
from corpus.atomic import try_file, write_json
from extract.device import pick_device
from extract.regions import RegionEncoder
from pipelines.timing import machine, random_backbone, seconds


class Speed(BaseModel):
    """One model's figures.

    Attributes:
        model, merge, batch: what ran.
        machine: device and threads.
        plain, merged: images a second, the median turn of each.
        speedup: merged over plain, the median over turns.
        macs: multiply-adds of plain over merged; what the speedup could be if nothing else cost.
        peak: 10^12 operations a second of a large matrix product here, in the same precision; a
            multiply-add is two.
        share: of that peak that the merged tower's multiply-adds get.
    """

    model_config = ConfigDict(frozen=True)
    model: str
    merge: int
    batch: int
    machine: str
    plain: float
    merged: float
    speedup: float
    macs: float
    peak: float
    share: float


def speed(model: str, merge: int, batch: int, turns: int, device: torch.device) -> Speed:
    """Time open_clip's `encode_image` and the region encoder in turns, with random weights.

    Args:
        model: an open_clip model name.
        merge: token pairs merged in each block, r.
        batch: images to a forward pass.
        turns: of each; one more goes first and is not counted.
        device: where; on a GPU both run in bfloat16.
    """
    clip = random_backbone(model, device).model
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    clip = clip.to(dtype)
    regions = RegionEncoder(clip, merge, dtype)

    def encoder(images: Tensor) -> None:
        # As `extract.encode` does; open_clip's own tower is left its one compiled attention.
        torch.backends.cuda.enable_cudnn_sdp(False)
        regions(images)
        torch.backends.cuda.enable_cudnn_sdp(True)

    height, width = clip.visual.image_size
    images = torch.randn(batch, 3, height, width, device=device, dtype=dtype)
    plain, merged, products = [], [], []
    square = torch.randn(*[8192 if device.type == "cuda" else 2048] * 2, device=device, dtype=dtype)
    with torch.inference_mode():
        for _ in range(turns + 1):
            plain.append(seconds(partial(clip.encode_image, images), device))
            merged.append(seconds(partial(encoder, images), device))
            products.append(seconds(partial(square.matmul, square), device))
    peak = 2 * len(square) ** 3 / statistics.median(products[1:])
    counted = cost(model, merge, frames=1, views=1)
    return Speed(
        model=model,
        merge=merge,
        batch=batch,
        machine=machine(device),
        plain=batch / statistics.median(plain[1:]),
        merged=batch / statistics.median(merged[1:]),
        speedup=statistics.median(p / m for p, m in zip(plain[1:], merged[1:], strict=True)),
        macs=counted.encoder_frame_unmerged / counted.encoder_frame,
        peak=peak / 1e12,
        share=2e9 * counted.encoder_frame * batch / statistics.median(merged[1:]) / peak,
    )


app = command.application("Benchmarks, as ratios measured side by side in one run.")


@app.command()
def encoder(
    models: Annotated[list[str] | None, typer.Argument(help="open_clip models.")] = None,
    merge: Annotated[int, typer.Option(help="Token pairs merged in each block, r.")] = 8,
    batch: Annotated[int, typer.Option(min=1, help="Images in a forward pass.")] = 4,
    turns: Annotated[int, typer.Option(min=1, help="Timed passes of each encoder.")] = 5,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps …")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Also write the figures, as JSON.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Time the region encoder against open_clip's encode_image.

    Example: python -m pipelines.bench ViT-B-16 ViT-L-14 --merge 8
    """
    if out:
        try_file(out)
    where = torch.device(pick_device(device))
    figures = [
        speed(model, merge, batch, turns, where) for model in models or ["ViT-B-16", "ViT-L-14"]
    ]
    facts = [figure.model_dump() for figure in figures]
    if out:
        write_json(out, facts)
    if json:
        command.print_json(facts)
        return
    table = Table(
        "model", "r", "open_clip", "regions", "speed-up", "of multiply-adds", "of matmul's peak"
    )
    for f in figures:
        speeds = (f"{f.plain:.2f}/s", f"{f.merged:.2f}/s", f"{f.speedup:.2f}x", f"{f.macs:.2f}x")
        table.add_row(f.model, str(f.merge), *speeds, f"{f.share:.0%} of {f.peak:.3g} T/s")
    command.out.print(table)
    command.out.print(figures[0].machine)


def main() -> None:
    """Run the command line."""
    command.run(app)


if __name__ == "__main__":
    main()
