import json
import shlex
from pathlib import Path

import pytest
import torch

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


def test_memory_takes_the_example_of_its_help(tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "a.mp4").touch()
    monkeypatch.setattr(bench_cache, "_peak", lambda *_: 1.0)
    monkeypatch.setattr(Path, "symlink_to", lambda *_: None)  # eleven thousand of them
    example = next(
        command.epilog
        for command in bench_cache.app.registered_commands
        if command.callback is bench_cache.memory
    )
    name, _, *options = shlex.split(example.partition("bench_cache ")[2])
    peaks = figures(monkeypatch, capsys, name, str(tmp_path), *options)
    assert peaks == {"1000": 1.0, "10000": 1.0}


@pytest.mark.parametrize("counts", ["foo", "", "10,0", "1,,2", "-3", "9" * 20])
def test_counts_of_no_videos_are_refused_in_one_line(tmp_path: Path, monkeypatch, capsys, counts):
    monkeypatch.setattr("sys.argv", ["bench_cache", "memory", str(tmp_path), f"--counts={counts}"])
    with pytest.raises(SystemExit) as done:
        bench_cache.main()
    assert done.value.code == 2
    assert f"--counts {counts}: are no counts of 1 to 1000000 videos" in capsys.readouterr().err


def test_a_command_that_fails_is_quoted(tmp_path: Path, make_clip, monkeypatch, capsys):
    make_clip(tmp_path / "videos/a.mp4", frames=3)
    command = ("memory", str(tmp_path / "videos"), "--counts", "1", "--model", "nosuch")
    monkeypatch.setattr("sys.argv", ["bench_cache", *command])
    with pytest.raises(SystemExit) as done:
        bench_cache.main()
    assert done.value.code == 1
    assert "nosuch" in capsys.readouterr().err


def test_a_cache_of_failed_videos_has_no_rate(tmp_path: Path, mini: Backbone, monkeypatch, capsys):
    bad = tmp_path / "videos/a/bad.mp4"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(b"no video")
    extract(open_dataset("folder", tmp_path / "videos"), mini, tmp_path / "feats.h5", workers=1)
    monkeypatch.setattr("sys.argv", ["bench_cache", "read", str(tmp_path / "feats.h5")])
    with pytest.raises(SystemExit) as done:
        bench_cache.main()
    assert done.value.code == 2
    assert "has no video that was decoded" in capsys.readouterr().err


def test_a_video_that_failed_counts_as_wrong_beside_int8(
    tmp_path: Path, make_clip, mini: Backbone, monkeypatch, capsys
):
    make_clip(tmp_path / "good.mp4", frames=3)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "val.csv").write_text("path,label,split\nbad.mp4,a,val\ngood.mp4,b,val\n")
    rows = figures(monkeypatch, capsys, "int8", str(tmp_path), "--split", "val")
    one = torch.zeros(1, dtype=torch.int64)  # what zeros are nearest to, and the failed video is
    assert bench_cache._top1(torch.zeros(1, 4), torch.eye(4), one) == 100
    assert all(row[name] <= 50 for row in rows.values() for name in ("class_tokens", "regions"))


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
