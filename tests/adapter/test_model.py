import pytest
import torch
from torch.nn import functional as F

from adapter.baselines import TITLES, build
from adapter.model import (
    SHARPNESS,
    Adapter,
    Clips,
    ModelConfig,
    mean_class_token,
    score,
)
from adapter.predicates import beyond

DIM, REGIONS, FRAMES = 32, 5, 4
ENTITIES = F.normalize(torch.randn(40, DIM, generator=torch.Generator().manual_seed(1)), dim=-1)
ON_CLASS_TOKENS = ("clip", "linear", "temporal")


def clips(batch: int = 3, frames: int = FRAMES) -> Clips:
    return Clips(
        3 * torch.randn(batch, frames, REGIONS, DIM).half(), torch.rand(batch, frames, REGIONS, 3)
    )


def recogniser(method: str = "alt", **shape: object):
    config = ModelConfig.model_validate({"method": method, **shape})
    return build(config, ENTITIES, REGIONS, scale=100.0)


def labels(count: int = 7) -> torch.Tensor:
    """(count, 2, DIM): each label whole, and its predicate."""
    return F.normalize(torch.randn(count, 2, DIM), dim=-1)


def all_entity(*which: int) -> torch.Tensor:
    """Labels that are entities themselves, and their own predicates."""
    return ENTITIES[list(which), None].expand(-1, 2, -1)


