"""The run folder: a trained recogniser with all that is needed to use it, and where it comes from.

config.json          what decided the run
adapter.safetensors  weights of the best epoch, and the text embeddings of the labels
last.safetensors     the same of the last epoch
entities.jsonl       what each row of the corpus in the weights is called
videos.json          what was trained on
val_videos.json      what the best epoch was chosen by, if anything
metrics.json         scores and history
README.md            the model card
events/              TensorBoard
checkpoint.pt        only while the run is unfinished
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from safetensors import SafetensorError, safe_open
from torch import Tensor

from adapter.baselines import build
from adapter.labelling import Vocabulary
from adapter.model import ModelConfig, Recogniser
from adapter.task import Validation, backbone_of
from adapter.train import TrainConfig
from corpus.causes import first_cause
from corpus.errors import BadInput
from extract.store import CacheManifest

SCHEMA_VERSION = 3
LABELS, WEIGHTS = "label_text", "adapter.safetensors"
_VIDEOS = TypeAdapter(tuple[str, ...])


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
        contents, val_contents: content hashes of the caches trained on, and of those validated
            on.
        clips, val_clips: how many were trained on and validated on.
        validation: where the latter come from.
        left_out, val_left_out: rows not used, by reason, of the features and of what was given to
            validate with.
        versions: of what made it.
    """

    model_config = ConfigDict(frozen=True)
    schema_version: int = SCHEMA_VERSION
    model: ModelConfig
    train: TrainConfig
    labels: tuple[str, ...]
    prompts: tuple[str, ...]
    scale: float = Field(gt=0, allow_inf_nan=False)
    corpus: str
    features: CacheManifest
    contents: tuple[str, ...]
    val_contents: tuple[str, ...]
    clips: int = Field(ge=1)
    val_clips: int = Field(ge=0)
    validation: Validation
    left_out: dict[str, int]
    val_left_out: dict[str, int]
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
        labels: (C, 2, D) unit rows, texts of `config.labels` (`adapter.text`).
        entities: names of the K rows of the corpus.
        videos, val_videos: that it was trained on, and that its epoch was chosen by.
    """

    folder: Path
    config: RunConfig
    model: Recogniser
    labels: Tensor = field(repr=False)
    entities: tuple[Named, ...] = field(repr=False)
    videos: tuple[str, ...] = field(repr=False)
    val_videos: tuple[str, ...] = field(repr=False)

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
            lines = (folder / "entities.jsonl").read_text(encoding="utf-8").split("\n")
            entities = tuple(Named.model_validate_json(line) for line in lines if line)
            videos, val_videos = (
                _VIDEOS.validate_json((folder / name).read_bytes())
                for name in ("videos.json", "val_videos.json")
            )
            if not (folder / WEIGHTS).is_file():  # of a folder there, its reader tells nothing
                raise FileNotFoundError
            with safe_open(folder / WEIGHTS, framework="pt") as file:
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if not all(weight.isfinite().all() for weight in weights.values()):
                raise ValueError("weights that are not finite")
            labels = weights.pop(LABELS).float()
            dim, regions = config.features.dim, config.features.regions
            if labels.shape != (len(config.labels), 2, dim):
                cause = f"{len(config.labels)} labels, but texts of {tuple(labels.shape)}"
                raise ValueError(cause)
            blank = torch.zeros(len(entities), dim)
            model = build(config.model, blank, regions, config.scale)
            model.load_state_dict(weights)
        except FileNotFoundError as error:
            raise BadInput(
                folder,
                f"{Path(error.filename or WEIGHTS).name} is missing",
                "finish the run with train --resume" if unfinished(folder) else "train again",
            ) from error
        except (SafetensorError, ValueError, KeyError, RuntimeError, TypeError) as error:
            cause = f"the run is damaged ({first_cause(error)})"
            raise BadInput(folder, cause, "train again") from error
        model = model.to(device).eval()
        return cls(folder, config, model, labels.to(device), entities, videos, val_videos)


def unfinished(folder: Path) -> bool:
    """Tell whether a run's training has not come to its end, at which the checkpoint goes last."""
    return (folder / "checkpoint.pt").is_file() or not (folder / WEIGHTS).is_file()


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
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadInput(path, f"is damaged ({first_cause(error)})", "train again") from error
