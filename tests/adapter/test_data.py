import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from adapter.clips import Clips
from adapter.data import SCORED, hold_out, open_clips
from adapter.leaks import warn_of_repeats
from adapter.stores import place
from corpus.errors import BadInput
from extract.store import FeatureCache
from tests.adapter.conftest import manifest


def test_a_clip_set_has_every_good_row_and_counts_the_others(write_cache) -> None:
    clips = open_clips([write_cache(failed=2, unlabelled=3)])
    assert len(clips) == 16
    assert clips.left_out == Counter(failed=2, unlabelled=3)
    assert clips.classes == ("archery", "hugging", "singing", "cleaning pool")


def test_each_clip_that_is_read_into_memory_is_told_of(write_cache) -> None:
    told: list[tuple[int, int]] = []
    path = write_cache(failed=2)
    open_clips([path], in_memory=True, tally=lambda *done: told.append(done))
    assert told == [(n, 16) for n in range(17)]
    open_clips([path], in_memory=False, tally=lambda *done: told.append(done))
    assert len(told) == 17


def test_a_video_that_could_not_be_decoded_is_a_clip_where_clips_are_scored(write_cache) -> None:
    clips = open_clips([write_cache(failed=2, unlabelled=3)], scored=True)
    assert len(clips) == 18
    assert clips.left_out == Counter(unlabelled=3)
    assert [video for video, seen in zip(clips.videos, clips.seen, strict=True) if not seen] == [
        "train/broken0.mp4",
        "train/broken1.mp4",
    ]
    assert clips.subset([17, 0]).seen.tolist() == [False, True]


def test_of_a_cache_of_several_splits_only_what_is_asked_for_is_taken(write_cache) -> None:
    mixed = write_cache("mixed.h5", splits=("train", "val", "Test01", "Test02"), failed=4)

    def taken(*paths: Path, **asked: object) -> tuple[list[str], dict[str, int]]:
        clips = open_clips(paths, scored=True, **asked)
        return sorted(set(clips.splits)), dict(clips.left_out)

    assert len(open_clips([mixed], scored=True)) == 20
    assert taken(mixed, parts=SCORED) == (
        ["Test01", "Test02"],
        {"of split train": 5, "of split val": 5},
    )
    assert taken(mixed, parts=["validation"])[0] == ["val"]
    fitted = write_cache("fitted.h5", splits=("train", "validation"))
    assert taken(fitted, parts=SCORED) == (["validation"], {"of split train": 8})
    # A cache of one split is taken as it is given, also beside others.
    train = write_cache("train.h5")
    assert taken(train, mixed, parts=SCORED)[0] == ["Test01", "Test02", "train"]
    # What has no label is not to be scored: here the test split.
    splits = ("train", "val", "train", "val", "test")
    secret = write_cache("secret.h5", splits=splits, unlabelled=1)
    assert taken(secret, parts=SCORED) == (["val"], {"of split train": 8, "unlabelled": 1})
    # Of a test split of which no video is there nothing could be told.
    lost = write_cache("lost.h5", splits=("train", "val", "test"), per_class=2, failed=3)
    assert taken(lost, parts=SCORED) == (["val"], {"of split train": 5, "of split test": 1})
    halved = write_cache("halved.h5", splits=("train", "test"))
    with pytest.raises(BadInput, match=r"no clip .* \(8 of split train, 8 of split test\)"):
        taken(halved, parts=["validation"])


