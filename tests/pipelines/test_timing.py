import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pipelines.timing import busy, watched

TOLD = """#!/bin/sh
echo "$@" > "$0.asked"
printf '0\\n[N/A]\\n50\\n0\\n 100\\n0\\n'
touch "$0.begun"
exec sleep 60
"""


def test_a_gpu_is_watched_from_its_first_work_to_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "nvidia-smi"
    told.write_text(TOLD)
    told.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    facts = SimpleNamespace(uuid="4b7-a")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: facts)
    with watched(torch.device("cuda", 1)) as shares:
        while not Path(f"{told}.begun").exists():
            time.sleep(0.01)
        assert shares == []
    assert shares == [0, 0.5, 0, 1, 0]
    assert busy(shares) == 0.5
    assert "--id=GPU-4b7-a " in Path(f"{told}.asked").read_text()


def test_of_no_gpu_and_of_one_that_nobody_can_watch_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    for name in ("cpu", "cuda"):
        with watched(torch.device(name)) as shares:
            pass
        assert busy(shares) is None
