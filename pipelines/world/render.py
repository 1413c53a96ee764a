"""From drawings to pixels: an image, and beside it which part each pixel shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from pipelines.world.entities import DRAW
from pipelines.world.pen import Drawing, Pen

OVERSAMPLE = 2
OCCLUDER = 255  # the id of what hides entities and is none itself


@dataclass(frozen=True)
class Layer:
    """One drawing on its way to the canvas.

    Attributes:
        drawing: polygons in their own frame.
        matrix: (2, 3) float64, that frame to the stage.
        palette: (shades, 3) uint8.
        ids: id of each part's name.
    """

    drawing: Drawing
    matrix: np.ndarray
    palette: np.ndarray
    ids: dict[str, int]


@lru_cache(maxsize=4096)
def _thing(name: str, step: int) -> Drawing:
    pen = Pen()
    DRAW[name](pen, step / 48)
    return pen.drawing()


def thing(name: str, state: float) -> Drawing:
    """Return the drawing of a thing or animal in `state` (0..1, in steps of 1/48)."""
    return _thing(name, round(state * 48))


def affine(
    x: float, y: float, scale: float = 1.0, angle: float = 0.0, flip: bool = False
) -> np.ndarray:
    """Return the (2, 3) matrix that mirrors (if `flip`), scales, turns and then moves."""
    c, s, m = scale * np.cos(angle), scale * np.sin(angle), -1.0 if flip else 1.0
    return np.array([[c * m, -s, x], [s * m, c, y]])


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return the (2, 3) matrix that applies `inner`, then `outer`."""
    return np.column_stack((outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]))


def raster(
    layers: Sequence[Layer], camera: np.ndarray, size: int, outline: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Paint layers over each other, the first one hindmost.

    Args:
        layers: what to draw.
        camera: (2, 3), stage to canvas in pixels, y down.
        size: side of the square canvas, pixels.
        outline: draw a dark line around every polygon.

    Returns:
        (size, size, 3) uint8 image, antialiased, and (size, size) uint8 ids, visible parts only.
    """
    big = size * OVERSAMPLE
    image, ids = Image.new("RGB", (big, big)), Image.new("L", (size, size))
    paint, mark = ImageDraw.Draw(image), ImageDraw.Draw(ids)
    for layer in layers:
        matrix = compose(camera, layer.matrix)
        at = layer.drawing.points @ matrix[:, :2].T + matrix[:, 2]
        fine = (at * OVERSAMPLE).ravel().tolist()
        # Half a pixel up and left of what is painted. What alt-mini was trained on has that too, so
        # that whoever mends it (`at`, as it is) trains it anew.
        rough = (at - 0.5).ravel().tolist()
        colours = [tuple(c) for c in layer.palette.tolist()]
        edges = [tuple(c) for c in (layer.palette // 3).tolist()]
        start = 0
        for end, shade, part in zip(
            layer.drawing.ends, layer.drawing.shades, layer.drawing.parts, strict=True
        ):
            corners = slice(2 * start, 2 * end)
            paint.polygon(
                fine[corners],
                fill=colours[shade],
                outline=edges[shade] if outline else None,
            )
            mark.polygon(rough[corners], fill=layer.ids[part])
            start = end
    return np.asarray(image.reduce(OVERSAMPLE)), np.asarray(ids)
