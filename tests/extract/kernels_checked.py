"""What `extract.kernels` computes beside PyTorch: on a GPU, or anywhere by Triton's interpreter.

`test_kernels.py` runs this file in a process of its own, as the interpreter is chosen at import.
"""

import os

import pytest
import torch
from torch.nn import functional as F

from extract import kernels, tome

DEVICE = torch.device("cpu" if os.environ.get("TRITON_INTERPRET") else "cuda")


def steps_of(metric: torch.Tensor, r: int) -> tuple[tuple[torch.Tensor, ...], tome.Merge]:
    ours = kernels.match(metric.to(DEVICE), min(r, tome.most(metric.shape[1])))
    return tuple(part.cpu() for part in ours), tome.match(metric, r)


@pytest.mark.parametrize(
    ("tokens", "channels", "r"),
    [(197, 64, 8), (53, 24, 8), (150, 80, 5), (300, 16, 300), (9, 4, 3), (3, 4, 1), (2, 4, 0)],
)
def test_the_same_pairs_are_chosen_and_merged(tokens: int, channels: int, r: int):
    torch.manual_seed(tokens)
    (stay, merged, target, source), wanted = steps_of(torch.randn(2, tokens, channels), r)
    assert torch.equal(stay, wanted.stay)
    assert torch.equal(merged, wanted.merged)
    assert torch.equal(target, wanted.target)
    assert torch.equal(source, wanted.source)
    x, size = torch.randn(2, tokens, 24), torch.randint(1, 5, (2, tokens)).float()
    step = (stay.to(DEVICE), merged.to(DEVICE), target.to(DEVICE))
    means, sizes = kernels.merge(x.to(DEVICE), size.to(DEVICE), *step)
    wanted_means, wanted_sizes = wanted.tokens(x, size)
    torch.testing.assert_close(means.cpu(), wanted_means)
    assert torch.equal(sizes.cpu(), wanted_sizes)


def test_equal_similarities_are_settled_in_the_tokens_order():
    (stay, merged, target, source), wanted = steps_of(torch.ones(2, 20, 8), 4)
    assert torch.equal(merged, wanted.merged)
    assert torch.equal(stay, wanted.stay)
    assert torch.equal(target, wanted.target)
    assert torch.equal(source, wanted.source)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 0.0])
def test_whatever_keys_hold_each_token_stays_once_or_merges_once(bad: float):
    metric = torch.randn(2, 30, 8)
    metric[0, 3:9], metric[1] = bad, bad
    (stay, merged, target, source), _ = steps_of(metric, 6)
    every = torch.cat([stay, merged], dim=1).sort(dim=1).values
    assert torch.equal(every, torch.arange(30).expand(2, -1))
    assert ((target >= 24 - 15) & (target < 24)).all()
    assert torch.equal(source.gather(1, merged), target)


def test_half_precision_does_not_overflow():
    x = torch.full((1, 5, 2), 60000.0, dtype=torch.float16, device=DEVICE)
    stay, merged, target, _ = kernels.match(torch.ones(1, 5, 4, device=DEVICE), 2)
    means, size = kernels.merge(x, torch.full((1, 5), 50.0, device=DEVICE), stay, merged, target)
    assert (means == 60000).all()
    assert size.tolist() == [[50, 150, 50]]


@pytest.mark.parametrize(
    ("tokens", "heads", "channels"), [(197, 2, 64), (64, 1, 32), (53, 3, 24), (5, 2, 80)]
)
def test_a_key_counts_as_often_as_its_token_s_size(tokens: int, heads: int, channels: int):
    torch.manual_seed(tokens)
    qkv = torch.randn(2, tokens, 3 * heads * channels).half()
    size = torch.randint(1, 9, (2, tokens)).float()
    q, k, v = qkv.double().unflatten(-1, (3, heads, channels)).permute(2, 0, 3, 1, 4)
    mask = size.double().log()[:, None, None, :]
    wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
    seen = kernels.attend(qkv.to(DEVICE), size.to(DEVICE), heads).cpu().double()
    assert (seen - wanted).norm() / wanted.norm() < 1e-3
