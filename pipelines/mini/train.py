"""Training of the mini backbone: captions with images, and entities with the regions they cover.

Both losses are open_clip's contrastive loss. The second one is what makes region tokens mean
something: a token, or the mean of the tokens over a thing, against the text of that thing.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip import ClipLoss
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader

from corpus.atomic import atomic_file
from corpus.backbone import MINI, Backbone, load
from extract.regions import RegionEncoder, Regions
from pipelines.mini.start import prepare
from pipelines.mini.stills import Batch, Stills, collate, normalise
from pipelines.mini.texts import NAMES, text_of
from pipelines.world.entities import ENTITIES

SAVED, REPORTED = 50, 25  # steps between checkpoints, and between reports
SINGLES = 3
MERGES = (0, 4, 8)  # each step trains with one of them, so that tokens stay meaningful when merged
_WEIGHTS = {"object": 3.0, "animal": 3.0, "scene": 1.0, "role": 1.0, "body_part": 1.0}


@dataclass(frozen=True)
class Recipe:
    """How the mini backbone is trained.

    Attributes:
        steps, batch: optimisation steps, stills to a step.
        lr, weight_decay, warmup: AdamW's peak rate, decay of matrices, warm-up in steps.
        regions: entities of each still whose regions are contrasted, at most.
        words: steps on texts alone that come first, names against definitions, so that pictures
            meet a text tower that tells words apart.
        easy: share of the steps over which nuisance grows from little to the videos' level.
        seed: of weights, sampling and texts.
    """

    steps: int = 1800
    batch: int = 96
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: int = 150
    regions: int = 10
    words: int = 100
    easy: float = 0.4
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
    recipe: Recipe, checkpoint: Path, workers: int = 1, report: Callable[[Progress], None] = print
) -> Backbone:
    """Train the mini backbone from scratch, or go on from `checkpoint`.

    Args:
        recipe: how.
        checkpoint: file that is written every SAVED steps and read if it exists.
        workers: processes that draw stills.
        report: called every REPORTED steps.

    Returns:
        The trained backbone, in eval mode.
    """
    torch.manual_seed(recipe.seed)
    backbone = load(MINI, "none", seed=recipe.seed)
    clip = backbone.model.train().requires_grad_(True)
    optimiser = torch.optim.AdamW(_groups(clip, recipe), lr=recipe.lr, betas=(0.9, 0.98))
    first = _resume(checkpoint, clip, optimiser, recipe)
    if not first:
        prepare(clip.visual, recipe.seed)
        _learn_words(backbone, recipe)
    encoders = {merge: RegionEncoder(clip, merge) for merge in MERGES}
    grid = encoders[0].grid[0]
    count = recipe.steps * recipe.batch
    stills = Stills(backbone.preprocess.size[0], grid, count, easy=int(count * recipe.easy))
    start = time.monotonic()
    for step, batch in zip(
        range(first, recipe.steps), _batches(stills, first, recipe, workers), strict=False
    ):
        rng = np.random.default_rng((recipe.seed, step))
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, recipe)
        losses = _losses(backbone, encoders[MERGES[step % 3]], batch, recipe, rng)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()
        nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, math.log(100))
        if step % SAVED == SAVED - 1 or step + 1 == recipe.steps:
            _save(checkpoint, clip, optimiser, step + 1, recipe)
        if step % REPORTED == REPORTED - 1:
            done = (step + 1 - first) * recipe.batch / (time.monotonic() - start)
            captions, regions, words = (loss.item() for loss in losses)
            report(Progress(step + 1, captions, regions, words, done))
    clip.eval().requires_grad_(False)
    return backbone


def rate_at(step: int, recipe: Recipe) -> float:
    """Return the learning rate: linear warm-up, then a cosine to zero."""
    if step < recipe.warmup:
        return recipe.lr * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))


def _learn_words(backbone: Backbone, recipe: Recipe) -> None:
    """Train the text tower alone: two texts of an entity attract, those of others repel."""
    clip: Any = backbone.model
    loss, rng = ClipLoss(), np.random.default_rng((recipe.seed, recipe.steps))
    optimiser = torch.optim.AdamW(clip.parameters(), lr=recipe.lr, weight_decay=0.0)
    for step in range(recipe.words):
        optimiser.param_groups[0]["lr"] = recipe.lr * min(1.0, (step + 1) / 50)
        with sdpa_kernel(SDPBackend.MATH):
            texts = _encode(backbone, [text_of(name, rng) for name in (*NAMES, *NAMES)])
        first, second = texts.chunk(2)
        optimiser.zero_grad(set_to_none=True)
        loss(first, second, clip.logit_scale.exp()).backward()
        nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
        optimiser.step()


def _losses(
    backbone: Backbone,
    encoder: RegionEncoder,
    batch: Batch,
    recipe: Recipe,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the losses of captions, of regions, and of words among themselves.

    Without the last one the text tower would give in to images that say little yet, and forget
    what tells words apart.
    """
    clip, loss = backbone.model, ClipLoss()
    # Sequences are short here, and the fused attention's backward pass is slow on CPUs.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        seen = encoder(normalise(batch.images, backbone.preprocess))
        captions = _encode(backbone, batch.captions)
        entities = _encode(backbone, [text_of(name, rng) for name in NAMES])
        again = _encode(backbone, [text_of(name, rng) for name in NAMES])
    tokens = nn.functional.normalize(seen.tokens.float(), dim=-1)
    scale = clip.logit_scale.exp()
    regions, entity = regions_of(batch, seen, tokens, recipe.regions, rng)
    parts = [
        loss(regions[rows], entities[entity[rows]], scale)
        for rows in once_each(entity.numpy(), rng)
    ]
    words = loss(entities, again, scale)
    return loss(tokens[:, 0], captions, scale), torch.stack(parts).mean(), words


