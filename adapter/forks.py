"""Trainings of a comparison side by side on one machine's cores, in processes forked from this one.

Small trainings gain little from threads and much from running at the same time. A fork shares the
clips' memory, so that nothing is copied or opened again. For CPUs: a GPU does not survive a fork.
"""

import multiprocessing
import signal
import warnings
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import torch

from adapter.compare import Column, Engine, Job, Report, Score, one_by_one, train_and_score
from adapter.nearest import as_read
from corpus.command import end_with_caller
from corpus.errors import RunFailed

_shared: tuple[Sequence[Job], Sequence[Column]] = ((), ())  # what forks find when they start


def forked(workers: int) -> Engine:
    """Return an engine of so many processes, a thread each; with one, it is `one_by_one`.

    Numbers are those of `one_by_one` in one thread. Where forks of this process cannot train, that
    is what does the work, with a warning.

    Raises:
        RunFailed: of the engine: a process that trained was killed.
    """
    if workers == 1 or "fork" not in multiprocessing.get_all_start_methods():
        return one_by_one

    def engine(
        jobs: Sequence[Job], tests: Sequence[Column], device: str, report: Report
    ) -> Generator[list[Score], None, None]:
        global _shared
        for variant in {job.variant.name: job.variant for job in jobs}.values():
            as_read(variant.task, variant.model, device)  # once, and not by all at the same time
        _shared = jobs, tests
        context = multiprocessing.get_context("fork")
        try:
            with ProcessPoolExecutor(min(workers, len(jobs)), context, _start) as pool:
                if not pool.submit(_learns).result():
                    warnings.warn(
                        "trained one after the other: PyTorch has threads here that forks lack, as "
                        "once a run was exported; a new process uses all cores",
                        stacklevel=2,
                    )
                    yield from one_by_one(jobs, tests, device, report)
                    return
                try:
                    found = pool.map(_run, range(len(jobs)), [device] * len(jobs))
                    for job, scores in zip(jobs, found, strict=True):
                        report(job.name)
                        yield scores
                except BaseException:  # else jobs would be done that nobody waits for
                    for fork in list((pool._processes or {}).values()):
                        fork.terminate()
                    pool.shutdown(cancel_futures=True)
                    raise
        except BrokenProcessPool as error:
            cause = "a process that trained one was killed, as when memory runs out"
            mend = "run it again on fewer cores (taskset), or with less beside it"
            raise RunFailed("adapters", cause, mend) from error
        finally:
            _shared = ((), ())

    return engine


def _start() -> None:
    # Threads of a fork's parent are not in it, and OpenMP would wait for them.
    torch.set_num_threads(1)
    for wish in (signal.SIGINT, signal.SIGTERM):  # end a fork, and not its job alone
        signal.signal(wish, signal.SIG_DFL)
    end_with_caller()


def _learns() -> bool:
    """Tell whether autograd works here: not in forks of a process in which it has threads."""
    try:
        torch.zeros(1, requires_grad=True).sum().backward()
    except RuntimeError:
        return False
    return True


def _run(number: int, device: str) -> list[Score]:
    jobs, tests = _shared
    return train_and_score(jobs[number], tests, device)
