"""`--engine ray`: the trainings of a comparison as tasks on a Ray cluster, a seed of a row each.

Each worker trains by the very function that `one_by_one` calls, on clips that Ray hands it, so the
numbers are those of one process where the devices compute alike. Caches that are streamed must be
under the same paths on every machine. A worker that is lost costs the training it was at, which
Ray starts again elsewhere.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from adapter.compare import Column, Job, Report, Score, train_and_score
from adapter.nearest import as_read
from adapter.task import Task
from corpus.errors import BadInput, RunFailed
from extract.cluster import RayError, RayTaskError, join, ray, short


def on_ray(
    jobs: Sequence[Job], tests: Sequence[Column], device: str, report: Report
) -> Generator[list[Score], None, None]:
    """Train and score jobs on the cluster at RAY_ADDRESS, or else on this machine's cores.

    Args:
        jobs: what to train.
        tests: what to score on.
        device: "cpu", a core to each training; or "cuda", a GPU to each.
        report: called as each job in turn is done.

    Yields:
        Each job's score on each test, in the order of the jobs.

    Raises:
        RunFailed: there is no cluster, it has no such device, or a training's workers die.
    """
    join()
    gpus = int(device.startswith("cuda"))
    if gpus and not ray.cluster_resources().get("GPU"):
        raise RunFailed("--engine ray", "the cluster has no GPU", "use --device cpu")
    # What is looked up once is looked up here, and not by each worker at the same time.
    variants = {job.variant.name: job.variant for job in jobs}
    for variant in variants.values():
        as_read(variant.task, variant.model, device)
    # One copy of a task's clips in each machine's memory, whatever the number of its jobs.
    different = {id(variant.task): variant.task for variant in variants.values()}
    tasks: dict[int, Any] = {key: ray.put(_light(task)) for key, task in different.items()}
    columns: Any = ray.put(list(tests))
    remote = ray.remote(_train_and_score).options(num_cpus=1, num_gpus=gpus)
    waiting = []
    for job in jobs:
        light = job._replace(variant=replace(job.variant, task=None))  # type: ignore[arg-type]
        waiting.append(remote.remote(light, tasks[id(job.variant.task)], columns, device))
    try:
        for job in jobs:
            report(job.name)
            yield ray.get(waiting[0])
            del waiting[0]
    except RayTaskError as error:
        raise error.cause if isinstance(error.cause, BadInput) else error from None
    except RayError as error:
        mend = "see Ray's logs on the machines"
        raise RunFailed("--engine ray", f"a training was lost ({short(error)})", mend) from error
    finally:
        # Ray ends this process, without a word, when what is cancelled has just been completed.
        _, running = ray.wait(waiting, num_returns=len(waiting), timeout=0) if waiting else ([], [])
        for result in running:
            ray.cancel(result, force=True)


@dataclass(frozen=True)
class _Scale:
    """All that training takes from a backbone."""

    logit_scale: float


def _light(task: Task) -> Task:
    """Leave the backbone's weights out, which may be larger than the clips."""
    return replace(task, backbone=_Scale(task.backbone.logit_scale))  # type: ignore[arg-type]


def _train_and_score(job: Job, task: Any, tests: Sequence[Column], device: str) -> list[Score]:
    torch.set_num_threads(1)  # the core that was asked for
    return train_and_score(job._replace(variant=replace(job.variant, task=task)), tests, device)
