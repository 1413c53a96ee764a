"""alt-adapter: train, evaluate and use the adapter on cached features."""

from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.command import application, notes, out, print_json, run

app = application(
    "Recognise actions from cached features: train an adapter, score it, ask it about videos."
)

Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunFolder = Annotated[Path, typer.Option("--run", help="Run folder of alt-adapter train.")]
Labels = Annotated[
    Path | None,
    typer.Option(help="Choose from these labels: a file with a label a line, or a bundled set."),
]


@app.command(
    epilog="Example: alt-adapter train --features feats.h5 --val val.h5 --out runs/x --set lr=1e-4"
)
def train(
    features: Annotated[list[Path], typer.Option(help="Feature cache; may be given repeatedly.")],
    val: Annotated[
        list[Path] | None,
        typer.Option(
            help="Cache to choose the best epoch by. Without: the features' own validation "
            "split, else a tenth of each class held out, else the last epoch is the best."
        ),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="Text corpus. Without: the one in artifacts/corpus that fits, or a new one."
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", help="Run folder to make; by default runs/NAME.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="alt, or a baseline: linear, temporal, alt-learned, alt-shuffled.")
    ] = "alt",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the clips.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Clips to a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting of the run's config."),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(help="Prompt for labels, with {} for the label; repeat to average several."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and noise.")] = 0,
    device: Device = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run, exactly.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train an adapter on cached features, into a run folder."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from adapter.runs import free_name, train_run
    from adapter.settings import configs
    from adapter.task import open_task
    from adapter.text import DEFAULT_PROMPTS

    given: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    given = {name: value for name, value in given.items() if value is not None}
    model_config, train_config = configs(
        [*(setting or []), *(f"{name}={value}" for name, value in given.items())],
        method=method,
        seed=seed,
    )
    task = open_task(
        features, val or (), corpus, prompt or DEFAULT_PROMPTS, _device(device), say=_say
    )
    to = to or free_name(Path("runs"), features[0].stem, resume)
    for line in task.describe():
        _say(line)
    with Progress(
        TextColumn("epoch {task.completed}/{task.total}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
        console=notes,
    ) as bar:
        shown = bar.add_task("", total=train_config.epochs)

        def report(record: dict[str, float]) -> None:
            facts = "  ".join(f"{name} {record[name]:.3g}" for name in record if name != "epoch")
            bar.update(shown, completed=record["epoch"], description=facts)

        metrics = train_run(task, model_config, train_config, to, device, resume, report)
    if as_json:
        print_json({"run": str(to)} | metrics)
        return
    if "validation" in metrics:
        rows = {"mean-pooled CLIP": metrics["validation_clip"], method: metrics["validation"]}
        out.print(_scores(f"{task.validation} validation clips", rows))
    out.print(f"{to}: best epoch {metrics['best_epoch']} of {train_config.epochs}", markup=False)


@app.command(epilog="Example: alt-adapter eval --features test.h5 --run runs/x --json")
def eval(
    features: Annotated[list[Path], typer.Option(help="Feature cache; may be given repeatedly.")],
    run_folder: RunFolder,
    labels: Labels = None,
    baselines: Annotated[
        bool, typer.Option(help="Score mean-pooled CLIP on the same clips too, and the difference.")
    ] = True,
    batch_size: Annotated[int, typer.Option(min=1, help="Views to a forward pass.")] = 32,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Score a run on cached features, beside mean-pooled CLIP."""
    from adapter.evaluate import evaluate_run
    from adapter.runs import Run

    trained = Run.load(run_folder, _device(device))
    result = evaluate_run(trained, features, labels, baselines, batch_size)
    if as_json:
        print_json(result)
        return
    chosen = result["label_set"]
    title = f"{result['clips']} clips, {result['labels']} labels ({chosen['new']} new to the run)"
    rows = {"mean-pooled CLIP": result["baselines"]["clip"]} if baselines else {}
    out.print(_scores(title, rows | {result["method"]: result}))
    if baselines:
        clip = result["baselines"]["clip"]
        low, high = clip["interval"]
        out.print(
            f"top-1 against CLIP: {100 * clip['difference']:+.1f} points "
            f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f}, p = {clip['p']:.2g})"
        )
    for reason, count in result["left_out"].items():
        out.print(f"{count} rows left out: {reason}")


@app.command(epilog="Example: alt-adapter protocol ep1 --run runs/k400 --features ucf101.h5")
def protocol(
    name: Annotated[str, typer.Argument(help="ep1, ep2, ep3 or lists.")],
    features: Annotated[list[Path], typer.Option(help="Cache; for ep3 one for each test list.")],
    run_folder: RunFolder,
    lists: Annotated[
        list[Path] | None, typer.Option("--list", help="For lists: a file of labels; repeat it.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Score a run on labels of another data set, by a zero-shot protocol."""
    from adapter.protocols import zero_shot
    from adapter.runs import Run
    from adapter.settings import protocol_name

    result = zero_shot(
        Run.load(run_folder, _device(device)), protocol_name(name), features, lists or ()
    )
    if as_json:
        print_json(result.model_dump())
        return
    for part in result.parts:
        out.print(
            _scores(
                f"{part.name}: {part.run.clips} clips, {part.run.labels} labels",
                {"mean-pooled CLIP": part.clip.model_dump(), "run": part.run.model_dump()},
            )
        )
    out.print(
        f"{name}, mean ± std of {len(result.parts)}: {100 * result.mean:.1f} ± "
        f"{100 * result.std:.1f} (mean-pooled CLIP {100 * result.clip_mean:.1f} ± "
        f"{100 * result.clip_std:.1f}), {result.left_out} rows left out"
    )


@app.command(epilog="Example: alt-adapter predict clip.mp4 --run runs/x --top 3")
def predict(
    videos: Annotated[list[Path], typer.Argument(help="Video files.")],
    run_folder: RunFolder,
    labels: Labels = None,
    top: Annotated[int, typer.Option(min=1, help="Labels to list for each video.")] = 5,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Recognise the action in videos, and say through which entities."""
    from adapter.predict import Predictor
    from adapter.runs import Run
    from corpus.errors import RunFailed

    predictor = Predictor(Run.load(run_folder, _device(device)), labels, _device(device))
    predictions = [predictor.predict(video, top) for video in videos]
    if as_json:
        print_json([prediction.model_dump(exclude_none=True) for prediction in predictions])
    else:
        for prediction in predictions:
            out.print(prediction.describe(), markup=False)
    failed = [prediction for prediction in predictions if prediction.error is not None]
    if failed:
        raise RunFailed(
            f"{len(failed)} of {len(videos)} videos",
            f"no prediction (first: {failed[0].video}: {failed[0].error})",
            "the others are above",
        )


@app.command(epilog="Example: alt-adapter explain clip.mp4 --run runs/x --out report.html")
def explain(
    video: Annotated[Path, typer.Argument(help="Video file.")],
    run_folder: RunFolder,
    to: Annotated[Path, typer.Option("--out", help="HTML file to write.")] = Path("report.html"),
    labels: Labels = None,
    top: Annotated[int, typer.Option(min=1, help="Labels and entities to list.")] = 5,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Show through which entities a video was recognised, where in the frame and when."""
    from adapter.explain import explain
    from adapter.predict import Predictor
    from adapter.runs import Run

    predictor = Predictor(Run.load(run_folder, _device(device)), labels, _device(device))
    prediction = explain(predictor, video, to, top)
    if as_json:
        print_json(prediction.model_dump(exclude_none=True) | {"report": str(to)})
    else:
        out.print(f"{prediction.describe()}\n{to}", markup=False)


@app.command(epilog="Example: alt-adapter flops --model ViT-L-14 --frames 32 --views 3 --merge 8")
def flops(
    model: Annotated[str, typer.Option(help="open_clip model name.")] = "ViT-B-16",
    frames: Annotated[int, typer.Option(min=1, help="Frames in a view.")] = 8,
    views: Annotated[int, typer.Option(min=1, help="Views of a video.")] = 1,
    merge: Annotated[int, typer.Option(min=0, help="Token pairs merged in each block.")] = 8,
    entities: Annotated[int, typer.Option(min=1, help="Entities in the corpus.")] = 5000,
    as_json: Json = False,
) -> None:
    """Count the multiply-adds of recognising one video."""
    from adapter.flops import PAPER_GMACS, cost

    counted = cost(model, merge, frames, views, entities)
    if as_json:
        print_json(counted.model_dump() | {"unit": "GMAC", "paper_vit_l_14": PAPER_GMACS})
        return
    out.print(
        f"{model}, {views} x {frames} frames, {merge} merged in each block, {entities} entities; "
        f"billions of multiply-adds\n"
        f"  encoder, a frame   {counted.encoder_frame:10.2f}  "
        f"({counted.encoder_frame_unmerged:.2f} with nothing merged)\n"
        f"  encoder, all       {counted.encoder:10.1f}\n"
        f"  adapter, all       {counted.adapter:10.1f}\n"
        f"  total              {counted.total:10.1f}  "
        f"(the paper's ViT-L/14 on Kinetics-400: {PAPER_GMACS:.0f})"
    )


@app.command(
    epilog="Example: alt-adapter compare --features train.h5 --test base=test.h5 "
    "--test novel=novel.h5 --seeds 3 --out artifacts/comparison"
)
def compare(
    features: Annotated[list[Path], typer.Option(help="Cache to train on; may be repeated.")],
    test: Annotated[list[str], typer.Option(metavar="NAME=CACHE", help="Cache to score on.")],
    methods: Annotated[str, typer.Option(help="Comma-separated, of the table's rows.")] = (
        "clip,linear,temporal,alt-learned,alt-shuffled,alt"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method; seeds 0, 1, …")] = 3,
    shots: Annotated[
        str, typer.Option(help="Clips of each class to train on: all, or as in all,2,4,8.")
    ] = "all",
    corpus: Annotated[Path | None, typer.Option(help="Text corpus, as for train.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any setting of a run's config."),
    ] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="Prompt for labels.")] = None,
    to: Annotated[
        Path | None, typer.Option("--out", help="Folder for comparison.json and comparison.png.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train ALT and its baselines alike, and score them side by side."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from adapter.compare import compare, open_tests
    from adapter.settings import configs, counts, method_names, named_paths
    from adapter.tables import comparison_record, comparison_table, draw_comparison
    from adapter.task import open_task
    from adapter.text import DEFAULT_PROMPTS

    chosen, draws = method_names(methods), counts(shots)
    model_config, train_config = configs(setting or [])
    paths = named_paths(test)
    task = open_task(
        features, (), corpus, prompt or DEFAULT_PROMPTS, _device(device), spare=False, say=_say
    )
    tests = open_tests(paths, task)
    for line in task.describe():
        _say(line)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=notes) as bar:
        shown = bar.add_task("", total=len(chosen) * seeds * len(draws))
        bar.update(shown, completed=-1)

        def report(what: str) -> None:
            bar.update(shown, advance=1, description=what)

        cells = compare(
            task,
            tests,
            chosen,
            range(seeds),
            model_config,
            train_config,
            draws,
            _device(device),
            report,
        )
        report("done")
    record = comparison_record(task, cells, model_config, train_config)
    if to is not None:
        from corpus.atomic import write_json

        write_json(to / "comparison.json", record)
        draw_comparison(cells, to / "comparison.png")
    if as_json:
        print_json(record)
    else:
        out.print(comparison_table(cells))


def _say(what: str) -> None:
    notes.print(what, markup=False)


def _device(name: str) -> str:
    import torch

    from corpus.errors import BadInput

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise BadInput(f"--device {name}", "no such device", "use auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda", "PyTorch sees no GPU", "use --device cpu")
    return name


def _scores(title: str, rows: dict[str, dict[str, Any]]) -> Any:
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


def main() -> None:
    """Run the console command."""
    run(app)


if __name__ == "__main__":
    main()
