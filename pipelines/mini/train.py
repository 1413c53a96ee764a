"""Training of the mini backbone: words, then regions, then captions.

First the text tower alone learns to tell names apart. Then the image tower alone learns what each
region shows: it is compared with the texts of all entities, and should be like each by as much as
that covers of its pixels. Captions say too little about patches for that. Its keys learn which
patches belong together (`pipelines.mini.grouping`). Last, captions meet class tokens in open_clip's
contrastive loss, class tokens learn what the whole still is about in the same way as regions, the
other losses go on, and both towers learn. At the end the text tower settles
(`pipelines.mini.settle`).
"""

import math
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from corpus.atomic import atomic_file, try_place
from corpus.backbone import MINI, Backbone, load
from corpus.command import leave_to_caller
from corpus.errors import BadInput
from extract.regions import RegionEncoder
from pipelines.mini.losses import balance, losses_of, word_loss
from pipelines.mini.settle import settle
from pipelines.mini.start import prepare
from pipelines.mini.stills import Batch, draw
from pipelines.world.write import drawn_by

SAVED, REPORTED = 200, 25  # steps between checkpoints, and between reports
SETTLED = 24  # batches of stills that the last stage looks at
# Steps train with these in turn, so that tokens are meaningful merged, as extraction merges by
# default, and unmerged; keys, by which it merges, are trained where each patch is a token still.
MERGES = (8, 0)


@dataclass(frozen=True)
class Recipe:
    """How the mini backbone is trained.

    Attributes:
        steps, batch: optimisation steps, stills to a step.
        alone: of these steps, the first ones, in which the image tower learns alone.
        lr, warmup: AdamW's peak rate, for vectors, embeddings and patch filters; its warm-up in
            steps.
        matrix_lr, weight_decay: Muon's peak rate and decay, for the blocks' matrices.
        drawn: stills drawn at a time.
        passes: how often the image tower alone sees them before the next are drawn. Later each is
            seen once: what a whole still is about is soon learned by heart.
        words: steps on texts alone that come first, so that pictures meet a text tower that tells
            words apart.
        settling: steps of the text tower alone that come last.
        seed: of weights, sampling and texts.
    """

    steps: int = 4800
    alone: int = 2400
    batch: int = 64
    lr: float = 2e-3
    warmup: int = 60
    matrix_lr: float = 4e-3
    weight_decay: float = 0.02
    drawn: int = 12800
    passes: int = 4
    words: int = 400
    settling: int = 600
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """What a step cost, the losses; and the stills a second since this run began.

    Of keys there is a loss in steps that merge nothing.
    """

    step: int
    caption_loss: float
    about_loss: float
    region_loss: float
    key_loss: float
    word_loss: float
    rate: float


