import json
import sys
from pathlib import Path

import numpy as np
import pytest

from extract.features_cli import main
from extract.store import CacheManifest, CacheWriter, Entry, Features, PreprocessFacts


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    manifest = CacheManifest(
        dataset="folder", split="all", classes=("x", "[bold]y"), clips=2, backbone="m/p",
        model="m", pretrained="p", fingerprint="f", random_weights=False, merge=1, frames=1,
        views="1x1", sampling="centre", seed=0, precision="float32", dtype="float16",
        preprocess=PreprocessFacts(
            size=(8, 8), mean=(0, 0, 0), std=(1, 1, 1), interpolation="bicubic",
            resize_mode="shortest",
        ),
        compression="none", dim=3, regions=2, patches=2, grid=(1, 2),
    )  # fmt: skip
    writer = CacheWriter(tmp_path / "feats.h5", manifest)
    features = Features(
        np.ones((1, 2, 3), np.float16),
        np.array([[1, 2]], np.uint16),
        np.array([[1, 1]], np.uint8),
        np.zeros(1, np.float32),
    )
    writer.append(Entry("x/[red]a.mp4", 0, "all", "ok"), features)
    writer.append(Entry("b.mp4", 1, "all", "failed", "no video stream"), None)
    writer.close()
    return tmp_path / "feats.h5"


@pytest.fixture
def alt_features(monkeypatch, capsys):
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["alt-features", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        streams = capsys.readouterr()
        return int(ended.value.code or 0), streams.out, streams.err

    return call


def test_info_says_what_the_cache_holds_and_what_made_it(cache: Path, alt_features):
    code, out, _ = alt_features("info", str(cache), "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["clips"], facts["failed"], facts["classes"]) == (2, 1, ["x", "[bold]y"])
    assert facts["failures"] == [{"video": "b.mp4", "reason": "no video stream"}]
    assert len(facts["content_hash"]) == 64
    code, out, _ = alt_features("info", str(cache))
    assert code == 0
    assert "[bold]y" in out
    assert "b.mp4: no video stream" in out


def test_verify_passes_a_sound_cache_and_fails_a_changed_one(cache: Path, alt_features):
    named = cache.with_name(
        "a cache [b]of a name that would not stand on a line of eighty columns.h5"
    )
    named.write_bytes(cache.read_bytes())
    code, out, _ = alt_features("verify", str(named))
    assert code == 0
    assert f"{named}: sound, " in out
    code, out, _ = alt_features("verify", str(cache), "--json")
    assert (code, json.loads(out)[str(cache)]) == (0, {"sound": True, "faults": []})
    raw = bytearray(cache.read_bytes())
    place = raw.index(np.ones(6, np.float16).tobytes())
    raw[place] ^= 1
    cache.write_bytes(raw)
    code, _, err = alt_features("verify", str(cache))
    assert code == 1
    assert "bytes have changed" in err
    assert "content_hash is" in err
    code, out, _ = alt_features("verify", str(cache), "--json")
    assert code == 1
    assert len(json.loads(out)[str(cache)]["faults"]) == 2


@pytest.mark.parametrize("command", ["info", "verify"])
def test_what_is_no_cache_is_one_line_and_exit_2(tmp_path: Path, alt_features, command: str):
    (tmp_path / "a.h5").write_text("hello")
    for name, cause in (("a.h5", "not an HDF5 file"), ("b.h5", "no such feature cache")):
        code, out, err = alt_features(command, str(tmp_path / name))
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert f"{name}: {cause}" in err


def test_export_and_merge_are_commands_too(cache: Path, tmp_path: Path, alt_features):
    code, _, _ = alt_features("export", str(cache), "--out", str(tmp_path / "out"))
    assert code == 0
    assert np.load(tmp_path / "out/regions.npy").shape == (2, 1, 2, 3)
    copy = tmp_path / "copy.h5"
    copy.write_bytes(cache.read_bytes())
    code, _, err = alt_features("merge", str(cache), str(copy), "--out", str(tmp_path / "m.h5"))
    assert code == 2
    assert "is in" in err
