"""The training loop, the same for ALT and every baseline; a run is decided by its seed alone.

All that is random is drawn from generators seeded by (seed, epoch) for the order of clips and by
(seed, step) for noise, so a checkpoint needs no generator state, an interrupted run goes on exactly
as it would have, and a batch divided among processes or in parts gives the same step.
"""

import atexit
import hashlib
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from adapter.align import Align
from adapter.augment import draw_mix, drop_frames, drop_regions, move_frame
from adapter.clips import Clips
from adapter.data import ClipSet
from adapter.model import Recogniser
from adapter.processes import on_cpu, processes
from adapter.schedule import Average, groups, learning_rate, temperature
from adapter.shares import in_pairs, part_of
from corpus.errors import BadInput, RunFailed
from corpus.tally import Tally, tallied

_EPOCHS, _STEPS = 60, 240  # at least, where nothing is said


class TrainConfig(BaseModel):
    """All that decides a training run besides the model and the data.

    Attributes:
        epochs: passes over the training clips; by default 60, and more where clips are so few that
            these would not be 240 steps.
        batch_size: clips to a step, over all processes together.
        lr: peak learning rate of AdamW, by default what suits the method (`Recogniser.lr`); it
            rises over `warmup` of all steps, then falls to a hundredth along a cosine.
        fast: factor on the learning rate of the scale of cosines, and of the gate if there is one.
        weight_decay: on matrices only.
        warmup: share of all steps.
        label_smoothing: share of a label's weight that goes to all labels.
        clip_norm: largest norm of a gradient.
        frame_dropout, region_dropout: shares left out of each clip (adapter.augment).
        mirror: see half of the clips mirrored; not for labels that tell left from right.
        reframe: spread of a random zoom and shift of each clip, in half frames.
        mixup: alpha of MixUp of two clips, which helps most when clips are few; 0 for none.
        temperature, temperature_end: of the choice of entities where it is soft or projections
            are learned (`ModelConfig.align`, `project`), at first and at last; equal factors
            between.
        accumulate: forward passes that a batch is divided among; the step is that of the whole.
        ema: decay of the average of weights that is validated and saved; 0 for the weights.
        patience: epochs without a better one, by the validation clips, after which training
            stops; 0 for never.
        precision: of the forward pass; "auto" is bfloat16 on a GPU and float32 on a CPU.
        seed: of weights, order, noise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    epochs: int | None = Field(default=None, ge=1, le=1_000_000)
    batch_size: int = Field(default=64, ge=1, le=1_000_000)
    lr: float | None = Field(default=None, gt=0, le=1000)
    fast: float = Field(default=30.0, gt=0, le=1e6)
    weight_decay: float = Field(default=0.05, ge=0, le=1e6)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)
    frame_dropout: float = Field(default=0.1, ge=0, lt=1)
    region_dropout: float = Field(default=0.0, ge=0, lt=1)
    mirror: bool = True
    reframe: float = Field(default=0.15, ge=0, lt=1)
    mixup: float = Field(default=0.4, ge=0, le=1e6)
    temperature: float = Field(default=1.0, ge=1e-4, le=1e4)
    temperature_end: float = Field(default=1.0, ge=1e-4, le=1e4)
    accumulate: int = Field(default=1, ge=1, le=10_000)
    ema: float = Field(default=0.0, ge=0, lt=1)
    patience: int = Field(default=0, ge=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = Field(default=0, ge=0, lt=2**63)

    def passes(self, clips: int) -> int:
        """Return how many epochs there are over so many clips."""
        return self.epochs or max(_EPOCHS, math.ceil(_STEPS / math.ceil(clips / self.batch_size)))

    def check(self, validated: bool) -> None:
        """Refuse patience where there is nothing to validate with, and to train without gradients.

        Raises:
            BadInput: so it is.
        """
        if not torch.is_grad_enabled():
            mend = "call it outside of torch.no_grad and inference_mode"
            raise BadInput("training", "gradients are switched off here", mend)
        if self.patience and not validated:
            raise BadInput("patience", "needs validation clips", "give --val, or leave it out")


@dataclass
class Progress:
    """Where a run stands after an epoch; its attributes are what a checkpoint holds.

    Attributes:
        epoch: epochs done.
        weights: of the model now.
        average: of the weights so far, where it is kept.
        optimizer: AdamW's state.
        history: a record for each epoch done.
        best: weights (their average, where it is kept) of the best epoch so far: by top-1 on the
            validation clips, then by loss there; without validation clips, the last.
        best_epoch: which that is, counted from one.
    """

    epoch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0

    @property
    def last(self) -> dict[str, Tensor]:
        """Weights of the last epoch as they are to be used: their average, where it is kept."""
        return self.average or self.weights


def fit(
    model: Recogniser,
    clips: ClipSet,
    labels: Tensor,
    config: TrainConfig,
    val: ClipSet | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    tally: Tally | None = None,
) -> Iterator[Progress]:
    """Train a recogniser; the caller decides what to do after each epoch.

    Args:
        model: untrained, or to go on from `progress`. It is trained in place.
        clips: to train on; their labels are indices into `labels`.
        labels: (C, 2, D) unit rows (`adapter.text`).
        config: how.
        val: clips to choose the best epoch by, with the same labels.
        device: "cpu", "cuda" or "auto".
        progress: of an interrupted run with the same arguments.
        tally: called with each batch of an epoch, and then with each of its validation.

    Yields:
        The run's progress after each epoch, with weights on the CPU; the optimiser's state is the
        live one, to be saved before the next epoch is asked for. The same arguments and number of
        threads give the same bits on a CPU, in one go or resumed; not so of two trainings at once
        in one process, as PyTorch's generator is one.

    Raises:
        BadInput: no clips, labels that are not those of the clips, patience without validation
            clips, or gradients are switched off.
        RunFailed: training diverged.
    """
    config.check(val is not None)
    if not len(clips) or len(labels) != len(clips.classes):
        cause = f"are {len(clips)}, of {len(clips.classes)} classes, for {len(labels)} labels"
        raise BadInput("clips", cause, "give some, relabelled as the labels (`relabelled`)")
    accelerator = open_accelerator(device)
    progress = progress or Progress()
    if progress.weights:
        model.load_state_dict(progress.weights)
    moving, peak = groups(model, config.weight_decay, config.fast), config.lr or model.lr
    optimizer = torch.optim.AdamW(moving, lr=peak, betas=(0.9, 0.98))
    if progress.optimizer:
        optimizer.load_state_dict(progress.optimizer)
    trained, optimizer = accelerator.prepare(model, optimizer)
    clips = clips.to(accelerator.device)
    labels = labels.to(accelerator.device)
    per_epoch = math.ceil(len(clips) / config.batch_size)
    epochs = config.passes(len(clips))
    steps, done = epochs * per_epoch, progress.epoch * per_epoch
    average = Average(model, config.ema, progress.average, done) if config.ema else None
    scored = average.model if average else model
    gpus = [accelerator.device] if accelerator.device.type == "cuda" else []
    history, best, best_epoch = list(progress.history), progress.best, progress.best_epoch
    for epoch in range(progress.epoch, epochs):
        if config.patience and epoch - best_epoch >= config.patience:
            break
        order = torch.Generator().manual_seed(_derived(config.seed, epoch, "order"))
        model.train()
        losses, norms = [], []
        batches = _batches(clips, config.batch_size, order, accelerator)
        batches = tallied(batches, per_epoch, tally)
        with torch.random.fork_rng(gpus):  # what the caller draws next is not ours to decide
            for step, batch in enumerate(batches, start=epoch * per_epoch):
                factor = learning_rate(step, steps, config.warmup)
                for group in optimizer.param_groups:
                    group["lr"] = peak * group["factor"] * factor
                _set_temperature(
                    model, temperature(step, steps, config.temperature, config.temperature_end)
                )
                losses.append(_gradient(trained, batch, labels, config, step, accelerator))
                norms.append(accelerator.clip_grad_norm_(trained.parameters(), config.clip_norm))
                optimizer.step()
                optimizer.zero_grad()
                if average:
                    average.update(model)
        record = {
            "epoch": epoch + 1,
            "loss": float(accelerator.reduce(torch.stack(losses).mean(), "mean")),
            "gradient_norm": float(torch.stack(norms).mean()),
        }
        weights = _kept(model)
        if not (math.isfinite(record["loss"]) and all(map(_finite, weights.values()))):
            raise RunFailed(
                f"epoch {epoch + 1}",
                "training diverged: its loss or its weights are no finite numbers",
                "lower lr or mixup, or see what `alt-features verify` says of the features",
            )
        if val is not None:
            record |= _validate(scored, val, labels, config.batch_size, tally)  # type: ignore[arg-type]
        history.append(record)
        averaged = _kept(average.model) if average else {}
        if val is None or record == max(history, key=_merit):
            best, best_epoch = averaged or weights, epoch + 1
        yield Progress(
            epoch + 1, weights, averaged, optimizer.state_dict(), list(history), best, best_epoch
        )
    if gpus:  # elsewhere it only collects garbage, which takes as long as a short training
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
    """Open accelerate on "cpu", "cuda" or, for "auto", on what there is."""
    # Buffers are the same in all processes, and need not be sent.
    handler = DistributedDataParallelKwargs(broadcast_buffers=False)
    processes(device)  # which accelerate keeps to
    accelerator = Accelerator(cpu=on_cpu(device), kwargs_handlers=[handler])
    if accelerator.num_processes > 1:
        # A process that ends with its threads of communication alive may abort: "terminate called
        # without an active exception". Registered once, however often this is called.
        atexit.unregister(_leave_group)
        atexit.register(_leave_group)
    return accelerator


def _leave_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class _Batch(NamedTuple):
    """A process's part of a batch.

    Attributes:
        clips, target: the part and its labels.
        whole: clips in the batch.
        rows: which of them the part is.
        weight: of the part's mean loss among those of all processes.
    """

    clips: Clips
    target: Tensor
    whole: int
    rows: slice
    weight: float


def _batches(
    clips: ClipSet, size: int, draw: torch.Generator, accelerator: Accelerator
) -> Iterator[_Batch]:
    """Yield this process's part of each batch."""
    order = torch.randperm(len(clips), generator=draw)
    views = torch.randint(clips.views, (len(clips),), generator=draw)
    rank, world = accelerator.process_index, accelerator.num_processes
    parts, places = [], []
    for batch in (order * clips.views + views).split(size):
        rows = in_pairs(len(batch), world)[rank]
        weight = (rows.stop - rows.start) * world / len(batch)
        # A process with no clip of a short last batch reads one at weight zero: the others wait
        # for its gradient.
        rows = rows if weight else slice(0, 1)
        parts.append(batch[rows])
        places.append((len(batch), rows, weight))
    batches = clips.batches(parts, accelerator.device)
    for place, (own, target) in zip(places, batches, strict=True):
        yield _Batch(own, target, *place)


