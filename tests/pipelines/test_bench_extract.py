import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import bench_extract


def test_the_benchmark_of_extraction_reports_its_ratios(tmp_path: Path, make_clip):
    for index in range(3):
        make_clip(tmp_path / f"videos/a/{index}.mp4", frames=9, seed=index)
    command = [sys.executable, "-m", "pipelines.bench_extract", str(tmp_path / "videos")]
    done = subprocess.run(
        [*command, "--turns", "1", "--json", "--out", str(tmp_path / "figures.json")],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert json.loads((tmp_path / "figures.json").read_text()) == figures
    assert (figures["videos"], figures["frames"]) == (3, 24)
    assert figures["over_one_by_one"] > 0
    for share, cpu in (("of_encoder", "decoding"), ("beside_workers", "workers")):
        left = figures["encoder"] + figures[cpu] / figures["cores"]
        assert figures[share] == pytest.approx(left / figures["whole"])
    assert figures["workers"] > figures["decoding"]  # of three videos they mostly start
    assert "threads" in figures["machine"]
    assert figures["busy"] is None  # without a GPU


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (("--out", "{videos}"), "Is a directory"),
        (("--turns", "1"), "bad.mp4: not a video that can be opened"),
        (("--split", "other"), "--split other: "),
        ((), "nowhere: no such folder; make one"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    tmp_path: Path, make_clip, called, extra: tuple[str, ...], says: str
):
    make_clip(tmp_path / "videos/a/good.mp4", frames=9)
    (tmp_path / "videos/a/bad.mp4").write_bytes(b"no video")
    if "--split" in extra:  # of a world
        (tmp_path / "videos/world.json").write_text("{}")
    root = tmp_path / ("videos" if "nowhere" not in says else "nowhere")
    arguments = [word.format(videos=tmp_path / "videos") for word in extra]
    code, _, said = called(bench_extract.main, root, *arguments)
    assert code in (1, 2)
    assert says in said
    assert said.startswith("error: ")
