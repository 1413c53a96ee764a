"""What ALT and its baselines are built of; each part is identity, or adds nothing, at first."""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.clips import PLACE, Clips

Linear = TypeVar("Linear", nn.Linear, nn.Conv1d)


class Position(nn.Module):
    """When and where: a learned linear map of sines of relative time and place.

    Time runs from 0 to 1 over the clip, so that any number of frames can be read.
    """

    def __init__(self, dim: int, place: bool) -> None:
        super().__init__()
        self.place = place
        self.project = nn.Linear(self.waves(torch.zeros(1, 1, 1, PLACE)).shape[-1], dim)
        nn.init.trunc_normal_(self.project.weight, std=0.01)
        nn.init.zeros_(self.project.bias)

    def waves(self, place: Tensor) -> Tensor:
        """Waves (batch or 1, frames, regions or 1, n) of places (batch, frames, regions, 3)."""
        frames = place.shape[1]
        time = (torch.arange(frames, device=place.device) + 0.5) / frames
        waves = [_waves(time[None, :, None, None], octaves=4)]
        if self.place:
            waves = [waves[0].expand(*place.shape[:3], -1), _waves(place.float() / 2, octaves=3)]
        return torch.cat(waves, dim=-1)

    def forward(self, place: Tensor) -> Tensor:
        return self.project(self.waves(place))


def _waves(x: Tensor, octaves: int) -> Tensor:
    """Sines and cosines of (..., n) at π, 2π, 4π, …: (..., 2·n·octaves)."""
    angles = (x[..., None] * math.pi * 2.0 ** torch.arange(octaves, device=x.device)).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Dropout(nn.Module):
    """Dropout whose draws have 16 bits: PyTorch's own, on a CPU, are a tenth of a training step."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate <= 0 or x.device.type != "cpu":
            return F.dropout(x, self.rate, self.training)
        # Four draws in each random 64-bit integer.
        bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = bits.view(torch.int16)[: x.numel()].view(x.shape) >= round(self.rate * 2**16) - 2**15
        return x * kept.to(x.dtype).mul_(1 / (1 - self.rate))


class MLP(nn.Sequential):
    """Two linear maps; the second starts at zero, so that x + MLP(x) starts as identity."""

    def __init__(self, dim: int, ratio: float, dropout: float = 0.0) -> None:
        hidden = int(dim * ratio)
        super().__init__(
            nn.Linear(dim, hidden), nn.GELU(), Dropout(dropout), zero(nn.Linear(hidden, dim))
        )


class Layer(nn.Module):
    """Pre-norm cross-attention and MLP; identity before training."""

    def __init__(self, dim: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.heads = max(1, dim // 64)
        self.norm_x, self.norm_memory, self.norm_mlp = (nn.LayerNorm(dim) for _ in range(3))
        self.query, self.key_value = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim)
        self.out = zero(nn.Linear(dim, dim))
        self.mlp = MLP(dim, mlp_ratio, dropout)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """Let x (batch, n, dim) read memory (batch, m, dim)."""
        query = self.query(self.norm_x(x))
        key, value = self.key_value(self.norm_memory(memory)).chunk(2, dim=-1)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value)
        )
        read = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(-2)
        x = x + self.drop(self.out(read))
        return x + self.drop(self.mlp(self.norm_mlp(x)))


class Memory(nn.Module):
    """Keys and values: regions through an MLP, and each frame's summary through time."""

    def __init__(self, dim: int, place: bool, kernel: int) -> None:
        super().__init__()
        self.mlp = MLP(dim, 1.0)
        self.position = Position(dim, place)
        self.through_time = (
            zero(nn.Conv1d(dim, dim, kernel, padding="same", groups=dim)) if kernel else None
        )

    def forward(self, clips: Clips) -> Tensor:
        """Map clips to (batch, frames · regions, dim)."""
        regions = F.normalize(clips.regions.float(), dim=-1)
        memory = regions + self.mlp(regions) + self.position(clips.place)
        if self.through_time is not None:
            summary = memory.mean(dim=2)  # (batch, frames, dim)
            flow = self.through_time(summary.transpose(1, 2)).transpose(1, 2)
            memory = memory + flow[:, :, None]
        return memory.flatten(1, 2)


def zero(module: Linear) -> Linear:
    """Set a linear map to zero, where training starts it from."""
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module
