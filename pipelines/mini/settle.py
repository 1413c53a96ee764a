"""The last stage of the mini backbone's training, in which its text tower alone settles.

A name in company comes near the name alone, and nearer to its texts than to those of anything else:
an action's label should find the thing that it is about, and its verb is a word that no picture has
shown. And things that the world does not have become strangers to its pictures. A text corpus is
full of words that the tower has never met; left as they are they lie anywhere, and take regions
from the things that are there.
"""

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from open_clip import ClipLoss
from torch import Tensor
from torch.nn import functional

from corpus.backbone import Backbone
from extract.regions import RegionEncoder
from pipelines.mini.losses import COMPANY, balance, encode, fast, region_loss, shown_by
from pipelines.mini.stills import Batch, normalise
from pipelines.mini.texts import NAMES, in_company, pairs_in_company, strangers, text_of

# A name in company is to be at least so near the name alone, and companies are told apart at the
# scale at which smaller differences do.
CLOSE, COMPANY_SCALE = 0.95, 30.0
STRANGERS = 96  # texts of them in a step
LOOKED_AT = 16  # stills whose tokens a step tells from strangers
SHARE = 0.3  # of the peak learning rates, at first


def settle(
    backbone: Backbone,
    encoders: dict[int, RegionEncoder],
    stills: Batch,
    steps: int,
    batch: int,
    seed: tuple[int, ...],
    update: Callable[[Tensor, float], None],
) -> None:
    """Settle the text tower, in place; texts that pictures taught it stay where they are.

    Args:
        backbone: trained on pictures.
        encoders: its image tower, by how many tokens each block merges.
        stills: to look at; their number is a multiple of `batch`.
        steps: how many.
        batch: captions to a step.
        seed: of all that is drawn.
        update: takes a step by a loss, at a share of the peak rates.
    """
    rng = np.random.default_rng(seed)
    teacher = replace(backbone, model=copy.deepcopy(backbone.model))
    seen = _look(backbone, encoders, stills, batch)
    loss, scale = ClipLoss(), torch.tensor(COMPANY_SCALE)
    likeness = backbone.model.logit_scale.exp().detach()
    for step in range(steps):
        captions = [stills.captions[k] for k in rng.integers(len(stills), size=batch)]
        known = [*(text_of(name, rng) for name in NAMES), *captions]
        first, second = pairs_in_company(*COMPANY, rng)
        alone = [f"a {text.split()[-1]}" for text in first]
        others = strangers(STRANGERS, rng)
        companies = [in_company(name, rng) for name in NAMES]
        with fast():
            with torch.no_grad():
                wanted, names = encode(teacher, [*known, *alone]).split((len(known), len(alone)))
            texts = [known, first, second, others, companies]
            rows = encode(backbone, [text for some in texts for text in some])
        kept, one, other, strange, company = rows.split([len(some) for some in texts])
        moved = 1 - (kept * wanted).sum(dim=-1).mean()
        away = functional.relu(CLOSE - (torch.stack([one, other]) * names).sum(dim=-1)).mean()
        entities = torch.cat([kept[: len(NAMES)], strange])
        named = functional.cross_entropy(likeness * company @ entities.T, torch.arange(len(NAMES)))
        tokens, shown = seen[step % len(seen)]
        some = torch.from_numpy(rng.choice(batch, min(batch, LOOKED_AT), replace=False))
        nowhere = functional.pad(shown[some], (0, len(others)))  # no token shows a stranger
        told = region_loss(tokens[some], entities, nowhere, likeness)
        total = 10 * (moved + away) + loss(one, other, scale) + 2 * (named + told)
        update(total, SHARE * (1 - step / steps))


def _look(
    backbone: Backbone, encoders: dict[int, RegionEncoder], stills: Batch, batch: int
) -> list[tuple[Tensor, Tensor]]:
    """Return the tokens of each batch of stills, (B, R, D) unit rows, and what they show."""
    weights, merges, seen = balance(stills), list(encoders), []
    for number, part in enumerate(np.arange(len(stills)).reshape(-1, batch)):
        some = stills.take(part)
        with torch.no_grad(), fast():
            regions = encoders[merges[number % len(merges)]](
                normalise(some.images, backbone.preprocess)
            )
        tokens = functional.normalize(regions.tokens[:, 1:].float(), dim=-1)
        seen.append((tokens, shown_by(some, regions)[:, 1:] * weights))
    return seen
