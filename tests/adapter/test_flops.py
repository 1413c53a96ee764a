import pytest

from adapter.flops import PAPER_GMACS, cost
from adapter.model import ModelConfig
from corpus.errors import BadInput


def tower_by_hand(width: int, blocks: int, patches: int, patch: int, dim: int, merge: int) -> float:
    """Multiply-adds of one frame through a ViT that merges tokens, from its sizes alone."""
    tokens = 1 + patches
    total = patches * 3 * patch**2 * width
    for _ in range(blocks):
        total += 4 * tokens * width**2 + 2 * tokens**2 * width  # projections; scores and values
        if merge:
            total += (tokens // 2) ** 2 * 64  # similarity of one half's keys with the other's
        tokens -= min(merge, (tokens - 1) // 2)
        total += 8 * tokens * width**2
    return (total + tokens * width * dim) / 1e9


def adapter_by_hand(dim: int, tokens: int, frames: int, entities: int, width: int = 128) -> float:
    """Multiply-adds of one view through ALT, from its sizes alone."""
    tracks, waves, path = 16, 4, 8
    regions = tokens - frames  # class tokens are followed nowhere
    align = tokens * entities * dim
    follow = 2 * tracks * regions + tracks * waves * frames * path  # centres; through time
    paths = tracks * ((waves * path + 1) * width + width**2)
    layer = tracks * (4 + 4) * width**2 + 2 * tracks**2 * width
    out = tracks * (width + width * dim + 2 * dim + regions)
    return (align + follow + paths + layer + out) / 1e9


SIZES = {
    "ViT-B-32": (768, 12, 49, 32, 512),
    "ViT-B-16": (768, 12, 196, 16, 512),
    "ViT-L-14": (1024, 24, 256, 14, 768),
}


@pytest.mark.parametrize("model", SIZES)
@pytest.mark.parametrize("merge", [0, 4, 8])
def test_the_count_agrees_with_the_closed_form_to_one_per_cent(model: str, merge: int) -> None:
    counted = cost(model, merge, frames=8, views=2, entities=1000)
    by_hand = tower_by_hand(*SIZES[model], merge)
    assert counted.encoder_frame == pytest.approx(by_hand, rel=0.01)
    assert counted.encoder == pytest.approx(16 * by_hand, rel=0.01)
    view = adapter_by_hand(SIZES[model][-1], 8 * counted.regions, 8, 1000)
    assert counted.adapter == pytest.approx(2 * view, rel=0.01)
    assert counted.total == pytest.approx(sum(counted.operators.values()))


def test_entities_that_were_looked_up_are_not_compared_again_unless_they_are_projected() -> None:
    once, always = (
        cost("ViT-B-16", 8, 8, 2, 1000, ModelConfig(project=project)) for project in (False, True)
    )
    compared = 2 * 8 * once.regions * 1000 * 512 / 1e9
    assert once.adapter - once.adapter_looked_up == pytest.approx(compared)
    assert always.adapter_looked_up == always.adapter > once.adapter


def test_vit_l_14_on_96_frames_costs_no_more_than_the_paper_says() -> None:
    counted = cost("ViT-L-14", merge=8, frames=32, views=3)
    assert counted.regions == 65
    assert counted.encoder_frame == pytest.approx(49.9, abs=0.1)
    assert counted.encoder_frame_unmerged == pytest.approx(81.2, abs=0.2)
    assert counted.total <= PAPER_GMACS
    theirs = cost("ViT-L-14", 8, 32, 3, config=ModelConfig(method="alt-paper"))
    assert counted.total < theirs.total <= PAPER_GMACS
    with pytest.raises(BadInput, match="--method linear: is not counted; use alt or alt-paper"):
        cost("alt-mini", 2, 1, 1, config=ModelConfig(method="linear"))


@pytest.mark.parametrize(
    ("option", "counts"),
    [("--frames", (2**62, 1, 1)), ("--views", (1, 10**25, 1)), ("--entities", (1, 1, 2**63))],
)
def test_numbers_that_are_too_large_to_count_with_are_refused(
    option: str, counts: tuple[int, int, int]
) -> None:
    with pytest.raises(BadInput, match=f"{option} {max(counts)}: is more than can be counted"):
        cost("alt-mini", 2, *counts)


def test_a_model_of_a_library_that_is_not_here_is_refused(monkeypatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise RuntimeError("Please `pip install transformers`")

    monkeypatch.setattr("open_clip.create_model", absent)
    with pytest.raises(BadInput, match=r"--model ViT-S-32-alt: cannot be made \(Please"):
        cost("ViT-S-32-alt", 2, 1, 1)
