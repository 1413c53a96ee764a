"""What the commands of alt-adapter share: options, devices, tables of scores."""

from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.command import notes

Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunFolder = Annotated[Path, typer.Option("--run", help="Run folder of alt-adapter train.")]
Labels = Annotated[
    str | None,
    typer.Option(help="Labels to choose from: a file with one label per line, or a bundled set."),
]
Corpus = Annotated[
    Path | None,
    typer.Option(help="Text corpus; by default one in artifacts/corpus that fits, or a new one."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Any setting of a run's config; repeat it for several."
    ),
]
Prompts = Annotated[
    list[str] | None,
    typer.Option(help="Prompt for labels, with {} for the label; repeat it to average several."),
]


def say(what: str) -> None:
    """Tell the user on stderr."""
    notes.print(what)


def on_device(name: str) -> str:
    """Resolve --device.

    Raises:
        BadInput: no such device, or no GPU.
    """
    import torch

    from corpus.errors import BadInput

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        mend = "use auto, cpu or cuda, and CUDA_VISIBLE_DEVICES to choose a GPU"
        raise BadInput(f"--device {name}", "no such device", mend)
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda", "PyTorch sees no GPU", "use --device cpu")
    return name


def scores(title: str, rows: dict[str, dict[str, Any]]) -> Any:
    """Build a rich table of metrics, in per cent."""
    from rich.table import Table

    columns = {
        "top1": "top-1",
        "top5": "top-5",
        "mean_class": "mean class",
        "calibration_error": "calibration error",
    }
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in columns.values():
        table.add_column(heading, justify="right")
    for name, scores in rows.items():
        table.add_row(name, *(f"{100 * scores[column]:.1f}" for column in columns))
    return table
