"""Shards joined into their target by a process of its own, as beside a GPU."""

import os
import subprocess
import sys
import time
from functools import partial
from itertools import count
from multiprocessing import Pipe
from pathlib import Path

import pytest

from corpus.backbone import Backbone
from corpus.errors import RunFailed
from extract import beside
from extract.datasets import Dataset
from extract.joining import Join, Joiner, serve
from extract.manifest import CacheManifest
from extract.rows import Entry
from extract.run import extract as extract_by_many
from extract.shard import ShardWriter
from extract.shards import Shards
from extract.store import FeatureCache
from tests.extract.conftest import RUN as OPTIONS
from tests.extract.conftest import random_features

extract = partial(extract_by_many, workers=1)


@pytest.fixture(autouse=True)
def processes(monkeypatch) -> list[subprocess.Popen[bytes]]:
    """Join apart on a CPU too; those who joined, in turn."""
    joining, started, real = Shards.assembling, [], beside.start

    def start(module: str, *arguments, **more):
        process, pipe = real(module, *arguments, **more)
        if module == "extract.joining":
            started.append(process)
        return process, pipe

    monkeypatch.setattr(beside, "start", start)
    monkeypatch.setattr(Shards, "assembling", lambda *job: joining(*job[:-1], True))
    return started


def failing(after: int):
    """A `watch` that ends the run after so many videos."""
    seen = []

    def watch(entry, frames):
        seen.append(entry)
        if len(seen) == after:
            raise InterruptedError

    return watch


def test_the_target_has_the_same_bytes_and_its_writing_is_counted(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, processes
):
    report = extract(dataset, mini, tmp_path / "feats.h5", OPTIONS)
    assert (tmp_path / "feats.h5").read_bytes() == whole.read_bytes()
    assert [process.returncode for process in processes] == [0]
    assert report.spent.writing > 0


def test_a_run_that_fails_ends_it_and_leaves_no_draft(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, processes
):
    out = tmp_path / "feats.h5"
    with pytest.raises(InterruptedError):
        extract(dataset, mini, out, OPTIONS, watch=failing(5))
    assert [process.returncode for process in processes] == [0]
    assert not list((tmp_path / "feats.h5.shards").glob("draft-*"))
    assert extract(dataset, mini, out, OPTIONS).resumed == 3
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("apart", [False, True])
def test_there_is_no_target_when_a_run_fails_with_all_its_shards_made(
    manifest: CacheManifest, tmp_path: Path, apart: bool
):
    shard, out, draft = tmp_path / "0.shard", tmp_path / "feats.h5", tmp_path / "draft"
    writer = ShardWriter(shard)
    for seed in range(manifest.clips):
        writer.append(Entry(f"{seed}.mp4", 0, "all", "ok"), random_features(manifest, seed)[0])
    writer.close()
    join = Join(out, draft, manifest, (shard,))

    def run():
        with Joiner(join, apart):
            _until(lambda: draft.exists() and draft.stat().st_size > 1000)
            time.sleep(0.1)  # time enough to finish, for one that would
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run()
    assert [path.name for path in tmp_path.iterdir()] == ["0.shard"]
    with Joiner(join, apart) as joiner:
        pass
    assert joiner.seconds > 0
    assert FeatureCache(out).videos == ["0.mp4", "1.mp4", "2.mp4"]


def _shard(path: Path, manifest: CacheManifest, seed: int) -> Path:
    writer = ShardWriter(path)
    writer.append(Entry(f"{seed}.mp4", 0, "all", "ok"), random_features(manifest, seed)[0])
    writer.close()
    return path


def test_how_far_it_is_is_told_once_all_shards_are_made(
    manifest: CacheManifest, tmp_path: Path, monkeypatch
):
    shards = tuple(_shard(tmp_path / f"{seed}.shard", manifest, seed) for seed in range(3))
    join = Join(tmp_path / "feats.h5", tmp_path / "draft", manifest, shards)
    ours, theirs = Pipe()
    for message in (join, True):
        ours.send(message)
    serve(theirs)
    answers = [ours.recv() for _ in range(4)]
    assert answers[:3] == [1, 2, 3]

    def scripted(pipe) -> None:
        assert (pipe.recv(), pipe.recv()) == (join, True)
        for answer in answers:
            pipe.send(answer)

    monkeypatch.setattr("extract.joining.serve", scripted)
    told: list[tuple[int, int]] = []
    with Joiner(join, False, lambda *rows: told.append(rows)) as joiner:
        pass
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert joiner.seconds == answers[3] > 0


