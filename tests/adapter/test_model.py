import pytest
import torch
from torch.nn import functional as F

from adapter.baselines import TITLES, build
from adapter.model import Adapter, Clips, ModelConfig, mean_class_token, repeats, score

DIM, REGIONS, FRAMES = 32, 5, 4
ENTITIES = F.normalize(torch.randn(40, DIM, generator=torch.Generator().manual_seed(1)), dim=-1)


def clips(batch: int = 3, frames: int = FRAMES) -> Clips:
    return Clips(
        3 * torch.randn(batch, frames, REGIONS, DIM).half(), torch.rand(batch, frames, REGIONS, 3)
    )


def recogniser(method: str = "alt", **shape: object):
    config = ModelConfig.model_validate({"method": method, **shape})
    return build(config, ENTITIES, REGIONS, scale=100.0)


def labels(count: int = 7) -> torch.Tensor:
    return F.normalize(torch.randn(count, DIM), dim=-1)


def moved(model: torch.nn.Module) -> torch.nn.Module:
    """The model away from its zero start, as training would leave it."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


@pytest.mark.parametrize("method", TITLES)
@pytest.mark.parametrize("training", [False, True])
def test_any_untrained_recogniser_is_mean_pooled_clip_bit_for_bit(method: str, training: bool):
    batch, texts = clips(), labels()
    clip = score(mean_class_token(batch.regions), texts, recogniser("clip").log_scale.exp())
    assert torch.equal(recogniser(method).train(training)(batch, texts), clip)


def test_mean_pooled_clip_is_the_cosine_of_the_mean_unit_class_token() -> None:
    batch, texts = clips(), labels()
    tokens = F.normalize(batch.regions[:, :, 0].float(), dim=-1)
    by_hand = 100 * F.cosine_similarity(tokens.mean(1)[:, None], texts[None], dim=-1)
    torch.testing.assert_close(recogniser("clip")(batch, texts), by_hand, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("method", [method for method in TITLES if method != "clip"])
def test_every_weight_of_a_recogniser_is_trained(method: str) -> None:
    model = moved(recogniser(method).train())
    F.cross_entropy(model(clips(), labels()), torch.tensor([0, 1, 2])).backward()
    idle = [name for name, weight in model.named_parameters() if not weight.grad.abs().sum() > 0]
    assert idle == []


def test_the_order_of_frames_matters_to_what_reads_time_and_not_to_mean_pooling() -> None:
    batch, texts = clips(), labels()
    backward = Clips(batch.regions.flip(1), batch.place.flip(1))
    for method in TITLES:
        model = moved(recogniser(method).eval())
        same = torch.allclose(model(batch, texts), model(backward, texts), atol=1e-3)
        assert same == (method in ("clip", "linear")), method


def test_the_order_of_regions_does_not_matter() -> None:
    batch, texts = clips(), labels()
    order = torch.tensor([0, 3, 1, 4, 2])
    shuffled = Clips(batch.regions[:, :, order], batch.place[:, :, order])
    for method in TITLES:
        model = moved(recogniser(method).eval())
        torch.testing.assert_close(
            model(batch, texts), model(shuffled, texts), atol=1e-3, rtol=1e-4
        )


def test_a_reading_says_which_entity_counted_how_much() -> None:
    model, batch = moved(recogniser().eval()), clips()
    assert isinstance(model, Adapter)
    reading = model.read(batch)
    assert reading.weights.shape == reading.aligned.entity.shape == (3, FRAMES, REGIONS)
    torch.testing.assert_close(reading.weights.sum((1, 2)), torch.ones(3))


def seeing(entities: list[list[int]]) -> Clips:
    """A clip whose regions are these entities exactly, frame by frame; the first is its token."""
    seen = torch.tensor(entities)[None]
    return Clips(ENTITIES[seen], torch.rand(*seen.shape, 3))


def test_an_entity_seen_by_many_regions_of_a_frame_counts_as_much_as_one_seen_by_one() -> None:
    # The class token is nearest to 7 as well, and counts by itself nonetheless.
    batch = seeing([[7, 7, 7, 7, 8], [9, 8, 8, 3, 3]])
    reading = recogniser().eval().read(batch)
    assert reading.aligned.entity.tolist() == [[[7, 7, 7, 7, 8], [9, 8, 8, 3, 3]]]
    # Each frame has two entities and its class token: six things of equal weight.
    expected = torch.tensor([[[1, 1 / 3, 1 / 3, 1 / 3, 1], [1, 0.5, 0.5, 0.5, 0.5]]]) / 6
    torch.testing.assert_close(reading.weights, expected)
    torch.testing.assert_close(reading.weights.sum(), torch.tensor(1.0))


def test_repeats_are_counted_in_each_frame_and_without_the_class_token() -> None:
    entity = torch.tensor([[[7, 7, 7, 8], [7, 5, 6, 7]], [[0, 0, 0, 0], [1, 1, 2, 1]]])
    counted = [[[1, 2, 2, 1], [1, 1, 1, 1]], [[1, 3, 3, 3], [1, 2, 1, 2]]]
    assert repeats(entity).tolist() == counted
    assert entity[0, 0, 0] == 7  # what it was given is left alone


def test_z_starts_as_the_mean_of_the_matched_texts() -> None:
    model, batch = recogniser(place=False).eval(), seeing([[0, 1, 2, 3, 4], [9, 8, 7, 6, 5]])
    with torch.no_grad():
        model.position.project.weight.zero_()
        model.gate.fill_(1)
    reading = model.read(batch)
    texts = reading.aligned.text[:, :, 1:].mean((1, 2))
    torch.testing.assert_close(reading.video - mean_class_token(batch.regions), texts)


def test_an_adapter_reads_any_number_of_frames() -> None:
    model = moved(recogniser().eval())
    for frames in (1, 3, 16):
        assert model(clips(2, frames), labels()).shape == (2, 7)


def test_the_same_seed_builds_the_same_weights_and_leaves_the_generator_alone() -> None:
    before = torch.get_rng_state()
    one, other = recogniser("alt-shuffled").state_dict(), recogniser("alt-shuffled").state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "shape", [{"layers": 0}, {"temporal_kernel": 0}, {"place": False}, {"gate": "channel"}]
)
def test_parts_can_be_left_out(shape: dict[str, object]) -> None:
    model = moved(recogniser(**shape).eval())
    assert model(clips(), labels()).isfinite().all()
