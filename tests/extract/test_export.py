import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from corpus.errors import BadInput
from extract import export as export_module
from extract.export import export
from extract.manifest import CacheManifest
from extract.rows import Entry
from extract.store import FeatureCache
from extract.writer import CacheWriter


def test_export_to_npy_is_the_cache_as_arrays(whole: Path, tmp_path: Path):
    cache = FeatureCache(whole)
    assert export(cache, tmp_path / "out", "npy") == 6
    regions = np.load(tmp_path / "out/regions.npy", mmap_mode="r")
    assert regions.dtype == np.float16
    assert regions.shape == (7, 4, cache.manifest.regions, cache.manifest.dim)
    for index in range(7):
        assert (regions[index] == cache.regions(index)).all()
    assert np.load(tmp_path / "out/label.npy").tolist() == cache.labels.tolist()
    words = [json.loads(line) for line in (tmp_path / "out/clips.jsonl").open()]
    assert [row["video"] for row in words] == cache.videos
    assert words[2]["status"] == "failed"
    assert words[0]["class"] == "archery"
    facts = json.loads((tmp_path / "out/manifest.json").read_text())
    assert facts["content_hash"] == cache.manifest.content_hash


@pytest.mark.parametrize("form", export_module.FORMATS)
def test_each_row_is_told_of_as_it_is_exported(whole: Path, tmp_path: Path, form: str):
    told: list[tuple[int, int]] = []
    export(FeatureCache(whole), tmp_path / "out", form, lambda *rows: told.append(rows))
    assert told == [(row, 7) for row in range(8)]


def test_export_to_webdataset_is_the_same_bytes_twice(whole: Path, tmp_path: Path):
    cache = FeatureCache(whole)
    for name in ("one", "two"):
        export(cache, tmp_path / name, "webdataset")
    first, second = (tmp_path / name / "clips-000000.tar" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        content = {member.name: tar.extractfile(member).read() for member in tar}
    assert json.loads(content["00000002.json"])["error"] == cache.errors[2]
    assert "00000002.regions.npy" not in content
    regions = np.load(io.BytesIO(content["00000003.regions.npy"]))
    assert (regions == cache.regions(3)).all()


def test_export_to_parquet_is_the_cache_as_a_table(write_cache, manifest, tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow (the extra parquet)")
    write_cache(tmp_path / "a.h5", manifest.model_copy(update={"dtype": "int8", "clips": 45}))
    cache = FeatureCache(tmp_path / "a.h5")
    assert export(cache, tmp_path / "out", "parquet") == 44
    table = parquet.read_table(tmp_path / "out")  # the manifest beside it is no part of it
    facts = json.loads((tmp_path / "out/_manifest.json").read_text())
    assert facts["content_hash"] == cache.manifest.content_hash
    assert table.column("video").to_pylist() == cache.videos
    assert table.column("class")[0].as_py() == "archery"
    assert table.column("error")[1].as_py() == "no video stream"
    assert table.column("row").to_pylist() == list(range(45))
    for index in (0, 30, 44):
        features = cache.features(index)
        for name, value in vars(features).items():
            stored = table.column(name)[index].to_numpy()
            assert (stored.dtype, stored.shape) == (value.dtype, value.shape)
            assert (stored == value).all()
    assert table.column("regions")[1].as_py() is None


@pytest.fixture
def many(write_cache, manifest: CacheManifest, tmp_path: Path, monkeypatch) -> FeatureCache:
    """A cache of more clips than a file is to hold, and those more than a group of rows."""
    monkeypatch.setattr(export_module, "_CLIPS_PER_FILE", 20)
    monkeypatch.setattr(export_module, "_CLIPS_PER_ROW_GROUP", 8)
    write_cache(tmp_path / "a.h5", manifest.model_copy(update={"clips": 45}))
    return FeatureCache(tmp_path / "a.h5")


def test_an_export_to_webdataset_has_so_many_clips_to_a_file(many: FeatureCache, tmp_path: Path):
    export(many, tmp_path / "out", "webdataset")
    found = []
    for path in sorted((tmp_path / "out").glob("*.tar")):
        with tarfile.open(path) as tar:
            found.append([name for name in tar.getnames() if name.endswith(".json")])
    assert [len(names) for names in found] == [20, 20, 5]
    assert [*found[0], *found[1], *found[2]] == [f"{row:08d}.json" for row in range(45)]


def test_an_export_to_parquet_has_so_many_clips_to_a_file(many: FeatureCache, tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow (the extra parquet)")
    export(many, tmp_path / "out", "parquet")
    files = [parquet.ParquetFile(path) for path in sorted((tmp_path / "out").glob("*.parquet"))]
    groups = [
        [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] for file in files
    ]
    assert groups == [[8, 8, 4], [8, 8, 4], [5]]
    rows = [row for file in files for row in file.read(["row"]).column("row").to_pylist()]
    assert rows == list(range(45))


def test_a_clip_without_a_label_has_no_class_in_an_export(manifest: CacheManifest, tmp_path: Path):
    writer = CacheWriter(tmp_path / "a.h5", manifest.model_copy(update={"clips": 2}))
    for label in (0, -1):
        writer.append(Entry(f"{label}.mp4", label, "test", "failed", "broken"), None)
    writer.close()
    export(FeatureCache(tmp_path / "a.h5"), tmp_path / "out", "npy")
    words = [json.loads(line) for line in (tmp_path / "out/clips.jsonl").open()]
    assert [(row["label"], row["class"]) for row in words] == [(0, "archery"), (-1, None)]


def test_parquet_without_pyarrow_names_what_to_install(whole: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"pyarrow is not installed; .*alt-video\[parquet\]"):
        export(FeatureCache(whole), tmp_path / "out", "parquet")
    assert not (tmp_path / "out").exists()


def test_an_export_overwrites_nothing(whole: Path, tmp_path: Path):
    with pytest.raises(BadInput, match="exists already"):
        export(FeatureCache(whole), tmp_path, "npy")
    with pytest.raises(BadInput, match="use npy, parquet, webdataset"):
        export(FeatureCache(whole), tmp_path / "out", "csv")


def test_an_export_to_npy_that_fills_the_disk_is_one_line(
    write_cache, manifest: CacheManifest, tmp_path: Path
):
    write_cache(tmp_path / "a.h5", manifest.model_copy(update={"clips": 100, "dim": 60}))
    (tmp_path / "disk").mkdir()
    mount = f"mount -t tmpfs -o size=100k none {tmp_path / 'disk'}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("needs a small disk, and may mount none")
    command = f"{sys.executable} -m extract.features_cli export {tmp_path / 'a.h5'}"
    script = f"{mount} && exec {command} --out {tmp_path / 'disk/out'}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    said = "disk/out: cannot be written (No space left on device); free some space, then run the"
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"{said} same command again\n" in done.stderr
