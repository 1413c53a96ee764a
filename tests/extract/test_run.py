import dataclasses
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from corpus.backbone import Backbone
from corpus.errors import BadInput, RunFailed
from extract.datasets import Dataset, open_dataset
from extract.encode import Encoder
from extract.estimate import estimate
from extract.pieces import Local, Spent
from extract.run import Options, encode_video, facts, plan_of
from extract.run import extract as extract_by_many
from extract.store import FeatureCache
from extract.verify import verify

extract = partial(extract_by_many, workers=1)
OPTIONS = Options(frames=4, checkpoint=3, batch=8)


@pytest.fixture(scope="module")
def videos(tmp_path_factory, make_clip) -> Path:
    """Seven videos of two classes, one of them cut short."""
    root = tmp_path_factory.mktemp("videos")
    for index in range(7):
        name = f"{'archery' if index < 4 else 'singing'}/{index}.mp4"
        make_clip(root / name, frames=6 + index, seed=index)
    broken = root / "archery/2.mp4"
    broken.write_bytes(broken.read_bytes()[:900])
    return root


@pytest.fixture(scope="module")
def dataset(videos: Path) -> Dataset:
    return open_dataset("folder", videos)


@pytest.fixture(scope="module")
def whole(dataset: Dataset, mini: Backbone, tmp_path_factory) -> Path:
    """The cache of an uninterrupted run."""
    path = tmp_path_factory.mktemp("whole") / "feats.h5"
    extract(dataset, mini, path, OPTIONS, workers=1)
    return path


def test_every_video_is_a_row_and_a_broken_one_is_a_failed_row(whole: Path, mini: Backbone):
    cache = FeatureCache(whole)
    assert len(cache) == 7
    assert cache.manifest.classes == ("archery", "singing")
    assert cache.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert [index for index in range(7) if cache.status[index] == "failed"] == [2]
    assert "cut short" in cache.errors[2]
    assert cache.manifest.fingerprint == mini.fingerprint
    assert cache.regions(0).shape == (4, cache.manifest.regions, mini.dim)
    assert verify(whole).faults == ()
    assert [path.name for path in whole.parent.iterdir()] == ["feats.h5"]


def test_the_class_token_of_the_cache_is_encode_image(
    dataset: Dataset, mini: Backbone, tmp_path: Path
):
    """With r = 0, against open_clip's own preprocessing and tower on PyAV's own frames."""
    import av
    import open_clip
    import torch

    options = dataclasses.replace(OPTIONS, merge=0)
    extract(dataset, mini, tmp_path / "a.h5", options, limit=1)
    facts = mini.preprocess
    transform = open_clip.image_transform(
        facts.size, is_train=False, mean=facts.mean, std=facts.std
    )
    with av.open(str(dataset.path(dataset.clips[0]))) as container:
        images = [frame.to_image() for frame in container.decode(video=0)]
    chosen = torch.stack([transform(images[index]) for index in (0, 2, 3, 5)])  # of 6
    with torch.inference_mode():
        expected = mini.model.encode_image(chosen)
    np.testing.assert_allclose(
        FeatureCache(tmp_path / "a.h5").regions(0)[:, 0], expected, atol=2e-3
    )