def moved(model: torch.nn.Module) -> torch.nn.Module:
    """The model away from its zero start, as training would leave it."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


def seeing(entities: list[list[int]]) -> Clips:
    """A clip whose regions are these entities exactly, frame by frame; the first is its token."""
    seen = torch.tensor(entities)[None]
    return Clips(ENTITIES[seen], torch.rand(*seen.shape, 3))


@pytest.mark.parametrize("method", ON_CLASS_TOKENS)
@pytest.mark.parametrize("training", [False, True])
def test_an_untrained_baseline_is_mean_pooled_clip_bit_for_bit(method: str, training: bool):
    batch, texts = clips(), labels()
    clip = score(mean_class_token(batch.regions), texts, recogniser("clip").log_scale.exp())
    assert torch.equal(recogniser(method).train(training)(batch, texts), clip)


def test_mean_pooled_clip_is_the_cosine_of_the_mean_unit_class_token() -> None:
    batch, texts = clips(), labels()
    tokens = F.normalize(batch.regions[:, :, 0].float(), dim=-1)
    by_hand = 100 * F.cosine_similarity(tokens.mean(1)[:, None], texts[None, :, 0], dim=-1)
    torch.testing.assert_close(recogniser("clip")(batch, texts), by_hand, atol=1e-4, rtol=1e-5)


def test_untrained_alt_is_recognition_through_the_entities_that_were_seen() -> None:
    # Entity 7 is in both frames, 8 in one: evidence 1 and 0.5, which counts by its square.
    batch, texts = seeing([[0, 7, 7, 7, 8], [0, 7, 7, 7, 7]]), labels()
    model = recogniser(class_token=0.0, tracks=2).eval()
    reading = model.read(batch)
    torch.testing.assert_close(reading.words[0], ENTITIES[[7, 8]])
    torch.testing.assert_close(reading.importance.exp(), torch.tensor([[0.8, 0.2]]))
    assert not reading.ways.any()
    near = (SHARPNESS * ENTITIES[[7, 8]] @ texts[:, 0].T).exp()
    by_hand = 100 * (0.8 * near[0] + 0.2 * near[1]).log() / SHARPNESS
    torch.testing.assert_close(model(batch, texts)[0], by_hand, atol=1e-3, rtol=1e-4)


def test_tracks_pooled_are_one_vector_that_is_compared_with_labels() -> None:
    batch, texts = seeing([[0, 7, 7, 7, 8], [0, 7, 7, 7, 7]]), labels()
    model = recogniser(class_token=0.0, tracks=2, pool=True).eval()
    what = 0.8 * ENTITIES[7] + 0.2 * ENTITIES[8]
    logits = score(what[None], texts, torch.tensor(100.0))
    torch.testing.assert_close(model(batch, texts), logits, atol=1e-3, rtol=1e-4)


def test_one_track_that_says_a_label_is_enough() -> None:
    """Things that stand by take little from the thing that a label is about."""
    alone, crowded = [[0, 7, 7, 7, 7]] * 2, [[0, 7, 8, 9, 10]] * 2
    lead = {}
    for pool in (True, False):
        model = recogniser(class_token=0.0, pool=pool).eval()
        logits = [model(seeing(seen), all_entity(7, 8, 9, 10, 11)) for seen in (alone, crowded)]
        lead[pool] = [(one[0, 0] - one[0, 4]).item() for one in logits]
    kept = {pool: crowd / clear for pool, (clear, crowd) in lead.items()}
    assert kept[False] > kept[True]


def test_the_class_token_counts_by_its_share() -> None:
    batch, texts = clips(), labels()
    with_it, without = (recogniser(class_token=share).eval()(batch, texts) for share in (0.5, 0.0))
    token = 100 * 0.5 * mean_class_token(batch.regions) @ texts[:, 0].T
    torch.testing.assert_close(with_it - without, token, atol=1e-3, rtol=1e-4)


def test_tracks_behind_a_closed_gate_leave_zero_shot_clip() -> None:
    batch, texts = clips(), labels()
    model = recogniser(gate=True, class_token=1.0).eval()
    length = mean_class_token(batch.regions).norm(dim=-1, keepdim=True)  # the same for all labels
    torch.testing.assert_close(model(batch, texts), length * recogniser("clip")(batch, texts))
    with torch.no_grad():
        model.gate.fill_(1.0)
    opened = recogniser(class_token=1.0).eval()(batch, texts)
    torch.testing.assert_close(model(batch, texts), opened)


def test_a_convolution_lets_frames_change_what_their_neighbours_tell() -> None:
    torch.manual_seed(0)
    batch, texts = seeing([[9, 3], [9, 3], [9, 4], [9, 4], [9, 3]]), labels()
    plain, smooth = (moved(recogniser(convolution=c).eval()) for c in (False, True))
    plain.load_state_dict(smooth.state_dict(), strict=False)
    with torch.no_grad():
        smooth.smooth.weight.zero_()
        smooth.smooth.bias.zero_()
    assert torch.equal(smooth(batch, texts), plain(batch, texts))
    with torch.no_grad():
        smooth.smooth.weight[:, :, 0] = 1.0  # each frame adds what the one before it was
    assert not torch.allclose(smooth(batch, texts), plain(batch, texts))


@pytest.mark.parametrize("pool", [False, True])
def test_mixed_clips_lie_between_their_own_scores(pool: bool) -> None:
    batch, texts = clips(2), labels()
    model = moved(recogniser(pool=pool).eval())
    own, order = model(batch, texts), torch.tensor([1, 0])
    torch.testing.assert_close(model(batch, texts, (order, 1.0)), own, atol=1e-3, rtol=1e-4)
    mixed = model(batch, texts, (order, 0.7))
    low, high = torch.minimum(own, own[order]), torch.maximum(own, own[order])
    assert ((mixed > low - 1e-2) & (mixed < high + 1e-2)).all()


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


def test_entities_are_those_whose_text_is_read_though_words_are_shuffled() -> None:
    model = moved(recogniser("alt-shuffled").eval())
    assert isinstance(model, Adapter)
    near = torch.tensor([[[7, 7, 7, 7, 8], [9, 8, 8, 3, 3]]])
    reading = model.read(seeing(near[0].tolist()))
    assert not torch.equal(model.align.order[near], near)
    assert torch.equal(reading.aligned.entity, model.align.order[near])
    for track, member in zip(reading.words[0], reading.member[0], strict=True):
        for taken in reading.aligned.entity[0][member.bool()].tolist():
            assert torch.equal(track, model.align.entities[taken])


def test_a_tracks_share_in_a_label_is_divided_among_its_regions() -> None:
    model = moved(recogniser().eval())
    assert isinstance(model, Adapter)
    reading = model.read(seeing([[7, 7, 7, 7, 8], [9, 8, 8, 3, 3]]))
    assert reading.aligned.entity.tolist() == [[[7, 7, 7, 7, 8], [9, 8, 8, 3, 3]]]
    weights = model.spoken(reading, labels(1)[0])[0]
    assert weights[:, 0].tolist() == [0, 0]  # class tokens stand for no entity
    for same in (weights[0, 1:4], torch.stack([weights[0, 4], *weights[1, 1:3]]), weights[1, 3:]):
        assert (same == same[0]).all()
        assert same[0] > 0
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0), atol=1e-4, rtol=0)


def test_a_label_is_spoken_by_the_entity_that_it_is() -> None:
    model, seen = recogniser().eval(), seeing([[0, 7, 7, 8, 8]])
    reading = model.read(seen)
    shares = [model.spoken(reading, label)[0, 0] for label in all_entity(7, 8)]
    assert shares[0][1] > shares[0][3]
    assert shares[1][1] < shares[1][3]


def test_pooled_tracks_have_the_same_share_in_every_label() -> None:
    model, seen = recogniser(pool=True).eval(), seeing([[0, 7, 7, 8, 8]])
    reading = model.read(seen)
    first, second = all_entity(7, 8)
    assert torch.equal(model.spoken(reading, first), model.spoken(reading, second))


def test_how_it_goes_never_changes_which_of_two_entities_is_seen() -> None:
    """Two labels that are entities themselves: however trained, ways cannot tell them apart."""
    batch, texts = seeing([[0, 7, 7, 7, 7], [0, 7, 7, 7, 7]]), all_entity(7, 8)
    model = moved(recogniser().eval())
    with_ways = model(batch, texts)
    assert model.read(batch).ways.any()
    model.direction.weight.data.zero_()
    model.direction.bias.data.zero_()
    torch.testing.assert_close(model(batch, texts), with_ways, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("pool", [False, True])
def test_a_way_speaks_for_the_label_that_says_it_beside_its_things(pool: bool) -> None:
    batch, texts = seeing([[0, 7, 7, 7, 8], [0, 7, 7, 8, 7]]), labels()
    model = recogniser(pool=pool).eval()
    before = model(batch, texts)
    model.direction.bias.data.copy_(0.1 * beyond(texts[:, 1], ENTITIES)[3])
    assert model(batch, texts)[0, 3] > before[0, 3]


def test_without_words_a_track_is_the_mean_of_its_regions_looks() -> None:
    batch = clips(1)
    reading = recogniser(align="none").eval().read(batch)
    looks = F.normalize(batch.regions.float(), dim=-1)
    for track, member in zip(reading.words[0], reading.member[0].bool(), strict=True):
        mean = looks[0][member].mean(dim=0) if member.any() else torch.zeros(DIM)
        torch.testing.assert_close(track, mean)


def test_what_moves_alike_goes_alike_whatever_it_is() -> None:
    """The state of a track holds no word: one thing in another's place has the same way."""
    model = moved(recogniser(class_token=0.0).eval())
    one, other = seeing([[0, 7, 7, 8, 8], [0, 7, 7, 8, 8]]), seeing([[0, 5, 5, 3, 3]] * 2)
    other = other._replace(place=one.place)
    ways, others = (model.read(batch).ways[:, :2] for batch in (one, other))
    # Of two things as evident as each other the first may be either.
    ways, others = (some.sort(dim=1).values for some in (ways, others))
    torch.testing.assert_close(ways, others, atol=1e-5, rtol=1e-4)


