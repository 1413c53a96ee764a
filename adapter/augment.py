"""Noise on cached features, in place of the pixel augmentation that a cache rules out.

It comes from PyTorch's generator of the CPU, the same however a batch is divided
(`adapter.shares`).
"""

import torch
from torch import Tensor

from adapter.clips import Clips
from adapter.shares import drawn


def drop_frames(clips: Clips, rate: float) -> Clips:
    """Put the frame before it in the place of a share of frames; the first one stays.

    Args:
        clips: (batch, frames, regions, ·).
        rate: the share, for each clip and frame on its own.
    """
    batch, frames = clips.regions.shape[:2]
    if rate <= 0 or frames < 2:
        return clips
    kept = drawn(torch.rand, batch, frames) >= rate
    source = torch.where(kept, torch.arange(frames), 0).cummax(dim=1).values
    clip = torch.arange(batch)[:, None]
    return _take(clips, clip, source)


def drop_regions(clips: Clips, rate: float) -> Clips:
    """Leave out a share of each frame's regions, the same number everywhere; the class token stays.

    Args:
        clips: (batch, frames, R, ·).
        rate: the share.

    Returns:
        (batch, frames, R', ·) with R' = 1 + round((R − 1)(1 − rate)), at least 2.
    """
    batch, frames, regions = clips.place.shape[:3]
    kept = max(1, round((regions - 1) * (1 - rate)))
    if rate <= 0 or kept >= regions - 1:
        return clips
    draw = drawn(torch.rand, batch, frames, regions - 1)
    chosen = draw.argsort(dim=-1)[..., :kept].sort(dim=-1).values + 1
    chosen = torch.cat([torch.zeros(batch, frames, 1, dtype=torch.int64), chosen], dim=-1)
    clip, frame = torch.arange(batch)[:, None, None], torch.arange(frames)[None, :, None]
    if clips.regions.shape[2] > 1:
        return _take(clips, clip, frame, chosen)
    taken = _take(clips._replace(regions=clips.place), clip, frame, chosen)
    return taken._replace(regions=clips.regions)  # class tokens are all there is, and they stay


def move_frame(clips: Clips, mirror: bool, spread: float) -> Clips:
    """Move the frame over what it shows: mirror, zoom and shift a clip's places.

    What regions look like stays as it is; only where they are changes, in all frames alike.

    Args:
        clips: place is (batch, frames, regions, 3); the class token is everywhere and stays.
        mirror: with even chance, across.
        spread: standard deviation of the zoom's logarithm, and of the shift in half frames.
    """
    batch = len(clips.place)
    moved = clips.place.float().clone()
    device = moved.device
    if mirror:
        side = torch.where(drawn(torch.rand, batch, 1, 1) < 0.5, -1.0, 1.0)
        moved[..., 0] *= side.to(device)
    if spread > 0:
        zoom, shift, down = drawn(torch.randn, batch, 3).mul(spread).to(device).unbind(dim=1)
        moved *= zoom.exp()[:, None, None, None]
        moved[..., 0] += shift[:, None, None]
        moved[..., 1] += down[:, None, None]
    moved[:, :, 0] = clips.place[:, :, 0].to(moved.dtype)
    return clips._replace(place=moved)


def draw_mix(batch: int, alpha: float) -> tuple[Tensor, float] | None:
    """Draw the share of its own that each clip keeps in MixUp; clips 2k and 2k + 1 are mixed.

    Batches are in random order, so that neighbours are as random as any two. The last clip of an
    odd number stays as it is.

    Args:
        batch: clips in the batch.
        alpha: of Beta(alpha, alpha); 0 mixes nothing.

    Returns:
        The other clip of each, (batch,) int64, and a share in 0.5..1; or None.
    """
    if alpha <= 0:
        return None
    # A Beta variate as a ratio of Gamma variates, which PyTorch's generator can draw.
    gammas = torch._standard_gamma(torch.full((2,), alpha, dtype=torch.float64))
    share = float(gammas[0] / gammas.sum())
    other = torch.arange(batch) ^ 1
    return other.clamp_max(batch - 1), max(share, 1 - share)


def _take(clips: Clips, *index: Tensor) -> Clips:
    index = tuple(part.to(clips.regions.device) for part in index)
    return clips.map(lambda tensor: tensor[index])
