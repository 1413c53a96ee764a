"""Pixels to features: the region encoder run in full batches that span videos."""

import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from corpus.backbone import Backbone
from corpus.errors import BadInput
from extract.clip import Pixels
from extract.device import imitates
from extract.manifest import Dtype, patch_dtype
from extract.quantise import quantise
from extract.regions import RegionEncoder, Regions
from extract.replay import Replay
from extract.rows import Features
from extract.transfer import Transfer
from extract.views import normalise

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


# Lanes beyond this gain little on any machine, and each holds a batch's activations.
_MOST_LANES = 8

Key = TypeVar("Key")
# Of some of a video's frames, as they are stored: regions, size, source and, for int8, scale; or
# the reason why they cannot be.
Part = tuple[NDArray[Any], ...] | str


@dataclass
class _Waiting(Generic[Key]):
    """A video whose frames are on their way through the encoder, or the reason for none."""

    key: Key
    pixels: Pixels | str
    parts: list[Part] = field(default_factory=list)
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
        lanes: batches encoded at once, each by its share of the threads. On a CPU several lanes
            of one thread beat one lane of several, whose threads wait for each other at every
            operation, and all the more beside decoding workers; see `lanes`.
        compiled: run the tower through torch.compile: a minute or so first, then faster.

    Attributes:
        regions: R, tokens of a frame that are stored, the class token included.
        busy: seconds so far with a batch at work.

    Raises:
        BadInput: the backbone's image tower is not a plain vision transformer, it cannot be
            compiled here, or a batch does not fit the GPU.
    """

    def __init__(
        self,
        backbone: Backbone,
        merge: int = 8,
        precision: str = "float32",
        dtype: Dtype = "float16",
        batch: int = 32,
        keep_regions: int = 0,
        lanes: int = 1,
        compiled: bool = False,
    ) -> None:
        if backbone.device.type == "cpu" and imitates(precision):
            slow = "this processor has no instructions for it: float32 is several times as fast"
            warnings.warn(f"--precision {precision}: {slow}", stacklevel=2)
        self.backbone, self.merge, self.precision = backbone, merge, precision
        self.dtype, self.batch, self.lanes = dtype, batch, lanes
        self.tower = RegionEncoder(backbone.model, merge, PRECISIONS[precision])
        self.regions = (
            min(1 + keep_regions, self.tower.regions) if keep_regions else self.tower.regions
        )
        self._transfer = Transfer(backbone.device)
        self._compiled: Callable[[Tensor], Regions] | None = None
        if backbone.device.type == "cuda":
            # cuDNN compiles an attention for each number of tokens, in each thread anew; that is
            # slow, has crashed with two threads at it, and with a mask comes to a slower one.
            torch.backends.cuda.enable_cudnn_sdp(False)
        if compiled:
            self._compiled = self._compile()
        self._replay: Replay | None = None
        if backbone.device.type == "cuda" and not compiled:
            self._replay = self._recorded()
        self._lock, self._running, self._since, self._busy = threading.Lock(), 0, 0.0, 0.0

    @property
    def busy(self) -> float:
        with self._lock:
            return self._busy + (time.monotonic() - self._since if self._running else 0.0)

    def features(
        self,
        clips: Iterable[tuple[Key, Pixels | str]],
        group: Callable[[Key], object] = lambda key: None,
    ) -> Generator[tuple[Key, Features | str], None, None]:
        """Encode videos in order.

        The batches are cut from the videos' frames end to end, so which frames share a batch
        depends on the videos alone; the last one may be short.

        Args:
            clips: (key, pixels) of each video, or in place of pixels the reason for none.
            group: of a key; no batch holds frames of two groups, so that what comes out of a group
                depends on that group alone. Those of a group come one after the other.

        Yields:
            (key, features) in the same order; a reason in place of features that cannot be stored.
        """
        waiting: deque[_Waiting[Key]] = deque()
        flying: deque[tuple[Future[list[Part]], list[tuple[_Waiting[Key], int]]]] = deque()
        cut: list[tuple[_Waiting[Key], NDArray[np.uint8]]] = []  # frames of the batch to come

        def launch() -> None:
            frames = [frames for _, frames in cut]
            owners = [(clip, len(frames)) for clip, frames in cut]
            flying.append((crew.submit(self._encode, frames), owners))
            cut.clear()
            # A batch more for each lane, so that none is without while this thread writes.
            if len(flying) > 2 * self.lanes:
                land()

        def land() -> None:
            future, owners = flying.popleft()
            for part, (clip, count) in zip(future.result(), owners, strict=True):
                clip.parts.append(part)
                clip.left -= count

        def done() -> Iterator[tuple[Key, Features | str]]:
            while waiting and not waiting[0].left:
                clip = waiting.popleft()
                pixels = clip.pixels
                yield clip.key, pixels if isinstance(pixels, str) else _row(pixels, clip.parts)

        with self._crew() as crew:
            for key, pixels in clips:
                if cut and group(cut[0][0].key) != group(key):
                    launch()
                clip = _Waiting(key, pixels)
                waiting.append(clip)
                if not isinstance(pixels, str):
                    clip.left, start = len(pixels.frames), 0
                    while start < len(pixels.frames):
                        room = self.batch - sum(len(frames) for _, frames in cut)
                        cut.append((clip, pixels.frames[start : start + room]))
                        start += room
                        if start <= len(pixels.frames):  # the batch is full
                            launch()
                yield from done()
            if cut:
                launch()
            while flying:
                land()
                yield from done()
            yield from done()

    @contextmanager
    def _crew(self) -> Iterator[ThreadPoolExecutor]:
        """The lanes: threads that share out those of torch."""
        threads, share = torch.get_num_threads(), _share(self.lanes)
        crew = ThreadPoolExecutor(self.lanes, "encode", torch.set_num_threads, (share,))
        try:
            yield crew
        finally:
            crew.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)  # what a lane sets, threads to come inherit

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Count the time of this thread as busy, once however many do."""
        with self._lock:
            self._since = self._since if self._running else time.monotonic()
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._busy += time.monotonic() - self._since

    def _encode(self, frames: list[NDArray[np.uint8]]) -> list[Part]:
        """Encode a batch, (n, h, w, 3) frames of each of its videos, to a part of each.

        All of it is done here, on a lane, so that the thread that writes has little else to do.
        """
        with self._working(), torch.inference_mode():
            images = self._images(frames)
            tower: Callable[[Tensor], Regions] = self.tower
            if self._compiled is not None:
                tower = self._compiled
            elif self._replay is not None and len(images) == self.batch:
                tower = self._replay
            seen = tower(images).largest(self.regions - 1)
            stored = quantise(seen.tokens.float(), self.dtype)
            results = [stored.fits, stored.values, seen.size, seen.source]
            results += [] if stored.scale is None else [stored.scale]
            fits, values, size, source, *scale = self._transfer.down(results)
        arrays = (values, size.astype(np.uint16), source.astype(patch_dtype(self.regions)), *scale)
        parts: list[Part] = []
        start = 0
        for end in np.cumsum([len(some) for some in frames]).tolist():
            kept = tuple(array[start:end] for array in arrays)
            parts.append(kept if fits[start:end].all() else "features are not finite in float16")
            start = end
        return parts

    def _images(self, frames: list[NDArray[np.uint8]]) -> Tensor:
        """The tower's input, on its device."""
        facts = self.backbone.preprocess
        count = sum(map(len, frames))
        # A compiled tower has one shape; another would be compiled anew.
        room = count if self._compiled is None else self.batch
        pixels = self._transfer.room(room, *frames[0].shape[1:])
        pixels[count:] = 0
        # In NumPy: torch would spread it over threads that the lanes are using.
        np.concatenate(frames, out=pixels[:count].numpy())
        return normalise(self._transfer.up(pixels), facts.mean, facts.std)

    @torch.inference_mode()
    def _recorded(self) -> Replay:
        """The tower's launches for a full batch, so that what does not fit is known at once."""
        try:
            return Replay(self.tower, self._images([self._blank()]))
        except torch.OutOfMemoryError as error:
            cause, mend = "a batch has no room on the GPU", "use a smaller one"
            raise BadInput(f"--batch {self.batch}", cause, mend) from error

    def _blank(self) -> NDArray[np.uint8]:
        return np.zeros((self.batch, *self.backbone.preprocess.size, 3), np.uint8)

    def _compile(self) -> Callable[[Tensor], Regions]:
        """The compiled tower, run once, so that what is missing for it is known at once."""
        threads = torch.get_num_threads()
        torch.set_num_threads(_share(self.lanes))  # code for a CPU is made for so many
        try:
            compiled = torch.compile(self.tower, dynamic=False)
            with torch.inference_mode():
                compiled(self._images([self._blank()]))
        except Exception as error:  # of no class of their own, and with pages to say
            cause = " ".join(str(error).split())[:160]
            mend = "install a C++ compiler, or leave it out"
            raise BadInput("--compile", f"cannot be done here ({cause})", mend) from error
        finally:
            torch.set_num_threads(threads)
        return compiled


def _row(pixels: Pixels, parts: list[Part]) -> Features | str:
    """A video's row from its parts; the first reason, if there is one."""
    arrays = []
    for part in parts:
        if isinstance(part, str):
            return part
        arrays.append(part)
    # A video in one batch is a part of it as it is.
    joined = arrays[0] if len(arrays) == 1 else map(np.concatenate, zip(*arrays, strict=True))
    regions, size, source, *scale = joined
    return Features(regions, size, source, pixels.timestamps, *scale)


def lanes(device: torch.device) -> int:
    """How many batches an extraction encodes at once on this device.

    A CPU has a lane for each of torch's threads, up to a bound; its results then do not depend on
    the number of threads either. Elsewhere batches are prepared while another is at work.
    """
    return min(torch.get_num_threads(), _MOST_LANES) if device.type == "cpu" else 4


def _share(lanes: int) -> int:
    """Threads of torch for each of so many lanes."""
    return max(1, torch.get_num_threads() // lanes)
