"""Where training starts: weights of the image tower that save a small ViT its slow beginning.

A ViT first has to find out that images have frequencies, places and neighbourhoods. Patch filters
that are cosines, positions that are waves, and attention that looks at like and near tokens
(Trockman and Kolter, "Mimetic Initialization of Self-Attention Layers", ICML 2023) are given.
"""

import math

import numpy as np
import torch
from open_clip.transformer import VisionTransformer
from torch import Tensor

# Luma, red against green, blue against yellow; and how many filters of each, by turns.
_COLOURS = torch.tensor([[1.0, 1.0, 1.0], [1.4, -1.4, 0.0], [-0.8, -0.8, 1.6]]) / math.sqrt(3)
_TURNS = (0, 0, 1, 0, 2)


@torch.no_grad()
def prepare(visual: VisionTransformer, seed: int) -> None:
    """Set the weights that training starts from, in place.

    Args:
        visual: open_clip's image tower.
        seed: of what is random about them.
    """
    generator = torch.Generator().manual_seed(seed)
    visual.conv1.weight.copy_(_filters(*visual.conv1.weight.shape[::2]))
    visual.positional_embedding[1:] = 0.7 * _waves(visual.grid_size[0], visual.conv1.out_channels)
    visual.positional_embedding[0] = 0.0
    for block in visual.transformer.resblocks:
        attention, heads = block.attn, block.attn.num_heads
        width = attention.embed_dim
        size = width // heads
        queries, keys = [], []
        for _ in range(heads):
            noise = torch.randn(width, width, generator=generator) / math.sqrt(width)
            u, s, v = torch.linalg.svd(0.7 * noise + 0.7 * torch.eye(width))
            root = s[:size].sqrt()[:, None]
            queries.append(root * u.T[:size])
            keys.append(root * v[:size])
        noise = torch.randn(width, width, generator=generator) / math.sqrt(width)
        u, s, v = torch.linalg.svd(0.4 * noise - 0.4 * torch.eye(width))
        values, out = s.sqrt()[:, None] * v, u * s.sqrt()
        attention.in_proj_weight.copy_(torch.cat([*queries, *keys, values]))
        attention.out_proj.weight.copy_(out)


def _filters(count: int, side: int) -> Tensor:
    """Return `count` cosine patch filters (count, 3, side, side), the slowest first.

    Images have less of the fast waves; their filters are stronger in proportion.
    """
    at = torch.from_numpy((np.arange(side) + 0.5) * np.pi / side).float()
    pairs = sorted(((u, v) for u in range(side) for v in range(side)), key=lambda p: math.hypot(*p))
    places = [0, 0, 0]
    filters = []
    for k in range(count):
        colour = _TURNS[k % len(_TURNS)]
        u, v = pairs[places[colour]]
        places[colour] += 1
        wave = torch.outer(torch.cos(u * at), torch.cos(v * at))
        wave = wave / wave.norm() * (0.15 + 0.25 * math.hypot(u, v))
        filters.append(_COLOURS[colour][:, None, None] * wave)
    return torch.stack(filters)


def _waves(grid: int, width: int) -> Tensor:
    """Return sine and cosine positions of a square grid, (grid², width)."""
    count = width // 4
    rates = 1.0 / (grid ** (torch.arange(count) / count))
    at = torch.arange(grid)[:, None] * rates  # (grid, count)
    line = torch.cat([at.sin(), at.cos()], dim=1)  # (grid, width / 2)
    rows = line[:, None].expand(-1, grid, -1)
    columns = line[None].expand(grid, -1, -1)
    return torch.cat([rows, columns], dim=-1).reshape(grid * grid, -1)
