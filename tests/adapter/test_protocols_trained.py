from dataclasses import replace

import numpy as np
import pytest
import torch

from adapter.ablation import CHANGES, variants
from adapter.compare import compare, one_by_one, open_tests, scored
from adapter.data import open_clips
from adapter.model import ModelConfig
from adapter.protocols import zero_shot
from adapter.protocols_trained import base_and_novel, conduct, harmonic
from adapter.settings import grid
from adapter.text import label_text
from adapter.train import TrainConfig
from corpus.errors import BadInput

QUICK = TrainConfig(epochs=1, batch_size=8)


@pytest.fixture
def task(write_cache, make_task, mini):
    return make_task(open_clips([write_cache(noise=6, backbone=mini)]))


@pytest.fixture
def tests(task, write_cache, mini):
    return open_tests(
        {"list1": write_cache("test.h5", noise=6, backbone=mini, seed=1, split="test")}, task
    )


def test_base_to_novel_trains_on_the_more_frequent_half_and_asks_each_half_alone(
    task, tests, mini
) -> None:
    # "archery" and "singing" have more clips than the other two.
    frequent = [i for i, label in enumerate(task.clips.labels.tolist()) if label in (0, 2)]
    clips = task.clips.subset([*range(16), *frequent])
    ranked, ((base, novel),) = base_and_novel(replace(task, clips=clips), tests)
    assert ranked.clips.classes == ("archery", "singing")
    torch.testing.assert_close(ranked.labels, label_text(("archery", "singing"), mini))
    torch.testing.assert_close(base.labelling.text, ranked.labels)
    torch.testing.assert_close(novel.labelling.text, label_text(("hugging", "cleaning pool"), mini))
    assert set(ranked.clips.labels.tolist()) == {0, 1}
    assert (base.labelling.names, novel.labelling.names) == (
        ("archery", "singing"),
        ("hugging", "cleaning pool"),
    )
    assert (len(base.clips), len(novel.clips)) == (8, 8)
    assert not set(base.clips.videos) & set(novel.clips.videos)


def test_of_an_odd_number_of_classes_base_has_one_more(task, tests) -> None:
    three, column = (
        clips.subset((clips.labels < 3).nonzero()[:, 0]).relabelled(task.clips.classes[:3])
        for clips in (task.clips, tests[0].clips)
    )
    _, ((base, novel),) = base_and_novel(
        replace(task, clips=three), [replace(tests[0], clips=column)]
    )
    assert (base.labelling.names, novel.labelling.names) == (("archery", "hugging"), ("singing",))


def test_classes_that_cannot_be_halved_and_a_half_without_clips_are_refused(task, tests) -> None:
    first, second = (
        replace(tests[0], clips=tests[0].clips.subset((tests[0].clips.labels == i).nonzero()[:, 0]))
        for i in (0, 2)  # a class of base, and one of novel
    )
    alone = task.clips.subset((task.clips.labels == 0).nonzero()[:, 0])
    with pytest.raises(BadInput, match="has one class to halve"):
        base_and_novel(replace(task, clips=alone), [first])
    with pytest.raises(BadInput, match="list1: has no clip of list1: novel"):
        base_and_novel(task, [first])
    with pytest.raises(BadInput, match="list1: has no clip of list1: base"):
        base_and_novel(task, [second])


@pytest.mark.parametrize("known", [True, False])
def test_classes_without_a_training_clip_are_novel(write_cache, make_task, mini, known) -> None:
    six = ("archery", "hugging", "singing", "cleaning pool", "yoga", "zumba")
    clips = open_clips([write_cache(classes=six, backbone=mini)])
    if known:  # classes of the training cache all the same
        trained = clips.subset((clips.labels < 4).nonzero()[:, 0])
    else:
        trained = open_clips([write_cache("four.h5", classes=six[:4], backbone=mini)])
    task = make_task(trained)
    tests = open_tests(
        {"t": write_cache("test.h5", six, folder="test", backbone=mini, seed=1)}, task
    )
    ranked, ((base, novel),) = base_and_novel(task, tests)
    assert (base.labelling.names, novel.labelling.names) == (six[:3], six[3:])
    assert len(base.clips) + len(novel.clips) == len(tests[0].clips) == 24
    assert ranked.clips.classes == six[:3]
    for text in (ranked.labels, base.labelling.text):
        torch.testing.assert_close(text, label_text(six[:3], mini))
    torch.testing.assert_close(novel.labelling.text, label_text(six[3:], mini))
    # However many there are, none of them is base.
    few = replace(task, clips=trained.subset((trained.labels == 1).nonzero()[:, 0]))
    _, ((base, novel),) = base_and_novel(few, tests)
    assert base.labelling.names == ("hugging",)
    assert (len(base.clips), len(novel.clips), novel.labelling.new) == (4, 20, 5)


