import pytest
import torch
from torch.nn import functional as F

from adapter import predicates
from adapter.predicates import Beyond, beyond

DIM = 32
ENTITIES = F.normalize(torch.randn(40, DIM, generator=torch.Generator().manual_seed(1)), dim=-1)


def labels(count: int = 7) -> torch.Tensor:
    """(count, 2, DIM): each label whole, and its predicate."""
    return F.normalize(torch.randn(count, 2, DIM), dim=-1)


def test_what_a_predicate_says_beyond_its_nearest_entity_is_at_right_angles_to_it() -> None:
    texts = F.normalize(ENTITIES[:7] + 0.3 * labels()[:, 0], dim=-1)
    rest = beyond(texts, ENTITIES)
    torch.testing.assert_close((rest * ENTITIES[:7]).sum(-1), torch.zeros(7), atol=1e-6, rtol=0)
    assert beyond(ENTITIES[:3], ENTITIES).abs().max() < 1e-6  # an entity says itself whole


def test_many_predicates_are_compared_with_entities_in_parts(monkeypatch) -> None:
    said = labels(23)[:, 1]
    whole = beyond(said, ENTITIES)
    monkeypatch.setattr(predicates, "HELD", 5 * len(ENTITIES))
    torch.testing.assert_close(beyond(said, ENTITIES), whole)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many labels were compared with entities, each time."""
    counts: list[int] = []

    def counting(some: torch.Tensor, entities: torch.Tensor) -> torch.Tensor:
        counts.append(len(some))
        return beyond(some, entities)

    monkeypatch.setattr(predicates, "beyond", counting)
    return counts


def test_labels_are_compared_with_entities_once_for_all_batches(compared: list[int]) -> None:
    texts, remember = labels(), Beyond()
    with torch.inference_mode():
        first = remember(texts, ENTITIES)
    assert remember(texts, ENTITIES) is first
    assert not first.is_inference()  # or a gradient could not pass by it
    assert torch.equal(first, beyond(texts[:, 1], ENTITIES))
    assert compared == [7]


def test_other_labels_and_entities_and_changed_ones_are_compared_anew(compared: list[int]) -> None:
    texts, entities, remember = labels(), ENTITIES.clone(), Beyond()
    remember(texts, ENTITIES.roll(1, 0))
    assert torch.equal(remember(texts, entities), beyond(texts[:, 1], entities))
    texts[0] = texts[1].clone()
    assert torch.equal(remember(texts, entities)[0], remember(texts, entities)[1])
    entities.copy_(entities.roll(1, 0))
    others = labels(5)
    for some in (texts, others):
        assert torch.equal(remember(some, entities), beyond(some[:, 1], entities))
    assert compared == [7, 7, 7, 7, 5]


def test_what_is_learned_is_compared_each_time_and_has_its_gradient(compared: list[int]) -> None:
    remember = Beyond()
    for of in (0, 1):
        given = [labels(), ENTITIES.clone()]
        learned = given[of].requires_grad_()
        for _ in range(2):
            rest = remember(*given)
            assert torch.equal(rest, beyond(given[0][:, 1], given[1]))
            rest.sum().backward()
        assert learned.grad.abs().sum() > 0
    assert compared == [7] * 4
