"""How many CPU cores this process may use."""

import os

MOST = 1024  # processes beside each other that a user can ask for; more is a slip, and fills memory


def cores() -> int:
    """Count the CPU cores that the system lets this process use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
