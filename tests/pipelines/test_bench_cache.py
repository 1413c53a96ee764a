import json
from pathlib import Path

import pytest

from corpus.backbone import Backbone
from extract.datasets import open_dataset
from extract.run import Options, extract
from extract.store import FeatureCache
from pipelines import bench_cache


def figures(monkeypatch, capsys, *arguments: str) -> dict:
    monkeypatch.setattr("sys.argv", ["bench_cache", *arguments, "--json"])
    with pytest.raises(SystemExit) as done:
        bench_cache.main()
    assert done.value.code in (0, None)
    return json.loads(capsys.readouterr().out)


def test_memory_is_measured_over_runs_of_several_lengths(
    tmp_path: Path, make_clip, monkeypatch, capsys
):
    make_clip(tmp_path / "videos/a.mp4", frames=3)
    peaks = figures(
        monkeypatch, capsys, "memory", str(tmp_path / "videos"), "--counts", "1", "--workers", "1"
    )
    assert peaks["1"] > 100  # torch alone takes more


def test_reading_back_counts_the_bytes_of_all_good_rows(
    tmp_path: Path, make_clip, mini: Backbone, monkeypatch, capsys
):
    make_clip(tmp_path / "videos/a/good.mp4", frames=3)
    (tmp_path / "videos/a/bad.mp4").write_bytes(b"no video")
    dataset = open_dataset("folder", tmp_path / "videos")
    extract(dataset, mini, tmp_path / "feats.h5", Options(frames=2), workers=1)
    facts = FeatureCache(tmp_path / "feats.h5").manifest
    frame = facts.regions * (2 * facts.dim + 2) + facts.patches + 4
    read = figures(monkeypatch, capsys, "read", str(tmp_path / "feats.h5"))
    assert read["MB"] == pytest.approx(2 * frame / 1e6)
    assert read["ratio"] > 0
