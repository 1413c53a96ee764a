"""The region encoder: a CLIP image tower that merges tokens as it goes (paper §3.3).

It reads open_clip's `VisionTransformer` as it is, with its own weights and nothing patched. Every
block attends, merges r pairs of tokens, then runs its MLP; at the end every token, not the class
token alone, goes through the tower's last norm and projection into the joint space.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional

from corpus.errors import BadInput
from corpus.tower import vision_transformer
from extract import tome

# Attention weights that `_products` makes at once: some 2 MB of them, in three forms.
_SCORES = 1 << 18


@dataclass(frozen=True)
class Regions:
    """What the encoder sees in a batch of images.

    Attributes:
        tokens: (B, R, D) in the joint space, not normalised; token 0 is the class token.
        size: (B, R) float32, how many of the first 1 + P tokens each one stands for.
        source: (B, P) int64, the token that each patch ended in, patches row by row; R for a
            patch whose token was cut by `largest`.
    """

    tokens: Tensor
    size: Tensor
    source: Tensor

    def largest(self, count: int) -> "Regions":
        """The class token and the `count` largest other tokens, in the order they were in.

        Of tokens of a size the first stay. Patches of the others have `source` 1 + count; when
        there are no more than `count`, nothing changes.
        """
        if count + 1 >= self.tokens.shape[1]:
            return self
        order = self.size[:, 1:].argsort(dim=1, descending=True, stable=True)
        first = order.new_zeros(len(order), 1)
        kept = torch.cat([first, order[:, :count].sort(dim=1).values + 1], dim=1)
        places = torch.full_like(self.size, count + 1, dtype=torch.int64)
        places.scatter_(1, kept, torch.arange(count + 1, device=kept.device).expand_as(kept))
        tokens = self.tokens.gather(1, kept[..., None].expand(-1, -1, self.tokens.shape[2]))
        return Regions(tokens, self.size.gather(1, kept), places.gather(1, self.source))


class RegionEncoder(nn.Module):
    """Images to region embeddings, through an open_clip image tower.

    Args:
        model: an open_clip CLIP model, or its image tower. In eval mode; it is not changed.
        merge: token pairs to merge in each block, r. With 0, the class token equals open_clip's
            `encode_image`.
        dtype: precision of the computation. Other than the tower's own, the tower is copied.

    Attributes:
        grid: rows and columns of patches.
        patches: P.
        regions: R, tokens left at the end, the class token included.
        dim: D, size of the joint space.

    Raises:
        BadInput: the tower is not a plain vision transformer, or `merge` is negative.
    """

    def __init__(
        self, model: nn.Module, merge: int = 8, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        if merge < 0:
            raise BadInput(f"--merge {merge}", "cannot be negative", "use 0 to merge nothing")
        visual = vision_transformer(getattr(model, "visual", model))
        if next(visual.parameters()).dtype != dtype:
            visual = copy.deepcopy(visual).to(dtype)
        self.visual, self.merge, self.dtype = visual, merge, dtype
        self.grid = (int(visual.grid_size[0]), int(visual.grid_size[1]))
        self.patches = self.grid[0] * self.grid[1]
        self.regions = 1 + self.patches
        for _ in _blocks(visual):
            self.regions -= min(merge, tome.most(self.regions))
        self.dim = int(visual.proj.shape[1])

    def forward(self, images: Tensor) -> Regions:
        """Encode images.

        Args:
            images: (B, 3, H, W), normalised as the backbone's preprocessing says.
        """
        x = self._embed(images.to(self.dtype))  # (B, 1 + P, width)
        size = torch.ones(x.shape[:2], device=x.device)
        source = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
        for block in _blocks(self.visual):
            # Before the first merge tokens count alike, and attention is faster when not told so.
            x, keys = _attend(block, x, size if x.shape[1] <= self.patches else None)
            if self.merge:
                step = tome.match(keys, self.merge)
                x, size = step.tokens(x, size)
                source = step.source.gather(1, source)
            x = x + block.ls_2(block.mlp(block.ln_2(x)))
        tokens = self.visual.ln_post(x) @ self.visual.proj
        return Regions(tokens, size, source[:, 1:])

    def _embed(self, images: Tensor) -> Tensor:
        """Images to the first block's input: patches, class token, positions, norm."""
        visual = self.visual
        # Patches do not overlap: their convolution is a product of matrices, which is faster.
        rows, columns = visual.patch_size
        images = images[..., : self.grid[0] * rows, : self.grid[1] * columns]  # 384 is 27.4 · 14
        cut = images.unflatten(3, (-1, columns)).unflatten(2, (-1, rows))
        patches = cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)  # (B, P, 3 · h · w)
        x = functional.linear(patches, visual.conv1.weight.flatten(1))  # (B, P, width)
        first = visual.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        x = torch.cat([first, x], dim=1) + visual.positional_embedding.to(x.dtype)
        return visual.ln_pre(x)


def _attend(block: ResidualAttentionBlock, x: Tensor, size: Tensor | None) -> tuple[Tensor, Tensor]:
    """Run the attention half of a block with its own weights.

    Args:
        block: of the tower.
        x: (B, N, width) tokens.
        size: (B, N) float32; what a token stands for counts that many times as a key
            ("proportional attention", ToMe §3). Without, each counts once.

    Returns:
        x after attention, and the keys' mean over heads (B, N, width / heads).
    """
    attn = block.attn
    qkv = functional.linear(block.ln_1(x), attn.in_proj_weight, attn.in_proj_bias)
    q, k, v = qkv.unflatten(-1, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)  # (B, H, N, C)
    kernels = None if size is None or qkv.dtype == torch.float32 else tome.kernels_for(qkv)
    if kernels:
        out = kernels.attend(qkv, size, attn.num_heads)
    else:
        # Sizes' logs go in as the mask: the attention kernel stays a fused one.
        mask = None if size is None else size.log().to(q.dtype)[:, None, None, :]
        on_cpu = q.device.type == "cpu" and not torch.compiler.is_compiling()
        plain = on_cpu and q.dtype == torch.bfloat16
        attention = _products if plain else functional.scaled_dot_product_attention
        out = attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
    return x + block.ls_1(attn.out_proj(out)), k.mean(dim=1)


def _products(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention as products of matrices, some images at a time.

    On a CPU in bfloat16 it is faster than torch's fused one, as long as the weights, of which that
    one makes a few at a time, stay in the caches.

    Args:
        q, k, v: (B, H, N, C).
        attn_mask: (B, 1, 1, N), or None.

    Returns:
        (B, H, N, C).
    """
    images, heads, tokens, width = q.shape
    mask = q.new_zeros(images, 1, 1, tokens) if attn_mask is None else attn_mask
    mask = mask.expand(-1, heads, -1, -1)
    out = torch.empty_like(q)
    few = max(1, _SCORES // (heads * tokens**2))
    for some in (slice(start, start + few) for start in range(0, images, few)):
        m, a, b, c = (part[some].flatten(0, 1) for part in (mask, q, k, v))
        scores = torch.baddbmm(m, a, b.transpose(1, 2), alpha=width**-0.5)
        # Half precision's own softmax is the slower one where a row is no multiple of 32.
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(q.dtype)
        out[some] = (weights @ c).unflatten(0, (-1, heads))
    return out


def _blocks(visual: Any) -> Any:
    return visual.transformer.resblocks
