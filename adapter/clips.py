"""A batch of clips as the adapter sees it."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

PLACE = 3  # horizontal and vertical centre, both in −1..1, and the square root of the area in 0..1


class Clips(NamedTuple):
    """A batch of clips, as a backbone's region encoder saw them.

    Attributes:
        regions: (batch, frames, regions, dim), token 0 of a frame is the class token; it may be
            the only one here, where nothing else of regions is read than their nearest entities.
        place: (batch, frames, regions, 3), where each region is: its centre from −1 to 1 across
            and down, and the square root of the share of the frame it covers.
        nearest: (batch, frames, regions, k) int64, the k entities nearest to each region, nearest
            first; None unless they were looked up beforehand.
        cosine: (batch, frames, regions, k) float32, of region and entity.
    """

    regions: Tensor
    place: Tensor
    nearest: Tensor | None = None
    cosine: Tensor | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> "Clips":
        """Return what `change` makes of each tensor that is there."""
        return Clips(*(None if tensor is None else change(tensor) for tensor in self))  # type: ignore[arg-type]

    def to(self, device: torch.device | str) -> "Clips":
        """Move the tensors."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=True))


def mean_class_token(regions: Tensor) -> Tensor:
    """Mean over frames of the unit class tokens: zero-shot CLIP's embedding of a clip.

    Args:
        regions: (batch, frames, regions, dim).

    Returns:
        (batch, dim) float32.
    """
    return F.normalize(regions[:, :, 0].float(), dim=-1).mean(dim=1)
