"""alt-adapter: train, evaluate and use the adapter on cached features."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from adapter import protocol_cli, studies
from adapter.options import (
    Corpus,
    Device,
    Json,
    Labels,
    Prompts,
    RunFolder,
    Settings,
    on_device,
    say,
    scores,
)
from corpus.command import application, notes, out, print_json, print_json_list, run
from corpus.tally import shown, stages
from corpus.words import counted

app = application(
    "Recognise actions from cached features: train an adapter, score it, ask it about videos."
)


@app.command(
    epilog="Example: alt-adapter train --features feats.h5 --val val.h5 --out runs/x --set lr=1e-4"
)
def train(
    features: Annotated[list[Path], typer.Option(help="Feature cache; repeat it for several.")],
    val: Annotated[
        list[Path] | None,
        typer.Option(
            help="Cache that the best epoch is chosen on. By default the features' own validation "
            "split; without one, a tenth of each class that has ten clips or more, if that makes "
            "twenty; else the last epoch is kept."
        ),
    ] = None,
    corpus: Corpus = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Run folder to make; by default runs/NAME, for features NAME.h5."
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="alt, the paper's adapter (alt-paper), or a baseline: linear, temporal, "
            "alt-learned, alt-shuffled."
        ),
    ] = "alt",
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            help="Passes over the clips; by default 60, more for few clips.",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Clips in a step.")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Peak learning rate; by default the method's own.")
    ] = None,
    setting: Settings = None,
    prompt: Prompts = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Seed of weights, order and noise.")
    ] = 0,
    device: Device = "auto",
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an interrupted run, exactly; or begin one."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train an adapter on cached features, into a run folder."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from adapter.alignment import Alignment
    from adapter.processes import main_process, processes
    from adapter.settings import configs
    from adapter.task import open_task
    from adapter.text import DEFAULT_PROMPTS
    from adapter.training import check_target, free_name, train_run

    given: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "lr": lr}
    given = {name: value for name, value in given.items() if value is not None}
    where = on_device(device)
    model_config, train_config = configs(setting or [], method=method, seed=seed, **given)
    to = to or free_name(Path("runs"), features[0].stem, resume)
    if main_process() and not resume:
        check_target(to)  # before the backbone is opened and a corpus perhaps built
    # A corpus that is missing is built by one process.
    with processes(where).main_process_first():
        prompts = prompt or DEFAULT_PROMPTS
        with stages() as step:
            task = open_task(features, val or (), corpus, prompts, where, say=say, step=step)
    for line in task.describe():
        say(line)
    with Progress(
        TextColumn("{task.fields[what]} {task.completed}/{task.total}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
        console=notes,
    ) as bar:
        batch = bar.add_task("", total=None, visible=False, what="batch")
        epoch = bar.add_task("", total=train_config.passes(len(task.clips)), what="epoch")

        def tally(done: int, total: int) -> None:
            bar.update(batch, completed=done, total=total, visible=done < total)

        def report(record: dict[str, float]) -> None:
            facts = "  ".join(f"{name} {record[name]:.3g}" for name in record if name != "epoch")
            bar.update(epoch, completed=record["epoch"], description=facts)

        metrics = train_run(task, model_config, train_config, to, device, resume, report, tally)
    if as_json:
        print_json({"run": str(to)} | metrics)
        return
    if "validation" in metrics:
        rows = {"mean-pooled CLIP": metrics["validation_clip"], method: metrics["validation"]}
        out.print(scores(f"{task.validation} validation clips", rows))
    if "alignment" in metrics:
        say(Alignment.model_validate(metrics["alignment"]).describe())
    epochs = len(metrics["history"])
    out.print(f"{to}: best epoch {metrics['best_epoch']} of {epochs}")


@app.command(epilog="Example: alt-adapter eval --features test.h5 --run runs/x --json")
def eval(
    features: Annotated[list[Path], typer.Option(help="Feature cache; repeat it for several.")],
    run_folder: RunFolder,
    labels: Labels = None,
    baselines: Annotated[
        bool,
        typer.Option(help="Also score mean-pooled CLIP on the same clips, and the difference."),
    ] = True,
    batch_size: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Views in a forward pass.")
    ] = 32,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Score a run on cached features, beside mean-pooled CLIP."""
    from adapter.evaluate import evaluate_run
    from adapter.runs import Run

    trained = Run.load(run_folder, on_device(device))
    with shown("scoring") as tally:
        result = evaluate_run(trained, features, labels, baselines, batch_size, tally)
    if as_json:
        print_json(result)
        return
    chosen = result["label_set"]
    many = f"{counted(result['clips'], 'clip')}, {counted(result['labels'], 'label')}"
    title = f"{many} ({chosen['new']} new to the run)"
    if result["failed"]:
        title += f"; {result['failed']} of them could not be read: counted as wrong"
    rows = {"mean-pooled CLIP": result["baselines"]["clip"]} if baselines else {}
    out.print(scores(title, rows | {result["method"]: result}))
    if baselines:
        clip = result["baselines"]["clip"]
        low, high = clip["interval"]
        out.print(
            f"top-1 against CLIP: {100 * clip['difference']:+.1f} points "
            f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f}, p = {clip['p']:.2g})"
        )
    for reason, count in result["left_out"].items():
        out.print(f"{counted(count, 'row')} left out: {reason}")


