import pytest
import torch
from torch.nn import functional as F

from adapter.baselines import MeanPooled, build
from adapter.data import open_clips
from adapter.evaluate import evaluate, list_hash, measure, probabilities
from adapter.model import ModelConfig
from corpus.errors import BadInput

ENTITIES = F.normalize(torch.randn(9, 32, generator=torch.Generator().manual_seed(1)), dim=-1)


def test_probabilities_are_the_mean_over_views_of_each_views_softmax(write_cache) -> None:
    clips = open_clips([write_cache(views="2x1", noise=3)])
    model = build(ModelConfig(), ENTITIES, 5, 20.0)
    labels = F.normalize(torch.randn(4, 2, 32), dim=-1)
    chances = probabilities(model, clips, labels, batch_size=5)
    model.eval()
    one = model(clips.fetch(torch.tensor([6]))[0], labels).softmax(-1)
    two = model(clips.fetch(torch.tensor([7]))[0], labels).softmax(-1)
    torch.testing.assert_close(chances[3:4], (one + two) / 2)
    torch.testing.assert_close(chances.sum(1), torch.ones(16))


def test_every_clip_is_scored_once_whatever_the_batch_size(write_cache) -> None:
    clips = open_clips([write_cache(per_class=5, noise=3)])
    model = build(ModelConfig(method="clip"), ENTITIES, 5, 20.0)
    labels = F.normalize(torch.randn(4, 2, 32), dim=-1)
    whole = probabilities(model, clips, labels, batch_size=100)
    assert whole.shape == (20, 4)
    batches: list[tuple[int, int]] = []
    for size in (1, 20, 7):
        batches.clear()
        again = probabilities(model, clips, labels, size, lambda *done: batches.append(done))
        torch.testing.assert_close(again, whole)
    assert batches == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert model.training  # as before


def test_metrics_on_a_case_counted_by_hand(write_cache) -> None:
    clips = open_clips([write_cache(per_class=2)])  # labels 0 1 2 3 0 1 2 3
    clips = clips.subset([0, 4, 1, 2]).relabelled(
        ["archery", "hugging", "singing", "cleaning pool", "yoga", "zumba", "welding"]
    )
    chances = torch.full((4, 7), 0.05)
    chances[torch.arange(3), torch.tensor([0, 0, 1])] = 0.7  # three right
    chances[3] = torch.tensor([0.02, 0.02, 0, 0.02, 0.02, 0.02, 0.9])  # one wrong, its own last
    scores = measure(chances, clips)
    assert scores.top1 == pytest.approx(3 / 4)
    assert scores.top5 == pytest.approx(3 / 4)
    assert scores.mean_class == pytest.approx(2 / 3)  # of three classes with clips, not of seven
    assert (scores.clips, scores.labels) == (4, 7)
    assert scores.calibration_error == pytest.approx(3 / 4 * abs(1 - 0.7) + 1 / 4 * 0.9, abs=1e-5)


def test_the_calibration_error_is_of_fifteen_bins(write_cache) -> None:
    clips = open_clips([write_cache(classes=("archery", "hugging"), per_class=2)])
    clips = clips.subset([0, 1, 2])  # labels 0 1 0
    chances = torch.tensor([[0.61, 0.39], [0.66, 0.34], [0.69, 0.31]])
    # The first two are of one bin, half of it right; of 14 the last two would be, of 16 none.
    expected = 2 / 3 * (0.635 - 1 / 2) + 1 / 3 * (1 - 0.69)
    assert measure(chances, clips).calibration_error == pytest.approx(expected)


def test_a_video_that_could_not_be_decoded_is_wrong_in_every_score(write_cache) -> None:
    path = write_cache(per_class=2, failed=2)  # which are of the first class
    clips, decoded = open_clips([path], scored=True), open_clips([path])
    model = build(ModelConfig(method="clip"), ENTITIES, 5, 20.0)
    directions = torch.randn(4, 32, generator=torch.Generator().manual_seed(9))
    chances = probabilities(
        model, clips, F.normalize(directions, dim=-1)[:, None].expand(-1, 2, -1)
    )
    scores = measure(chances, clips)
    assert (scores.clips, scores.failed) == (10, 2)
    # All of the eight are right: the first class has two of four.
    assert scores.top1 == scores.top5 == pytest.approx(8 / 10)
    assert scores.mean_class == pytest.approx((2 / 4 + 3) / 4)
    alone = measure(chances[clips.seen], decoded)
    assert (alone.top1, alone.failed) == (1, 0)
    assert alone.calibration_error == pytest.approx(scores.calibration_error)
    assert alone.list_hash != scores.list_hash
    lost = clips.subset((~clips.seen).nonzero()[:, 0].tolist())
    none = measure(chances[~clips.seen], lost)
    assert (none.top1, none.mean_class, none.calibration_error) == (0, 0, 0)


def test_the_fifth_label_is_among_five_and_the_sixth_is_not(write_cache) -> None:
    clips = open_clips([write_cache(per_class=1)]).subset([0, 1])
    clips = clips.relabelled(["a", "b", "c", "d", "archery", "hugging", "e"])  # fifth and sixth
    chances = torch.arange(7, 0, -1.0).div(28).expand(2, 7)
    assert measure(chances, clips).top5 == 0.5


def test_top5_of_fewer_than_five_labels_is_all_of_them(write_cache) -> None:
    clips = open_clips([write_cache()])
    assert measure(torch.full((16, 4), 0.25), clips).top5 == 1


def test_a_single_label_is_always_right(write_cache) -> None:
    clips = open_clips([write_cache(classes=("archery",))])
    scores = measure(torch.ones(4, 1), clips)
    assert (scores.top1, scores.top5, scores.mean_class, scores.labels) == (1, 1, 1, 1)


def test_clips_labelled_with_other_classes_are_not_scored(write_cache) -> None:
    clips = open_clips([write_cache()])
    labels = F.normalize(torch.randn(5, 2, clips.facts.dim), dim=-1)
    with pytest.raises(BadInput, match="labelled with 4 classes, and choose among 5"):
        evaluate(MeanPooled(100.0), clips, labels)


def test_the_list_hash_depends_on_names_labels_and_order() -> None:
    one = list_hash(["a.mp4", "b.mp4"], ["x", "y"])
    assert one == list_hash(["a.mp4", "b.mp4"], ["x", "y"])
    others = [
        list_hash(["a.mp4", "c.mp4"], ["x", "y"]),
        list_hash(["a.mp4", "b.mp4"], ["x", "x"]),
        list_hash(["b.mp4", "a.mp4"], ["y", "x"]),
    ]
    assert len({one, *others}) == 4
