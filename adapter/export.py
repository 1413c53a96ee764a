"""A run as one file of torch.export, which PyTorch alone scores region features with.

scorer = torch.export.load("adapter.pt2").module()
probabilities = scorer(regions, place).mean(dim=0)  # over the views of a clip
"""

import io
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from adapter.clips import PLACE, Clips
from adapter.model import Recogniser
from adapter.runs import Run
from corpus.atomic import atomic_file
from corpus.errors import RunFailed

TOLERANCE = 1e-4  # of probabilities


class Scorer(nn.Module):
    """A recogniser with its labels.

    Args:
        model: in eval mode.
        labels: (C, D) unit rows.
    """

    labels: Tensor

    def __init__(self, model: Recogniser, labels: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("labels", labels)

    def forward(self, regions: Tensor, place: Tensor) -> Tensor:
        """Score views: regions (batch, T, R, D) and place (batch, T, R, 3) to (batch, C)."""
        return self.model(Clips(regions, place), self.labels).softmax(dim=-1)


class Exported(NamedTuple):
    """What was written.

    Attributes:
        path: the file; `torch.export.load` reads it.
        difference: the largest between its probabilities and the run's, on random features of
            other batch sizes than it was exported with.
    """

    path: Path
    difference: float


def export(run: Run, path: Path) -> Exported:
    """Write a run for torch.export, and check that it still says the same.

    Args:
        run: on the CPU; for a GPU see `torch.export.passes.move_to_device_pass`.
        path: of the file, usually *.pt2.

    Raises:
        RunFailed: what was written does not agree with the run to `TOLERANCE`.
    """
    scorer = Scorer(run.model, run.labels).eval()
    any_batch = {0: torch.export.Dim.AUTO}
    with torch.no_grad():
        program = torch.export.export(
            scorer, _random(run, 2), dynamic_shapes=(any_batch, any_batch), strict=False
        )
    # By way of memory: torch's own writer meets a full disk with a trace of its C++ frames.
    content = io.BytesIO()
    torch.export.save(program, content)
    with atomic_file(path) as draft:
        draft.write_bytes(content.getvalue())
    again = torch.export.load(path).module()
    difference = 0.0
    with torch.no_grad():
        for batch in (1, 3):
            given = _random(run, batch)
            difference = max(difference, float((again(*given) - scorer(*given)).abs().max()))
    if not difference <= TOLERANCE:
        raise RunFailed(path, f"differs from the run by {difference:.2g}", "use the run folder")
    return Exported(path, difference)


def _random(run: Run, batch: int) -> tuple[Tensor, Tensor]:
    facts = run.config.features
    generator = torch.Generator().manual_seed(batch)
    shape = (batch, facts.frames, facts.regions)
    regions = torch.randn(*shape, facts.dim, generator=generator)
    return regions, torch.rand(*shape, PLACE, generator=generator)
