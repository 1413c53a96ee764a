import dataclasses
import shutil
from functools import partial
from itertools import chain
from pathlib import Path

import h5py
import numpy as np
import pytest

from corpus.backbone import Backbone
from corpus.errors import BadInput, RunFailed
from extract import retry as retry_module
from extract.datasets import Dataset, open_dataset
from extract.pieces import Local
from extract.retry import retry as retry_by_many
from extract.run import Options, extract
from extract.store import FeatureCache
from extract.verify import verify
from tests.extract.conftest import RUN

retry = partial(retry_by_many, engine=Local(1))


@pytest.fixture
def listed(videos: Path, tmp_path: Path) -> Dataset:
    """Seven whole videos, of which three are not there yet."""
    for index in range(7):
        source = videos / ("archery" if index < 4 else "singing") / f"{index}.mp4"
        if index == 2:
            source = videos / "archery/3.mp4"
        shutil.copy(source, tmp_path / f"{index}.mp4")
    (tmp_path / "list.csv").write_text("".join(f"{index}.mp4,x\n" for index in range(7)))
    for index in (1, 2, 5):
        (tmp_path / f"{index}.mp4").rename(tmp_path / f"{index}.away")
    return open_dataset("csv", tmp_path)


def back(dataset: Dataset, *indices: int) -> None:
    for index in indices:
        (dataset.root / f"{index}.away").rename(dataset.root / f"{index}.mp4")


