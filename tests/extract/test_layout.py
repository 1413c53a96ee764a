"""A cache is one file, all of it of the right kind; anything else is told of in one line."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from corpus.errors import BadInput
from extract.manifest import tensors
from extract.store import CacheManifest, FeatureCache

Change = Callable[[h5py.File], object]


@pytest.fixture
def cause(tmp_path: Path, manifest: CacheManifest, write_cache) -> Callable[[Change], str]:
    """Change a sound cache, and return why it is not opened any more."""

    def refused(change: Change) -> str:
        write_cache(tmp_path / "a.h5", manifest)
        with h5py.File(tmp_path / "a.h5", "r+") as file:
            change(file)
        with pytest.raises(BadInput) as caught:
            FeatureCache(tmp_path / "a.h5")
        assert caught.value.what == str(tmp_path / "a.h5")
        return caught.value.cause

    return refused


def put(name: str, **what: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **what)

    return change


def link(name: str, to: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = to

    return change


def test_data_in_other_files_are_no_part_of_a_cache(cause, tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text("not for others " * 99)
    layout = h5py.VirtualLayout((3, 4, 5, 6), np.float16)
    layout[...] = h5py.VirtualSource("gone.h5", "regions", (3, 4, 5, 6))

    def virtual(file: h5py.File) -> None:
        del file["regions"]
        file.create_virtual_dataset("regions", layout)

    outside = [(str(secret), 0, 3 * 64)]
    assert "error is in other files" in cause(put("error", shape=3, dtype="S64", external=outside))
    assert "regions is in other files" in cause(virtual)
    elsewhere = h5py.ExternalLink("b.h5", "regions")
    assert "regions is a link to elsewhere" in cause(link("regions", elsewhere))
    assert "video is a link to elsewhere" in cause(link("video", h5py.SoftLink("/video")))


@pytest.mark.parametrize("name", ["regions", "label", "video"])
def test_what_is_no_dataset_is_missing(cause, name: str):
    assert f"{name} is missing or misshapen" in cause(link(name, np.dtype("i4")))

    def group(file: h5py.File) -> None:
        del file[name]
        file.create_group(name)

    assert f"{name} is missing or misshapen" in cause(group)


@pytest.mark.parametrize(
    ("name", "other"), [("regions", "f4"), ("region_size", "u1"), ("timestamps", "f8")]
)
def test_tensors_are_of_the_type_that_readers_take_them_for(cause, name: str, other: str):
    def changed(file: h5py.File) -> None:
        put(name, data=file[name][()].astype(other))(file)

    assert f"dataset {name} is not" in cause(changed)


@pytest.mark.parametrize(
    "numbers", [np.arange(3), np.full(3, np.nan), np.zeros(3, [("a", "i4")])], ids=str
)
def test_words_are_text(cause, numbers: np.ndarray):
    for name in ("video", "split", "status", "error"):
        assert f"{name} is no text" in cause(put(name, data=numbers))


def test_labels_are_whole_numbers_that_are_classes(cause):
    for odd in (np.full(3, 0.5), np.array([b"1"] * 3), np.full(3, 1j)):
        assert "label is not of whole numbers" in cause(put("label", data=odd))
    assert "row 1 has label 2 of 2 classes" in cause(put("label", data=np.array([1, 2, 7])))
    assert "row 2 has label -2 of 2 classes" in cause(put("label", data=np.array([1, -1, -2])))
    huge = np.full(3, 2**64 - 1, np.uint64)
    assert f"row 0 has label {2**64 - 1}" in cause(put("label", data=huge))


def test_a_row_is_ok_or_failed(cause):
    told = cause(put("status", data=np.array([b"ok", b"failed", b"faimed"])))
    assert "row 2 is 'faimed', neither ok nor failed" in told


@pytest.mark.parametrize("name", ["regions", "timestamps"])
def test_a_row_that_was_never_written_is_not_read_as_what_the_file_begins_with(
    tmp_path: Path, manifest: CacheManifest, write_cache, name: str
):
    path = tmp_path / "a.h5"
    write_cache(path, manifest)
    with h5py.File(path, "r+") as file:  # and so that the failed row has features
        file["status"][...] = b"ok"
        shape, chunks = file[name].shape, file[name].chunks
        del file[name]
        file.create_dataset(name, shape, tensors(manifest)[name][1], chunks=chunks)[0] = 1
    cache = FeatureCache(path)
    for read in (cache.features, cache.regions, lambda row: getattr(cache, name)(row)):
        with pytest.raises(BadInput, match=r"a\.h5: is damaged \(row 2 was never written\)"):
            read(2)


def test_columns_that_were_never_written_are_not_taken_for_zeros(cause):
    for chunks in (None, (1,)):
        assert "label was not written" in cause(put("label", shape=3, dtype="i8", chunks=chunks))

    def begun(file: h5py.File) -> None:
        put("label", shape=3, dtype="i8", chunks=(1,))(file)
        file["label"][0] = 1

    assert "label was not written" in cause(begun)


def test_a_part_is_a_number_of_numbers(cause):
    for odd in ("x/y", "1/2/3", "/"):
        cause(lambda file, odd=odd: file.attrs.__setitem__("part", odd))


def test_classes_are_text_that_can_be_written(cause):
    cause(lambda file: file.attrs.__setitem__("classes", '["\\ud800", "b"]'))


def test_patches_in_regions_that_do_not_exist_are_damage(
    tmp_path: Path, manifest: CacheManifest, write_cache
):
    write_cache(tmp_path / "a.h5", manifest)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["patch_region"][0, 0, 0] = manifest.regions  # of a region that was cut
        file["patch_region"][2, 0, 0] = manifest.regions + 1
    cache = FeatureCache(tmp_path / "a.h5")
    assert cache.patch_region(0).max() == manifest.regions
    with pytest.raises(BadInput, match=r"a\.h5: is damaged \(row 2 has patches in regions that"):
        cache.patch_region(2)
