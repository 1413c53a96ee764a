import os
import resource
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import torch

from corpus.backbone import Backbone
from corpus.preprocess import Preprocess
from extract.datasets import Dataset, open_dataset
from extract.quantise import quantise
from extract.run import Options, extract
from extract.store import CacheManifest, CacheWriter, Entry, Features


@pytest.fixture
def manifest() -> CacheManifest:
    return CacheManifest(
        dataset="folder",
        split="all",
        classes=("archery", "[odd] name"),
        clips=3,
        backbone="alt-mini/none",
        model="alt-mini",
        pretrained="none",
        fingerprint="f" * 32,
        random_weights=True,
        merge=2,
        frames=2,
        views="1x2",
        sampling="centre",
        seed=0,
        preprocess=Preprocess(
            size=(8, 8),
            mean=(0.5, 0.5, 0.5),
            std=(0.2, 0.2, 0.2),
            interpolation="bicubic",
            resize_mode="shortest",
        ),
        precision="float32",
        dtype="float16",
        compression="none",
        dim=6,
        regions=5,
        patches=9,
        grid=(3, 3),
    )


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small models lose more to threads that wait for each other than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


WriteCache = Callable[..., list[np.ndarray]]


@pytest.fixture
def write_cache() -> WriteCache:
    """Writes a cache whose row 1 failed; returns the float32 regions of the other rows."""

    def write(path: Path, manifest: CacheManifest) -> list[np.ndarray]:
        writer = CacheWriter(path, manifest)
        made = []
        for index in range(manifest.clips):
            if index == 1:
                writer.append(Entry("b/ü.mp4", 1, "all", "failed", "no video stream"), None)
            else:
                features, regions = random_features(manifest, index)
                writer.append(Entry(f"a/{index}.mp4", 0, "all", "ok"), features)
                made.append(regions)
        writer.close()
        return made

    return write


@pytest.fixture
def few_files() -> Iterator[Callable[[int], None]]:
    """Allow so many open files more, until the end of the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def free(number: int) -> bool:
        try:
            os.fstat(number)
        except OSError:
            return True
        return False

    def allow(more: int) -> None:
        left = filter(free, count())
        limit = next(islice(left, more, None))  # no file gets this number, nor any above
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))

    yield allow
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def random_features(manifest: CacheManifest, seed: int) -> tuple[Features, np.ndarray]:
    rng = np.random.default_rng(seed)
    frames = manifest.frame_count
    regions = rng.normal(size=(frames, manifest.regions, manifest.dim)).astype(np.float32)
    stored, scale, _ = quantise(torch.from_numpy(regions), manifest.dtype)
    patches = (frames, manifest.patches)
    features = Features(
        regions=stored.numpy(),
        region_size=rng.integers(1, 9, (frames, manifest.regions)).astype(np.uint16),
        patch_region=rng.integers(0, manifest.regions, patches).astype(np.uint8),
        timestamps=np.arange(frames, dtype=np.float32),
        regions_scale=None if scale is None else scale.numpy(),
    )
    return features, regions


RUN = Options(frames=4, checkpoint=3, batch=8)


@pytest.fixture(scope="module")
def videos(tmp_path_factory, make_clip) -> Path:
    """Seven videos of two classes, one of them cut short."""
    root = tmp_path_factory.mktemp("videos")
    for index in range(7):
        name = f"{'archery' if index < 4 else 'singing'}/{index}.mp4"
        make_clip(root / name, frames=6 + index, seed=index)
    broken = root / "archery/2.mp4"
    broken.write_bytes(broken.read_bytes()[:900])
    return root


@pytest.fixture(scope="module")
def dataset(videos: Path) -> Dataset:
    return open_dataset("folder", videos)


@pytest.fixture(scope="module")
def whole(dataset: Dataset, mini: Backbone, tmp_path_factory) -> Path:
    """The cache of an uninterrupted run."""
    path = tmp_path_factory.mktemp("whole") / "feats.h5"
    extract(dataset, mini, path, RUN, workers=1)
    return path


def fill(root: Path, text: str) -> Path:
    """Make empty files of these names."""
    for name in text.split("|"):
        path = root / name.strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def rows(dataset: Dataset) -> list[tuple[str, int, str]]:
    return [(clip.video, clip.label, clip.split) for clip in dataset.clips]
