"""The training loop, the same for ALT and every baseline; a run is decided by its seed alone.

All that is random in an epoch is drawn from generators seeded by (seed, epoch), so a checkpoint
needs no generator state, and an interrupted run goes on exactly as it would have.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.augment import draw_mix, drop_frames, drop_regions
from adapter.data import ClipSet
from adapter.model import Clips, Recogniser

# Parameters with one value for all of the space: a plain step would take them nowhere.
_FAST = ("gate", "log_scale")


class TrainConfig(BaseModel):
    """All that decides a training run besides the model and the data.

    Attributes:
        epochs: passes over the training clips.
        batch_size: clips to a step, over all processes together.
        lr: peak learning rate of AdamW; it rises over `warmup` of all steps, then falls to a
            hundredth along a cosine.
        fast: factor on the learning rate of the gate and of the scale of cosines.
        weight_decay: on matrices only.
        warmup: share of all steps.
        label_smoothing: share of a label's weight that goes to all labels.
        clip_norm: largest norm of a gradient.
        frame_dropout, region_dropout: shares left out of each clip (adapter.augment).
        mixup: alpha of MixUp on clip embeddings; 0 for none.
        seed: of weights, order, noise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=32, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    fast: float = Field(default=10.0, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)
    frame_dropout: float = Field(default=0.1, ge=0, lt=1)
    region_dropout: float = Field(default=0.2, ge=0, lt=1)
    mixup: float = Field(default=0.0, ge=0)
    seed: int = Field(default=0, ge=0)


@dataclass
class Progress:
    """Where a run stands after an epoch; `state_dict` is what a checkpoint holds.

    Attributes:
        epoch: epochs done.
        weights: of the model now.
        optimizer: AdamW's state.
        history: a record for each epoch done.
        best: weights of the best epoch so far: by top-1 on the validation clips, then by loss
            there; without validation clips, the last.
        best_epoch: which that is, counted from one.
    """

    epoch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0


