"""Entities to embeddings, and embeddings to a FAISS index."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from corpus.build import Entity, prompts
from corpus.options import Options
from corpus.tally import Step, tallied

if TYPE_CHECKING:
    from corpus.backbone import Backbone

_BATCH = 256


def embed(
    entities: Sequence[Entity],
    options: Options,
    backbone: "Backbone",
    known: Mapping[tuple[str, ...], np.ndarray],
    step: Step,
) -> tuple[np.ndarray, int]:
    """Embed entities, each the mean of its templates.

    Args:
        entities: K of them.
        options: with the templates.
        backbone: whose text tower it is.
        known: embeddings (D,) by the texts that were averaged, which need no embedding anew.
        step: called as (stage, done, total).

    Returns:
        Unit rows (K, D) float32, and how many entities have a text that was truncated.
    """
    texts = [prompts(entity, options) for entity in entities]
    counted = tallied(texts, len(texts), partial(step, "counting tokens"))
    longest = [max(backbone.token_counts(group)) for group in counted]
    truncated = sum(length > backbone.context_length for length in longest)
    rows: list[np.ndarray | None] = [known.get(tuple(group)) for group in texts]
    new = [at for at, row in enumerate(rows) if row is None]
    for start in range(0, len(new), _BATCH):
        some = new[start : start + _BATCH]
        flat = backbone.encode_text([text for at in some for text in texts[at]]).numpy()
        means = flat.reshape(len(some), len(options.templates), -1).mean(1)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        for at, mean in zip(some, means, strict=True):
            rows[at] = mean
        step("embedding", min(start + _BATCH, len(new)), len(new))
    return np.stack([row for row in rows if row is not None]).astype(np.float32), truncated


def flat_index(embeddings: np.ndarray) -> Any:
    """Return an exact inner-product index over rows (K, D) float32."""
    import faiss

    index = faiss.IndexFlatIP(embeddings.shape[1])
    index.add(np.ascontiguousarray(embeddings, np.float32))
    return index
