"""The stage: scene, distractors, camera and light around an action, all drawn from one seed.

`NUISANCE` holds how much of everything there is. It was fixed before any adapter was compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from pipelines.world import figure, scenes
from pipelines.world.entities import ENTITIES, THINGS
from pipelines.world.figure import PARTS
from pipelines.world.motions import Moment, Placed
from pipelines.world.pen import DARK, MAIN, Pen
from pipelines.world.render import OCCLUDER, Layer, affine, compose, raster, thing

SCENE, FIRST_THING = 0, 10
PART_IDS = {part: 1 + k for k, part in enumerate(PARTS)}


@dataclass(frozen=True)
class Nuisance:
    """What varies without meaning anything; pairs are least and most.

    Attributes:
        distractors: things present that do not act.
        action_scale: size of the figure and what it acts on.
        action_shift: position of the action, figure heights to either side.
        thing_scale: size of each thing.
        zoom, zoom_change: of the camera, and its change over a clip.
        pan, tilt, shear: of the camera: figure heights, radians, share.
        jitter: of the camera from frame to frame, figure heights.
        occluded: probability of a post in the foreground.
        outlined, textured: probability of outlines, and of a pattern on each thing.
        light: brightness; gradient: its change across the image.
        blur, noise: standard deviations: pixels, grey levels.
        crf: of H.264; larger is worse.
    """

    distractors: tuple[int, int] = (1, 3)
    action_scale: tuple[float, float] = (0.85, 1.1)
    action_shift: float = 0.15
    thing_scale: tuple[float, float] = (0.9, 1.25)
    zoom: tuple[float, float] = (1.05, 1.3)
    zoom_change: float = 0.12
    pan: float = 0.12
    tilt: float = 0.05
    shear: float = 0.06
    jitter: float = 0.006
    occluded: float = 0.25
    outlined: float = 0.8
    textured: float = 0.4
    light: tuple[float, float] = (0.75, 1.2)
    gradient: float = 0.25
    blur: tuple[float, float] = (0.0, 0.8)
    noise: tuple[float, float] = (0.0, 9.0)
    crf: tuple[int, int] = (18, 32)


NUISANCE = Nuisance()
# Drawing a million normal numbers once and cutting noise from them at random is ten times faster.
_GRAIN = np.random.default_rng(0).standard_normal(2**20, dtype=np.float32)


def palette(rng: np.random.Generator) -> np.ndarray:
    """Return seven random colours for the pen's shades, (7, 3) uint8; skin keeps to skin tones."""
    hue = rng.random(4)
    hue[1] = (hue[0] + rng.uniform(0.2, 0.8)) % 1.0
    saturation, value = rng.uniform(0.3, 0.95, 4), rng.uniform(0.45, 1.0, 4)
    colours = np.array([_rgb(h, s, v) for h, s, v in zip(hue, saturation, value, strict=True)])
    skin = np.array([72.0, 46, 34]) + rng.uniform(0, 1) * np.array([175.0, 165, 150])
    dark, light = rng.uniform(15, 75, 3), rng.uniform(200, 255, 3)
    return np.stack([colours[0], colours[1], dark, light, skin, colours[2], colours[3]]).astype(
        np.uint8
    )


def _rgb(h: float, s: float, v: float) -> tuple[float, float, float]:
    red, green, blue = (
        v * (1 - s * max(0.0, min(k, 4 - k, 1.0))) * 255
        for k in ((n + 6 * h) % 6 for n in (5, 3, 1))
    )
    return red, green, blue


