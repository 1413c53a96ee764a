"""Spatial views of a frame: resized and cropped as the backbone's evaluation transform does.

Pixels stay 8-bit through PIL, as in open_clip's own transform, so that a view equals it exactly;
`normalise` then does on the device what remains of it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from corpus.errors import BadInput

if TYPE_CHECKING:
    import torch

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Framing:
    """From a frame of any size to S views of the tower's input size.

    Attributes:
        size: height and width of a view, pixels.
        interpolation: "bicubic" or "bilinear".
        resize_mode: "shortest" (short side resized, then cropped) or "squash" (no crop).
        crops: S; 1 is the centre, 3 are both ends and the centre of the long side.

    Raises:
        BadInput: crops or a resize mode that do not exist.
    """

    size: tuple[int, int]
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    crops: int = 1

    def __post_init__(self) -> None:
        if self.crops not in (1, 3):
            raise BadInput(
                f"--views Tx{self.crops}", "there are 1 or 3 spatial views", "use 1 or 3"
            )
        if self.resize_mode not in ("shortest", "squash") or (
            self.resize_mode == "squash" and self.crops != 1
        ):
            cause = f"its preprocessing ({self.resize_mode}) has no {self.crops} crops"
            raise BadInput("--model", cause, "use --views Tx1, or another model")

    def views(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crop one frame, (H, W, 3) RGB, to its views (S, *size, 3)."""
        height, width = self.size
        image = Image.fromarray(frame)
        if self.resize_mode == "squash":
            return np.asarray(image.resize((width, height), _FILTERS[self.interpolation]))[None]
        # The short side meets its target; the other is rounded as torchvision's Resize does for
        # a square tower, and as open_clip's own does for one that is not.
        rounded = int if height == width else round
        if image.width / width <= image.height / height:
            resized = (width, rounded(width * image.height / image.width))
        else:
            resized = (rounded(height * image.width / image.height), height)
        pixels = np.asarray(image.resize(resized, _FILTERS[self.interpolation]))
        spare_y, spare_x = pixels.shape[0] - height, pixels.shape[1] - width
        shares = (0.5,) if self.crops == 1 else (0.0, 0.5, 1.0)
        corners = [(round(spare_y * share), round(spare_x * share)) for share in shares]
        return np.stack([pixels[y : y + height, x : x + width] for y, x in corners])

    def random_view(self, frame: NDArray[np.uint8], seed: list[int]) -> NDArray[np.uint8]:
        """A random part of a frame, (H, W, 3) RGB, for training: (1, *size, 3).

        Half to all of the area, with sides up to a third longer than each other, mirrored by even
        chance. The same seed gives the same part of every frame of a size.
        """
        rng = np.random.default_rng(seed)
        height, width = frame.shape[:2]
        area = height * width * rng.uniform(0.5, 1.0)
        ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        crop_width = min(width, max(1, round((area * ratio) ** 0.5)))
        crop_height = min(height, max(1, round((area / ratio) ** 0.5)))
        left, top = (
            round(rng.uniform() * spare) for spare in (width - crop_width, height - crop_height)
        )
        image = Image.fromarray(frame[top : top + crop_height, left : left + crop_width])
        image = image.resize(self.size[::-1], _FILTERS[self.interpolation])
        pixels = np.asarray(image)[None]
        return pixels[:, :, ::-1] if rng.random() < 0.5 else pixels


def normalise(
    pixels: "torch.Tensor", mean: tuple[float, ...], std: tuple[float, ...]
) -> "torch.Tensor":
    """8-bit pixels to the tower's input.

    Args:
        pixels: (B, H, W, 3) uint8, on any device.
        mean, std: of the channels, for values in 0..1.

    Returns:
        (B, 3, H, W) float32.
    """
    import torch  # not before it is needed: a decoding worker has none

    # Plane by plane: what is innermost is then a row of pixels, and not their three channels.
    images = pixels.permute(0, 3, 1, 2)
    images = images.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    shape = (1, 3, 1, 1)
    return images.sub_(images.new_tensor(mean).view(shape)).div_(images.new_tensor(std).view(shape))
