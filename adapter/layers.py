"""What ALT and its baselines are built of; each part is identity, or adds nothing, at first."""

import math
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.shares import drawn

Linear = TypeVar("Linear", nn.Linear, nn.Conv1d)
_OCTAVES = 4  # of the sines that say when


class Position(nn.Module):
    """When: a learned linear map of sines of relative time, zero at first.

    Time runs from 0 to 1 over the clip, so that any number of frames can be read.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project = zero(nn.Linear(2 * _OCTAVES, dim))

    def forward(self, frames: int) -> Tensor:
        """Return (frames, dim)."""
        device = self.project.weight.device
        time = (torch.arange(frames, device=device) + 0.5) / frames
        angles = time[:, None] * math.pi * 2.0 ** torch.arange(_OCTAVES, device=device)
        embedded: Tensor = self.project(torch.cat([angles.sin(), angles.cos()], dim=-1))
        return embedded


class Dropout(nn.Module):
    """Dropout whose draws have 16 bits: PyTorch's own, on a CPU, are a tenth of a training step.

    They are the same however a batch is divided (`adapter.shares`).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop parts of x (batch, ...)."""
        if not self.training or self.rate <= 0:
            return x
        bits = drawn(partial(_bits, device=x.device), *x.shape)
        kept = bits >= round(self.rate * 2**16) - 2**15
        return x * kept.to(x.dtype).mul_(1 / (1 - self.rate))


def _bits(*shape: int, device: torch.device) -> Tensor:
    """Draw int16 numbers, all alike, four of them from each random 64-bit integer."""
    count = math.prod(shape)
    bits = torch.empty(-(-count // 4), dtype=torch.int64, device=device).random_(-(2**63), None)
    return bits.view(torch.int16)[:count].view(shape)


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
        self.heads = max(1, dim // 32)
        self.norm_x, self.norm_memory, self.norm_mlp = (nn.LayerNorm(dim) for _ in range(3))
        self.query, self.key_value = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim)
        self.out = zero(nn.Linear(dim, dim))
        self.mlp = MLP(dim, mlp_ratio, dropout)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, there: Tensor | None = None) -> Tensor:
        """Let x (batch, n, dim) read memory (batch, m, dim), where it is there (batch, m) bool."""
        query = self.query(self.norm_x(x))
        key, value = self.key_value(self.norm_memory(memory)).chunk(2, dim=-1)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value)
        )
        mask = None if there is None else there[:, None, None]
        read = F.scaled_dot_product_attention(query, key, value, mask)
        read = read.transpose(1, 2).flatten(-2)
        x = x + self.drop(self.out(read))
        return x + self.drop(self.mlp(self.norm_mlp(x)))


def in_full(like: Tensor) -> AbstractContextManager[object]:
    """Compute in the tensors' own precision, whatever autocast says, where `like` is.

    The meta device, where operations are counted, knows no autocast.
    """
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)


def zero(module: Linear) -> Linear:
    """Set a linear map to zero, where training starts it from."""
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module
