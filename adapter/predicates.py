"""What labels say beyond things: what ways are compared with (`adapter.model`)."""

import torch
from torch import Tensor

from adapter.align import HELD


def beyond(predicates: Tensor, entities: Tensor) -> Tensor:
    """Return what predicates say beyond their nearest entity: their part at right angles to it.

    It is the same for all labels of one predicate. Little is left of a label that is all entity
    and its own predicate ("archery").

    Args:
        predicates: (C, dim) unit rows.
        entities: (K, dim) unit rows.

    Returns:
        (C, dim), the shorter the more the entity says it all.
    """
    # Thousands of labels and of entities make more cosines than there may be room for at once.
    parts = predicates.split(max(1, HELD // len(entities)))
    nearest = entities[torch.cat([(some @ entities.T).argmax(dim=-1) for some in parts])]
    return predicates - (predicates * nearest).sum(dim=-1, keepdim=True) * nearest


class Beyond:
    """`beyond` of labels, worked out once for as long as labels and entities stay what they are.

    With many of both it takes longer than all else that is done with a clip.
    """

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor, tuple[int, int], Tensor] | None = None

    def __call__(self, labels: Tensor, entities: Tensor) -> Tensor:
        """Return (C, dim) for (C, 2, dim) labels and (K, dim) entities, unit rows both."""
        moving = labels.requires_grad or entities.requires_grad
        if moving or torch.compiler.is_compiling():
            return beyond(labels[:, 1], entities)
        versions = _version(labels), _version(entities)
        kept = self._kept
        if kept and kept[0] is labels and kept[1] is entities and kept[2] == versions:
            return kept[3]
        with torch.inference_mode(False), torch.no_grad():  # training may be next to read it
            rest = beyond(labels[:, 1], entities)
        self._kept = labels, entities, versions, rest
        return rest


def _version(tensor: Tensor) -> int:
    """Count what was changed in place; nothing is, of a tensor of inference."""
    return 0 if tensor.is_inference() else tensor._version
