import dataclasses
import errno
import shutil
import threading
from functools import partial
from pathlib import Path

import h5py
import pytest

from corpus.backbone import Backbone
from corpus.errors import BadInput, RunFailed
from corpus.preprocess import Preprocess
from extract.datasets import Dataset, open_dataset
from extract.export import export
from extract.manifest import CacheManifest
from extract.merge import merge
from extract.rows import Entry
from extract.run import Options
from extract.run import extract as extract_by_many
from extract.store import FeatureCache
from extract.verify import verify
from extract.writer import CacheWriter
from tests.extract.conftest import random_features

extract = partial(extract_by_many, workers=1)
OPTIONS = Options(frames=2, checkpoint=2, batch=4)
PIXELS = Preprocess(
    size=(112, 112),
    mean=(0.4, 0.4, 0.4),
    std=(0.3, 0.3, 0.3),
    interpolation="bilinear",
    resize_mode="squash",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, make_clip) -> Dataset:
    root = tmp_path_factory.mktemp("videos")
    for index in range(7):
        make_clip(root / f"{'ab'[index // 4]}/{index}.mp4", frames=5 + index, seed=index)
    (root / "b/5.mp4").write_bytes(b"broken")
    return open_dataset("folder", root)


@pytest.fixture(scope="module")
def whole(dataset: Dataset, mini: Backbone, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "feats.h5"
    extract(dataset, mini, path, OPTIONS)
    return path


def test_parts_made_on_many_machines_merge_to_the_bytes_of_one(
    dataset: Dataset, whole: Path, mini: Backbone, tmp_path: Path
):
    parts = [tmp_path / f"{index}.h5" for index in range(3)]
    for index, path in enumerate(parts):
        extract(dataset.shard(f"{index + 1}/3", OPTIONS.checkpoint), mini, path, OPTIONS)
    assert [len(FeatureCache(path)) for path in parts] == [2, 2, 3]
    facts = [FeatureCache(path).manifest for path in parts]
    whole_list = FeatureCache(whole).manifest.list_hash
    assert [(m.start, m.whole_clips) for m in facts] == [(0, 7), (2, 7), (4, 7)]
    assert {m.whole_hash for m in facts} == {whole_list}
    told: list[tuple[int, int]] = []
    shuffled = [parts[2], parts[0], parts[1]]
    merge(shuffled, tmp_path / "merged.h5", lambda *rows: told.append(rows))
    assert (tmp_path / "merged.h5").read_bytes() == whole.read_bytes()
    assert told == [(row, 7) for row in range(8)]
    with pytest.raises(BadInput, match="3 parts make the whole; not given: 2/3; give each"):
        merge([parts[2], parts[0]], tmp_path / "less.h5")
    with pytest.raises(BadInput, match="not given: 3/3; too much: 1/3; give each"):
        merge([parts[0], parts[0], parts[1]], tmp_path / "less.h5")
    assert not (tmp_path / "less.h5").exists()


def test_a_part_of_which_no_file_is_there_is_made_as_its_list_has_it(
    dataset: Dataset, mini: Backbone, tmp_path: Path
):
    root = Path(shutil.copytree(dataset.root, tmp_path / "videos"))
    there = open_dataset("folder", root)
    for clip in there.clips[4:]:
        there.path(clip).unlink()
    parts = [tmp_path / f"{index}.h5" for index in range(3)]
    for index, path in enumerate(parts):
        extract(there.shard(f"{index + 1}/3", OPTIONS.checkpoint), mini, path, OPTIONS)
    assert FeatureCache(parts[2]).errors == ["no such file"] * 3
    merge(parts, tmp_path / "merged.h5")
    assert FeatureCache(tmp_path / "merged.h5").videos == [clip.video for clip in there.clips]
    shutil.rmtree(root)
    with pytest.raises(BadInput, match="none of the 7 files that the list names is there"):
        there.shard("1/3", OPTIONS.checkpoint)


def write_part(path: Path, manifest: CacheManifest, part: Dataset, **facts: object) -> Path:
    """A cache of a part, whose videos all failed."""
    told = {"part": part.part, "start": part.start, "whole_clips": part.whole_clips}
    told |= {"whole_hash": part.whole_hash, "clips": len(part.clips), "classes": part.classes}
    writer = CacheWriter(path, manifest.model_copy(update=told | facts))
    for clip in part.clips:
        writer.append(Entry(clip.video, clip.label, clip.split, "failed", "broken"), None)
    writer.close()
    return path


def test_parts_that_are_not_all_of_one_list_are_refused(
    dataset: Dataset, manifest: CacheManifest, tmp_path: Path
):
    first = write_part(tmp_path / "1.h5", manifest, dataset.shard("1/2", 2))  # clips 0 to 3
    last = dataset.shard("2/2", 2)
    other = dataclasses.replace(dataset, clips=dataset.clips[:6] + dataset.clips[:1])
    cases = {
        "limited": (dataclasses.replace(last, clips=last.clips[:1]), "ends at clip 5 .* has 7"),
        "gap": (dataset.shard("2/2", 5), "begins at clip 5 of the list, and .*1.h5 ends at 4"),
        "overlap": (dataset.shard("2/2", 3), "begins at clip 3 of the list, and .*1.h5 ends at 4"),
        "other": (other.shard("2/2", 2), "is part of another list than .*1.h5"),
    }
    for name, (part, cause) in cases.items():
        path = write_part(tmp_path / f"{name}.h5", manifest, part)
        with pytest.raises(BadInput, match=f"{name}.h5: {cause}"):
            merge([path, first], tmp_path / "out.h5")
        assert not (tmp_path / "out.h5").exists()


def test_a_video_that_a_list_names_for_two_classes_may_be_in_two_parts(
    dataset: Dataset, manifest: CacheManifest, tmp_path: Path
):
    again = dataclasses.replace(dataset.clips[0], label=1)
    named = dataclasses.replace(dataset, clips=(*dataset.clips, again))
    for number in (1, 2):
        write_part(tmp_path / f"{number}.h5", manifest, named.shard(f"{number}/2", 2))
    merge([tmp_path / "1.h5", tmp_path / "2.h5"], tmp_path / "out.h5")
    cache = FeatureCache(tmp_path / "out.h5")
    assert cache.manifest.list_hash == named.shard("1/2", 2).whole_hash
    assert (cache.videos[0], cache.labels[[0, -1]].tolist()) == (cache.videos[-1], [0, 1])


def test_a_video_of_two_splits_may_be_in_the_cache_of_each(
    dataset: Dataset, manifest: CacheManifest, tmp_path: Path
):
    for split in ("train", "val"):
        clips = tuple(dataclasses.replace(clip, split=split) for clip in dataset.clips[:2])
        part = dataclasses.replace(dataset, clips=clips)
        write_part(tmp_path / f"{split}.h5", manifest, part, split=split)
    merge([tmp_path / "train.h5", tmp_path / "val.h5"], tmp_path / "out.h5")
    assert FeatureCache(tmp_path / "out.h5").splits == ["train", "train", "val", "val"]


def test_there_may_be_more_parts_than_open_files(
    manifest: CacheManifest, tmp_path: Path, few_files
):
    count, listed = 30, {"whole_clips": 30, "whole_hash": "h", "clips": 1}
    parts = [tmp_path / f"{number}.h5" for number in range(count)]
    for number, path in enumerate(parts):
        told = listed | {"part": f"{number + 1}/{count}", "start": number}
        writer = CacheWriter(path, manifest.model_copy(update=told))
        writer.append(Entry(f"{number}.mp4", 0, "all", "ok"), random_features(manifest, number)[0])
        writer.close()
    few_files(20)
    merge(parts, tmp_path / "out.h5")
    assert len(FeatureCache(tmp_path / "out.h5")) == count


def test_every_video_is_in_one_part(dataset: Dataset):
    for count in (1, 2, 3, 4):
        parts = [dataset.shard(f"{index + 1}/{count}", 2).clips for index in range(count)]
        assert sum(parts, ()) == dataset.clips
        assert all(parts)


@pytest.mark.parametrize(
    ("part", "cause"),
    [
        ("0/3", "not i/n"),
        ("4/3", "not i/n"),
        ("two", "not i/n"),
        (f"1/{'1' * 5000}", "not i/n"),
        (
            "1/5",
            "7 videos in blocks of 2 make 4 blocks, not 5 parts; .*, or for all of them at most",
        ),
        ("1/8", "make 4 blocks, not 8 parts; use fewer parts$"),
    ],
)
def test_a_part_that_cannot_be_is_refused(dataset: Dataset, part: str, cause: str):
    with pytest.raises(BadInput, match=cause):
        dataset.shard(part, 2)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7])
