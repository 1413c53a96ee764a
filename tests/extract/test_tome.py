from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from extract.tome import Merge, match, most


@pytest.mark.parametrize("name", ["tome_small", "tome_b32", "tome_deep"])
def test_the_reference_s_outputs_are_reproduced(shared: Path, name: str):
    golden = {k: torch.from_numpy(v) for k, v in np.load(shared / f"golden/{name}.npz").items()}
    x = golden["x0"]
    size = torch.ones(x.shape[:2])
    source = torch.arange(x.shape[1]).expand(len(x), -1)
    for step in range(int(golden["steps"])):
        merge = match(golden[f"metric{step}"], int(golden["r"]))
        x, size = merge.tokens(x, size)
        source = merge.source.gather(1, source)
        torch.testing.assert_close(x, golden[f"x{step + 1}"], atol=1e-5, rtol=1e-5)
        assert torch.equal(size[..., None], golden[f"size{step + 1}"])
        assert torch.equal(source.int(), golden[f"source{step + 1}"])


def drawn(n: int, r: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, Merge]:
    """Two batches of n tokens, how many patches each stands for, and a merge of r of them."""
    generator = torch.Generator().manual_seed(seed)
    x, metric = torch.randn(2, 2, n, 5, generator=generator)
    size = torch.randint(1, 4, (2, n), generator=generator).float()
    return x, size, match(metric, r)


@given(st.integers(2, 12), st.integers(0, 9), st.integers(0, 10**6))
def test_a_merge_is_the_size_weighted_mean_of_what_the_source_map_says(n: int, r: int, seed: int):
    x, size, merge = drawn(n, r, seed)
    merged, merged_size = merge.tokens(x, size)
    source = merge.source
    left = n - min(r, most(n))
    assert merged.shape == (2, left, 5)
    assert (source[:, 0] == 0).all()
    for batch in range(2):
        for token in range(left):
            mine = source[batch] == token
            assert merged_size[batch, token] == size[batch, mine].sum()
            mean = (x[batch, mine] * size[batch, mine, None]).sum(0) / size[batch, mine].sum()
            torch.testing.assert_close(merged[batch, token], mean)
        assert (source[batch] == 0).sum() == 1  # nothing joins the class token


@given(st.integers(2, 12), st.integers(1, 9), st.integers(0, 10**6))
def test_a_token_s_gradient_is_its_share_of_what_it_ended_in(n: int, r: int, seed: int):
    x, size, merge = drawn(n, r, seed)
    merged, merged_size = merge.tokens(x.requires_grad_(), size)
    weight = torch.randn(merged.shape, generator=torch.Generator().manual_seed(seed + 1))
    (merged * weight).sum().backward()
    source = merge.source
    share = size / merged_size.gather(1, source)
    wanted = weight.gather(1, source[..., None].expand(-1, -1, 5)) * share[..., None]
    torch.testing.assert_close(x.grad, wanted)


def test_equal_tokens_are_merged_in_their_order():
    metric = torch.ones(1, 9, 4)
    assert match(metric, 2).merged.tolist() == [[2, 4]]
    assert match(metric, 2).stay.tolist() == [[0, 6, 8, 1, 3, 5, 7]]


def test_the_most_similar_pairs_go_first():
    metric = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0.1, 1], [-1, 1], [1, 1]])[None]
    # a tokens: 0 (class), 2, 4; b tokens: 1, 3, 5. Token 2 is nearest to 3, token 4 to 3 too.
    merge = match(metric, 1)
    assert (merge.merged.tolist(), merge.target.tolist()) == ([[2]], [[3]])
    assert merge.source.tolist() == [[0, 2, 3, 3, 1, 4]]


def test_half_precision_does_not_overflow():
    x = torch.full((1, 5, 2), 60000.0, dtype=torch.float16)
    merged, size = match(torch.ones(1, 5, 3), 2).tokens(x, torch.full((1, 5), 50.0))
    assert torch.isfinite(merged).all()
    assert size.tolist() == [[50, 150, 50]]