def test_items_are_views_of_clips_in_the_order_of_the_cache(write_cache) -> None:
    path = write_cache(views="2x3")
    clips, cache = open_clips([path]), FeatureCache(path)
    batch, labels = clips.fetch(torch.tensor([7 * 6 + 4, 2 * 6]))
    assert torch.equal(labels, torch.tensor(cache.labels[[7, 2]]))
    expected = cache.regions(7)[4 * 4 : 5 * 4]
    assert torch.equal(batch.regions[0].float(), torch.from_numpy(expected))
    expected = place(cache.patch_region(2), (2, 3), 5)[:4].astype(np.float16)
    assert torch.equal(batch.place[1], torch.from_numpy(expected))


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_streamed_and_in_memory_clips_are_the_same_bytes_in_the_same_order(
    write_cache, dtype: str
) -> None:
    path = write_cache(views="1x3", dtype=dtype)
    order = torch.randperm(16 * 3).split(5)
    cpu = torch.device("cpu")
    streams = [
        list(open_clips([path], in_memory=held).batches(order, cpu)) for held in (True, False)
    ]
    assert len(streams[0]) == 10
    for (one, labels), (other, other_labels) in zip(*streams, strict=True):
        assert torch.equal(one.regions, other.regions)
        assert torch.equal(one.place, other.place)
        assert torch.equal(labels, other_labels)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_views_are_read_in_any_order_and_number(write_cache, compression: str) -> None:
    path = write_cache(views="2x2", compression=compression)
    streamed, held = (open_clips([path], in_memory=memory) for memory in (False, True))
    items = torch.tensor([12, 13, 14, 15, 3, 2, 20, 21, 23, 21, 21, 12])
    one, other = streamed.fetch(items)[0], held.fetch(items)[0]
    assert torch.equal(one.regions, other.regions)
    assert torch.equal(one.place, other.place)


def test_features_go_to_a_gpu_only_if_it_has_room(write_cache, monkeypatch) -> None:
    held, gpu = open_clips([write_cache()], in_memory=True), torch.device("cuda")
    moved: list[object] = []
    monkeypatch.setattr(Clips, "to", lambda clips, device: moved.append(device) or clips)
    size = sum(tensor.nbytes for tensor in held.fetch(torch.arange(16))[0] if tensor is not None)
    for free, times in ((2 * size - 1, 0), (2 * size, 1)):  # half of it is left to others
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 10**12))
        held.to(gpu)
        assert moved == [gpu] * times
    streamed = open_clips([held.sources[0]], in_memory=False)
    assert streamed.to(gpu).store is streamed.store
    assert held.to(torch.device("cpu")).store is held.store


def test_several_caches_are_one_set_with_classes_united_by_how_they_read(write_cache) -> None:
    one = write_cache("one.h5", classes=("archery", "HorseRiding"))
    other = write_cache("other.h5", classes=("horse_riding", "singing"), seed=1)
    clips = open_clips([one, other])
    assert clips.classes == ("archery", "HorseRiding", "singing")
    assert torch.bincount(clips.labels).tolist() == [4, 8, 4]
    batch, _ = clips.fetch(torch.tensor([9]))
    assert torch.equal(batch.regions[0].float(), torch.from_numpy(FeatureCache(other).regions(1)))


def test_a_video_that_is_scored_several_times_is_told_of(write_cache) -> None:
    one = write_cache("one.h5", folder="test")
    other = write_cache("other.h5", per_class=2, folder="test", seed=1)
    clips = open_clips([one, other], scored=True)
    assert len(clips) == 24
    with pytest.warns(UserWarning, match=r"8 of 24 rows of .*one\.h5, .*other\.h5 have the name"):
        warn_of_repeats(clips)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_repeats(open_clips([one], scored=True))


@pytest.mark.parametrize(
    "fact",
    [
        {"fingerprint": "other"},
        {"frames": 8},
        {"merge": 2},
        {"keep_regions": 4},
        {"preprocess": manifest().preprocess.model_copy(update={"resize_mode": "squash"})},
    ],
)
def test_caches_made_differently_are_refused(write_cache, fact: dict[str, object]) -> None:
    one, other = write_cache("one.h5"), write_cache("other.h5", **fact)
    with pytest.raises(BadInput, match=rf"other\.h5: its {next(iter(fact))} is"):
        open_clips([one, other])