def test_workers_do_not_change_a_byte(whole: Path, dataset: Dataset, mini: Backbone, tmp_path):
    extract(dataset, mini, tmp_path / "a.h5", OPTIONS, workers=3)
    assert (tmp_path / "a.h5").read_bytes() == whole.read_bytes()


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
        shards = [path.name[:6] for path in (tmp_path / "feats.h5.shards").glob("*.h5")]
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
            latest = time.monotonic() + 20
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
    (shard,) = (tmp_path / "feats.h5.shards").glob("*.h5")
    stored = bytearray(shard.read_bytes())
    if damage == "its end":
        shard.write_bytes(stored[: len(stored) // 2])
    else:
        tensor = FeatureCache(shard).features(0).regions.tobytes()
        stored[stored.index(tensor) + len(tensor) // 2] ^= 1
        shard.write_bytes(stored)
        with pytest.raises(RunFailed, match=f"{shard.name}: had changed .*run the same command"):
            extract(dataset, mini, out, OPTIONS)
        assert not out.exists()
    assert extract(dataset, mini, out, OPTIONS).resumed == (0 if damage == "its end" else 4)
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


def test_a_finished_cache_is_left_and_another_is_not_overwritten(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    out.write_bytes(whole.read_bytes())
    report = extract(dataset, mini, out, OPTIONS)
    assert (report.resumed, report.spent.frames) == (7, 0)
    with pytest.raises(BadInput, match=r"other options \(merge 8, now 2.*--overwrite"):
        extract(dataset, mini, out, dataclasses.replace(OPTIONS, merge=2))
    out.write_text("my thesis")
    with pytest.raises(BadInput, match="not an HDF5 file"):
        extract(dataset, mini, out, OPTIONS)
    assert out.read_text() == "my thesis"


def test_two_runs_on_one_target_do_not_meet(dataset: Dataset, mini: Backbone, tmp_path: Path):
    def watch(entry, frames):
        with pytest.raises(BadInput, match="another alt-extract is working on it"):
            extract(dataset, mini, tmp_path / "a.h5", OPTIONS)
        raise Stop

    with pytest.raises(Stop):
        extract(dataset, mini, tmp_path / "a.h5", OPTIONS, watch=watch)


def test_a_full_disk_is_one_line_and_the_finished_part_survives(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path, monkeypatch
):
    import errno

    from extract.store import CacheWriter

    real, out = CacheWriter.append, tmp_path / "feats.h5"

    def full(self, entry, features):
        if entry.video.endswith("4.mp4"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, entry, features)

    monkeypatch.setattr(CacheWriter, "append", full)
    with pytest.raises(RunFailed, match=r"feats.h5: cannot be written \(No space left.*free some"):
        extract(dataset, mini, out, OPTIONS)
    assert not out.exists()
    names = sorted(path.name[:6] for path in (tmp_path / "feats.h5.shards").iterdir())
    assert names == ["000000", "job.js", "lock"]
    monkeypatch.undo()
    assert extract(dataset, mini, out, OPTIONS).resumed == 3
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"views": "2x3", "frames": 2}, (12, 128)),
        ({"dtype": "int8", "compression": "zstd"}, (4, 128)),
    ],
)
def test_views_and_encodings_reach_the_file(
    dataset: Dataset, mini: Backbone, tmp_path: Path, options, shape
):
    report = extract(
        dataset, mini, tmp_path / "a.h5", dataclasses.replace(OPTIONS, **options), limit=2
    )
    regions = FeatureCache(tmp_path / "a.h5").regions(1)
    assert (regions.shape[0], regions.shape[2]) == shape
    assert report.manifest.clips == 2
    assert verify(tmp_path / "a.h5").faults == ()


def test_random_sampling_depends_on_the_seed_and_the_video_alone(
    dataset: Dataset, mini: Backbone, tmp_path: Path
):
    def times(seed: int, workers: int, out: str) -> list[list[float]]:
        options = dataclasses.replace(OPTIONS, sampling="random", seed=seed, frames=2)
        extract(dataset, mini, tmp_path / out, options, workers=workers)
        cache = FeatureCache(tmp_path / out)
        return [cache.timestamps(index).tolist() for index in range(len(cache))]

    first = times(1, 1, "a.h5")
    assert times(1, 3, "b.h5") == first
    assert times(2, 1, "c.h5") != first


def test_train_splits_are_sampled_at_random_and_others_at_the_centre(mini: Backbone):
    assert plan_of(mini, OPTIONS, "train").sampling == "random"
    assert plan_of(mini, OPTIONS, "test").sampling == "centre"
    assert plan_of(mini, OPTIONS, "all").sampling == "centre"


def test_a_missing_file_is_a_failed_row_and_only_missing_files_an_error(
    videos: Path, mini: Backbone, tmp_path: Path
):
    (tmp_path / "list.csv").write_text("a.mp4,x\nb.mp4,x\n")
    with pytest.raises(BadInput, match="none of the 2 files"):
        extract(open_dataset("csv", tmp_path), mini, tmp_path / "a.h5", OPTIONS)
    (tmp_path / "a.mp4").write_bytes((videos / "singing/5.mp4").read_bytes())
    report = extract(open_dataset("csv", tmp_path), mini, tmp_path / "a.h5", OPTIONS)
    assert [(entry.video, entry.error) for entry in report.failed] == [("b.mp4", "no such file")]


