import warnings

import open_clip
import pytest
import torch
from open_clip.transformer import VisionTransformer
from torch import nn
from torch.nn import functional

from corpus.backbone import Backbone, load
from corpus.errors import BadInput
from extract import regions
from extract.regions import RegionEncoder


def custom(**options) -> VisionTransformer:
    """A small tower with every part that can differ, and weights that are not zero or one."""
    torch.manual_seed(0)
    settings = dict(
        image_size=40, patch_size=8, width=48, layers=3, heads=4, mlp_ratio=2.0, output_dim=20
    )
    tower = VisionTransformer(**(settings | options)).eval()
    for parameter in tower.parameters():
        nn.init.normal_(parameter, std=0.3)
    return tower


@torch.inference_mode()
def assert_class_token_is_the_tower_s_own(tower: nn.Module, size: int):
    images = torch.randn(2, 3, size, size)
    ours = RegionEncoder(tower, merge=0)(images).tokens
    torch.testing.assert_close(ours[:, 0], tower(images), atol=1e-5, rtol=1e-5)
    # Patches take the way of the class token: the last norm, and the projection.
    tower.output_tokens = True
    _, patches = tower(images)
    tower.output_tokens = False
    torch.testing.assert_close(ours[:, 1:], patches @ tower.proj, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{}, {"ls_init_value": 0.1}, {"no_ln_pre": True}, {"act_layer": open_clip.model.QuickGELU}],
)
def test_without_merging_the_class_token_is_the_tower_s_own(options):
    assert_class_token_is_the_tower_s_own(custom(**options), 40)


def test_what_of_an_image_is_no_whole_patch_is_left_out():
    assert_class_token_is_the_tower_s_own(custom(image_size=43), 43)


