"""Training of the mini backbone: words, then regions, then captions.

First the text tower alone learns to tell names apart. Then the image tower alone learns what each
token shows: it is compared with the texts of all entities, and should be like each by as much as
that covers of its pixels. Captions say too little about patches for that. Last, captions meet class
tokens in open_clip's contrastive loss, while the other losses go on, and both towers learn. At the
end the text tower settles how much a name counts beside words that no picture taught it.
"""

import copy
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip import ClipLoss
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from corpus.atomic import atomic_file
from corpus.backbone import MINI, Backbone, load
from extract.regions import RegionEncoder, Regions
from pipelines.mini.start import prepare
from pipelines.mini.stills import Batch, draw, normalise
from pipelines.mini.texts import NAMES, pairs_in_company, text_of

SAVED, REPORTED = 200, 25  # steps between checkpoints, and between reports
MERGES = (0, 4, 8)  # each step trains with one of them, so that tokens stay meaningful when merged
REPHRASED = 48  # names that a step writes a second time
COMPANY = 10, 4  # names, and companies of each, in a step's `pairs_in_company`
WORDS_SCALE = 8.0  # of cosines between texts; small, so that names spread out
# A name in company is to be at least so near the name alone, and companies are told apart at the
# scale at which smaller differences do.
CLOSE, COMPANY_SCALE = 0.85, 30.0
REGIONS = 2.0  # weight of the region loss beside captions
# Things cover few pixels and scenes most of them. An entity's weight is its mean share of the
# pixels to this power, inverted.
BALANCE = 0.7


@dataclass(frozen=True)
class Recipe:
    """How the mini backbone is trained.

    Attributes:
        steps, batch: optimisation steps, stills to a step.
        alone: of these steps, the first ones, in which the image tower learns alone.
        lr, warmup: AdamW's peak rate, for vectors, embeddings and patch filters; its warm-up in
            steps.
        matrix_lr, weight_decay: Muon's peak rate and decay, for the blocks' matrices.
        drawn, passes: stills drawn at a time, and how often they are seen before the next are.
        words: steps on texts alone that come first, so that pictures meet a text tower that tells
            words apart.
        settling: steps on texts alone that come last.
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
    settling: int = 300
    seed: int = 0


@dataclass(frozen=True)
class Progress:
    """What a step cost: the losses; and the stills a second since this run began."""

    step: int
    caption_loss: float
    region_loss: float
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
            losses = _losses(
                backbone, encoders[MERGES[step % 3]], batch, weights, rng, step < recipe.alone
            )
            _update(clip, optimisers, torch.stack(losses).sum(), rate_at(step, recipe))
            if step % SAVED == SAVED - 1 or step + 1 == recipe.steps:
                _save(checkpoint, clip, optimisers, step + 1, recipe)
            if step % REPORTED == REPORTED - 1:
                done = (step + 1 - first) * recipe.batch / (time.monotonic() - start)
                captions, regions, words = (loss.item() for loss in losses)
                report(Progress(step + 1, captions, regions, words, done))
        _settle(backbone, optimisers, draw(range(recipe.drawn // 5), size, grid, executor), recipe)
    clip.eval().requires_grad_(False)
    return backbone


def rate_at(step: int, recipe: Recipe) -> float:
    """Return the share of the peak learning rate: linear warm-up, then a cosine to zero."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.5 * (1 + math.cos(math.pi * done))


def shown_by(batch: Batch, seen: Regions) -> Tensor:
    """Measure what every token shows.

    Returns:
        (B, R, K) float32, how many patches' worth of each entity of NAMES a token holds.
    """
    regions = seen.size.shape[1]
    mass = torch.zeros(*batch.cover.shape[:2], regions)  # (B, E, R)
    mass.scatter_add_(2, seen.source[:, None].expand(batch.cover.shape), batch.cover.float() / 255)
    shown = torch.zeros(len(batch), len(NAMES) + 1, regions)  # the last one for unused places
    places = torch.where(batch.entities < 0, len(NAMES), batch.entities)
    shown.scatter_add_(1, places[..., None].expand_as(mass), mass)
    return shown[:, :-1].transpose(1, 2)


