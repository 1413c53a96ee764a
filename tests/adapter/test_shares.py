import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adapter.align import gumbel
from adapter.augment import drop_frames, drop_regions, move_frame
from adapter.clips import Clips
from adapter.layers import Dropout
from adapter.shares import drawn, in_pairs, part_of


@given(st.integers(1, 70), st.integers(1, 9))
def test_parts_cover_a_batch_in_order_divide_no_pair_and_are_even(count: int, parts: int) -> None:
    slices = in_pairs(count, parts)
    assert len(slices) == parts
    assert [row for part in slices for row in range(count)[part]] == list(range(count))
    assert all(part.stop % 2 == 0 or part.stop == count for part in slices)
    pairs = [-(-(part.stop - part.start) // 2) for part in slices]
    assert max(pairs) - min(pairs) <= 1


def test_a_part_draws_its_rows_of_what_the_whole_batch_draws() -> None:
    torch.manual_seed(4)
    whole = drawn(torch.rand, 9, 3)
    for rows in in_pairs(9, 3):
        torch.manual_seed(4)
        with part_of(9, rows):
            part = drawn(torch.rand, rows.stop - rows.start, 3)
        assert torch.equal(part, whole[rows])
    assert drawn(torch.rand, 2, 3).shape == (2, 3)  # outside, there is no part any more


@pytest.mark.parametrize("parts", [2, 3])
def test_all_noise_of_training_is_that_of_the_whole_batch(parts: int) -> None:
    clips = Clips(torch.randn(7, 4, 9, 5), torch.rand(7, 4, 9, 3))
    dropout = Dropout(0.3)

    def noisy(some: Clips) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(2)
        some = drop_regions(drop_frames(some, 0.4), 0.4)
        some = move_frame(some, True, 0.3)
        return some.regions, some.place, dropout(some.regions), gumbel(some.place)

    whole = noisy(clips)
    divided = []
    for rows in in_pairs(7, parts):
        with part_of(7, rows):
            divided.append(noisy(clips.map(lambda tensor, rows=rows: tensor[rows])))
    for all_of_it, some in zip(whole, zip(*divided, strict=True), strict=True):
        assert torch.equal(torch.cat(some), all_of_it)
    assert not torch.equal(whole[2], whole[0])


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropout, ones = Dropout(0.25), torch.ones(401, 1001)
    dropped = dropout(ones)
    assert (dropped == 0).float().mean() == pytest.approx(0.25, abs=5e-3)
    assert dropped.mean() == pytest.approx(1, abs=5e-3)
    assert torch.equal(dropout.eval()(ones), ones)
