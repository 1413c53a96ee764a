"""Region to entity: which word of the corpus each region of a frame is (paper §3.4)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from adapter.layers import in_full
from adapter.shares import drawn

# Similarities held at once (regions × entities): 256 MB in float32. Beyond it, the work is done
# in parts, each computed again in the backward pass.
HELD = 64 * 2**20


class Aligned(NamedTuple):
    """What regions were aligned with; `...` is the regions' leading shape.

    Attributes:
        text: (..., D) float32, the embedding of the entity that each region takes; of learned
            words (..., k), their shares in it (`Align.spell`). None where it is a word of the
            corpus as it is, which `entity` names.
        entity: (...) int64, which entity that is.
        similarity: (...) float32, cosine of region and entity after their projections.
    """

    text: Tensor | None
    entity: Tensor
    similarity: Tensor


def straight_through(soft: Tensor, chosen: Tensor) -> Tensor:
    """One-hot at the largest entry going forward, the softmax going backward.

    Args:
        soft: (..., k) probabilities A.
        chosen: (...) int64, argmax A.

    Returns:
        (..., k) onehot(argmax A) + A − sg(A). The last two cancel first, so that the value is
        one-hot exactly and not to rounding.
    """
    onehot = F.one_hot(chosen, soft.shape[-1]).to(soft.dtype)
    return onehot + (soft - soft.detach())


def gumbel(like: Tensor) -> Tensor:
    """Standard Gumbel noise in the shape, type and place of `like` (batch, ...)."""
    return -drawn(lambda *shape: like.new_empty(shape).exponential_(), *like.shape).log()


class Nudge(nn.Module):
    """A linear map that starts as identity, x + Wx with W = 0; weight decay keeps it near."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.change = nn.Linear(dim, dim, bias=False)
        nn.init.zeros_(self.change.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


class Align(nn.Module):
    """Gives every region one entity of the corpus.

    As a run has it by default, the similarity is the cosine of region and entity, and the choice
    has no gradient. With projections, a learned one on each side, both identity at first, it has
    one; a mixture of entities has one anyway. The corpus is a buffer, and travels with the weights.

    Args:
        entities: (K, D) float32 unit rows, the text corpus.
        scale: of cosines before the softmax, that of the backbone's training.
        top_k: entities that remain in the running for a region.
        hard: one entity to a region, of projected ones by the straight-through estimator; or else a
            soft mixture.
        project: learn the projections; without them, similarity is the backbone's for good.
        explore: add Gumbel noise to the choice in training.
        order: (K,) int64; a region that is nearest to entity e takes the text of entity order[e].
            Identity unless a baseline wants words without meaning.
    """

    entities: Tensor
    order: Tensor
    temperature: Tensor  # of the softmax; training sets it, and it travels with the weights

    def __init__(
        self,
        entities: Tensor,
        scale: float,
        top_k: int = 16,
        hard: bool = True,
        project: bool = False,
        explore: bool = False,
        order: Tensor | None = None,
    ) -> None:
        super().__init__()
        count, dim = entities.shape
        self.register_buffer("entities", entities)
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
            Each region's entity. In training the choice carries Gumbel noise (`explore`); where it
            is soft or projections are learned, its gradient is the softmax's over the `top_k`
            nearest, else it has none. In eval mode it is the nearest entity.
        """
        if nearest is not None and cosine is not None and not self.project:
            return self._draw(cosine, nearest)
        with in_full(regions):  # cosines are near one another: rounded, another may be the nearest
            return self._compare(regions)

    def _compare(self, regions: Tensor) -> Aligned:
        """Align regions with the entities that are nearest by now."""
        keys = F.normalize(self.entity_side(self.words()), dim=-1)  # (K, D)
        shape, flat = regions.shape[:-1], regions.flatten(0, -2)
        part = max(1, HELD // keys.shape[0])
        # What is exported takes any batch: neither the branch nor the number of parts is traced.
        if torch.compiler.is_exporting() or flat.shape[0] <= part:
            near, candidates = self._nearest(flat, keys)
        else:
            parts = [
                checkpoint(self._nearest, chunk, keys, use_reentrant=False)
                for chunk in flat.split(part)
            ]
            near, candidates = (torch.cat(column) for column in zip(*parts, strict=True))
        return self._draw(near.unflatten(0, shape), candidates.unflatten(0, shape))

    def words(self) -> Tensor:
        """Return (K, D) unit rows, what regions are aligned with."""
        return self.entities

    def spell(self, text: Tensor) -> Tensor:
        """Return as embeddings (..., D) what `Aligned.text` said, or any mean of it."""
        return text

    def _nearest(self, regions: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and numbers (N, k) of the (K, D) unit keys nearest to (N, D) regions."""
        cosines = F.normalize(self.region_side(regions.float()), dim=-1) @ keys.T  # (N, K)
        near, candidates = cosines.topk(self.top_k, dim=-1)
        return near, candidates

    def _draw(self, near: Tensor, candidates: Tensor) -> Aligned:
        """Choose among (..., k) candidates by their cosines."""
        logits = self.scale * near
        if self.training and self.explore:
            logits = logits + gumbel(logits)
        chosen = logits.argmax(dim=-1, keepdim=True)
        entity = candidates.gather(-1, chosen)[..., 0]
        similarity = near.detach().gather(-1, chosen)[..., 0]
        if self.hard and not self.project:
            return Aligned(None, entity, similarity)
        weights = (logits / self.temperature).softmax(dim=-1)
        if self.hard:
            weights = straight_through(weights, chosen[..., 0])
        # Σ_j weights_j · text_j, without ever holding the (..., k, D) texts.
        text = F.embedding_bag(
            self.order[candidates].flatten(0, -2),
            self.words(),
            per_sample_weights=weights.flatten(0, -2),
            mode="sum",
        )
        return Aligned(text.unflatten(0, entity.shape), entity, similarity)


class LearnedWords(Align):
    """The ablation of entities: free vectors, learned with all else, in place of a corpus.

    Every region takes one of them, by the straight-through estimator over all.

    Args:
        count: how many.
        dim: D.
        scale: of cosines before the softmax.
    """

    def __init__(self, count: int, dim: int, scale: float) -> None:
        super().__init__(torch.zeros(count, dim), scale)
        self.free = nn.Parameter(torch.randn(count, dim))

    def words(self) -> Tensor:
        """Return (K, D) unit rows, as they are by now."""
        return F.normalize(self.free, dim=-1)

    def forward(
        self, regions: Tensor, nearest: Tensor | None = None, cosine: Tensor | None = None
    ) -> Aligned:
        """Align regions (..., D) with what the vectors are by now; nothing can be looked up."""
        with in_full(regions):  # as for entities
            cosines = F.normalize(regions.float(), dim=-1) @ self.words().T  # (..., K)
            similarity, entity = cosines.detach().max(dim=-1)
            weights = straight_through((self.scale * cosines).softmax(dim=-1), entity)
        return Aligned(weights, entity, similarity)

    def spell(self, text: Tensor) -> Tensor:
        """Mix the vectors: far fewer of a clip's tracks than of its regions."""
        return text @ self.words()