def test_the_checkpoint_that_a_refused_part_is_told_of_is_the_largest_that_does(
    dataset: Dataset, count: int
):
    with pytest.raises(BadInput) as caught:
        dataset.shard(f"1/{count}", 256)
    most = int(caught.value.mend.split()[-1])
    assert dataset.shard(f"1/{count}", most).clips
    with pytest.raises(BadInput, match=f"not {count} parts"):
        dataset.shard(f"1/{count}", most + 1)


def test_datasets_are_joined_with_their_classes_united(
    dataset: Dataset, whole: Path, mini: Backbone, tmp_path: Path
):
    clips = tuple(dataclasses.replace(clip, label=1 - clip.label) for clip in dataset.clips[:5])
    other = dataclasses.replace(dataset, name="csv", classes=("c", "a"), clips=clips)
    extract(other, mini, tmp_path / "b.h5", OPTIONS)
    manifest = merge([whole, tmp_path / "b.h5"], tmp_path / "both.h5")
    both = FeatureCache(tmp_path / "both.h5")
    assert manifest.dataset == "folder+csv"
    assert manifest.classes == ("a", "b", "c")
    assert both.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 2]
    assert both.videos[0] == "folder/a/0.mp4"
    assert both.videos[7] == "csv/a/0.mp4"
    assert (both.regions(8) == FeatureCache(whole).regions(1)).all()
    assert verify(tmp_path / "both.h5").faults == ()
    third = dataclasses.replace(dataset, name="ucf101", split="test")
    extract(third, mini, tmp_path / "c.h5", OPTIONS)
    manifest = merge([tmp_path / "c.h5", tmp_path / "both.h5"], tmp_path / "three.h5")
    assert (manifest.dataset, manifest.split) == ("ucf101+folder+csv", "test+all")
    three = FeatureCache(tmp_path / "three.h5")
    assert three.videos == [f"ucf101/{clip.video}" for clip in dataset.clips] + both.videos
    for again in (whole, tmp_path / "b.h5"):
        with pytest.raises(BadInput, match=r"is in .*both\.h5 too; merge each video once"):
            merge([tmp_path / "both.h5", again], tmp_path / "twice.h5")


