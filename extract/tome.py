"""Token merging: bipartite soft matching of similar tokens (Bolya et al., ICLR 2023, §3).

Written from the paper. Tokens alternate between two sets, a (even places) and b (odd places).
Each a token finds its most similar b token, the r most similar pairs are merged into their b
token, and the class token (place 0, an a token) is never merged. After a merge the order is: the
a tokens that are left, in their order, so that the class token stays first; then the b tokens.
"""

import functools
import warnings
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Merge:
    """One merging step of a batch: which tokens stay, and which join which.

    Attributes:
        stay: (B, N − r) int64, the tokens that stay, in the order they then have, as places before
            the step.
        merged: (B, r) int64, those that are merged away, likewise.
        target: (B, r) int64, the token that each joins, as a place after the step.
        source: (B, N) int64, the place after the step of each token before it.
    """

    stay: Tensor
    merged: Tensor
    target: Tensor
    source: Tensor

    def tokens(self, x: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """Merge tokens, each weighted by its size.

        Args:
            x: (B, N, D) tokens.
            size: (B, N) float32, how many first tokens each one stands for.

        Returns:
            Tokens (B, N − r, D) and sizes (B, N − r).
        """
        if kernels := kernels_for(x):
            return kernels.merge(x, size, self.stay, self.merged, self.target)
        tokens, sizes = _take(x, self.stay), size.gather(1, self.stay)
        # Among the merged, who joins the token that I join: a product with this (B, r, r) matrix
        # sums in a fixed order on any device. Tokens of one target write the same there.
        same = self.target[..., None] == self.target[:, None]
        joins = same * size.gather(1, self.merged)[:, None]
        own = sizes.gather(1, self.target)
        total = own + joins.sum(dim=-1)  # (B, r)
        # Shares of at most 1, so that half precision does not overflow.
        share = (joins / total[..., None]).to(x.dtype)
        share_own = (own / total).to(x.dtype)[..., None]
        mean = _take(tokens, self.target) * share_own + share @ _take(x, self.merged)
        if mean.requires_grad:
            # Each of those that write the same would be given the whole of its gradient.
            mean.register_hook(lambda gradient: gradient / same.sum(dim=-1)[..., None])
        tokens.scatter_(1, self.target[..., None].expand_as(mean), mean)
        return tokens, sizes.scatter_(1, self.target, total)


def match(metric: Tensor, r: int) -> Merge:
    """Choose the r most similar pairs of tokens.

    Args:
        metric: (B, N, C), N at least 2: what cosine similarity is measured on; token 0 is the
            class token.
        r: pairs to merge; more than there are a tokens besides the class token counts as that.

    Returns:
        The merging step.
    """
    r = min(r, most(metric.shape[1]))
    if kernels := kernels_for(metric):
        return Merge(*kernels.match(metric, r))
    metric = functional.normalize(metric.float(), dim=-1)
    a, b = metric[:, ::2], metric[:, 1::2]
    similarity = a @ b.transpose(1, 2)  # (B, a, b)
    best, target = similarity.max(dim=-1)
    best[:, 0] = -torch.inf  # the class token is last in line, and r never reaches it
    # Stable, so that equal similarities are settled in the tokens' order on any device.
    order = best.argsort(dim=-1, descending=True, stable=True)
    kept, merged = order[:, r:].sort(dim=-1).values, order[:, :r]  # places among the a tokens
    all_b = torch.arange(1, metric.shape[1], 2, device=metric.device).expand(len(metric), -1)
    stay, merged = torch.cat([2 * kept, all_b], dim=1), 2 * merged
    target = kept.shape[1] + target.gather(1, merged // 2)
    places = torch.arange(stay.shape[1], device=metric.device).expand_as(stay)
    source = stay.new_empty(metric.shape[:2])
    source.scatter_(1, stay, places).scatter_(1, merged, target)
    return Merge(stay, merged, target, source)


def most(tokens: int) -> int:
    """The most pairs that one step can merge among `tokens` tokens, the class token included."""
    return max(tokens - 1, 0) // 2


def kernels_for(x: Tensor) -> ModuleType | None:
    """`extract.kernels`, where it can do the work: on a GPU, with no gradient to come.

    A graph that torch compiles is left to torch.
    """
    if not x.is_cuda or torch.compiler.is_compiling():
        return None
    return None if torch.is_grad_enabled() and x.requires_grad else _kernels(x.device)


@functools.cache
def _kernels(device: torch.device) -> ModuleType | None:
    """The kernels, run once: Triton wants a C compiler, and not every GPU will do."""
    try:
        from extract import kernels

        kernels.match(torch.ones(1, 4, 16, device=device), 1)
        qkv, size = torch.ones(1, 4, 48, device=device), torch.ones(1, 4, device=device)
        kernels.attend(qkv.half(), size, heads=1)
    except Exception as error:  # of many classes, and with pages to say
        cause = " ".join(str(error).split())[:160]
        warnings.warn(f"no Triton kernels here ({cause}): merging is slower without", stacklevel=2)
        return None
    return kernels


def _take(x: Tensor, index: Tensor) -> Tensor:
    """Rows `index` (B, n) of `x` (B, N, D); whole rows are copied, which `gather` does not do."""
    batch, tokens = x.shape[:2]
    rows = index + torch.arange(0, batch * tokens, tokens, device=x.device)[:, None]
    return x.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, index.shape)
