import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import settings

from corpus.backbone import Backbone, load

if "PYTEST_XDIST_WORKER" in os.environ:
    # There are as many workers as cores: more threads, here and in commands, only wait in turn.
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)

# Examples that load WordNet take seconds, and no test is about time.
settings.register_profile("alt", deadline=None)
settings.load_profile("alt")

SHARED = Path(os.environ.get("ALT_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and golden files that lies beside a developer's checkout."""
    if not SHARED.is_dir():
        assert not os.environ.get("ALT_REQUIRE_SHARED"), f"{SHARED} is required and missing"
        pytest.skip("needs ../shared (real clips and golden files), which is not beside this clone")
    return SHARED


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """What is brought to the disk from here on, in order: (name, a file's bytes then).

    A rename is ("named", b"").
    """
    done: list[tuple[str, bytes]] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        done.append((path.name, path.read_bytes() if path.is_file() else b""))
        fsync(handle)

    def noted_replace(source: Path, place: Path) -> None:
        done.append(("named", b""))
        replace(source, place)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    return done


@pytest.fixture(scope="session")
def mini() -> Backbone:
    """The mini backbone with random weights: fast, and the same in every run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load("alt-mini", "none")


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    """Writes a small video whose every frame tells its own number by its left half's grey."""

    def make(
        path: Path,
        frames: int = 24,
        size: tuple[int, int] = (160, 120),
        codec: str = "libx264",
        times: Sequence[int] | None = None,  # in frames of 1/25 s; for a variable rate
        last: int = 1,  # how long the last frame stays, in the same
        seed: int = 0,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        width, height = size
        blocks = np.random.default_rng(seed).integers(
            0, 256, (height // 8, width // 8, 3), np.uint8
        )
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.gop_size = 12
            stream.codec_context.thread_count = 1
            for index in range(frames):
                image = np.roll(blocks.repeat(8, 0).repeat(8, 1), 2 * index, axis=1)
                image[:, : width // 2] = frame_grey(index)
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
                frame.pts = index if times is None else times[index]
                container.mux(stream.encode(frame))
            for packet in stream.encode():
                if last > 1 and packet.pts == frame.pts:
                    packet.duration = last
                container.mux(packet)
        return path

    return make


def frame_grey(index: int) -> int:
    """The grey level that marks a frame of `make_clip`; good for 48 frames."""
    return 16 + 4 * index


@pytest.fixture
def called(monkeypatch, capsys):
    """Run a command's own main in this process, which saves its imports."""

    def run(command, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["alt", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            command()
        streams = capsys.readouterr()
        return int(ended.value.code or 0), streams.out, " ".join(streams.err.split())

    return run


@pytest.fixture(autouse=True)
def _wishes() -> Iterator[None]:
    """Take Ctrl-C and SIGTERM after each test as before it: a command's main sets them."""
    before = {wish: signal.getsignal(wish) for wish in (signal.SIGINT, signal.SIGTERM)}
    yield
    for wish, handler in before.items():
        signal.signal(wish, handler)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
