"""Where a backbone's weights are from: the bundled ones, a tag of open_clip's, or a file."""

import errno
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import open_clip
from torch import Tensor

from corpus import checkpoint
from corpus.errors import BadInput
from corpus.origin import beside, check_activation, pixels, usual_pixels

MINI = "alt-mini"
RANDOM = "none"
CONFIGS = Path(__file__).parent / "backbones"
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
_WAYS_ON = f"use --model {MINI}, or --pretrained with the path of a checkpoint you have"


@dataclass(frozen=True)
class Source:
    """A model's weights, and what goes with them.

    Attributes:
        path: of the file that they are in; None for random ones.
        weights: by their names, as they are stored.
        quick_gelu: whether the model is to be made with QuickGELU, whatever its name says.
        pixels: of the preprocessing, what is not open_clip's default.
    """

    path: Path | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)
    quick_gelu: bool = False
    pixels: dict[str, Any] = field(default_factory=dict)


def find(model: str, tag: str) -> Source:
    """Resolve a tag or path to weights, and to what they do not tell.

    Args:
        model: open_clip's name.
        tag: open_clip's, a checkpoint's path, "none" for random weights, or "bundled".

    Raises:
        BadInput: no such tag or file, weights that cannot be had or are none, or that were trained
            with another activation than the model's.
    """
    if tag == RANDOM:
        warnings.warn(
            f"{model} has RANDOM weights (--pretrained none): fit for tests and benchmarks only",
            stacklevel=3,
        )
        return Source()
    if model == MINI and tag == "bundled":
        path = CONFIGS / f"{MINI}.safetensors"
        return Source(path, checkpoint.read(path))
    known = open_clip.get_pretrained_cfg(model, tag)
    if known:
        path = _fetched(model, tag, known)
        # Without being told, open_clip only warns here, and makes wrong features.
        quick_gelu = bool(known.get("quick_gelu"))
        return Source(path, checkpoint.read(path), quick_gelu, pixels(known))
    path = Path(tag)
    if not path.is_file():
        raise _no_file(model, path)
    config, weights = beside(path), checkpoint.read(path)
    check_activation(model, path, weights, config)
    if config is not None and config.preprocess_cfg is not None:
        way = config.preprocess_cfg.model_dump(exclude_none=True)
    else:
        way = usual_pixels(model, path, weights)
    return Source(path, weights, pixels=way)


def _no_file(model: str, path: Path) -> BadInput:
    where, mend = f"--pretrained {path}", f"choose a tag, or {_WAYS_ON}"
    if path.is_dir():
        held = sorted(p.name for p in path.iterdir() if p.suffix in checkpoint.SUFFIXES)
        cause = f"is a folder (with {', '.join(held[:4]) or 'no checkpoint'})"
        return BadInput(where, cause, "give the path of the file in it")
    if model == MINI:
        mend = "leave it out, ALT_PRETRAINED too, or give the path of a checkpoint you have"
    tags = ", ".join(open_clip.list_pretrained_tags_by_model(model))
    told = f"tags: {tags}" if tags else "it has no tags"
    return BadInput(where, f"neither a file nor a tag of {model} ({told})", mend)


def _fetched(model: str, tag: str, known: dict[str, Any]) -> Path:
    """The file of a tag in the cache, downloaded if need be."""
    try:
        return Path(open_clip.download_pretrained(known))
    except Exception as error:
        where, cause = f"{model}/{tag}", "weights are not in the cache and cannot be downloaded"
        mend = f"connect once to fill the cache, {_WAYS_ON}"
        met: BaseException | None = error
        while met is not None:
            if isinstance(met, OSError) and met.errno in _UNWRITABLE:
                cause = f"weights cannot be written to the cache ({met.strerror})"
                mend = "make room for them, or set HF_HOME to a folder that has it"
            met = met.__cause__ or met.__context__
        raise BadInput(where, cause, mend) from error