def test_caches_that_differ_in_what_is_made_anew_or_in_a_name_alone_are_merged(
    write_cache, manifest: CacheManifest, tmp_path: Path
):
    first = {"dataset": "a", "split": "train+test"}
    write_cache(tmp_path / "a.h5", manifest.model_copy(update=first))
    other = {"dataset": "b", "split": "test", "compression": "lz4"}  # and of a copy of the weights
    other |= {"backbone": "alt-mini/copy.pt", "pretrained": "copy.pt"}
    write_cache(tmp_path / "b.h5", manifest.model_copy(update=other))
    merged = merge([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "out.h5")
    assert (merged.compression, merged.backbone) == ("none", manifest.backbone)
    assert merged.split == "train+test"
    joined, second = FeatureCache(tmp_path / "out.h5"), FeatureCache(tmp_path / "b.h5")
    assert (joined.regions(5) == second.regions(2)).all()


@pytest.mark.parametrize(
    "fact",
    [
        {"fingerprint": "e" * 32},
        {"precision": "bfloat16"},
        {"dtype": "int8"},
        {"keep_regions": 4},
        {"views": "2x1"},
        {"sampling": "random"},
        {"seed": 1},
        {"augment": True},
        {"frames": 8},
        {"preprocess": PIXELS},
    ],
)
def test_caches_that_differ_in_what_decides_their_numbers_are_not_merged(
    write_cache, manifest: CacheManifest, tmp_path: Path, fact: dict[str, object]
):
    for name, facts in (("a", {}), ("b", fact)):
        write_cache(tmp_path / f"{name}.h5", manifest.model_copy(update={"dataset": name, **facts}))
    with pytest.raises(BadInput, match=rf"b\.h5: made with other .*a\.h5 \({next(iter(fact))}\b"):
        merge([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_a_clip_without_a_label_has_none_in_the_joined_cache(
    manifest: CacheManifest, tmp_path: Path
):
    for name, classes in (("a", ("x", "y")), ("b", ("y", "z"))):
        facts = {"dataset": name, "classes": classes, "clips": 2}
        writer = CacheWriter(tmp_path / f"{name}.h5", manifest.model_copy(update=facts))
        for label in (-1, 0):
            writer.append(Entry(f"{label}.mp4", label, "all", "failed", "broken"), None)
        writer.close()
    merge([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "out.h5")
    assert FeatureCache(tmp_path / "out.h5").labels.tolist() == [-1, 0, -1, 1]


def test_a_part_and_a_whole_are_not_joined(
    dataset: Dataset, manifest: CacheManifest, tmp_path: Path
):
    for number in (1, 2):
        write_part(tmp_path / f"{number}.h5", manifest, dataset.shard(f"{number}/2", 2))
    write_part(tmp_path / "whole.h5", manifest, dataset)
    parts = [tmp_path / "1.h5", tmp_path / "2.h5"]
    for paths, odd in (
        ([parts[0], tmp_path / "whole.h5"], "not given: 2/2; too much: a whole"),
        ([*parts, tmp_path / "whole.h5"], "too much: a whole"),
    ):
        with pytest.raises(BadInput, match=f"2 parts make the whole; {odd}; give each"):
            merge(paths, tmp_path / "out.h5")


def test_hdf5_is_written_where_no_signal_is_raised_and_a_stop_leaves_nothing(
    dataset: Dataset, manifest: CacheManifest, tmp_path: Path, monkeypatch
):
    for number in (1, 2):
        write_part(tmp_path / f"{number}.h5", manifest, dataset.shard(f"{number}/2", 2))
    parts, out = [tmp_path / "1.h5", tmp_path / "2.h5"], tmp_path / "out.h5"
    at = set()

    def noted(name: str) -> None:
        real = getattr(CacheWriter, name)

        def call(self, *arguments):
            at.add((name, threading.current_thread() is threading.main_thread()))
            return real(self, *arguments)

        monkeypatch.setattr(CacheWriter, name, call)

    for name in ("__init__", "append", "close", "abandon"):
        noted(name)

    def stop(self) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FeatureCache, "close", stop)
        with pytest.raises(KeyboardInterrupt):
            merge(parts, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.h5", "2.h5"]
    merge(parts, out)
    assert at == {(name, False) for name in ("__init__", "append", "close", "abandon")}


def test_a_file_that_comes_to_be_meanwhile_is_not_replaced(
    dataset: Dataset, manifest: CacheManifest, tmp_path: Path, monkeypatch
):
    for number in (1, 2):
        write_part(tmp_path / f"{number}.h5", manifest, dataset.shard(f"{number}/2", 2))
    out, closing = tmp_path / "out.h5", FeatureCache.close
    monkeypatch.setattr(FeatureCache, "close", lambda self: (out.write_text("mine"), closing(self)))
    with pytest.raises(BadInput, match=r"out\.h5: exists already"):
        merge([tmp_path / "1.h5", tmp_path / "2.h5"], out)
    assert out.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3  # no draft


def test_what_was_made_otherwise_is_not_merged(
    dataset: Dataset, whole: Path, mini: Backbone, tmp_path: Path
):
    options = dataclasses.replace(OPTIONS, merge=2)
    two = dataclasses.replace(dataset, clips=dataset.clips[:2])
    extract(two, mini, tmp_path / "b.h5", options)
    with pytest.raises(BadInput, match="merge 8, here 2"):
        merge([whole, tmp_path / "b.h5"], tmp_path / "out.h5")
    (tmp_path / "copy.h5").write_bytes(whole.read_bytes())
    with pytest.raises(BadInput, match=r"a/0.mp4 is in .* too"):
        merge([whole, tmp_path / "copy.h5"], tmp_path / "out.h5")
    with pytest.raises(BadInput, match=r"a/0.mp4 is in .* too"):
        merge([whole, whole], tmp_path / "out.h5")
    with pytest.raises(BadInput, match="exists already"):
        merge([whole, whole], tmp_path / "b.h5")
    with pytest.raises(BadInput, match="give two"):
        merge([whole], tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def flip(path: Path, what: bytes) -> None:
    """Change a bit in the first of these bytes, where they are in the file."""
    raw = bytearray(path.read_bytes())
    raw[raw.index(what)] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("facts", [{}, {"compression": "lz4"}, {"compression": "zstd"}])
@pytest.mark.parametrize("row", [0, 2])
def test_a_damaged_cache_is_neither_merged_nor_exported(
    write_cache, manifest: CacheManifest, tmp_path: Path, facts: dict, row: int
):
    for name in ("a", "b"):
        write_cache(tmp_path / f"{name}.h5", manifest.model_copy(update={"dataset": name, **facts}))
    damaged = tmp_path / "b.h5"
    with h5py.File(damaged) as file:
        chunk = file["regions"].id.read_direct_chunk((row, 0, 0, 0))[1]
    flip(damaged, chunk[20:])
    assert verify(damaged).faults
    with pytest.raises(BadInput, match=r"b\.h5: is damaged .*; make it again with alt-extract"):
        merge([tmp_path / "a.h5", damaged], tmp_path / "out.h5")
    for form in ("npy", "webdataset"):
        with pytest.raises(BadInput, match=r"b\.h5: is damaged"):
            export(FeatureCache(damaged), tmp_path / "out", form)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_damaged_words_are_neither_merged_nor_exported(
    write_cache, manifest: CacheManifest, tmp_path: Path
):
    pytest.importorskip("pyarrow", reason="needs pyarrow (the extra parquet)")
    for name in ("a", "b", "c"):
        write_cache(tmp_path / f"{name}.h5", manifest.model_copy(update={"dataset": name}))
    flip(tmp_path / "b.h5", b"/2.mp4")
    with h5py.File(tmp_path / "c.h5", "r+") as file:
        file["label"][0] = 7
    for name in ("b", "c"):
        with pytest.raises(BadInput, match=rf"{name}\.h5: is damaged"):
            merge([tmp_path / "a.h5", tmp_path / f"{name}.h5"], tmp_path / "out.h5")
    with pytest.raises(BadInput, match=r"b\.h5: is damaged"):
        export(FeatureCache(tmp_path / "b.h5"), tmp_path / "out", "parquet")
    assert not list(tmp_path.glob("*out*"))


def test_a_cache_of_another_writer_that_has_no_hash_is_merged(
    write_cache, manifest: CacheManifest, tmp_path: Path
):
    for name in ("a", "b"):
        write_cache(tmp_path / f"{name}.h5", manifest.model_copy(update={"dataset": name}))
    with h5py.File(tmp_path / "b.h5", "r+") as file:
        del file.attrs["content_hash"]
    assert merge([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "out.h5").clips == 6
    assert FeatureCache(tmp_path / "out.h5").videos[3] == "b/a/0.mp4"


def test_a_merge_that_fills_the_disk_promises_no_more_than_it_keeps(
    write_cache, manifest: CacheManifest, tmp_path: Path, monkeypatch
):
    for name in ("a", "b"):
        facts = {"dataset": name}
        write_cache(tmp_path / f"{name}.h5", manifest.model_copy(update=facts))

    def full(*row):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CacheWriter, "append", full)
    with pytest.raises(RunFailed, match=r"out.h5: cannot be written .*run the same command again$"):
        merge([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()
