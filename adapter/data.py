"""Clips to learn from: feature caches as one data set, in memory when they fit, else streamed."""

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from pathlib import Path

import psutil
import torch
from torch import Tensor

from adapter.clips import PLACE, Clips
from adapter.stores import Store, Streamed, read_all
from corpus.errors import BadInput
from corpus.labels import readable
from corpus.tally import Tally
from corpus.words import counted
from extract.ahead import in_order
from extract.datasets.splits import Part, part_of
from extract.store import CacheManifest, FeatureCache

_MEMORY_SHARE = 0.5  # of what is free; the rest is for the model and for others
_AHEAD = 2  # batches
ASKED = 4  # batches beyond them that the disk is asked for: many small rows at once keep it busy
# Facts that must agree for features to be comparable.
_SHARED_FACTS = (
    *("fingerprint", "preprocess", "merge", "keep_regions"),
    *("frames", "view_count", "regions", "dim"),
)

# Of caches: one, or several.
Paths = Path | str | Sequence[Path | str]
SCORED: tuple[Part, ...] = ("test", "validation")  # of a cache with several parts, best first


@dataclass(frozen=True)
class ClipSet:
    """Labelled clips. An item is one view of one clip: item `i · views + v`.

    Attributes:
        store: where the features are.
        rows: (N,) rows of the store.
        labels: (N,) int64, indices into `classes`.
        seen: (N,) bool, False for a video that could not be decoded: it has no features, and
            counts as wrong wherever it is scored. There is none among clips to train on.
        videos, splits: of each clip.
        classes: names of the labels.
        facts: the manifest of the first cache; the facts that matter agree in all.
        left_out: rows not used, counted by reason.
        sources: the caches.
        contents: their content hashes.
        stored: digest of which rows of which cache the store has.
    """

    # What there is one of for each clip is not shown: a notebook would choke on it.
    store: Store = field(repr=False)
    rows: Tensor = field(repr=False)
    labels: Tensor = field(repr=False)
    seen: Tensor = field(repr=False)
    videos: tuple[str, ...] = field(repr=False)
    splits: tuple[str, ...] = field(repr=False)
    classes: tuple[str, ...]
    facts: CacheManifest
    left_out: Counter[str]
    sources: tuple[Path, ...]
    contents: tuple[str, ...]
    stored: str

    @property
    def views(self) -> int:
        """V, views of each clip."""
        return self.facts.view_count

    def __len__(self) -> int:
        """N, clips."""
        return len(self.rows)

    def fetch(self, items: Tensor) -> tuple[Clips, Tensor]:
        """Read a batch of items: clips (batch, T, R, ·) float16 and labels (batch,)."""
        clip = items.div(self.views, rounding_mode="floor")
        return self.store.fetch(self.rows[clip], items % self.views), self.labels[clip]

    def batches(
        self, parts: Iterable[Tensor], device: torch.device
    ) -> Iterator[tuple[Clips, Tensor]]:
        """Read batches of items in the order given, and move them to a device.

        One thread reads and moves ahead. It needs no handle in another process, which HDF5 takes
        ill, and the bytes and their order are the same as without it.
        """
        with ThreadPoolExecutor(1) as reader:
            # The disk is asked for some more meanwhile, which keeps it busy.
            asked = in_order(reader, self._expect, parts, ASKED + 1)
            yield from in_order(reader, partial(self._fetch_to, device), asked, _AHEAD + 1)

    def _expect(self, items: Tensor) -> Tensor:
        self.store.expect(self.rows[items.div(self.views, rounding_mode="floor")])
        return items

    def _fetch_to(self, device: torch.device, items: Tensor) -> tuple[Clips, Tensor]:
        clips, labels = self.fetch(items)
        return clips.to(device), labels.to(device)

    def subset(self, keep: Sequence[int] | Tensor) -> "ClipSet":
        """Return the clips at these positions, in this order."""
        keep = torch.as_tensor(keep, dtype=torch.int64)
        return replace(
            self,
            rows=self.rows[keep],
            labels=self.labels[keep],
            seen=self.seen[keep],
            videos=tuple(self.videos[i] for i in keep.tolist()),
            splits=tuple(self.splits[i] for i in keep.tolist()),
        )

    def of_classes(self, names: Iterable[str]) -> "ClipSet":
        """Return the clips of these classes, which match as they read; labels stay."""
        wanted = {readable(name) for name in names}
        there = torch.tensor([readable(name) in wanted for name in self.classes])
        return self.subset(there[self.labels].nonzero()[:, 0])

    def relabelled(self, classes: Sequence[str], source: object = "the labels") -> "ClipSet":
        """Return the same clips with their labels as indices into `classes`.

        Args:
            classes: names; they match as they read, so that "HorseRiding" is "horse riding".
            source: where they come from, for the error.

        Raises:
            BadInput: a class that has clips is not among them.
        """
        index = {readable(name): i for i, name in enumerate(classes)}
        used = sorted(set(self.labels.tolist()))
        absent = [self.classes[i] for i in used if readable(self.classes[i]) not in index]
        if absent:
            more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
            raise BadInput(
                source,
                f"{', '.join(map(repr, absent[:3]))}{more} of the data "
                f"{'is' if len(absent) == 1 else 'are'} not among its "
                f"{counted(len(classes), 'label')}",
                "add them, or choose the label set that the data was labelled with",
            )
        table = torch.tensor([index.get(readable(name), -1) for name in self.classes])
        return replace(self, labels=table[self.labels], classes=tuple(classes))

    def named_as(self, videos: Iterable[str]) -> int:
        """Count the videos that have the name of one of these."""
        return len(set(self.videos) & set(videos))

    def seen_classes(self) -> tuple[str, ...]:
        """Return the classes that have a clip, in their order."""
        return tuple(self.classes[i] for i in sorted(set(self.labels.tolist())))

    def to(self, device: torch.device) -> "ClipSet":
        """Hold the features on a device, where they are in memory and it has room for them."""
        return replace(self, store=self.store.to(device))


