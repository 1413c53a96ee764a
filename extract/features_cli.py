"""`alt-features`: look into a feature cache."""

from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.command import accuse, application, out, print_json, run
from corpus.errors import BadInput
from corpus.tally import shown
from corpus.words import counted, first_of

app = application("Look into a feature cache, check it, join caches, take them elsewhere.")

Cache = Annotated[Path, typer.Argument(help="A feature cache, such as feats.h5.")]
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]

_NAMED = 6  # classes that are named where --json has them all


@app.command(epilog="Example: alt-features info feats.h5 --json")
def info(cache: Cache, json: Json = False) -> None:
    """Say what a cache holds and what made it."""
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
    width = max(map(len, facts))
    for name, value in facts.items():
        if name == "classes":
            rest = " …" if len(manifest.classes) > _NAMED else ""
            value = f"{len(manifest.classes)}: {', '.join(manifest.classes[:_NAMED])}{rest}"
        elif name == "preprocess":
            value = ", ".join(f"{key} {setting}" for key, setting in value.items())
        elif name == "failures":
            rows = (f"{row['video']}: {row['reason']}" for row in value)
            value = f"\n{'':{width}} ".join(rows)
        out.print(f"{name:{width}} {value}")


@app.command(epilog="Example: alt-features verify part?.h5")
def verify(
    caches: Annotated[list[Path], typer.Argument(help="One or more caches.")], json: Json = False
) -> None:
    """Check every byte of a cache, its hashes, counts and ranges. Exit 1 if one is not sound."""
    from extract.verify import verify as check

    found: dict[str, dict[str, Any]] = {}
    for path in caches:
        faults: tuple[str, ...]
        try:
            with shown("checking") as tally:
                verdict = check(path, tally)
        except BadInput as error:  # of which the others are not to be the less looked at
            faults = (f"{error.cause}; {error.mend}",)
        else:
            faults = verdict.faults
        found[str(path)] = {"sound": not faults, "faults": list(faults)}
        for fault in first_of(faults):
            accuse("fault", f"{path}: {fault}")
        if not faults and not json:
            clips, failed = verdict.manifest.clips, verdict.manifest.failed
            out.print(f"{path}: sound, {counted(clips, 'clip')}, {failed} failed")
    if json:
        print_json(found)
    if not all(cache["sound"] for cache in found.values()):
        raise typer.Exit(1)


@app.command(epilog="Example: alt-features merge part?.h5 --out train.h5")
def merge(
    caches: Annotated[list[Path], typer.Argument(help="Two or more caches.")],
    target: Annotated[Path, typer.Option("--out", help="The cache to make.")],
    json: Json = False,
) -> None:
    """Join caches: the parts of --shard i/n, or several datasets."""
    from extract.merge import merge as join

    with shown("merging") as tally:
        manifest = join(caches, target, tally)
    if json:
        print_json(manifest.model_dump(mode="json"))
    else:
        out.print(f"{target}: {counted(manifest.clips, 'clip')}, {manifest.failed} failed")


@app.command(epilog="Example: alt-features export feats.h5 --out feats --format npy")
def export(
    cache: Cache,
    target: Annotated[Path, typer.Option("--out", help="The folder to make.")],
    form: Annotated[str, typer.Option("--format", help="npy, parquet or webdataset.")] = "npy",
    json: Json = False,
) -> None:
    """Write a cache's features in a form that other tools read."""
    from extract.export import export as write
    from extract.store import FeatureCache

    with shown("exporting") as tally:
        count = write(FeatureCache(cache), target, form, tally)
    if json:
        print_json({"path": str(target), "format": form, "clips": count})
    else:
        out.print(f"{target}: {counted(count, 'clip')} as {form}")


def main() -> None:
    """Run the command."""
    run(app)


if __name__ == "__main__":
    main()
