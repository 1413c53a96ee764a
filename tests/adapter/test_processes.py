import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from adapter.processes import on_cpu, processes
from adapter.train import open_accelerator
from corpus.errors import BadInput

SCRIPT = """
import json, os, sys
from pathlib import Path
import torch
from torch.nn import functional as F
from adapter.baselines import build
from adapter.data import open_clips
from adapter.evaluate import measure, probabilities
from adapter.model import ModelConfig
from adapter.train import TrainConfig, train

torch.set_num_threads(1)
draw = torch.Generator().manual_seed(3)
labels = F.normalize(torch.randn(4, 2, 32, generator=draw), dim=-1)
entities = F.normalize(torch.randn(40, 32, generator=draw), dim=-1)
clips = open_clips([Path(sys.argv[1])])
model = build(ModelConfig(explore=True, dropout=0.2), entities, 5, 100.0)
config = TrainConfig(
    epochs=3, batch_size=7, accumulate=2, mixup=0.4, region_dropout=0.2, frame_dropout=0.2
)
history = train(model, clips, labels, config, clips).history
chances = probabilities(model, clips, labels, 4)
result = {"history": history, "chances": chances.tolist(), "clips": len(clips)}
Path(sys.argv[2], os.environ.get("RANK", "alone")).write_text(json.dumps(result))
"""


def test_processes_wait_for_the_first_one_s_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def opened(cpu: bool, timeout: timedelta) -> SimpleNamespace:
        asked.append(timeout)
        return SimpleNamespace(num_processes=2, device=torch.device("cpu"))

    monkeypatch.setattr("adapter.processes.PartialState", opened)
    processes("cpu")
    assert asked == [timedelta(days=2)]


def test_where_a_gpu_is_there_it_is_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = ("auto", "cuda", torch.device("cuda", 1), "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [on_cpu(device) for device in devices] == [False, False, False, True]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert on_cpu("auto")
    assert on_cpu("cpu")
    for device in devices[1:3]:  # and no CPU in its place without a word
        with pytest.raises(BadInput, match=f"device {device}: PyTorch sees no GPU; use cpu"):
            on_cpu(device)


def test_another_device_may_be_asked_for_in_the_same_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = processes("cpu")
    # As if a GPU had been worked on before.
    monkeypatch.setitem(state.__dict__, "device", torch.device("cuda", 0))
    assert processes("cpu").device.type == "cpu"
    state.__dict__["device"] = torch.device("cuda", 0)
    assert open_accelerator("cpu").device.type == "cpu"


def test_two_processes_train_and_score_as_one_does(write_cache, tmp_path: Path) -> None:
    # 16 clips in steps of 7, 7 and 2: parts are not even, and one process has none of the last.
    path = write_cache(per_class=4, noise=4, unlabelled=1)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    out = tmp_path / "out"
    out.mkdir()
    arguments = [str(script), str(path), str(out)]
    # On a CPU alone accelerate's --cpu starts one process; its launcher of several asks for GPUs
    # by name and uses none, as the script trains on the CPU.
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--main_process_port", "0"]
    for command in (arguments, [*launch, *arguments]):
        done = subprocess.run(
            [sys.executable, *command],
            capture_output=True,
            text=True,
            cwd=Path.cwd(),
            env={**os.environ, "TMPDIR": str(tmp_path)},  # for what torch's launcher leaves behind
        )
        assert done.returncode == 0, done.stderr[-2000:]
    alone, first, second = (json.loads((out / name).read_text()) for name in ("alone", "0", "1"))
    assert first["chances"] == second["chances"]
    assert len(first["chances"]) == first["clips"] == 16
    for one, two in zip(alone["history"], first["history"], strict=True):
        for name in ("loss", "val_loss", "val_top1"):
            assert two[name] == pytest.approx(one[name], rel=1e-5, abs=1e-6), name
    for one, two in zip(alone["chances"], first["chances"], strict=True):
        assert two == pytest.approx(one, abs=1e-4)