def test_a_protocol_records_what_a_paper_has_to_say(task, tests) -> None:
    trained_on = set()

    def engine(jobs, tests, device, report):
        for job in jobs:
            clips, texts = job.variant.task.clips, job.variant.task.labels
            trained_on.add((clips.classes, tuple(sorted(set(clips.labels.tolist()))), len(texts)))
        yield from one_by_one(jobs, tests, device, report)

    cells, record = conduct(
        "base-to-novel",
        task,
        tests,
        ["clip", "linear"],
        2,
        ModelConfig(),
        QUICK,
        [2],
        engine=engine,
    )
    assert trained_on == {(("archery", "hugging"), (0, 1), 2)}  # the base half alone
    assert [(c.test, c.method) for c in cells] == [
        ("list1: base", "clip"),
        ("list1: base", "linear"),
        ("list1: novel", "clip"),
        ("list1: novel", "linear"),
    ]
    assert record["seeds"] == [0, 1]
    assert record["tests"]["list1: novel"]["label_set"]["new"] == 2
    first = record["cells"][0]
    assert {"top1", "top5", "mean_class", "calibration_error"} == set(first["spread"])
    assert first["seeds"][0]["list_hash"]
    assert first["interval"]
    by_method = {one["method"]: one for one in record["harmonic"]}
    b, n = cells[0].mean, cells[2].mean
    assert by_method["clip"]["mean"] == pytest.approx(2 * b * n / (b + n))
    assert harmonic(cells[0], cells[2]).std == 0
    scores = ((0.2, 0.8), (0.6, 0.4))  # base and novel, of each seed
    base, novel = (
        cells[0].model_copy(
            update={"seeds": [cells[0].seeds[0].model_copy(update={"top1": t}) for t in top1]}
        )
        for top1 in scores
    )
    by_seed = np.array([2 * b * n / (b + n) for b, n in zip(*scores, strict=True)])
    found = harmonic(base, novel)
    assert found == pytest.approx((by_seed.mean(), by_seed.std(ddof=1)))
    none = cells[0].model_copy(update={"seeds": [base.seeds[0].model_copy(update={"top1": 0.0})]})
    assert harmonic(none, none) == (0, 0)


def test_base_and_novel_of_the_same_shots_are_paired(task, tests) -> None:
    def engine(jobs, tests, device, report):
        for job in jobs:
            base, novel = (torch.eye(2)[test.clips.labels] for test in tests)
            if job.shots == 2:
                novel = novel.flip(1)  # all wrong
            yield [scored(base, tests[0].clips), scored(novel, tests[1].clips)]

    _, record = conduct(
        "base-to-novel", task, tests, ["linear"], 1, ModelConfig(), QUICK, [1, 2], engine=engine
    )
    found = [(one["test"], one["shots"], one["mean"]) for one in record["harmonic"]]
    assert found == [("list1", 1, 1), ("list1", 2, 0)]


def test_a_test_that_shares_videos_with_training_is_told_of(task, write_cache, mini) -> None:
    with pytest.warns(
        UserWarning, match="16 of 16 videos of same have the names of videos trained on"
    ):
        tests = open_tests({"same": write_cache("test.h5", backbone=mini)}, task)
    _, record = conduct("supervised", task, tests, ["clip"], 1, ModelConfig(), QUICK)
    assert record["tests"]["same"]["named_as_in_training"] == 16


def test_few_shot_has_a_column_for_each_count_of_shots(task, tests) -> None:
    cells, record = conduct("few-shot", task, tests, ["linear"], 1, ModelConfig(), QUICK, [1, 2])
    assert [cell.shots for cell in cells] == [1, 2]
    with pytest.raises(BadInput, match="has 4 clips"):
        conduct("few-shot", task, tests, ["linear"], 1, ModelConfig(), QUICK)
    assert record["protocol"] == "few-shot"


def test_a_protocol_that_is_none_is_not_taken_for_another(task, tests) -> None:
    with pytest.raises(BadInput, match="ep1: no such protocol that trains; use supervised"):
        conduct("ep1", task, tests, ["linear"], 1, ModelConfig(), QUICK, [1])
    with pytest.raises(BadInput, match="few-shot: no such protocol that scores runs; use ep1"):
        zero_shot([], "few-shot", "feats.h5")


def test_an_ablation_changes_one_part_a_row_and_ends_with_alt(task, tests) -> None:
    rows = variants(task, ModelConfig(), QUICK)
    assert [row.name for row in rows] == [*CHANGES, "alt"]
    for row in rows[:-1]:
        ours, theirs = ModelConfig().model_dump(), row.model.model_dump()
        changed = {name: theirs[name] for name in ours if ours[name] != theirs[name]}
        assert changed == CHANGES[row.name]
    cells = compare(rows[-3:], tests, [0])
    assert [cell.method for cell in cells] == [row.name for row in rows[-3:]]
    assert cells[-1].behind == 0


def test_a_grid_has_every_combination_under_the_values_that_vary() -> None:
    made = grid(["lr=1e-4,4e-4", "layers=1,3", "epochs=2"], method="alt")
    assert list(made) == [
        "lr=1e-4 layers=1",
        "lr=1e-4 layers=3",
        "lr=4e-4 layers=1",
        "lr=4e-4 layers=3",
    ]
    model, train = made["lr=4e-4 layers=1"]
    assert (model.layers, train.lr, train.epochs) == (1, 4e-4, 2)
    with pytest.raises(BadInput, match="nothing that varies"):
        grid(["lr=1e-4"])
    with pytest.raises(BadInput, match="no such setting"):
        grid(["rate=1,2"])
