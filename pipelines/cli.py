"""alt-demo: the demo world, and the whole path on it."""

from pathlib import Path
from typing import Annotated

import typer

from corpus.command import application, notes, out, print_json, run

app = application("A world whose ground truth is known: make its videos, run the whole path on it.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes; by default one for each CPU core.")
]


@app.command(epilog="Example: alt-demo world --out artifacts/demo/world --clips 600 --seed 0")
def world(
    to: Annotated[Path, typer.Option("--out", help="Folder to make.")],
    clips: Annotated[int, typer.Option(help="Clips in all splits together.")] = 600,
    seed: Annotated[int, typer.Option(help="Of everything; the same seed, the same world.")] = 0,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Make videos of a figure acting on things, with the truth about every frame beside them."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from pipelines.world.write import write_world

    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=notes) as bar:
        shown = bar.add_task("", total=clips)
        made = write_world(
            to, clips, seed, workers or _cores(), lambda: bar.update(shown, advance=1)
        )
    if as_json:
        print_json(made.model_dump())
        return
    for split, count in made.splits.items():
        out.print(f"{split:18} {count:5} clips of {made.labels[split]} labels")
    out.print(f"read by: alt-extract --dataset csv --root {to} --split train …", markup=False)


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    """Run the console command."""
    run(app)


if __name__ == "__main__":
    main()