def test_caches_are_one_set_only_with_as_many_views(write_cache) -> None:
    one, other = write_cache("one.h5", views="3x1"), write_cache("other.h5", views="1x3", seed=1)
    assert open_clips([one, other]).views == 3
    more = write_cache("more.h5", views="2x3", seed=2)
    with pytest.raises(BadInput, match=r"more\.h5: its view_count is 6, that of .*one\.h5 is 3"):
        open_clips([one, more])


def test_a_cache_without_a_usable_clip_is_refused(write_cache) -> None:
    path = write_cache(per_class=0, failed=2)
    for scored in (False, True):
        with pytest.raises(BadInput, match=r"no clip with features and a label \(2 failed\); ext"):
            open_clips([path], scored=scored)
    bare = write_cache("bare.h5", per_class=0, unlabelled=2)
    with pytest.raises(BadInput, match=r"\(2 unlabelled\); .* are for alt-adapter predict --feat"):
        open_clips([bare])


def test_a_truncated_cache_is_refused(write_cache) -> None:
    path = write_cache()
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BadInput, match=r"feats\.h5"):
        open_clips([path])


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "feats.h5").write_text("not features")
    with pytest.raises(BadInput, match=r"feats\.h5"):
        open_clips([tmp_path / "feats.h5"])


def test_a_class_of_the_data_that_the_labels_lack_is_named(write_cache) -> None:
    clips = open_clips([write_cache()])
    with pytest.raises(BadInput, match=r"mine\.txt: 'singing' of the data is not among its 3"):
        clips.relabelled(["hugging", "archery", "cleaning_pool"], "mine.txt")


def test_labels_are_matched_by_name_and_not_by_position(write_cache) -> None:
    clips = open_clips([write_cache()])
    wanted = ["yoga", "Singing", "cleaning_pool", "hugging", "archery"]
    again = clips.relabelled(wanted)
    assert [wanted[i].lower().replace("_", " ") for i in again.labels.tolist()] == [
        clips.classes[i] for i in clips.labels.tolist()
    ]


def test_a_class_without_clips_need_not_be_among_the_labels(write_cache) -> None:
    clips = open_clips([write_cache()])
    some = clips.subset((clips.labels < 2).nonzero()[:, 0])
    assert some.seen_classes() == ("archery", "hugging")
    assert set(some.relabelled(["hugging", "archery"]).labels.tolist()) == {0, 1}


def test_what_a_notebook_shows_of_clips_does_not_grow_with_them(write_cache) -> None:
    few, more = (repr(open_clips([write_cache(f"{n}.h5", per_class=n)])) for n in (2, 9))
    assert len(more) - len(few) < 10


def test_a_subset_keeps_each_clip_with_its_label_and_name(write_cache) -> None:
    clips = open_clips([write_cache()])
    some = clips.subset([5, 2])
    assert some.videos == (clips.videos[5], clips.videos[2])
    batch, labels = some.fetch(torch.tensor([0, 1]))
    expected, expected_labels = clips.fetch(torch.tensor([5, 2]))
    assert torch.equal(batch.regions, expected.regions)
    assert torch.equal(labels, expected_labels)


def test_a_tenth_of_each_class_is_held_out_and_always_the_same(write_cache) -> None:
    clips = open_clips([write_cache(per_class=60)])
    kept, held = hold_out(clips)
    assert torch.bincount(held.labels).tolist() == [6, 6, 6, 6]
    assert set(kept.videos) | set(held.videos) == set(clips.videos)
    assert not set(kept.videos) & set(held.videos)
    assert hold_out(clips)[1].videos == held.videos


def test_a_video_in_two_caches_is_held_out_of_both_or_of_none(write_cache) -> None:
    once, again = (write_cache(f"{seed}.h5", per_class=60, seed=seed) for seed in (0, 1))
    kept, held = hold_out(open_clips([once, again]))
    assert torch.bincount(held.labels).tolist() == [12, 12, 12, 12]
    assert set(Counter(held.videos).values()) == set(Counter(kept.videos).values()) == {2}
    assert not set(kept.videos) & set(held.videos)


