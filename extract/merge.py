"""Feature caches joined into one: parts of a dataset, or datasets."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from corpus.atomic import atomic_file
from corpus.errors import BadInput
from extract.drafts import writing
from extract.manifest import CacheManifest
from extract.rows import Entry
from extract.shards import differs
from extract.store import FeatureCache
from extract.writer import CacheWriter

# What may differ between caches that are joined, as it is made anew.
_OWN = {"dataset", "split", "classes", "clips", "failed", "list_hash", "content_hash"}
_OWN |= {"compression", "part", "backbone", "pretrained"}


def merge(paths: Sequence[Path], out: Path) -> CacheManifest:
    """Join caches that the same backbone and options made.

    Parts made with `--shard i/n` are put in their order, whatever the order of `paths`, and give
    the very file that one machine would have made. Datasets are joined in the order given: their
    classes are united, labels follow their class, and a video's path begins with its dataset.

    Args:
        paths: at least two caches.
        out: the cache to make; not yet there.

    Returns:
        The facts of the joined cache.

    Raises:
        BadInput: options differ, a part is missing or there twice, or `out` exists.
        RunFailed: `out` cannot be written.
    """
    if len(paths) < 2:
        raise BadInput("merge", f"{len(paths)} cache given", "give two or more")
    if out.exists():
        raise BadInput(out, "exists already", "choose another --out, or remove it")
    caches = [FeatureCache(path) for path in paths]
    first = caches[0].manifest
    for cache in caches[1:]:
        theirs, ours = (m.model_dump(mode="json", exclude=_OWN) for m in (cache.manifest, first))
        if theirs != ours:
            cause = f"made with other options than {paths[0]} ({differs(ours, theirs)})"
            raise BadInput(cache.path, cause, "merge only what was made alike")
    names = list(dict.fromkeys(cache.manifest.dataset for cache in caches))
    if any(cache.manifest.part for cache in caches):
        caches = _in_order(caches)
    classes = tuple(dict.fromkeys(name for cache in caches for name in cache.manifest.classes))
    splits = dict.fromkeys(cache.manifest.split for cache in caches)
    manifest = first.model_copy(
        update={
            "dataset": "+".join(names),
            "split": "+".join(splits),
            "classes": classes,
            "clips": sum(len(cache) for cache in caches),
            "part": "",
        }
    )
    _check_videos(caches, several=len(names) > 1)
    with writing(out), atomic_file(out) as draft:
        writer = CacheWriter(draft, manifest)
        try:
            for cache in caches:
                for index in range(len(cache)):
                    entry = _renamed(cache, index, classes, several=len(names) > 1)
                    writer.append(entry, cache.features(index))
            return writer.close()
        except BaseException:
            writer.abandon()
            raise


def _in_order(caches: list[FeatureCache]) -> list[FeatureCache]:
    """Parts 1/n … n/n, all there."""
    parts = {cache.manifest.part: cache for cache in caches}
    count = int(next(part for part in parts if part).split("/")[1])
    wanted = [f"{number}/{count}" for number in range(1, count + 1)]
    missing = [part for part in wanted if part not in parts]
    if missing or len(caches) != count:
        have = ", ".join(sorted(cache.manifest.part or "a whole" for cache in caches))
        cause = f"{count} parts make the whole, and these are {have}"
        raise BadInput("merge", cause, "give each part once")
    return [parts[part] for part in wanted]


def _renamed(cache: FeatureCache, index: int, classes: tuple[str, ...], several: bool) -> Entry:
    entry, manifest = cache.entry(index), cache.manifest
    label = classes.index(manifest.classes[entry.label]) if entry.label >= 0 else -1
    video = f"{manifest.dataset}/{entry.video}" if several else entry.video
    return replace(entry, label=label, video=video)


def _check_videos(caches: list[FeatureCache], several: bool) -> None:
    seen: dict[tuple[str, str], Path] = {}
    for cache in caches:
        for video in cache.videos:
            other = seen.setdefault((cache.manifest.dataset if several else "", video), cache.path)
            if other != cache.path:
                raise BadInput(cache.path, f"{video} is in {other} too", "merge each video once")
