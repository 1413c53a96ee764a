"""What is done to pixels before an image tower sees them."""

from pydantic import BaseModel, ConfigDict


class Preprocess(BaseModel):
    """How a frame becomes the image tower's input; open_clip's evaluation transform, as data.

    Attributes:
        size: height and width of the tower's input, pixels.
        mean, std: of the three colour channels, for pixel values in 0..1.
        interpolation: "bicubic" or "bilinear".
        resize_mode: "shortest" (resize the short side, crop the centre) or "squash".
    """

    model_config = ConfigDict(frozen=True)
    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    resize_mode: str
