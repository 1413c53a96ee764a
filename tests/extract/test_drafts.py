"""A file of rows has its name once all of it is on the disk, and not before."""

from functools import partial
from pathlib import Path

import pytest

from extract.drafts import Draft
from extract.manifest import CacheManifest
from extract.rows import Entry
from extract.shard import ShardWriter
from extract.writer import CacheWriter

ROW = (Entry("a.mp4", 0, "all", "failed", "no video stream"), None)


@pytest.mark.parametrize("kind", ["shard", "cache"])
def test_all_is_on_the_disk_before_it_has_its_name_and_then_the_name_is(
    tmp_path: Path, manifest: CacheManifest, synced: list[tuple[str, bytes]], kind: str
):
    one = manifest.model_copy(update={"clips": 1})
    writer = ShardWriter if kind == "shard" else partial(CacheWriter, manifest=one)
    draft = Draft(tmp_path / "a", tmp_path / "draft", writer, tmp_path / "a")
    draft.fill([ROW])
    draft.finish()
    (_, content), *then = synced
    assert content == (tmp_path / "a").read_bytes()
    assert then == [("named", b""), (tmp_path.name, b"")]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path):
    def broken():
        yield ROW
        raise KeyboardInterrupt

    draft = Draft(tmp_path / "a", tmp_path / "draft", ShardWriter, tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        draft.fill(broken())
    assert list(tmp_path.iterdir()) == []
