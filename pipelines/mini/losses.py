"""What the mini backbone is trained by: losses of captions, of regions, and of words."""

from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from open_clip import ClipLoss
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from corpus.backbone import Backbone
from extract.regions import RegionEncoder, Regions
from pipelines.mini.grouping import key_loss, listening
from pipelines.mini.stills import Batch, normalise
from pipelines.mini.texts import NAMES, pairs_in_company, text_of

REPHRASED = 48  # names that a step writes a second time
COMPANY = 10, 4  # names, and companies of each, in a step's `pairs_in_company`
WORDS_SCALE = 8.0  # of cosines between texts; small, so that names spread out
# Weights, beside captions, of the losses of what a still is about, of regions and of keys.
ABOUT, REGIONS, KEYS = 7.0, 2.0, 3.0
# Things cover few pixels and scenes most of them. An entity's weight is its mean share of the
# pixels to this power, inverted.
BALANCE = 0.7


def losses_of(
    backbone: Backbone,
    encoder: RegionEncoder,
    batch: Batch,
    weights: Tensor,
    rng: np.random.Generator,
    alone: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the losses of captions, of what stills are about, of regions, of keys, and of words.

    A caption names what is there, in many words, and says little about each. So the class token
    is also compared with the texts of all entities, as the regions are, and should be like what
    one would say that the still shows. Without the loss of words among themselves the text tower
    would give in to images that say little yet, and forget what tells words apart.
    """
    with fast(), listening(encoder) as heard:
        seen = encoder(normalise(batch.images, backbone.preprocess))
    tokens = functional.normalize(seen.tokens.float(), dim=-1)
    scale = backbone.model.logit_scale.exp()
    none = torch.zeros(())
    shown = shown_by(batch, seen)[:, 1:]
    keys = none if encoder.merge else KEYS * key_loss(heard, shown)
    shown = shown * weights
    if alone:
        with torch.no_grad(), fast():
            entities = encode(backbone, [text_of(name, rng) for name in NAMES])
        return none, none, region_loss(tokens[:, 1:], entities, shown, scale), keys, none
    words, entities, captions = word_loss(backbone, rng, batch.captions)
    about = region_loss(tokens[:, :1], entities, batch.about[:, None], scale)
    regions = region_loss(tokens[:, 1:], entities, shown, scale)
    told = ClipLoss()(tokens[:, 0], captions, scale)
    return told, ABOUT * about, REGIONS * regions, keys, words


def word_loss(
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
    with fast():
        rows = encode(backbone, texts)
    entities, again, company, rest = rows.tensor_split(
        (len(NAMES), len(names), len(texts) - len(captions))
    )
    alike = loss(entities[torch.from_numpy(some)], again, scale)
    return alike + loss(*company.chunk(2), scale), entities, rest


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


def encode(backbone: Backbone, texts: list[str]) -> Tensor:
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


def fast() -> ExitStack:
    """Compute in half precision, and without fused attention: its backward is slow on CPUs."""
    with ExitStack() as stack:
        stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        return stack.pop_all()
