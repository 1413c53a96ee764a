import dataclasses
import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from corpus.backbone import Backbone
from corpus.errors import BadInput, RunFailed
from extract.datasets import Dataset, open_dataset
from extract.encode import Encoder
from extract.estimate import Estimate, estimate
from extract.options import Options
from extract.run import encode_video, encode_videos, facts, plan_of
from extract.run import extract as extract_by_many
from extract.shards import check_target
from extract.store import FeatureCache
from extract.task import Task
from extract.verify import verify
from tests.extract.conftest import RUN as OPTIONS

extract = partial(extract_by_many, workers=1)


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


def test_paths_may_be_texts(whole: Path, dataset: Dataset, mini: Backbone):
    listed = open_dataset("folder", str(dataset.root))
    assert listed.clips == dataset.clips
    assert extract(listed, mini, str(whole), OPTIONS).untouched
    assert verify(str(whole)).faults == ()
    encoder, plan = OPTIONS.encoder(mini), plan_of(mini, OPTIONS)
    pixels, _ = encode_video(str(dataset.path(dataset.clips[0])), encoder, plan)
    assert len(pixels.frames) == 4


def test_the_class_token_of_the_cache_is_encode_image(
    dataset: Dataset, mini: Backbone, tmp_path: Path
):
    """With r = 0, against open_clip's own preprocessing and tower on PyAV's own frames."""
    import av
    import open_clip
    import torch

    options = dataclasses.replace(OPTIONS, merge=0)
    one = dataclasses.replace(dataset, clips=dataset.clips[:1])
    extract(one, mini, tmp_path / "a.h5", options)
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
    two = dataclasses.replace(dataset, clips=dataset.clips[:2])
    report = extract(two, mini, tmp_path / "a.h5", dataclasses.replace(OPTIONS, **options))
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
    with pytest.raises(
        BadInput, match=r"none of the 2 files .*such as a.mp4; put the list into, or"
    ):
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
        {"frames": 10**6},  # a row is larger than a chunk of HDF5 may be
        {"sampling": "random", "seed": -1},
        {"sampling": "random", "seed": 2**53},
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
        out = tmp_path / f"{dtype}.h5"
        task = Task(dataset, mini, out, options, overwrite=False)
        cost = estimate(task, task.left(), workers=1)
        assert not list(tmp_path.glob(f"{out.name}*"))
        extract(dataset, mini, out, options)
        size = out.stat().st_size
        # The broken file is there, so it is counted; and a file has its words besides.
        assert size * 0.8 < cost.bytes < size * 7 / 6
        assert (cost.clips, cost.left, cost.missing, cost.frames) == (7, 7, 0, 28)
        assert cost.seconds == cost.decode_seconds + cost.encode_seconds > 0


