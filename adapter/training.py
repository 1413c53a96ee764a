"""Train a recogniser into a run folder (`adapter.runs`), so that a killed run can go on."""

import io
import platform
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from adapter.alignment import alignment
from adapter.baselines import MeanPooled, build, settled
from adapter.card import card
from adapter.data import ClipSet
from adapter.evaluate import evaluate
from adapter.model import ModelConfig, Recogniser
from adapter.nearest import as_read
from adapter.processes import main_process
from adapter.runs import LABELS, Named, RunConfig, read_config, unfinished
from adapter.schedule import groups
from adapter.task import Task
from adapter.train import Progress, TrainConfig, fit
from corpus.atomic import atomic_file, write_json
from corpus.errors import BadInput
from corpus.tally import Tally
from extract.shards import differs

# In this order before the config: a run that was killed until then leaves the first of these.
_FIRST = ("entities.jsonl", "videos.json", "val_videos.json")


def train_run(
    task: Task,
    model: ModelConfig,
    train: TrainConfig,
    out: Path | str,
    device: str = "cpu",
    resume: bool = False,
    report: Callable[[dict[str, float]], None] | None = None,
    tally: Tally | None = None,
) -> dict[str, Any]:
    """Train a recogniser into a run folder.

    Args:
        task: data, labels, corpus.
        model, train: the recogniser and its training.
        out: the run folder; new, or unfinished when `resume`.
        device: "cpu", "cuda" or "auto".
        resume: go on from the last whole epoch, or begin where nothing was begun, with a warning.
            The result is what it would have been.
        report: called with each epoch's record.
        tally: called with each batch: as the nearest entities are looked up (`adapter.nearest`), of
            each epoch and of its validation, and of the scores at the end.

    Returns:
        What metrics.json holds.

    Raises:
        BadInput: `out` holds a run already, or something else; the one to resume is finished, or
            was started with other settings; patience without validation clips; gradients are
            switched off.
        RunFailed: training diverged.
    """
    from torch.utils.tensorboard import SummaryWriter

    out = Path(out)
    train.check(task.val is not None)
    train = settled(train, model.method, len(task.clips))
    config, progress = _config(task, model, train), Progress()
    recogniser = build(model, task.entities, task.clips.facts.regions, config.scale, train.seed)
    if resume and not (out / "config.json").exists():
        warnings.warn(f"{out}: no run was begun there yet; this begins one", stacklevel=2)
        resume = False
    if resume:
        progress = _resumed(out, config, recogniser)
    elif main_process():
        check_target(out)
    clips = as_read(task, model, device, tally)
    if main_process() and not resume:
        _start(out, config, task)
    epochs = fit(recogniser, clips, task.labels, train, task.val, device, progress, tally)
    events = None
    if main_process():
        events = SummaryWriter(str(out / "events"), purge_step=progress.epoch + 1)
    try:
        for progress in epochs:
            if events is None:
                continue
            _save_checkpoint(out / "checkpoint.pt", progress)
            record = progress.history[-1]
            for name, value in record.items():
                events.add_scalar(name, value, progress.epoch)
            if report is not None:
                report(record)
    finally:
        if events is not None:
            events.close()
    return _finish(out, progress, recogniser, config, task, clips, tally)


def free_name(root: Path, name: str, resume: bool = False) -> Path:
    """Return root/name, or root/name-2 and so on: the first that is free, or the last to resume."""
    number, found = 1, root / name
    while (following := found).exists():
        number += 1
        found = root / f"{name}-{number}"
        if resume and not found.exists():
            return following
    return found


def _config(task: Task, model: ModelConfig, train: TrainConfig) -> RunConfig:
    return RunConfig(
        model=model,
        train=train,
        labels=task.clips.classes,
        prompts=task.prompts,
        scale=task.backbone.logit_scale,
        corpus=task.corpus.id,
        features=task.clips.facts,
        contents=task.clips.contents,
        val_contents=task.val.contents if task.val is not None else (),
        clips=len(task.clips),
        val_clips=len(task.val) if task.val is not None else 0,
        validation=task.validation,
        left_out=dict(task.clips.left_out),
        val_left_out=task.val_left_out,
        versions={
            "python": platform.python_version(),
            "alt-video": version("alt-video"),
            "torch": torch.__version__,
        },
    )


def check_target(out: Path) -> None:
    """Refuse a folder that holds a run, or anything else that a run would lie among.

    Raises:
        BadInput: it does, or is a file.
    """
    if (out / "config.json").exists() and (out / "videos.json").exists():
        more = unfinished(out)
        raise BadInput(
            out,
            f"holds {'an unfinished' if more else 'a'} run already",
            "use --resume, or another --out" if more else "use another --out",
        )
    if out.exists() and not out.is_dir():
        raise BadInput(out, "is a file", "use another --out")
    held = {path.name for path in out.iterdir()} if out.is_dir() else set()
    held = {name for name in held if not name.startswith(".")}
    if held not in [set(_FIRST[:count]) for count in range(len(_FIRST) + 1)]:
        cause = f"holds something that is no run ({', '.join(sorted(held)[:3])})"
        raise BadInput(out, cause, "use another --out")


