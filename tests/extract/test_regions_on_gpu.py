"""On a GPU regions are what they are on a CPU, but for rounding. Skipped where there is no GPU."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from corpus.backbone import Backbone, load
from corpus.errors import BadInput
from corpus.source import RANDOM
from extract.clip import Pixels
from extract.encode import Encoder
from extract.options import Options, plan_of
from extract.quantise import quantise
from extract.regions import RegionEncoder
from extract.replay import Replay
from extract.run import encode_video
from extract.store import FeatureCache
from extract.tome import match

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
GPU = torch.device("cuda")


@pytest.fixture(scope="module")
def on_gpu() -> Backbone:
    """The mini backbone of the fixture `mini`, on the GPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load("alt-mini", RANDOM, GPU)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    a, b = (F.normalize(torch.from_numpy(x).float(), dim=-1) for x in (one, other))
    return (a * b).sum(dim=-1).numpy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_tokens_merge_as_on_a_cpu(dtype: torch.dtype):
    x, metric = torch.randn(4, 197, 96), torch.randn(4, 197, 64)
    size = torch.randint(1, 5, (4, 197)).float()
    ours, theirs = match(metric, 8), match(metric.to(GPU), 8)
    assert torch.equal(ours.source, theirs.source.cpu())
    merged, sizes = theirs.tokens(x.to(GPU, dtype), size.to(GPU))
    wanted, wanted_sizes = ours.tokens(x, size)
    torch.testing.assert_close(merged.float().cpu(), wanted, atol=4e-3, rtol=4e-3)
    assert torch.equal(sizes.cpu(), wanted_sizes)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_what_is_stored_has_the_bits_of_a_cpu(dtype: str):
    regions = 5 * torch.randn(3, 50, 64)
    ours, theirs = quantise(regions, dtype), quantise(regions.to(GPU), dtype)
    assert torch.equal(ours.values, theirs.values.cpu())
    assert ours.scale is None or torch.equal(ours.scale, theirs.scale.cpu())


@torch.inference_mode()
def test_regions_are_those_of_a_cpu(mini: Backbone, on_gpu: Backbone):
    images = torch.randn(8, 3, *mini.preprocess.size)
    ours = RegionEncoder(mini.model)(images)
    theirs = RegionEncoder(on_gpu.model)(images.to(GPU))
    assert torch.equal(ours.source, theirs.source.cpu())
    assert torch.equal(ours.size, theirs.size.cpu())
    torch.testing.assert_close(theirs.tokens.cpu(), ours.tokens, atol=1e-3, rtol=1e-3)


@torch.inference_mode()
def test_a_batch_that_is_replayed_is_what_it_is_when_launched(on_gpu: Backbone):
    tower = RegionEncoder(on_gpu.model, dtype=torch.float16)
    batches = torch.randn(3, 8, 3, *on_gpu.preprocess.size, device=GPU)
    replay = Replay(tower, torch.zeros_like(batches[0]))
    seen = [replay(images) for images in batches]  # all kept: none writes over another
    for images, ours in zip(batches, seen, strict=True):
        launched = tower(images)
        assert torch.equal(ours.tokens, launched.tokens)
        assert torch.equal(ours.source, launched.source)
        assert torch.equal(ours.size, launched.size)


def test_videos_in_full_and_short_batches_on_four_lanes_are_those_of_one(on_gpu: Backbone):
    draw = np.random.default_rng(0)
    size = (20, *on_gpu.preprocess.size, 3)
    clips = [
        (n, Pixels(draw.integers(0, 256, size, np.uint8), np.arange(20, dtype=np.float32), ""))
        for n in range(13)
    ]
    several, one = (
        dict(Encoder(on_gpu, precision="float16", batch=32, lanes=lanes).features(clips))
        for lanes in (4, 1)
    )
    assert list(several) == list(range(13))
    for number, features in several.items():
        assert np.array_equal(features.regions, one[number].regions)
        assert np.array_equal(features.patch_region, one[number].patch_region)


def test_a_batch_without_room_on_the_gpu_is_told_at_once(on_gpu: Backbone):
    torch.cuda.empty_cache()
    room = torch.cuda.mem_get_info(GPU)[1]
    torch.cuda.set_per_process_memory_fraction(2**29 / room)
    try:
        with pytest.raises(BadInput, match="--batch 2048: a batch has no room"):
            Encoder(on_gpu, precision="float16", batch=2048)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_half_precision_changes_a_video_s_regions_little(
    mini: Backbone, on_gpu: Backbone, make_clip, tmp_path: Path
):
    path = make_clip(tmp_path / "a.mp4")
    plan = plan_of(mini, Options())
    _, ours = encode_video(path, Encoder(mini, merge=0), plan)
    for precision, least in (("float32", 0.9999), ("float16", 0.999), ("bfloat16", 0.99)):
        encoder = Encoder(on_gpu, merge=0, precision=precision)
        _, theirs = encode_video(path, encoder, plan)
        assert cosines(theirs.regions, ours.regions).min() > least


def test_a_compiled_encoder_sees_what_an_eager_one_sees(
    on_gpu: Backbone, make_clip, tmp_path: Path
):
    path = make_clip(tmp_path / "a.mp4")
    plan = plan_of(on_gpu, Options())
    eager, compiled = (
        encode_video(path, Encoder(on_gpu, precision="float16", compiled=how), plan)[1]
        for how in (False, True)
    )
    alike = cosines(compiled.regions, eager.regions)
    assert np.median(alike) > 0.999  # a pair that merges by a hair's breadth may not
    assert alike[:, 0].min() > 0.99


def test_an_extraction_by_the_command_is_the_same_twice(make_clip, tmp_path: Path):
    for number in range(6):
        make_clip(tmp_path / f"videos/archery/{number}.mp4", seed=number)
    (tmp_path / "videos/archery/broken.mp4").write_bytes(b"no video")
    paths = [tmp_path / "one.h5", tmp_path / "two.h5"]
    for path in paths:
        command = [sys.executable, "-m", "extract.cli", "--dataset", "folder"]
        command += ["--root", tmp_path / "videos", "--out", path, "--device", "cuda"]
        command += ["--model", "alt-mini", "--pretrained", "none", "--batch", "16"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    one, two = (FeatureCache(path).manifest for path in paths)
    assert one.precision == "float16"
    assert one.failed == 1
    assert one.content_hash == two.content_hash
