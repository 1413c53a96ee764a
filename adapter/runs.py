"""The run folder: a trained recogniser with all that is needed to use it, and where it comes from.

config.json          what decided the run
adapter.safetensors  weights of the best epoch, and the text embeddings of the labels
last.safetensors     the same of the last epoch
entities.jsonl       what each row of the corpus in the weights is called
metrics.json         scores and history
events/              TensorBoard
checkpoint.pt        only while the run is unfinished
"""

import io
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from adapter.baselines import build
from adapter.evaluate import evaluate
from adapter.labelling import Vocabulary
from adapter.model import ModelConfig, Recogniser
from adapter.task import Task, Validation, backbone_of
from adapter.train import Progress, TrainConfig, fit
from corpus.atomic import atomic_file, write_json
from corpus.errors import BadInput
from extract.store import CacheManifest

SCHEMA_VERSION = 1
_LABELS = "label_text"


class RunConfig(BaseModel):
    """What decided a run; with the same features it can be run again.

    Attributes:
        schema_version: of the run folder.
        model, train: the recogniser and its training.
        labels: names, in the order of the classifier.
        prompts: that the labels were put into.
        scale: of the backbone's cosines.
        corpus: id of the text corpus.
        features: manifest of the first cache trained on: backbone, merging, preprocessing.
        clips, val_clips: how many were trained on and validated on.
        validation: where the latter come from.
        left_out: rows not used, by reason.
        versions: of what made it.
    """

    model_config = ConfigDict(frozen=True)
    schema_version: int = SCHEMA_VERSION
    model: ModelConfig
    train: TrainConfig
    labels: tuple[str, ...]
    prompts: tuple[str, ...]
    scale: float
    corpus: str
    features: CacheManifest
    clips: int
    val_clips: int
    validation: Validation
    left_out: dict[str, int]
    versions: dict[str, str]


