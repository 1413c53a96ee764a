"""Region to entity: which word of the corpus each region of a frame is (design §5, paper §3.4)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

# Similarities held at once (regions × entities): 256 MB in float32. Beyond it, the work is done
# in parts, each computed again in the backward pass.
_HELD = 64 * 2**20


class Aligned(NamedTuple):
    """What regions were aligned with; `...` is the regions' leading shape.

    Attributes:
        text: (..., D) float32, the embedding of the entity that each region takes.
        entity: (...) int64, which entity that is.
        similarity: (...) float32, cosine of region and entity after their projections.
    """

    text: Tensor
    entity: Tensor
    similarity: Tensor


def straight_through(soft: Tensor) -> Tensor:
    """One-hot at the largest entry going forward, the softmax going backward.

    Args:
        soft: (..., k) probabilities A.

    Returns:
        (..., k) onehot(argmax A) + A − sg(A). The last two cancel first, so that the value is
        one-hot exactly and not to rounding.
    """
    onehot = F.one_hot(soft.argmax(dim=-1), soft.shape[-1]).to(soft.dtype)
    return onehot + (soft - soft.detach())


def gumbel(like: Tensor) -> Tensor:
    """Standard Gumbel noise in the shape, type and place of `like`."""
    return -torch.empty_like(like).exponential_().log()


class Nudge(nn.Module):
    """A linear map that starts as identity, x + Wx with W = 0; weight decay keeps it near."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.change = nn.Linear(dim, dim, bias=False)
        nn.init.zeros_(self.change.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


class Align(nn.Module):
    """Gives every region one entity of the corpus, differentiably.

    The similarity is the cosine of region and entity after a learned projection on each side, both
    identity at first: the untrained choice is the backbone's own nearest text. The corpus is a
    buffer, and travels with the weights.

    Args:
        entities: (K, D) unit rows, the text corpus.
        scale: of cosines before the softmax, that of the backbone's training.
        top_k: entities that remain in the running for a region.
        hard: one entity to a region by the straight-through estimator, or a soft mixture.
        project: learn the projections; without them, similarity is the backbone's for good.
        explore: add Gumbel noise to the choice in training.
        order: (K,) int64; a region that is nearest to entity e takes the text of entity order[e].
            Identity unless a baseline wants words without meaning.
    """

    entities: Tensor
    order: Tensor
    temperature: Tensor  # of the softmax; training lowers it, and it travels with the weights

    def __init__(
        self,
        entities: Tensor,
        scale: float,
        top_k: int = 16,
        hard: bool = True,
        project: bool = True,
        explore: bool = True,
        order: Tensor | None = None,
    ) -> None:
        super().__init__()
        count, dim = entities.shape
        self.register_buffer("entities", entities.float())
        self.register_buffer("order", torch.arange(count) if order is None else order)
        self.register_buffer("temperature", torch.ones(()))
        self.region_side, self.entity_side = (
            Nudge(dim) if project else nn.Identity() for _ in range(2)
        )
        self.scale, self.top_k = scale, min(top_k, count)
        self.hard, self.project, self.explore = hard, project, explore

    def forward(
        self, regions: Tensor, nearest: Tensor | None = None, cosine: Tensor | None = None
    ) -> Aligned:
        """Align regions.

        Args:
            regions: (..., D) float32, of any length.
            nearest, cosine: (..., top_k) the nearest entities and their cosines, if they were
                looked up beforehand (`adapter.nearest`); of use where nothing is projected.

        Returns:
            Each region's entity. In training the choice carries Gumbel noise and its gradient is
            the softmax's over the `top_k` nearest; in eval mode it is the nearest entity.
        """
        shape, flat = regions.shape[:-1], regions.flatten(0, -2)
        if nearest is not None and cosine is not None and not self.project:
            near = cosine.flatten(0, -2).float()
            text, entity, similarity = self._draw(near, nearest.flatten(0, -2))
            return Aligned(text.unflatten(0, shape), entity.view(shape), similarity.view(shape))
        keys = F.normalize(self.entity_side(self.entities), dim=-1)  # (K, D)
        part = max(1, _HELD // len(keys))
        if len(flat) <= part:
            text, entity, similarity = self._choose(flat, keys)
        else:
            parts = [
                checkpoint(self._choose, chunk, keys, use_reentrant=False)
                for chunk in flat.split(part)
            ]
            text, entity, similarity = (torch.cat(column) for column in zip(*parts, strict=True))
        return Aligned(text.unflatten(0, shape), entity.view(shape), similarity.view(shape))

    def _choose(self, regions: Tensor, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Align (N, D) regions with (K, D) projected unit entities."""
        cosines = F.normalize(self.region_side(regions), dim=-1) @ keys.T  # (N, K)
        return self._draw(*cosines.float().topk(self.top_k, dim=-1))

    def _draw(self, near: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Choose among (N, k) candidates by their cosines."""
        logits = self.scale * near
        if self.training and self.explore:
            logits = logits + gumbel(logits)
        weights = (logits / self.temperature).softmax(dim=-1)
        chosen = weights.argmax(dim=-1, keepdim=True)  # (N, 1)
        if self.hard:
            weights = straight_through(weights)
        # Σ_j weights_j · text_j, without ever holding the (N, k, D) texts.
        text = F.embedding_bag(
            self.order[candidates], self.entities, per_sample_weights=weights, mode="sum"
        )
        return text, candidates.gather(1, chosen)[:, 0], near.detach().gather(1, chosen)[:, 0]