def fit(
    model: Recogniser,
    clips: ClipSet,
    labels: Tensor,
    config: TrainConfig,
    val: ClipSet | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Iterator[Progress]:
    """Train a recogniser; the caller decides what to do after each epoch.

    Args:
        model: untrained, or to go on from `progress`. It is trained in place.
        clips: to train on; their labels are indices into `labels`.
        labels: (C, D) unit rows.
        config: how.
        val: clips to choose the best epoch by, with the same labels.
        device: "cpu", "cuda" or "auto"; on a GPU the forward pass is in bfloat16.
        progress: of an interrupted run with the same arguments.

    Yields:
        The run's progress after each epoch, with weights on the CPU; the optimiser's state is the
        live one, to be saved before the next epoch is asked for. The same arguments give the
        same bits on a CPU, in one go or resumed.
    """
    accelerator = open_accelerator(device)
    progress = progress or Progress()
    if progress.weights:
        model.load_state_dict(progress.weights)
    optimizer = torch.optim.AdamW(_groups(model, config), lr=config.lr, betas=(0.9, 0.98))
    if progress.optimizer:
        optimizer.load_state_dict(progress.optimizer)
    trained, optimizer = accelerator.prepare(model, optimizer)
    labels = labels.to(accelerator.device)
    steps = math.ceil(len(clips) / config.batch_size)
    history, best, best_epoch = list(progress.history), progress.best, progress.best_epoch
    for epoch in range(progress.epoch, config.epochs):
        order = torch.Generator().manual_seed(_derived(config.seed, epoch, "order"))
        own = f"process {accelerator.process_index}"
        noise = torch.Generator().manual_seed(_derived(config.seed, epoch, f"{own} features"))
        # The model's own noise, of dropout and Gumbel, comes from the global generators.
        torch.manual_seed(_derived(config.seed, epoch, f"{own} model"))
        model.train()
        losses, norms = [], []
        for step, (batch, target, share) in enumerate(_batches(clips, config, order, accelerator)):
            factor = _schedule(epoch * steps + step, config.epochs * steps, config.warmup)
            for group in optimizer.param_groups:
                group["lr"] = config.lr * group["factor"] * factor
            batch = drop_frames(batch, config.frame_dropout, noise)
            batch = drop_regions(batch, config.region_dropout, noise)
            mix = draw_mix(len(target), config.mixup, noise)
            logits = trained(batch, labels, mix)
            loss = share * _loss(logits, target, mix, config.label_smoothing)
            accelerator.backward(loss)
            norms.append(accelerator.clip_grad_norm_(trained.parameters(), config.clip_norm))
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
        record = {
            "epoch": epoch + 1,
            "loss": float(accelerator.reduce(torch.stack(losses).mean(), "mean")),
            "gradient_norm": float(torch.stack(norms).mean()),
        }
        if hasattr(model, "gate"):
            record["gate"] = float(model.gate.detach().abs().mean())  # type: ignore[operator]
        if val is not None:
            record |= _validate(model, val, labels, config.batch_size)
        history.append(record)
        weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        if val is None or record == max(history, key=_merit):
            best, best_epoch = weights, epoch + 1
        yield Progress(epoch + 1, weights, optimizer.state_dict(), list(history), best, best_epoch)
    accelerator.free_memory()


def train(
    model: Recogniser,
    clips: ClipSet,
    labels: Tensor,
    config: TrainConfig,
    val: ClipSet | None = None,
    device: str = "cpu",
) -> Progress:
    """Run `fit` to its end and leave the best weights in the model."""
    for progress in fit(model, clips, labels, config, val, device):  # noqa: B007
        pass
    model.load_state_dict(progress.best)
    return progress


def open_accelerator(device: str) -> Accelerator:
    """Open accelerate on "cpu", "cuda" or, for "auto", on what there is; bfloat16 on a GPU."""
    cpu = device == "cpu" or not torch.cuda.is_available()
    return Accelerator(cpu=cpu, mixed_precision="no" if cpu else "bf16")


def _batches(
    clips: ClipSet, config: TrainConfig, draw: torch.Generator, accelerator: Accelerator
) -> Iterator[tuple[Clips, Tensor, float]]:
    """Yield this process's part of each batch, and the weight of its mean loss among all."""
    order = torch.randperm(len(clips), generator=draw)
    views = torch.randint(clips.views, (len(clips),), generator=draw)
    rank, world = accelerator.process_index, accelerator.num_processes
    parts, shares = [], []
    for part in (order * clips.views + views).split(config.batch_size):
        own = part[rank::world]
        shares.append(len(own) * world / len(part))
        # A process with no clip of a short last batch reads one at weight zero: the others wait
        # for its gradient.
        parts.append(own if len(own) else part[:1])
    for share, (batch, target) in zip(shares, clips.batches(parts), strict=True):
        yield batch.to(accelerator.device), target.to(accelerator.device), share


def _loss(
    logits: Tensor, target: Tensor, mix: tuple[Tensor, float] | None, smoothing: float
) -> Tensor:
    loss = F.cross_entropy(logits, target, label_smoothing=smoothing)
    if mix is None:
        return loss
    other, share = mix
    mixed = F.cross_entropy(logits, target[other.to(target.device)], label_smoothing=smoothing)
    return share * loss + (1 - share) * mixed


@torch.inference_mode()
def _validate(
    model: Recogniser, clips: ClipSet, labels: Tensor, batch_size: int
) -> dict[str, float]:
    from adapter.evaluate import probabilities

    chances = probabilities(model, clips, labels, batch_size)
    right = chances.argmax(dim=-1) == clips.labels
    own = chances.gather(1, clips.labels[:, None]).clamp_min(1e-12)
    return {"val_top1": float(right.float().mean()), "val_loss": float(-own.log().mean())}


def _merit(record: dict[str, float]) -> tuple[float, float]:
    return record["val_top1"], -record["val_loss"]


def _groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Divide the parameters: matrices decay, vectors do not, and single numbers move faster."""
    matrices: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    fast: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        if name in _FAST:
            fast.append(weight)
        else:
            (matrices if weight.ndim > 1 else vectors).append(weight)
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay, "factor": 1.0},
        {"params": vectors, "weight_decay": 0.0, "factor": 1.0},
        {"params": fast, "weight_decay": 0.0, "factor": config.fast},
    ]
    return [group for group in groups if group["params"]]


def _schedule(step: int, steps: int, warmup: float) -> float:
    """Factor on the learning rate: a linear rise, then a cosine to a hundredth."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    done = (step - rise) / max(1.0, steps - rise)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2


def _derived(seed: int, epoch: int, what: str) -> int:
    """Derive a seed for one purpose; neighbouring seeds and epochs share nothing."""
    digest = hashlib.sha256(f"{seed} {epoch} {what}".encode()).digest()
    return int.from_bytes(digest[:6], "big")
