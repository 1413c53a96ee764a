import torch

from adapter.augment import draw_mix, drop_frames, drop_regions, move_frame
from adapter.model import Clips


def numbered(batch: int = 4, frames: int = 6, regions: int = 9) -> Clips:
    """Clips in which each token says where it is."""
    index = torch.stack(
        torch.meshgrid(*(torch.arange(n) for n in (batch, frames, regions)), indexing="ij"), dim=-1
    ).float()
    return Clips(index, index)


def test_a_dropped_frame_is_replaced_by_the_last_one_kept() -> None:
    clips = drop_frames(numbered(64), 0.5)
    shown = clips.regions[:, :, 0, 1]  # which frame stands in each place
    assert (shown[:, 0] == 0).all()
    assert (shown <= torch.arange(6)).all()
    assert (shown.diff() >= 0).all()
    repeats = (shown[:, 1:] != torch.arange(1, 6)).float().mean()
    assert 0.4 < repeats < 0.6
    assert torch.equal(clips.regions, clips.place)


def test_dropping_regions_keeps_the_class_token_and_as_many_others_everywhere() -> None:
    clips = drop_regions(numbered(), 0.25)
    assert clips.regions.shape == (4, 6, 7, 3)
    kept = clips.regions[..., 2]
    assert (kept[..., 0] == 0).all()
    assert (kept.diff(dim=-1) > 0).all()  # no region twice, and in their order
    assert torch.equal(clips.regions, clips.place)
    assert len({tuple(frame.tolist()) for frame in kept.flatten(0, 1)}) > 1


def test_a_rate_of_zero_changes_nothing() -> None:
    clips = numbered()
    assert drop_regions(drop_frames(clips, 0), 0) is clips
    assert draw_mix(4, 0) is None


def test_moving_the_frame_moves_all_places_of_a_clip_alike_and_the_class_token_not() -> None:
    clips = Clips(torch.randn(400, 3, 5, 2), torch.rand(400, 3, 5, 3) * 2 - 1)
    moved = move_frame(clips, True, 0.2)
    assert torch.equal(moved.regions, clips.regions)
    assert torch.equal(moved.place[:, :, 0], clips.place[:, :, 0])
    # The change of any two places, of any two frames, is the same zoom, mirrored in half of clips.
    before = clips.place[:, 0, 1] - clips.place[:, 2, 4]
    after = moved.place[:, 0, 1] - moved.place[:, 2, 4]
    zoom = after / before
    torch.testing.assert_close(zoom[:, 0].abs(), zoom[:, 1], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        moved.place[..., 1:, 2], clips.place[..., 1:, 2] * zoom[:, None, None, 1]
    )
    assert 0.4 < (zoom[:, 0] < 0).float().mean() < 0.6
    assert 0.15 < zoom[:, 1].log().std() < 0.25
    # Besides, all places of a clip are shifted across and down, each clip by its own.
    shift = (moved.place[..., :2] - clips.place[..., :2] * zoom[:, None, None, :2])[:, :, 1:]
    for axis in range(2):
        of_clip = shift[:, 0, 0, axis]
        torch.testing.assert_close(
            shift[..., axis], of_clip[:, None, None].expand(400, 3, 4), rtol=0, atol=1e-2
        )
        assert 0.15 < of_clip.std() < 0.25
    assert abs(torch.corrcoef(shift[:, 0, 0].T)[0, 1]) < 0.3
    still = move_frame(clips, False, 0.0)
    assert torch.equal(still.place, clips.place)


def test_places_that_are_kept_in_half_precision_are_moved_in_full() -> None:
    halves = Clips(torch.randn(4, 3, 5, 2), torch.rand(4, 3, 5, 3).half())
    moved = []
    for clips in (halves, halves._replace(place=halves.place.float())):
        torch.manual_seed(1)
        moved.append(move_frame(clips, True, 0.2).place)
    assert torch.equal(*moved)


def test_mixup_mixes_neighbours_and_keeps_at_least_half_of_each_clip() -> None:
    shares = []
    for _ in range(200):
        other, share = draw_mix(7, 0.4)
        assert other.tolist() == [1, 0, 3, 2, 5, 4, 6]
        shares.append(share)
    assert 0.5 <= min(shares) < 0.6
    assert max(shares) > 0.95