def _start(out: Path, config: RunConfig, task: Task) -> None:
    """Make a new run folder."""
    check_target(out)  # once more: alignment may have been looked up for hours
    out.mkdir(parents=True, exist_ok=True)
    with atomic_file(out / "entities.jsonl") as draft:
        draft.write_text("".join(f"{name.model_dump_json()}\n" for name in _names(task)), "utf-8")
    write_json(out / "videos.json", task.clips.videos)
    write_json(out / "val_videos.json", task.val.videos if task.val is not None else ())
    write_json(out / "config.json", config.model_dump(mode="json"))


def _names(task: Task) -> list[Named]:
    return [Named.model_validate(vars(entity)) for entity in task.corpus.entities]


def _settings(config: RunConfig) -> dict[str, Any]:
    """What a run was asked for, that of its parts under names as in "train.epochs"."""
    facts: dict[str, Any] = {}
    for name, value in config.model_dump(mode="json", exclude={"versions"}).items():
        parts = value if isinstance(value, dict) else {}
        facts |= {f"{name}.{part}": of for part, of in parts.items()} or {name: value}
    return facts


def _resumed(out: Path, config: RunConfig, model: Recogniser) -> Progress:
    """Read the checkpoint of an unfinished run that was started with the same settings.

    Its weights are loaded into `model`, which shows whether they are a recogniser's like it.
    """
    started = read_config(out)
    if not unfinished(out):
        raise BadInput(out, "is finished: nothing to resume", "use another --out")
    ours, theirs = _settings(config), _settings(started)
    if ours != theirs:
        cause = f"was started with other settings ({differs(theirs, ours)})"
        mend = "resume with the command that started it, or use another --out"
        raise BadInput(out, cause, mend)
    if not (out / "checkpoint.pt").is_file():
        return Progress()  # stopped before the first epoch was over
    try:
        state = torch.load(out / "checkpoint.pt", map_location="cpu", weights_only=True)
        progress = Progress(**state)
        _check(progress, config, model)
        return progress
    except Exception as error:
        raise BadInput(
            out / "checkpoint.pt", "is damaged, and the run cannot go on", "start it again"
        ) from error


def _check(progress: Progress, config: RunConfig, model: Recogniser) -> None:
    """Refuse what no training of such a recogniser can have come to.

    Raises:
        Exception: of any class; it is.
    """
    most = config.train.passes(config.clips)
    if not 1 <= progress.best_epoch <= progress.epoch == len(progress.history) <= most:
        raise ValueError("its epochs are not those of its history")
    optimizer = torch.optim.AdamW(groups(model, config.train.weight_decay, config.train.fast))
    optimizer.load_state_dict(progress.optimizer)
    for weight, state in optimizer.state.items():
        if state["exp_avg"].shape != weight.shape:
            raise ValueError("its optimiser's state is of other weights")
    for weights in (progress.best, progress.last, progress.weights):
        model.load_state_dict(weights)
        if not all(weight.isfinite().all() for weight in weights.values()):
            raise ValueError("its weights are not finite")


def _save_checkpoint(path: Path, progress: Progress) -> None:
    # In memory first: torch's own writer tells of a full disk in words for its developers.
    content = io.BytesIO()
    torch.save(vars(progress), content)
    with atomic_file(path) as draft:
        draft.write_bytes(content.getbuffer())


def _finish(
    out: Path,
    progress: Progress,
    model: Recogniser,
    config: RunConfig,
    task: Task,
    clips: ClipSet,
    tally: Tally | None,
) -> dict[str, Any]:
    """Write weights and metrics, then drop the checkpoint: the run is whole from then on."""
    model.load_state_dict(progress.best)
    metrics: dict[str, Any] = {"best_epoch": progress.best_epoch, "history": progress.history}
    if task.val is not None:
        clip = MeanPooled(task.backbone.logit_scale).to(model.log_scale.device)
        # All processes score; one writes.
        for name, one in (("validation", model), ("validation_clip", clip)):
            metrics[name] = evaluate(one, task.val, task.labels, tally=tally).model_dump()
    if not main_process():
        return metrics
    # Shuffled, regions take other words than those of the entities that they align with.
    shuffled = config.model.method == "alt-shuffled"
    aligned = None if shuffled else alignment(clips, _names(task))
    if aligned is not None:
        metrics["alignment"] = aligned.model_dump(mode="json")
    for name, weights in (("last", progress.last), ("adapter", progress.best)):
        with atomic_file(out / f"{name}.safetensors") as draft:
            draft.write_bytes(save({**weights, LABELS: task.labels}))
    write_json(out / "metrics.json", metrics)
    with atomic_file(out / "README.md") as draft:
        draft.write_text(card(config, metrics), encoding="utf-8")
    (out / "checkpoint.pt").unlink(missing_ok=True)
    return metrics
