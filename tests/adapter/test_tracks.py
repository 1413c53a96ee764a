import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.tracks import PATH, follow, through_time


def scene(entity: list[list[int]]) -> torch.Tensor:
    return torch.tensor(entity)[None]


def test_the_entities_that_most_speaks_for_are_followed_most_evident_first() -> None:
    entity = scene([[4, 4, 2], [4, 1, 1], [4, 2, 2]])
    similarity = torch.tensor([[[0.5, 0.9, 0.3], [0.6, 0.2, 0.1], [0.6, -0.5, 0.3]]])
    tracks = follow(entity, similarity, torch.rand(1, 3, 3, 3), entities=7, count=2)
    assert tracks.entity.tolist() == [[4, 2]]
    # The best of each frame, and nothing for a frame without it.
    torch.testing.assert_close(tracks.evidence, torch.tensor([[0.7, 0.2]]))
    assert tracks.member[0, 0].tolist() == [[1, 1, 0], [1, 0, 0], [1, 0, 0]]


def test_a_path_says_where_an_entity_is_how_that_changes_and_when_it_is_gone() -> None:
    entity = scene([[3, 3], [3, 5], [5, 5], [5, 3]])
    place = torch.tensor(
        [[[0.0, 0, 0.4], [1, 1, 0.3]], [[0.5, 0.2, 0.5], [0, 0, 1]],
         [[0.0, 0, 1], [0, 0, 1]], [[0.0, 0, 1], [0.9, 0.9, 0.2]]]
    )[None]  # fmt: skip
    path = follow(entity, torch.full((1, 4, 2), 0.8), place, 6, 6).path[0]
    of = follow(entity, torch.full((1, 4, 2), 0.8), place, 6, 6).entity[0].tolist().index(3)
    first, second, third, fourth = path[of]
    # Two regions of areas 0.16 and 0.09: the centre is nearer the larger.
    centre = torch.tensor([0.09 / 0.25, 0.09 / 0.25, 0.5])
    torch.testing.assert_close(first, torch.tensor([*centre, 0, 0, 0, 1, 0.8]))
    now = torch.tensor([0.5, 0.2, 0.5])
    torch.testing.assert_close(second, torch.tensor([*now, *(now - centre), 1, 0.8]))
    assert third.tolist() == [0.0] * PATH
    # What comes back has not moved: it was nowhere.
    torch.testing.assert_close(fourth, torch.tensor([0.9, 0.9, 0.2, 0, 0, 0, 1, 0.8]))


def test_a_small_step_is_seen_in_half_precision_as_well() -> None:
    entity = torch.ones(1, 8, 2, dtype=torch.int64)
    place = torch.rand(1, 1, 2, 3).expand(-1, 8, -1, -1).clone()
    place[..., 0] += 0.01 * torch.arange(8)[:, None]
    path = follow(entity, torch.ones(1, 8, 2), place, 2, 1).path
    torch.testing.assert_close(path[..., 1:, 3], torch.full((1, 1, 7), 0.01))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(follow(entity, torch.ones(1, 8, 2), place, 2, 1).path, path)


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 9), st.integers(1, 30))
@settings(max_examples=40)
def test_no_region_is_followed_twice_and_evidence_only_falls(
    seed: int, frames: int, regions: int, count: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    entity = torch.randint(0, 12, (2, frames, regions), generator=generator)
    similarity = torch.rand(2, frames, regions, generator=generator)
    place = torch.rand(2, frames, regions, 3, generator=generator)
    tracks = follow(entity, similarity, place, 12, count)
    assert tracks.member.sum(dim=1).max() <= 1
    assert (tracks.evidence.diff(dim=1) <= 0).all()
    assert all(len(set(row)) == len(row) for row in tracks.entity.tolist())
    if count >= 12:
        assert (tracks.member.sum(dim=1) == 1).all()


def test_the_second_wave_tells_a_path_from_its_reverse_and_the_first_does_not() -> None:
    path = torch.rand(2, 3, 6, PATH)
    waves, backwards = (through_time(p, 2).unflatten(2, (2, PATH)) for p in (path, path.flip(2)))
    torch.testing.assert_close(waves[:, :, 0], backwards[:, :, 0])
    torch.testing.assert_close(waves[:, :, 1], -backwards[:, :, 1])


@pytest.mark.parametrize("frames", [8, 80])
def test_a_path_is_described_alike_however_many_frames_it_was_seen_in(frames: int) -> None:
    time = (torch.arange(frames) + 0.5) / frames
    path = (0.3 + 0.5 * torch.cos(math.pi * time))[None, None, :, None]
    described = through_time(path, 3)[0, 0]
    torch.testing.assert_close(described, torch.tensor([0.45, 1.0, 0.0]), atol=1e-5, rtol=0)