def test_tracks_of_nothing_change_nothing_of_those_that_are_there() -> None:
    batch, texts = seeing([[0, 7, 7, 7, 8], [0, 7, 7, 8, 7]]), labels()
    few, many = (recogniser(tracks=count).eval() for count in (2, 16))
    many.load_state_dict(moved(few).state_dict())
    ways, among_others = few.read(batch).ways, many.read(batch).ways[:, :2]
    torch.testing.assert_close(among_others, ways, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(many(batch, texts), few(batch, texts), atol=1e-4, rtol=1e-5)


def test_an_entity_that_no_region_is_says_no_label_though_it_is_one() -> None:
    model = moved(recogniser(tracks=len(ENTITIES)).eval())
    reading = model.read(seeing([[0, 7, 7, 7, 8], [0, 7, 7, 8, 7]]))
    absent = [label for e, label in enumerate(all_entity(*range(len(ENTITIES)))) if e not in (7, 8)]
    spoken = torch.stack([model.spoken(reading, label).sum() for label in absent])
    torch.testing.assert_close(spoken, torch.ones(len(absent)))  # by regions, and so by 7 and 8


def test_without_places_it_still_counts_when_a_thing_is_there() -> None:
    model = moved(recogniser(place=False, layers=0).eval())
    early, late = [0, 7, 8, 8, 8], [0, 8, 8, 8, 8]
    first, last = (model.read(seeing(frames)).ways for frames in ([early, late], [late, early]))
    torch.testing.assert_close(first[:, 0], last[:, 0])  # 8 is in both
    assert not torch.allclose(first[:, 1], last[:, 1], atol=0.1)


def test_an_adapter_reads_any_number_of_frames() -> None:
    model = moved(recogniser().eval())
    for frames in (1, 3, 16):
        assert model(clips(2, frames), labels()).shape == (2, 7)


def test_clips_that_are_like_no_entity_are_read_nonetheless() -> None:
    batch = Clips(-ENTITIES.mean(0).expand(2, 3, REGIONS, DIM), torch.rand(2, 3, REGIONS, 3))
    model = moved(build(ModelConfig(), ENTITIES[:3], REGIONS, scale=100.0).eval())
    assert model(batch, labels()).isfinite().all()


def test_the_same_seed_builds_the_same_weights_and_leaves_the_generator_alone() -> None:
    before = torch.get_rng_state()
    one, other = recogniser("alt-shuffled").state_dict(), recogniser("alt-shuffled").state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "shape",
    [
        {"layers": 0}, {"waves": 0}, {"waves": 1}, {"place": False}, {"content": True},
        {"align": "none"}, {"align": "soft"}, {"pool": True}, {"project": True}, {"tracks": 64},
        {"explore": False}, {"convolution": True}, {"gate": True},
    ],
)  # fmt: skip
def test_parts_can_be_changed_and_all_that_is_left_is_trained(shape: dict[str, object]) -> None:
    model = moved(recogniser(**shape).train())
    loss = F.cross_entropy(model(clips(), labels()), torch.tensor([0, 1, 2]))
    loss.backward()
    assert loss.isfinite()
    idle = [name for name, weight in model.named_parameters() if not weight.grad.abs().sum() > 0]
    assert idle == []


