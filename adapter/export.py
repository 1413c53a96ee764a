"""A run as one file, which scores region features without this package.

With PyTorch alone, from a file of torch.export:

scorer = torch.export.load("adapter.pt2").module()
probabilities = scorer(regions, place).mean(dim=0)  # over the views of a clip

With ONNX Runtime alone:

session = onnxruntime.InferenceSession("adapter.onnx")
(probabilities,) = session.run(None, {"regions": regions, "place": place})
"""

import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from adapter.clips import PLACE, Clips
from adapter.model import Recogniser
from adapter.runs import Run
from corpus.atomic import atomic_file, try_file
from corpus.errors import BadInput, RunFailed

TOLERANCE = 1e-4  # of probabilities
_NAMES = ("regions", "place")
Scoring = Callable[[Tensor, Tensor], Tensor]


class Scorer(nn.Module):
    """A recogniser with its labels.

    Args:
        model: in eval mode.
        labels: (C, 2, D) unit rows (`adapter.text`).
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
        path: the file.
        difference: the largest between its probabilities and the run's, on random features of
            other batch sizes than it was exported with.
    """

    path: Path
    difference: float


def export(run: Run, path: Path | str) -> Exported:
    """Write a run for torch.export or ONNX, and check that it still says the same.

    Args:
        run: on the CPU; for a GPU see `torch.export.passes.move_to_device_pass`.
        path: of the file: *.pt2 for torch.export, *.onnx for ONNX. Both take any batch of float32
            features with the run's numbers of frames and regions.

    Raises:
        BadInput: another suffix, or *.onnx without the packages of the extra `onnx`.
        RunFailed: what was written does not agree with the run to `TOLERANCE`, and is removed.
    """
    forms = {".pt2": _torch_export, ".onnx": _onnx}
    path = Path(path)
    if path.suffix not in forms:
        raise BadInput(path, "an unknown form", "name it *.pt2 for torch.export, or *.onnx")
    scorer = Scorer(run.model, run.labels).eval()
    try_file(path)
    with torch.no_grad():
        content, load = forms[path.suffix](scorer, _random(run, 2))
        with atomic_file(path) as draft:
            draft.write_bytes(content)
            again = load(draft)
            tries = [_random(run, batch) for batch in (1, 3)]
            # PyTorch's maximum of what is not a number is not a number; Python's may be another.
            found = [(again(*given) - scorer(*given)).abs().max() for given in tries]
            difference = float(torch.stack(found).max())
            if not difference <= TOLERANCE:
                cause = f"differs from the run by {difference:.2g}"
                raise RunFailed(path, cause, "use the run folder")
    return Exported(path, difference)


# By way of memory, both: torch's own writers meet a full disk with a trace of their C++ frames.


def _torch_export(
    scorer: Scorer, given: tuple[Tensor, Tensor]
) -> tuple[bytes, Callable[[Path], Scoring]]:
    any_batch = {0: torch.export.Dim.AUTO}
    program = torch.export.export(
        scorer, given, dynamic_shapes=(any_batch, any_batch), strict=False
    )
    content = io.BytesIO()
    torch.export.save(program, content)
    return content.getvalue(), lambda path: torch.export.load(path).module()


def _onnx(scorer: Scorer, given: tuple[Tensor, Tensor]) -> tuple[bytes, Callable[[Path], Scoring]]:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if not importlib.util.find_spec(package):
            mend = "install it: pip install 'alt-video[onnx]'"
            raise BadInput("--out *.onnx", f"{package} is not installed", mend)
    any_batch = {0: torch.export.Dim.DYNAMIC}
    program = torch.onnx.export(
        scorer,
        given,
        dynamo=True,
        dynamic_shapes=(any_batch, any_batch),
        input_names=_NAMES,
        output_names=["probabilities"],
        verbose=False,
    )
    assert program is not None
    return program.model_proto.SerializeToString(), _onnx_scorer


def _onnx_scorer(path: Path) -> Scoring:
    from onnxruntime import InferenceSession

    session: Any = InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def score(*given: Tensor) -> Tensor:
        arrays = {name: one.numpy() for name, one in zip(_NAMES, given, strict=True)}
        return torch.from_numpy(session.run(None, arrays)[0])

    return score


def _random(run: Run, batch: int) -> tuple[Tensor, Tensor]:
    facts = run.config.features
    generator = torch.Generator().manual_seed(batch)
    shape = (batch, facts.frames, facts.regions)
    regions = torch.randn(*shape, facts.dim, generator=generator)
    regions[0] = regions[0, :, :1]  # a clip of few entities, as real ones are
    return regions, torch.rand(*shape, PLACE, generator=generator)
