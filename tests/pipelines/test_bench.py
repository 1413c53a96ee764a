from types import ModuleType

import pytest
import torch

from pipelines import bench, bench_adapter, bench_extract
from pipelines.bench_loader import Streamed


@pytest.mark.parametrize("module", [bench, bench_adapter, bench_extract])
def test_a_device_that_there_is_not_is_refused_in_one_line(
    module: ModuleType, tmp_path, monkeypatch, capsys
) -> None:
    root = [str(tmp_path)] if module is bench_extract else []
    monkeypatch.setattr("sys.argv", [module.__name__, *root, "--device", "foo"])
    with pytest.raises(SystemExit) as done:
        module.main()
    assert done.value.code == 2
    assert "--device foo: cannot be used" in capsys.readouterr().err


def test_a_tower_that_takes_half_the_time_is_twice_as_fast(monkeypatch) -> None:
    turns = [
        (9.0, 9.0, 9.0),
        (4.0, 2.0, 1.0),
        (6.0, 2.0, 1.0),
        (4.0, 1.0, 1.0),
    ]  # the first warms up
    seconds = iter(sum(turns, ()))
    monkeypatch.setattr(bench, "seconds", lambda work, device: next(seconds))
    figures = bench.speed("alt-mini", 8, 4, 3, torch.device("cpu"))
    assert (figures.plain, figures.merged, figures.speedup) == (4 / 4, 4 / 2, 3)
    assert figures.macs > 1  # of which merging saves some
    assert figures.peak == 2 * 2048**3 / 1e12


def test_a_step_from_cached_features_is_compared_with_one_end_to_end(monkeypatch) -> None:
    seconds = iter([9.0, 9.0, 1.0, 6.0, 2.0, 8.0, 1.0, 5.0])  # of either kind in turns
    monkeypatch.setattr(bench_adapter, "seconds", lambda work, device: next(seconds))
    monkeypatch.setattr(bench_adapter, "stream", lambda *_: Streamed(1.0, 3.0, 5.0, 7.0))
    figures = bench_adapter.measure("alt-mini", 8, 2, 1, 3, torch.device("cpu"), False)
    assert (figures.cached, figures.end_to_end, figures.ratio) == (1, 6, 5)
    assert (figures.streamed, figures.busy) == (4, 0.75)
    assert (figures.memory_gb, figures.memory_of) == (None, None)
