"""One shard's file: what was written is read again, or the shard is none."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.errors import BadInput
from extract.manifest import CacheManifest
from extract.raw import read_arrays
from extract.rows import Entry, Features, row_digest
from extract.shard import Shard, ShardWriter
from extract.store import CacheWriter, FeatureCache
from tests.extract.conftest import random_features

FAILED = Entry("b/ü.mp4", -1, "train", "failed", 'no "video" stream')


def written(path: Path, manifest: CacheManifest) -> list[tuple[Entry, Features | None]]:
    rows: list[tuple[Entry, Features | None]] = [(FAILED, None)]
    rows += [
        (Entry(f"a/{seed}.mp4", seed, "train", "ok", "a note"), random_features(manifest, seed)[0])
        for seed in range(2)
    ]
    writer = ShardWriter(path)
    for row in rows:
        writer.append(*row)
    assert writer.close() == 2
    return rows


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_rows_are_read_as_they_were_written(tmp_path: Path, manifest: CacheManifest, dtype: str):
    manifest = manifest.model_copy(update={"dtype": dtype})
    rows = written(tmp_path / "a.shard", manifest)
    shard = Shard(tmp_path / "a.shard")
    assert shard.entries == [entry for entry, _ in rows]
    for (entry, features), (found, read, digest) in zip(rows, shard.rows(manifest), strict=True):
        assert (entry, row_digest(entry, features)) == (found, digest)
        assert (features is None) == (read is None)
        if features is not None and read is not None:
            for tensor, other in zip(features.tensors(), read.tensors(), strict=True):
                assert tensor.dtype == other.dtype
                np.testing.assert_array_equal(tensor, other)


def little_by_little(monkeypatch) -> None:
    """Let the system give no more than a thousand bytes at once, as it gives 2 GiB of many."""
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, views, at: whole(file, [views[0][:1000]], at))


def test_a_row_is_read_whole_however_little_the_system_gives_at_once(
    tmp_path: Path, manifest: CacheManifest, monkeypatch
):
    rows = written(tmp_path / "a.shard", manifest)
    writer = CacheWriter(tmp_path / "a.h5", manifest.model_copy(update={"clips": len(rows)}))
    for row in rows:
        writer.append(*row)
    writer.close()
    little_by_little(monkeypatch)
    expected = [row_digest(*row) for row in rows]
    shard, cache = Shard(tmp_path / "a.shard"), FeatureCache(tmp_path / "a.h5")
    assert [row_digest(*row[:2]) for row in shard.rows(manifest)] == expected
    assert [row_digest(cache.entry(i), cache.features(i)) for i in range(3)] == expected
    assert np.array_equal(cache.regions(2), rows[2][1].regions.astype(np.float32))


def test_arrays_beyond_the_end_of_a_file_are_not_there(tmp_path: Path, monkeypatch):
    (tmp_path / "a").write_bytes(bytes(range(200)) * 20)
    little_by_little(monkeypatch)
    parts = [np.zeros(1500, np.uint8), np.zeros((0, 3)), np.zeros((2, 600), np.int8)]
    with (tmp_path / "a").open("rb") as file:
        assert read_arrays(file.fileno(), parts, 100) == 2800
        assert [part[0] for part in (parts[0], parts[2].ravel().view(np.uint8))] == [100, 0]
        with pytest.raises(OSError, match="truncated"):
            read_arrays(file.fileno(), parts, 1400)


def test_a_row_s_digest_changes_with_each_of_its_words_and_tensors(manifest: CacheManifest):
    manifest = manifest.model_copy(update={"dtype": "int8"})
    entry, (features, _) = Entry("a.mp4", 0, "train", "ok", "a note"), random_features(manifest, 0)
    words = {"video": "b.mp4", "label": 1, "split": "test", "status": "failed", "error": ""}
    digests = {row_digest(entry, features), row_digest(entry, None)}
    for name, word in words.items():
        digests.add(row_digest(replace(entry, **{name: word}), features))
    for tensor in features.tensors():
        tensor.flat[-1] += 1
        digests.add(row_digest(entry, features))
    assert len(digests) == 2 + 5 + 5


def test_a_shard_of_no_rows_is_one(tmp_path: Path, manifest: CacheManifest):
    assert ShardWriter(tmp_path / "a.shard").close() == 0
    assert list(Shard(tmp_path / "a.shard").rows(manifest)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_unless_it_changes_no_row(
    tmp_path: Path, manifest: CacheManifest, place: int, bit: int
):
    path = tmp_path / "a.shard"
    rows = written(path, manifest)
    stored = bytearray(path.read_bytes())
    stored[place % len(stored)] ^= 1 << bit
    path.write_bytes(stored)
    try:
        read = list(Shard(path).rows(manifest))
    except BadInput:
        return
    # As where a digest's "a" becomes an "A", beyond the tensors.
    assert [digest for *_, digest in read] == [row_digest(*row) for row in rows]
    assert [row_digest(*row[:2]) for row in read] == [row_digest(*row) for row in rows]
    assert place % len(stored) > sum(map(_bytes, rows))


def _bytes(row: tuple[Entry, Features | None]) -> int:
    return sum(tensor.nbytes for tensor in row[1].tensors()) if row[1] else 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(left=st.integers(0))
def test_one_that_was_cut_short_is_none(tmp_path: Path, manifest: CacheManifest, left: int):
    path = tmp_path / "a.shard"
    written(path, manifest)
    stored = path.read_bytes()
    path.write_bytes(stored[: left % len(stored)])
    with pytest.raises(BadInput, match=r"a.shard: is no whole shard; remove it, and run again"):
        Shard(path)


def test_what_takes_few_bytes_at_a_time_gets_all(
    tmp_path: Path, manifest: CacheManifest, monkeypatch
):
    import os

    whole = written(tmp_path / "a.shard", manifest)
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda file, views: real(file, [views[0][:7]]))
    assert written(tmp_path / "b.shard", manifest)[0] == whole[0]
    assert (tmp_path / "b.shard").read_bytes() == (tmp_path / "a.shard").read_bytes()
