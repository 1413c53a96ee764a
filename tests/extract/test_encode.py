import numpy as np
import torch

from corpus.backbone import Backbone
from extract.clip import Pixels
from extract.encode import Encoder
from extract.store import Features
from extract.views import normalise


def pixels(frames: int, seed: int, side: int) -> Pixels:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (frames, side, side, 3), dtype=np.uint8)
    return Pixels(images, np.arange(frames, dtype=np.float32), "")


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
