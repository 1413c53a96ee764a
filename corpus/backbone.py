"""The backbone: where open_clip is loaded, for its text tower, its image tower and their names.

`extract` and `adapter` import it from here, so that one place decides which weights are right.
"""

import difflib
import gzip
import hashlib
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import open_clip
import torch
from huggingface_hub import constants as hub
from open_clip.tokenizer import SimpleTokenizer, default_bpe
from torch import Tensor, nn

from corpus.causes import first_cause
from corpus.checkpoint import fill
from corpus.errors import BadInput
from corpus.preprocess import Preprocess
from corpus.source import CONFIGS, MINI, find
from corpus.tower import check_tower

DEFAULT_MODEL, DEFAULT_PRETRAINED = "ViT-B-16", "openai"
_LOADING = threading.RLock()

open_clip.add_model_config(CONFIGS / f"{MINI}.json")


@dataclass(frozen=True)
class Backbone:
    """An open_clip model, frozen, with all that decides what its embeddings mean.

    Attributes:
        name: "MODEL/PRETRAINED", for people.
        model: the open_clip model in eval mode, float32, gradients off.
        tokenizer: texts to token ids, (n, context) int64.
        preprocess: what the image tower expects.
        fingerprint: hex digest of the weights and of what the weights do not show (activation,
            heads, input size). Equal fingerprints, equal embeddings; the name plays no part.
        random: True when the weights mean nothing (`pretrained="none"`).
    """

    name: str
    model: open_clip.CLIP = field(repr=False)
    tokenizer: Callable[[Sequence[str]], Tensor] = field(repr=False)
    preprocess: Preprocess
    fingerprint: str
    random: bool

    @cached_property
    def dim(self) -> int:
        """Size of the joint space, D."""
        return int(self.encode_text(["a"]).shape[1])

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def logit_scale(self) -> float:
        """The factor on cosines that the backbone was trained with (about 100 for CLIP)."""
        return float(self.model.logit_scale.detach().exp())

    def to(self, device: torch.device | str) -> "Backbone":
        """Move the weights to `device` and return self."""
        self.model.to(device)
        return self

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """Embed texts into the joint space.

        Args:
            texts: any strings; each is cut to the tower's context (see `token_counts`).
            batch_size: texts to a forward pass.

        Returns:
            (n, D) float32 on the CPU, each row of unit length.
        """
        rows = [
            nn.functional.normalize(
                self.model.encode_text(
                    self.tokenizer(list(texts[start : start + batch_size])).to(self.device)
                ).float(),
                dim=-1,
            ).cpu()
            for start in range(0, len(texts), batch_size)
        ]
        # The clone leaves inference mode behind, so that callers may build a graph on the rows.
        return torch.cat(rows).clone() if rows else torch.empty(0, self.dim)

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Count each text's tokens, start and end marks included, before any truncation."""
        return [len(self.tokenizer.encode(text)) + 2 for text in texts]  # type: ignore[attr-defined]

    @property
    def context_length(self) -> int:
        """How many tokens of a text the tower reads."""
        return int(self.model.context_length)


def load(
    model: str = DEFAULT_MODEL,
    pretrained: str | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Backbone:
    """Load a backbone by open_clip's own names.

    Args:
        model: an open_clip model name ("ViT-B-16", "ViT-L/14"), or "alt-mini".
        pretrained: an open_clip tag ("openai"), the path of a checkpoint (`corpus.checkpoint`),
            or "none" for random weights. By default "openai", and the bundled weights for
            "alt-mini".
        device: where to put the weights.
        seed: of the random weights when `pretrained` is "none".

    Returns:
        The frozen backbone.

    Raises:
        BadInput: unknown model, tag or device, a tokenizer that is not CLIP's own, an image tower
            that is not a plain vision transformer, weights that cannot be had, that do not fit the
            model, or that were trained with another activation than the model's.
    """
    model = _named(model)
    # A shell spells out a ~ that begins a word of its own, and none of a file or the environment.
    tag = os.path.expanduser(pretrained or ("bundled" if model == MINI else DEFAULT_PRETRAINED))
    with _by_itself():
        source = find(model, tag)
        torch.manual_seed(seed)
        try:
            clip = open_clip.create_model(
                model,
                force_quick_gelu=source.quick_gelu,
                force_preprocess_cfg=source.pixels,
            )
        except Exception as error:
            cause = f"cannot be made ({first_cause(error)})"
            raise BadInput(f"--model {model}", cause, "use another model") from error
        if source.path is not None:
            fill(clip, source.path, source.weights, model)
        read = tokenizer(model)
    clip.eval().requires_grad_(False)
    if not all(weight.isfinite().all() for weight in clip.state_dict().values()):
        cause = "has weights that are not finite, as after training that diverged"
        raise BadInput(source.path or model, cause, "give others")
    cfg = open_clip.get_model_preprocess_cfg(clip)
    size = cfg["size"]
    return Backbone(
        name=f"{model}/{tag}",
        model=_moved(clip, device),
        tokenizer=read,
        preprocess=Preprocess(
            size=(size, size) if isinstance(size, int) else (size[0], size[1]),
            mean=tuple(cfg["mean"]),
            std=tuple(cfg["std"]),
            interpolation=cfg["interpolation"],
            resize_mode=cfg["resize_mode"],
        ),
        fingerprint=fingerprint(clip),
        random=source.path is None,
    )


def load_again(
    model: str, pretrained: str | None, source: object, device: torch.device | str = "cpu"
) -> Backbone:
    """Load the backbone that something was made with.

    Args:
        model, pretrained, device: as for `load`.
        source: what was made with it, for the error.

    Raises:
        BadInput: it cannot be had any more, or not from this folder.
    """
    try:
        return load(model, pretrained, device)
    except BadInput as error:
        name = f"{model}/{pretrained}" if pretrained else model
        raise BadInput(
            source,
            f"was made with {name}, which cannot be opened here ({error.cause})",
            "bring the weights to where they were then (a path counts from the current folder), or "
            "make it again with others",
        ) from error


def fingerprint(model: open_clip.CLIP) -> str:
    """Digest a CLIP model's weights and the facts of its graph that weights do not show.

    Returns:
        32 hex digits of SHA-256.
    """
    digest = hashlib.sha256()
    for name, module in sorted(model.named_modules()):
        if isinstance(module, nn.MultiheadAttention):
            digest.update(f"{name} heads {module.num_heads}\n".encode())
        elif type(module).__name__.endswith("GELU"):
            digest.update(f"{name} {type(module).__name__}\n".encode())
    visual = model.visual
    digest.update(f"{visual.image_size} {getattr(visual, 'pool_type', '')}\n".encode())
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}\n".encode())
        digest.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:32]


