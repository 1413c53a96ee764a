"""Scores of a recogniser on a set of clips, every clip counted once.

A video that could not be decoded is one of the clips: no label is given to it, so it is wrong. The
others' share is N − failed of N, from which their own accuracy follows.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from adapter.baselines import MeanPooled
from adapter.data import SCORED, ClipSet, Paths, open_clips
from adapter.labelling import Labels
from adapter.leaks import warn_of_choice, warn_of_repeats, warn_of_trained
from adapter.model import Recogniser
from adapter.processes import gathered, processes
from adapter.statistics import paired
from adapter.task import same_features
from corpus.errors import BadInput
from corpus.tally import Tally, tallied
from corpus.words import some

if TYPE_CHECKING:
    from adapter.runs import Run


class Metrics(BaseModel):
    """Scores on one set of clips; shares are between 0 and 1.

    Attributes:
        top1, top5: share of clips whose label is first, or among the first five (or all, where
            the labels are fewer).
        mean_class: mean over the classes that have clips of the share right within each.
        calibration_error: expected calibration error, 15 bins, of the clips that were decoded.
        clips: N.
        failed: of the N, those that could not be decoded; they count as wrong.
        labels: C, labels to choose from.
        list_hash: of the clips' names and labels in order: what N clips these were.
    """

    model_config = ConfigDict(frozen=True)
    top1: float
    top5: float
    mean_class: float
    calibration_error: float
    clips: int
    failed: int
    labels: int
    list_hash: str


@torch.inference_mode()
def probabilities(
    model: Recogniser,
    clips: ClipSet,
    labels: Tensor,
    batch_size: int = 32,
    tally: Tally | None = None,
) -> Tensor:
    """Score clips: softmax over the labels in each view, then the mean over views.

    Args:
        model: on any device.
        clips: N of them.
        labels: (C, 2, D) unit rows (`adapter.text`).
        batch_size: views to a forward pass.
        tally: called with each batch; of several processes each counts its own.

    Returns:
        (N, C) float32 on the CPU, zeros for a clip that could not be decoded; processes share
        the work, and each has the whole result.

    Raises:
        BadInput: features of a clip are no finite numbers, as after damage to a cache.
    """
    device = model.log_scale.device
    labels, trained = labels.to(device), model.training
    state = processes(device)
    own = torch.arange(len(clips))[state.process_index :: state.num_processes]
    items = own[:, None] * clips.views + torch.arange(clips.views)
    model.eval()
    parts = items.flatten().split(batch_size)
    batches = tallied(clips.batches(parts, device), len(parts), tally)
    # Of many clips and many labels there is room for one such table, and not for its views.
    chances, done, rows = torch.empty(len(own), len(labels)), 0, torch.empty(0, len(labels))
    for batch, _ in batches:
        rows = torch.cat([rows, model(batch, labels).softmax(dim=-1).cpu()])
        count = len(rows) // clips.views  # a batch may end amid a clip
        whole, rows = rows[: count * clips.views], rows[count * clips.views :]
        chances[done : done + count] = whole.unflatten(0, (count, clips.views)).mean(dim=1)
        done += count
    model.train(trained)
    chances = gathered(chances, len(clips), state)
    if (broken := ~chances.isfinite().all(dim=-1) & clips.seen).any():
        names = [clips.videos[i] for i in broken.nonzero()[:, 0].tolist()]
        lost = some(names, "clip's score is no number", "clips' scores are no numbers")
        source = ", ".join(map(str, clips.sources))
        raise BadInput(source, lost, "see what `alt-features verify` says of the features")
    chances[~clips.seen] = 0
    return chances


def right(chances: Tensor, clips: ClipSet, best: int = 1) -> Tensor:
    """Tell which clips have their label among the best.

    Args:
        chances: (N, C).
        clips: the N clips, labelled with indices into the same C labels.
        best: how many labels count.

    Returns:
        (N,) bool; False for a clip that could not be decoded, whatever its chances are.
    """
    found = chances.topk(min(best, chances.shape[1]), dim=-1).indices
    return (found == clips.labels[:, None]).any(dim=-1) & clips.seen


def measure(chances: Tensor, clips: ClipSet) -> Metrics:
    """Compare probabilities with the truth.

    Args:
        chances: (N, C).
        clips: the N clips, labelled with indices into the same C labels.
    """
    from torchmetrics.functional.classification import (  # seconds to import
        multiclass_calibration_error,
    )

    labels, truth = chances.shape[1], clips.labels
    first = right(chances, clips)
    # Labels without clips take part in the choice, and have no accuracy of their own.
    total, found = (torch.bincount(some, minlength=labels) for some in (truth, truth[first]))
    # All that it reads of a clip's labels is the best, which gets a rival that nobody chooses.
    best, said = (of_clips[clips.seen] for of_clips in chances.max(dim=-1))
    given, wrong = torch.stack([best, torch.zeros_like(best)], dim=-1), said != truth[clips.seen]
    calibration = multiclass_calibration_error(given, wrong.long(), num_classes=2, n_bins=15)
    return Metrics(
        top1=float(first.double().mean()),
        top5=float(right(chances, clips, best=5).double().mean()),
        mean_class=float((found[total > 0] / total[total > 0]).double().mean()),
        calibration_error=float(calibration) if len(given) else 0.0,
        clips=len(clips),
        failed=int((~clips.seen).sum()),
        labels=labels,
        list_hash=list_hash(clips.videos, [clips.classes[i] for i in truth.tolist()]),
    )


def evaluate(
    model: Recogniser,
    clips: ClipSet,
    labels: Tensor,
    batch_size: int = 32,
    tally: Tally | None = None,
) -> Metrics:
    """Score a recogniser on clips; `probabilities`, then `measure`.

    Args:
        model, batch_size, tally: as for `probabilities`.
        clips: N of them, labelled with indices into `labels` (`ClipSet.relabelled`).
        labels: (C, 2, D) unit rows, the texts of each of `clips.classes`.

    Raises:
        BadInput: the clips are labelled with other classes.
    """
    if len(labels) != len(clips.classes):
        cause = f"are labelled with {len(clips.classes)} classes, and choose among {len(labels)}"
        raise BadInput("clips", cause, "relabel them first (`ClipSet.relabelled`)")
    return measure(probabilities(model, clips, labels, batch_size, tally), clips)


def list_hash(videos: Sequence[str], labels: Sequence[str]) -> str:
    """Digest which videos, labelled how, in what order: 16 hex digits of SHA-256."""
    lines = "".join(f"{video}\t{label}\n" for video, label in zip(videos, labels, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def evaluate_run(
    run: "Run",
    features: Paths,
    labels: Labels | None = None,
    baselines: bool = True,
    batch_size: int = 32,
    tally: Tally | None = None,
) -> dict[str, Any]:
    """Score a trained run on caches.

    Args:
        run: the run.
        features: cache of the same backbone, or several; of one that has other splits too, its
            test split, or else its validation split.
        labels: a label set's name or file, or labels, to choose from in place of the run's own.
        baselines: also score mean-pooled CLIP on the same clips, and the difference.
        batch_size: views to a forward pass.
        tally: as for `open_clips`, and then as for `probabilities`, of the run and of CLIP.

    Returns:
        `Metrics`, which labels were chosen from, content hashes, rows left out and, for each
        baseline, its `Metrics` and the paired difference in top-1 (`adapter.statistics.paired`).

    Raises:
        BadInput: features of another backbone, classes that the labels lack.
    """
    clips = open_clips(features, scored=True, parts=SCORED, tally=tally)
    same_features(clips.facts, run.config.features, clips.sources[0])
    warn_of_trained(clips, run.videos, clips.sources[0])
    warn_of_choice(clips, run.val_videos, clips.sources[0])
    warn_of_repeats(clips)
    chosen = run.vocabulary.choose(labels, clips)
    clips = clips.relabelled(chosen.names, chosen.source)
    chances = probabilities(run.model, clips, chosen.text, batch_size, tally)
    result: dict[str, Any] = measure(chances, clips).model_dump() | {
        "run": str(run.folder),
        "method": run.config.model.method,
        "label_set": {"source": chosen.source, "hash": chosen.hash, "new": chosen.new},
        "prompts": list(run.config.prompts),
        "views": clips.facts.views,
        "contents": list(clips.contents),
        "left_out": dict(clips.left_out),
        "named_as_in_training": clips.named_as(run.videos),
        "named_as_in_validation": clips.named_as(run.val_videos),
    }
    if baselines:
        clip = MeanPooled(run.config.scale).to(chosen.text.device)
        theirs = probabilities(clip, clips, chosen.text, batch_size, tally)
        ours = right(chances, clips).double().numpy()
        difference = paired(ours, right(theirs, clips).double().numpy())
        result["baselines"] = {
            "clip": measure(theirs, clips).model_dump()
            | {"difference": difference.difference, "interval": difference.interval}
            | {"p": difference.p}
        }
    return result
