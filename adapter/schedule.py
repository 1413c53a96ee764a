"""What moves each weight and how fast: parameter groups, schedules, the average of weights."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

# Parameters with one value for all of the space: a plain step would take them nowhere.
_FAST = ("log_scale", "gate")


def groups(model: nn.Module, weight_decay: float, fast: float) -> list[dict[str, Any]]:
    """Divide the parameters: matrices decay, vectors do not, and single numbers move faster.

    Args:
        model: to train.
        weight_decay: of matrices.
        fast: factor on the learning rate of single numbers.

    Returns:
        Groups for an optimiser, each with its `factor` on the learning rate.
    """
    matrices: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    single: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        if name in _FAST:
            single.append(weight)
        else:
            (matrices if weight.ndim > 1 else vectors).append(weight)
    groups = [
        {"params": matrices, "weight_decay": weight_decay, "factor": 1.0},
        {"params": vectors, "weight_decay": 0.0, "factor": 1.0},
        {"params": single, "weight_decay": 0.0, "factor": fast},
    ]
    return [group for group in groups if group["params"]]


def learning_rate(step: int, steps: int, warmup: float) -> float:
    """Factor on the learning rate: a linear rise, then a cosine to a hundredth."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    done = (step - rise) / max(1.0, steps - rise)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2


def temperature(step: int, steps: int, first: float, last: float) -> float:
    """Temperature of the choice of entities: from `first` to `last` by equal factors."""
    return first * (last / first) ** (step / max(1, steps - 1))


class Average:
    """The exponential moving average of a model's weights, as a model of its own.

    Args:
        model: whose weights.
        decay: of the average; it is lower at first, (1 + n) / (10 + n) after n updates, so that
            the untrained weights are soon forgotten.
        weights: of an average to go on from.
        step: updates that it has had.
    """

    def __init__(
        self, model: nn.Module, decay: float, weights: dict[str, Tensor], step: int
    ) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay, self.step = decay, step
        if weights:
            self.model.load_state_dict(weights)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take a step toward the model; buffers are copied."""
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        ours: list[Tensor] = list(self.model.parameters())
        theirs: list[Tensor] = list(model.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        for own, other in zip(self.model.buffers(), model.buffers(), strict=True):
            own.copy_(other)
        self.step += 1