def test_a_slow_tower_is_timed_on_a_few_frames(
    dataset: Dataset, mini: Backbone, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr("extract.estimate._TIMED", 0.0)  # as if a round took longer
    monkeypatch.setattr("extract.estimate._SAMPLED", 2)
    monkeypatch.setattr("extract.estimate._seconds", lambda work: (work(), 6.0)[1])
    options = dataclasses.replace(OPTIONS, batch=64)
    task = Task(dataset, mini, tmp_path / "a.h5", options, overwrite=False)
    encode, seen = task.encoder._encode, []

    def noted(frames: list[np.ndarray]) -> object:
        seen.append(sum(map(len, frames)))
        return encode(frames)

    monkeypatch.setattr(task.encoder, "_encode", noted)
    cost = estimate(task, task.left(), workers=1)
    assert seen == [8] * (2 * task.encoder.lanes)  # a round to warm up, and one that counts
    # Two videos of seven, and eight frames to a lane of 28, took six seconds each.
    assert cost.decode_seconds == pytest.approx(6 * 7 / 2)
    assert cost.encode_seconds == pytest.approx(6 * 28 / (8 * task.encoder.lanes))


def test_videos_that_are_all_missing_cost_nothing(dataset: Dataset, mini: Backbone, tmp_path: Path):
    task = Task(dataset, mini, tmp_path / "a.h5", OPTIONS, overwrite=False)
    gone = [dataclasses.replace(clip, video=f"no/{clip.video}") for clip in dataset.clips[:2]]
    assert estimate(task, gone, workers=1) == Estimate(clips=7, left=2, missing=2)


def test_a_report_says_where_the_time_went(dataset: Dataset, mini: Backbone, tmp_path: Path):
    report = extract(dataset, mini, tmp_path / "a.h5", OPTIONS)
    spent = report.spent.seconds()
    assert set(spent) == {"waiting", "encoding", "writing"}
    assert all(seconds > 0 for seconds in spent.values())
    assert all(seconds <= report.seconds for seconds in spent.values())  # they overlap


def test_a_cache_of_which_all_videos_failed_is_written_and_no_success(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    extract(dataset, mini, whole, OPTIONS).check()  # one of seven
    broken = dataclasses.replace(dataset, clips=dataset.clips[2:3])
    for _ in ("made", "found complete"):
        report = extract(broken, mini, tmp_path / "a.h5", OPTIONS)
        told = r"a.h5: is written, but its only video failed \(archery/2.mp4: .*cut short"
        with pytest.raises(RunFailed, match=told):
            report.check()
    assert FeatureCache(tmp_path / "a.h5").status == ["failed"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_target_that_cannot_be_is_refused_before_anything_is_done(
    dataset: Dataset, mini: Backbone, tmp_path: Path, monkeypatch, overwrite: bool
):
    monkeypatch.chdir(tmp_path)
    cases = {".": "is a folder", "..": "is a folder", "x" * 241: "its name is too long"}
    for name, cause in cases.items():
        with pytest.raises(BadInput, match=f"{name}: {cause}"):
            extract(dataset, mini, Path(name), OPTIONS, overwrite=overwrite)
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(BadInput, match=f"{name}: is a device or a pipe"):
            extract(dataset, mini, name, OPTIONS, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    check_target(tmp_path / ("x" * 240))


@pytest.mark.parametrize(
    ("option", "value", "cause"),
    [
        ("merge", 2**64, "--merge 18446744073709551616: above 1000000"),
        ("keep_regions", 10**30, "--keep-regions .*: above 1000000"),
        ("batch", 10**12, "--batch 1000000000000: above"),
        ("views", f"{'1' * 5000}x1", "not temporal x spatial views"),
        ("views", "1x03", "1 or 3 spatial views"),
        ("views", "٣x1", "not temporal x spatial views"),
    ],
)
def test_numbers_beyond_all_use_are_refused_before_any_work(option: str, value, cause: str):
    with pytest.raises(BadInput, match=cause):
        Options(**{option: value})


def test_a_list_of_ones_own_has_classes_that_are_there(dataset: Dataset, mini: Backbone, tmp_path):
    odd = dataclasses.replace(dataset.clips[3], label=2)
    listed = dataclasses.replace(dataset, clips=(*dataset.clips, odd))
    with pytest.raises(BadInput, match=f"{odd.video}: has label 2, and there are 2 classes"):
        extract(listed, mini, tmp_path / "feats.h5", OPTIONS)
    for change in (
        {"label": np.int64(1)},
        {"video": Path("a.mp4")},
    ):  # as NumPy and pathlib have it
        strange = dataclasses.replace(dataset.clips[0], **change)
        with pytest.raises(BadInput, match=r"clips: .* is not a str with an int; make them so"):
            extract(dataclasses.replace(dataset, clips=[strange]), mini, tmp_path / "f.h5", OPTIONS)
    plain = dataclasses.replace(dataset, root=str(dataset.root), clips=iter(dataset.clips))
    assert plain == dataset
    assert not [*tmp_path.iterdir()]


def test_a_target_that_is_a_link_stays_one(
    whole: Path, dataset: Dataset, mini: Backbone, tmp_path: Path
):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "feats.h5"
    link.symlink_to(tmp_path / "disk/real.h5")
    for _ in ("made", "found complete"):
        extract(dataset, mini, link, OPTIONS)
        assert link.is_symlink()
        assert (tmp_path / "disk/real.h5").read_bytes() == whole.read_bytes()
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["disk", "feats.h5", "real.h5"]


def test_features_that_cannot_be_kept_name_the_command_that_has_a_precision(
    videos: Path, mini: Backbone, monkeypatch
):
    encoder, plan = OPTIONS.encoder(mini), plan_of(mini, OPTIONS)
    monkeypatch.setattr(
        encoder, "features", lambda clips: ((key, "not finite") for key, _ in clips)
    )
    (found,) = encode_videos([videos / "singing/6.mp4"], encoder, plan)
    assert isinstance(found, BadInput)
    assert found.mend == "extract with --precision float32, and train again"


def test_what_none_of_the_files_would_cost_is_not_told(dataset: Dataset, mini: Backbone, tmp_path):
    elsewhere = dataclasses.replace(dataset, root=tmp_path)
    with pytest.raises(BadInput, match="none of the 7 files that the list names is there"):
        Task(elsewhere, mini, tmp_path / "a.h5", OPTIONS, overwrite=False)
    alone = dataclasses.replace(elsewhere, clips=elsewhere.clips[:1])
    with pytest.raises(BadInput, match=f"is not there: {alone.clips[0].video};"):
        Task(alone, mini, tmp_path / "a.h5", OPTIONS, overwrite=False)
