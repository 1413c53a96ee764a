from types import ModuleType

import pytest

from pipelines import bench, bench_adapter, bench_extract


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
