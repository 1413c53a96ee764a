"""How many CPU cores this process may use."""

import os


def cores() -> int:
    """Count the CPU cores that the system lets this process use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
