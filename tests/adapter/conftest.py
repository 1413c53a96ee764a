from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from adapter.data import ClipSet
from adapter.task import Task
from adapter.text import DEFAULT_PROMPTS, label_text
from corpus.backbone import Backbone
from corpus.preprocess import Preprocess
from extract.quantise import quantise
from extract.store import CacheManifest, CacheWriter, Entry, Features

FRAMES, REGIONS, GRID = 4, 5, (2, 3)


def manifest(backbone: Backbone | None = None, **facts: object) -> CacheManifest:
    """A manifest of a small cache, as if made by `backbone`."""
    model, _, pretrained = (backbone.name if backbone else "toy/none").partition("/")
    preprocess = Preprocess(
        size=(112, 112),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        interpolation="bicubic",
        resize_mode="shortest",
    )
    default: dict[str, object] = {
        "dataset": "folder",
        "split": "train",
        "classes": ("a", "b"),
        "clips": 1,
        "backbone": f"{model}/{pretrained}",
        "model": model,
        "pretrained": pretrained,
        "fingerprint": backbone.fingerprint if backbone else "toy",
        "random_weights": True,
        "merge": 0,
        "frames": FRAMES,
        "views": "1x1",
        "sampling": "centre",
        "seed": 0,
        "preprocess": preprocess,
        "precision": "float32",
        "dtype": "float16",
        "compression": "none",
        "dim": backbone.dim if backbone else 32,
        "regions": REGIONS,
        "patches": GRID[0] * GRID[1],
        "grid": GRID,
    }
    return CacheManifest.model_validate(default | facts)


WriteCache = Callable[..., Path]


@pytest.fixture
def write_cache(tmp_path: Path) -> WriteCache:
    """Write a cache of synthetic clips: those of a class are near its direction, with noise."""

    def write(
        name: str = "feats.h5",
        classes: Sequence[str] = ("archery", "hugging", "singing", "cleaning pool"),
        per_class: int = 4,
        split: str = "train",
        splits: Sequence[str] = (),
        folder: str = "",
        noise: float = 1.0,
        seed: int = 0,
        failed: int = 0,
        unlabelled: int = 0,
        backbone: Backbone | None = None,
        directions: torch.Tensor | None = None,
        **facts: object,
    ) -> Path:
        rows = len(classes) * per_class

        def split_of(number: int) -> str:
            """The split of the clips of each class, and of failed videos, by their number."""
            return splits[number % len(splits)] if splits else split

        made = manifest(
            backbone,
            classes=tuple(classes),
            clips=rows + failed + unlabelled,
            failed=failed,
            **facts,
        )
        generator = torch.Generator().manual_seed(seed)
        if directions is None:
            directions = torch.randn(
                len(classes), made.dim, generator=torch.Generator().manual_seed(9)
            )
        directions = F.normalize(directions, dim=-1)
        path = tmp_path / name
        writer = CacheWriter(path, made)
        for row in range(rows + unlabelled):
            label = row % len(classes) if row < rows else -1
            shape = (made.frame_count, made.regions, made.dim)
            spread = noise * torch.randn(shape, generator=generator) / made.dim**0.5
            regions, scale, _ = quantise(3 * (directions[label] + spread), made.dtype)
            drawn = torch.randint(
                1, made.regions, (made.frame_count, made.patches), generator=generator
            )
            sizes = F.one_hot(drawn, made.regions).sum(1).numpy().astype(np.uint16)
            features = Features(
                regions=regions.numpy(),
                region_size=sizes,
                patch_region=drawn.numpy().astype(np.uint8),
                timestamps=np.arange(made.frame_count, dtype=np.float32),
                regions_scale=None if scale is None else scale.numpy(),
            )
            part = split_of(row // len(classes))
            writer.append(Entry(f"{folder or part}/{row:04}.mp4", label, part, "ok"), features)
        for row in range(failed):
            part = split_of(row)
            writer.append(Entry(f"{part}/broken{row}.mp4", 0, part, "failed", "no frames"), None)
        writer.close()
        return path

    return write


@dataclass(frozen=True)
class WrittenEntity:
    """An entity as the corpus has it, of the fields that runs keep."""

    unit: str
    kind: str = "object"
    description: str = "a thing"
    synset: str | None = None


@dataclass(frozen=True)
class WrittenCorpus:
    """A corpus in memory, for tests that need no sentence read."""

    entities: list[WrittenEntity]
    embeddings: np.ndarray
    id: str = "0123456789abcdef"


@pytest.fixture
def make_task(mini: Backbone) -> Callable[..., Task]:
    """A task on clips of the mini backbone, with forty entities."""

    def make(clips: ClipSet, val: ClipSet | None = None) -> Task:
        generator = torch.Generator().manual_seed(1)
        entities = F.normalize(torch.randn(40, mini.dim, generator=generator), dim=-1)
        names = [WrittenEntity(f"thing {i}") for i in range(40)]
        return Task(
            clips=clips,
            val=val,
            validation="none" if val is None else "given",
            backbone=mini,
            corpus=WrittenCorpus(names, entities.numpy()),
            prompts=DEFAULT_PROMPTS,
            labels=label_text(clips.classes, mini),
        )

    return make
