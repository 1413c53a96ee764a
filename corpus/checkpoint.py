"""A checkpoint file: weights by their names, read without running anything that it holds."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from open_clip.model import (
    convert_to_custom_text_state_dict,
    resize_pos_embed,
    resize_text_pos_embed,
)
from torch import Tensor

from corpus import archive
from corpus.causes import first_cause
from corpus.errors import BadInput
from corpus.origin import OPENAI, models_of

SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")  # that checkpoints mostly have
_AGAIN = "download or copy it again"
_SAVE = "save its state_dict() as *.safetensors"
_UNDER = ("state_dict", "model")  # where training programs put the weights


def read(path: Path) -> dict[str, Tensor]:
    """Read the weights of a checkpoint, as they are stored.

    Args:
        path: of a safetensors file, of what `torch.save` wrote of a state dict (also with more
            beside it, as when training), or of a TorchScript archive.

    Returns:
        name → weight, on the CPU, from the disk only when used where the format allows. What
        stands before every name (`module.` and the like) is left out.

    Raises:
        BadInput: the file is none of these, is not whole, holds more than weights, or weights that
            are not a CLIP model's.
        OSError: it cannot be read.
    """
    _check_whole(path)
    held = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    for name in _UNDER:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
    if not isinstance(held, Mapping) or not held:
        raise BadInput(path, "holds no state dict", _SAVE)
    if not all(isinstance(weight, Tensor) for weight in held.values()):
        raise BadInput(path, "holds no state dict, or more than that", _SAVE)
    weights = _unwrapped({str(name): weight for name, weight in held.items()})
    _check_clip(path, weights)
    return weights


def _check_whole(path: Path) -> None:
    """Refuse what a download left in place of a checkpoint.

    Raises:
        BadInput: it is empty, cut short, a page, a pointer, or one of several parts.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise BadInput(path, "is empty", _AGAIN)
    if head.startswith(b"version https://git-lfs"):
        raise BadInput(path, "is Git LFS's pointer to a file", "bring it with `git lfs pull`")
    if head.lstrip().startswith(b"<"):
        raise BadInput(path, "is a page of the web, not weights", _AGAIN)
    if head.startswith(b"PK\x03\x04") and not zipfile.is_zipfile(path):
        raise BadInput(path, "is cut short", _AGAIN)
    if path.name.endswith(".index.json") or re.search(r"-\d+-of-\d+\.\w+$", path.name):
        raise BadInput(
            path, "is of a checkpoint in several files", "give one that is a single file"
        )


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:
        cause = first_cause(error)
        if "not fully covered" in cause:
            raise BadInput(path, "is cut short", _AGAIN) from error
        raise BadInput(
            path, f"not a safetensors file ({cause})", "give one that is whole"
        ) from error


def _pickled(path: Path) -> Any:
    try:
        if archive.is_archive(path):
            return archive.weights(path)
        lazily = zipfile.is_zipfile(path)  # as all but the oldest are: no weight is read yet
        return torch.load(path, map_location="cpu", weights_only=True, mmap=lazily)
    except OSError:
        raise
    except Exception as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        why = f"it holds a pickled {found[1]}" if found else "it is damaged or something else"
        cause = f"not a state dict that can be loaded safely ({why})"
        raise BadInput(path, cause, _SAVE) from error


def _unwrapped(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what a wrapper (of several GPUs, of a compiler, of a trainer) puts before names."""
    lead = next((n.removesuffix("logit_scale") for n in weights if n.endswith("logit_scale")), "")
    if not all(name.startswith(lead) for name in weights):
        return weights
    return {name.removeprefix(lead): weight for name, weight in weights.items()}


def _check_clip(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Refuse the weights that people take for those of a CLIP model in open_clip's form.

    Raises:
        BadInput: LoRA's additions, transformers' form, or one tower alone.
    """
    if any(".lora_" in name for name in weights):
        mend = "merge them into the model's, and save its state_dict() as *.safetensors"
        raise BadInput(path, "holds LoRA's additions to weights, not the weights", mend)
    if any(name.startswith(("vision_model.", "text_model.")) for name in weights):
        mend = "give the same in open_clip's form, as open_clip_model.safetensors beside it may be"
        raise BadInput(path, "is in the form of Hugging Face's transformers", mend)
    if not any("token_embedding" in name for name in weights):
        mend = "give a checkpoint of image and text tower together"
        raise BadInput(path, "holds no text tower of CLIP's", mend)


def fill(clip: Any, path: Path, weights: dict[str, Tensor], model: str) -> None:
    """Put a checkpoint's weights into a model.

    Args:
        clip: an open_clip model.
        path: of the checkpoint, for errors.
        weights: as `read` gives them.
        model: the model's name, for errors.

    Raises:
        BadInput: they are of another model.
    """
    weights = {name: weight for name, weight in weights.items() if name not in OPENAI}
    others = [name for name in models_of(weights) if name != model]
    if "positional_embedding" in weights and not hasattr(clip, "positional_embedding"):
        weights = convert_to_custom_text_state_dict(weights)
    own = clip.state_dict()
    for name in own.keys() & weights.keys():
        if own[name].numel() == weights[name].numel() == 1:  # of one dimension or none
            weights[name] = weights[name].reshape(own[name].shape)
    stretched = [
        name
        for name in own.keys() & weights.keys()
        if name.endswith("positional_embedding")
        and len(own[name]) != len(weights[name])
        and own[name].shape[1:] == weights[name].shape[1:]
    ]
    misfit = _misfit(own, weights, stretched)
    mend = f"use --model {' or '.join(others)}" if others else "name the model it was made by"
    if misfit:
        raise BadInput(path, f"does not fit {model} ({misfit})", mend)
    for name in sorted(stretched):
        sizes = f"{len(weights[name])} places, {model} has {len(own[name])}"
        warnings.warn(
            f"{path}: {name} has {sizes}; it is stretched to them. If that is not meant, {mend}",
            stacklevel=3,
        )
    resize_pos_embed(weights, clip)
    resize_text_pos_embed(weights, clip)
    clip.load_state_dict(weights)


def _misfit(own: dict[str, Tensor], weights: dict[str, Tensor], stretched: list[str]) -> str:
    """What tells that weights are not a model's; nothing where they are."""
    for name, weight in own.items():
        if name in weights and name not in stretched and weight.shape != weights[name].shape:
            there, here = ("x".join(map(str, w.shape)) for w in (weights[name], weight))
            return f"{name} is {there}, not {here}"
    for said, names in (("lacks", own.keys() - weights), ("has", weights.keys() - own)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            return f"it {said} {min(names)}{more}"
    return ""
