"""The commands of alt-adapter that train many times to learn one thing, and print one table."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.options import Corpus, Device, Json, Prompts, Settings, on_device, say
from corpus.command import notes, out, print_json
from corpus.tally import shown, stages
from corpus.words import counted

if TYPE_CHECKING:
    from adapter.compare import Cell, Column, Variant
    from adapter.compare import Engine as EngineFunction
    from adapter.task import Task

Features = Annotated[list[Path], typer.Option(help="Cache to train on; repeat it for several.")]
Tests = Annotated[
    list[str],
    typer.Option(
        "--test",
        metavar="NAME=CACHE",
        help="A column of the table: its name and the cache to score on.",
    ),
]
Methods = Annotated[
    str,
    typer.Option(
        help="Rows of the table, separated by commas; alt-paper, the paper's adapter, is one more."
    ),
]
Seeds = Annotated[int, typer.Option(min=1, max=10_000, help="Runs of each row, with seeds 0, 1, …")]
Engine = Annotated[str, typer.Option(help="local, or ray: spread trainings over a Ray cluster.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Folder for the record and for finished trainings, which are not repeated."
    ),
]
METHODS = "clip,linear,temporal,alt-learned,alt-shuffled,alt"


def add_to(app: typer.Typer) -> None:
    """Add the commands to alt-adapter."""
    app.command(
        epilog="Example: alt-adapter compare --features train.h5 --test base=test.h5 "
        "--test novel=novel.h5 --seeds 3 --out artifacts/comparison"
    )(compare)
    app.command(
        epilog="Example: alt-adapter sweep --features train.h5 --test val=val.h5 "
        "--set lr=1e-4,4e-4 --set layers=1,2 --seeds 3"
    )(sweep)
    app.command(
        epilog="Example: alt-adapter ablate --features train.h5 --test novel=novel.h5 "
        "--corpus artifacts/corpus/nouns --corpus artifacts/corpus/random --seeds 5"
    )(ablate)


def compare(
    features: Features,
    test: Tests,
    methods: Methods = METHODS,
    seeds: Seeds = 3,
    shots: Annotated[
        str, typer.Option(help="Clips of each class to train on: all, or several, as all,2,4,8.")
    ] = "all",
    engine: Engine = "local",
    corpus: Corpus = None,
    setting: Settings = None,
    prompt: Prompts = None,
    to: Folder = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train ALT and its baselines alike, and score them side by side."""
    from adapter.compare import compare, method_rows
    from adapter.record import comparison_record
    from adapter.settings import STUDY, configs, counts, method_names

    chosen, draws = method_names(methods), counts(shots)
    model, train = configs(setting or [], STUDY)
    where = on_device(device)
    crew = engine_of(engine, where, to)
    task, tests = opened(features, test, corpus, prompt, where, to)
    rows = method_rows(task, chosen, model, train)
    look_up(rows, where, engine)
    with progress(len(rows) * seeds * len(draws)) as report:
        cells = compare(rows, tests, range(seeds), draws, where, report, crew)
    record = comparison_record(cells, rows, tests, range(seeds), draws)
    finish(cells, record, to, "comparison", as_json)


def sweep(
    features: Features,
    test: Tests,
    setting: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="NAME=A,B,…", help="Values to try; all combinations are trained."
        ),
    ],
    method: Annotated[str, typer.Option(help="Method to train.")] = "alt",
    seeds: Seeds = 3,
    engine: Engine = "local",
    corpus: Corpus = None,
    prompt: Prompts = None,
    to: Folder = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train with every combination of settings, on this machine or on a Ray cluster."""
    from adapter.compare import Variant, compare
    from adapter.record import comparison_record
    from adapter.settings import STUDY, grid

    combinations, where = grid(setting, STUDY, method=method), on_device(device)
    crew = engine_of(engine, where, to)
    task, tests = opened(features, test, corpus, prompt, where, to)
    rows = [Variant(name, *both, task) for name, both in combinations.items()]
    look_up(rows, where, engine)
    with progress(len(rows) * seeds) as report:
        cells = compare(rows, tests, range(seeds), device=where, report=report, engine=crew)
    record = {"settings": setting, **comparison_record(cells, rows, tests, range(seeds))}
    finish(cells, record, to, "sweep", as_json)


def ablate(
    features: Features,
    test: Tests,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(
            help="Text corpus of ALT; repeat it, and each further one is a row of its own."
        ),
    ] = None,
    setting: Settings = None,
    seeds: Seeds = 3,
    engine: Engine = "local",
    prompt: Prompts = None,
    to: Folder = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Change one part of ALT at a time; the last row is ALT as it is."""
    from adapter.ablation import variants
    from adapter.compare import compare
    from adapter.record import comparison_record
    from adapter.settings import STUDY, configs

    where, corpora = on_device(device), corpus or []
    crew = engine_of(engine, where, to)
    model, train = configs(setting or [], STUDY, varied=True)
    task, tests = opened(features, test, corpora[0] if corpora else None, prompt, where, to)
    rows = variants(task, model, train, corpora[1:])
    look_up(rows, where, engine)
    with progress(len(rows) * seeds) as report:
        cells = compare(rows, tests, range(seeds), device=where, report=report, engine=crew)
    record = comparison_record(cells, rows, tests, range(seeds))
    finish(cells, record, to, "ablation", as_json)


