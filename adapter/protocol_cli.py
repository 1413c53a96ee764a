"""alt-adapter protocol: measure as papers do."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.options import Corpus, Device, Json, Prompts, Settings, on_device
from adapter.studies import (
    METHODS,
    Engine,
    Methods,
    Seeds,
    engine_of,
    finish,
    look_up,
    opened,
    progress,
)
from corpus.command import out, print_json
from corpus.tally import shown
from corpus.words import counted

if TYPE_CHECKING:
    from adapter.protocols import Protocol

_SHOWN = 4  # parts of a protocol; more are in its metrics.json
# What protocols that score runs do not read, as `protocol` calls it.
_TRAINING = ("test", "methods", "seeds", "shots", "engine", "corpus", "setting", "prompt")


def add_to(app: typer.Typer) -> None:
    """Add the command to alt-adapter."""
    app.command(
        epilog="Example: alt-adapter protocol few-shot --features hmdb-train.h5 "
        "--test list1=hmdb-test1.h5 --seeds 3 --out artifacts/hmdb; "
        "alt-adapter protocol ep1 --run runs/k400 --features ucf101.h5"
    )(protocol)


def protocol(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="supervised, few-shot, base-to-novel (which train); "
            "ep1, ep2, ep3, lists (which score runs on another dataset)."
        ),
    ],
    features: Annotated[
        list[Path],
        typer.Option(
            help="Cache to train on, or to score runs on; for ep3 one for each test list."
        ),
    ],
    test: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=CACHE",
            help="Cache to score on after training, and its name in the table.",
        ),
    ] = None,
    run_folder: Annotated[
        list[Path] | None,
        typer.Option(
            "--run",
            help="For ep1, ep2, ep3, lists: a run to score; repeat it for seeds and methods.",
        ),
    ] = None,
    lists: Annotated[
        list[Path] | None,
        typer.Option("--list", help="For lists: a file of labels; repeat it for several."),
    ] = None,
    methods: Methods = METHODS,
    seeds: Seeds = 3,
    shots: Annotated[
        str | None, typer.Option(help="Clips of each class, instead of the protocol's own numbers.")
    ] = None,
    engine: Engine = "local",
    corpus: Corpus = None,
    setting: Settings = None,
    prompt: Prompts = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for metrics.json and for finished trainings, which are not repeated.",
        ),
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure by a protocol as papers do: one metrics.json, one table."""
    from adapter.compare import method_rows
    from adapter.protocols_trained import SHOTS, conduct
    from adapter.settings import STUDY, configs, counts, method_names, protocol_name
    from corpus.errors import BadInput

    chosen, where = protocol_name(name), on_device(device)
    match chosen:
        case "ep1" | "ep2" | "ep3" | "lists":
            unread = _TRAINING if chosen == "lists" else (*_TRAINING, "lists")
            _refuse(context, unread, f"{name}, which scores runs as they were trained")
            if not run_folder:
                raise BadInput("--run", "is missing", f"{name} scores a run of alt-adapter train")
            _zero_shot(run_folder, chosen, features, lists or (), to, where, as_json)
        case "supervised" | "few-shot" | "base-to-novel":
            _refuse(context, ("run_folder", "lists"), f"{name}, which trains runs of its own")
            rows = method_names(methods)
            draws = counts(shots) if shots else list(SHOTS[chosen])
            model, train = configs(setting or [], STUDY)
            if not test:
                raise BadInput("--test", "is missing", "as in --test list1=test.h5")
            crew = engine_of(engine, where, to)
            task, tests = opened(features, test, corpus, prompt, where, to)
            look_up(method_rows(task, rows, model, train), where, engine)
            with progress(len(rows) * seeds * len(draws)) as report:
                cells, record = conduct(
                    chosen, task, tests, rows, seeds, model, train, draws, where, report, crew
                )
            finish(cells, record, to, "metrics", as_json)


def _zero_shot(
    run_folders: Sequence[Path],
    name: "Protocol",
    features: Sequence[Path],
    lists: Sequence[Path],
    to: Path | None,
    device: str,
    as_json: bool,
) -> None:
    from adapter.protocols import zero_shot
    from adapter.runs import Run
    from adapter.tables import figures_table, fitting_tables
    from corpus.atomic import try_place, write_json

    if to is not None:
        try_place(to / "metrics.json")
    runs = [Run.load(folder, device) for folder in run_folders]
    with shown("scoring part") as tally:
        result = zero_shot(runs, name, features, lists, tally)
    if to is not None:
        write_json(to / "metrics.json", result.model_dump(mode="json"))
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    if len(result.parts) <= _SHOWN:
        for table in fitting_tables(result.cells, out.width):
            out.print(table)
    out.print(figures_table(result))
    if result.left_out:
        reason = "unlabelled" + ", or of no test list" * (name == "ep3")
        out.print(f"{counted(result.left_out, 'row')} left out: {reason}")
    if name == "lists":
        for part in result.parts:
            if part.aside:
                clips = counted(part.aside, "clip")
                out.print(f"{clips} left out of {part.name}: of other classes")


def _refuse(context: typer.Context, unread: Collection[str], where: str) -> None:
    """Refuse options that were given and would have no effect."""
    from corpus.errors import BadInput

    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in unread and source is not None and source.name == "COMMANDLINE":
            raise BadInput(option.opts[0], f"has no effect in {where}", "leave it out")