def _gradient(
    model: nn.Module,
    batch: _Batch,
    labels: Tensor,
    config: TrainConfig,
    step: int,
    accelerator: Accelerator,
) -> Tensor:
    """Add up the gradient of a batch, in `config.accumulate` parts; return its loss."""
    clips, target, whole, rows, weight = batch
    loss = torch.zeros((), device=target.device)
    on_gpu = target.device.type == "cuda"
    halved = config.precision == "bfloat16" or (config.precision == "auto" and on_gpu)
    parts = [part for part in in_pairs(len(target), config.accumulate) if part.stop > part.start]
    for number, part in enumerate(parts):
        size = part.stop - part.start
        # Processes exchange gradients once, with the last part.
        last = number == len(parts) - 1
        torch.manual_seed(_derived(config.seed, step, "noise"))
        with (
            part_of(whole, slice(rows.start + part.start, rows.start + part.stop)),
            nullcontext() if last else accelerator.no_sync(model),
        ):
            some = clips.map(lambda tensor, part=part: tensor[part])  # type: ignore[misc]
            some = drop_frames(some, config.frame_dropout)
            some = drop_regions(some, config.region_dropout)
            some = move_frame(some, config.mirror, config.reframe)
            mix = draw_mix(size, config.mixup)
            with torch.autocast(target.device.type, torch.bfloat16, enabled=halved):
                logits = model(some, labels, mix)
            share = weight * size / len(target)
            partial = share * _loss(logits, target[part], mix, config.label_smoothing)
            accelerator.backward(partial)
        loss += partial.detach()
    return loss


def _set_temperature(model: nn.Module, value: float) -> None:
    for module in model.modules():
        if isinstance(module, Align):
            module.temperature.fill_(value)


def _kept(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def _finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())


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
    model: Recogniser, clips: ClipSet, labels: Tensor, batch_size: int, tally: Tally | None = None
) -> dict[str, float]:
    from adapter.evaluate import probabilities

    chances = probabilities(model, clips, labels, batch_size, tally)
    right = (chances.argmax(dim=-1) == clips.labels) & clips.seen
    own = chances.gather(1, clips.labels[:, None])[clips.seen].clamp_min(1e-12)
    return {"val_top1": float(right.float().mean()), "val_loss": float(-own.log().mean())}


def _merit(record: dict[str, float]) -> tuple[float, float]:
    return record["val_top1"], -record["val_loss"]


def _derived(seed: int, number: int, what: str) -> int:
    """Derive a seed for one purpose; neighbouring seeds and numbers share nothing."""
    digest = hashlib.sha256(f"{seed} {number} {what}".encode()).digest()
    return int.from_bytes(digest[:6], "big")