@pytest.mark.parametrize("method", ["temporal", "alt-paper", "alt"])
def test_layers_are_as_many_as_wide_and_drop_as_much_as_is_asked_for(method: str) -> None:
    layers = recogniser(method, layers=3, mlp_ratio=3, dropout=0.25).layers
    assert len(layers) == 3
    for layer in layers:
        wide, _, drop, _ = layer.mlp
        assert wide.out_features == 3 * wide.in_features
        assert drop.rate == layer.drop.rate == 0.25


@pytest.mark.parametrize("place", [True, False])
def test_where_regions_are_counts_unless_it_is_left_out(place: bool) -> None:
    model, batch, texts = moved(recogniser(place=place).eval()), clips(), labels()
    elsewhere = batch._replace(place=torch.rand_like(batch.place))
    assert torch.equal(model(batch, texts), model(elsewhere, texts)) == (not place)


@pytest.mark.parametrize("waves", [0, 1, 4])
def test_the_order_of_frames_counts_unless_time_is_left_out(waves: int) -> None:
    model, batch, texts = moved(recogniser(waves=waves).eval()), clips(), labels()
    rolled = batch._replace(regions=batch.regions.roll(1, 1), place=batch.place.roll(1, 1))
    given, found = model(batch, texts), model(rolled, texts)
    assert torch.allclose(given, found, atol=1e-4) == (not waves)


def test_soft_alignment_mixes_words_and_hard_alignment_takes_one() -> None:
    regions = clips().regions
    assert recogniser().eval().align(regions).text is None
    assert recogniser(align="soft", explore=False).eval().align(regions).text is not None


@pytest.mark.parametrize("explore", [True, False])
def test_training_explores_unless_it_is_told_not_to(explore: bool) -> None:
    model, regions = recogniser(explore=explore).train(), clips(batch=20).regions
    first, second = (model.align(regions).entity for _ in range(2))
    assert torch.equal(first, second) == (not explore)
