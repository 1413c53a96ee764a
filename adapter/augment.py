"""Noise on cached features, in place of the pixel augmentation that a cache rules out."""

import torch
from torch import Tensor

from adapter.clips import Clips


def drop_frames(clips: Clips, rate: float, generator: torch.Generator) -> Clips:
    """Put the frame before it in the place of a share of frames; the first one stays.

    Args:
        clips: (batch, frames, regions, ·).
        rate: the share, for each clip and frame on its own.
        generator: on the CPU.
    """
    batch, frames = clips.regions.shape[:2]
    if rate <= 0 or frames < 2:
        return clips
    kept = torch.rand(batch, frames, generator=generator) >= rate
    source = torch.where(kept, torch.arange(frames), 0).cummax(dim=1).values
    clip = torch.arange(batch)[:, None]
    return _take(clips, clip, source)


def drop_regions(clips: Clips, rate: float, generator: torch.Generator) -> Clips:
    """Leave out a share of each frame's regions, the same number everywhere; the class token stays.

    Args:
        clips: (batch, frames, R, ·).
        rate: the share.
        generator: on the CPU.

    Returns:
        (batch, frames, R', ·) with R' = 1 + round((R − 1)(1 − rate)), at least 2.
    """
    batch, frames, regions = clips.regions.shape[:3]
    kept = max(1, round((regions - 1) * (1 - rate)))
    if rate <= 0 or kept >= regions - 1:
        return clips
    draw = torch.rand(batch, frames, regions - 1, generator=generator)
    chosen = draw.argsort(dim=-1)[..., :kept].sort(dim=-1).values + 1
    chosen = torch.cat([torch.zeros(batch, frames, 1, dtype=torch.int64), chosen], dim=-1)
    clip, frame = torch.arange(batch)[:, None, None], torch.arange(frames)[None, :, None]
    return _take(clips, clip, frame, chosen)


def draw_mix(batch: int, alpha: float, generator: torch.Generator) -> tuple[Tensor, float] | None:
    """Draw whom each clip is mixed with, and the share of its own that it keeps (MixUp).

    Args:
        batch: clips in the batch.
        alpha: of Beta(alpha, alpha); 0 mixes nothing.
        generator: on the CPU.

    Returns:
        A permutation (batch,) and a share in 0.5..1, or None.
    """
    if alpha <= 0:
        return None
    order = torch.randperm(batch, generator=generator)
    # A Beta variate as a ratio of Gamma variates, which a generator can draw.
    gammas = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64), generator)
    share = float(gammas[0] / gammas.sum())
    return order, max(share, 1 - share)


def _take(clips: Clips, *index: Tensor) -> Clips:
    index = tuple(part.to(clips.regions.device) for part in index)
    return clips.map(lambda tensor: tensor[index])
