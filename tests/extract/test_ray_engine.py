"""The Ray engine on a cluster of processes on this machine: a head, and nodes that come and go."""

import importlib.util
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from corpus.errors import BadInput, RunFailed

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray (pip install 'alt-video[ray]')"
)

DRIVER = textwrap.dedent("""
    import json, os, sys, time, warnings
    from pathlib import Path

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    warnings.simplefilter("ignore")
    import psutil, ray
    from ray.cluster_utils import Cluster

    from corpus.backbone import load
    from extract.cli import main
    from extract.datasets import open_dataset
    from extract.ray_engine import RayEngine, _Crew
    from extract.run import Options, extract

    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    quick = {"health_check_period_ms": 300, "health_check_failure_threshold": 3}
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": quick}
    )
    node = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)

    losses, bury = [], _Crew._bury

    def counted(self, worker, piece, error):
        losses.append(worker)
        bury(self, worker, piece, error)

    _Crew._bury = counted
    told, killed = [], []

    def watch(entry, frames):
        told.append((entry.video, frames))
        if len(told) == 2:  # while others are at work
            workers = [p for p in psutil.process_iter() if p.name().startswith("ray::_Worker")]
            ours = [p for p in workers if p.uids().real == os.getuid()]
            ours[0].kill()
            killed.append(ours[0].pid)
        if len(told) == 6:  # every worker is on this node; those to come find another
            cluster.add_node(num_cpus=2)
            cluster.remove_node(node, allow_graceful=False)
            while any(n["Alive"] and n["NodeID"] == node.node_id for n in ray.nodes()):
                time.sleep(0.1)

    backbone, dataset = load("alt-mini", "none"), open_dataset("folder", root)
    options = Options(frames=2, batch=4, checkpoint=1)
    extract(dataset, backbone, out / "local.h5", options, workers=1)
    engine = RayEngine(workers=1)
    report = extract(dataset, backbone, out / "ray.h5", options, engine=engine, watch=watch)
    facts = {
        "told": len(told),
        "videos": len({video for video, _ in told}),
        "killed": len(killed),
        "lost": len(set(losses)),
        "frames": [report.spent.frames, sum(frames for _, frames in told)],
    }
    Path(sys.argv[3]).write_text(json.dumps(facts))  # Ray itself writes to stdout

    command = "alt-extract --dataset folder --model alt-mini --pretrained none --frames 2 --batch 4"
    command += f" --checkpoint 1 --engine ray --root {root} --out {out / 'command.h5'}"
    sys.argv = command.split()
    try:
        main()
    except SystemExit as done:
        assert not done.code, done.code
    ray.shutdown()
    cluster.shutdown()
""")


@needs_ray
@pytest.mark.timeout(600)
def test_a_killed_worker_and_a_killed_node_lose_nothing(tmp_path: Path, make_clip):
    for index in range(14):
        make_clip(tmp_path / f"videos/a/{index:02}.mp4", frames=3, seed=index)
    broken = tmp_path / "videos/a/03.mp4"
    broken.write_bytes(broken.read_bytes()[:500])
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *(str(tmp_path / name) for name in ("videos", "out", "f"))],
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "f").read_text())
    assert facts.pop("lost") > 1  # the one that was killed, and at least one of the node's
    assert facts == {"told": 14, "videos": 14, "killed": 1, "frames": [26, 26]}
    made = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(made) == ["command.h5", "local.h5", "ray.h5"]
    assert made["ray.h5"] == made["local.h5"]
    assert made["command.h5"] == made["local.h5"]


def test_without_ray_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch):
    for name in ("extract.ray_engine", "extract.cluster"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"^--engine ray: Ray is not installed; .*alt-video\[ray\]"):
        importlib.import_module("extract.ray_engine")


@needs_ray
def test_a_worker_that_cannot_load_the_backbone_is_one_line(monkeypatch: pytest.MonkeyPatch):
    from ray.exceptions import RayTaskError

    from extract import ray_engine

    class Worker:
        remote = property(lambda self: lambda *given: "a task" if self is worker.open else worker)

    worker = Worker()
    worker.open = Worker()  # type: ignore[attr-defined]

    def get(task):
        raise RayTaskError("open", "Traceback …", RuntimeError("No CUDA GPUs\nare available"))

    monkeypatch.setattr(ray_engine.ray, "wait", lambda tasks, timeout: (tasks, []))
    monkeypatch.setattr(ray_engine.ray, "get", get)
    crew = ray_engine._Crew(worker)
    crew.hire(1)
    told = r"^--engine ray: a worker cannot load the backbone \(No CUDA GPUs are available\); try"
    with pytest.raises(RunFailed, match=told):
        list(crew.results([None]))


@needs_ray
def test_a_worker_that_died_is_given_no_piece_though_another_of_its_was_done(monkeypatch):
    from ray.exceptions import RayActorError

    from extract import ray_engine

    class Task:
        def __init__(self, outcome: Exception | None) -> None:
            self.outcome = outcome

    class Worker:
        """The first dies at its first piece, and has done the second before anyone looks."""

        def __init__(self) -> None:
            self.first, self.given = not hired, []
            self.open = SimpleNamespace(remote=lambda: Task(None))
            self.make = SimpleNamespace(remote=self._make)
            hired.append(self)

        def _make(self, piece) -> Task:
            self.given.append(piece.number)
            return Task(RayActorError() if self.first and piece.number == 0 else None)

    def get(task: Task) -> None:
        if task.outcome is not None:
            raise task.outcome

    hired: list[Worker] = []
    stub = SimpleNamespace(
        wait=lambda tasks, timeout: (tasks[:1], tasks[1:]), get=get, kill=lambda worker: None
    )
    monkeypatch.setattr(ray_engine, "ray", stub)
    crew = ray_engine._Crew(SimpleNamespace(remote=Worker))
    crew.hire(1)
    pieces = [SimpleNamespace(number=number) for number in range(6)]
    assert sorted(piece.number for piece, _ in crew.results(pieces)) == [0, 1, 2, 3, 4, 5]
    assert [worker.given for worker in hired] == [[0, 1], [0, 2, 3, 4, 5]]