def listed(paths: Paths) -> list[Path]:
    """Return one path or several as a list."""
    return [Path(path) for path in ([paths] if isinstance(paths, Path | str) else paths)]


def opened(paths: Paths) -> list[FeatureCache]:
    """Open one cache or several.

    Raises:
        BadInput: there is none to open, or a file is no cache.
    """
    caches = [FeatureCache(path) for path in listed(paths)]
    if not caches:
        raise BadInput("features", "name no cache", "give one or more")
    return caches


def open_clips(
    paths: Paths,
    in_memory: bool | None = None,
    scored: bool = False,
    parts: Sequence[Part] = (),
    tally: Tally | None = None,
) -> ClipSet:
    """Open feature caches as one set of labelled clips.

    Args:
        paths: of a cache, or of several made by the same backbone with the same settings.
        in_memory: read everything now, or stream; by default, whether half of the free memory
            holds it.
        scored: the clips are to be scored: a labelled video that could not be decoded is one of
            them, not `seen`. Otherwise they are to be trained on, and it is left out.
        parts: of a cache whose labelled rows are of several parts, take those of the first of
            these of which it has features, and no others. By default, and of a cache of one part,
            take all.
        tally: called with each clip that is read into memory; not at all where they are streamed.

    Returns:
        Every such row that has a label; the others are counted in `left_out`.

    Raises:
        BadInput: a file that is no cache, caches that differ in a fact that matters or in nothing,
            no usable row.
    """
    caches = opened(paths)
    facts = caches[0].manifest
    _check_alike(caches)
    classes: dict[str, tuple[int, str]] = {}
    rows: list[tuple[int, int]] = []
    labels: list[int] = []
    seen: list[bool] = []
    videos: list[str] = []
    splits: list[str] = []
    left_out: Counter[str] = Counter()
    for number, cache in enumerate(caches):
        _warn_of_alike(cache)
        _, _, whole = cache.manifest.part.partition("/")
        if whole and len(caches) < int(whole):
            cause = f"is part {cache.manifest.part}, and the others are not given"
            warnings.warn(f"{cache.path}: {cause}; merge them with alt-features", stacklevel=2)
        own = [
            classes.setdefault(readable(name), (len(classes), name))[0]
            for name in cache.manifest.classes
        ]
        taken = _taken(cache, parts)
        table = zip(cache.videos, cache.labels.tolist(), cache.splits, cache.status, strict=True)
        for row, (video, label, split, status) in enumerate(table):
            if label < 0:
                left_out["unlabelled"] += 1
            elif part_of(split) not in taken:
                left_out[f"of split {split}"] += 1
            elif status != "ok" and not scored:
                left_out["failed"] += 1
            else:
                rows.append((number, row))
                labels.append(own[label])
                seen.append(status == "ok")
                videos.append(video)
                splits.append(split)
    if not any(seen):
        left_out["failed"] += len(seen)
        counts = ", ".join(f"{count} {reason}" for reason, count in (+left_out).items())
        raise BadInput(
            caches[0].path,
            f"holds no clip with features and a label ({counts or 'no rows'})",
            "give one with labels; those without are for alt-adapter predict --features"
            if left_out["unlabelled"]
            else "extract it again, or give another",
        )
    streamed = Streamed(caches, rows)
    frames = facts.view_count * facts.frames
    size = 2 * len(rows) * frames * facts.regions * (facts.dim + PLACE)
    if in_memory is None:
        in_memory = size < _MEMORY_SHARE * psutil.virtual_memory().available
    return ClipSet(
        store=read_all(streamed, len(rows), facts, tally) if in_memory else streamed,
        rows=torch.arange(len(rows)),
        labels=torch.tensor(labels),
        seen=torch.tensor(seen),
        videos=tuple(videos),
        splits=tuple(splits),
        classes=tuple(name for _, name in classes.values()),
        facts=facts,
        left_out=left_out,
        sources=tuple(cache.path for cache in caches),
        contents=tuple(cache.manifest.content_hash for cache in caches),
        stored=hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16],
    )


