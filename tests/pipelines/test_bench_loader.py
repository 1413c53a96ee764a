from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from adapter.clips import Clips
from corpus.backbone import Backbone
from extract.regions import RegionEncoder
from extract.store import FeatureCache
from pipelines.bench_loader import STEPS, _write, stream


def test_every_clip_of_the_random_cache_is_streamed_once(mini: Backbone, tmp_path: Path) -> None:
    encoder = RegionEncoder(mini.model, 4)
    seen: list[Clips] = []
    entities = F.normalize(torch.randn(20, encoder.dim), dim=-1)
    took = stream(seen.append, encoder, 2, 3, torch.device("cpu"), entities, tmp_path)
    assert [len(batch.regions) for batch in seen] == [3] * (STEPS + 1)
    assert seen[0].regions.shape == (3, 2, encoder.regions, encoder.dim)
    assert seen[0].nearest.max() < 20  # looked up, as in training
    assert seen[0].cosine.shape == seen[0].nearest.shape == (3, 2, encoder.regions, 4)
    # What a batch holds is what is in the file, but for HDF5's own bytes and the patches' regions.
    held = seen[0].regions.nbytes
    assert took.megabytes == pytest.approx(held / 1e6, rel=0.3)
    assert 0 < took.busy < 1
    assert took.disk > 0
    assert list(tmp_path.iterdir()) == []


def test_regions_of_more_numbers_than_a_byte_has_are_written(tmp_path: Path) -> None:
    large = SimpleNamespace(merge=0, dim=4, regions=385, patches=384, grid=(16, 24))
    _write(tmp_path / "random.h5", large, 1, 2)
    assert FeatureCache(tmp_path / "random.h5").patch_region(1).max() > 255
