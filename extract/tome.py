"""Token merging: bipartite soft matching of similar tokens (Bolya et al., ICLR 2023, §3).

Written from the paper. Tokens alternate between two sets, a (even places) and b (odd places).
Each a token finds its most similar b token, the r most similar pairs are merged into their b
token, and the class token (place 0, an a token) is never merged. After a merge the order is: the
a tokens that are left, in their order, so that the class token stays first; then the b tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Merge:
    """One merging step of a batch: which tokens stay, and which join which.

    Attributes:
        kept: (B, a − r) int64, a tokens that stay, as places among the a tokens, ascending.
        merged: (B, r) int64, a tokens that are merged away, likewise.
        target: (B, r) int64, the b token that each joins, as places among the b tokens.
        b: how many b tokens there are.
    """

    kept: Tensor
    merged: Tensor
    target: Tensor
    b: int

    def tokens(self, x: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Merge tokens, each weighted by its size.

        Args:
            x: (B, N, D) tokens.
            size: (B, N) float32, how many first tokens each one stands for.

        Returns:
            Tokens (B, N − r, D) and sizes (B, N − r).
        """
        a, b = x[:, ::2], x[:, 1::2]
        size_a, size_b = size[:, ::2], size[:, 1::2]
        # A product with a 0/1 matrix rather than a scatter: sums in a fixed order on any device.
        places = torch.arange(b.shape[1], device=b.device)[:, None]
        joins = (places == self.target[:, None]) * size_a.gather(1, self.merged)[:, None]
        total = size_b + joins.sum(dim=-1)  # (B, b)
        # Shares of at most 1, so that half precision does not overflow.
        share_a = (joins / total[..., None]).to(x.dtype)  # (B, b, r)
        share_b = (size_b / total).to(x.dtype)[..., None]
        b = b * share_b + share_a @ _take(a, self.merged)
        x = torch.cat([_take(a, self.kept), b], dim=1)
        return x, torch.cat([size_a.gather(1, self.kept), total], dim=1)

    def source(self) -> Tensor:
        """(B, N) int64: the place after merging of each token before it."""
        left, b = self.kept.shape[1], self.b
        order = torch.cat([self.kept, self.merged], dim=1)
        kept = torch.arange(left, device=order.device).expand_as(self.kept)
        places = torch.cat([kept, left + self.target], dim=1)
        source_a = torch.empty_like(order).scatter_(1, order, places)
        source_b = torch.arange(left, left + b, device=order.device).expand(len(order), -1)
        source = order.new_empty(len(order), order.shape[1] + b)
        source[:, ::2], source[:, 1::2] = source_a, source_b
        return source


def match(metric: Tensor, r: int) -> Merge:
    """Choose the r most similar pairs of tokens.

    Args:
        metric: (B, N, C), N at least 2: what cosine similarity is measured on; token 0 is the
            class token.
        r: pairs to merge; more than there are a tokens besides the class token counts as that.

    Returns:
        The merging step.
    """
    metric = functional.normalize(metric.float(), dim=-1)
    a, b = metric[:, ::2], metric[:, 1::2]
    similarity = a @ b.transpose(1, 2)  # (B, a, b)
    best, target = similarity.max(dim=-1)
    best[:, 0] = -torch.inf  # the class token is last in line, and r never reaches it
    r = min(r, most(metric.shape[1]))
    # Stable, so that equal similarities are settled in the tokens' order on any device.
    order = best.argsort(dim=-1, descending=True, stable=True)
    merged = order[:, :r]
    return Merge(order[:, r:].sort(dim=-1).values, merged, target.gather(1, merged), b.shape[1])


def most(tokens: int) -> int:
    """The most pairs that one step can merge among `tokens` tokens, the class token included."""
    return max(tokens - 1, 0) // 2


def _take(x: Tensor, index: Tensor) -> Tensor:
    """Rows `index` (B, n) of `x` (B, N, D)."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))
