"""`--engine ray`: pieces made by workers on a Ray cluster, on storage that all its machines share.

The caller keeps the lock, the list of pieces and the last step; a worker makes one shard at a time
with the very function that the local engine uses. A shard has its name only once it is whole, so a
worker or a machine that is lost costs the pieces it was at, and another makes those.
"""

import os
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corpus.backbone import load
from corpus.errors import BadInput, RunFailed
from extract.cluster import RayError, RayTaskError, join, ray, short
from extract.drafts import GOES_ON
from extract.encode import Encoder, lanes
from extract.pieces import Piece, Spent, Watch, Work, make, tell
from extract.pool import Pool
from extract.shards import Shards

# Pieces that a worker has at hand: it decodes one while it encodes the other.
_AT_HAND = 2
# A piece that was lost with so many workers is what killed them.
_TRIES = 4
_PATIENCE = 600.0  # seconds to wait for a worker when there is none


@dataclass(frozen=True)
class RayEngine:
    """The engine that works on a Ray cluster: the one at RAY_ADDRESS, or else on this machine.

    Dataset, checkpoint and target must be under the same paths on every machine. The result
    equals the local engine's byte for byte where the devices compute alike.

    Attributes:
        device: "cpu"; "cuda" for a GPU to each worker; or "auto": "cuda" when the cluster has GPUs.
        workers: decoding processes of each worker, and the CPU cores that it asks for; by default
            1, and for workers with a GPU their share of the cluster's cores.
        timeout: seconds that one decoder may take for one video.

    Raises:
        BadInput: on construction, when the cluster has not what one worker needs.
        RunFailed: there is no cluster, and none can be started here.
    """

    device: str = "auto"
    workers: int | None = None
    timeout: float = 120.0

    def __post_init__(self) -> None:
        join()
        has = ray.cluster_resources()
        if self.device == "auto":
            object.__setattr__(self, "device", "cuda" if has.get("GPU") else "cpu")
        if self.workers is None:
            share = has.get("CPU", 1) // has["GPU"] if self._on_gpu and has.get("GPU") else 1
            object.__setattr__(self, "workers", max(1, int(share)))
        if not self._room():
            needs = f"{self.workers} CPU cores{' and a GPU' if self._on_gpu else ''}"
            mend = "use fewer --workers, or another --device"
            raise BadInput("--engine ray", f"no machine of the cluster has {needs}", mend)

    @property
    def _on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    def _room(self) -> int:
        """How many workers fit into the cluster."""
        room = 0
        for node in ray.nodes():
            has = node["Resources"] if node["Alive"] else {}
            fit = has.get("CPU", 0) // (self.workers or 1)
            room += int(min(fit, has.get("GPU", 0)) if self._on_gpu else fit)
        return room

    def __call__(
        self, work: Work, pieces: Sequence[Piece], encoder: Encoder, watch: Watch | None
    ) -> Spent:
        """Make pieces on the cluster; `encoder` only says what the workers must have.

        Raises:
            BadInput: a worker cannot load the backbone, or another one has that name there.
            RunFailed: no worker could be had or be made ready, one piece kills them, or a shard
                cannot be written.
        """
        shards = Shards(work.shards.target.absolute(), work.shards.job)
        root = replace(work.dataset, root=work.dataset.root.absolute())
        model, _, tag = encoder.backbone.name.partition("/")
        pretrained = str(Path(tag).absolute()) if Path(tag).is_file() else tag
        options = {"num_cpus": self.workers, "num_gpus": int(self._on_gpu)}
        crew = _Crew(
            ray.remote(_Worker).options(max_concurrency=_AT_HAND, **options),
            (replace(work, dataset=root, shards=shards), model, pretrained),
            (self.device, self.workers, self.timeout),
        )
        spent = Spent()
        try:
            crew.hire(min(self._room(), len(pieces)))
            for piece, cost in crew.results(pieces):
                spent += cost
                _appear(work.path(piece))
                if watch:
                    tell(watch, work.path(piece), work.manifest.frame_count)
        finally:
            crew.dismiss()
        return spent