def test_without_merging_the_mini_backbone_s_class_token_is_its_own(mini: Backbone):
    assert_class_token_is_the_tower_s_own(mini.model.visual, mini.preprocess.size[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16"])
def test_without_merging_a_full_model_s_class_token_is_encode_image(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = load(name, "none").model
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        ours = RegionEncoder(model, merge=0)(images).tokens[:, 0]
        torch.testing.assert_close(ours, model.encode_image(images), atol=1e-5, rtol=1e-5)


def test_vit_l_14_keeps_65_of_257_tokens():
    with torch.device("meta"):
        encoder = RegionEncoder(
            open_clip.model._build_vision_tower(
                768, open_clip.get_model_config("ViT-L-14")["vision_cfg"]
            ),
            merge=8,
        )
        regions = encoder(torch.empty(2, 3, 224, 224))
    assert encoder.regions == 65
    assert regions.tokens.shape == (2, 65, 768)
    assert regions.source.shape == (2, 256)


@pytest.mark.parametrize("merge", [1, 4, 100])
@torch.inference_mode()
def test_sizes_and_sources_account_for_every_patch(merge: int):
    encoder = RegionEncoder(custom(), merge)
    regions = encoder(torch.randn(3, 3, 40, 40))
    assert regions.tokens.shape == (3, encoder.regions, 20)
    assert encoder.regions == {1: 23, 4: 14, 100: 5}[merge]
    assert (regions.size.sum(dim=1) == 1 + 25).all()
    assert (regions.size[:, 0] == 1).all()
    assert (regions.source > 0).all()  # no patch joins the class token
    for sizes, source in zip(regions.size, regions.source, strict=True):
        assert torch.equal(source.bincount(minlength=encoder.regions)[1:], sizes[1:].long())


@torch.inference_mode()
def test_merging_identical_patches_changes_nothing():
    # Proportional attention makes a merged token weigh as much as the tokens it stands for, so
    # with patches that are equal to begin with, merging must not move the class token at all.
    tower = custom()
    tower.positional_embedding.zero_()
    images = torch.randn(1, 3, 1, 1).expand(2, 3, 40, 40)
    whole, merged = RegionEncoder(tower, 0)(images), RegionEncoder(tower, 6)(images)
    torch.testing.assert_close(merged.tokens[:, 0], whole.tokens[:, 0], atol=1e-5, rtol=1e-5)
    assert merged.tokens.shape[1] == 26 - 18


@torch.inference_mode()
def test_proportional_attention_keeps_the_fused_kernel():
    encoder = RegionEncoder(custom(), 4)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        encoder(torch.randn(2, 3, 40, 40))
    calls = {event.key: event.count for event in profile.key_averages()}
    assert calls["aten::_scaled_dot_product_flash_attention_for_cpu"] == 3
    assert "aten::_scaled_dot_product_attention_math" not in calls


@torch.inference_mode()
def test_an_image_s_regions_do_not_depend_on_its_neighbours():
    encoder = RegionEncoder(custom(), 4)
    images = torch.randn(3, 3, 40, 40)
    alone, together = encoder(images[1:2]), encoder(images)
    torch.testing.assert_close(alone.tokens[0], together.tokens[1])
    assert torch.equal(alone.source[0], together.source[1])


@pytest.mark.parametrize("images", [1, 3, 7])
@pytest.mark.parametrize("at_once", [1, 2 * 25 * 2, 1 << 18])  # scores: an image, two, and all
def test_attention_by_products_is_torch_s_attention(images: int, at_once: int, monkeypatch):
    monkeypatch.setattr(regions, "_SCORES", at_once)
    torch.manual_seed(images)
    q, k, v = torch.randn(3, images, 2, 5, 8)
    sizes = torch.randint(1, 9, (images, 1, 1, 5)).float().log()
    for mask in (None, sizes):
        expected = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        torch.testing.assert_close(regions._products(q, k, v, attn_mask=mask), expected)


@torch.inference_mode()
def test_regions_in_bfloat16_are_those_of_full_precision_but_for_rounding():
    torch.manual_seed(0)
    tower, images = custom(), torch.randn(5, 3, 40, 40)
    full, half = (RegionEncoder(tower, 0, t)(images) for t in (torch.float32, torch.bfloat16))
    near = functional.cosine_similarity(full.tokens, half.tokens.float(), dim=-1)
    assert near.min() > 0.999


@torch.inference_mode()
def test_half_precision_leaves_the_tower_as_it_was():
    tower = custom()
    tokens = RegionEncoder(tower, 4, torch.bfloat16)(torch.randn(1, 3, 40, 40)).tokens
    assert tokens.dtype == torch.bfloat16
    assert tower.proj.dtype == torch.float32


@pytest.mark.parametrize(
    ("tower", "cause"),
    [
        (nn.Linear(2, 2), "is a Linear, not a VisionTransformer"),
        (custom(attentional_pool=True, attn_pooler_heads=4), "pools by attention"),
        (custom(pool_type="avg"), "pools by 'avg'"),
        (custom(final_ln_after_pool=True), "norms after pooling"),
        (custom(qk_norm=True), "blocks of its own making"),
    ],
)
def test_other_towers_are_refused_in_one_line(tower: nn.Module, cause: str):
    with pytest.raises(BadInput, match=cause) as caught:
        RegionEncoder(tower)
    assert "\n" not in str(caught.value)


def test_a_resnet_tower_is_refused():
    with torch.device("meta"):
        tower = open_clip.model._build_vision_tower(
            1024, open_clip.get_model_config("RN50")["vision_cfg"]
        )
    with pytest.raises(BadInput, match="ModifiedResNet"):
        RegionEncoder(tower)


def test_the_largest_regions_keep_their_order_and_cut_patches_say_so(mini: Backbone):
    encoder = RegionEncoder(mini.model, 8)
    with torch.inference_mode():
        whole = encoder(torch.randn(3, 3, *mini.preprocess.size))
    cut = whole.largest(6)
    assert cut.tokens.shape[:2] == (3, 7)
    for frame in range(3):
        sizes = whole.size[frame, 1:].tolist()
        largest = sorted(sorted(range(len(sizes)), key=lambda i: -sizes[i])[:6])
        kept = [0, *(1 + i for i in largest)]
        assert (cut.tokens[frame] == whole.tokens[frame, kept]).all()
        assert (cut.size[frame] == whole.size[frame, kept]).all()
        expected = [kept.index(s) if s in kept else 7 for s in whole.source[frame].tolist()]
        assert cut.source[frame].tolist() == expected
    assert whole.largest(encoder.regions - 1) is whole
