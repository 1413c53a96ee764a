"""Decoding workers that may hang or crash: the video is lost, the run is not."""

import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from extract import beside
from extract.ahead import in_order
from extract.clip import Pixels
from extract.worker import Job, check_timeout, receive

# No growth was seen over thousands of videos; what some file may leak goes with its worker.
_VIDEOS_PER_WORKER = 5000
# Of a worker, beside the caller's. Videos ask for the same room over and over: kept rather than
# given back, it need not be cleared by the system for each, which takes a sixteenth of decoding.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}


class WorkerDied(Exception):
    """A worker ended before it answered; the message says how."""


class Pool:
    """Reads many videos at once, in worker processes.

    Args:
        workers: processes.
        timeout: seconds that one decoder may take for one video.

    Raises:
        BadInput: a timeout that cannot be set.
    """

    def __init__(self, workers: int, timeout: float = 120.0) -> None:
        check_timeout(timeout)
        self.workers, self._timeout = workers, timeout
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._mine = threading.local()  # each thread keeps one worker busy
        self._alive: set[_Worker] = set()
        self._closing = False

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in tuple(self._alive):
            worker.kill()  # which ends what its thread waits for
        self._threads.shutdown(wait=True)
        for worker in self._alive:
            worker.close()

    def read(self, jobs: Iterable[Job], ahead: int) -> Iterator[Pixels | str]:
        """Yield each job's pixels, or the reason why it has none, in the order of the jobs.

        Args:
            jobs: videos to read.
            ahead: how many may be read or waiting at once; bounds the memory.
        """
        return in_order(self._threads, self._read, jobs, max(ahead, self.workers))

    def _read(self, job: Job) -> Pixels | str:
        try:
            return self._ask(job)
        except WorkerDied as death:
            if job.plan.decoder != "auto":
                return str(death)
        # decord crashed or hung, so it could not hand over to PyAV itself.
        try:
            return self._ask(replace(job, plan=replace(job.plan, decoder="pyav")))
        except WorkerDied as death:
            return str(death)

    def _ask(self, job: Job) -> Pixels | str:
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None or worker.asked >= _VIDEOS_PER_WORKER:
            if worker is not None:
                self._drop(worker)
            worker = self._mine.worker = _Worker(self._timeout)
            self._alive.add(worker)
        try:
            if self._closing:
                raise WorkerDied("stopped")
            return worker.ask(job)
        except WorkerDied:
            self._drop(worker)
            raise

    def _drop(self, worker: "_Worker") -> None:
        self._alive.discard(worker)
        worker.kill()
        worker.close()
        self._mine.worker = None


class _Worker:
    def __init__(self, timeout: float) -> None:
        self.asked, self._timeout = 0, timeout
        self._process, self._pipe = beside.start(
            "extract.worker", str(timeout), environment=ENVIRONMENT
        )

    def ask(self, job: Job) -> Pixels | str:
        self.asked += 1
        try:
            self._pipe.send(job)
            return receive(self._pipe)
        except (EOFError, OSError) as error:
            code = self._process.wait()
            if code == -signal.SIGALRM:
                raise WorkerDied(f"decoding took longer than {self._timeout:g} s") from error
            raise WorkerDied(f"the decoder crashed ({beside.ending(self._process)})") from error

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.wait()
        self._pipe.close()
