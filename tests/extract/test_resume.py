"""Runs that stop, fail or meet other work, and what the next one makes of it."""

import dataclasses
import errno
import fcntl
import os
import time
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from corpus.backbone import Backbone
from corpus.errors import BadInput, RunFailed
from extract.datasets import Clip, Dataset, open_dataset
from extract.pieces import Local, Spent
from extract.run import extract as extract_by_many
from extract.shard import ShardWriter
from extract.shards import Shards, differs
from extract.store import FeatureCache
from extract.task import Task
from extract.verify import verify
from extract.writer import CacheWriter
from tests.extract.conftest import RUN as OPTIONS

extract = partial(extract_by_many, workers=1)


class Stop(Exception):
    pass


def stopping(after: int):
    """A `watch` that ends the run after so many videos."""
    seen = []

    def watch(entry, frames):
        seen.append(entry)
        if len(seen) == after:
            raise Stop

    return watch


def test_a_stopped_run_goes_on_to_the_same_bytes(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    for after in (2, 5):  # in the first shard; in the second
        with pytest.raises(Stop):
            extract(dataset, mini, out, OPTIONS, workers=2, watch=stopping(after))
        assert not out.exists()
        shards = [path.name[:6] for path in (tmp_path / "feats.h5.shards").glob("*.shard")]
        assert shards == (["000000"] if after == 5 else [])
    report = extract(dataset, mini, out, OPTIONS)
    assert report.resumed == 3
    assert out.read_bytes() == whole.read_bytes()


def test_a_finished_shard_is_joined_while_the_next_one_is_made(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    joined: list[bool] = []

    def one_by_one(work, pieces, encoder, watch):
        spent = Spent()
        for piece in pieces:
            spent += Local(workers=1)(work, [piece], encoder, watch)
            made = sum(work.path(p).stat().st_size for p in pieces if work.path(p).exists())
            latest = time.monotonic() + 120
            while (grown := _draft_bytes(work.shards.folder)) < made / 2:
                if time.monotonic() > latest:
                    break
                time.sleep(0.01)
            joined.append(grown >= made / 2)
        return spent

    extract(dataset, mini, tmp_path / "feats.h5", OPTIONS, engine=one_by_one)
    assert joined == [True, True, True]
    assert (tmp_path / "feats.h5").read_bytes() == whole.read_bytes()


def _draft_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("draft-*-feats.h5"))


@pytest.mark.parametrize("damage", ["a row's byte", "its end"])
def test_a_shard_that_changed_on_the_disk_is_made_anew_and_never_joined(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, damage: str
):
    out = tmp_path / "feats.h5"
    with pytest.raises(Stop):
        extract(dataset, mini, out, OPTIONS, watch=stopping(5))
    (shard,) = (tmp_path / "feats.h5.shards").glob("*.shard")
    stored = bytearray(shard.read_bytes())
    if damage == "its end":
        stored = stored[: len(stored) // 2]
    else:
        stored[10] ^= 1
    shard.write_bytes(stored)
    assert extract(dataset, mini, out, OPTIONS).resumed == 0
    assert out.read_bytes() == whole.read_bytes()


def test_a_video_that_was_mended_between_runs_is_read_again(
    videos: Path, mini: Backbone, tmp_path: Path, make_clip
):
    root = tmp_path / "videos"
    for index in range(4):
        make_clip(root / f"a/{index}.mp4", frames=5)
    good = (root / "a/0.mp4").read_bytes()
    (root / "a/0.mp4").write_bytes(good[:500])
    dataset, out = open_dataset("folder", root), tmp_path / "feats.h5"
    with pytest.raises(Stop):
        extract(dataset, mini, out, OPTIONS, watch=stopping(4))
    (root / "a/0.mp4").write_bytes(good)
    report = extract(dataset, mini, out, OPTIONS)
    assert (report.resumed, report.manifest.failed) == (0, 0)


def test_a_cache_of_which_only_the_joining_was_left_was_not_there_before(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, monkeypatch
):
    out = tmp_path / "feats.h5"

    def full(self: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(CacheWriter, "close", full)
        with pytest.raises(RunFailed):
            extract(dataset, mini, out, OPTIONS)
    assert not out.exists()
    report = extract(dataset, mini, out, OPTIONS)
    assert (report.resumed, report.spent.frames, report.untouched) == (7, 0, False)
    assert out.read_bytes() == whole.read_bytes()


def test_a_file_system_that_keeps_open_files_in_their_folder_is_no_trouble(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, monkeypatch
):
    """As NFS does, until the last handle is closed."""
    out, unlink, close, kept = tmp_path / "feats.h5", Path.unlink, os.close, []

    def renamed(path: Path, missing_ok: bool = False) -> None:
        if path.name == "lock" and path.exists():
            path.rename(path.with_name(".nfs0001"))
            kept.append(path.with_name(".nfs0001"))
        else:
            unlink(path, missing_ok)

    def closed(handle: int) -> None:
        ours = kept and os.path.samestat(os.fstat(handle), kept[0].stat())
        close(handle)
        if ours:
            unlink(kept.pop())

    monkeypatch.setattr(Path, "unlink", renamed)
    monkeypatch.setattr("extract.shards.os.close", closed)
    extract(dataset, mini, out, OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["feats.h5"]
    assert out.read_bytes() == whole.read_bytes()


def test_unfinished_work_with_other_options_is_not_mixed(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    with pytest.raises(Stop):
        extract(dataset, mini, out, OPTIONS, watch=stopping(4))
    other = dataclasses.replace(OPTIONS, frames=2)
    with pytest.raises(BadInput, match=r"unfinished work .*frames 4, now 2.*--overwrite"):
        extract(dataset, mini, out, other)
    report = extract(dataset, mini, out, other, overwrite=True)
    assert report.manifest.frames == 2


def test_what_was_not_set_is_told_as_none():
    assert (
        differs({"part": "", "lr": 0.1}, {"part": "1/2"}) == "lr 0.1, now none; part none, now 1/2"
    )
    assert differs({"keep_regions": 0}, {"keep_regions": 5}) == "keep_regions 0, now 5"


def test_a_finished_cache_is_left_and_another_is_not_overwritten(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    out.write_bytes(whole.read_bytes())
    report = extract(dataset, mini, out, OPTIONS)
    assert (report.resumed, report.spent.frames, report.untouched) == (7, 0, True)
    for others, told in (({"merge": 2}, "merge 8"), ({"compression": "zstd"}, "compression none")):
        with pytest.raises(BadInput, match=rf"other options \({told}, now .*--overwrite"):
            extract(dataset, mini, out, dataclasses.replace(OPTIONS, **others))
    listed = dataclasses.replace(dataset, clips=dataset.clips[::-1])
    with pytest.raises(BadInput, match=r"other options \(list_hash"):
        extract(listed, mini, out, OPTIONS)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_is_no_cache_is_never_replaced(
    dataset: Dataset, mini: Backbone, tmp_path: Path, overwrite: bool
):
    (tmp_path / "list.csv").write_text("archery/0.mp4,archery\n")
    (tmp_path / "empty.h5").touch()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    for path in sorted(tmp_path.iterdir()):
        before = path.read_bytes()
        cause = "exists, and is no feature cache; choose another --out"
        with pytest.raises(BadInput, match=f"{path.name}: {cause}$"):
            extract(dataset, mini, path, OPTIONS, overwrite=overwrite)
        assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("kind", ["cut", "damaged", "older", "of another writer"])
def test_any_cache_is_replaced_when_asked_also_one_that_cannot_be_read(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, kind: str
):
    out, good = tmp_path / "feats.h5", whole.read_bytes()
    at = good.index(b"schema_version")
    out.write_bytes(
        {
            "cut": good[: len(good) // 2],
            "damaged": good[:at] + b"\xff" + good[at + 1 :],
            "older": b"ALT feature cache, schema 0; of a kind that is no HDF5",
            "of another writer": good[512:],  # without our first line
        }[kind]
    )
    if kind != "of another writer":
        with pytest.raises(
            BadInput, match=r"feats\.h5: .*; choose another --out, or --overwrite it"
        ):
            extract(dataset, mini, out, OPTIONS)
    extract(dataset, mini, out, OPTIONS, overwrite=True)
    assert out.read_bytes() == good


def test_two_runs_on_one_target_do_not_meet(dataset: Dataset, mini: Backbone, tmp_path: Path):
    def watch(entry, frames):
        with pytest.raises(BadInput, match="another alt-extract is working on it"):
            extract(dataset, mini, tmp_path / "a.h5", OPTIONS)
        raise Stop

    with pytest.raises(Stop):
        extract(dataset, mini, tmp_path / "a.h5", OPTIONS, watch=watch)


@pytest.mark.parametrize("anew", [False, True])
def test_a_lock_that_another_run_removes_while_it_is_taken_is_none(
    tmp_path: Path, monkeypatch, anew: bool
):
    shards, flock = Shards(tmp_path / "feats.h5", {"frames": 4}), fcntl.flock

    def late(handle: int, how: int) -> None:
        (shards.folder / "lock").unlink()  # by a run that has just finished
        if anew:
            (shards.folder / "lock").touch()  # by one that begins
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(BadInput, match="another alt-extract is working on it"), shards:
        pass


@pytest.mark.parametrize(
    ("writer", "finished"),
    [(ShardWriter, ["000000"]), (CacheWriter, ["000000", "000001"])],
)
def test_a_full_disk_is_one_line_and_the_finished_part_survives(
    whole: Path,
    dataset: Dataset,
    mini: Backbone,
    tmp_path: Path,
    monkeypatch,
    writer: type,
    finished: list[str],
):
    real, out = writer.append, tmp_path / "feats.h5"

    def full(self, entry, *row):
        if entry.video.endswith("4.mp4"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, entry, *row)

    monkeypatch.setattr(writer, "append", full)
    with pytest.raises(RunFailed, match=r"feats.h5: cannot be written \(No space left.*free some"):
        extract(dataset, mini, out, OPTIONS)
    assert not out.exists()
    names = sorted(path.name[:6] for path in (tmp_path / "feats.h5.shards").iterdir())
    # The last shard may have been made before the run noticed that the target cannot be.
    assert names in ([*finished, *more, "job.js", "lock"] for more in ([], ["000002"]))
    monkeypatch.undo()
    assert extract(dataset, mini, out, OPTIONS).resumed == min(7, 3 * (len(names) - 2))
    assert out.read_bytes() == whole.read_bytes()


def test_leftovers_of_a_kill_after_the_last_step_are_swept(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    with pytest.raises(Stop):
        extract(dataset, mini, out, OPTIONS, watch=stopping(4))
    out.write_bytes(whole.read_bytes())
    assert (tmp_path / "feats.h5.shards").exists()
    assert extract(dataset, mini, out, OPTIONS).spent.frames == 0
    assert not (tmp_path / "feats.h5.shards").exists()


def test_a_cut_to_the_largest_regions_is_sound_and_resumes_only_as_itself(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    cut, out = dataclasses.replace(OPTIONS, keep_regions=5), tmp_path / "feats.h5"
    with pytest.raises(Stop):
        extract(dataset, mini, out, cut, watch=stopping(4))
    with pytest.raises(BadInput, match=r"unfinished work .*keep_regions 5, now 4"):
        extract(dataset, mini, out, dataclasses.replace(cut, keep_regions=4))
    report = extract(dataset, mini, out, cut)
    assert (report.resumed, report.manifest.keep_regions, report.manifest.regions) == (3, 5, 6)
    assert verify(out).faults == ()
    cache, all_of_them = FeatureCache(out), FeatureCache(whole)
    assert (cache.regions(0)[:, 0] == all_of_them.regions(0)[:, 0]).all()
    sizes, patches = cache.region_size(0), cache.patch_region(0)
    assert (sizes[:, 1:].sum(axis=1) == (patches < 6).sum(axis=1)).all()
    assert patches.max() == 6
    largest = np.sort(all_of_them.region_size(0)[:, 1:], axis=1)[:, -5:]
    assert (np.sort(sizes[:, 1:], axis=1) == largest).all()


@pytest.mark.parametrize(("old", "again"), [("same", True), ("same", False), ("other", False)])
def test_an_interrupted_overwrite_goes_on_and_the_old_cache_stays_till_its_end(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, old: str, again: bool
):
    out = tmp_path / "feats.h5"
    before = whole.read_bytes() if old == "same" else b"ALT feature cache, but another"
    out.write_bytes(before)
    for after in (5, 4):  # in the second shard; there again, after the three of the first
        with pytest.raises(Stop):
            extract(dataset, mini, out, OPTIONS, watch=stopping(after), overwrite=True)
        assert out.read_bytes() == before
        assert len(list((tmp_path / "feats.h5.shards").glob("*.shard"))) == 1
    report = extract(dataset, mini, out, OPTIONS, overwrite=again)
    assert (report.resumed, report.spent.frames) == (3, 16)
    assert out.read_bytes() == whole.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["feats.h5"]


def test_what_is_left_of_a_run_is_told_and_nothing_touched(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"

    def left(overwrite: bool = False, **other: object) -> tuple[Clip, ...]:
        options = dataclasses.replace(OPTIONS, **other)
        return Task(dataset, mini, out, options, overwrite).left()

    assert left() == dataset.clips
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Stop):
        extract(dataset, mini, out, OPTIONS, watch=stopping(5))  # in the second shard
    shards = sorted((tmp_path / "feats.h5.shards").iterdir())
    assert left() == dataset.clips[3:]
    assert left(overwrite=True) == dataset.clips
    others = ({"frames": 2}, {"batch": 4}, {"checkpoint": 2}, {"decoder": "pyav"})
    for other in others:
        with pytest.raises(BadInput, match="holds unfinished work with other options"):
            left(**other)
    relabelled = [dataclasses.replace(clip, label=1 - clip.label) for clip in dataset.clips]
    listed = dataclasses.replace(dataset, clips=tuple(relabelled))
    with pytest.raises(BadInput, match=r"unfinished work with other options \(list_hash"):
        Task(listed, mini, out, OPTIONS, overwrite=False).left()
    assert sorted((tmp_path / "feats.h5.shards").iterdir()) == shards
    extract(dataset, mini, out, OPTIONS)
    assert left() == ()
    assert left(overwrite=True) == dataset.clips
    assert out.read_bytes() == whole.read_bytes()


def test_a_stop_while_an_overwrite_s_shards_are_removed_does_not_have_it_made_again(
    dataset: Dataset, mini: Backbone, tmp_path: Path, monkeypatch
):
    out = tmp_path / "feats.h5"
    extract(dataset, mini, out, OPTIONS)

    def stop(self: Shards) -> None:
        for path in self.folder.glob("*.shard"):
            path.unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Shards, "_empty", stop)
        with pytest.raises(KeyboardInterrupt):
            extract(dataset, mini, out, OPTIONS, overwrite=True)
    assert (tmp_path / "feats.h5.shards").exists()
    assert extract(dataset, mini, out, OPTIONS).untouched
    assert not (tmp_path / "feats.h5.shards").exists()


def test_an_overwrite_drops_unfinished_work_that_was_to_overwrite_nothing(
    dataset: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    with pytest.raises(Stop):
        extract(dataset, mini, out, OPTIONS, watch=stopping(5))
    assert extract(dataset, mini, out, OPTIONS, overwrite=True).resumed == 0


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (lambda job: job.write_text(""), "its job.json, .*, cannot be read"),
        (lambda job: job.write_bytes(b"\xff{"), "its job.json, .*, cannot be read"),
        (lambda job: job.write_text("[" * 100_000), "its job.json, .*, cannot be read"),
        (lambda job: job.unlink(), "holds 000000-.*shard, and no job.json"),
    ],
    ids=["emptied", "garbled", "nested", "lost"],
)
def test_shards_whose_job_is_not_known_are_kept_and_told(
    dataset: Dataset, mini: Backbone, tmp_path: Path, damage, cause: str, overwrite: bool
):
    shards = tmp_path / "feats.h5.shards"
    shards.mkdir()
    (shards / "000000-0123456789abcdef.shard").touch()
    (shards / "job.json").touch()
    damage(shards / "job.json")
    before = sorted(shards.iterdir())
    with pytest.raises(BadInput, match=f"feats.h5.shards: {cause}.*; remove it, or choose"):
        extract(dataset, mini, tmp_path / "feats.h5", OPTIONS, overwrite=overwrite)
    assert sorted(shards.iterdir()) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_only_has_the_name_of_one_of_shards_is_left_as_it_is(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, overwrite: bool
):
    shards = tmp_path / "feats.h5.shards"
    shards.mkdir()
    (shards / "thesis.txt").write_text("mine")
    (tmp_path / "feats.h5").write_bytes(whole.read_bytes())
    with pytest.raises(BadInput, match=r"feats.h5.shards: holds thesis.txt, and no job.json"):
        extract(dataset, mini, tmp_path / "feats.h5", OPTIONS, overwrite=overwrite)
    assert [path.name for path in shards.iterdir()] == ["thesis.txt"]


def test_what_a_kill_left_half_done_is_removed_when_the_work_goes_on(tmp_path: Path):
    target, job = tmp_path / "feats.h5", {"frames": 8}
    with Shards(target, job) as shards:
        for name in ("000000-ab.shard", "draft-1234-000001-cd.shard", ".job.json.part"):
            (shards.folder / name).touch()
    with Shards(target, job) as shards:
        left = sorted(path.name for path in shards.folder.iterdir())
    assert left == ["000000-ab.shard", "job.json", "lock"]


def test_what_shards_are_of_is_known_until_they_are_gone(tmp_path: Path, monkeypatch):
    target, job = tmp_path / "feats.h5", {"frames": 8}
    with Shards(target, job) as shards:
        for name in ("0.shard", "1.shard"):
            (shards.folder / name).touch()
    gone, unlink = [], Path.unlink

    def noted(path: Path, **how: bool) -> None:
        gone.append(path.name)
        unlink(path, **how)

    monkeypatch.setattr(Path, "unlink", noted)
    shards.sweep()
    assert (sorted(gone[:2]), gone[2:]) == (["0.shard", "1.shard"], ["job.json", "lock"])
    assert not shards.folder.exists()


def test_what_a_kill_left_before_there_was_a_job_is_removed(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    shards = tmp_path / "feats.h5.shards"
    shards.mkdir()
    for name in ("lock", ".job.abc.json", "draft-0-feats.h5"):
        (shards / name).touch()
    extract(dataset, mini, tmp_path / "feats.h5", OPTIONS)
    assert (tmp_path / "feats.h5").read_bytes() == whole.read_bytes()
    assert not shards.exists()


def test_a_part_of_another_list_is_not_taken_for_the_one_that_is_asked_for(
    dataset: Dataset, mini: Backbone, tmp_path: Path
):
    part, out = dataset.shard("2/2", 3), tmp_path / "feats.h5"
    extract(part, mini, out, OPTIONS)
    assert extract(part, mini, out, OPTIONS).spent.frames == 0
    other = dataclasses.replace(part, whole_hash="another list's")
    with pytest.raises(BadInput, match=r"made with other options \(whole_hash"):
        extract(other, mini, out, OPTIONS)
