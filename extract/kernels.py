"""The region encoder's own work as Triton kernels: four launches a block in place of some sixty.

What they compute is said where it is written in PyTorch (`extract.tome`, `extract.regions`), which
runs wherever these cannot. None of them has a gradient, and none adds in an order that changes.
"""

# Triton's language has no types for mypy. Counts are not specialised: each kernel is compiled once.
# Triton launches on the current GPU, which need not be that of the tensors.
# mypy: disable-error-code="no-untyped-def, untyped-decorator, attr-defined"

import torch
import triton
import triton.language as tl
from torch import Tensor


def attend(qkv: Tensor, size: Tensor, heads: int) -> Tensor:
    """Attention in which a key counts as often as its token's size (ToMe §3).

    Args:
        qkv: (B, N, 3 · heads · C) float16 or bfloat16, the block's projections.
        size: (B, N) float32, at least 1.
        heads: of the block.

    Returns:
        (B, N, heads · C), of qkv's dtype; the softmax and its sums are in float32.
    """
    batch, tokens, width = qkv.shape
    width //= 3
    out = qkv.new_empty(batch, tokens, width)
    with torch.cuda.device_of(qkv):
        _attend[(batch * heads * triton.cdiv(tokens, 64),)](
            qkv.contiguous(),
            size.contiguous(),
            out,
            tokens,
            (width // heads) ** -0.5 * 1.4426950408889634,  # to powers of 2
            heads=heads,
            channels=width // heads,
            BLOCK=64,
            CHANNELS=_room(width // heads),
            num_stages=1,  # few keys: reading ahead costs more than it saves
        )
    return out


def match(metric: Tensor, r: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Choose the r most similar pairs, as `tome.match` does.

    Args:
        metric: (B, N, C), any dtype; compared in float32.
        r: at most `tome.most(N)`.

    Returns:
        stay (B, N − r), merged (B, r), target (B, r) and source (B, N), int64.
    """
    batch, tokens, channels = metric.shape
    movable = (tokens - 1) // 2  # a tokens besides the class token
    best = metric.new_empty(batch, movable, dtype=torch.float32)
    nearest = metric.new_empty(batch, movable, dtype=torch.int32)
    stay, merged, target, source = (
        nearest.new_empty(batch, count, dtype=torch.int64) for count in (tokens - r, r, r, tokens)
    )
    with torch.cuda.device_of(metric):
        _nearest[(triton.cdiv(movable, 64), batch)](
            metric.contiguous(),
            best,
            nearest,
            tokens,
            movable,
            channels=channels,
            BLOCK=64,
            CHANNELS=_room(channels),
        )
        room = triton.next_power_of_2(tokens // 2)
        _settle[(batch,)](
            best, nearest, stay, merged, target, source, tokens, movable, r, BLOCK=32, TOKENS=room
        )
    return stay, merged, target, source


def merge(
    x: Tensor, size: Tensor, stay: Tensor, merged: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """Merge tokens, each weighted by its size, as `tome.Merge.tokens` does.

    Args:
        x: (B, N, D) tokens.
        size: (B, N) float32.
        stay, merged, target: of `match`.

    Returns:
        Tokens (B, N − r, D), summed in float32, and sizes (B, N − r).
    """
    batch, tokens, width = x.shape
    left, r = stay.shape[1], merged.shape[1]
    out, sizes = x.new_empty(batch, left, width), size.new_empty(batch, left)
    with torch.cuda.device_of(x):
        _merge[(left, batch)](
            x.contiguous(),
            size.contiguous(),
            stay,
            merged,
            target,
            out,
            sizes,
            tokens,
            left,
            r,
            width=width,
            WIDTH=triton.next_power_of_2(width),
            MERGED=triton.next_power_of_2(max(r, 1)),
        )
    return out, sizes


def _room(channels: int) -> int:
    """Columns of a block that holds so many: products of blocks want a power of 2 from 16 up."""
    return max(16, triton.next_power_of_2(channels))


@triton.jit(do_not_specialize=["tokens"])
def _attend(
    qkv,
    size,
    out,
    tokens,
    scale,
    heads: tl.constexpr,
    channels: tl.constexpr,
    BLOCK: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """A block of one head's queries, over all keys a block at a time ("online softmax")."""
    # One axis, as the second one of a grid has room for 65,535 only.
    blocks = tl.cdiv(tokens, BLOCK)
    image, head = tl.program_id(0) // blocks // heads, tl.program_id(0) // blocks % heads
    width: tl.constexpr = heads * channels
    c = tl.arange(0, CHANNELS)
    query = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    first = image.to(tl.int64) * tokens
    start_of = qkv + first * 3 * width + head * channels
    asked = (query[:, None] < tokens) & (c[None, :] < channels)
    q = tl.load(start_of + query[:, None] * 3 * width + c[None, :], mask=asked, other=0.0)
    top = tl.full([BLOCK], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK], tl.float32)
    mean = tl.zeros([BLOCK, CHANNELS], tl.float32)
    for start in range(0, tokens, BLOCK):
        key = start + tl.arange(0, BLOCK)
        there = (key[:, None] < tokens) & (c[None, :] < channels)
        rows = start_of + key[:, None] * 3 * width + c[None, :]
        k = tl.load(rows + width, mask=there, other=0.0)
        v = tl.load(rows + 2 * width, mask=there, other=0.0)
        # The log of size 0 is -inf: places beyond the last key count for nothing.
        weight = tl.log2(tl.load(size + first + key, mask=key < tokens, other=0.0))
        scores = tl.dot(q, tl.trans(k)) * scale + weight[None, :]
        higher = tl.maximum(top, tl.max(scores, 1))
        share = tl.exp2(scores - higher[:, None])
        fade = tl.exp2(top - higher)
        total = total * fade + tl.sum(share, 1)
        mean = mean * fade[:, None] + tl.dot(share.to(v.dtype), v)
        top = higher
    rows = out + first * width + head * channels + query[:, None] * width + c[None, :]
    tl.store(rows, (mean / total[:, None]).to(out.dtype.element_ty), mask=asked)


@triton.jit(do_not_specialize=["tokens", "movable"])
def _nearest(
    metric,
    best,
    nearest,
    tokens,
    movable,
    channels: tl.constexpr,
    BLOCK: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Of a block of an image's a tokens, class token left out: the most similar b token."""
    c = tl.arange(0, CHANNELS)
    a = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    image = tl.program_id(1).to(tl.int64)
    start_of = metric + image * tokens * channels
    there = (a[:, None] < movable) & (c[None, :] < channels)
    x = tl.load(start_of + (2 * a + 2)[:, None] * channels + c[None, :], mask=there, other=0.0)
    length = tl.sqrt(tl.sum(x.to(tl.float32) * x.to(tl.float32), 1))
    top = tl.full([BLOCK], float("-inf"), tl.float32)
    where = tl.zeros([BLOCK], tl.int32)
    for start in range(0, tokens // 2, BLOCK):
        b = start + tl.arange(0, BLOCK)
        there = (b[:, None] < tokens // 2) & (c[None, :] < channels)
        y = tl.load(start_of + (2 * b + 1)[:, None] * channels + c[None, :], mask=there, other=0.0)
        lengths = length[:, None] * tl.sqrt(tl.sum(y.to(tl.float32) * y.to(tl.float32), 1))[None, :]
        # Products of halves are exact in float32, so lengths are divided by afterwards.
        similarity = tl.dot(x, tl.trans(y), input_precision="ieee") / tl.maximum(lengths, 1e-24)
        similarity = tl.where(b[None, :] < tokens // 2, similarity, float("-inf"))
        value, index = tl.max(similarity, 1, return_indices=True)
        better = value > top  # never of what is not a number
        top = tl.where(better, value, top)
        where = tl.where(better, start + index, where)
    tl.store(best + image * movable + a, top, mask=a < movable)
    tl.store(nearest + image * movable + a, where, mask=a < movable)


@triton.jit(do_not_specialize=["tokens", "movable", "r"])
def _settle(
    best,
    nearest,
    stay,
    merged,
    target,
    source,
    tokens,
    movable,
    r,
    BLOCK: tl.constexpr,
    TOKENS: tl.constexpr,
):
    """Rank an image's a tokens by similarity, equal ones in their order, and lay out the step."""
    image = tl.program_id(0).to(tl.int64)
    a = tl.arange(0, TOKENS)
    here = a < movable
    value = tl.load(best + image * movable + a, mask=here, other=float("-inf"))
    rank = tl.zeros([TOKENS], tl.int32)
    for start in range(0, movable, BLOCK):
        other = start + tl.arange(0, BLOCK)
        rival = tl.load(best + image * movable + other, mask=other < movable, other=float("-inf"))
        ahead = rival[None, :] > value[:, None]
        ahead |= (rival[None, :] == value[:, None]) & (other[None, :] < a[:, None])
        rank += tl.sum((ahead & (other[None, :] < movable)).to(tl.int32), 1)
    goes = here & (rank < r)
    stays = here & (rank >= r)
    left = tokens - r
    first_b = 1 + movable - r
    place = tl.cumsum(stays.to(tl.int32), 0)  # after the class token's
    joined = first_b + tl.load(nearest + image * movable + a, mask=here, other=0)
    tl.store(stay + image * left + place, 2 * a + 2, mask=stays)
    tl.store(merged + image * r + rank, 2 * a + 2, mask=goes)
    tl.store(target + image * r + rank, joined, mask=goes)
    tl.store(source + image * tokens + 2 * a + 2, tl.where(goes, joined, place), mask=here)
    is_b = a < tokens // 2
    tl.store(stay + image * left + first_b + a, 2 * a + 1, mask=is_b)
    tl.store(source + image * tokens + 2 * a + 1, first_b + a, mask=is_b)
    tl.store(stay + image * left, 0)
    tl.store(source + image * tokens, 0)


@triton.jit(do_not_specialize=["tokens", "left", "r"])
def _merge(
    x,
    size,
    stay,
    merged,
    target,
    out,
    sizes,
    tokens,
    left,
    r,
    width: tl.constexpr,
    WIDTH: tl.constexpr,
    MERGED: tl.constexpr,
):
    """One token that stays, and those that join it."""
    token, image = tl.program_id(0), tl.program_id(1).to(tl.int64)
    d = tl.arange(0, WIDTH)
    own = image * tokens + tl.load(stay + image * left + token)
    total = tl.load(size + own)
    mean = tl.load(x + own * width + d, mask=d < width, other=0.0).to(tl.float32)
    pairs = tl.arange(0, MERGED)
    goals = tl.load(target + image * r + pairs, mask=pairs < r, other=-1)
    if tl.sum((goals == token).to(tl.int32), 0) > 0:  # of few tokens
        for step in range(r):
            if tl.load(target + image * r + step) == token:
                other = image * tokens + tl.load(merged + image * r + step)
                weight = tl.load(size + other)
                total += weight
                added = tl.load(x + other * width + d, mask=d < width, other=0.0).to(tl.float32)
                mean += (added - mean) * (weight / total)  # a running mean does not overflow
    place = image * left + token
    tl.store(out + place * width + d, mean.to(out.dtype.element_ty), mask=d < width)
    tl.store(sizes + place, total)
