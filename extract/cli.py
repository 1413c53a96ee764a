"""`alt-extract`: videos to a feature cache."""

import os
import warnings
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.command import application, notes, out, print_json, run, warn
from corpus.errors import BadInput
from corpus.words import NAMED, by_reason, counted, lasting
from extract.cores import MOST
from extract.datasets import NAMES, open_dataset

app = application("Encode videos once, into a feature cache (feats.h5).")


@app.command(
    epilog="Examples: alt-extract --dataset k400 --out feats.h5 · "
    "alt-extract --dataset folder --root videos --model ViT-L-14 --views 4x3 --out test.h5"
)
def extract(
    dataset: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")],
    target: Annotated[Path, typer.Option("--out", help="The cache to make, such as feats.h5.")],
    root: Annotated[
        Path | None, typer.Option(help="The dataset's folder; by default $ALT_DATA/<dataset>.")
    ] = None,
    split: Annotated[str, typer.Option(help="Part of the dataset: train, val, test, …")] = "all",
    labels: Annotated[
        str | None,
        typer.Option(
            help="Class names in index order: a file with one per line, or a bundled set."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(envvar="ALT_MODEL", help="open_clip model, or alt-mini.")
    ] = "ViT-B-16",
    pretrained: Annotated[
        str | None,
        typer.Option(
            envvar="ALT_PRETRAINED",
            help="open_clip tag, a checkpoint's path, or none (random).",
        ),
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames of a view, T.")] = 8,
    views: Annotated[
        str | None, typer.Option(help="Temporal x spatial views, such as 4x3; by default 1x1.")
    ] = None,
    train_views: Annotated[
        int | None,
        typer.Option(
            help="Number of random, augmented views, instead of --views and --sampling.", min=1
        ),
    ] = None,
    merge: Annotated[int, typer.Option(help="Token pairs merged in each block, r.")] = 8,
    keep_regions: Annotated[
        int | None,
        typer.Option(help="Store only this many regions of a frame, the largest.", min=1),
    ] = None,
    dtype: Annotated[str, typer.Option(help="float16 or int8.")] = "float16",
    compression: Annotated[str, typer.Option(help="none, lz4 or zstd.")] = "none",
    sampling: Annotated[
        str | None,
        typer.Option(
            help="centre or random; by default random where --split begins with train, else centre."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of random sampling.")] = 0,
    decoder: Annotated[
        str, typer.Option(help="auto (decord, then PyAV), decord or pyav.")
    ] = "auto",
    precision: Annotated[
        str | None,
        typer.Option(
            help="float32, bfloat16 or float16; by default float16 on a GPU, else float32."
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(help="Frames in a forward pass; by default 32, on a GPU 256.", min=1),
    ] = None,
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the encoder first: for long runs on a GPU.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps …")] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(help="Decoding processes; by default one for each CPU core.", min=1, max=MOST),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local, or ray: the cluster at RAY_ADDRESS.")
    ] = "local",
    checkpoint: Annotated[
        int | None,
        typer.Option(
            help="Videos written to the disk together; a kill can cost twice as many. By default "
            "64, on a GPU 256. With --shard, parts begin at multiples of it, and it is by default "
            "256 everywhere.",
            min=1,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(help="Seconds that decoding one video may take.", min=0.1),
    ] = 120,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="Only the first N videos.", min=1)
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="Only part i of n, such as 3/8; join the parts with alt-features merge."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace an existing cache, and drop unfinished work."),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try the failed videos of a finished cache again."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only estimate size and time, from a few videos.")
    ] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Say where the time went.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Encode a dataset's videos into one file. Run it again to go on after an interruption."""
    from corpus.labels import load_labels

    # What is quick to find wrong is looked at before the weights are loaded.
    if engine not in ("local", "ray"):
        raise BadInput(f"--engine {engine}", "unknown", "use local or ray")
    for option, given in (("--views", views), ("--sampling", sampling)):
        if train_views and given is not None:
            raise BadInput("--train-views", f"given together with {option}", "give one of the two")
    if overwrite and retry_failed:
        cause = "given together with --overwrite"
        raise BadInput("--retry-failed", cause, "give one of the two")
    from extract.shards import check_target

    check_target(target)
    names = None
    if labels is not None:
        names = tuple(name for group in load_labels(labels) for name in group.labels)
    data = open_dataset(dataset, root, split, names)
    for note in data.notes:
        notes.print(note)

    from corpus.backbone import load
    from extract import run as work
    from extract.device import pick_device
    from extract.options import usual_batch, usual_checkpoint
    from extract.pieces import Engine, Local
    from extract.worker import check_timeout

    check_timeout(timeout)
    crew: Engine
    if engine == "ray" and not dry_run:
        from extract.ray_engine import RayEngine

        crew = RayEngine(device, workers, timeout)
        # The machine of the command may have no GPU, and needs none.
        chosen, home = crew.device, "cpu"
    else:
        crew = Local(workers, timeout)
        chosen = home = pick_device(device)
    on_gpu = chosen.startswith("cuda")
    options = work.Options(
        frames=frames,
        views=f"{train_views}x1" if train_views else views or "1x1",
        merge=merge,
        keep_regions=keep_regions or 0,
        dtype=dtype,  # type: ignore[arg-type]  # Options checks it
        compression=compression,  # type: ignore[arg-type]
        sampling="random" if train_views else sampling,  # type: ignore[arg-type]
        seed=seed,
        augment=train_views is not None,
        precision=precision or ("float16" if on_gpu else "float32"),
        batch=batch or usual_batch(chosen),
        compile=compile,
        decoder=decoder,  # type: ignore[arg-type]
        checkpoint=checkpoint or usual_checkpoint(chosen),
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        backbone = load(model, pretrained, home)
    for warning in caught:
        warn(warning.message)

    from extract.regions import RegionEncoder

    tower = RegionEncoder(backbone.model, merge)
    if tower.regions < tower.patches // 8:
        left = f"--merge {merge} leaves {tower.regions} of {1 + tower.patches} tokens"
        warn(f"{left}; a smaller one keeps more of the picture")
    if limit is not None:
        data = replace(data, clips=data.clips[:limit])
    if shard is not None:
        # Whatever the device: the parts of a machine without a GPU must fit those of the others.
        data = data.shard(shard, checkpoint or usual_checkpoint("cuda"))
    if dry_run:
        from corpus.tally import shown
        from extract.estimate import estimate
        from extract.retry import to_try
        from extract.task import Task

        task = Task(data, backbone, target, options, overwrite)
        todo, whole = task.left(), task.finished()
        if retry_failed and whole is not None:
            todo = tuple(data.clips[index] for index in to_try(data, whole))
        with shown("looking for files") as tally:
            cost = estimate(task, todo, workers, timeout, tally)
        if json:
            print_json(asdict(cost))
        else:
            _tell_cost(cost, target, complete=whole is not None)
        return

    from extract.progress import Progress
    from extract.retry import retry

    with Progress(len(data.clips)) as progress:
        make = retry if retry_failed else partial(work.extract, overwrite=overwrite)
        watch, joined = progress.watch, progress.joined
        report = make(data, backbone, target, options, watch=watch, joined=joined, engine=crew)
    if json:
        print_json(work.facts(report))
    else:
        _tell(report, retry_failed)
    if profile:
        spent = report.spent
        notes.print(
            f"of {report.seconds:.1f} s: the backbone at work {spent.encoding:.1f} s "
            f"({spent.encoding / max(report.seconds, 1e-9):.0%}); meanwhile waiting for decoding "
            f"{spent.waiting:.1f} s, writing {spent.writing:.1f} s",
        )
    report.check()


def _tell_cost(cost: Any, target: Path, complete: bool) -> None:
    if complete and not cost.left:
        videos = counted(cost.clips, "video")
        out.print(f"{target} is already complete: {videos}; --overwrite makes it anew")
        return
    left = f"{cost.left} left of " if cost.left < cost.clips else ""
    out.print(
        f"{left}{counted(cost.clips, 'video')} ({cost.missing} missing), {cost.frames} frames, "
        f"{cost.bytes / 1e6:.1f} MB and as much again until it is whole, "
        f"about {lasting(cost.seconds)} "
        f"(decoding {cost.decode_seconds:.0f} s, encoding {cost.encode_seconds:.0f} s)",
    )


def _tell(report: Any, retried: bool) -> None:
    manifest = report.manifest
    if report.untouched:
        again = "; --retry-failed tries failed videos again" if manifest.failed else ""
        if retried and manifest.failed:
            again = "; the files of what failed are still missing"
        out.print(f"{report.path} was already complete{again}; --overwrite makes it anew")
    frames = report.spent.frames
    rate = f", {frames / report.seconds:.1f} frames/s" if frames else ""
    resumed = f" ({report.resumed} from before)" if report.resumed else ""
    size = os.path.getsize(report.path) / 1e6
    out.print(
        f"{report.path}: {counted(manifest.clips, 'video')}{resumed}, "
        f"{manifest.failed} failed, {size:.1f} MB, {report.seconds:.1f} s{rate}",
    )
    listing = {
        "failed": (report.failed, f"alt-features info {report.path} lists all that failed"),
        "note  ": (report.noted, "the same command lists all notes when --json is added"),
    }
    for kind, (entries, where) in listing.items():
        for line in by_reason((entry.video, entry.error) for entry in entries):
            notes.print(f"  {kind}  {line}")
        if len(entries) > NAMED:
            notes.print(f"  {where}")


def main() -> None:
    """Run the command."""
    run(app)


if __name__ == "__main__":
    main()
