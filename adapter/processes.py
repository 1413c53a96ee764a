"""One process or several, as `accelerate launch` starts them: who speaks, who holds what."""

import os
from datetime import timedelta

import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import gather
from torch import Tensor
from torch.nn import functional as F

from corpus.errors import BadInput

# The others wait while the first builds a corpus, or looks up entities, which may take hours. Of
# one that dies the launcher knows at once.
_PATIENCE = timedelta(days=2)


def main_process() -> bool:
    """Tell whether this process is the one that writes and prints."""
    return os.environ.get("RANK", "0") == "0"


def on_cpu(device: torch.device | str) -> bool:
    """Tell whether work is done on a CPU; for "auto", whether there is nothing else.

    Raises:
        BadInput: it is to be done on a GPU, and there is none.
    """
    there = torch.cuda.is_available()
    if device == "auto":
        return not there
    kind = torch.device(device).type
    if kind == "cuda" and not there:
        raise BadInput(f"device {device}", "PyTorch sees no GPU", "use cpu")
    return kind == "cpu" or not there


def processes(device: torch.device | str) -> PartialState:
    """Join the other processes, if there are any.

    Args:
        device: that all work is done on, or "auto". Where there are others, the first that is
            asked for decides for the whole process, as accelerate has it.
    """
    cpu = on_cpu(device)
    state = PartialState(cpu=cpu, timeout=_PATIENCE)
    if state.num_processes == 1 and (state.device.type == "cpu") != cpu:
        AcceleratorState._reset_state(reset_partial_state=True)  # else it keeps to the first
        state = PartialState(cpu=cpu, timeout=_PATIENCE)
    return state


def gathered(own: Tensor, count: int, state: PartialState) -> Tensor:
    """Put the rows of all processes together, each once.

    Args:
        own: rows i, i + world, i + 2·world, … of `count`, on process i.
        count: of rows in all.
        state: the processes.

    Returns:
        (count, ...) in order, on every process.
    """
    if state.num_processes == 1:
        return own
    most = -(-count // state.num_processes)
    padded = F.pad(own, (0, 0) * (own.ndim - 1) + (0, most - len(own)))
    rows = gather(padded.to(state.device)).to(own.device)
    return rows.unflatten(0, (state.num_processes, most)).transpose(0, 1).flatten(0, 1)[:count]
