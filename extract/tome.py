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
        odd = torch.arange(1, x.shape[1], 2, device=x.device).expand(len(x), -1)
        stay = torch.cat([2 * self.kept, odd], dim=1)  # (B, N − r) places before merging
        merged, joined = 2 * self.merged, 2 * self.target + 1
        # Among the merged, who joins the token that I join: a product with this (B, r, r) matrix
        # sums in a fixed order on any device. Tokens of one target write the same there.
        same = self.target[..., None] == self.target[:, None]
        joins = same * size.gather(1, merged)[:, None]
        own = size.gather(1, joined)
        total = own + joins.sum(dim=-1)  # (B, r)
        # Shares of at most 1, so that half precision does not overflow.
        share = (joins / total[..., None]).to(x.dtype)
        share_own = (own / total).to(x.dtype)[..., None]
        mean = _take(x, joined) * share_own + share @ _take(x, merged)
        place = self.kept.shape[1] + self.target
        tokens = _take(x, stay).scatter_(1, place[..., None].expand_as(mean), mean)
        return tokens, size.gather(1, stay).scatter_(1, place, total)

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
    """Rows `index` (B, n) of `x` (B, N, D); whole rows are copied, which `gather` does not do."""
    rows = index + x.shape[1] * torch.arange(len(x), device=x.device)[:, None]
    return x.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, index.shape)
