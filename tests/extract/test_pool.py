import math
import platform
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from corpus.errors import BadInput
from extract.clip import Pixels, Plan
from extract.pool import Pool
from extract.views import Framing
from extract.worker import Job

PLAN = Plan(Framing((56, 56)), frames=4)


@pytest.fixture
def nasty(tmp_path: Path, monkeypatch):
    """A module, known to workers too, of framings that do what broken native code does."""
    (tmp_path / "nasty_framings.py").write_text(
        textwrap.dedent("""
        import os, signal, time

        class Crash:
            def views(self, frame):
                os.kill(os.getpid(), signal.SIGSEGV)

        class Fault:
            def views(self, frame):
                raise ZeroDivisionError("no such framing")

        class Hang:
            def views(self, frame):
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
                time.sleep(60)

        class Slow:
            def views(self, frame):
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
                time.sleep(8)
                open(os.path.join(os.path.dirname(__file__), "done"), "w").close()
        """)
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    import nasty_framings

    yield nasty_framings
    sys.modules.pop("nasty_framings")


def test_videos_are_read_in_order_by_many_workers(tmp_path: Path, make_clip):
    for index in range(7):
        make_clip(tmp_path / f"{index}.mp4", frames=4 + index, seed=index)
    jobs = [Job(tmp_path / f"{index}.mp4", f"{index}", PLAN) for index in range(7)]
    with Pool(workers=2) as pool:
        answers = list(pool.read(jobs, ahead=3))
    for index, answer in enumerate(answers):
        assert isinstance(answer, Pixels)
        assert answer.frames.shape == (4, 56, 56, 3)
        count = 4 + index
        expected = [int((i + 0.5) * count / 4) / 25 for i in range(4)]
        np.testing.assert_allclose(answer.timestamps, expected, atol=1e-3)


def test_what_goes_wrong_with_a_video_is_told_and_not_printed(
    tmp_path: Path, make_clip, nasty, capfd: pytest.CaptureFixture[str]
):
    whole = make_clip(tmp_path / "a.mp4")
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:900])
    jobs = [Job(tmp_path / "cut.mp4", "cut", PLAN), Job(whole, "a", Plan(nasty.Fault()))]
    with Pool(workers=1) as pool:
        cut, fault = pool.read(jobs, ahead=1)
    assert "cut short" in str(cut)
    assert fault == "ZeroDivisionError: no such framing"
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is told so")
def test_a_worker_asks_the_system_for_memory_but_once(tmp_path: Path, make_clip):
    job = Job(make_clip(tmp_path / "a.mp4"), "a", Plan(Framing((336, 336)), frames=8))

    def faults(reads: int) -> int:
        """Pages that the system gave to a worker that reads so many videos."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
        with Pool(workers=1) as pool:
            assert all(isinstance(read, Pixels) for read in pool.read([job] * reads, ahead=2))
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - before

    pages = 8 * 336 * 336 * 3 // resource.getpagesize()  # of a video's pixels alone
    assert faults(60) - faults(20) < 40 * pages / 4


def test_a_crash_and_a_hang_cost_one_video_each(tmp_path: Path, make_clip, nasty):
    path = make_clip(tmp_path / "a.mp4")
    plans = [PLAN, Plan(nasty.Crash()), Plan(nasty.Hang()), PLAN]
    with Pool(workers=1, timeout=5) as pool:
        good, crashed, hung, last = pool.read([Job(path, "a", plan) for plan in plans], ahead=1)
    assert isinstance(good, Pixels)
    assert crashed == f"the decoder crashed ({signal.SIGSEGV.name})"
    assert hung == "decoding took longer than 5 s"
    assert isinstance(last, Pixels)


def test_a_reader_that_leaves_early_waits_for_nobody(tmp_path: Path, make_clip, nasty):
    path = make_clip(tmp_path / "a.mp4")
    jobs = [Job(path, "a", plan) for plan in (PLAN, Plan(nasty.Slow()), Plan(nasty.Slow()))]
    with Pool(workers=2, timeout=100) as pool:
        answers = pool.read(jobs, ahead=3)
        assert isinstance(next(answers), Pixels)  # of the first; the others are not waited for
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("timeout", [math.inf, math.nan, 1e12, 0, -1])
def test_a_timeout_that_no_alarm_can_be_set_to_is_refused(timeout: float):
    with pytest.raises(BadInput, match=r"^--timeout .*: not above 0 and at most 86400;"):
        Pool(workers=1, timeout=timeout)


def test_reasons_come_back_in_place_of_pixels(tmp_path: Path):
    with Pool(workers=1) as pool:
        (answer,) = pool.read([Job(tmp_path / "absent.mp4", "a", PLAN)], ahead=1)
    assert answer == "no such file"


def test_files_in_the_working_folder_do_not_stand_in_for_modules(tmp_path: Path, monkeypatch):
    (tmp_path / "extract.py").write_text("raise SystemExit('not me')")
    monkeypatch.chdir(tmp_path)
    with Pool(workers=1) as pool:
        (answer,) = pool.read([Job(tmp_path / "absent.mp4", "a", PLAN)], ahead=1)
    assert answer == "no such file"


def test_a_decoding_worker_loads_neither_torch_nor_the_libraries_of_cuda():
    code = """
    import sys, extract.worker
    loaded = open("/proc/self/maps").read()
    print("decord" in loaded, "torch" in sys.modules, "cublas" in loaded or "cudart" in loaded)
    import nvidia  # and what it does not load, it does not hide from what comes after
    """
    pytest.importorskip("nvidia", reason="no CUDA libraries of pip's are here to be loaded")
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["True", "False", "False"]