def test_what_failed_is_tried_again_and_the_rest_is_kept(
    listed: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    first = retry(listed, mini, out, RUN)  # no cache yet: it is made
    assert [entry.video for entry in first.failed] == ["1.mp4", "2.mp4", "5.mp4"]
    kept = FeatureCache(out).regions(0)
    back(listed, 1, 5)
    seen: list[tuple[str, int]] = []
    again = retry(listed, mini, out, RUN, watch=lambda entry, n: seen.append((entry.video, n)))
    assert [entry.video for entry in again.failed] == ["2.mp4"]
    assert (again.resumed, again.spent.frames) == (5, 2 * RUN.frames)
    assert sorted(seen) == [(f"{i}.mp4", RUN.frames * (i in (1, 5))) for i in range(7)]
    assert np.array_equal(FeatureCache(out).regions(0), kept)
    back(listed, 2)
    assert retry(listed, mini, out, RUN).failed == ()
    assert verify(out).faults == ()
    assert sorted(path.name for path in tmp_path.glob("feats*")) == ["feats.h5"]


def test_a_retried_cache_has_what_one_has_that_never_failed(
    listed: Dataset, mini: Backbone, tmp_path: Path
):
    out, options = tmp_path / "feats.h5", Options(frames=4, checkpoint=1)  # a video to a batch
    retry(listed, mini, out, options)
    back(listed, 1, 2, 5)
    retry(listed, mini, out, options)
    extract(listed, mini, tmp_path / "whole.h5", options, workers=1)
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_nothing_is_done_where_nothing_can_come_of_it(
    listed: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    retry(listed, mini, out, RUN)
    before = (out.read_bytes(), out.stat().st_mtime_ns)
    report = retry(listed, mini, out, RUN)  # the files are still missing
    assert (len(report.failed), report.spent.frames) == (3, 0)
    assert (out.read_bytes(), out.stat().st_mtime_ns) == before


def test_an_interrupted_retry_leaves_the_cache_and_goes_on(
    listed: Dataset, mini: Backbone, tmp_path: Path, monkeypatch
):
    out = tmp_path / "feats.h5"
    options = dataclasses.replace(RUN, checkpoint=1)
    retry(listed, mini, out, options)
    before = out.read_bytes()
    back(listed, 1, 2, 5)

    def stop(entry, frames):
        if entry.video == "5.mp4":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry(listed, mini, out, options, watch=stop)
    assert out.read_bytes() == before
    with monkeypatch.context() as full:
        full.setattr(retry_module, "write", _no_space)
        with pytest.raises(RunFailed):
            retry(listed, mini, out, options)
    assert out.read_bytes() == before
    assert retry(listed, mini, out, options).failed == ()
    assert sorted(path.name for path in tmp_path.glob("feats*")) == ["feats.h5"]


def _no_space(out, manifest, rows):
    raise RunFailed(out, "cannot be written", "free some space")


def test_a_cache_that_another_process_makes_anew_meanwhile_is_not_mixed_with_what_was(
    listed: Dataset, mini: Backbone, tmp_path: Path, monkeypatch
):
    out = tmp_path / "feats.h5"
    retry(listed, mini, out, RUN)
    back(listed, 1)
    first = retry_module.extract

    def replaced(dataset: Dataset, backbone: Backbone, path: Path, *rest: object, **options):
        report = first(dataset, backbone, path, *rest, **options)
        if path != out:
            other = dataclasses.replace(RUN, sampling="random", seed=7)
            extract(listed, mini, out, other, overwrite=True, workers=1)
        return report

    with monkeypatch.context() as patch:
        patch.setattr(retry_module, "extract", replaced)
        with pytest.raises(BadInput, match="was made anew by another process while failed videos"):
            retry(listed, mini, out, RUN)
    assert FeatureCache(out).manifest.seed == 7
    assert verify(out).faults == ()


def test_a_cache_that_is_made_anew_while_the_rows_are_joined_stays(
    listed: Dataset, mini: Backbone, tmp_path: Path, monkeypatch
):
    out, other = tmp_path / "feats.h5", tmp_path / "other.h5"
    retry(listed, mini, out, RUN)
    extract(listed, mini, other, dataclasses.replace(RUN, frames=2), workers=1)
    back(listed, 1)
    write, anew = retry_module.write, other.read_bytes()

    def met(path, manifest, rows):
        first = next(rows)
        other.replace(path)  # as another process does once it is done
        return write(path, manifest, chain([first], rows))

    monkeypatch.setattr(retry_module, "write", met)
    with pytest.raises(BadInput, match="was made anew by another process"):
        retry(listed, mini, out, RUN)
    assert out.read_bytes() == anew


def test_a_cache_that_was_made_just_now_is_not_tried_again_at_once(
    listed: Dataset, mini: Backbone, tmp_path: Path
):
    (tmp_path / "3.mp4").write_bytes(b"broken")
    seen: list[tuple[str, int]] = []
    report = retry(
        listed, mini, tmp_path / "a.h5", RUN, watch=lambda entry, n: seen.append((entry.video, n))
    )
    assert "3.mp4" in [entry.video for entry in report.failed]
    assert sorted(seen) == [(f"{i}.mp4", RUN.frames * (i in (0, 4, 6))) for i in range(7)]


def test_a_retry_of_others_than_an_interrupted_one_tried_begins_anew(
    listed: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    retry(listed, mini, out, RUN)
    back(listed, 1)

    def stop(entry, frames):
        if frames:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry(listed, mini, out, RUN, watch=stop)
    back(listed, 2)
    assert [entry.video for entry in retry(listed, mini, out, RUN).failed] == ["5.mp4"]


def test_a_damaged_cache_is_not_made_sound_by_another_try(
    listed: Dataset, mini: Backbone, tmp_path: Path
):
    out = tmp_path / "feats.h5"
    retry(listed, mini, out, RUN)
    back(listed, 1)
    kept = FeatureCache(out).features(0)
    assert kept is not None
    raw = bytearray(out.read_bytes())
    raw[raw.index(kept.regions.tobytes())] ^= 1
    out.write_bytes(raw)
    with pytest.raises(BadInput, match=r"feats\.h5: is damaged"):
        retry(listed, mini, out, RUN)
    assert out.read_bytes() == raw


def test_what_a_kill_leaves_beside_goes_and_what_is_another_s_stays(
    listed: Dataset, mini: Backbone, tmp_path: Path, manifest, write_cache
):
    out, beside = tmp_path / "feats.h5", tmp_path / "feats.h5.again"
    retry(listed, mini, out, RUN)
    shutil.copy(out, beside)
    retry(listed, mini, out, RUN)  # there is nothing to try
    assert not beside.exists()
    names = ("text", "cache", "damaged", "others", "other backbone")
    own = {name: tmp_path / f"{name}.h5" for name in names}
    own["text"].write_text("my own")
    write_cache(own["cache"], manifest)
    with h5py.File(shutil.copy(out, own["other backbone"]), "r+") as file:
        file.attrs["fingerprint"] = "e" * 32
    own["damaged"].write_bytes(out.read_bytes()[:-9])
    shutil.copy(tmp_path / "0.mp4", tmp_path / "9.mp4")
    clips = (dataclasses.replace(listed.clips[0], video="9.mp4"),)
    extract(dataclasses.replace(listed, clips=clips), mini, own["others"], RUN, workers=1)
    for path in own.values():
        shutil.copy(path, beside)
        retry(listed, mini, out, RUN)
        assert beside.read_bytes() == path.read_bytes()
    back(listed, 1)
    for path in own.values():
        shutil.copy(path, beside)
        with pytest.raises(BadInput, match=r"feats\.h5\.again: is in the way of what is tried"):
            retry(listed, mini, out, RUN)
        assert beside.read_bytes() == path.read_bytes()
