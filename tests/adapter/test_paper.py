import pytest
import torch
from torch.nn import functional as F

from adapter.baselines import UNREAD, build
from adapter.clips import Clips, mean_class_token
from adapter.model import ModelConfig, score
from adapter.paper import PaperAdapter

DIM, REGIONS = 32, 5
ENTITIES = F.normalize(torch.randn(40, DIM, generator=torch.Generator().manual_seed(1)), dim=-1)


def adapter(**shape: object) -> PaperAdapter:
    """Away from its zero start, as training would leave it."""
    config = ModelConfig.model_validate({"method": "alt-paper", **shape})
    model = build(config, ENTITIES, REGIONS, scale=100.0).eval()
    assert isinstance(model, PaperAdapter)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


def clips(batch: int = 2, frames: int = 4) -> Clips:
    shape = (batch, frames, REGIONS)
    return Clips(3 * torch.randn(*shape, DIM).half(), torch.rand(*shape, 3))


def labels(count: int = 7) -> torch.Tensor:
    """(count, 2, DIM): each label whole, and its predicate."""
    return F.normalize(torch.randn(count, 2, DIM), dim=-1)


@pytest.mark.parametrize("training", [False, True])
def test_untrained_it_is_zero_shot_clip_bit_for_bit(training: bool) -> None:
    batch, texts = clips(), labels()
    model = build(ModelConfig(method="alt-paper"), ENTITIES, REGIONS, scale=100.0)
    clip = score(mean_class_token(batch.regions), texts, model.log_scale.exp())
    assert torch.equal(model.train(training)(batch, texts), clip)


def test_queries_are_the_texts_of_the_entities_that_regions_are_aligned_with() -> None:
    model = build(ModelConfig(method="alt-paper"), ENTITIES, REGIONS, scale=100.0).eval()
    with torch.no_grad():
        model.gate.fill_(1)
    seen = torch.tensor([[[9, 7, 7, 7, 8], [9, 3, 7, 7, 7]]])
    batch = Clips(5 * ENTITIES[seen], torch.rand(*seen.shape, 3))
    reading = model.read(batch)
    assert torch.equal(reading.aligned.entity, seen)
    # All weigh the same at first, the class tokens' among them, which are the means of frames.
    z = reading.video - mean_class_token(batch.regions)
    torch.testing.assert_close(z[0], ENTITIES[seen[0, :, 1:]].mean(dim=(0, 1)))


def test_it_is_the_paper_s_equations() -> None:
    model, batch, texts = adapter(place=False), clips(), labels()
    regions = F.normalize(batch.regions.float(), dim=-1)
    words = ENTITIES[(regions @ ENTITIES.T).argmax(dim=-1)]  # A·S, A one-hot
    words[:, :, 0] = words[:, :, 1:].mean(dim=2)
    query = words + model.query.mlp(words) + model.query.time(4)[:, None]
    keys, convolution = model.memory.located, model.memory.through_time
    memory = regions + keys.mlp(regions) + keys.time(4)[:, None]
    summary = F.pad(memory.mean(dim=2), (0, 0, 1, 1))  # (batch, 1 + frames + 1, dim)
    kernel, bias = convolution.weight[:, 0], convolution.bias  # (dim, 3), (dim,)
    for frame in range(4):
        memory[:, frame] += (summary[:, frame : frame + 3] * kernel.T).sum(1)[:, None] + bias
    x = model.layers[0](query.flatten(1, 2), memory.flatten(1, 2))
    weights = (model.norm(x) @ model.importance.weight[0]).softmax(dim=-1)
    video = mean_class_token(batch.regions) + model.gate * (weights[..., None] * x).sum(dim=1)
    expected = model.log_scale.exp() * F.cosine_similarity(video[:, None], texts[:, 0], dim=-1)
    torch.testing.assert_close(model(batch, texts), expected, atol=1e-3, rtol=1e-4)


def test_it_reads_what_regions_look_like_beside_what_they_are() -> None:
    model, texts = adapter(), labels()
    seen = torch.randint(40, (2, 4, REGIONS))
    batch = Clips(ENTITIES[seen], torch.rand(*seen.shape, 3))
    noise = 0.05 * torch.randn_like(batch.regions)
    noise[:, :, 0] = 0
    other = batch._replace(regions=batch.regions + noise)
    assert torch.equal(model.read(batch).aligned.entity, model.read(other).aligned.entity)
    assert not torch.allclose(model(batch, texts), model(other, texts), atol=1e-2)


@pytest.mark.parametrize("place", [True, False])
def test_where_regions_are_counts_only_where_that_is_asked_for(place: bool) -> None:
    model, batch, texts = adapter(place=place), clips(), labels()
    elsewhere = batch._replace(place=torch.rand_like(batch.place))
    assert torch.equal(model(batch, texts), model(elsewhere, texts)) == (not place)
    for alone in (model.query, model.memory.located) if place else ():  # queries and keys
        kept, alone.place = alone.place, None
        assert not torch.equal(model(batch, texts), model(elsewhere, texts))
        alone.place = kept


def test_weights_say_how_much_each_query_counted_whatever_the_label() -> None:
    model, batch, texts = adapter(), clips(), labels()
    reading = model.read(batch)
    assert reading.weights.shape == (2, 4, REGIONS)
    torch.testing.assert_close(reading.weights.sum(dim=(1, 2)), torch.ones(2))
    assert torch.equal(model.spoken(reading, texts[0]), model.spoken(reading, texts[1]))


@pytest.mark.parametrize(
    "shape",
    [{"align": "soft"}, {"align": "none"}, {"project": True}, {"layers": 0}, {"place": False}],
)
def test_all_that_is_left_is_trained_where_parts_are_changed(shape: dict[str, object]) -> None:
    model = adapter(**shape).train()
    F.cross_entropy(model(clips(), labels()), torch.tensor([0, 1])).backward()
    idle = [name for name, weight in model.named_parameters() if not weight.grad.abs().sum() > 0]
    assert idle == []


def test_settings_that_it_does_not_read_change_nothing() -> None:
    other = {"width": 64, "tracks": 3, "waves": 1, "convolution": True, "content": True}
    other |= {"class_token": 2.0, "gate": True, "pool": True}
    assert other.keys() == UNREAD["alt-paper"]
    batch, texts = clips(), labels()
    torch.manual_seed(0)
    given = adapter()(batch, texts)
    torch.manual_seed(0)
    assert torch.equal(adapter(**other)(batch, texts), given)
