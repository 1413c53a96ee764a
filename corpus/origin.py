"""What a checkpoint's origin tells, and its weights do not: its activation, and its pixels.

GELU and QuickGELU take the same weights, as do pixels however they were prepared, and the wrong
ones give wrong features without an error.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import open_clip
import torch
from pydantic import BaseModel, PositiveFloat, ValidationError

from corpus.atomic import sha256
from corpus.causes import first_cause
from corpus.errors import BadInput

_CONFIG = "open_clip_config.json"


class _Activation(BaseModel):
    quick_gelu: bool | None = None


class _Pixels(BaseModel):
    mean: tuple[float, float, float] | None = None
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    interpolation: Literal["bicubic", "bilinear"] | None = None
    resize_mode: str | None = None


class Beside(BaseModel):
    """What the open_clip_config.json beside a checkpoint tells, as in Hugging Face's folders.

    Attributes:
        model_cfg: with the activation.
        preprocess_cfg: how pixels were prepared, where that is not open_clip's default.
    """

    model_cfg: _Activation
    preprocess_cfg: _Pixels | None = None


def beside(path: Path) -> Beside | None:
    """Read the config beside a checkpoint.

    Args:
        path: of the checkpoint.

    Returns:
        What it tells; None where there is none or, with a warning, where it is none of open_clip's.
    """
    neighbour = path.parent / _CONFIG
    if not neighbour.is_file():
        return None
    try:
        return Beside.model_validate_json(neighbour.read_bytes())
    except ValidationError as error:
        cause = f"is not an open_clip config; ignored ({first_cause(error)})"
        warnings.warn(f"{neighbour} {cause}", stacklevel=4)
        return None


def check_activation(model: str, path: Path, told: Beside | None = None) -> None:
    """Refuse a checkpoint whose origin says another activation than `model` has.

    Args:
        model: open_clip's name.
        path: of the checkpoint.
        told: `beside` it.

    Raises:
        BadInput: it was trained with another activation, or cannot be read safely.
    """
    wanted = bool(open_clip.get_model_config(model).get("quick_gelu"))
    needs, why = _trained_with_quick_gelu(path, told)
    if needs is None or needs == wanted:
        return
    other = model.removesuffix("-quickgelu") if wanted else f"{model}-quickgelu"
    raise BadInput(
        path,
        f"was trained {'with' if needs else 'without'} QuickGELU ({why}), and {model} "
        f"{'uses' if wanted else 'does not use'} it: features would be wrong",
        f"use --model {other}" if other in open_clip.list_models() else "name the model it is of",
    )


def _trained_with_quick_gelu(path: Path, told: Beside | None) -> tuple[bool | None, str]:
    """Look for evidence of a checkpoint's activation: its digest, its neighbours, its keys.

    Weights alone do not tell GELU from QuickGELU, so this is evidence of origin.
    """
    digest = sha256(path)
    for name, tag in open_clip.list_pretrained():
        cfg = open_clip.get_pretrained_cfg(name, tag)
        marks = re.findall(r"(?<![0-9a-f])([0-9a-f]{64}|[0-9a-f]{8})(?=[/.])", cfg.get("url") or "")
        if any(digest.startswith(mark) for mark in marks):
            return bool(cfg.get("quick_gelu")), f"it is {name.removesuffix('-quickgelu')}/{tag}"
    openai = _has_openai_keys(path)  # and whether it can be read safely
    if told is not None:
        return bool(told.model_cfg.quick_gelu), f"{_CONFIG} beside it says so"
    if openai:
        return True, "it has the keys of OpenAI's own checkpoints"
    if any(path.name == Path(url).name for url in _quick_gelu_urls()):
        warnings.warn(
            f"{path.name} is the file name of weights trained with QuickGELU; "
            "if that is what it is, the model's name must end in -quickgelu",
            stacklevel=5,
        )
    return None, ""


def _quick_gelu_urls() -> Iterator[str]:
    for name, tag in open_clip.list_pretrained():
        cfg = open_clip.get_pretrained_cfg(name, tag)
        if cfg.get("quick_gelu") and cfg.get("url"):
            yield cfg["url"]


def _has_openai_keys(path: Path) -> bool:
    """Tell whether a state dict carries the three integers that OpenAI stored in theirs."""
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        try:
            with safe_open(path, framework="pt") as file:
                keys = set(file.keys())
        except Exception as error:
            mend = "give one that is whole, or use --model alt-mini"
            raise BadInput(path, f"not a safetensors file ({error})", mend) from error
    else:
        try:
            lazily = zipfile.is_zipfile(path)  # as all but the oldest are: no weight is read yet
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
        except Exception as error:
            raise BadInput(
                path,
                "not a state dict that can be loaded safely (pickled objects and TorchScript "
                "archives are refused)",
                "save its state_dict() as *.safetensors",
            ) from error
        state = state.get("state_dict", state) if isinstance(state, dict) else None
        if not isinstance(state, dict) or not state:
            raise BadInput(path, "holds no state dict", "save its state_dict() as *.safetensors")
        keys = {str(key).removeprefix("module.") for key in state}
    return {"input_resolution", "context_length", "vocab_size"} <= keys