def engine_of(name: str, device: str, to: Path | None) -> "EngineFunction":
    """Choose who trains: Ray, this machine's cores side by side, or its GPU one after the other.

    With a folder, what has been trained is kept there.
    """
    from adapter.compare import one_by_one
    from adapter.forks import forked
    from adapter.kept import kept
    from corpus.errors import BadInput
    from extract.cores import cores

    if name not in ("local", "ray"):
        raise BadInput(f"--engine {name}", "unknown", "use local or ray")
    trains: EngineFunction = forked(cores()) if device == "cpu" else one_by_one
    if name == "ray":
        from adapter.ray_engine import on_ray

        trains = on_ray
    return trains if to is None else kept(trains, to / "trainings", say)


def opened(
    features: list[Path],
    test: Sequence[str],
    corpus: Path | None,
    prompt: list[str] | None,
    device: str,
    to: Path | None,
) -> tuple["Task", list["Column"]]:
    """Open what to train and to score on, and try where all that comes of it is to be kept."""
    from adapter.compare import open_tests
    from adapter.settings import named_paths
    from adapter.task import open_task
    from adapter.text import DEFAULT_PROMPTS
    from corpus.atomic import try_place

    if to is not None:
        try_place(to / "trainings")
    paths = named_paths(test)
    prompts = prompt or DEFAULT_PROMPTS
    with stages() as step:
        task = open_task(features, (), corpus, prompts, device, spare=False, say=say, step=step)
        tests = open_tests(paths, task, partial(step, "reading clips"))
    for line in task.describe():
        say(line)
    for column in tests:
        for reason, rows in column.clips.left_out.items():
            say(f"{counted(rows, 'row')} of {column.name} left out: {reason}")
    return task, tests


def look_up(rows: Sequence["Variant"], device: str, engine: str) -> None:
    """Look up, and show, what trainings on this machine would look up without a word."""
    from adapter.nearest import as_read

    if engine == "local":
        with shown("looking up entities") as tally:
            for row in rows:
                as_read(row.task, row.model, device, tally)


def finish(
    cells: Sequence["Cell"], record: dict[str, Any], to: Path | None, name: str, as_json: bool
) -> None:
    """Write the record, print it or its table, and draw its picture."""
    from adapter.tables import draw_comparison, fitting_tables, heading
    from corpus.atomic import write_json

    if to is not None:
        write_json(to / f"{name}.json", record)
    if as_json:
        print_json(record)
    else:
        for table in fitting_tables(cells, out.width):
            out.print(table)
        for harmonic in record.get("harmonic", ()):
            out.print(
                f"{heading(harmonic['shots'], harmonic['test'])}, {harmonic['method']}: "
                f"harmonic mean of base and novel "
                f"{100 * harmonic['mean']:.1f} ± {100 * harmonic['std']:.1f}"
            )
    if to is not None:  # last: no picture is worth the table
        draw_comparison(cells, to / f"{name}.png")


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Yield what to call before each of `total` trainings, with its name."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=notes) as bar:
        shown, before = bar.add_task("", total=total), count()

        def report(what: str) -> None:
            bar.update(shown, completed=next(before), description=what)

        yield report
        report("done")