def region_loss(tokens: Tensor, texts: Tensor, shown: Tensor, scale: Tensor) -> Tensor:
    """Compare every token with the text of every entity: cross-entropy with what it shows.

    Args:
        tokens: (B, R, D) unit rows.
        texts: (K, D) unit rows.
        shown: (B, R, K), how much each token shows of each entity, any unit. Tokens count by it.
        scale: () factor on cosines.
    """
    log_chance = functional.log_softmax(scale * (tokens @ texts.T), dim=-1)
    return -(shown * log_chance).sum() / shown.sum()


def balance(batch: Batch) -> Tensor:
    """Return (K,) a weight for each entity, the larger the less it is seen; of mean one or so."""
    mass = torch.zeros(len(NAMES) + 1)
    places = torch.where(batch.entities < 0, len(NAMES), batch.entities)
    mass.scatter_add_(0, places.flatten(), batch.cover.sum(2, dtype=torch.float32).flatten())
    mass = mass[:-1].clamp(min=1.0)
    return (mass.mean() / mass) ** BALANCE


def _losses(
    backbone: Backbone,
    encoder: RegionEncoder,
    batch: Batch,
    weights: Tensor,
    rng: np.random.Generator,
    alone: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the losses of captions, of regions, and of words among themselves.

    Without the last one the text tower would give in to images that say little yet, and forget
    what tells words apart.
    """
    with _fast():
        seen = encoder(normalise(batch.images, backbone.preprocess))
    tokens = functional.normalize(seen.tokens.float(), dim=-1)
    scale = backbone.model.logit_scale.exp()
    shown = shown_by(batch, seen)[:, 1:] * weights
    if alone:
        with torch.no_grad(), _fast():
            entities = _encode(backbone, [text_of(name, rng) for name in NAMES])
        regions = region_loss(tokens[:, 1:], entities, shown, scale)
        return torch.zeros(()), regions, torch.zeros(())
    words, entities, captions = _word_loss(backbone, rng, batch.captions)
    regions = region_loss(tokens[:, 1:], entities, shown, scale)
    return ClipLoss()(tokens[:, 0], captions, scale), REGIONS * regions, words


def _word_loss(
    backbone: Backbone, rng: np.random.Generator, captions: list[str]
) -> tuple[Tensor, Tensor, Tensor]:
    """Two texts of an entity attract, and so do two texts of one company; all others repel.

    Returns:
        The loss; (K, D) unit rows, a text of each entity; and (B, D) unit rows, the captions.
    """
    loss, scale = ClipLoss(), torch.tensor(WORDS_SCALE)
    some = rng.choice(len(NAMES), REPHRASED, replace=False)
    names = [*NAMES, *(NAMES[k] for k in some)]
    first, second = pairs_in_company(*COMPANY, rng)
    texts = [*(text_of(name, rng) for name in names), *first, *second, *captions]
    with _fast():
        rows = _encode(backbone, texts)
    entities, again, company, rest = rows.tensor_split(
        (len(NAMES), len(names), len(texts) - len(captions))
    )
    alike = loss(entities[torch.from_numpy(some)], again, scale)
    return alike + loss(*company.chunk(2), scale), entities, rest


def _fast() -> ExitStack:
    """Compute in half precision, and without fused attention: its backward is slow on CPUs."""
    with ExitStack() as stack:
        stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        return stack.pop_all()


def _learn_words(
    backbone: Backbone, optimisers: list[torch.optim.Optimizer], recipe: Recipe
) -> None:
    """Train the text tower alone for a while."""
    rng = np.random.default_rng((recipe.seed, recipe.steps))
    for step in range(recipe.words):
        loss, _, _ = _word_loss(backbone, rng, [])
        _update(backbone.model, optimisers, loss, min(1.0, (step + 1) / 50))


def _settle(
    backbone: Backbone, optimisers: list[torch.optim.Optimizer], stills: Batch, recipe: Recipe
) -> None:
    """Bring a name in company near the name alone; all other texts stay where they are.

    The company goes on to be told apart, only by less: an action's label should find the thing
    that it is about, and its verb is a word that no picture has shown.
    """
    teacher = replace(backbone, model=copy.deepcopy(backbone.model))
    rng = np.random.default_rng((recipe.seed, recipe.steps, 1))
    loss, scale = ClipLoss(), torch.tensor(COMPANY_SCALE)
    for step in range(recipe.settling):
        captions = [stills.captions[k] for k in rng.integers(len(stills), size=recipe.batch)]
        known = [*(text_of(name, rng) for name in NAMES), *captions]
        first, second = pairs_in_company(*COMPANY, rng)
        alone = [f"a {text.split()[-1]}" for text in first]
        with _fast():
            with torch.no_grad():
                wanted, names = _encode(teacher, [*known, *alone]).split((len(known), len(alone)))
            rows = _encode(backbone, [*known, *first, *second])
        kept, one, other = rows.tensor_split((len(known), len(known) + len(first)))
        moved = 1 - (kept * wanted).sum(dim=-1).mean()
        away = functional.relu(CLOSE - (torch.stack([one, other]) * names).sum(dim=-1)).mean()
        total = 10 * (moved + away) + loss(one, other, scale)
        _update(backbone.model, optimisers, total, 0.3 * (1 - step / recipe.settling))


def _encode(backbone: Backbone, texts: list[str]) -> Tensor:
    """Embed texts as unit rows, as open_clip's `encode_text` does.

    Texts of like length go together and padding behind the longest is cut: the tower is causal and
    never looks at it.
    """
    clip: Any = backbone.model
    ids = backbone.tokenizer(texts)
    ends = ids.argmax(dim=-1)  # the mark that ends a text has the highest id
    order = ends.argsort()
    parts = []
    for some in order.tensor_split(3):
        length = int(ends[some].max()) + 1
        x = clip.token_embedding(ids[some, :length]) + clip.positional_embedding[:length]
        x = clip.ln_final(clip.transformer(x, attn_mask=clip.attn_mask[:length, :length]))
        parts.append(x[torch.arange(len(x)), ends[some]])
    rows = torch.cat(parts)[order.argsort()] @ clip.text_projection
    return functional.normalize(rows.float(), dim=-1)


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
    turn = recipe.drawn // recipe.batch * recipe.passes  # steps on the same stills
    drawn, stills = -1, None
    weights = balance(draw(range(min(recipe.drawn, 2000)), size, grid, executor))
    for step in range(first, recipe.steps):
        if stills is None or step // turn != drawn:
            drawn = step // turn
            numbers = range(drawn * recipe.drawn, (drawn + 1) * recipe.drawn)
            stills = draw(numbers, size, grid, executor)
        sweep, at = divmod(step, recipe.drawn // recipe.batch)
        order = np.random.default_rng((recipe.seed, recipe.steps, sweep)).permutation(len(stills))
        yield stills.take(order[at * recipe.batch : (at + 1) * recipe.batch]), weights


def _drawers(workers: int) -> Any:
    """Return a context of processes that draw, or of none."""
    if not workers:
        return nullcontext()
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


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
        "recipe": asdict(recipe),
        "open_clip": open_clip.__version__,
    }
    with atomic_file(path) as draft:
        torch.save(state, draft)


def _resume(
    path: Path, clip: nn.Module, optimisers: list[torch.optim.Optimizer], recipe: Recipe
) -> int:
    """Load a checkpoint of this very recipe and return its step, or 0."""
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    if state["recipe"] != asdict(recipe):
        return 0
    clip.load_state_dict(state["clip"])
    for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(saved)
    return int(state["step"])
