"""The Ray cluster that `--engine ray` works on, and how what it raises is told in one line."""

import logging
import os

from corpus.errors import BadInput, RunFailed

try:
    import ray
    from ray.exceptions import RayError, RayTaskError
except ImportError as error:
    mend = "install it on every machine: pip install 'alt-video[ray]'"
    raise BadInput("--engine ray", "Ray is not installed", mend) from error

__all__ = ["RayError", "RayTaskError", "join", "ray", "short"]


def join() -> None:
    """Join the cluster at RAY_ADDRESS, or else start one on this machine; once.

    Raises:
        RunFailed: there is none, and none can be started here.
    """
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # of no class of their own, as when a cluster is gone
        mend = "check RAY_ADDRESS and `ray status`, then run the same command again"
        raise RunFailed("--engine ray", f"no cluster ({short(error)})", mend) from error


def short(error: Exception) -> str:
    """Say an error, which may have pages, in a line."""
    return " ".join(str(error).split())[:160]
