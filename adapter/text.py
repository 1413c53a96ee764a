"""Labels as points in the joint space: each label in every prompt, averaged (frozen)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from corpus.backbone import Backbone
from corpus.errors import BadInput
from corpus.labels import readable

DEFAULT_PROMPTS = ("a video of a person {}.",)


def label_text(
    labels: Sequence[str], backbone: Backbone, prompts: Sequence[str] = DEFAULT_PROMPTS
) -> Tensor:
    """Embed labels.

    Args:
        labels: C names, written any way a data set writes them.
        backbone: whose joint space.
        prompts: each with one "{}", where the readable label goes.

    Returns:
        (C, D) float32 unit rows: the normalised mean over prompts of the unit text embeddings.

    Raises:
        BadInput: a prompt without its one "{}".
    """
    for prompt in prompts:
        if prompt.count("{}") != 1:
            raise BadInput(
                f"prompt {prompt!r}", "has not exactly one {}", "put {} where the label goes"
            )
    names = [readable(label) for label in labels]
    rows = [
        backbone.encode_text([prompt.replace("{}", name) for name in names]) for prompt in prompts
    ]
    return F.normalize(torch.stack(rows).mean(dim=0), dim=-1)
