import json
import sys
from pathlib import Path

import numpy as np
import pytest

from corpus.preprocess import Preprocess
from extract.features_cli import main
from extract.store import CacheManifest, CacheWriter, Entry, FeatureCache, Features


def write(
    path: Path,
    clips: int,
    failed: list[tuple[str, str]],
    classes: tuple[str, ...] = ("x", "[bold]y"),
    dataset: str = "folder",
) -> Path:
    """A cache whose last rows failed: which, and why."""
    manifest = CacheManifest(
        dataset=dataset, split="all", classes=classes, clips=clips, backbone="m/p",
        model="m", pretrained="p", fingerprint="f", random_weights=False, merge=1, frames=1,
        views="1x1", sampling="centre", seed=0, precision="float32", dtype="float16",
        preprocess=Preprocess(
            size=(8, 8), mean=(0, 0, 0), std=(1, 1, 1), interpolation="bicubic",
            resize_mode="shortest",
        ),
        compression="none", dim=3, regions=2, patches=2, grid=(1, 2),
    )  # fmt: skip
    writer = CacheWriter(path, manifest)
    features = Features(
        np.ones((1, 2, 3), np.float16),
        np.array([[1, 2]], np.uint16),
        np.array([[1, 1]], np.uint8),
        np.zeros(1, np.float32),
    )
    for _ in range(clips - len(failed)):
        writer.append(Entry("x/[red]a.mp4", 0, "all", "ok"), features)
    for video, why in failed:
        writer.append(Entry(video, 1, "all", "failed", why), None)
    writer.close()
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return write(tmp_path / "feats.h5", 2, [("b.mp4", "no video stream")])


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
    assert "classes        2: x, [bold]y\n" in out  # all of them, so with no dots behind
    assert "b.mp4: no video stream" in out


def test_info_names_the_first_classes_of_many(tmp_path: Path, alt_features):
    cache = write(tmp_path / "a.h5", 1, [], classes=tuple("abcdefgh"))
    assert "8: a, b, c, d, e, f …\n" in alt_features("info", str(cache))[1]


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


@pytest.mark.parametrize(("command", "status"), [("info", 2), ("verify", 1)])
def test_what_is_no_cache_is_one_line(tmp_path: Path, alt_features, command: str, status: int):
    (tmp_path / "a.h5").write_text("hello")
    for name, cause in (("a.h5", "not an HDF5 file"), ("b.h5", "no such feature cache")):
        code, out, err = alt_features(command, str(tmp_path / name))
        assert (code, out, len(err.splitlines())) == (status, "", 1)
        assert f"{name}: {cause}" in err


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_verified(cache: Path, alt_features):
    cut = cache.with_name("cut.h5")
    cut.write_bytes(cache.read_bytes()[:-100])
    code, out, err = alt_features("verify", str(cut), str(cache))
    assert (code, out) == (1, f"{cache}: sound, 2 clips, 1 failed\n")
    assert err.startswith(f"fault: {cut}: truncated, so not a feature cache; make it again")
    code, out, _ = alt_features("verify", str(cut), str(cache), "--json")
    assert (code, [row["sound"] for row in json.loads(out).values()]) == (1, [False, True])
    sick = "/proc/self/mem"  # whose first bytes are an error, as those of a bad sector are
    code, out, err = alt_features("verify", sick, str(cache))
    assert (code, out) == (1, f"{cache}: sound, 2 clips, 1 failed\n")
    assert err.startswith(f"fault: {sick}: cannot be read ([Errno 5] Input/output error); see to")


def test_what_info_says_is_neither_cut_nor_left_out(tmp_path: Path, alt_features):
    failed = [f"a folder of a long name/{index}.mp4" for index in range(25)]
    why = "a reason that would not stand on a line of eighty columns, as some do"
    path = write(tmp_path / "a.h5", len(failed), [(video, why) for video in failed])
    code, out, _ = alt_features("info", str(path))
    assert code == 0
    assert [line.strip().removeprefix("failures").strip() for line in out.splitlines()[-25:]] == [
        f"{video}: {why}" for video in failed
    ]
    digest = json.loads(alt_features("info", str(path), "--json")[1])["content_hash"]
    assert any(line.split() == ["content_hash", digest] for line in out.splitlines())


def test_verify_says_how_many_faults_it_does_not_print(tmp_path: Path, alt_features):
    path = write(tmp_path / "a.h5", 25, [(f"{index}.mp4", "") for index in range(25)])
    code, _, err = alt_features("verify", str(path))
    assert code == 1
    assert len(err.splitlines()) == 21
    assert err.endswith("a.h5: and 5 more, which --json lists\n")


def test_export_is_a_command_too(cache: Path, tmp_path: Path, alt_features):
    code, out, _ = alt_features("export", str(cache), "--out", str(tmp_path / "out"))
    assert (code, out) == (0, f"{tmp_path / 'out'}: 1 clip as npy\n")
    assert np.load(tmp_path / "out/regions.npy").shape == (2, 1, 2, 3)
    again = tmp_path / "again"
    code, out, _ = alt_features("export", str(cache), "--out", str(again), "--json")
    assert (code, json.loads(out)) == (0, {"path": str(again), "format": "npy", "clips": 1})
    tar = ("export", str(cache), "--out", str(tmp_path / "tar"), "--format", "webdataset")
    assert alt_features(*tar)[1] == f"{tmp_path / 'tar'}: 1 clip as webdataset\n"
    assert list((tmp_path / "tar").glob("*.tar"))


def test_merge_is_a_command_too(cache: Path, tmp_path: Path, alt_features):
    other, both = write(tmp_path / "other.h5", 1, [], dataset="other"), tmp_path / "both.h5"
    merge = ("merge", str(cache), str(other), "--out")
    code, out, _ = alt_features(*merge, str(both))
    assert (code, out) == (0, f"{both}: 3 clips, 1 failed\n")
    merged = FeatureCache(both)
    assert merged.videos == ["folder/x/[red]a.mp4", "folder/b.mp4", "other/x/[red]a.mp4"]
    code, out, _ = alt_features(*merge, str(tmp_path / "again.h5"), "--json")
    assert json.loads(out)["content_hash"] == merged.manifest.content_hash
    code, _, err = alt_features("merge", str(cache), str(cache), "--out", str(tmp_path / "m.h5"))
    assert code == 2
    assert "is in" in err
