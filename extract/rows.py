"""A row of a feature cache: one video's words and tensors."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from extract.manifest import CacheManifest, Dtype, list_hash


@dataclass(frozen=True)
class Entry:
    """A row's words: which video, and how it went.

    `error` says why a row failed; in an ok row it is empty, or notes what was passed over.
    """

    video: str
    label: int
    split: str
    status: Literal["ok", "failed"]
    error: str = ""


@dataclass(frozen=True)
class Features:
    """A row's tensors, as they are stored.

    Attributes:
        regions: (V·T, R, D) float16, or int8 with `regions_scale`.
        region_size: (V·T, R) uint16, patches merged in each token.
        patch_region: (V·T, P) uint8 or uint16, the token each patch ended in; R for a patch whose
            region was not kept.
        timestamps: (V·T,) float32, seconds from the video's first frame.
        regions_scale: (V·T, R) float16 for int8, else None.
    """

    regions: NDArray[Any]
    region_size: NDArray[np.uint16]
    patch_region: NDArray[Any]
    timestamps: NDArray[np.float32]
    regions_scale: NDArray[np.float16] | None = None


def quantise(
    regions: NDArray[np.float32], dtype: Dtype
) -> tuple[NDArray[Any], NDArray[np.float16] | None]:
    """Make region embeddings small.

    Args:
        regions: (..., R, D) float32.
        dtype: "float16", or "int8": 127 steps each way to a token's largest value.

    Returns:
        The array to store, and for int8 its scale (..., R) float16, else None.

    Raises:
        ValueError: values that are not finite, or beyond float16's range.
    """
    peak = np.abs(regions).max(axis=-1, initial=0)  # (..., R)
    if not peak.max(initial=0) < np.finfo(np.float16).max:  # also when it is not a number
        raise ValueError("features are not finite in float16")
    if dtype == "float16":
        return regions.astype(np.float16), None
    scale = (peak / 127).astype(np.float16)
    # Rounded down, the scale would clip the peak: take float16's next value.
    low = scale.astype(np.float32) * 127 < peak
    scale = np.where(low, np.nextafter(scale, np.float16(np.inf)), scale).astype(np.float16)
    divisor = np.where(scale > 0, scale, 1).astype(np.float32)[..., None]
    return np.rint(regions / divisor).astype(np.int8), scale


def row_digest(entry: Entry, features: Features | None) -> bytes:
    """SHA-256 of one row's stored content."""
    words = [entry.video, entry.label, entry.split, entry.status, entry.error]
    digest = hashlib.sha256(json.dumps(words).encode())
    if features is not None:
        for value in vars(features).values():
            if value is not None:
                digest.update(value.tobytes())
    return digest.digest()


def finished(
    manifest: CacheManifest, entries: Sequence[Entry], digests: Sequence[bytes]
) -> CacheManifest:
    """Fill in what only the rows can say: counts and hashes."""
    manifest = manifest.model_copy(
        update={
            "failed": sum(e.status == "failed" for e in entries),
            "list_hash": list_hash((e.video, e.label, e.split) for e in entries),
            "content_hash": "",
        }
    )
    digest = hashlib.sha256(manifest.model_dump_json().encode())
    digest.update(b"".join(digests))
    return manifest.model_copy(update={"content_hash": digest.hexdigest()})