class Named(BaseModel):
    """What a row of the corpus is called."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    unit: str
    kind: str
    description: str
    synset: str | None = None


@dataclass(frozen=True)
class Run:
    """A trained recogniser, ready to use.

    Attributes:
        folder: where it was read from.
        config: what decided it.
        model: in eval mode.
        labels: (C, D) unit rows, texts of `config.labels`.
        entities: names of the K rows of the corpus.
    """

    folder: Path
    config: RunConfig
    model: Recogniser
    labels: Tensor
    entities: tuple[Named, ...]

    @property
    def vocabulary(self) -> Vocabulary:
        """The run's labels, and the way to new ones."""
        return Vocabulary(
            self.config.labels,
            self.labels,
            self.config.prompts,
            lambda: backbone_of(self.config.features, self.folder, str(self.labels.device)),
        )

    @classmethod
    def load(cls, folder: Path | str, device: str = "cpu") -> "Run":
        """Read a run folder; nothing else is needed.

        Raises:
            BadInput: not a run folder, unfinished, damaged, or of another schema.
        """
        folder = Path(folder)
        config = read_config(folder)
        try:
            lines = (folder / "entities.jsonl").read_text(encoding="utf-8").splitlines()
            entities = tuple(Named.model_validate_json(line) for line in lines)
            with safe_open(folder / "adapter.safetensors", framework="pt") as file:
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            labels = weights.pop(_LABELS)
            dim, regions = config.features.dim, config.features.regions
            blank = torch.zeros(len(entities), dim)
            model = build(config.model, blank, regions, config.scale)
            model.load_state_dict(weights)
        except FileNotFoundError as error:
            unfinished = (folder / "checkpoint.pt").is_file()
            raise BadInput(
                folder,
                f"{Path(error.filename or 'adapter.safetensors').name} is missing",
                "finish the run with train --resume" if unfinished else "train again",
            ) from error
        except (SafetensorError, ValidationError, KeyError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise BadInput(folder, f"the run is damaged ({reason})", "train again") from error
        return cls(folder, config, model.to(device).eval(), labels.to(device), entities)


def read_config(folder: Path) -> RunConfig:
    """Read a run's config.json.

    Raises:
        BadInput: no such run, or of another schema.
    """
    path = folder / "config.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        found = facts.get("schema_version")
        if found != SCHEMA_VERSION:
            raise BadInput(
                folder, f"is a run of schema {found}, not {SCHEMA_VERSION}", "train again"
            )
        return RunConfig.model_validate(facts)
    except OSError as error:
        raise BadInput(folder, "is not a run folder (no config.json)", "train one") from error
    except (ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(path, f"is damaged ({reason})", "train again") from error


def train_run(
    task: Task,
    model: ModelConfig,
    train: TrainConfig,
    out: Path,
    device: str = "cpu",
    resume: bool = False,
    report: Callable[[dict[str, float]], None] | None = None,
) -> dict[str, Any]:
    """Train a recogniser into a run folder.

    Args:
        task: data, labels, corpus.
        model, train: the recogniser and its training.
        out: the run folder; new, or unfinished when `resume`.
        device: "cpu", "cuda" or "auto".
        resume: go on from the last whole epoch. The result is what it would have been.
        report: called with each epoch's record.

    Returns:
        What metrics.json holds.

    Raises:
        BadInput: `out` holds a run already; nothing to resume; started with other settings.
    """
    from torch.utils.tensorboard import SummaryWriter

    config = _config(task, model, train)
    progress = _resumed(out, config) if resume else _started(out, config, task)
    recogniser = build(model, task.entities, task.clips.facts.regions, config.scale, train.seed)
    events = SummaryWriter(str(out / "events"), purge_step=progress.epoch + 1)
    epochs = fit(recogniser, task.clips, task.labels, train, task.val, device, progress)
    for progress in epochs:
        _save_checkpoint(out / "checkpoint.pt", progress)
        record = progress.history[-1]
        for name, value in record.items():
            events.add_scalar(name, value, progress.epoch)
        if report is not None:
            report(record)
    events.close()
    return _finish(out, progress, recogniser, task)


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
        clips=len(task.clips),
        val_clips=len(task.val) if task.val is not None else 0,
        validation=task.validation,
        left_out=dict(task.clips.left_out),
        versions={
            "python": platform.python_version(),
            "alt-video": version("alt-video"),
            "torch": torch.__version__,
        },
    )


def _started(out: Path, config: RunConfig, task: Task) -> Progress:
    """Make a new run folder."""
    if (out / "config.json").exists():
        unfinished = (out / "checkpoint.pt").exists()
        raise BadInput(
            out,
            f"holds {'an unfinished' if unfinished else 'a'} run already",
            "use --resume, or another --out" if unfinished else "use another --out",
        )
    out.mkdir(parents=True, exist_ok=True)
    with atomic_file(out / "entities.jsonl") as draft:
        names = [Named.model_validate(vars(entity)) for entity in task.corpus.entities]
        draft.write_text("".join(f"{name.model_dump_json()}\n" for name in names), "utf-8")
    write_json(out / "config.json", config.model_dump(mode="json"))
    return Progress()


def _resumed(out: Path, config: RunConfig) -> Progress:
    """Read the checkpoint of an unfinished run that was started with the same settings."""
    started = read_config(out)
    if not (out / "checkpoint.pt").is_file():
        if (out / "adapter.safetensors").is_file():
            raise BadInput(out, "is finished: nothing to resume", "use another --out")
        return Progress()  # stopped before the first epoch was over
    ours, theirs = (c.model_dump(exclude={"versions"}) for c in (config, started))
    other = [name for name in ours if ours[name] != theirs[name]]
    if other:
        raise BadInput(
            out,
            f"was started with another {', '.join(other)}",
            "resume with the command that started it",
        )
    try:
        state = torch.load(out / "checkpoint.pt", map_location="cpu", weights_only=True)
        return Progress(**state)
    except Exception as error:
        raise BadInput(
            out / "checkpoint.pt", "is damaged, and the run cannot go on", "start it again"
        ) from error


def _save_checkpoint(path: Path, progress: Progress) -> None:
    # In memory first: torch's own writer tells of a full disk in words for its developers.
    content = io.BytesIO()
    torch.save(vars(progress), content)
    with atomic_file(path) as draft:
        draft.write_bytes(content.getbuffer())


def _finish(out: Path, progress: Progress, model: Recogniser, task: Task) -> dict[str, Any]:
    """Write weights and metrics, then drop the checkpoint: the run is whole from then on."""
    for name, weights in (("last", progress.weights), ("adapter", progress.best)):
        with atomic_file(out / f"{name}.safetensors") as draft:
            draft.write_bytes(save({**weights, _LABELS: task.labels}))
    model.load_state_dict(progress.best)
    metrics: dict[str, Any] = {"best_epoch": progress.best_epoch, "history": progress.history}
    if task.val is not None:
        clip = build(ModelConfig(method="clip"), task.entities, 1, task.backbone.logit_scale).to(
            model.log_scale.device
        )
        metrics["validation"] = evaluate(model, task.val, task.labels).model_dump()
        metrics["validation_clip"] = evaluate(clip, task.val, task.labels).model_dump()
    write_json(out / "metrics.json", metrics)
    (out / "checkpoint.pt").unlink(missing_ok=True)
    return metrics