def test_a_shard_that_changes_while_a_run_goes_on_is_told_and_never_joined(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, monkeypatch
):
    out = tmp_path / "feats.h5"
    with pytest.raises(InterruptedError):
        extract(dataset, mini, out, OPTIONS, watch=failing(5))
    (shard,) = (tmp_path / "feats.h5.shards").glob("*.shard")
    stored = bytearray(shard.read_bytes())
    stored[10] ^= 1
    shard.write_bytes(stored)
    monkeypatch.setattr(Shards, "holds", lambda self, path, manifest: path.exists())
    with pytest.raises(RunFailed, match=f"{shard.name}: is damaged .* has changed.*run the same"):
        extract(dataset, mini, out, OPTIONS)
    assert not out.exists()
    assert not shard.exists()
    extract(dataset, mini, out, OPTIONS)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("before", [False, True])
def test_what_comes_to_lie_at_the_target_meanwhile_is_not_replaced(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, before: bool
):
    out, seen = tmp_path / "feats.h5", count(1)
    if before:
        out.write_bytes(whole.read_bytes())

    def watch(entry: Entry, frames: int) -> None:
        if next(seen) == 5:
            out.write_text("years of work")

    with pytest.raises(RunFailed, match=r"feats\.h5: was put there, or changed, .*; move it"):
        extract(dataset, mini, out, OPTIONS, overwrite=before, watch=watch)
    assert out.read_text() == "years of work"
    out.unlink()
    assert extract(dataset, mini, out, OPTIONS).resumed == len(dataset.clips)
    assert out.read_bytes() == whole.read_bytes()


def test_one_that_is_killed_ends_the_run_soon_and_costs_no_shard(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, processes
):
    out = tmp_path / "feats.h5"

    seen = []

    def kill(entry, frames):
        seen.append(entry)
        if len(seen) == 4:  # in the second shard
            processes[-1].kill()
            processes[-1].wait()

    with pytest.raises(RunFailed, match=r"feats.h5: joining its parts ended early \(SIGKILL\)"):
        extract(dataset, mini, out, OPTIONS, watch=kill)
    assert not out.exists()
    assert len(seen) == 4
    assert extract(dataset, mini, out, OPTIONS).resumed == 3
    assert out.read_bytes() == whole.read_bytes()


# A run: it asks for a target, says by which process, and makes no shard till it is killed.
RUN = """if True:
    import sys, time
    from pathlib import Path
    from extract import beside
    from extract.joining import Join, Joiner
    from extract.manifest import CacheManifest

    start = beside.start

    def told(module):
        process, pipe = start(module)
        print(process.pid, flush=True)
        return process, pipe

    beside.start = told
    out, manifest = Path(sys.argv[1]), CacheManifest.model_validate_json(sys.argv[2])
    with Joiner(Join(out, out.with_name("draft"), manifest, (out,)), apart=True):
        time.sleep(60)
"""


def test_one_whose_run_is_killed_ends_by_itself_and_takes_its_draft_along(
    manifest: CacheManifest, tmp_path: Path
):
    command = [sys.executable, "-c", RUN, str(tmp_path / "feats.h5"), manifest.model_dump_json()]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    joiner = int(run.stdout.readline())
    _until((tmp_path / "draft").exists)
    run.kill()
    run.wait()
    _until(lambda: not _lives(joiner))
    assert not list(tmp_path.iterdir())


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # One that nobody waits for stays as a zombie where there is no init.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def _until(so) -> None:
    latest = time.monotonic() + 120
    while not so():
        assert time.monotonic() < latest
        time.sleep(0.02)
