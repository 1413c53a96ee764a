"""A trained run and the videos behind it, for the commands that read them."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from adapter.cli import main
from corpus.backbone import Backbone
from extract.datasets import open_dataset
from extract.run import Options, extract


def alt_adapter(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adapter.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, cwd=cwd)


@pytest.fixture
def here(called):
    """Run alt-adapter in this process."""
    return partial(called, main)


@pytest.fixture(scope="session")
def videos(tmp_path_factory, make_clip) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for index in range(6):
        name = ("playing guitar", "archery", "hugging")[index % 3]
        make_clip(root / name / f"{index}.mp4", frames=12, seed=index)
    (root / "archery" / "broken.mp4").write_bytes(b"not a video")
    return root


@pytest.fixture(scope="session")
def work(videos: Path, mini: Backbone, tmp_path_factory) -> Path:
    """A folder with features, and a run trained by the real command with nothing but them."""
    folder = tmp_path_factory.mktemp("work")
    options = Options(frames=3, merge=4)
    extract(open_dataset("folder", videos), mini, folder / "feats.h5", options, workers=1)
    done = alt_adapter("train", "--features", "feats.h5", "--epochs", 3, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stderr)
    return folder