def _encode(backbone: Backbone, texts: list[str]) -> Tensor:
    """Embed texts as unit rows, as open_clip's `encode_text` does.

    Padding behind the longest text is cut: the tower is causal and never looks at it.
    """
    clip: Any = backbone.model
    ids = backbone.tokenizer(texts)
    ends = ids.argmax(dim=-1)  # the mark that ends a text has the highest id
    length = int(ends.max()) + 1
    x = clip.token_embedding(ids[:, :length]) + clip.positional_embedding[:length]
    x = clip.ln_final(clip.transformer(x, attn_mask=clip.attn_mask[:length, :length]))
    rows = x[torch.arange(len(x)), ends] @ clip.text_projection
    return nn.functional.normalize(rows.float(), dim=-1)


def regions_of(
    batch: Batch, seen: Regions, tokens: Tensor, most: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Choose entities of each still and the tokens that show them.

    Each is seen as the mean of its tokens, weighted by how much of it they show, and as single
    ones of them (SINGLES), so that each token means something by itself.

    Returns:
        (n, D) unit rows and (n,) int64 entity indices.
    """
    mass = torch.zeros(*batch.cover.shape[:2], tokens.shape[1])  # (B, E, R)
    mass.scatter_add_(2, seen.source[:, None].expand_as(batch.cover), batch.cover)
    purity = mass / seen.size[:, None].clamp(min=1)
    kinds = torch.tensor([_WEIGHTS[ENTITIES[name].kind] for name in NAMES])
    chance = kinds[batch.entities.clamp(min=0)] * (batch.entities >= 0)
    chance = chance * (purity[..., 1:].amax(-1) > 0.25)
    # Gumbel's trick: the largest keys are a weighted sample without replacement.
    keys = chance.log() + torch.from_numpy(rng.gumbel(size=chance.shape)).float()
    best = keys.topk(most, dim=1)
    row, place = (best.values > -torch.inf).nonzero(as_tuple=True)
    chosen = best.indices[row, place]
    weights = mass[row, chosen] * purity[row, chosen]  # (n, R)
    seen_as = [weights]
    for _ in range(SINGLES):
        noise = torch.from_numpy(rng.gumbel(size=weights.shape)).float()
        one = (weights.clamp(min=1e-9).log() + noise).argmax(-1)
        seen_as.append(nn.functional.one_hot(one, weights.shape[1]).float())
    own = tokens[row]  # (n, R, D)
    rows = torch.cat([(w[:, None] @ own).squeeze(1) for w in seen_as])
    return nn.functional.normalize(rows, dim=-1), batch.entities[row, chosen].repeat(len(seen_as))


def once_each(entity: np.ndarray, rng: np.random.Generator) -> list[Tensor]:
    """Deal regions into groups in which no entity comes twice: a second one is no negative."""
    order = rng.permutation(len(entity))
    turn, seen = np.zeros(len(entity), np.int64), np.zeros(len(NAMES), np.int64)
    for k in order:
        turn[k] = seen[entity[k]]
        seen[entity[k]] += 1
    groups = [torch.from_numpy(np.flatnonzero(turn == g)) for g in range(int(turn.max()) + 1)]
    # Later groups hold little but the few entities that every still shows.
    return [group for group in groups if len(group) >= len(groups[0]) // 2]


def _batches(stills: Stills, first: int, recipe: Recipe, workers: int) -> Iterator[Batch]:
    rows = range(first * recipe.batch, recipe.steps * recipe.batch)
    loader: DataLoader = DataLoader(
        stills,
        recipe.batch,
        sampler=rows,
        num_workers=workers,
        collate_fn=collate,
        prefetch_factor=4 if workers else None,
    )
    return iter(loader)


def _groups(clip: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    matrices = [p for p in clip.parameters() if p.ndim > 1]
    vectors = [p for p in clip.parameters() if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _save(
    path: Path, clip: nn.Module, optimiser: torch.optim.Optimizer, step: int, recipe: Recipe
) -> None:
    state = {
        "clip": clip.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": step,
        "recipe": asdict(recipe),
        "open_clip": open_clip.__version__,
    }
    with atomic_file(path) as draft:
        torch.save(state, draft)


def _resume(path: Path, clip: nn.Module, optimiser: torch.optim.Optimizer, recipe: Recipe) -> int:
    """Load a checkpoint of this very recipe and return its step, or 0."""
    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    if state["recipe"] != asdict(recipe):
        return 0
    clip.load_state_dict(state["clip"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])
