import os
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch

from corpus.backbone import Backbone
from corpus.errors import BadInput
from extract.clip import Pixels
from extract.encode import Encoder
from extract.regions import Regions
from extract.store import Features
from extract.views import normalise


def pixels(frames: int, seed: int, side: int) -> Pixels:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (frames, side, side, 3), dtype=np.uint8)
    return Pixels(images, np.arange(frames, dtype=np.float32), "")


@pytest.fixture
def small(mini: Backbone) -> Backbone:
    """One block: seconds to compile."""
    torch.manual_seed(0)
    tower = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    text = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
    model = open_clip.CLIP(16, tower, text).eval().requires_grad_(False)
    return replace(
        mini, model=model, preprocess=mini.preprocess.model_copy(update={"size": (32, 32)})
    )


def test_batches_that_span_videos_give_each_video_its_own_features(mini: Backbone):
    side = mini.preprocess.size[0]
    clips = [(key, pixels(frames, key, side)) for key, frames in enumerate([3, 1, 9, 4, 2])]
    for batch in (1, 4, 5, 100):
        encoder = Encoder(mini, merge=4, batch=batch)
        results = list(encoder.features(clips))
        assert [key for key, _ in results] == [0, 1, 2, 3, 4]
        for (_, clip), (_, features) in zip(clips, results, strict=True):
            assert isinstance(features, Features)
            images = normalise(
                torch.from_numpy(clip.frames), mini.preprocess.mean, mini.preprocess.std
            )
            with torch.inference_mode():
                alone = encoder.tower(images)
            np.testing.assert_allclose(features.regions, alone.tokens, atol=2e-3, rtol=2e-3)
            assert (features.region_size == alone.size.numpy()).all()
            assert (features.patch_region == alone.source.numpy()).all()
            assert (features.timestamps == clip.timestamps).all()


def test_features_are_handed_on_before_the_last_video_is_read(mini: Backbone):
    side = mini.preprocess.size[0]
    read = []

    def reading():
        for key in range(10):
            read.append(key)
            yield key, pixels(4, key, side)

    results = Encoder(mini, batch=4).features(reading())
    next(results)
    assert len(read) < 5


def test_features_beyond_float16_are_a_reason_not_a_number(mini: Backbone):
    side = mini.preprocess.size[0]
    encoder = Encoder(mini, batch=8)
    proj = encoder.tower.visual.proj
    original = proj.data.clone()
    try:
        proj.data *= 1e6
        ((_, reason),) = encoder.features([(0, pixels(2, 0, side))])
    finally:
        proj.data = original
    assert reason == "features are not finite in float16"


def test_one_frame_that_cannot_be_stored_costs_its_video_and_no_other(mini: Backbone):
    side = mini.preprocess.size[0]
    encoder = Encoder(mini, merge=4, batch=8)
    tower = encoder.tower

    def seen(images: torch.Tensor) -> Regions:
        found = tower(images)
        found.tokens[3, -1, 0] = torch.inf  # the second frame of the second video
        return found

    encoder.tower = seen  # type: ignore[assignment]
    clips = [(key, pixels(frames, key, side)) for key, frames in enumerate([2, 3, 1])]
    first, second, third = (features for _, features in encoder.features(clips))
    assert second == "features are not finite in float16"
    assert isinstance(first, Features)
    assert isinstance(third, Features)


def test_lanes_and_reasons_change_neither_order_nor_features(mini: Backbone):
    side = mini.preprocess.size[0]
    clips = [(key, pixels(5, key, side) if key % 3 else "no such file") for key in range(9)]
    before = torch.get_num_threads()
    torch.set_num_threads(6)
    alone, together = (
        list(Encoder(mini, merge=4, batch=4, lanes=lanes).features(clips)) for lanes in (1, 3)
    )
    for (key, one), (again, other) in zip(alone, together, strict=True):
        assert key == again
        if key % 3:
            assert isinstance(one, Features)
            assert isinstance(other, Features)
            assert (one.regions == other.regions).all()
        else:
            assert one == other == "no such file"
    with ThreadPoolExecutor(1) as crew:  # what is set reaches threads that are new
        assert crew.submit(torch.get_num_threads).result() == 6
    torch.set_num_threads(before)


def test_a_group_s_features_depend_on_no_other_group(mini: Backbone):
    side = mini.preprocess.size[0]
    seen = []
    encoder = Encoder(mini, batch=8)
    encode = encoder._encode
    encoder._encode = lambda frames: (seen.append(sum(map(len, frames))), encode(frames))[1]
    clips = [((group, key), pixels(3, key, side)) for group in range(2) for key in range(3)]
    list(encoder.features(clips, group=lambda key: key[0]))
    assert seen == [8, 1, 8, 1]


@pytest.mark.parametrize(
    ("precision", "asked"),
    [("bfloat16", "_is_mkldnn_bf16_supported"), ("float16", "_is_mkldnn_fp16_supported")],
)
def test_a_precision_that_a_processor_imitates_is_told_to_be_slow(
    mini: Backbone, monkeypatch, precision: str, asked: str
):
    monkeypatch.setattr(torch.ops.mkldnn, asked, lambda: False)
    with pytest.warns(UserWarning, match=rf"--precision {precision}: .* float32 is several times"):
        Encoder(mini, precision=precision)
    monkeypatch.setattr(torch.ops.mkldnn, asked, lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for at_home in ("float32", precision):
            Encoder(mini, precision=at_home)


@pytest.mark.skipif(
    not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))),
    reason="needs a C++ compiler",
)
def test_a_compiled_encoder_gives_the_same_features_and_counts_as_busy(small: Backbone):
    plain, compiled = Encoder(small, merge=2, batch=4), Encoder(small, 2, batch=4, compiled=True)
    clips = [(key, pixels(3, key, 32)) for key in range(3)]  # the last batch is short
    assert compiled.busy == 0
    for (_, one), (_, other) in zip(plain.features(clips), compiled.features(clips), strict=True):
        assert isinstance(one, Features)
        assert isinstance(other, Features)
        np.testing.assert_allclose(one.regions, other.regions, atol=4e-3)
        assert (one.patch_region == other.patch_region).all()
    assert compiled.busy > 0


def test_without_a_compiler_compiling_is_refused_in_one_line(small: Backbone, monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    torch.compiler.reset()
    with pytest.raises(BadInput, match="--compile: cannot be done here") as caught:
        Encoder(small, merge=3, batch=4, compiled=True)
    assert "\n" not in str(caught.value)
