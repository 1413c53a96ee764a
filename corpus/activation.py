"""Which activation a checkpoint was trained with: its weights do not show it, its origin does.

GELU and QuickGELU take the same weights, and the wrong one gives wrong features without an error.
"""

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import open_clip
import torch

from corpus.atomic import sha256
from corpus.errors import BadInput


def check_activation(model: str, path: Path) -> None:
    """Refuse a checkpoint whose origin says another activation than `model` has.

    Args:
        model: open_clip's name.
        path: of the checkpoint.

    Raises:
        BadInput: it was trained with another activation, or cannot be read safely.
    """
    wanted = bool(open_clip.get_model_config(model).get("quick_gelu"))
    needs, why = _trained_with_quick_gelu(path)
    if needs is None or needs == wanted:
        return
    other = model.removesuffix("-quickgelu") if wanted else f"{model}-quickgelu"
    raise BadInput(
        path,
        f"was trained {'with' if needs else 'without'} QuickGELU ({why}), and {model} "
        f"{'uses' if wanted else 'does not use'} it: features would be wrong",
        f"use --model {other}" if other in open_clip.list_models() else "name the model it is of",
    )


def _trained_with_quick_gelu(path: Path) -> tuple[bool | None, str]:
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
    neighbour = path.parent / "open_clip_config.json"
    if neighbour.is_file():
        try:
            return bool(json.loads(neighbour.read_text())["model_cfg"].get("quick_gelu")), (
                f"{neighbour.name} beside it says so"
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            warnings.warn(f"{neighbour} is not an open_clip config; ignored", stacklevel=5)
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
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:
            raise BadInput(
                path,
                "not a state dict that can be loaded safely (pickled objects and TorchScript "
                "archives are refused)",
                "save its state_dict() as safetensors",
            ) from error
        state = state.get("state_dict", state) if isinstance(state, dict) else {}
        keys = {str(key).removeprefix("module.") for key in state}
    return {"input_resolution", "context_length", "vocab_size"} <= keys
