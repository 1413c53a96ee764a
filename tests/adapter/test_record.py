import json
from dataclasses import replace

import pytest

from adapter.compare import Variant, method_rows, open_tests
from adapter.data import open_clips
from adapter.model import ModelConfig
from adapter.record import comparison_record
from adapter.train import TrainConfig
from extract.store import FeatureCache


@pytest.fixture
def caches(write_cache, mini):
    """Two to train on, and two to test on; no two have the same features."""
    parts = ("train", "train", "test", "test")
    return [
        write_cache(f"{number}.h5", split=split, folder=f"of {number}", backbone=mini, seed=number)
        for number, split in enumerate(parts)
    ]


@pytest.fixture
def task(caches, make_task):
    return make_task(open_clips(caches[:2]))


def contents(paths) -> list[str]:
    return [FeatureCache(path).manifest.content_hash for path in paths]


def test_a_record_holds_what_decided_each_row(task) -> None:
    other = replace(task.corpus, id="of other words", embeddings=task.corpus.embeddings[:9])
    other = replace(other, entities=task.corpus.entities[:9])
    train = TrainConfig(epochs=7)
    rows = [
        Variant("tracks: 8", ModelConfig(tracks=8), train.model_copy(update={"lr": 3e-3}), task),
        Variant("corpus: other", ModelConfig(), train, replace(task, corpus=other)),
        Variant("alt", ModelConfig(), train, task),
    ]
    record = json.loads(json.dumps(comparison_record([], rows, [], range(2))))
    few, words, alt = (record["rows"][row.name] for row in rows)
    assert [row["model"]["tracks"] for row in (few, words, alt)] == [8, 16, 16]
    assert [row["train"]["lr"] for row in (few, words, alt)] == [3e-3, 1e-3, 1e-3]
    assert "seed" not in alt["train"]  # the comparison's count
    assert all(row["train"]["epochs"] == {"all": 7} for row in (few, words, alt))
    assert few["corpus"] == alt["corpus"] == {"id": task.corpus.id, "entities": 40}
    assert words["corpus"] == {"id": "of other words", "entities": 9}
    assert record["titles"] == {"tracks: 8": "tracks: 8", "corpus: other": "corpus: other"} | {
        "alt": "ALT"
    }
    assert (record["seeds"], record["clips"]) == ([0, 1], 32)
    assert record["version"]


def test_a_record_names_every_cache_that_was_trained_or_scored_on(task, caches, make_task) -> None:
    (column,) = open_tests({"new": caches[2]}, task)
    column = replace(column, clips=open_clips(caches[2:], scored=True))
    own = make_task(open_clips(caches[1:2]))
    rows = [
        Variant(
            "of one", ModelConfig(), TrainConfig(), own, tuple(open_tests({"new": caches[3]}, own))
        ),
        *method_rows(task, ["clip", "alt"], ModelConfig(), TrainConfig()),
    ]
    record = comparison_record([], rows, [column], [0])
    assert record["contents"] == contents(caches[:2])
    assert record["features"]["content_hash"] == record["contents"][0]
    assert record["tests"]["new"]["contents"] == contents(caches[2:])
    assert record["rows"]["of one"]["contents"] == contents(caches[1:2])
    assert record["rows"]["of one"]["tests"] == {"new": {"contents": contents(caches[3:])}}
    assert record["rows"]["alt"]["contents"] == contents(caches[:2])
    assert record["rows"]["alt"]["tests"] == {}


def test_a_record_tells_of_each_test_what_was_scored_and_what_was_not(
    task, write_cache, mini
) -> None:
    facts = {"split": "test", "folder": "of 0", "views": "1x3", "backbone": mini}
    path = write_cache("new.h5", ("yoga", "archery"), per_class=3, failed=1, unlabelled=2, **facts)
    with pytest.warns(UserWarning, match="6 of 7 videos of new have the names"):
        tests = open_tests({"new": path}, task)
    rows = method_rows(task, ["alt"], ModelConfig(), TrainConfig())
    test = comparison_record([], rows, tests, [0])["tests"]["new"]
    assert (test["clips"], test["failed"], test["views"]) == (7, 1, 3)
    assert test["left_out"] == {"unlabelled": 2}
    assert test["named_as_in_training"] == 6
    assert test["labels"] == 2
    assert (test["label_set"]["names"], test["label_set"]["new"]) == (["yoga", "archery"], 1)


def test_epochs_that_were_left_to_the_count_of_clips_are_in_a_record(task) -> None:
    train = TrainConfig(batch_size=4)
    rows = method_rows(task, ["alt"], ModelConfig(), train)
    record = comparison_record([], rows, [], [0], [None, 2])
    passes = train.passes
    assert record["rows"]["alt"]["train"]["epochs"] == {"all": passes(32), "2": passes(8)}
    assert passes(32) != passes(8)
    three = task.clips.subset((task.clips.labels > 0).nonzero()[:, 0])
    rows = method_rows(replace(task, clips=three), ["alt"], ModelConfig(), train)
    record = comparison_record([], rows, [], [0], [2])  # nothing is drawn of a class without clips
    assert record["rows"]["alt"]["train"]["epochs"] == {"2": passes(6)}


def test_mean_pooled_clip_has_no_training_in_a_record(task) -> None:
    rows = method_rows(task, ["clip", "linear"], ModelConfig(), TrainConfig())
    clip, linear = comparison_record([], rows, [], [0])["rows"].values()
    assert clip["train"] is None
    assert linear["train"]["lr"] == 1e-4
