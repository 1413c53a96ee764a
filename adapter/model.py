"""The adapter: a clip's regions, read through the entities they are aligned with (design §5).

The output lives in the joint space beside label texts: mean class token + gate · z, where z is a
weighted sum of the entities' texts as the layers have changed them. The gate starts at zero, so
the untrained adapter is zero-shot CLIP, bit for bit. Whatever the layers learn is added to texts
of the corpus, which is why an entity that no training clip held can still move z toward its name.
"""

import math
from abc import ABC, abstractmethod
from typing import Literal, NamedTuple, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.align import Align, Aligned

Method = Literal["clip", "linear", "temporal", "alt-learned", "alt-shuffled", "alt"]
Linear = TypeVar("Linear", nn.Linear, nn.Conv1d)
PLACE = 3  # horizontal and vertical centre, both in −1..1, and the square root of the area in 0..1


class ModelConfig(BaseModel):
    """All that decides an adapter's shape.

    Attributes:
        method: "alt", a baseline on the class tokens ("clip", "linear", "temporal"), or ALT with
            its entities replaced ("alt-learned", "alt-shuffled").
        layers: M, cross-attention layers.
        mlp_ratio: width of a layer's MLP over D.
        dropout: on what attention and MLP add.
        top_k: entities in the running for a region.
        hard: one entity to a region, or a soft mixture.
        temporal_kernel: frames that the temporal convolution sees; 0 leaves it out.
        place: whether queries and keys know where in the frame their region is.
        gate: one gate for all of the joint space, or one for each channel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    method: Method = "alt"
    layers: int = Field(default=2, ge=0)
    mlp_ratio: float = Field(default=2.0, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    top_k: int = Field(default=16, ge=1)
    hard: bool = True
    temporal_kernel: int = Field(default=3, ge=0)
    place: bool = True
    gate: Literal["scalar", "channel"] = "scalar"


class Clips(NamedTuple):
    """A batch of clips, as a backbone's region encoder saw them.

    Attributes:
        regions: (batch, frames, regions, dim), token 0 of a frame is the class token.
        place: (batch, frames, regions, 3), where each region is: its centre from −1 to 1 across
            and down, and the square root of the share of the frame it covers.
    """

    regions: Tensor
    place: Tensor

    def to(self, device: torch.device | str) -> "Clips":
        """Move both tensors."""
        return Clips(*(tensor.to(device, non_blocking=True) for tensor in self))


class Reading(NamedTuple):
    """What the adapter made of a batch of clips.

    Attributes:
        video: (batch, dim), the clip's embedding, of any length.
        weights: (batch, frames, queries), summing to one: how much each query counted.
        aligned: each region's entity; None when the queries are not entities.
    """

    video: Tensor
    weights: Tensor
    aligned: Aligned | None


def mean_class_token(regions: Tensor) -> Tensor:
    """Mean over frames of the unit class tokens: zero-shot CLIP's embedding of a clip.

    Args:
        regions: (batch, frames, regions, dim).

    Returns:
        (batch, dim) float32.
    """
    return F.normalize(regions[:, :, 0].float(), dim=-1).mean(dim=1)


def score(video: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    """Logits of clips for labels.

    Args:
        video: (batch, dim).
        labels: (C, dim) unit rows, texts of the labels.
        scale: of cosines.

    Returns:
        (batch, C) float32 scale · cos(video, label), in full precision whatever autocast says.
    """
    with torch.autocast(video.device.type, enabled=False):
        return scale * F.normalize(video.float(), dim=-1) @ labels.T


class Recogniser(nn.Module, ABC):
    """What ALT and its baselines share: a clip becomes a point in the joint space, near its label.

    Args:
        scale: initial scale of cosines; the backbone's own.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    @abstractmethod
    def embed(self, clips: Clips) -> Tensor:
        """Embed clips as (batch, dim) float32, of any length."""

    def forward(
        self, clips: Clips, labels: Tensor, mix: tuple[Tensor, float] | None = None
    ) -> Tensor:
        """Score clips against labels.

        Args:
            clips: the batch.
            labels: (C, dim) unit rows.
            mix: for MixUp, a permutation of the batch and the share of each clip's own embedding.

        Returns:
            (batch, C) logits.
        """
        video = self.embed(clips)
        if mix is not None:
            other, share = mix
            video = share * video + (1 - share) * video[other]
        return score(video, labels, self.log_scale.exp())


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


