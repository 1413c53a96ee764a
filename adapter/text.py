"""Labels as points in the joint space, in every prompt, averaged (frozen).

A label is two points: all that it says, and what it says besides the things that it names. What is
learned from how things move is compared with the second alone. The text of "riding horse" less
its part along that of a horse would still say horse.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from corpus.backbone import Backbone
from corpus.errors import BadInput
from corpus.labels import readable
from corpus.parse import predicate

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
        (C, 2, D) float32 unit rows, of the label and of its predicate (`corpus.parse.predicate`):
        the normalised mean over prompts of the unit text embeddings.

    Raises:
        BadInput: no prompt, or one without its one "{}".
    """
    if not prompts:
        raise BadInput("prompts", "are none", "give one, with {} where the label goes")
    for prompt in prompts:
        if prompt.count("{}") != 1:
            raise BadInput(
                f"prompt {prompt!r}", "has not exactly one {}", "put {} where the label goes"
            )
    said = [text for label in labels for text in (readable(label), predicate(label))]
    rows = [
        backbone.encode_text([prompt.replace("{}", text) for text in said]) for prompt in prompts
    ]
    return F.normalize(torch.stack(rows).mean(dim=0), dim=-1).unflatten(0, (-1, 2))
