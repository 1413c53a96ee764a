"""The paper's adapter (§3.4): texts of entities, as queries, read what a clip's regions look like.

Its output is one vector beside the label texts: mean class token + gate · z, where z is a weighted
sum of the queries as the layers have changed them. The gate starts at zero, so that the untrained
adapter is zero-shot CLIP, bit for bit. It learns what things look like and how they change, which
`adapter.model.Adapter` does not, and which many clips are needed for.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.align import Align, Aligned
from adapter.clips import PLACE, Clips, mean_class_token
from adapter.layers import MLP, Layer, Position, zero
from adapter.model import EntityRecogniser, ModelConfig, score


class Pooling(NamedTuple):
    """What the adapter made of a batch of clips.

    Attributes:
        video: (batch, dim), the clip's embedding, of any length.
        weights: (batch, frames, regions), summing to one: how much each query counted. The class
            token's is the frame's mean text.
        aligned: each region's entity; None where queries are the regions themselves.
    """

    video: Tensor
    weights: Tensor
    aligned: Aligned | None


class Located(nn.Module):
    """Tokens through an MLP, with when and, where that is asked for, where in the frame they are.

    Identity before training.
    """

    def __init__(self, dim: int, place: bool) -> None:
        super().__init__()
        self.mlp, self.time = MLP(dim, 1.0), Position(dim)
        self.place = zero(nn.Linear(PLACE, dim)) if place else None

    def forward(self, tokens: Tensor, place: Tensor) -> Tensor:
        """Map (batch, frames, regions, dim) tokens at (batch, frames, regions, 3) places."""
        located: Tensor = tokens + self.mlp(tokens) + self.time(tokens.shape[1])[:, None]
        return located if self.place is None else located + self.place(place.float())


class Memory(nn.Module):
    """Keys and values: regions, and what each frame is in all beside its neighbours in time."""

    def __init__(self, dim: int, place: bool) -> None:
        super().__init__()
        self.located = Located(dim, place)
        self.through_time = zero(nn.Conv1d(dim, dim, 3, padding=1, groups=dim))

    def forward(self, regions: Tensor, place: Tensor) -> Tensor:
        """Map (batch, frames, regions, dim) unit regions to (batch, frames · regions, dim)."""
        memory: Tensor = self.located(regions, place)
        summary = memory.mean(dim=2).mT  # (batch, dim, frames)
        return (memory + self.through_time(summary).mT[:, :, None]).flatten(1, 2)


class PaperAdapter(EntityRecogniser[Pooling]):
    """Entities' texts, as queries, attend to all regions of all frames and are pooled into z.

    Args:
        align: region to entity; with `project` by learned projections, as in the paper.
        scale: of the backbone's cosines.
        config: the adapter's shape. Where `place` is on, which the paper leaves to the backbone,
            queries and keys know where in the frame their region is.
    """

    lr = 3e-4

    def __init__(self, align: Align, scale: float, config: ModelConfig) -> None:
        super().__init__(scale)
        self.align, self.config = align, config
        dim = align.entities.shape[1]
        self.query = Located(dim, config.place)
        self.memory = Memory(dim, config.place) if config.layers else None
        self.layers = nn.ModuleList(
            Layer(dim, config.mlp_ratio, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(dim)
        # A bias would be the same for all queries, which a softmax does not see.
        self.importance = zero(nn.Linear(dim, 1, bias=False))
        self.gate = nn.Parameter(torch.zeros(()))

    def read(self, clips: Clips) -> Pooling:
        """Embed clips, and say which entities they were read through and how much each counted."""
        regions = F.normalize(clips.regions.float(), dim=-1)  # (batch, frames, regions, dim)
        text, aligned = self._text(clips, regions)
        x = self.query(text, clips.place).flatten(1, 2)  # (batch, frames · regions, dim)
        if self.memory is not None:
            memory = self.memory(regions, clips.place)
            for layer in self.layers:
                x = layer(x, memory)
        weights = self.importance(self.norm(x))[..., 0].float().softmax(dim=-1)
        # No map of z follows: one learned on some labels would bend the texts of all others.
        z = torch.einsum("bq,bqd->bd", weights, x.float())
        video = mean_class_token(clips.regions) + self.gate * z
        return Pooling(video, weights.unflatten(1, text.shape[1:3]), aligned)

    def logits(
        self, reading: Pooling, labels: Tensor, mix: tuple[Tensor, float] | None = None
    ) -> Tensor:
        """Compare clips with whole labels; MixUp is of their embeddings."""
        return score(reading.video, labels, self.log_scale.exp(), mix)

    def spoken(self, reading: Pooling, label: Tensor) -> Tensor:
        """Give each query's weight, which is the same whatever the label."""
        return reading.weights

    def _text(self, clips: Clips, regions: Tensor) -> tuple[Tensor, Aligned | None]:
        """Return (batch, frames, regions, dim), what each query says, and the alignment."""
        if self.config.align == "none":
            return regions, None
        aligned = self.align(clips.regions, clips.nearest, clips.cosine)
        text = aligned.text
        if text is None:
            text = self.align.words()[self.align.order[aligned.entity]]
        text = text[:, :, 1:]
        # The class token stands for the whole frame, and no single word does.
        frame = text.mean(dim=2, keepdim=True)
        return torch.cat([frame, text], dim=2), aligned
