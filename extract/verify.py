"""Proof that a feature cache is what it was when it was made."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpus.causes import first_cause
from corpus.errors import BadInput
from corpus.tally import Tally, tallied
from extract.manifest import CacheManifest
from extract.rows import Entry, Features, finished, row_digest
from extract.seal import digest
from extract.store import FeatureCache
from extract.writer import USER_BLOCK, user_block


@dataclass(frozen=True)
class Verdict:
    """What was found; a cache is sound when there are no faults.

    Attributes:
        manifest: the cache's facts.
        faults: one line each.
    """

    manifest: CacheManifest
    faults: tuple[str, ...]


def verify(path: Path | str, tally: Tally | None = None) -> Verdict:
    """Check a cache's every byte, then its hashes, counts and ranges.

    Args:
        path: the file.
        tally: called with each piece of the file, then with each row.

    Raises:
        BadInput: the file cannot be read, or not as a cache, so damaged or so foreign is it.
    """
    path = Path(path)
    faults = []
    try:
        if not path.is_file():
            raise BadInput(path, "no such feature cache", "make it with alt-extract")
        if not _sealed(path, tally):
            faults.append("bytes have changed since the file was written")
    except OSError as error:
        cause = f"cannot be read ({first_cause(error)})"
        raise BadInput(path, cause, "see to its disk, or copy it from elsewhere") from error
    cache = FeatureCache(path)
    entries, digests = [], []
    for index in tallied(range(len(cache)), len(cache), tally):
        try:
            entry, features = cache.entry(index), cache.features(index)
        except BadInput as error:
            faults.append(f"row {index} {error.cause}")
            continue
        faults += (f"row {index} ({entry.video}): {what}" for what in _odd(cache, entry, features))
        entries.append(entry)
        digests.append(row_digest(entry, features))
    manifest = finished(cache.manifest, entries, digests)
    for name in ("failed", "list_hash", "content_hash"):
        told, found = getattr(cache.manifest, name), getattr(manifest, name)
        if told != found:
            faults.append(f"{name} is {found}, and its attribute says {told}")
    return Verdict(cache.manifest, tuple(faults))


def _sealed(path: Path, tally: Tally | None) -> bool:
    """Whether a file's bytes are those that its user block was written for."""
    with path.open("rb") as file:
        return file.read(USER_BLOCK) == user_block(digest(path, USER_BLOCK, tally))


def _odd(cache: FeatureCache, entry: Entry, features: Features | None) -> list[str]:
    """What cannot be true of a row."""
    manifest = cache.manifest
    if features is None:
        return [] if entry.error else ["failed without a reason"]
    odd = []
    values = [features.regions, features.timestamps, features.regions_scale]
    if not all(np.isfinite(value).all() for value in values if value is not None):
        odd.append("values that are not finite")
    kept, sizes = features.patch_region < manifest.regions, features.region_size
    if (sizes.sum(axis=1, dtype=np.int64) != 1 + kept.sum(axis=1)).any():
        odd.append("region sizes do not add up to the patches")
    if features.patch_region.max(initial=0) >= manifest.regions + bool(manifest.keep_regions):
        odd.append("patches in regions that do not exist")
    else:
        for size, source in zip(sizes, features.patch_region, strict=True):
            counts = np.bincount(source, minlength=manifest.regions)[: manifest.regions]
            counts[0] += 1  # the class token stands for itself
            if (counts != size).any():
                odd.append("region sizes and patch map disagree")
                break
    if (features.timestamps < 0).any():
        odd.append("timestamps below zero")
    return odd
