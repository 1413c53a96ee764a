"""Pixels to features: the region encoder run in full batches that span videos."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corpus.backbone import Backbone
from extract.clip import Pixels
from extract.manifest import Dtype, patch_dtype
from extract.regions import RegionEncoder, Regions
from extract.rows import Features, quantise
from extract.views import normalise

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass
class _Waiting:
    """A video whose frames are on their way through the encoder."""

    key: int
    pixels: Pixels
    parts: list[Regions] = field(default_factory=list)
    left: int = 0


class Encoder:
    """A backbone's region encoder, with all that turns pixels into a cache's rows.

    Args:
        backbone: whose image tower to use, on the device where it is.
        merge: token pairs merged in each block, r.
        precision: "float32", "bfloat16" or "float16".
        dtype: how features are stored.
        batch: frames to a forward pass.
        keep_regions: how many of each frame's regions, the largest, are stored beside the class
            token; 0 for all.

    Attributes:
        regions: R, tokens of a frame that are stored, the class token included.

    Raises:
        BadInput: the backbone's image tower is not a plain vision transformer.
    """

    def __init__(
        self,
        backbone: Backbone,
        merge: int = 8,
        precision: str = "float32",
        dtype: Dtype = "float16",
        batch: int = 32,
        keep_regions: int = 0,
    ) -> None:
        self.backbone, self.merge, self.precision = backbone, merge, precision
        self.dtype, self.batch = dtype, batch
        self.tower = RegionEncoder(backbone.model, merge, PRECISIONS[precision])
        self.regions = (
            min(1 + keep_regions, self.tower.regions) if keep_regions else self.tower.regions
        )
        if backbone.device.type == "cuda":
            self.tower.visual.to(memory_format=torch.channels_last)

    def features(self, clips: Iterable[tuple[int, Pixels]]) -> Iterator[tuple[int, Features | str]]:
        """Encode videos in order.

        The batches are cut from the videos' frames end to end, so which frames share a batch
        depends on the videos alone; the last one may be short.

        Args:
            clips: (key, pixels) of each video.

        Yields:
            (key, features) in the same order; a reason in place of features that cannot be stored.
        """
        waiting: deque[_Waiting] = deque()
        flying: deque[tuple[Regions, list[tuple[_Waiting, int]]]] = deque()
        cut: list[tuple[_Waiting, NDArray[np.uint8]]] = []  # frames of the batch to come

        def launch() -> None:
            regions = self._encode(np.concatenate([frames for _, frames in cut]))
            flying.append((regions, [(clip, len(frames)) for clip, frames in cut]))
            cut.clear()

        def land() -> None:
            regions, owners = flying.popleft()
            regions = Regions(regions.tokens.cpu(), regions.size.cpu(), regions.source.cpu())
            start = 0
            for clip, count in owners:
                clip.parts.append(_rows(regions, start, start + count))
                clip.left -= count
                start += count

        def done() -> Iterator[tuple[int, Features | str]]:
            while waiting and not waiting[0].left:
                clip = waiting.popleft()
                yield clip.key, self._row(clip)

        for key, pixels in clips:
            clip = _Waiting(key, pixels, left=len(pixels.frames))
            waiting.append(clip)
            start = 0
            while start < len(pixels.frames):
                room = self.batch - sum(len(frames) for _, frames in cut)
                cut.append((clip, pixels.frames[start : start + room]))
                start += room
                if start <= len(pixels.frames):  # the batch is full
                    launch()
                    # One batch stays in flight, so that a GPU works while its result is awaited.
                    if len(flying) > 1:
                        land()
                    yield from done()
        if cut:
            launch()
        while flying:
            land()
        yield from done()

    @torch.inference_mode()
    def _encode(self, frames: NDArray[np.uint8]) -> Regions:
        """Encode (B, h, w, 3) uint8 frames; on a GPU the result may still be under way."""
        device = self.backbone.device
        pixels = torch.from_numpy(frames)
        if device.type == "cuda":
            pixels = pixels.pin_memory()
        facts = self.backbone.preprocess
        images = normalise(pixels.to(device, non_blocking=True), facts.mean, facts.std)
        return self.tower(images).largest(self.regions - 1)

    def _row(self, clip: _Waiting) -> Features | str:
        tokens = torch.cat([part.tokens for part in clip.parts]).float().numpy()
        size = torch.cat([part.size for part in clip.parts]).numpy()
        source = torch.cat([part.source for part in clip.parts]).numpy()
        try:
            regions, scale = quantise(tokens, self.dtype)
        except ValueError as error:
            return str(error)
        return Features(
            regions,
            size.astype(np.uint16),
            source.astype(patch_dtype(self.regions)),
            clip.pixels.timestamps,
            scale,
        )


def _rows(regions: Regions, start: int, stop: int) -> Regions:
    def take(x: Tensor) -> Tensor:
        return x[start:stop]

    return Regions(take(regions.tokens), take(regions.size), take(regions.source))