def test_one_video_alone_has_the_cache_s_features(
    whole: Path, videos: Path, dataset: Dataset, mini: Backbone
):
    encoder = Encoder(mini, batch=8)
    _, alone = encode_video(videos / "singing/6.mp4", encoder, plan_of(mini, OPTIONS))
    cached = FeatureCache(whole).features(6)
    assert cached is not None
    np.testing.assert_allclose(
        alone.regions.astype(np.float32), cached.regions.astype(np.float32), atol=4e-3
    )
    assert (alone.timestamps == cached.timestamps).all()
    with pytest.raises(BadInput, match=r"2.mp4: not a video that can be opened .*; check that"):
        encode_video(videos / "archery/2.mp4", encoder, plan_of(mini, OPTIONS))


@pytest.mark.parametrize(
    "options",
    [
        {"frames": 0},
        {"views": "3"},
        {"views": "0x1"},
        {"views": "1x2"},
        {"dtype": "float64"},
        {"sampling": "dense"},
        {"merge": -1},
        {"checkpoint": 0},
    ],
)
def test_options_that_mean_nothing_are_refused(dataset, mini: Backbone, tmp_path: Path, options):
    with pytest.raises(BadInput, match=r"^--"):
        extract(dataset, mini, tmp_path / "a.h5", dataclasses.replace(OPTIONS, **options))
    assert list(tmp_path.iterdir()) == []


def test_every_flipped_byte_is_found(whole: Path, tmp_path: Path):
    raw = whole.read_bytes()
    rng = np.random.default_rng(0)
    damaged = tmp_path / "damaged.h5"
    places = [0, 40, 100, 511, 512, 520, 600, len(raw) - 1, *rng.integers(0, len(raw), 40)]
    for place in places:
        changed = bytearray(raw)
        changed[place] ^= 1 << int(rng.integers(8))
        damaged.write_bytes(changed)
        assert faults(damaged), f"byte {place}"


def faults(path: Path) -> tuple[str, ...]:
    try:
        return verify(path).faults
    except BadInput as error:
        return (error.cause,)


def test_a_report_is_json(whole: Path, dataset: Dataset, mini: Backbone):
    told = json.loads(json.dumps(facts(extract(dataset, mini, whole, OPTIONS))))
    assert told["clips"] == 7
    assert told["ok"] == 6
    assert [row["video"] for row in told["failed"]] == ["archery/2.mp4"]


def test_train_views_are_random_crops_and_the_same_for_the_same_seed(
    dataset: Dataset, mini: Backbone, tmp_path: Path
):
    options = dataclasses.replace(
        OPTIONS, frames=2, views="3x1", sampling="random", augment=True, seed=5
    )
    for out, workers in (("a.h5", 1), ("b.h5", 3)):
        extract(dataset, mini, tmp_path / out, options, workers=workers)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    cache = FeatureCache(tmp_path / "a.h5")
    assert cache.manifest.augment
    first, second, third = cache.regions(3).reshape(3, 2, -1)
    assert not np.allclose(first, second, atol=1e-2)
    assert not np.allclose(second, third, atol=1e-2)


def test_what_a_run_costs_is_told_before_it_is_begun(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    for dtype in ("float16", "int8"):
        options = dataclasses.replace(OPTIONS, dtype=dtype)
        cost = estimate(dataset, mini, options, workers=1)
        extract(dataset, mini, tmp_path / f"{dtype}.h5", options)
        size = (tmp_path / f"{dtype}.h5").stat().st_size
        # The broken file is there, so it is counted; and a file has its words besides.
        assert size * 0.8 < cost.bytes < size * 7 / 6
        assert (cost.clips, cost.missing, cost.frames) == (7, 0, 28)
        assert cost.seconds == cost.decode_seconds + cost.encode_seconds > 0


def test_a_report_says_where_the_time_went(dataset: Dataset, mini: Backbone, tmp_path: Path):
    report = extract(dataset, mini, tmp_path / "a.h5", OPTIONS)
    spent = report.spent.seconds()
    assert set(spent) == {"waiting", "encoding", "writing"}
    assert all(seconds > 0 for seconds in spent.values())
    assert all(seconds <= report.seconds for seconds in spent.values())  # they overlap


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
