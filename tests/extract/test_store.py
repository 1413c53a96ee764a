import copy
import fcntl
import hashlib
import multiprocessing
import os
import resource
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from corpus.errors import BadInput
from extract.manifest import OF_PART
from extract.quantise import quantise
from extract.rows import dequantised
from extract.seal import PIECE
from extract.store import CacheManifest, CacheWriter, Entry, FeatureCache
from extract.verify import verify
from tests.extract.conftest import random_features


def test_a_file_that_took_another_s_place_is_told_and_never_read_as_that(
    tmp_path: Path, manifest: CacheManifest, write_cache
):
    write_cache(tmp_path / "a.h5", manifest)
    cache, read = FeatureCache(tmp_path / "a.h5"), FeatureCache(tmp_path / "a.h5")
    read.regions(0)
    write_cache(tmp_path / "b.h5", manifest.model_copy(update={"merge": 3, "dataset": "other"}))
    (tmp_path / "b.h5").replace(tmp_path / "a.h5")
    replaced = "has been replaced since it was opened; open it again"
    for ask in (
        lambda: cache.regions(0),
        lambda: cache.videos,
        lambda: cache.labels,
        lambda: read.videos,
        lambda: read.close() or read.regions(0),
    ):
        with pytest.raises(BadInput, match=replaced):
            ask()
    assert FeatureCache(tmp_path / "a.h5").regions(0).any()


def test_a_row_that_is_none_is_no_damage(tmp_path: Path, manifest: CacheManifest, write_cache):
    write_cache(tmp_path / "a.h5", manifest)
    with FeatureCache(tmp_path / "a.h5") as cache:
        assert np.array_equal(cache.regions(np.int64(-1)), cache.regions(2))
        for wrong in (3, -4):
            with pytest.raises(IndexError, match=f"row {wrong} of a cache of 3"):
                cache.timestamps(wrong)
        for wrong in (slice(0, 2), [0, 1], 1.0, "a", None):
            with pytest.raises(TypeError):
                cache.regions(wrong)


def test_what_was_written_is_read_back(tmp_path: Path, manifest: CacheManifest, write_cache):
    first, last = write_cache(tmp_path / "a.h5", manifest)
    cache = FeatureCache(tmp_path / "a.h5")
    assert len(cache) == 3
    assert cache.manifest.classes == manifest.classes
    assert cache.manifest.failed == 1
    assert cache.videos == ["a/0.mp4", "b/ü.mp4", "a/2.mp4"]
    assert cache.status == ["ok", "failed", "ok"]
    assert cache.errors == ["", "no video stream", ""]
    assert cache.labels.tolist() == [0, 1, 0]
    assert cache.labels.dtype == np.int64
    np.testing.assert_allclose(cache.regions(0), first, rtol=1e-3)
    np.testing.assert_allclose(cache.regions(2), last, rtol=1e-3)
    assert cache.regions(0).dtype == np.float32
    assert not cache.regions(1).any()
    assert cache.timestamps(2).tolist() == [0, 1, 2, 3]


def test_the_file_follows_schema_v1(tmp_path: Path, manifest: CacheManifest, write_cache):
    write_cache(tmp_path / "a.h5", manifest)
    with h5py.File(tmp_path / "a.h5") as file:
        assert {name: (file[name].shape, str(file[name].dtype)) for name in file} == {
            "regions": ((3, 4, 5, 6), "float16"),
            "region_size": ((3, 4, 5), "uint16"),
            "patch_region": ((3, 4, 9), "uint8"),
            "timestamps": ((3, 4), "float32"),
            "label": ((3,), "int64"),
            "video": ((3,), "|S8"),
            "split": ((3,), "|S3"),
            "status": ((3,), "|S6"),
            "error": ((3,), "|S15"),
        }
        assert file["regions"].chunks == (1, 4, 5, 6)
        assert file.attrs["schema_version"] == 1
        assert set(CacheManifest.model_fields) - set(OF_PART) == set(file.attrs)
    head = (tmp_path / "a.h5").read_bytes()
    said = head[:512].split(b": ")[1].split(b"\n")[0].decode()
    pieces = [head[at : at + PIECE] for at in range(512, len(head), PIECE)]
    whole = hashlib.sha256(b"".join(hashlib.sha256(piece).digest() for piece in pieces))
    assert (said, PIECE) == (whole.hexdigest(), 2**20)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_every_encoding_gives_the_same_bytes_twice(
    tmp_path: Path, manifest: CacheManifest, write_cache, dtype: str, compression: str
):
    manifest = manifest.model_copy(update={"dtype": dtype, "compression": compression})
    made = write_cache(tmp_path / "a.h5", manifest)
    if (dtype, compression) == ("int8", "lz4"):
        time.sleep(1.1)  # HDF5's own time stamps, were they on, count in seconds
    write_cache(tmp_path / "b.h5", manifest)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    error = np.abs(FeatureCache(tmp_path / "a.h5").regions(0) - made[0]).max()
    assert error < (0.02 if dtype == "int8" else 0.002)


