"""Kill -9 at any moment, then the same command: the same bytes."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# Everything is imported once; each attempt is a fork that kills itself just before, or within,
# its n-th step of writing: the moments at which a kill can leave something half done.
DRIVER = textwrap.dedent("""
    import io, os, random, shutil, signal, sys, warnings
    from pathlib import Path

    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    from corpus.backbone import load
    from extract import clip, pieces, run as work
    from extract.datasets import open_dataset
    from extract.shards import Shards

    root, out, kills, apart = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    backbone, dataset = load("alt-mini", "none"), open_dataset("folder", root)
    options = work.Options(frames=1, checkpoint=2, batch=2)
    steps = 0

    def dying(real, last):
        def step(*args, **kwargs):
            global steps
            steps += 1
            if steps == last:
                if real in (pwritev, writev):
                    data = b"".join(args[1])
                    real(args[0], [data[: len(data) // 2]], *args[2:])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)
        return step

    pwritev, writev = os.pwritev, os.writev

    class Here:
        # Reads in this process: the workers' own deaths are tested with the command.
        def __init__(self, workers, timeout): self.workers = workers
        def __enter__(self): return self
        def __exit__(self, *error): pass
        def read(self, jobs, ahead): return (clip.read(j.path, j.name, j.plan) for j in jobs)

    pieces.Pool = Here
    assembling = Shards.assembling
    Shards.assembling = lambda *job: assembling(*job[:-1], apart == "apart")

    def run(last):
        for name in ("writev", "pwritev", "replace", "fsync", "rmdir", "unlink", "open"):
            setattr(os, name, dying(getattr(os, name), last))
        work.extract(dataset, backbone, out, options)

    def attempt(last):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                run(last)
                os.write(writing, str(steps).encode())
                os._exit(0)
            except BaseException as error:
                os.write(writing, repr(error).encode())
                os._exit(3)
        os.close(writing)
        told = io.FileIO(reading).read().decode()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, -signal.SIGKILL), told
        return code, told

    code, told = attempt(None)
    assert code == 0, told
    total, whole = int(told), out.read_bytes()
    out.unlink()
    rng, done, finished = random.Random(0), 0, 0
    while done < kills:
        code, told = attempt(rng.randint(1, total))
        done += code != 0
        if out.exists():
            assert out.read_bytes() == whole, "a target that is not whole"
        if code == 0:
            assert os.listdir(out.parent) == [out.name]
            finished += 1
            out.unlink()
    code, told = attempt(None)
    assert code == 0 and out.read_bytes() == whole, told
    print(done, finished, total)
""")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("joined", "count"), [("by a thread", 50), ("apart", 20)])
def test_kills_at_random_steps_of_writing_leave_a_whole_target_or_none(
    tmp_path: Path, make_clip, joined: str, count: int
):
    for index in range(5):
        make_clip(tmp_path / f"videos/a/{index}.mp4", frames=3, seed=index)
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "videos"), str(tmp_path / "out/f.h5")]
    done = subprocess.run(
        [*command, str(count), joined], capture_output=True, text=True, timeout=800
    )
    assert done.returncode == 0, done.stderr
    kills, finished, steps = map(int, done.stdout.split())
    assert kills == count
    assert finished > 0
    assert steps > 25