@app.command(
    epilog="Examples: alt-adapter predict clip.mp4 --run runs/x --top 3 · "
    "alt-adapter predict --features feats.h5 --run runs/x --labels other.txt --json"
)
def predict(
    run_folder: RunFolder,
    videos: Annotated[list[Path] | None, typer.Argument(help="Video files.")] = None,
    features: Annotated[
        list[Path] | None,
        typer.Option(
            help="Instead of video files: all rows of a feature cache; repeat it for several."
        ),
    ] = None,
    labels: Labels = None,
    top: Annotated[
        int, typer.Option(min=1, help="How many labels and entities to list for each.")
    ] = 5,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Recognise the action in videos, and say through which entities."""
    from rich.progress import track

    from adapter.predict import Prediction, Predictor, predict_cached
    from adapter.runs import Run
    from corpus.errors import BadInput, RunFailed
    from extract.store import FeatureCache

    if bool(videos) == bool(features):
        cause = "are both given" if videos else "are missing"
        raise BadInput("VIDEOS and --features", cause, "give video files, or caches of features")
    trained = Run.load(run_folder, on_device(device))
    if features:
        found = predict_cached(trained, features, labels, top)
        total = sum(len(FeatureCache(cache)) for cache in features)
    else:
        found = Predictor(trained, labels, on_device(device)).predict_all(videos or [], top)
        total = len(videos or [])
    done = Counter[bool]()  # whether there is a prediction

    def counted_off() -> Iterator[Prediction]:
        # Where lines are printed, they show how far it is.
        for one in track(found, "recognising", total, console=notes, disable=not as_json):
            done[one.error is None] += 1
            yield one

    if as_json:
        print_json_list(one.model_dump(exclude_none=True) for one in counted_off())
    else:
        for one in counted_off():
            out.print(one.describe())
    if done[False]:
        raise RunFailed(
            f"{done[False]} of {counted(done.total(), 'video')}",
            "no prediction",
            "the reason for each stands above",
        )


@app.command(epilog="Example: alt-adapter explain clip.mp4 --run runs/x --out report.html")
def explain(
    video: Annotated[Path, typer.Argument(help="Video file.")],
    run_folder: RunFolder,
    to: Annotated[Path, typer.Option("--out", help="HTML file to write.")] = Path("report.html"),
    labels: Labels = None,
    top: Annotated[int, typer.Option(min=1, help="How many labels and entities to list.")] = 5,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Show through which entities a video was recognised, where in the frame and when."""
    from adapter.explain import explain
    from adapter.predict import Predictor
    from adapter.runs import Run

    predictor = Predictor(Run.load(run_folder, on_device(device)), labels, on_device(device))
    prediction = explain(predictor, video, to, top)
    if as_json:
        print_json(prediction.model_dump(exclude_none=True) | {"report": str(to)})
    else:
        out.print(f"{prediction.describe()}\n{to}")


@app.command(epilog="Example: alt-adapter flops --model ViT-L-14 --frames 32 --views 3 --merge 8")
def flops(
    model: Annotated[
        str, typer.Option(envvar="ALT_MODEL", help="open_clip model, or alt-mini.")
    ] = "ViT-B-16",
    frames: Annotated[int, typer.Option(min=1, help="Frames in a view.")] = 8,
    views: Annotated[int, typer.Option(min=1, help="Views of a video.")] = 1,
    merge: Annotated[int, typer.Option(min=0, help="Token pairs merged in each block.")] = 8,
    entities: Annotated[int, typer.Option(min=1, help="Entities in the corpus.")] = 5000,
    method: Annotated[str, typer.Option(help="alt, or the paper's adapter: alt-paper.")] = "alt",
    as_json: Json = False,
) -> None:
    """Count the multiply-adds of recognising one video."""
    from adapter.flops import PAPER_GMACS, cost
    from adapter.settings import configs

    shape, _ = configs((), method=method)
    counts = cost(model, merge, frames, views, entities, shape)
    if as_json:
        print_json(counts.model_dump() | {"unit": "GMAC", "paper_vit_l_14": PAPER_GMACS})
        return
    out.print(
        f"{model}, {views} x {frames} frames, {merge} merged in each block, {entities} entities; "
        f"billions of multiply-adds\n"
        f"  encoder, a frame   {counts.encoder_frame:10.2f}  "
        f"({counts.encoder_frame_unmerged:.2f} with nothing merged)\n"
        f"  encoder, all       {counts.encoder:10.1f}\n"
        f"  adapter, all       {counts.adapter:10.1f}\n"
        f"  total              {counts.total:10.1f}  "
        f"(the paper's ViT-L/14 on Kinetics-400: {PAPER_GMACS:.0f})"
    )


@app.command(epilog="Example: alt-adapter export --run runs/x --out adapter.pt2")
def export(
    run_folder: RunFolder,
    to: Annotated[Path, typer.Option("--out", help="File to write, *.pt2 or *.onnx.")],
    as_json: Json = False,
) -> None:
    """Write a run's adapter and labels for torch.export or ONNX, checked against the run."""
    from adapter.export import export
    from adapter.runs import Run

    done = export(Run.load(run_folder), to)
    if as_json:
        print_json({"path": str(done.path), "difference": done.difference})
    else:
        line = f"{done.path}: agrees with the run to {done.difference:.1e}"
        out.print(line)


@app.command(epilog="Example: alt-adapter recipe k400-l14")
def recipe(
    name: Annotated[
        str | None,
        typer.Argument(help="A recipe of the list (printed without NAME), or a TOML file."),
    ] = None,
    go: Annotated[
        bool,
        typer.Option("--run", help="Carry it out, or continue it; its caches must exist."),
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--out", help="Folder to make; by default runs/NAME.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a setting of the paper: its commands, and what it costs on one H100, computed."""
    import shlex

    from adapter.expectation import expect
    from adapter.recipe import adapter_commands, carry_out, extract_commands, load, names
    from corpus.errors import BadInput

    if go and as_json:
        cause = "has no effect with --run, which prints what its commands print"
        raise BadInput("--json", cause, "leave one of them out")
    if name is None:
        if go:
            mend = f"name one of {', '.join(names())}, or a file"
            raise BadInput("--run", "is given without a recipe", mend)
        if as_json:
            print_json(names())
        else:
            out.print("\n".join(f"{known}: {load(known).title}" for known in names()))
        return
    chosen = load(name)
    to = to or Path("runs") / Path(name).stem
    if go:
        carry_out(chosen, to)
        return
    cost = expect(chosen)
    lines = [
        *(shlex.join(["alt-extract", *step]) for step in extract_commands(chosen)),
        *(shlex.join(["alt-adapter", *step]) for step in adapter_commands(chosen, to)),
    ]
    if as_json:
        print_json(cost.model_dump() | {"title": chosen.title, "commands": lines})
        return
    beside = f" (the paper: {cost.paper:.0f})" if cost.paper else ""
    out.print(f"{chosen.title}\n  one video: {cost.gmacs:.0f} G multiply-adds{beside}")
    for made in cost.caches:
        out.print(f"  {made.cache}: {made.gigabytes:.1f} GB, {made.hours:.2f} h")
    out.print(
        f"  training ALT: {cost.training_hours:.2f} h, or {cost.reading_hours:.2f} h to read its "
        f"cache if that is streamed\n  hours of one H100, {cost.assumed}"
    )
    out.print("\n".join(lines))


studies.add_to(app)
protocol_cli.add_to(app)


def main() -> None:
    """Run the console command; of several processes, the first one speaks."""
    if os.environ.get("RANK", "0") != "0":
        notes.quiet = True
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    run(app)


if __name__ == "__main__":
    main()