def _named(model: str) -> str:
    """Return the model's name as open_clip writes it.

    Raises:
        BadInput: there is none, or it is of a kind that cannot be used.
    """
    if model.startswith(("hf-hub:", "local-dir:")):
        cause = "says where weights are, not what model they are of"
        mend = "name that (open_clip_config.json tells), and give the weights' file as --pretrained"
        raise BadInput(f"--model {model}", cause, mend)
    model = model.replace("/", "-")
    if model not in open_clip.list_models():
        near = difflib.get_close_matches(model, open_clip.list_models(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see open_clip's list of models"
        raise BadInput(f"--model {model}", "open_clip knows no such model", hint)
    if open_clip.get_model_config(model)["text_cfg"].get("hf_tokenizer_name"):
        cause = "reads text by a tokenizer of Hugging Face's, and ALT knows CLIP's own only"
        raise BadInput(f"--model {model}", cause, f"use a model such as {DEFAULT_MODEL}")
    check_tower(model)
    return model


def tokenizer(model: str) -> Any:
    """Return open_clip's tokenizer for `model`; a smaller vocabulary keeps CLIP's first merges.

    CLIP's merges are ordered by frequency, so the first n of them are a tokenizer of their own
    that still spells any text. A small text tower need not carry 49,408 embeddings.
    """
    text_cfg = open_clip.get_model_config(model)["text_cfg"]
    full = open_clip.get_tokenizer(model)
    vocabulary = text_cfg.get("vocab_size", 49408)
    if not isinstance(full, SimpleTokenizer) or vocabulary >= full.vocab_size:
        return full
    merges = vocabulary - 2 * 256 - 2  # bytes, bytes that end a word, and two marks
    with gzip.open(default_bpe(), "rt", encoding="utf-8") as file:
        lines = [line for _, line in zip(range(merges + 1), file, strict=False)]
    handle, path = tempfile.mkstemp(suffix=".txt.gz")
    os.close(handle)
    try:
        Path(path).write_bytes(gzip.compress("".join(lines).rstrip("\n").encode()))
        return SimpleTokenizer(bpe_path=path, context_length=text_cfg.get("context_length", 77))
    finally:
        Path(path).unlink()


def _moved(clip: Any, device: torch.device | str) -> Any:
    try:
        return clip.to(device)
    except (RuntimeError, AssertionError) as error:  # of no class that tells why
        cause = str(error).splitlines()[0][:120]
        raise BadInput(f"device {device}", f"cannot be used ({cause})", "use cpu") from error


@contextmanager
def _by_itself() -> Iterator[None]:
    """Let nothing that the process has set decide what is made, and nothing of ours stay set.

    One at a time: what is set meanwhile is set for all threads.
    """
    with _LOADING, _quiet(), _fail_fast_offline(), torch.random.fork_rng(devices=[]):
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


@contextmanager
def _fail_fast_offline() -> Iterator[None]:
    """Let the hub's client use its cache alone when the hub is out of reach.

    Left to itself it retries a missing file for most of a minute before it gives up.
    """
    before = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = before or not _reachable()
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _reachable() -> bool:
    if getproxies():
        return True  # only the proxy can tell
    try:
        socket.create_connection((urlsplit(hub.ENDPOINT).hostname, 443), timeout=3).close()
    except OSError:
        return False
    return True


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back open_clip's log lines; what matters in them is in our errors."""
    root, before, silent = logging.root, logging.root.manager.disable, logging.NullHandler()
    if not root.handlers:  # else logging gives it one, which takes the place of the caller's own
        root.addHandler(silent)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
        root.removeHandler(silent)