class MLP(nn.Sequential):
    """Two linear maps; the second starts at zero, so that x + MLP(x) starts as identity."""

    def __init__(self, dim: int, ratio: float, dropout: float = 0.0) -> None:
        hidden = int(dim * ratio)
        super().__init__(
            nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), _zero(nn.Linear(hidden, dim))
        )


class Layer(nn.Module):
    """Pre-norm cross-attention and MLP; identity before training."""

    def __init__(self, dim: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.heads = max(1, dim // 64)
        self.norm_x, self.norm_memory, self.norm_mlp = (nn.LayerNorm(dim) for _ in range(3))
        self.query, self.key_value = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim)
        self.out = _zero(nn.Linear(dim, dim))
        self.mlp = MLP(dim, mlp_ratio, dropout)
        self.drop = nn.Dropout(dropout)

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

    def __init__(self, dim: int, config: ModelConfig) -> None:
        super().__init__()
        self.mlp = MLP(dim, 1.0)
        self.position = Position(dim, config.place)
        kernel = config.temporal_kernel
        self.through_time = (
            _zero(nn.Conv1d(dim, dim, kernel, padding="same", groups=dim)) if kernel else None
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


class EntityQueries(nn.Module):
    """Queries that are the texts of the entities that the regions are aligned with."""

    def __init__(self, align: Align) -> None:
        super().__init__()
        self.align = align
        self.mlp = MLP(align.entities.shape[1], 1.0)

    def forward(self, clips: Clips) -> tuple[Tensor, Aligned]:
        """Return queries (batch, frames, regions, dim) and the alignment they come from."""
        aligned = self.align(clips.regions.float())
        # The class token stands for the whole frame, and no single word does.
        frame = aligned.text[:, :, 1:].mean(dim=2, keepdim=True)
        text = torch.cat([frame, aligned.text[:, :, 1:]], dim=2)
        return text + self.mlp(text), aligned


class LearnedQueries(nn.Module):
    """The ablation of entities: the same free vectors for each frame of any clip."""

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(F.normalize(torch.randn(count, dim), dim=-1))

    def forward(self, clips: Clips) -> tuple[Tensor, None]:
        """Return queries (batch, frames, count, dim); nothing is aligned."""
        return self.queries.expand(*clips.regions.shape[:2], -1, -1), None


class Adapter(Recogniser):
    """ALT (paper §3.4–3.5): entity queries read a clip's regions and are pooled into z.

    Args:
        queries: entities, or learned vectors in their place.
        dim: D.
        scale: of the backbone's cosines.
        config: the adapter's shape.
    """

    def __init__(
        self,
        queries: EntityQueries | LearnedQueries,
        dim: int,
        scale: float,
        config: ModelConfig,
    ) -> None:
        super().__init__(scale)
        self.queries = queries
        # Learned queries have no place in the frame: they are not of any region.
        self.position = Position(dim, config.place and isinstance(queries, EntityQueries))
        self.memory = Memory(dim, config)
        self.layers = nn.ModuleList(
            Layer(dim, config.mlp_ratio, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.importance = _zero(nn.Linear(dim, 1))
        self.gate = nn.Parameter(torch.zeros(dim if config.gate == "channel" else 1))

    def read(self, clips: Clips) -> Reading:
        """Embed clips, and say which entities they were read through and how much each counted."""
        queries, aligned = self.queries(clips)
        shape = queries.shape[1:3]
        x = (queries + self.position(clips.place)).flatten(1, 2)  # (batch, frames · queries, dim)
        memory = self.memory(clips)
        for layer in self.layers:
            x = layer(x, memory)
        weights = self.importance(self.norm(x)).softmax(dim=1)  # (batch, frames · queries, 1)
        # No map of z follows: one learned on some labels would bend the texts of all others.
        z = (weights * x).sum(dim=1)
        video = mean_class_token(clips.regions) + self.gate * z
        return Reading(video, weights[..., 0].unflatten(1, shape), aligned)

    def embed(self, clips: Clips) -> Tensor:
        """Embed clips as (batch, dim) float32, of any length."""
        return self.read(clips).video


def _zero(module: Linear) -> Linear:
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module