class Stage:
    """Everything about a shot that is not the action itself.

    Args:
        rng: source of all randomness; the same state gives the same pixels.
        scene: name of the scene.
        role: who the figure is, or None for no figure.
        distractors: things around, drawn behind the figure when they stand behind y = 0.
        size: side of the image, pixels.
        levels: how much nuisance.

    Attributes:
        faces_right: False when figure and acting things are mirrored.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        scene: str,
        role: str | None,
        distractors: Sequence[Placed] = (),
        size: int = 160,
        levels: Nuisance = NUISANCE,
    ) -> None:
        self.scene, self.role, self.distractors, self.size = scene, role, tuple(distractors), size
        self._levels = levels
        pen = Pen()
        scenes.DRAW[scene](pen, rng)
        self._backdrop = Layer(pen.drawing(), affine(0, 0), palette(rng), {"": SCENE})
        self._figure_colours = palette(rng)
        self._thing_colours = [palette(rng) for _ in range(12)]
        self._thing_scales = rng.uniform(*levels.thing_scale, 12)
        self.faces_right = bool(rng.random() < 0.5)
        shift, scale = rng.uniform(-1, 1) * levels.action_shift, rng.uniform(*levels.action_scale)
        self._action = affine(shift, 0, scale, flip=not self.faces_right)
        self._zoom = rng.uniform(*levels.zoom)
        self._zoom_change = rng.uniform(-1, 1) * levels.zoom_change
        self._pan = rng.uniform(-1, 1, (2, 2)) * levels.pan
        self._tilt, self._shear = rng.uniform(-1, 1, 2) * (levels.tilt, levels.shear)
        self._outline = bool(rng.random() < levels.outlined)
        self._post = self._occluder(rng) if rng.random() < levels.occluded else None
        self._textures = self._patterns(rng)
        self._light = self._lighting(rng)
        self._blur, self._noise = rng.uniform(*levels.blur), rng.uniform(*levels.noise)
        self._seed = int(rng.integers(2**62))

    def ids(self, things: Sequence[Placed]) -> dict[int, tuple[str, ...]]:
        """Return which entities each id stands for, when `things` are acting."""
        named: dict[int, tuple[str, ...]] = {SCENE: (self.scene,)}
        if self.role:
            named |= {PART_IDS[part]: (*whole, self.role) for part, whole in PARTS.items()}
        for k, placed in enumerate((*things, *self.distractors)):
            named[FIRST_THING + k] = (placed.name,)
        return named

    def shoot(
        self, moment: Moment, time: float = 0.0, frame: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Render one instant.

        Args:
            moment: pose, acting things and strings.
            time: 0 at the clip's start, 1 at its end; moves the camera.
            frame: number of the frame, which seeds noise and jitter.

        Returns:
            (size, size, 3) uint8 RGB and (size, size) uint8 ids (see `ids`).
        """
        rng = np.random.default_rng((self._seed, frame))
        camera = self._camera(time, rng)
        image, ids = raster(self._layers(moment), camera, self.size, self._outline)
        return self._develop(image, ids, camera, rng), ids

    def _layers(self, moment: Moment) -> list[Layer]:
        acting = [self._thing(k, p, self._action) for k, p in enumerate(moment.things)]
        count = len(moment.things)
        around = [self._thing(count + k, p, affine(0, 0)) for k, p in enumerate(self.distractors)]
        layers = [self._backdrop]
        layers += [a for a, p in zip(around, self.distractors, strict=True) if not p.front]
        layers += [a for a, p in zip(acting, moment.things, strict=True) if not p.front]
        if self.role:
            pen = Pen()
            figure.draw(pen, self.role, moment.pose)
            layers.append(Layer(pen.drawing(), self._action, self._figure_colours, PART_IDS))
        layers += [a for a, p in zip(acting, moment.things, strict=True) if p.front]
        if moment.strings:
            pen = Pen()
            for a, b in moment.strings:
                pen.rod(a, b, 0.015, DARK)
            layers.append(Layer(pen.drawing(), self._action, self._figure_colours, {"": OCCLUDER}))
        layers += [a for a, p in zip(around, self.distractors, strict=True) if p.front]
        return [*layers, self._post] if self._post else layers

    def _thing(self, k: int, placed: Placed, frame: np.ndarray) -> Layer:
        scale = ENTITIES[placed.name].size * placed.scale * self._thing_scales[k]
        own = affine(placed.x, placed.y, scale, placed.angle) @ np.vstack(
            (affine(-placed.pin[0], -placed.pin[1]), (0, 0, 1))
        )
        drawing = thing(placed.name, min(max(placed.state, 0.0), 1.0))
        return Layer(drawing, compose(frame, own), self._thing_colours[k], {"": FIRST_THING + k})

    def _occluder(self, rng: np.random.Generator) -> Layer:
        pen, x, wide = Pen(), rng.uniform(-0.8, 0.8), rng.uniform(0.08, 0.2)
        pen.rect(
            x - wide / 2, -1, x + wide / 2, 3 if rng.random() < 0.5 else rng.uniform(0.2, 0.7), MAIN
        )
        return Layer(pen.drawing(), affine(0, 0), palette(rng), {"": OCCLUDER})

    def _camera(self, time: float, rng: np.random.Generator) -> np.ndarray:
        zoom = self._zoom * (1 + self._zoom_change * (time - 0.5))
        x, y = (1 - time) * self._pan[0] + time * self._pan[1]
        x, y = np.array([x, y]) + rng.normal(0, 1, 2) * self._levels.jitter
        scale = self.size / 2 * zoom
        c, s = math.cos(self._tilt), math.sin(self._tilt)
        turn = np.array([[c, s + self._shear], [s, -c]]) * scale
        return np.column_stack((turn, (self.size / 2 - scale * x, self.size * 0.84 + scale * y)))

    def _patterns(self, rng: np.random.Generator) -> np.ndarray:
        """Return a wave for each id: (256, 4) float32 of its x and y frequency, phase, strength."""
        waves = np.zeros((256, 4), np.float32)
        waves[:, :2] = rng.uniform(-1.6, 1.6, (256, 2))
        waves[:, 2] = rng.uniform(0, math.tau, 256)
        waves[:, 3] = rng.uniform(8, 30, 256) * (rng.random(256) < self._levels.textured)
        waves[list(PART_IDS.values())] = waves[1]
        waves[SCENE, 3] *= 0.4
        return waves

    def _lighting(self, rng: np.random.Generator) -> np.ndarray:
        """Return (size, size, 3) float32 gains: brightness, its slope and a colour cast."""
        line = np.linspace(-1, 1, self.size, dtype=np.float32)
        a = rng.uniform(0, math.tau)
        slope = rng.uniform(0, self._levels.gradient)
        field = 1 + slope * (math.cos(a) * line[None, :] + math.sin(a) * line[:, None])
        cast = rng.uniform(0.9, 1.1, 3).astype(np.float32)
        return field[..., None] * cast * np.float32(rng.uniform(*self._levels.light))

    def _develop(
        self, image: np.ndarray, ids: np.ndarray, camera: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        if self._blur > 0.3:
            image = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(self._blur)))
        along, up, phase, strength = self._textures.T[:, ids]  # each (size, size)
        at = np.arange(self.size, dtype=np.float32)
        x, y = at[None, :] - np.float32(camera[0, 2]), at[:, None] - np.float32(camera[1, 2])
        pattern = np.sin(along * x + up * y + phase) * strength
        value = (image + pattern[..., None]) * self._light
        if self._noise > 0:
            start = int(rng.integers(_GRAIN.size - value.size))
            value += _GRAIN[start : start + value.size].reshape(value.shape) * np.float32(
                self._noise
            )
        return np.clip(value, 0, 255, out=value).astype(np.uint8)


def scatter(
    rng: np.random.Generator, count: int, pool: Sequence[str] = THINGS, avoid: Sequence[str] = ()
) -> tuple[Placed, ...]:
    """Place `count` different things of `pool` around the stage, some behind and some in front."""
    names = [name for name in pool if name not in avoid]
    chosen = rng.choice(len(names), size=count, replace=False)
    placed = []
    for k in chosen:
        front = bool(rng.random() < 0.3)
        y = rng.uniform(-0.25, -0.12) if front else rng.uniform(-0.02, 0.25)
        if not front and rng.random() < 0.3:
            y = rng.uniform(0.4, 1.1)
        placed.append(
            Placed(
                names[k], rng.uniform(-0.75, 0.75), y, rng.normal(0, 0.15), rng.random(),
                0.85, front=front,
            )
        )  # fmt: skip
    return tuple(placed)