def train(
    recipe: Recipe, checkpoint: Path, workers: int = 2, report: Callable[[Progress], None] = print
) -> Backbone:
    """Train the mini backbone from scratch, or go on from `checkpoint`.

    Args:
        recipe: how.
        checkpoint: file that is written every SAVED steps and read if it exists.
        workers: processes that draw stills, 0 for none but this one.
        report: called every REPORTED steps.

    Returns:
        The trained backbone, in eval mode.

    Raises:
        BadInput: the checkpoint is of another recipe or another version of the world's drawing
            code, or damaged.
    """
    torch.manual_seed(recipe.seed)
    backbone = load(MINI, "none", seed=recipe.seed)
    clip = backbone.model.train().requires_grad_(True)
    optimisers = _optimisers(clip, recipe)
    first = _resume(checkpoint, clip, optimisers, recipe)
    if not first:
        prepare(clip.visual, recipe.seed)
        _learn_words(backbone, optimisers, recipe)
    encoders = {merge: RegionEncoder(clip, merge) for merge in MERGES}
    size, grid = backbone.preprocess.size[0], encoders[0].grid[0]
    start = time.monotonic()
    with _drawers(workers) as executor:
        batches = _batches(first, size, grid, recipe, executor)
        for step, (batch, weights) in enumerate(batches, first):
            rng = np.random.default_rng((recipe.seed, step))
            encoder = encoders[MERGES[step % len(MERGES)]]
            losses = losses_of(backbone, encoder, batch, weights, rng, step < recipe.alone)
            _update(clip, optimisers, torch.stack(losses).sum(), rate_at(step, recipe))
            if step % SAVED == SAVED - 1 or step + 1 == recipe.steps:
                _save(checkpoint, clip, optimisers, step + 1, recipe)
            if step % REPORTED == REPORTED - 1:
                done = (step + 1 - first) * recipe.batch / (time.monotonic() - start)
                captions, about, regions, keys, words = (loss.item() for loss in losses)
                report(Progress(step + 1, captions, about, regions, keys, words, done))
        looked_at = min(SETTLED, recipe.drawn // recipe.batch) * recipe.batch
        settle(
            backbone,
            encoders,
            draw(range(looked_at), size, grid, executor),
            recipe.settling,
            recipe.batch,
            (recipe.seed, recipe.steps, 1),
            lambda loss, share: _update(clip, optimisers, loss, share),
        )
    clip.eval().requires_grad_(False)
    return backbone


def rate_at(step: int, recipe: Recipe) -> float:
    """Return the share of the peak learning rate: linear warm-up, then a cosine to zero."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.5 * (1 + math.cos(math.pi * done))


def _learn_words(
    backbone: Backbone, optimisers: list[torch.optim.Optimizer], recipe: Recipe
) -> None:
    """Train the text tower alone for a while."""
    rng = np.random.default_rng((recipe.seed, recipe.steps))
    for step in range(recipe.words):
        loss, _, _ = word_loss(backbone, rng, [])
        _update(backbone.model, optimisers, loss, min(1.0, (step + 1) / 50))


def _update(
    clip: nn.Module, optimisers: list[torch.optim.Optimizer], loss: Tensor, share: float
) -> None:
    """Take one step at `share` of the peak rates."""
    for optimiser in optimisers:
        optimiser.zero_grad(set_to_none=True)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * share
    loss.backward()
    nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
    for optimiser in optimisers:
        optimiser.step()
    with torch.no_grad():
        clip.logit_scale.clamp_(0, math.log(100))  # type: ignore[operator]


def _batches(
    first: int, size: int, grid: int, recipe: Recipe, executor: Executor | None
) -> Iterator[tuple[Batch, Tensor]]:
    """Yield the batch and the entities' weights of each step from `first` on."""
    steps = recipe.drawn // recipe.batch  # of a sweep over all stills that are drawn at a time
    drawn, stills = -1, None
    weights = balance(draw(range(min(recipe.drawn, 2000)), size, grid, executor))
    for step in range(first, recipe.steps):
        sweep, at = divmod(step, steps)
        wanted = sweep // recipe.passes if sweep * steps < recipe.alone else sweep
        if stills is None or wanted != drawn:
            drawn = wanted
            numbers = range(drawn * recipe.drawn, (drawn + 1) * recipe.drawn)
            stills = draw(numbers, size, grid, executor)
        order = np.random.default_rng((recipe.seed, recipe.steps, sweep)).permutation(len(stills))
        yield stills.take(order[at * recipe.batch : (at + 1) * recipe.batch]), weights


def _drawers(workers: int) -> Any:
    """Return a context of processes that draw, or of none."""
    if not workers:
        return nullcontext()
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), leave_to_caller)


def _optimisers(clip: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, which learn here several times faster by it; else AdamW."""
    matrices: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in clip.named_parameters():
        (matrices if weight.ndim == 2 and "resblocks" in name else others).append(weight)
    muon = torch.optim.Muon(
        matrices,
        lr=recipe.matrix_lr,
        weight_decay=recipe.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(others, lr=recipe.lr, weight_decay=0.0, betas=(0.9, 0.98))
    for optimiser in (muon, adam):
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return [muon, adam]


def _save(
    path: Path,
    clip: nn.Module,
    optimisers: list[torch.optim.Optimizer],
    step: int,
    recipe: Recipe,
) -> None:
    state = {
        "clip": clip.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
        "step": step,
        "recipe": _made_by(recipe),
    }
    with atomic_file(path) as draft:
        torch.save(state, draft)


def _made_by(recipe: Recipe) -> dict[str, object]:
    """Return what weights depend on: the recipe, and the code that draws stills."""
    return asdict(recipe) | {"drawn_by": drawn_by()}


def _resume(
    path: Path, clip: nn.Module, optimisers: list[torch.optim.Optimizer], recipe: Recipe
) -> int:
    """Load the checkpoint and return its step, or 0 where there is none yet."""
    if not path.exists():
        try_place(path)
        return 0
    mend = "remove it, or give another --checkpoint"
    try:
        state = torch.load(path, weights_only=True)
        made = state["recipe"]
    except Exception as error:  # of every kind, on what torch did not write
        raise BadInput(path, "is no checkpoint of the mini backbone", mend) from error
    if made != _made_by(recipe):
        raise BadInput(path, "is of another recipe, or of stills that were drawn otherwise", mend)
    try:
        clip.load_state_dict(state["clip"])
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        return int(state["step"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise BadInput(path, "is a damaged checkpoint", mend) from error
