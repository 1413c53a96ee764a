import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from corpus.errors import BadInput
from extract.views import Framing, normalise

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def photo(height: int, width: int) -> np.ndarray:
    """Smooth shapes, sharp edges and noise, as frames have them."""
    rng = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[:height, :width]
    smooth = 128 + 80 * np.sin(x / 17 + y / 29)[..., None] * np.array([1, 0.7, -0.5])
    smooth[height // 3 : height // 2, width // 4 : width // 2] = (250, 20, 90)
    return np.clip(smooth + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)


@settings(max_examples=40)
@given(
    st.integers(20, 400),
    st.integers(20, 400),
    st.sampled_from([(112, 112), (224, 224), (96, 160)]),
    st.sampled_from(["shortest", "squash"]),
    st.sampled_from(["bicubic", "bilinear"]),
)
def test_one_crop_is_open_clip_s_evaluation_transform(height, width, size, mode, interpolation):
    if size[0] != size[1] and mode == "shortest":
        interpolation = "bicubic"  # open_clip has no other for a tower that is not square
    transform = open_clip.image_transform(
        size, is_train=False, mean=MEAN, std=STD, resize_mode=mode, interpolation=interpolation
    )
    frame = photo(height, width)
    views = Framing(size, interpolation, mode).views(frame).copy()
    ours = normalise(torch.from_numpy(views), MEAN, STD)[0]
    theirs = transform(Image.fromarray(frame))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("height", "width"), [(120, 200), (200, 120)])
def test_three_crops_are_both_ends_and_the_centre_of_the_long_side(height: int, width: int):
    frame = photo(height, width)
    first, middle, last = Framing((120, 120), crops=3).views(frame)
    assert (middle == Framing((120, 120)).views(frame)[0]).all()
    assert (first == frame[:120, :120]).all()
    assert (last == frame[-120:, -120:]).all()


def test_three_crops_of_a_square_are_one_crop_thrice():
    views = Framing((64, 64), crops=3).views(photo(100, 100))
    assert (views == views[0]).all()


def test_views_that_do_not_exist_are_refused():
    with pytest.raises(BadInput, match="1 or 3 spatial views"):
        Framing((64, 64), crops=2)
    with pytest.raises(BadInput, match="squash"):
        Framing((64, 64), resize_mode="squash", crops=3)
    with pytest.raises(BadInput, match="longest"):
        Framing((64, 64), resize_mode="longest")


def test_a_random_view_is_the_same_part_of_every_frame():
    framing, frame = Framing((64, 64)), photo(120, 200)
    for seed in range(20):
        view = framing.random_view(frame, [seed])
        assert view.shape == (1, 64, 64, 3)
        assert (view == framing.random_view(frame, [seed])).all()
        brighter = np.minimum(frame.astype(int) + 3, 255).astype(np.uint8)
        shift = framing.random_view(brighter, [seed]).astype(int) - view
        assert (np.abs(shift) <= 5).all()


def test_random_views_differ_and_half_of_them_are_mirrored():
    ramp = np.arange(200, dtype=np.uint8)[None, :, None].repeat(120, 0).repeat(3, 2)
    views = [Framing((32, 32)).random_view(ramp, [seed])[0].astype(int) for seed in range(60)]
    mirrored = sum(view[16, 0, 0] > view[16, -1, 0] for view in views)
    assert 15 < mirrored < 45
    assert len({view[16].tobytes() for view in views}) > 50


def test_a_random_view_is_half_to_all_of_a_frame_and_little_longer_than_wide():
    y, x = np.mgrid[:200, :200].astype(np.uint8)
    shares, ratios = [], []
    for seed in range(60):
        view = Framing((64, 64)).random_view(np.stack([y, x, x], 2), [seed])[0].astype(float)
        # Between two pixels well within: at the edges there is less to interpolate.
        height = (view[55, 32, 0] - view[8, 32, 0]) * 64 / 47
        width = abs(view[32, 55, 1] - view[32, 8, 1]) * 64 / 47
        shares.append(height * width / 200**2)
        ratios.append(width / height)
    assert 0.48 < min(shares) < 0.6
    assert 0.8 < max(shares) < 1.02
    assert 0.73 < min(ratios) < 0.9
    assert 1.1 < max(ratios) < 1.36


def test_a_random_view_has_the_tower_s_height_and_width_and_its_interpolation():
    bicubic, bilinear = (
        Framing((32, 48), name).random_view(photo(90, 70), [0]) for name in ("bicubic", "bilinear")
    )
    assert bicubic.shape == bilinear.shape == (1, 32, 48, 3)
    assert (bicubic != bilinear).any()
