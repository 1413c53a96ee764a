"""A row of a feature cache: one video's words and tensors."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from extract.manifest import CacheManifest, list_hash


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

    def tensors(self) -> list[NDArray[Any]]:
        """Those there are, in this order, each contiguous."""
        return [np.ascontiguousarray(value) for value in vars(self).values() if value is not None]


def dequantised(regions: NDArray[Any], scale: NDArray[np.float16] | None) -> NDArray[np.float32]:
    """Region embeddings (..., R, D) float32 of those stored; `scale` is (..., R), None without."""
    values: NDArray[np.float32] = regions.astype(np.float32)
    return values if scale is None else values * scale.astype(np.float32)[..., None]


def row_digest(entry: Entry, features: Features | None) -> bytes:
    """SHA-256 of one row's stored content."""
    words = [entry.video, entry.label, entry.split, entry.status, entry.error]
    digest = hashlib.sha256(json.dumps(words).encode())
    if features is not None:
        for tensor in features.tensors():
            digest.update(tensor.data)
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
