"""Which image towers can be used: those whose every token can be followed into the joint space."""

from functools import cache
from json import dumps, loads
from typing import Any

import open_clip
import torch
from open_clip.model import _build_vision_tower
from open_clip.transformer import ResidualAttentionBlock, Transformer, VisionTransformer
from torch import nn

from corpus.errors import BadInput

_MEND = "use an open_clip ViT such as ViT-B-32, ViT-B-16 or ViT-L-14"


def check_tower(model: str) -> None:
    """Refuse a model by its config, before any of it is made or fetched.

    Args:
        model: open_clip's name.

    Raises:
        BadInput: its image tower is not a plain vision transformer.
    """
    config: Any = open_clip.get_model_config(model)
    if "timm_model_name" in config["vision_cfg"]:
        cause = "its image tower is one of timm's, not open_clip's own VisionTransformer"
        raise BadInput(f"--model {model}", cause, _MEND)
    _check(model, dumps([config["embed_dim"], config["vision_cfg"]]))


@cache
def _check(model: str, config: str) -> None:
    with torch.device("meta"):
        tower = _build_vision_tower(*loads(config))
    vision_transformer(tower, f"--model {model}")


def vision_transformer(visual: nn.Module, where: str = "--model") -> VisionTransformer:
    """Return `visual` if it is a tower that merges and projects its tokens rightly.

    Args:
        visual: an image tower.
        where: it is from, for the error.

    Raises:
        BadInput: it is another kind of network, or ends otherwise than in a class token's
            projection.
    """
    if type(visual) is not VisionTransformer:
        cause = f"its image tower is a {type(visual).__name__}, not a VisionTransformer"
        raise BadInput(where, cause, _MEND)
    transformer: Any = visual.transformer
    blocks = {type(block) for block in transformer.resblocks}
    for wrong, cause in (
        (visual.attn_pool is not None, "pools by attention"),
        (visual.pool_type != "tok", f"pools by {visual.pool_type!r}, not by its class token"),
        (visual.final_ln_after_pool, "norms after pooling"),
        (visual.proj is None, "has no projection into the joint space"),
        (
            type(transformer) is not Transformer or blocks != {ResidualAttentionBlock},
            "has blocks of its own making",
        ),
    ):
        if wrong:
            raise BadInput(where, f"its image tower {cause}", _MEND)
    return visual
