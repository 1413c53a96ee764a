"""The loss of keys: patches that show the same should have like keys, as those are what merges.

Token merging joins the tokens whose attention keys are most alike. Keys that tell things apart
make regions that end where things end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from extract.regions import RegionEncoder

SCALE = 10.0  # of cosines between keys


@contextmanager
def listening(encoder: RegionEncoder) -> Iterator[list[Tensor]]:
    """Collect the keys by which every block of a tower would merge, mean over heads.

    Yields:
        A list that each block adds its keys (B, N, width / heads) to.
    """
    heard: list[Tensor] = []

    def hear(attn: Any, norm: nn.Module, entered: object, normed: Tensor) -> None:
        of_keys = slice(attn.embed_dim, 2 * attn.embed_dim)
        weight = attn.in_proj_weight[of_keys].unflatten(0, (attn.num_heads, -1)).mean(dim=0)
        bias = attn.in_proj_bias[of_keys].unflatten(0, (attn.num_heads, -1)).mean(dim=0)
        heard.append(functional.linear(normed, weight, bias))

    blocks: Any = encoder.visual.transformer.resblocks
    hooks = [block.ln_1.register_forward_hook(partial(hear, block.attn)) for block in blocks]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def key_loss(keys: list[Tensor], shown: Tensor) -> Tensor:
    """Ask of each patch that it chooses, by its key, patches that show what it shows.

    Args:
        keys: of each block, (B, 1 + P, C), the class token first; nothing merged.
        shown: (B, P, K), how much each patch shows of each entity.

    Returns:
        Mean of −log of the chance that a patch and one drawn by the softmax of the keys' cosines
        show the same entity, when each shows one of its own, drawn by how much there is of it.
        Patches with nothing like them are left out.
    """
    share = functional.normalize(shown, p=1, dim=-1)
    itself = torch.eye(shown.shape[1], dtype=torch.bool, device=shown.device)
    same = (share @ share.mT).masked_fill(itself, 0)  # (B, P, P)
    paired = same.amax(dim=-1) > 0.5
    losses = []
    for key in keys:
        unit = functional.normalize(key[:, 1:].float(), dim=-1)
        drawn = (SCALE * unit @ unit.mT).masked_fill(itself, -torch.inf).softmax(dim=-1)
        losses.append(-(drawn * same).sum(dim=-1)[paired].clamp_min(1e-4).log().mean())
    return torch.stack(losses).mean()
