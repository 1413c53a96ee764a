"""On a GPU training goes as on a CPU, but for rounding. Skipped where there is no GPU."""

import pytest
import torch
from torch.nn import functional as F

from adapter.baselines import build
from adapter.clips import Clips
from adapter.data import open_clips
from adapter.model import ModelConfig
from adapter.stores import InMemory
from adapter.train import TrainConfig, fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
GPU = torch.device("cuda")


def test_clips_held_on_the_gpu_are_those_in_memory():
    held = InMemory(Clips(torch.randn(20, 2, 4, 5, 32).half(), torch.rand(20, 2, 4, 5, 3).half()))
    moved = held.to(GPU)
    assert moved.clips.regions.is_cuda
    rows, views = torch.tensor([3, 0, 19, 3]), torch.tensor([1, 0, 1, 0])
    ours, theirs = held.fetch(rows, views), moved.fetch(rows, views)
    assert torch.equal(theirs.regions.cpu(), ours.regions)
    assert torch.equal(theirs.place.cpu(), ours.place)


@pytest.mark.parametrize(("precision", "near"), [("float32", 1e-3), ("bfloat16", 0.1)])
def test_training_goes_as_on_a_cpu(write_cache, precision: str, near: float):
    clips = open_clips([write_cache()])
    draw = torch.Generator().manual_seed(0)
    labels = F.normalize(torch.randn(4, 2, clips.facts.dim, generator=draw), dim=-1)
    entities = F.normalize(torch.randn(40, clips.facts.dim, generator=draw), dim=-1)
    losses = {}
    for device in ("cpu", "cuda"):
        # What a GPU draws is not what a CPU draws, so nothing is drawn.
        settings = ModelConfig(method="alt", dropout=0.0, explore=False)
        model = build(settings, entities, clips.facts.regions, 100.0, 0)
        config = TrainConfig(
            epochs=6, batch_size=8, frame_dropout=0, region_dropout=0, mirror=False, reframe=0,
            mixup=0, precision=precision,
        )  # fmt: skip
        *_, last = fit(model, clips, labels, config, device=device)
        losses[device] = [record["loss"] for record in last.history]
    assert losses["cuda"] == pytest.approx(losses["cpu"], abs=near)
    assert losses["cuda"][-1] < losses["cuda"][0]
