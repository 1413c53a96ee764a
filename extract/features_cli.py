"""`alt-features`: look into a feature cache."""

from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.command import accuse, application, out, print_json, run

app = application("Look into a feature cache, check it, join caches, take them elsewhere.")

Cache = Annotated[Path, typer.Argument(help="A feature cache, such as feats.h5.")]
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]


@app.command()
def info(cache: Cache, json: Json = False) -> None:
    """Say what a cache holds and what made it."""
    from rich.table import Table

    from extract.store import FeatureCache

    opened = FeatureCache(cache)
    manifest = opened.manifest
    facts: dict[str, Any] = manifest.model_dump(mode="json")
    facts["bytes"] = cache.stat().st_size
    facts["failures"] = [
        {"video": video, "reason": error}
        for video, status, error in zip(opened.videos, opened.status, opened.errors, strict=True)
        if status == "failed"
    ]
    if json:
        print_json(facts)
        return
    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        if name == "classes":
            value = f"{len(manifest.classes)}: {', '.join(manifest.classes[:6])} …"
        elif name == "preprocess":
            value = ", ".join(f"{key} {setting}" for key, setting in value.items())
        elif name == "failures":
            value = "\n".join(f"{row['video']}: {row['reason']}" for row in value[:20])
        table.add_row(name, str(value))
    out.print(table)


@app.command()
def verify(caches: Annotated[list[Path], typer.Argument()], json: Json = False) -> None:
    """Check every byte of a cache, its hashes, counts and ranges. Exit 1 if one is not sound."""
    from extract.verify import verify as check

    verdicts = {str(path): check(path) for path in caches}
    if json:
        print_json(
            {
                path: {"sound": not verdict.faults, "faults": list(verdict.faults)}
                for path, verdict in verdicts.items()
            }
        )
    for path, verdict in verdicts.items():
        if verdict.faults:
            for fault in verdict.faults[:20]:
                accuse("fault", f"{path}: {fault}")
        elif not json:
            manifest = verdict.manifest
            line = f"{path}: sound, {manifest.clips} clips, {manifest.failed} failed"
            out.print(line)
    if any(verdict.faults for verdict in verdicts.values()):
        raise typer.Exit(1)


@app.command()
def merge(
    caches: Annotated[list[Path], typer.Argument(help="Two or more caches.")],
    target: Annotated[Path, typer.Option("--out", help="The cache to make.")],
    json: Json = False,
) -> None:
    """Join caches: the parts of --shard i/n, or several datasets."""
    from extract.merge import merge as join

    manifest = join(caches, target)
    if json:
        print_json(manifest.model_dump(mode="json"))
    else:
        line = f"{target}: {manifest.clips} clips, {manifest.failed} failed"
        out.print(line)


@app.command()
def export(
    cache: Cache,
    target: Annotated[Path, typer.Option("--out", help="The folder to make.")],
    form: Annotated[str, typer.Option("--format", help="npy, parquet or webdataset.")] = "npy",
) -> None:
    """Write a cache's features in a form that other tools read."""
    from extract.export import export as write
    from extract.store import FeatureCache

    count = write(FeatureCache(cache), target, form)
    out.print(f"{target}: {count} clips as {form}")


def main() -> None:
    """Run the command."""
    run(app)


if __name__ == "__main__":
    main()
