"""Frames and timestamps of a video file, through decord or PyAV behind one small interface.

decord (the module of the decord2 package) goes first. What it cannot open, and what it would
silently get wrong, it refuses here, and PyAV takes the file. The two give the same frames at the
same timestamps: both decode with FFmpeg, the stream that FFmpeg calls the best, upright.
"""

import importlib.metadata
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Protocol

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray


@contextmanager
def _no_cuda_libraries() -> Iterator[None]:
    """Let decord find none of the CUDA libraries that pip has installed for torch.

    It would load every one of them before its own, half a second and 800 MB in each process, and
    only its builds for CUDA ("3.4.0+cu130") call any.
    """
    found = sys.modules.pop("nvidia", None)
    with suppress(importlib.metadata.PackageNotFoundError):  # of another build nothing is known
        if "+cu" not in importlib.metadata.version("decord2"):
            sys.modules["nvidia"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop("nvidia", None)
        if found is not None:
            sys.modules["nvidia"] = found


with _no_cuda_libraries():
    import decord

Decoder = Literal["auto", "decord", "pyav"]
Frame = NDArray[np.uint8]  # (H, W, 3) RGB

# decord decodes a batch of whole frames at once; small batches bound the memory of large frames.
_AT_ONCE = 8
# decord's mark for "the container gives no time", divided by any time base.
_NO_TIME = -1e9


class DecodeError(Exception):
    """A video, or what was asked of it, that a decoder cannot give; the message is the reason."""


class Video(Protocol):
    """An open video.

    Attributes:
        timestamps: (N,) float64 seconds from the first frame that is shown, ascending.
        end: seconds at which the last one's time is over, no less than the median step after it.
        note: what was passed over in the file, or "".
    """

    timestamps: NDArray[np.float64]
    end: float
    note: str

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yield the frames at ascending, distinct indices.

        Raises:
            DecodeError: one of them cannot be decoded as it was meant to be.
        """


class DecordVideo:
    """A video through decord."""

    note = ""

    def __init__(self, path: Path) -> None:
        try:
            # By default decord puts a neighbour in a damaged frame's place without a word; with
            # this limit it raises instead.
            self._reader = decord.VideoReader(str(path), num_threads=1, fault_tol=1e-9)
            spans = self._reader.get_frame_timestamp(range(len(self._reader)))
            rate = self._reader.get_avg_fps()
        except Exception as error:  # its errors share no class of their own
            raise DecodeError(_reason(error)) from error
        times, ends = spans.astype(np.float64).T
        if (times < _NO_TIME).any():
            times = np.full(len(times), np.nan)
        elif times[0] < -0.5 / max(rate, 1):
            # The decoder drops these frames and decord still counts them: its indices are off.
            raise DecodeError("an edit list cuts the video's start")
        self.timestamps, self.end = _timeline(times, ends[-1], rate)

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yield frames; see `Video`."""
        for start in range(0, len(indices), _AT_ONCE):
            try:
                batch = self._reader.get_batch(list(indices[start : start + _AT_ONCE])).asnumpy()
            except Exception as error:
                raise DecodeError(_reason(error)) from error
            yield from batch


class PyAVVideo:
    """A video through PyAV. Damaged frames are passed over, counted in `note`, never repaired."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # One for all frames: a frame that converts itself sets up its own, which takes longer.
        self._converter = VideoReformatter()
        times: list[float] = []
        self._damaged = 0
        rate = last = 0.0
        for frame in self._decode():
            times.append(np.nan if frame.time is None else frame.time)
            last = float((frame.duration or 0) * (frame.time_base or 0))
            rate = rate or self._rate
        if not times:
            raise DecodeError("no frame can be decoded")
        self.timestamps, self.end = _timeline(np.array(times), times[-1] + last, rate)
        if self._damaged:
            self.note = f"{self._damaged} damaged frames passed over, {len(times)} good ones"
        else:
            self.note = ""

    def frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yield frames; see `Video`."""
        wanted = iter(indices)
        index = next(wanted, None)
        for at, frame in enumerate(self._decode()):
            if index is None:
                return
            if at == index:
                yield self._upright(frame)
                index = next(wanted, None)
        if index is not None:
            raise DecodeError(f"frame {index} was there once and is not again")

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Yield every frame that decodes without an error, in the order of showing."""
        self._damaged = 0
        try:
            with _open(self._path) as container:
                stream = container.streams.best("video")
                if stream is None:
                    raise DecodeError("no video stream")
                stream.codec_context.thread_count = 1
                self._rate = float(stream.average_rate or stream.guessed_rate or 25)
                for packet in container.demux(stream):
                    try:
                        frames = packet.decode()
                    except av.error.InvalidDataError:
                        self._damaged += 1
                        continue
                    for frame in frames:
                        assert isinstance(frame, av.VideoFrame)
                        if frame.is_corrupt:
                            self._damaged += 1
                        else:
                            yield frame
        except (av.error.FFmpegError, ValueError) as error:
            raise DecodeError(_reason(error)) from error

    def _upright(self, frame: av.VideoFrame) -> Frame:
        """RGB pixels, turned as the file's rotation metadata says."""
        pixels = self._converter.reformat(frame, format="rgb24").to_ndarray()
        return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


_READERS: dict[Decoder, tuple[Callable[[Path], Video], ...]] = {
    "auto": (DecordVideo, PyAVVideo),
    "decord": (DecordVideo,),
    "pyav": (PyAVVideo,),
}


def visit(
    path: Path,
    choose: Callable[[NDArray[np.float64], float], Iterable[int]],
    see: Callable[[int, Frame], None],
    decoder: Decoder = "auto",
) -> str:
    """Look at some frames of a video.

    Args:
        path: the file.
        choose: from all timestamps (N,), and the end of the last frame, to the indices wanted.
        see: told each wanted index once, with its frame, as it is decoded, so that whole frames
            need not be kept. When one decoder gives up midway, the next begins again.
        decoder: "auto" tries decord, then PyAV.

    Returns:
        What was passed over in the file, or "".

    Raises:
        DecodeError: no decoder can; the reason is the last one's.
    """
    path = path.absolute()  # FFmpeg takes a relative name with a colon in it for a URL
    if not path.is_file():
        raise DecodeError("is a folder" if path.is_dir() else "no such file")
    if path.stat().st_size == 0:
        raise DecodeError("the file is empty")
    reason = DecodeError("no decoder")
    for reader in _READERS[decoder]:
        try:
            video = reader(path)
            indices = sorted(set(choose(video.timestamps, video.end)))
            for index, frame in zip(indices, video.frames(indices), strict=True):
                see(index, frame)
            notes = (video.note, _cut_short(path, video.end))
            return "; ".join(note for note in notes if note)
        except DecodeError as error:
            reason = error
    raise reason


def quiet() -> None:
    """Silence the libraries' own log lines: what matters in them comes back as a reason."""
    av.logging.set_level(av.logging.PANIC)
    decord.logging.set_level(decord.logging.QUIET)


def _open(path: Path) -> InputContainer:
    """Open a file through PyAV, whatever the bytes of its tags."""
    try:
        return av.open(str(path))
    except UnicodeDecodeError:  # from 19 on PyAV takes them all, and can no longer be told to
        return av.open(str(path), metadata_errors="replace")  # type: ignore[call-overload,unused-ignore]


def _timeline(
    times: NDArray[np.float64], end: float, rate: float
) -> tuple[NDArray[np.float64], float]:
    """Times from the first frame on, and the end; by the frame rate where the container's are none.

    AVI has no presentation times, only an order: what is made of them need not ascend.
    """
    step = 1 / (rate if rate > 0 else 25.0)
    if not (np.diff(times) > 0).all() or not np.isfinite(times).all():
        times, end = np.arange(len(times), dtype=np.float64) * step, 0.0
    start, usual = times[0], float(np.median(np.diff(times))) if len(times) > 1 else step
    least = float(times[-1] - start) + usual  # many a file does not say how long its last one stays
    return times - start, max(float(end - start), least) if np.isfinite(end) else least


def _cut_short(path: Path, end: float) -> str:
    """Say so when a video ends well before its header says, as a broken download does.

    Containers that play while they arrive (Matroska, WebM, AVI, "fast start" MP4) open without
    complaint when the rest never came, and both decoders call what is there the whole.
    """
    try:
        with _open(path) as container:
            stream = container.streams.best("video")
            if stream is None:
                return ""
            tag = stream.metadata.get("DURATION", "")  # Matroska's, as 00:00:02.400000000
            if container.format.name == "avi":  # its duration is a guess from the file's size
                announced = stream.frames / float(stream.average_rate or 25)
            elif stream.duration and stream.time_base:
                announced = float(stream.duration * stream.time_base)
            elif re.fullmatch(r"\d+:\d+:\d+(\.\d+)?", tag):
                hours, minutes, seconds = map(float, tag.split(":"))
                announced = 3600 * hours + 60 * minutes + seconds
            else:
                return ""
    except (av.error.FFmpegError, ValueError):
        return ""  # decord can read it, so there is nothing to compare with
    if announced - end < max(0.5, 0.1 * announced):
        return ""
    return f"ends at {end:.1f} s of the {announced:.1f} s that its header announces"


def _reason(error: Exception) -> str:
    """A library's error as part of one line."""
    text = str(error)
    if "corrupted and recovered" in text:
        return "damaged frames, which decord would replace by their neighbours"
    if "from_size == to_size" in text:  # it takes the rows' padding for a fourth channel
        return "frames too narrow for decord"
    if "avcodec_send_packet" in text:
        return "damaged frames"
    if not text or any(sign in text for sign in ("Invalid data", "Error opening", "End of file")):
        return "not a video that can be opened (damaged, cut short, or no video at all)"
    return " ".join(text.split("Check failed:")[-1].split())[:160]
