"""alt-demo: the demo world, and the whole path on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from corpus.command import application, notes, out, print_json, run
from corpus.errors import BadInput
from extract.cores import MOST, cores

_SHOTS = "as in 2,4,8, or none"

app = application("A world whose ground truth is known: make its videos, run the whole path on it.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=MOST, help="Processes; by default one for each CPU core."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Any setting of the adapters' training; repeat it."
    ),
]


@app.command(epilog="Example: alt-demo world --out artifacts/demo/world --clips 600 --seed 0")
def world(
    to: Annotated[Path, typer.Option("--out", help="Folder to make.")],
    clips: Annotated[int, typer.Option(help="Clips in all splits together.")] = 600,
    seed: Annotated[
        int, typer.Option(help="Seed of the world: the same seed makes the same world.")
    ] = 0,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Make videos of a figure acting on things, with the truth about every frame beside them."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from pipelines.world.write import claim, write_world

    claim(to, clips, seed)  # what cannot be is said before there is a bar
    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=notes) as bar:
        shown = bar.add_task("", total=clips)
        made = write_world(
            to, clips, seed, workers or cores(), lambda: bar.update(shown, advance=1)
        )
    if as_json:
        print_json(made.model_dump())
        return
    for split, count in made.splits.items():
        out.print(f"{split:18} {count:5} clips of {made.labels[split]} labels")
    out.print(
        f"read by: alt-extract --dataset csv --root {to} --split train …",
    )


@app.command("run", epilog="Example: alt-demo run")
def run_demo(
    to: Annotated[Path, typer.Option("--out", help="Folder for all it makes.")] = Path(
        "artifacts/demo"
    ),
    clips: Annotated[int, typer.Option(help="Clips in all splits together.")] = 1440,
    seed: Annotated[int, typer.Option(help="Seed of the world.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="Runs of each method.")] = 3,
    shots: Annotated[
        str, typer.Option(help="Few-shot columns: clips of each class, or none.")
    ] = "2,4,8",
    setting: Settings = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Run the whole path on the demo world: ALT beside its baselines, and alignment measured."""
    from adapter.settings import counts
    from adapter.tables import fitting_tables
    from pipelines.demo import Setting, pointing_tables, run

    try:
        draws = [] if shots == "none" else counts(shots)
    except BadInput as error:
        raise BadInput(error.what, error.cause, _SHOTS) from error
    few = tuple(n for n in draws if n is not None)
    if len(few) < len(draws):
        raise BadInput(f"--shots {shots}", "all clips have columns of their own", _SHOTS)
    what = Setting(clips, seed, seeds, few, training=tuple(setting or ()))
    with _stages() as stage:
        outcome = run(to, what, workers or cores(), stage)
    if as_json:
        print_json(outcome.record)
        return
    for table in (*fitting_tables(outcome.cells, out.width), *pointing_tables(outcome)):
        out.print(table)
    out.print(f"{to / 'demo.json'}  {to / 'table.txt'}  {to / 'demo.png'}")


@app.command(epilog="Example: alt-demo run && alt-demo ablate")
def ablate(
    to: Annotated[Path, typer.Option("--out", help="Folder of a finished alt-demo run.")] = Path(
        "artifacts/demo"
    ),
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="Runs of each row.")] = 3,
    setting: Settings = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Change one part of ALT at a time on the demo's world, its corpus and merging among them."""
    from adapter.tables import fitting_tables
    from pipelines.ablation import ablate as compare_parts

    with _stages() as stage:
        cells, record = compare_parts(to, seeds, workers or cores(), stage, setting or ())
    if as_json:
        print_json(record)
        return
    for table in fitting_tables(cells, out.width):
        out.print(table)
    out.print(
        f"{to / 'ablation' / 'ablation.json'}  {to / 'ablation' / 'table.txt'}",
    )


@contextmanager
def _stages() -> Iterator[Callable[[str, int], Callable[[], None]]]:
    """Show stages: what is yielded takes a name and a number of steps, and returns one to call.

    Where there is no terminal, a line tells when each begins.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, TimeElapsedColumn(), console=notes)

    def stage(name: str, steps: int) -> Callable[[], None]:
        bar.start()  # not before: what is refused first is then all that is said
        shown = bar.add_task(name, total=steps)
        if not notes.is_terminal:
            notes.print(f"{name}: {steps}")
        return lambda: bar.update(shown, advance=1)

    try:
        yield stage
    finally:
        if bar.live.is_started:
            bar.stop()


def main() -> None:
    """Run the console command."""
    run(app)


if __name__ == "__main__":
    main()
