"""The adapter: a clip's regions, read through the entities they are aligned with (design §5).

The output lives in the joint space beside label texts: mean class token + gate · z, where z is a
weighted sum of the entities' texts as the layers have changed them. Regions of a frame that share
an entity count together once, so that z names what is there rather than what is large. The gate
starts at zero, so the untrained adapter is zero-shot CLIP, bit for bit. Whatever the layers learn
is added to texts of the corpus, which is why an entity that no training clip held can still move z
toward its name.
"""

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.align import Align, Aligned
from adapter.clips import Clips, mean_class_token
from adapter.layers import MLP, Layer, Memory, Position, zero
from corpus.errors import BadInput

Method = Literal["clip", "linear", "temporal", "alt-learned", "alt-shuffled", "alt"]


class ModelConfig(BaseModel):
    """All that decides an adapter's shape.

    Attributes:
        method: "alt", a baseline on the class tokens ("clip", "linear", "temporal"), or ALT with
            its entities replaced ("alt-learned", "alt-shuffled").
        layers: M, cross-attention layers.
        mlp_ratio: width of a layer's MLP over D.
        dropout: on what attention and MLP add.
        top_k: entities in the running for a region.
        align: one entity to a region ("hard"), a mixture of the nearest ("soft"), or none: the
            region itself is the query.
        project: learn a projection of regions and of entities before they are compared; without,
            the alignment is the backbone's own, and is looked up once for all of training.
        explore: let Gumbel noise have a say in the choice during training.
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
    align: Literal["hard", "soft", "none"] = "hard"
    project: bool = True
    explore: bool = True
    temporal_kernel: int = Field(default=3, ge=0)
    place: bool = True
    gate: Literal["scalar", "channel"] = "scalar"


class Reading(NamedTuple):
    """What the adapter made of a batch of clips.

    Attributes:
        video: (batch, dim), the clip's embedding, of any length.
        weights: (batch, frames, queries), summing to one: how much each query counted. Queries of
            a frame that share an entity count together as one.
        aligned: each region's entity; None when the queries are not entities.
    """

    video: Tensor
    weights: Tensor
    aligned: Aligned | None


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


class EntityQueries(nn.Module):
    """Queries that are the texts of the entities that the regions are aligned with."""

    def __init__(self, align: Align) -> None:
        super().__init__()
        self.align = align
        self.mlp = MLP(align.entities.shape[1], 1.0)

    def forward(self, clips: Clips) -> tuple[Tensor, Aligned]:
        """Return queries (batch, frames, regions, dim) and the alignment they come from."""
        aligned = self.align(clips.regions.float(), clips.nearest, clips.cosine)
        # The class token stands for the whole frame, and no single word does.
        frame = aligned.text[:, :, 1:].mean(dim=2, keepdim=True)
        text = torch.cat([frame, aligned.text[:, :, 1:]], dim=2)
        return text + self.mlp(text), aligned


class RegionQueries(nn.Module):
    """The ablation of alignment: each region is its own query, and no word is asked for."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mlp = MLP(dim, 1.0)

    def forward(self, clips: Clips) -> tuple[Tensor, None]:
        """Return queries (batch, frames, regions, dim); nothing is aligned."""
        regions = F.normalize(clips.regions.float(), dim=-1)
        return regions + self.mlp(regions), None


class LearnedQueries(nn.Module):
    """The ablation of entities: the same free vectors for each frame of any clip."""

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(F.normalize(torch.randn(count, dim), dim=-1))

    def forward(self, clips: Clips) -> tuple[Tensor, None]:
        """Return queries (batch, frames, count, dim); nothing is aligned."""
        return self.queries.expand(*clips.regions.shape[:2], -1, -1), None


def repeats(entity: Tensor) -> Tensor:
    """Count the regions of a frame that share an entity.

    Args:
        entity: (batch, frames, regions) int64; region 0 is the class token.

    Returns:
        (batch, frames, regions) float32, for each region how many of its frame have its entity,
        itself included. The class token is always alone, and counted for no other region.
    """
    own = entity.clone()
    own[..., 0] = -1  # the class token stands for the frame, whatever it is nearest to
    return (own[..., :, None] == own[..., None, :]).sum(dim=-1).float()


class Adapter(Recogniser):
    """ALT (paper §3.4–3.5): entity queries read a clip's regions and are pooled into z.

    In the pooling, the weight of an entity is divided among the regions of a frame that share it:
    in the untrained adapter each entity of a frame counts as much as any other, however many
    regions it takes, and as much as the class token's query.

    Args:
        queries: entities, or learned vectors in their place.
        dim: D.
        scale: of the backbone's cosines.
        config: the adapter's shape.
    """

    def __init__(
        self,
        queries: EntityQueries | RegionQueries | LearnedQueries,
        dim: int,
        scale: float,
        config: ModelConfig,
    ) -> None:
        super().__init__(scale)
        self.queries = queries
        # Learned queries have no place in the frame: they are not of any region.
        self.position = Position(dim, config.place and not isinstance(queries, LearnedQueries))
        self.memory = Memory(dim, config.place, config.temporal_kernel)
        self.layers = nn.ModuleList(
            Layer(dim, config.mlp_ratio, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.importance = zero(nn.Linear(dim, 1))
        self.gate = nn.Parameter(torch.zeros(dim if config.gate == "channel" else 1))

    @classmethod
    def from_run(cls, folder: Path | str, device: str = "cpu") -> "Adapter":
        """Load the trained adapter of a run folder, in eval mode; nothing else is needed.

        Raises:
            BadInput: not a run folder, damaged, or a run of a baseline without regions.
        """
        from adapter.runs import Run  # which builds models

        run = Run.load(folder, device)
        if not isinstance(run.model, cls):
            raise BadInput(folder, f"is a run of {run.config.model.method}", "use Run.load")
        return run.model

    def read(self, clips: Clips) -> Reading:
        """Embed clips, and say which entities they were read through and how much each counted."""
        queries, aligned = self.queries(clips)
        shape = queries.shape[1:3]
        x = (queries + self.position(clips.place)).flatten(1, 2)  # (batch, frames · queries, dim)
        memory = self.memory(clips)
        for layer in self.layers:
            x = layer(x, memory)
        importance = self.importance(self.norm(x))  # (batch, frames · queries, 1)
        if aligned is not None:
            importance = importance - repeats(aligned.entity).log().flatten(1, 2).unsqueeze(-1)
        weights = importance.softmax(dim=1)
        # No map of z follows: one learned on some labels would bend the texts of all others.
        z = (weights * x).sum(dim=1)
        video = mean_class_token(clips.regions) + self.gate * z
        return Reading(video, weights[..., 0].unflatten(1, shape), aligned)

    def embed(self, clips: Clips) -> Tensor:
        """Embed clips as (batch, dim) float32, of any length."""
        return self.read(clips).video
