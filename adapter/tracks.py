"""Tracks: the entities of a clip, each followed through its frames.

All regions of a frame that are aligned with an entity are where it is; from frame to frame they
make its path. A path tells how something moves without telling what it is, so that what is learned
from it holds for things that were never seen acting.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from adapter.layers import in_full

PATH = 8  # centre, size, the change of all three since the frame before, presence, likeness


class Tracks(NamedTuple):
    """The entities of each clip that most speaks for, the most evident first.

    Attributes:
        entity: (batch, tracks) int64.
        evidence: (batch, tracks) float32, mean over frames of the best cosine of entity and region;
            a frame without the entity counts as zero, and so does a cosine below it.
        path: (batch, tracks, frames, 8) float32: centre across and down and size, as
            `Clips.place` has them; how much each changed since the frame before; whether the
            entity is there; the best cosine. All zero where it is not there.
        member: (batch, tracks, frames, regions) float32, one where a region is aligned with the
            entity. The class token is no region.
    """

    entity: Tensor
    evidence: Tensor
    path: Tensor
    member: Tensor


def follow(entity: Tensor, similarity: Tensor, place: Tensor, entities: int, count: int) -> Tracks:
    """Follow the entities of clips.

    Args:
        entity: (batch, frames, regions) int64, what each region is aligned with.
        similarity: (batch, frames, regions) float32, cosine of both.
        place: (batch, frames, regions, 3), as in `Clips`.
        entities: K, how many there are to be aligned with.
        count: tracks to a clip.
    """
    batch, frames, _ = entity.shape
    best = similarity.new_zeros(batch, frames, entities)
    best = best.scatter_reduce(2, entity, similarity.clamp_min(0), "amax")
    evidence, chosen = best.mean(dim=1).topk(min(count, entities), dim=-1)
    member = (entity[:, None] == chosen[:, :, None, None]).to(similarity.dtype)
    area = member * place[:, None, ..., 2].to(similarity.dtype).square()
    total = area.sum(dim=-1, keepdim=True)  # (batch, tracks, frames, 1)
    with in_full(place):  # a step is small beside the places it is between
        centre = torch.einsum("betr,btrc->betc", area, place[..., :2].to(similarity.dtype))
    there = (total > 0).to(similarity.dtype)
    where = torch.cat([centre / total.clamp_min(1e-6), total.sqrt()], dim=-1)
    both = there[:, :, 1:] * there[:, :, :-1]
    change = both * (where[:, :, 1:] - where[:, :, :-1])
    change = torch.cat([torch.zeros_like(where[:, :, :1]), change], dim=2)
    likeness = best.gather(2, chosen[:, None].expand(-1, frames, -1)).transpose(1, 2)[..., None]
    path = there * torch.cat([where, change, torch.ones_like(likeness), likeness], dim=-1)
    return Tracks(chosen, evidence, path, member)


def through_time(path: Tensor, waves: int) -> Tensor:
    """Describe paths of any number of frames by as many numbers: means under cosines of time.

    The first is the plain mean; the k-th weighs frames by cos(πkt), t from 0 to 1, and with k = 1
    tells a path from the same path backwards.

    Args:
        path: (batch, tracks, frames, n).
        waves: how many cosines, the constant included.

    Returns:
        (batch, tracks, waves · n).
    """
    frames = path.shape[2]
    time = (torch.arange(frames, device=path.device) + 0.5) / frames
    orders = torch.arange(waves, device=path.device)
    weights = torch.cos(torch.pi * orders[:, None] * time) / frames  # (waves, frames)
    # Places differ by halves of the frame and their changes by tenths: brought to like size.
    weights = weights * torch.where(orders == 0, 1.5, 4.0)[:, None]
    return torch.einsum("wt,betn->bewn", weights.to(path.dtype), path).flatten(2)
