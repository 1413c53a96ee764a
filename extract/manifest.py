"""What made a feature cache: the facts that decide what its numbers mean."""

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from corpus.errors import BadInput
from corpus.preprocess import Preprocess

SCHEMA_VERSION = 1

Dtype = Literal["float16", "int8"]
Compression = Literal["none", "lz4", "zstd"]

# Facts of a part alone.
OF_PART = ("start", "whole_clips", "whole_hash")


class CacheManifest(BaseModel):
    """All that decides what a cache's numbers mean; its fields are the file's attributes.

    Attributes:
        dataset, split: as given to the extraction.
        classes: class names; a label is an index into them.
        clips: N, rows in the cache, failed ones included.
        failed: how many of them have status "failed".
        list_hash: SHA-256 of the rows' (video, label, split), in order.
        backbone: "MODEL/PRETRAINED", for people; `model` and `pretrained` open it again.
        fingerprint: of the weights; equal fingerprints, equal embeddings.
        random_weights: True when the weights mean nothing.
        merge: token pairs merged in each block, r.
        keep_regions: of each frame's regions only so many, the largest, are stored beside the
            class token; 0 when all are.
        frames: T, frames in a view.
        views: "TxS", temporal × spatial views; V = T·S.
        sampling: "centre" or "random" (TSN segments).
        seed: of random sampling.
        augment: each view is a random crop, mirrored by even chance; for training only.
        part: "i/n" when this is the i-th of n parts to be merged, else "".
        start: how many clips of the whole list come before a part's.
        whole_clips, whole_hash: how many clips the whole list of a part has, and its `list_hash`.
        precision: of the encoder's computation: "float32", "bfloat16" or "float16".
        dim, regions, patches, grid: D, R (as stored), P and the patches' (rows, columns).
        content_hash: SHA-256 of this manifest and of every row; the cache's identity.
    """

    model_config = ConfigDict(frozen=True)
    schema_version: int = SCHEMA_VERSION
    dataset: str
    split: str
    classes: tuple[str, ...]
    clips: int = Field(ge=1)
    failed: int = Field(default=0, ge=0)
    list_hash: str = ""
    backbone: str
    model: str
    pretrained: str
    fingerprint: str
    random_weights: bool
    merge: int = Field(ge=0)
    keep_regions: int = Field(default=0, ge=0)
    frames: int = Field(ge=1)
    views: str = Field(pattern="^[1-9][0-9]{0,5}x[1-9][0-9]{0,5}$")
    sampling: str
    seed: int
    augment: bool = False
    part: str = Field(default="", pattern="^([0-9]+/[0-9]+)?$")
    start: int = Field(default=0, ge=0)
    whole_clips: int = Field(default=0, ge=0)
    whole_hash: str = ""
    preprocess: Preprocess
    precision: str
    dtype: Dtype
    compression: Compression
    dim: int = Field(ge=1)
    regions: int = Field(ge=1)
    patches: int = Field(ge=1)
    grid: tuple[int, int]
    content_hash: str = ""

    @model_validator(mode="after")
    def _agrees(self) -> "CacheManifest":
        if min(self.grid) < 1 or math.prod(self.grid) != self.patches:
            raise ValueError(f"a grid of {self.grid} has not {self.patches} patches")
        if self.failed > self.clips:
            raise ValueError(f"{self.failed} of {self.clips} clips failed")
        return self

    @model_serializer(mode="wrap")
    def _told(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what only parts have."""
        return {name: value for name, value in dump(self).items() if value or name not in OF_PART}

    @property
    def view_count(self) -> int:
        """V, views of a clip."""
        temporal, spatial = self.views.split("x")
        return int(temporal) * int(spatial)

    @property
    def frame_count(self) -> int:
        """V·T, frames stored for a clip."""
        return self.view_count * self.frames


def list_hash(rows: Iterable[tuple[str, int, str]]) -> str:
    """SHA-256, as hex, of (video, label, split) rows: which videos a number was measured on."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


def tensors(manifest: CacheManifest) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Per-row shape and dtype of each tensor dataset."""
    m, frames = manifest, manifest.frame_count
    layout: dict[str, tuple[tuple[int, ...], Any]] = {
        "regions": ((frames, m.regions, m.dim), np.int8 if m.dtype == "int8" else np.float16),
        "region_size": ((frames, m.regions), np.uint16),
        "patch_region": ((frames, m.patches), patch_dtype(m.regions)),
        "timestamps": ((frames,), np.float32),
    }
    if m.dtype == "int8":
        layout["regions_scale"] = ((frames, m.regions), np.float16)
    return {name: (shape, np.dtype(dtype)) for name, (shape, dtype) in layout.items()}


def row_bytes(manifest: CacheManifest) -> int:
    """Bytes of a row's tensors, uncompressed."""
    return sum(math.prod(shape) * dtype.itemsize for shape, dtype in tensors(manifest).values())


def check_rows(manifest: CacheManifest) -> None:
    """Refuse rows that are too large: a row is a chunk of HDF5, which counts its bytes in 32 bits.

    Raises:
        BadInput: so they are.
    """
    largest = max(math.prod(shape) * dtype.itemsize for shape, dtype in tensors(manifest).values())
    if largest >= 2**32:
        views, frames = manifest.view_count, manifest.frames
        cause = f"of {views} views make {largest / 1e9:.1f} GB a video, and 4.2 have room"
        raise BadInput(f"--frames {frames}", cause, "use fewer frames or views")


def patch_dtype(regions: int) -> np.dtype[Any]:
    """The smallest unsigned type for the numbers 0..regions, the last of which means "cut"."""
    return np.dtype(np.uint8 if regions <= 255 else np.uint16)
