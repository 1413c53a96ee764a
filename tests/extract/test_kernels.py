import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from extract import tome

pytest.importorskip("triton", reason="needs Triton, which comes with torch on Linux")
CHECKS = Path(__file__).with_name("kernels_checked.py")


def checked(**environment: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CHECKS)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, env=os.environ | environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_kernels_compute_what_pytorch_does_when_interpreted():
    assert "16 passed" in checked(TRITON_INTERPRET="1")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_the_kernels_compute_on_gpu_what_pytorch_does():
    assert "16 passed" in checked()


def test_where_triton_cannot_run_it_is_said_and_done_without():
    with pytest.warns(UserWarning, match="no Triton kernels here"):
        assert tome._kernels(torch.device("cpu")) is None
    merge = tome.match(torch.randn(1, 9, 4), 2)
    assert merge.source.shape == (1, 9)
