"""Whether all tensors of a computation are on one device, told without a GPU.

PyTorch's fake tensors have a device and a shape and no numbers: operators refuse a mixture of
devices as they would on a machine with a GPU. What a GPU computes, they cannot tell.

Run by test_devices.py in a process of its own: autograd's threads for the GPU that is not there
would make later tests fail that fork.
"""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from adapter.augment import draw_mix, drop_frames, drop_regions, move_frame
from adapter.baselines import build
from adapter.clips import Clips
from adapter.model import ModelConfig
from adapter.train import _loss
from corpus.backbone import Backbone
from extract.regions import RegionEncoder
from extract.views import normalise

GPU = "cuda:0"
DIM, ENTITIES, BATCH, FRAMES, REGIONS, TOP = 32, 40, 8, 6, 9, 4


@pytest.fixture
def fake_gpu():
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield GPU


def moved(module: nn.Module) -> Any:
    """Put a module's weights and buffers on the GPU that is not there, in place."""
    for part in module.modules():
        for name, weight in part.named_parameters(recurse=False):
            blank = torch.empty(weight.shape, dtype=weight.dtype, device=GPU)
            setattr(part, name, nn.Parameter(blank, weight.requires_grad))
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, torch.empty(buffer.shape, dtype=buffer.dtype, device=GPU))
    return module


def on_gpu(looked_up: bool) -> Clips:
    return Clips(
        torch.randn(BATCH, FRAMES, REGIONS, DIM, device=GPU),
        torch.randn(BATCH, FRAMES, REGIONS, 3, device=GPU),
        torch.zeros(BATCH, FRAMES, REGIONS, TOP, dtype=torch.int64, device=GPU)
        if looked_up
        else None,
        torch.randn(BATCH, FRAMES, REGIONS, TOP, device=GPU) if looked_up else None,
    )


def test_a_tensor_left_on_another_device_is_noticed(fake_gpu: str) -> None:
    with pytest.raises(RuntimeError, match=r"same device|two different devices"):
        torch.randn(3, device=fake_gpu) + torch.randn(3)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "alt"},
        {"method": "alt", "pool": True},
        {"method": "alt", "convolution": True},
        {"method": "alt", "gate": True},
        {"method": "alt", "project": True},
        {"method": "alt-learned"},
        {"method": "alt-shuffled"},
        {"method": "linear"},
        {"method": "temporal"},
        {"method": "clip"},
    ],
    ids=lambda settings: "-".join(settings),
)
@pytest.mark.parametrize("looked_up", [False, True], ids=["searched", "looked-up"])
def test_a_training_step_keeps_to_one_device(
    settings: dict[str, Any], looked_up: bool, request: pytest.FixtureRequest
) -> None:
    rows = F.normalize(torch.randn(ENTITIES, DIM), dim=-1)
    model = build(ModelConfig.model_validate(settings), rows, TOP, 100.0, 0)
    mix = draw_mix(BATCH, 0.4)
    device = request.getfixturevalue("fake_gpu")
    clips = drop_regions(drop_frames(on_gpu(looked_up), 0.3), 0.3)
    clips = move_frame(clips, mirror=True, spread=0.1)
    labels = torch.randn(5, 2, DIM, device=device)
    target = torch.zeros(BATCH, dtype=torch.int64, device=device)
    logits = moved(model).train()(clips, labels, mix)
    assert logits.shape == (BATCH, 5)
    loss = _loss(logits, target, mix, 0.1)
    assert str(loss.device) == str(logits.device) == device


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_region_encoder_keeps_to_one_device(
    mini: Backbone, dtype: torch.dtype, request: pytest.FixtureRequest
) -> None:
    facts = mini.preprocess
    encoder = RegionEncoder(copy.deepcopy(mini.model), 8, dtype)
    device = request.getfixturevalue("fake_gpu")
    frames = torch.zeros(4, *facts.size, 3, dtype=torch.uint8, device=device)
    images = normalise(frames, facts.mean, facts.std)
    with torch.inference_mode():
        regions = moved(encoder)(images).largest(20)
    assert regions.tokens.shape == (4, 21, encoder.dim)
    for tensor in (regions.tokens, regions.size, regions.source):
        assert str(tensor.device) == device
