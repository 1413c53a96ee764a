"""Region embeddings made small for the cache, on the device that made them."""

from typing import NamedTuple

import torch
from torch import Tensor

from extract.manifest import Dtype

_LARGEST = torch.finfo(torch.float16).max


class Quantised(NamedTuple):
    """Region embeddings as a cache has them.

    Attributes:
        values: (..., R, D) float16, or int8.
        scale: (..., R) float16, what int8 values count in; else None.
        fits: (...) bool, False where a value is not finite, or beyond float16's range.
    """

    values: Tensor
    scale: Tensor | None
    fits: Tensor


def quantise(regions: Tensor, dtype: Dtype) -> Quantised:
    """Make region embeddings small.

    Args:
        regions: (..., R, D) float32, on any device.
        dtype: "float16", or "int8": 127 steps each way to a token's largest value.
    """
    peak = regions.abs().amax(dim=-1)  # (..., R)
    fits = (peak < _LARGEST).all(dim=-1)  # what is not a number is not less
    if dtype == "float16":
        return Quantised(regions.half(), None, fits)
    scale = (peak / 127).half()
    # Rounded down, the scale would clip the peak: take float16's next value, whose bits are the
    # next whole number.
    above = (scale.view(torch.int16) + 1).view(torch.float16)
    scale = torch.where(scale.float() * 127 < peak, above, scale)
    divisor = torch.where(scale > 0, scale, 1).float()[..., None]
    return Quantised((regions / divisor).round().to(torch.int8), scale, fits)
