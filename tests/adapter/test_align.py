import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from adapter import align
from adapter.align import Align, LearnedWords, straight_through


def units(*shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape), dim=-1)


@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0.01, 100))
@settings(max_examples=50)
def test_straight_through_is_exactly_one_hot_going_forward(seed: int, k: int, sharp: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    soft = (sharp * torch.randn(17, k, generator=generator)).softmax(-1)
    hard = straight_through(soft, soft.argmax(-1))
    assert torch.equal(hard, F.one_hot(soft.argmax(-1), k).float())


def test_straight_through_has_exactly_the_gradient_of_the_softmax() -> None:
    logits, target = torch.randn(31, 9), torch.randn(31, 9)
    through, plain = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    (straight_through(through.softmax(-1), logits.argmax(-1)) * target).sum().backward()
    (plain.softmax(-1) * target).sum().backward()
    assert torch.equal(through.grad, plain.grad)


def test_untrained_alignment_is_the_nearest_text_of_the_backbone() -> None:
    entities, regions = units(50, 32), 7 * torch.randn(2, 3, 5, 32)
    aligned = Align(entities, scale=100.0).eval()(regions)
    cosine, nearest = (F.normalize(regions, dim=-1) @ entities.T).max(-1)
    assert torch.equal(aligned.entity, nearest)
    torch.testing.assert_close(aligned.similarity, cosine)
    assert aligned.text is None  # it is a word as it is
    learned = Align(entities, scale=100.0, project=True).eval()(regions)
    assert torch.equal(learned.entity, nearest)
    assert torch.equal(learned.text, entities[nearest])


def test_training_explores_other_entities_and_never_beyond_the_top_k() -> None:
    entities, regions = units(50, 32), torch.randn(400, 32)
    model = Align(entities, scale=3.0, top_k=4, explore=True).train()
    chosen = model(regions).entity
    candidates = (F.normalize(regions, dim=-1) @ entities.T).topk(4).indices
    assert (candidates == chosen[:, None]).any(-1).all()
    assert 0.2 < (chosen != candidates[:, 0]).float().mean() < 0.8


def test_noise_is_gumbel_s_and_has_its_mean_and_its_long_right_tail() -> None:
    noise = align.gumbel(torch.zeros(100_000))
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.02)
    assert float(noise.std()) == pytest.approx(torch.pi / 6**0.5, abs=0.02)


def test_soft_alignment_is_a_mixture_of_the_texts_that_temperature_sharpens() -> None:
    entities, regions = units(50, 32), torch.randn(30, 32)
    model = Align(entities, scale=10.0, top_k=50, hard=False).eval()
    cosines = F.normalize(regions, dim=-1) @ entities.T
    for temperature in (1.0, 0.5):
        model.temperature.fill_(temperature)
        mixed = (10 / temperature * cosines).softmax(-1) @ entities
        torch.testing.assert_close(model(regions).text, mixed)


def test_training_moves_both_projections() -> None:
    model = Align(units(50, 32), scale=10.0, project=True).train()
    model(torch.randn(40, 32)).text.square().mul(torch.randn(40, 32)).sum().backward()
    for side in (model.region_side, model.entity_side):
        assert side.change.weight.grad.abs().sum() > 0


def test_alignment_in_parts_is_the_alignment_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Align(units(50, 32), scale=10.0, project=True).eval()
    regions = torch.randn(6, 7, 32)
    results, compared, nearest = [], [], model._nearest
    monkeypatch.setattr(
        model, "_nearest", lambda some, keys: compared.append(len(some)) or nearest(some, keys)
    )
    for held, most in ((2**20, 42), (50 * 8, 8)):  # all at once; eight regions at a time
        monkeypatch.setattr(align, "HELD", held)
        compared.clear()
        model.zero_grad()
        given_regions = regions.clone().requires_grad_()
        aligned = model(given_regions)
        aligned.text.cumsum(-1).square().sum().backward()
        assert max(compared) == most
        results.append((aligned, given_regions.grad, model.entity_side.change.weight.grad.clone()))
    (whole, *whole_grads), (parts, *parts_grads) = results
    assert torch.equal(whole.entity, parts.entity)
    assert torch.equal(whole.text, parts.text)
    for one, other in zip(whole_grads, parts_grads, strict=True):
        torch.testing.assert_close(one, other)


def test_shuffled_entities_keep_the_match_and_change_the_text() -> None:
    entities, regions = units(20, 16), torch.randn(30, 16)
    order = torch.arange(20).roll(1)
    plain = Align(entities, scale=10.0, project=True).eval()(regions)
    shuffled = Align(entities, scale=10.0, project=True, order=order).eval()(regions)
    assert torch.equal(plain.entity, shuffled.entity)
    assert torch.equal(shuffled.text, entities[order[plain.entity]])


def test_learned_words_take_the_place_of_a_corpus_and_are_moved_by_what_is_aligned() -> None:
    words = LearnedWords(20, 16, scale=10.0).train()
    aligned = words(torch.randn(30, 16))
    text = words.spell(aligned.text)
    torch.testing.assert_close(text, words.words()[aligned.entity])
    assert not aligned.similarity.requires_grad
    text.square().mul(torch.randn(30, 16)).sum().backward()
    assert words.free.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "words",
    [
        Align(units(20, 16), scale=10.0, project=True),
        Align(units(20, 16), scale=10.0, hard=False),
        LearnedWords(20, 16, scale=10.0),
    ],
    ids=["projected", "soft", "learned"],
)
def test_regions_are_compared_in_full_precision_whatever_autocast_says(words) -> None:
    regions = torch.randn(300, 16)
    plain = words.eval()(regions)
    with torch.autocast("cpu", torch.bfloat16):
        aligned = words(regions)
    for ours, theirs in zip(aligned, plain, strict=True):
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)