def _check_alike(caches: Sequence[FeatureCache]) -> None:
    """Refuse caches that are not to be used together.

    Raises:
        BadInput: they differ in a fact that matters, or two hold the same features.
    """
    for other, cache in combinations(caches, 2):
        if other.manifest.content_hash == cache.manifest.content_hash:
            cause = f"holds the same features as {other.path}"
            raise BadInput(cache.path, cause, "give it once")
    first, *others = caches
    for cache in others:
        for fact in _SHARED_FACTS:
            ours, theirs = getattr(first.manifest, fact), getattr(cache.manifest, fact)
            if ours != theirs:
                raise BadInput(
                    cache.path,
                    f"its {fact} is {theirs}, that of {first.path} is {ours}",
                    "extract both with the same backbone and settings",
                )


def _taken(cache: FeatureCache, parts: Sequence[Part]) -> set[Part]:
    """Return the parts whose labelled rows are taken of a cache; see `open_clips`."""
    labelled = [
        (part_of(split), status)
        for label, split, status in zip(
            cache.labels.tolist(), cache.splits, cache.status, strict=True
        )
        if label >= 0
    ]
    there = {part for part, _ in labelled}
    decoded = {part for part, status in labelled if status == "ok"}
    first = [part for part in parts if part in (decoded or there)][:1]
    return set(first) if parts and len(there) > 1 else there


def _warn_of_alike(cache: FeatureCache) -> None:
    """Warn of classes of one cache that are taken as one, as their names read the same."""
    names: dict[str, str] = {}
    for name in cache.manifest.classes:
        first = names.setdefault(readable(name), name)
        if first != name:
            warnings.warn(
                f"{cache.path}: its classes {first!r} and {name!r} read the same, and are taken as "
                "one; rename one of them, and extract again, if they are two",
                stacklevel=3,
            )


def hold_out(clips: ClipSet, share: float = 0.1, least: int = 20) -> tuple[ClipSet, ClipSet | None]:
    """Set a part of the training clips aside, to choose the best epoch by.

    Args:
        clips: to divide. Those of one video, of several caches, stay together.
        share: of the videos of each class, rounded down: by default none of fewer than ten.
        least: clips that a choice can be based on.

    Returns:
        The clips to train on and those held out, the same in every run; None for the latter, and
        all of the former, where they would be fewer than `least`.
    """
    generator = torch.Generator().manual_seed(0)
    chosen: set[str] = set()
    members: list[dict[str, None]] = [{} for _ in clips.classes]  # videos of each class, in order
    for label, video in zip(clips.labels.tolist(), clips.videos, strict=True):
        members[label][video] = None
    for videos in map(list, members):
        order = torch.randperm(len(videos), generator=generator)
        chosen |= {videos[i] for i in order[: int(share * len(videos))].tolist()}
    held = [i for i, video in enumerate(clips.videos) if video in chosen]
    kept = [i for i, video in enumerate(clips.videos) if video not in chosen]
    if len(held) < least or not kept:
        return clips, None
    return clips.subset(kept), clips.subset(held)