def test_the_content_hash_changes_with_any_row(tmp_path: Path, manifest: CacheManifest):
    def content_hash(
        labels: tuple[int, ...] = (0, 0, 0), seeds: tuple[int, ...] = (0, 1, 2)
    ) -> str:
        writer = CacheWriter(tmp_path / "a.h5", manifest)
        for row, (label, seed) in enumerate(zip(labels, seeds, strict=True)):
            entry = Entry(f"{row}.mp4", label, "all", "ok")
            writer.append(entry, random_features(manifest, seed)[0])
        return writer.close().content_hash

    labels, seeds = ((1, 0, 0), (0, 1, 0), (0, 0, 1)), ((9, 1, 2), (0, 9, 2), (0, 1, 9))
    hashes = {content_hash(labels=some) for some in labels}
    hashes |= {content_hash(seeds=some) for some in seeds}
    assert len(hashes | {content_hash()}) == 7


def test_a_cache_crosses_a_pickle_and_a_fork(tmp_path: Path, manifest: CacheManifest, write_cache):
    write_cache(tmp_path / "a.h5", manifest)
    cache = FeatureCache(tmp_path / "a.h5")
    here = cache.regions(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        there = pool.map(cache.regions, [0, 0, 0])
    assert all((here == copy).all() for copy in there)
    assert (copy.deepcopy(cache).regions(0) == here).all()  # takes the way that pickle does


def test_expected_rows_are_asked_of_the_system_where_they_are(
    tmp_path: Path, manifest: CacheManifest, write_cache, monkeypatch
):
    write_cache(tmp_path / "a.h5", manifest)
    whole, asked = (tmp_path / "a.h5").read_bytes(), []
    monkeypatch.setattr(os, "posix_fadvise", lambda file, at, size, what: asked.append((at, size)))
    cache = FeatureCache(tmp_path / "a.h5")
    cache.expect([0, 1])  # the second has failed, and has no features
    row = cache.features(0)
    assert row is not None
    tensors = [value.tobytes() for value in vars(row).values() if value is not None]
    assert sorted(whole[at : at + size] for at, size in asked) == sorted(tensors)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_rows_are_what_hdf5_reads(
    tmp_path: Path, manifest: CacheManifest, write_cache, dtype: str, compression: str
):
    clips = 40  # enough for HDF5 to put pieces of its index between rows
    like = {"clips": clips, "dtype": dtype, "compression": compression}
    write_cache(tmp_path / "a.h5", manifest.model_copy(update=like))
    cache = FeatureCache(tmp_path / "a.h5")
    part = np.empty((2, manifest.regions, manifest.dim), np.float16)
    with h5py.File(tmp_path / "a.h5") as file:
        for index in range(clips):
            row = cache.features(index)
            assert (row is None) == (index == 1)
            for name, value in (vars(row) if row else {}).items():
                if value is not None:
                    assert value.dtype == file[name].dtype
                    assert (value == file[name][index]).all(), (index, name)
            whole = file["regions"][index].astype(np.float32)
            if dtype == "int8":
                whole *= file["regions_scale"][index].astype(np.float32)[..., None]
            assert np.array_equal(cache.regions(index), whole)
            assert row is None or np.array_equal(dequantised(row.regions, row.regions_scale), whole)
            cache.read_regions(index, 1, part)
            assert np.array_equal(part, whole[1:3].astype(np.float16))


def test_a_file_that_is_cut_while_it_is_read_is_refused_in_one_line(
    tmp_path: Path, manifest: CacheManifest, write_cache
):
    write_cache(tmp_path / "a.h5", manifest)
    cache = FeatureCache(tmp_path / "a.h5")
    assert cache.features(0) is not None
    os.truncate(tmp_path / "a.h5", 1024)
    with pytest.raises(BadInput, match="is damaged"):
        cache.features(2)


def test_rows_that_do_not_fit_are_refused(tmp_path: Path, manifest: CacheManifest):
    writer = CacheWriter(tmp_path / "a.h5", manifest)
    with pytest.raises(ValueError, match="does not belong"):
        writer.append(Entry("a.mp4", 0, "all", "ok"), None)
    with pytest.raises(ValueError, match="0 rows, not 3"):
        writer.close()
    writer.abandon()


def test_files_that_are_no_cache_are_named_with_cause_and_mend(
    tmp_path: Path, manifest: CacheManifest, write_cache
):
    write_cache(tmp_path / "a.h5", manifest)
    whole = (tmp_path / "a.h5").read_bytes()
    cases = {"absent.h5": "no such", "text.h5": "not an HDF5 file", "cut.h5": "truncated"}
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = [1]
    cases["foreign.h5"] = "not a feature cache"
    for name, change, cause in (
        ("future.h5", lambda f: f.attrs.__setitem__("schema_version", 2), "schema version 2"),
        ("lost.h5", lambda f: f.__delitem__("region_size"), "region_size is missing"),
        ("broken.h5", lambda f: f.attrs.__setitem__("grid", "[3,"), "is damaged"),
        ("missing.h5", lambda f: f.attrs.__delitem__("merge"), "is damaged"),
        ("grid.h5", lambda f: f.attrs.__setitem__("grid", "[1, 3]"), r"\(1, 3\) has not 9 patches"),
        ("turned.h5", lambda f: f.attrs.__setitem__("grid", "[-3, -3]"), "has not 9 patches"),
        ("views.h5", lambda f: f.attrs.__setitem__("views", "-1x-2"), "is damaged"),
        ("less.h5", lambda f: f.attrs.__setitem__("merge", -1), "is damaged"),
        ("failed.h5", lambda f: f.attrs.__setitem__("failed", 4), "4 of 3 clips failed"),
    ):
        (tmp_path / name).write_bytes(whole)
        with h5py.File(tmp_path / name, "r+") as file:
            change(file)
        cases[name] = cause
    for name, cause in cases.items():
        with pytest.raises(BadInput, match=cause) as caught:
            FeatureCache(tmp_path / name)
        assert name in str(caught.value)
        assert "alt-extract" in str(caught.value)


def test_a_cache_that_another_writes_to_is_not_called_damaged(
    tmp_path: Path, manifest: CacheManifest, write_cache
):
    write_cache(tmp_path / "a.h5", manifest)
    with (tmp_path / "a.h5").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as HDF5 does
        with pytest.raises(BadInput, match=r"a\.h5: cannot be opened \(Resource .*; wait until"):
            FeatureCache(tmp_path / "a.h5")
    assert len(FeatureCache(tmp_path / "a.h5")) == manifest.clips


def test_a_cache_that_is_one_file_too_many_is_not_called_damaged(
    tmp_path: Path, manifest: CacheManifest, write_cache, few_files
):
    write_cache(tmp_path / "a.h5", manifest)
    with (tmp_path / "a.h5").open("rb"):
        few_files(0)
        with pytest.raises(
            BadInput, match=r"a\.h5: cannot be opened \(Too many open files\); raise"
        ):
            FeatureCache(tmp_path / "a.h5")


def test_a_closed_cache_can_be_read_again(tmp_path: Path, manifest: CacheManifest, write_cache):
    regions, *_ = write_cache(tmp_path / "a.h5", manifest)
    cache = FeatureCache(tmp_path / "a.h5")
    cache.close()  # though nothing was read
    for _ in range(2):
        np.testing.assert_allclose(cache.regions(0), regions, atol=2e-3)
        assert cache.features(0) is not None
        cache.close()
        cache.close()


@given(
    hnp.arrays(
        np.float32, (3, 4), elements=st.floats(-60000, 60000, width=32, allow_subnormal=False)
    )
)
def test_int8_is_within_half_a_step_of_the_token_s_largest_value(regions: np.ndarray):
    stored, scale, fits = quantise(torch.from_numpy(regions), "int8")
    assert scale is not None
    assert fits
    steps = scale.float()[:, None]
    # Half a step, and float16's own rounding of a scale that may be subnormal.
    assert ((stored * steps - torch.from_numpy(regions)).abs() <= steps * 0.5001).all()


def test_int8_keeps_values_so_small_that_their_scale_is_rounded_much():
    regions = torch.linspace(1e-6, 1e-3, 500)[:, None] * torch.tensor([1, -0.5, -1])
    stored, scale, _ = quantise(regions, "int8")
    assert scale is not None
    steps = scale.float()[:, None]
    assert ((stored * steps - regions).abs() <= steps * 0.5001).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 70000])
