"""Feature caches joined into one: parts of a dataset, or datasets."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from corpus.atomic import atomic_file
from corpus.errors import BadInput
from corpus.tally import Tally, tallied
from corpus.words import named
from extract.ahead import in_order
from extract.drafts import BEHIND, Row, writing
from extract.manifest import OF_PART, CacheManifest
from extract.shards import differs
from extract.store import FeatureCache
from extract.writer import CacheWriter

# What may differ between caches that are joined, as it is made anew.
_OWN = {"dataset", "split", "classes", "clips", "failed", "list_hash", "content_hash"}
_OWN |= {"compression", "part", "backbone", "pretrained", *OF_PART}


def merge(
    paths: Sequence[Path | str], out: Path | str, tally: Tally | None = None
) -> CacheManifest:
    """Join caches that the same backbone and options made.

    Parts made with `--shard i/n` are put in their order, whatever the order of `paths`, and give
    the very file that one machine would have made. Datasets are joined in the order given: their
    classes are united, labels follow their class, and a video's path begins with its dataset. One
    of them may be of several datasets already.

    Args:
        paths: at least two caches.
        out: the cache to make; not yet there.
        tally: called with each row.

    Returns:
        The facts of the joined cache.

    Raises:
        BadInput: options differ, a part is missing or there twice, parts are not of one list or
            leave out clips of it, two caches have a video of one split, a cache is damaged, or
            `out` exists.
        RunFailed: `out` cannot be written.
    """
    if len(paths) < 2:
        raise BadInput("merge", f"{len(paths)} cache given", "give two or more")
    out = Path(out)
    _check_absent(out)
    caches = [FeatureCache(path) for path in paths]
    first = caches[0].manifest
    for cache in caches[1:]:
        theirs, ours = (m.model_dump(mode="json", exclude=_OWN) for m in (cache.manifest, first))
        if theirs != ours:
            cause = f"made with other options than {paths[0]} ({differs(ours, theirs, 'here')})"
            raise BadInput(cache.path, cause, "merge only what was made alike")
    names = list(dict.fromkeys(name for cache in caches for name in _datasets(cache)))
    if any(cache.manifest.part for cache in caches):
        caches = _in_order(caches)
    else:
        _check_videos(caches, several=len(names) > 1)
    classes = dict.fromkeys(name for cache in caches for name in cache.manifest.classes)
    labels = {name: label for label, name in enumerate(classes)}
    splits = dict.fromkeys(name for cache in caches for name in cache.manifest.split.split("+"))
    manifest = first.model_copy(
        update={
            "dataset": "+".join(names),
            "split": "+".join(splits),
            "classes": tuple(classes),
            "clips": sum(len(cache) for cache in caches),
            "part": "",
            "start": 0,
            "whole_clips": 0,
            "whole_hash": "",
        }
    )

    def rows() -> Iterator[Row]:
        for cache in caches:
            yield from _renamed(cache, labels, several=len(names) > 1)
        _check_absent(out)  # which took its time

    return write(out, manifest, tallied(rows(), manifest.clips, tally))


def _check_absent(out: Path) -> None:
    if out.exists():
        raise BadInput(out, "exists already", "choose another --out, or remove it")


def write(out: Path, manifest: CacheManifest, rows: Iterable[Row]) -> CacheManifest:
    """Write a cache from rows that others had.

    Args:
        out: the file; one that is there is replaced once the new one is whole.
        manifest: its facts; counts and hashes are filled in.
        rows: as `CacheWriter.append` takes them, as many as the manifest has clips.

    Returns:
        Its facts.

    Raises:
        RunFailed: `out` cannot be written.
    """
    # By a thread: Ctrl-C is raised in none, and raised within HDF5 it would end us on the spot.
    with writing(out), atomic_file(out) as draft, ThreadPoolExecutor(1, "write") as hand:
        writer = hand.submit(CacheWriter, draft, manifest).result()
        try:
            for _ in in_order(hand, lambda row: writer.append(*row), rows, BEHIND):
                pass
            return hand.submit(writer.close).result()
        except BaseException:
            hand.submit(writer.abandon).result()
            raise


def _in_order(caches: list[FeatureCache]) -> list[FeatureCache]:
    """Parts 1/n … n/n, all there, and together the one list that they were cut from."""
    parts = {cache.manifest.part: cache for cache in caches}
    count = int(next(part for part in parts if part).split("/")[1])
    wanted = [f"{number}/{count}" for number in range(1, count + 1)]
    have, whole = Counter(cache.manifest.part or "a whole" for cache in caches), Counter(wanted)
    odd = {"not given": [*whole - have], "too much": [*have - whole]}
    told = "".join(f"; {how}: {named(some)}" for how, some in odd.items() if some)
    if told:
        raise BadInput("merge", f"{count} parts make the whole{told}", "give each part once")
    ordered = [parts[part] for part in wanted]
    _check_whole(ordered)
    return ordered


def _check_whole(parts: list[FeatureCache]) -> None:
    """Refuse parts that are not of one list, or leave out clips of it.

    Raises:
        BadInput: there is such a part.
    """
    mend = "make all parts from one list, with the same --checkpoint and --limit"
    first, end = parts[0], 0
    for number, cache in enumerate(parts):
        manifest = cache.manifest
        if manifest.whole_hash != first.manifest.whole_hash:
            raise BadInput(cache.path, f"is part of another list than {first.path}", mend)
        if manifest.start != end:
            before = f"{parts[number - 1].path} ends" if number else "the list begins"
            cause = f"begins at clip {manifest.start} of the list, and {before} at {end}"
            raise BadInput(cache.path, cause, mend)
        end += len(cache)
    if first.manifest.whole_clips != end:
        cause = f"ends at clip {end} of the list, which has {first.manifest.whole_clips}"
        raise BadInput(parts[-1].path, cause, mend)


def _renamed(cache: FeatureCache, labels: Mapping[str, int], several: bool) -> Iterator[Row]:
    """A cache's rows as they are called in the joined one, which has its classes so labelled."""
    own = [labels[name] for name in cache.manifest.classes]
    for entry, features, digest in cache.rows():
        label = own[entry.label] if entry.label >= 0 else -1
        renamed = replace(entry, label=label, video=_name(cache, entry.video, several))
        yield (entry, features, digest) if renamed == entry else (renamed, features)
    cache.close()  # a cluster's parts may be more than there may be open files


def _datasets(cache: FeatureCache) -> list[str]:
    """The datasets that a cache is of; `merge` joins their names."""
    return cache.manifest.dataset.split("+")


def _name(cache: FeatureCache, video: str, several: bool) -> str:
    """What a video is called in a cache of several datasets, as it may be already, or of one."""
    return f"{cache.manifest.dataset}/{video}" if several and len(_datasets(cache)) == 1 else video


def _check_videos(caches: list[FeatureCache], several: bool) -> None:
    """Refuse caches of the same videos; a list may name one again, and parts of it may."""
    seen: dict[tuple[str, str], FeatureCache] = {}
    for cache in caches:
        for video, split in zip(cache.videos, cache.splits, strict=True):
            other = seen.setdefault((_name(cache, video, several), split), cache)
            if other is not cache:  # though it may be the same file, given twice
                cause = f"{video} is in {other.path} too"
                raise BadInput(cache.path, cause, "merge each video once")
