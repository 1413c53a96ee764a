"""What cannot be true of a cache is told, also where every byte is as it was written."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from extract.manifest import CacheManifest
from extract.rows import Entry, Features
from extract.verify import verify
from extract.writer import CacheWriter
from tests.extract.conftest import random_features


def sound(manifest: CacheManifest) -> Features:
    """A row that can be: its sizes are those of its patch map."""
    features, _ = random_features(manifest, 0)
    sizes = [np.bincount(row, minlength=manifest.regions) for row in features.patch_region]
    counted = np.stack(sizes).astype(np.uint16)
    counted[:, 0] += 1  # the class token itself
    return replace(features, region_size=counted)


@pytest.fixture
def found(tmp_path: Path, manifest: CacheManifest) -> Callable[..., list[str]]:
    """What is found in a cache of one row, after a change to the row; without the row's name."""

    def faults(change: Callable[[Features], object] = lambda row: None, **facts: object):
        like = manifest.model_copy(update={"clips": 1, **facts})
        row = sound(like)
        change(row)
        writer = CacheWriter(tmp_path / "a.h5", like)
        writer.append(Entry("a.mp4", 0, "all", "ok"), row)
        writer.close()
        return [fault.removeprefix("row 0 (a.mp4): ") for fault in verify(tmp_path / "a.h5").faults]

    return faults


def put(tensor: str, place: tuple[int, ...], value: float) -> Callable[[Features], object]:
    return lambda row: getattr(row, tensor).__setitem__(place, value)


@pytest.mark.parametrize("facts", [{}, {"dtype": "int8"}, {"keep_regions": 4}])
def test_a_row_that_can_be_has_no_fault(found, facts: dict[str, object]):
    assert found(**facts) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_is_a_fault_wherever_it_is(found, value: float):
    for change in (put("regions", (3, 4, 5), value), put("timestamps", (3,), value)):
        assert found(change) == ["values that are not finite"]
    scale = put("regions_scale", (3, 4), value)
    assert found(scale, dtype="int8") == ["values that are not finite"]


def test_a_time_before_the_first_frame_is_a_fault(found):
    assert found(put("timestamps", (0,), -0.5)) == ["timestamps below zero"]


def test_sizes_that_are_not_those_of_the_patch_map_are_a_fault(found):
    def more(row: Features) -> None:
        row.region_size[3, 4] += 1

    def elsewhere(row: Features) -> None:
        row.region_size[3, 4] += 1
        row.region_size[3, 0] -= 1

    assert found(more)[0] == "region sizes do not add up to the patches"
    assert found(elsewhere) == ["region sizes and patch map disagree"]


def test_a_patch_of_a_cut_region_is_a_fault_unless_regions_were_cut(found):
    def cut(row: Features) -> None:
        row.region_size[3, row.patch_region[3, 8]] -= 1
        row.patch_region[3, 8] = 5

    assert found(cut) == ["patches in regions that do not exist"]
    assert found(cut, keep_regions=4) == []
    beyond = found(put("patch_region", (3, 8), 6), keep_regions=4)
    assert "patches in regions that do not exist" in beyond


def test_a_failed_row_has_a_reason_or_a_fault(tmp_path: Path, manifest: CacheManifest):
    writer = CacheWriter(tmp_path / "a.h5", manifest.model_copy(update={"clips": 2}))
    for index, reason in enumerate(("no video stream", "")):
        writer.append(Entry(f"{index}.mp4", 0, "all", "failed", reason), None)
    writer.close()
    assert verify(tmp_path / "a.h5").faults == ("row 1 (1.mp4): failed without a reason",)


def test_attributes_that_do_not_tell_of_the_rows_are_faults(
    tmp_path: Path, manifest: CacheManifest, write_cache
):
    for name, lie in (("failed", 0), ("list_hash", "0" * 64), ("content_hash", "0" * 64)):
        write_cache(tmp_path / "a.h5", manifest)
        with h5py.File(tmp_path / "a.h5", "r+") as file:
            file.attrs[name] = lie
        told = [fault for fault in verify(tmp_path / "a.h5").faults if f"{name} is" in fault]
        assert len(told) == 1
        assert told[0].endswith(f"and its attribute says {lie}")
