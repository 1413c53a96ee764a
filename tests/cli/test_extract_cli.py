import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from corpus.errors import BadInput
from extract.cli import main
from extract.options import Options
from extract.store import FeatureCache
from extract.verify import verify

MINI = ["--model", "alt-mini", "--pretrained", "none", "--frames", "4", "--checkpoint", "4"]


def command(root: Path, out: Path, *more: str) -> list[str]:
    base = ["--dataset", "folder", "--root", str(root), "--out", str(out)]
    return [sys.executable, "-m", "extract.cli", *base, *MINI, *more]


# Small models lose more to threads that wait for each other than they gain.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def alt_extract(root: Path, out: Path, *more: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(root, out, *more),
        capture_output=True,
        text=True,
        timeout=200,
        env=ENVIRONMENT,
        **options,
    )


def here(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    """Run the command's own main in this process, which saves its imports."""
    monkeypatch.setattr(sys, "argv", ["alt-extract", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    streams = capsys.readouterr()
    return int(ended.value.code or 0), streams.out, streams.err


@pytest.fixture(scope="module")
def videos(tmp_path_factory, make_clip) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for index in range(14):
        make_clip(root / f"{'ab'[index % 2]}/{index:02d}.mp4", frames=6 + index, seed=index)
    (root / "a/04.mp4").write_bytes(b"not a video")
    (root / "a/notes[b].txt").write_text("hello")
    return root


@pytest.fixture(scope="module")
def whole(videos: Path, tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    out = tmp_path_factory.mktemp("whole") / "feats.h5"
    return out, alt_extract(videos, out, "--json", "--workers", "1")


def test_alt_extract_makes_a_sound_cache_and_reports(whole):
    out, done = whole
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["clips"], report["ok"]) == (14, 13)
    assert report["failed"][0]["video"] == "a/04.mp4"
    assert "not a video that can be opened" in report["failed"][0]["reason"]
    assert "RANDOM weights" in done.stderr
    assert "1 file is no video: a/notes[b].txt" in done.stderr
    assert "Traceback" not in done.stderr
    assert verify(out).faults == ()


def struck(name: str, root: Path, out: Path, *more: str) -> subprocess.CompletedProcess:
    """Run alt-extract; as soon as its first shard is whole, a signal meets it and its workers."""
    program = textwrap.dedent(f"""
        import os, signal
        from extract.cli import main

        replace = os.replace
        def replace_and_strike(source, target):
            replace(source, target)
            if os.path.basename(target).startswith("0"):
                os.killpg(0, signal.{name})
        os.replace = replace_and_strike
        main()
    """)
    arguments = command(root, out, *more)[3:]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        timeout=200,
        start_new_session=True,
        env=ENVIRONMENT,
    )


def test_a_killed_run_goes_on_to_an_identical_file(whole, videos: Path, tmp_path: Path):
    out = tmp_path / "feats.h5"
    assert struck("SIGKILL", videos, out, "--workers", "2").returncode == -signal.SIGKILL
    assert not out.exists()
    assert len(list((tmp_path / "feats.h5.shards").glob("0*.shard"))) == 1
    done = alt_extract(videos, out, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "from before" in done.stdout
    assert out.read_bytes() == whole[0].read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["feats.h5"]


@pytest.mark.parametrize("wish", ["SIGINT", "SIGTERM"])
def test_being_stopped_keeps_the_finished_shards_and_says_so(wish, videos: Path, tmp_path: Path):
    done = struck(wish, videos, tmp_path / "feats.h5")
    assert done.returncode == 128 + signal.Signals[wish]
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "feats.h5.shards").glob("0*.shard"))
    assert not (tmp_path / "feats.h5").exists()


def test_a_disk_that_fills_up_is_one_line(videos: Path, tmp_path: Path):
    # A limit on the size of files is a disk that fills up, without a disk to fill.
    def small() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = alt_extract(videos, tmp_path / "feats.h5", preexec_fn=small)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "feats.h5: cannot be written" in errors[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "feats.h5").exists()


def test_every_odd_file_is_decoded_right_or_is_a_failed_row(shared: Path, tmp_path: Path):
    done = alt_extract(shared / "clips/odd", tmp_path / "odd.h5", "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert report["failed"] == []  # PyAV takes what decord refuses
    assert report["noted"] == [
        {"video": "corrupted.mp4", "note": "2 damaged frames passed over, 48 good ones"}
    ]
    cache = FeatureCache(tmp_path / "odd.h5")
    assert len(cache) == 17
    assert set(cache.labels.tolist()) == {-1}
    assert verify(tmp_path / "odd.h5").faults == ()


def test_help_is_quick_to_start_and_names_every_option():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "extract.cli", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0
    for option in ("--dataset", "--root", "--split", "--out", "--frames", "--views", "--merge"):
        assert option in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "extract" in imported
    assert not {"torch", "open_clip"} & imported  # they take seconds


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dataset", "folder", "--root", "{tmp}/no"], "{tmp}/no: no such folder;"),
        (["--dataset", "folder", "--root", "{tmp}/empty"], "{tmp}/empty: empty folder;"),
        (["--dataset", "imagenet", "--root", "{tmp}"], "--dataset imagenet: no such dataset;"),
        (["--labels", "{tmp}/twice.txt"], "{tmp}/twice.txt: labels 1 and 3 are the same"),
        (["--labels", "{tmp}/one.txt"], "the class 'b' is not among the 1 label of"),
        (["--model", "ViT-Q-99"], "--model ViT-Q-99: open_clip knows no such model;"),
        (["--model", "RN50"], "--model RN50: its image tower is a ModifiedResNet"),
        (["--train-views", "2", "--views", "2x1"], "--train-views: given together with --views;"),
        (["--train-views", "2", "--sampling", "centre"], "given together with --sampling;"),
        (["--split", "../b"], "--split ../b: '../b' is not a path under {root};"),
        (["--seed", "-1"], "--seed -1: cannot be negative, nor as large; use"),
        (["--timeout", "inf"], "--timeout inf: not above 0 and at most 86400; use 86400, a day"),
        (["--timeout", "1e12"], "--timeout 1e+12: not above 0 and at most 86400;"),
        (["--engine", "spark"], "--engine spark: unknown; use local or ray"),
        (["--shard", "1/2"], "14 videos in blocks of 256 make 1 block, not 2 parts;"),
        (["--views", "2x2"], "--views 2x2: there are 1 or 3 spatial views; use 2x1 or 2x3"),
        (["--device", "cuda:7"], "--device cuda:7: cannot be used"),
        (["--device", "hpu"], "--device hpu: cannot be used"),
        (["--device", "meta"], "--device meta: cannot be used"),
        (["--out", "{tmp}"], "{tmp}: is a folder;"),
        (["--out", "{tmp}/one.txt"], "{tmp}/one.txt: exists, and is no feature cache; choose"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    videos: Path, tmp_path: Path, monkeypatch, capsys, arguments: list[str], said: str
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "twice.txt").write_text("a\nb\na\n")
    (tmp_path / "one.txt").write_text("a\n")
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    base = {
        "--dataset": "folder",
        "--root": str(videos),
        "--out": str(tmp_path / "feats.h5"),
        "--model": "alt-mini",
        "--pretrained": "none",
    }
    base |= dict(zip(given[::2], given[1::2], strict=True))
    code, out, err = here(monkeypatch, capsys, *(word for pair in base.items() for word in pair))
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert (code, out, len(errors)) == (2, "", 1)
    assert said.format(tmp=tmp_path, root=videos) in errors[0]
    assert not (tmp_path / "feats.h5").exists()
    assert not (tmp_path / "feats.h5.shards").exists()


def test_what_is_asked_for_is_what_is_extracted(videos: Path, tmp_path: Path, monkeypatch, capsys):
    asked = []

    def extract(data, backbone, target, options, *, overwrite, **_):
        asked.append((data, target, options, overwrite))
        raise BadInput("data", "is known", "go no further")

    monkeypatch.setattr("extract.retry.extract", extract)  # first: it takes what is there
    monkeypatch.setattr("extract.run.extract", extract)
    out = str(tmp_path / "feats.h5")
    given = ["--dataset", "folder", "--root", str(videos), "--out", out, *MINI]
    here(monkeypatch, capsys, *given, "--views", "2x3", "--sampling", "random")
    given += ["--train-views", "2", "--merge", "40", "--keep-regions", "3", "--dtype", "int8"]
    given += ["--compression", "lz4", "--seed", "7", "--decoder", "pyav", "--batch", "5"]
    given += ["--limit", "6", "--shard", "2/2", "--overwrite"]
    code, _, said = here(monkeypatch, capsys, *given)
    assert code == 2
    assert "--merge 40 leaves" in said
    (data, _, plain, fresh), (part, target, options, anew) = asked
    assert plain == Options(frames=4, views="2x3", sampling="random", checkpoint=4)
    assert (len(data.clips), fresh, anew, str(target)) == (14, False, True, out)
    assert (part.part, part.clips) == ("2/2", data.clips[4:6])
    assert options == Options(
        frames=4,
        views="2x1",
        merge=40,
        keep_regions=3,
        dtype="int8",
        compression="lz4",
        sampling="random",
        seed=7,
        augment=True,
        batch=5,
        decoder="pyav",
        checkpoint=4,
    )


def test_failed_videos_are_tried_again_when_asked(
    videos: Path, tmp_path: Path, monkeypatch, capsys
):
    for name in ("a/00.mp4", "a/02.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((videos / name).read_bytes())
    whole = (tmp_path / "a/02.mp4").read_bytes()
    (tmp_path / "a/02.mp4").write_bytes(b"half a copy")
    out = str(tmp_path / "feats.h5")
    base = ["--dataset", "folder", "--root", str(tmp_path), "--out", out, *MINI, "--workers", "1"]
    code, said, shown = here(monkeypatch, capsys, *base)
    assert (code, "feats.h5: 2 videos, 1 failed" in said) == (0, True)
    assert "\nextract " in shown
    (tmp_path / "a/02.mp4").write_bytes(whole)
    code, said, shown = here(monkeypatch, capsys, *base)
    assert "\nextract " not in shown  # no bar for what was there
    assert (code, "--retry-failed tries failed videos again" in said) == (0, True)
    assert "feats.h5: 2 videos (2 from before), 1 failed" in said
    code, said, _ = here(monkeypatch, capsys, *base, "--retry-failed", "--json")
    assert (code, json.loads(said)["ok"], json.loads(said)["failed"]) == (0, 2, [])
    code, _, err = here(monkeypatch, capsys, *base, "--retry-failed", "--overwrite")
    assert code == 2
    assert "--retry-failed: given together with --overwrite;" in err
    (tmp_path / "list.csv").write_text("a/00.mp4,a\na/gone.mp4,a\n")
    listed = ["--dataset", "csv", "--root", str(tmp_path), "--out", str(tmp_path / "listed.h5")]
    here(monkeypatch, capsys, *listed, *MINI)
    code, said, _ = here(monkeypatch, capsys, *listed, *MINI, "--retry-failed")
    assert (code, "the files of what failed are still missing" in said) == (0, True)


def test_a_command_of_which_every_video_fails_does_not_end_well(
    tmp_path: Path, monkeypatch, capsys
):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.mp4").write_bytes(b"not a video")
    out = str(tmp_path / "feats.h5")
    base = ["--dataset", "folder", "--root", str(tmp_path), "--out", out, *MINI, "--workers", "1"]
    code, said, err = here(monkeypatch, capsys, *base, "--json")
    assert (code, json.loads(said)["ok"]) == (1, 0)
    assert "its only video failed (a/1.mp4:" in err
    assert "Traceback" not in err


def test_a_dry_run_writes_nothing(videos: Path, tmp_path: Path, monkeypatch, capsys):
    out = str(tmp_path / "feats.h5")
    base = ["--dataset", "folder", "--root", str(videos), "--out", out, *MINI, "--workers", "1"]
    code, said, _ = here(monkeypatch, capsys, *base, "--dry-run", "--json", "--limit", "5")
    cost = json.loads(said)
    assert (code, cost["clips"], cost["frames"]) == (0, 5, 20)
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_knows_what_is_done_already(whole, videos: Path, monkeypatch, capsys):
    base = ["--dataset", "folder", "--root", str(videos), "--out", str(whole[0]), *MINI]
    code, said, _ = here(monkeypatch, capsys, *base, "--dry-run")
    assert (code, f"{whole[0]} is already complete: 14 videos;" in said) == (0, True)
    again = ["--dry-run", "--workers", "1", "--retry-failed"]
    code, said, _ = here(monkeypatch, capsys, *base, *again)  # one failed, whose file is there
    assert (code, said.startswith("1 left of 14 videos (0 missing), 4 frames,")) == (0, True)


def test_a_target_that_cannot_be_is_one_line(videos: Path, tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    out = str(tmp_path / "file" / "feats.h5")
    base = ["--dataset", "folder", "--root", str(videos), "--out", out, *MINI]
    code, _, err = here(monkeypatch, capsys, *base)
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    assert (code, len(errors)) == (1, 1)
    assert f"{out}: cannot be written (Not a directory)" in errors[0]