def test_values_float16_cannot_hold_are_refused(value: float):
    frames = torch.tensor([[[1, value], [1, 2]], [[1, 2], [3, 4]]])  # a value in a token of one
    for dtype in ("float16", "int8"):
        assert quantise(frames, dtype).fits.tolist() == [False, True]


@pytest.mark.parametrize("limit", [1, 600, 1500, 3000, 6000, 9000, 12000])
def test_a_disk_that_fills_up_at_any_byte_is_an_os_error(
    tmp_path: Path, manifest: CacheManifest, write_cache, limit: int
):
    size = len(whole_cache(tmp_path, manifest, write_cache))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(limit, size - 1), before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_cache(tmp_path / "b.h5", manifest)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def whole_cache(tmp_path: Path, manifest: CacheManifest, write_cache) -> bytes:
    write_cache(tmp_path / "a.h5", manifest)
    return (tmp_path / "a.h5").read_bytes()


def test_int8_with_zstd_takes_a_quarter_of_all_patches_in_float16_even_for_noise(
    tmp_path: Path, manifest: CacheManifest, write_cache
):
    """ViT-B-16 at r = 8. Noise is the worst case: real tokens have a few large dimensions."""
    like = {"dtype": "int8", "compression": "zstd", "frames": 4, "clips": 5, "views": "1x1"}
    like |= {"dim": 512, "regions": 101, "patches": 196, "grid": (14, 14)}
    path = tmp_path / "a.h5"
    write_cache(path, manifest.model_copy(update=like))  # of 5 rows one failed
    with h5py.File(path) as file:
        stored = sum(
            file[name].id.get_storage_size()
            for name in ("regions", "regions_scale", "region_size", "patch_region", "timestamps")
        )
    assert stored <= 4 * 4 * 197 * 512 * 2 / 4


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize(
    ("chunks", "packing"),
    [
        ("of a row", {}),
        ("of a row", {"compression": "gzip"}),
        ("of a row", {"shuffle": True}),  # of which no chunk's size tells
        ("of less than a row", {}),
        ("of many rows", {}),
        ("of many rows", {"compression": "gzip"}),
        ("none", {}),
    ],
)
def test_a_cache_that_was_packed_anew_is_read_as_what_it_holds(
    tmp_path: Path, manifest: CacheManifest, write_cache, dtype: str, chunks: str, packing: dict
):
    write_cache(tmp_path / "a.h5", manifest.model_copy(update={"clips": 9, "dtype": dtype}))
    with h5py.File(tmp_path / "a.h5") as old, h5py.File(tmp_path / "b.h5", "w") as new:
        new.attrs.update(old.attrs)
        for name, data in old.items():
            row = data.shape[1:]
            asked = {"of a row": (1, *row), "of many rows": (4, *row), "none": None}
            asked["of less than a row"] = (1, row[0] // 2, *row[1:]) if row else None
            how = {"chunks": asked[chunks], **packing} if row else {}
            new.create_dataset(name, data=data[()], **how)
    first, second = FeatureCache(tmp_path / "a.h5"), FeatureCache(tmp_path / "b.h5")
    second.expect(range(9))
    part, other = (np.empty((2, manifest.regions, manifest.dim), np.float16) for _ in "ab")
    for index in (0, 2, 5, 8):
        assert (first.regions(index) == second.regions(index)).all()
        assert (first.patch_region(index) == second.patch_region(index)).all()
        first.read_regions(index, 1, part)
        second.read_regions(index, 1, other)
        assert (part == other).all()
        whole, same = first.features(index), second.features(index)
        assert whole is not None
        assert same is not None
        for tensor, again in zip(whole.tensors(), same.tensors(), strict=True):
            assert (tensor == again).all()


@pytest.mark.parametrize("packed", ["regions", "region_size", "timestamps"])
def test_a_cache_of_which_one_kind_alone_was_packed_is_read_as_what_it_holds(
    tmp_path: Path, manifest: CacheManifest, write_cache, packed: str
):
    write_cache(tmp_path / "a.h5", manifest)
    with h5py.File(tmp_path / "a.h5") as old, h5py.File(tmp_path / "b.h5", "w") as new:
        new.attrs.update(old.attrs)
        for name, data in old.items():
            how = {"compression": "gzip"} if name == packed else {}
            new.create_dataset(name, data=data[()], chunks=data.chunks, **how)
    whole, same = (FeatureCache(tmp_path / name).features(2) for name in ("a.h5", "b.h5"))
    assert whole is not None
    assert same is not None
    for tensor, again in zip(whole.tensors(), same.tensors(), strict=True):
        assert (tensor == again).all()


def test_a_part_says_where_it_belongs(tmp_path: Path, manifest: CacheManifest, write_cache):
    facts = {"start": 6, "whole_clips": 9, "whole_hash": "f" * 64}
    write_cache(tmp_path / "a.h5", manifest.model_copy(update={"part": "3/3", **facts}))
    found = verify(tmp_path / "a.h5").faults  # the numbers in it are none of a backbone
    assert all(fault.startswith("row ") for fault in found)
    with h5py.File(tmp_path / "a.h5") as file:
        assert {fact: file.attrs[fact] for fact in OF_PART} == facts
    assert FeatureCache(tmp_path / "a.h5").manifest.whole_clips == 9


def test_a_fact_that_is_no_text_is_damage(tmp_path: Path, manifest: CacheManifest, write_cache):
    write_cache(tmp_path / "a.h5", manifest)
    damaged = (tmp_path / "a.h5").read_bytes().replace(manifest.sampling.encode(), b"\xfeentre")
    (tmp_path / "b.h5").write_bytes(damaged)
    with pytest.raises(BadInput, match="is damaged"):
        verify(tmp_path / "b.h5")
