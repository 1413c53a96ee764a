from pathlib import Path

import numpy as np
import pytest

from corpus.backbone import Backbone
from corpus.errors import BadInput
from extract.encode import Encoder
from pipelines import pointing
from pipelines.pointing import _areas, _Scene, _Tally, measure
from pipelines.world.clips import listing
from pipelines.world.truth import read
from pipelines.world.write import write_world


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, 6, 9)
    return sorted(folder / clip.path for clip in listing(6, 9))


def test_regions_that_all_take_the_scene_point_at_the_share_of_it(
    mini: Backbone, videos: list[Path]
) -> None:
    """With one text there is one answer: patches that show mostly the scene are the hits."""
    video = videos[0]
    truth, _ = read(video)
    scene = next(seen.entity for seen in truth.entities if seen.kind == "scene")
    text = np.eye(1, 128, dtype=np.float32)
    patches, merged = measure([video], mini, {"it": ([scene], text)}, merges=(0, 8), frames=2)
    assert (patches.regions, merged.regions) == (100, 52)
    assert patches.frames == merged.frames == 2
    assert patches.precision == 1
    assert 0 < patches.recall < 0.5
    assert patches.pointing <= patches.by_region
    assert 0.5 < patches.pointing <= 1
    assert patches.each == 0  # scenes are left out of it, and there is nothing else


def test_a_region_s_pixels_are_its_patches_row_by_row() -> None:
    source = np.arange(6)  # each patch a region of its own, two rows of three
    areas = _areas(source, (2, 3), (20, 60))
    rows, columns = np.nonzero(areas[5])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 19, 40, 59)
    merged = _areas(np.array([1, 1, 2, 1, 2, 2]), (2, 3), (20, 60))
    np.testing.assert_array_equal(merged[0], areas[0] | areas[1] | areas[3])
    np.testing.assert_array_equal(merged[1], areas[2] | areas[4] | areas[5])


def test_a_frame_is_compared_with_the_truth_of_its_own_time(
    mini: Backbone, videos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    known, ids = read(videos[0])
    asked: list[int] = []

    class Asked:
        def __getitem__(self, index: int) -> np.ndarray:
            asked.append(int(index))
            return ids[index]

    monkeypatch.setattr(pointing.truth, "read", lambda video: (known, Asked()))
    text = np.eye(1, 128, dtype=np.float32)
    measure(videos[:1], mini, {"it": (["ball"], text)}, merges=(8,), frames=3)
    assert asked == [int((2 * i + 1) * known.frames / 6) for i in range(3)]  # segments' middles


def test_entities_of_many_regions_and_of_few_count_alike_in_each() -> None:
    areas = np.eye(4, dtype=bool).reshape(4, 2, 2)
    areas = areas.repeat(20, axis=1).repeat(20, axis=2)
    man, ball = areas[0] | areas[1], areas[3]
    tally = _Tally()
    tally.add(["man", "man", "ball", "dog"], areas, _Scene.of({"man": man, "ball": ball}, 2))
    found = tally.result("them", 0, 4)
    assert found.by_region == pytest.approx(2 / 3)  # the man's two regions; the ball's is off it
    assert found.each == pytest.approx((1 + 0) / 2)


def test_pixels_are_pointed_at_exactly_and_what_acts_is_counted_among_what_acts() -> None:
    areas = np.eye(4, dtype=bool).reshape(4, 2, 2)
    areas = areas.repeat(20, axis=1).repeat(20, axis=2)
    half = areas[3].copy()
    half[:, 30:] = False
    tally = _Tally()
    shown = {"man": areas[0], "ball": half, "cup": areas[1]}
    scene = _Scene.of(shown, 2, ["ball", "cup", "hat"])
    tally.add(["man", "man", "dog", "ball"], areas, scene)
    found = tally.result("them", 0, 4)
    assert found.pointing == pytest.approx((400 + 0 + 200) / 1200)  # half of the ball's region
    assert found.by_region == pytest.approx(2 / 3)
    assert (found.precision, found.recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found.acting == 1 / 2  # of ball and cup: no hat is there


def test_an_entity_that_is_absent_counts_against_precision_only(
    mini: Backbone, videos: list[Path]
) -> None:
    text = np.eye(1, 128, dtype=np.float32)
    (found,) = measure(videos[:1], mini, {"beasts": (["unicorn"], text)}, merges=(8,), frames=1)
    assert (found.precision, found.recall, found.pointing, found.acting) == (0, 0, 0, 0)


def test_a_video_without_truth_is_refused(
    mini: Backbone, videos: list[Path], tmp_path: Path
) -> None:
    stray = tmp_path / "x.mp4"
    stray.write_bytes(videos[0].read_bytes())
    with pytest.raises(BadInput, match="no ground truth"):
        measure([stray], mini, {"it": (["ball"], np.eye(1, 128, dtype=np.float32))})


def test_a_video_whose_features_are_none_is_refused_and_not_left_out(
    mini: Backbone, videos: list[Path], monkeypatch
) -> None:
    monkeypatch.setattr(Encoder, "features", lambda self, clips: iter([(0, "are not finite")]))
    with pytest.raises(BadInput, match=r"\.mp4: are not finite"):
        measure(videos[:1], mini, {"it": (["ball"], np.eye(1, 128, dtype=np.float32))})