class _Worker:
    """A process on some machine that holds the backbone and makes pieces."""

    def __init__(self, job: tuple[Work, str, str], means: tuple[str, int, float]) -> None:
        self._job, self._means = job, means

    def open(self) -> None:
        """Load the backbone. Not done in `__init__`, whose errors Ray would take for a death."""
        (work, model, pretrained), (device, workers, timeout) = self._job, self._means
        backbone = load(model, pretrained, device)
        if backbone.fingerprint != work.manifest.fingerprint:
            cause = f"{pretrained} of {model} holds other weights on {os.uname().nodename}"
            raise BadInput("--pretrained", cause, "put the same file on every machine")
        self._encoder = work.options.encoder(backbone, lanes(backbone.device))
        self._pool = Pool(workers, timeout)

    def make(self, piece: Piece) -> Spent:
        work = self._job[0]
        shards = Shards(work.shards.target, work.shards.job)
        return make(replace(work, shards=shards), [piece], self._encoder, self._pool)


class _Crew:
    """The workers there are, and what each is at."""

    def __init__(self, kind: Any, *arguments: Any) -> None:
        self._kind, self._arguments = kind, arguments
        self._load: Counter[Any] = Counter()  # pieces at hand, of each worker that is ready
        self._lost: Counter[int | None] = Counter()  # how often, by a piece's number
        self._tasks: dict[Any, tuple[Any, Piece | None]] = {}  # a worker that opens has no piece

    def hire(self, count: int) -> None:
        """Ask for more workers; they come when the cluster has room."""
        for _ in range(count):
            worker = self._kind.remote(*self._arguments)
            self._tasks[worker.open.remote()] = worker, None

    def dismiss(self) -> None:
        """End all workers."""
        for worker in {worker for worker, _ in self._tasks.values()} | set(self._load):
            ray.kill(worker)

    def results(self, pieces: Sequence[Piece]) -> Any:
        """Yield (piece, Spent) as pieces are finished, in any order."""
        waiting, left = deque(pieces), len(pieces)
        while left:
            for worker in list(self._load):
                while waiting and self._load[worker] < _AT_HAND:
                    piece = waiting.popleft()
                    self._tasks[worker.make.remote(piece)] = worker, piece
                    self._load[worker] += 1
            done, _ = ray.wait(list(self._tasks), timeout=None if self._load else _PATIENCE)
            if not done:
                raise RunFailed(
                    "--engine ray",
                    f"the cluster gave no worker for {_PATIENCE / 60:.0f} minutes",
                    GOES_ON,
                )
            worker, made = self._tasks.pop(done[0])
            try:
                cost = ray.get(done[0])
            except RayTaskError as error:
                if isinstance(error.cause, BadInput):
                    raise error.cause from None
                if made is None:
                    cause = f"a worker cannot load the backbone ({short(error.cause)})"
                    raise RunFailed("--engine ray", cause, "try another --device") from None
                raise
            except RayError as error:
                self._bury(worker, made, error)
                if made is not None:
                    waiting.appendleft(made)
                continue
            if made is None:
                self._load[worker], self._lost[None] = 0, 0
            else:
                if worker in self._load:  # or it died since, at the piece before
                    self._load[worker] -= 1
                left -= 1
                yield made, cost

    def _bury(self, worker: Any, made: Piece | None, error: Exception) -> None:
        """Count a loss, and ask for another worker, once for each that is gone."""
        if self._load.pop(worker, None) is not None or made is None:
            ray.kill(worker)  # it may be out of reach rather than dead
            self.hire(1)
        number = made.number if made else None
        self._lost[number] += 1
        if self._lost[number] >= _TRIES and (made or not self._load):
            at = f"{made.clips[0].video} and those after it" if made else "loading the backbone"
            cause = f"{self._lost[number]} workers died at {at} ({short(error)})"
            raise RunFailed("--engine ray", cause, "see Ray's logs on the machines") from None


def _appear(path: Path) -> None:
    """Wait until a file that another machine wrote is seen here: NFS may take its time."""
    for _ in range(600):
        os.listdir(path.parent)  # which has NFS look anew
        if path.exists():
            return
        time.sleep(0.1)
    mend = "give an --out on storage that all machines share"
    raise RunFailed(path, "was written on another machine and is not seen here", mend)