def test_classes_of_a_cache_that_read_the_same_are_one_and_told_of(write_cache) -> None:
    names = ("Bouncing_Ball", "hugging", "bouncing ball")
    with pytest.warns(UserWarning, match="'Bouncing_Ball' and 'bouncing ball' read the same"):
        clips = open_clips([write_cache(classes=names)])
    assert clips.classes == names[:2]
    assert torch.bincount(clips.labels).tolist() == [8, 4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of two caches, whose authors may write as they like
        open_clips([write_cache("a.h5", classes=names[:2]), write_cache("b.h5", classes=names[1:])])


def test_a_part_without_the_others_is_told_of(write_cache) -> None:
    first, second = (
        write_cache(f"{i}.h5", part=f"{i}/2", whole_clips=32, whole_hash="a", seed=i)
        for i in (1, 2)
    )
    with pytest.warns(UserWarning, match="1.h5: is part 1/2, and the others are not given; merge"):
        open_clips([first])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(open_clips([first, second])) == 32


def test_the_same_features_given_twice_are_refused(write_cache) -> None:
    one = write_cache("one.h5")
    other = one.with_name("other.h5")
    other.write_bytes(one.read_bytes())
    for pair in ([one, one], [one, other]):
        with pytest.raises(BadInput, match=r"holds the same features as .*one\.h5; give it once"):
            open_clips(pair)


@pytest.mark.parametrize(("clips", "held"), [(9, 0), (10, 1), (19, 1), (20, 2)])
def test_a_tenth_is_rounded_down(write_cache, clips: int, held: int) -> None:
    _, val = hold_out(open_clips([write_cache(per_class=clips)]), least=1)
    assert (len(val) if val else 0) == 4 * held


def test_nothing_is_held_out_of_a_few_clips(write_cache) -> None:
    clips = open_clips([write_cache()])
    kept, held = hold_out(clips)
    assert held is None
    assert kept is clips


def test_place_is_the_mean_of_the_patches_and_the_root_of_their_share() -> None:
    # 2 × 3 patches: token 1 has the left column, token 2 the rest, token 3 nothing.
    where = place(np.array([[1, 2, 2, 1, 2, 2]]), (2, 3), 4)
    np.testing.assert_allclose(where[0, 0], [0, 0, 1])
    np.testing.assert_allclose(where[0, 1], [-2 / 3, 0, (2 / 6) ** 0.5], rtol=1e-6)
    np.testing.assert_allclose(where[0, 2], [1 / 3, 0, (4 / 6) ** 0.5], rtol=1e-6)
    np.testing.assert_allclose(where[0, 3], [0, 0, 0])


def test_patches_of_cut_regions_are_of_no_region_of_any_frame() -> None:
    # Of two frames of 2 × 3 patches three tokens are kept; the 3 marks what was cut.
    where = place(np.array([[1, 3, 2, 1, 3, 3], [3, 3, 3, 3, 3, 1]]), (2, 3), 3)
    assert where.shape == (2, 3, 3)
    np.testing.assert_allclose(where[0, 1], [-2 / 3, 0, (2 / 6) ** 0.5], rtol=1e-6)
    np.testing.assert_allclose(where[0, 2], [2 / 3, -1 / 2, (1 / 6) ** 0.5], rtol=1e-6)
    np.testing.assert_allclose(where[1, 0], [0, 0, 1])
    np.testing.assert_allclose(where[1, 1], [2 / 3, 1 / 2, (1 / 6) ** 0.5], rtol=1e-6)
    np.testing.assert_allclose(where[1, 2], [0, 0, 0])


def test_cutting_regions_leaves_the_others_where_they_were() -> None:
    source = np.random.default_rng(0).integers(1, 9, (4, 30))
    kept = np.where(source < 5, source, 5)
    assert np.array_equal(place(kept, (5, 6), 5), place(source, (5, 6), 9)[:, :5])
