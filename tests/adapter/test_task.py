import re
import warnings
from pathlib import Path

import pytest
import torch

from adapter.task import open_task, same_features
from adapter.text import label_text
from corpus.backbone import Backbone
from corpus.errors import BadInput
from corpus.index import Corpus
from extract.store import FeatureCache

CLASSES = ("archery", "hugging", "singing", "cleaning pool")


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    return tmp_path / "corpora"


@pytest.fixture(autouse=True)
def _same_backbone(monkeypatch, mini: Backbone) -> None:
    monkeypatch.setattr("adapter.task.load_again", lambda *_: mini)


def test_features_alone_are_enough_and_their_corpus_is_built_once(
    write_cache, mini, corpora: Path
) -> None:
    path, said = write_cache(backbone=mini), []
    task = open_task([path], corpora=corpora, say=said.append)
    assert any("building a text corpus for 4 labels" in line for line in said)
    units = {entity.unit for entity in task.corpus.entities}
    assert {"bow", "pool"} <= units
    assert task.entities.shape == (len(task.corpus.entities), mini.dim)
    torch.testing.assert_close(task.labels, label_text(CLASSES, mini))
    (saved,) = corpora.iterdir()
    said.clear()
    again = open_task([path], corpora=corpora, say=said.append)
    assert not any("building" in line for line in said)
    assert again.corpus.id == task.corpus.id
    assert open_task([path], corpus=saved, corpora=corpora).corpus.id == task.corpus.id


def test_a_cache_alone_is_no_list_and_paths_may_be_texts(write_cache, mini, corpora: Path) -> None:
    path = write_cache(backbone=mini)
    listed = open_task([path], corpora=corpora)
    for alone in (path, str(path)):
        task = open_task(alone, corpora=str(corpora), corpus=str(next(corpora.iterdir())))
        assert task.clips.videos == listed.clips.videos
        assert task.clips.sources == (path,)


def test_a_corpus_that_fits_is_named(write_cache, mini, corpora: Path) -> None:
    path, said = write_cache(backbone=mini), []
    open_task([path], corpora=corpora)
    open_task([path], corpora=corpora, say=said.append)
    assert f"taking the corpus in {next(corpora.iterdir())}" in said


def test_what_features_say_of_their_dataset_leads_out_of_no_folder(
    write_cache, mini, corpora: Path
) -> None:
    open_task([write_cache(backbone=mini, dataset="../../my set")], corpora=corpora)
    (saved,) = corpora.iterdir()
    assert saved.name.startswith("-my-set-")


def test_a_corpus_of_another_backbone_is_refused(write_cache, mini, corpora: Path) -> None:
    path = write_cache(backbone=mini)
    corpus = open_task([path], corpora=corpora).corpus
    corpus.manifest = corpus.manifest.model_copy(update={"fingerprint": "e" * 32})
    corpus.save(corpora / "other")
    with pytest.raises(BadInput, match=r"other: was embedded by another backbone \(e{8}\)"):
        open_task([path], corpus=corpora / "other")
    with pytest.raises(BadInput, match="no corpus"):
        open_task([path], corpus=corpora / "absent")
    assert Corpus.load(corpora / "other").id == corpus.id


def test_features_whose_backbone_has_other_weights_by_now_are_refused(write_cache, mini) -> None:
    path = write_cache(backbone=mini, fingerprint="d" * 32)
    with pytest.raises(BadInput, match=r"feats\.h5: was made by other weights \(d{8}\)"):
        open_task([path])


@pytest.fixture
def corpus(write_cache, mini, corpora: Path) -> Path:
    open_task([write_cache("any.h5", backbone=mini)], corpora=corpora)
    return next(corpora.iterdir())


def test_validation_clips_are_given_or_split_or_held_out_or_none(
    write_cache, mini, corpus: Path
) -> None:
    few = write_cache("few.h5", backbone=mini)
    many = write_cache("many.h5", backbone=mini, per_class=60)
    val = write_cache("val.h5", backbone=mini, split="val", seed=1)
    test = write_cache("test.h5", backbone=mini, split="test01", seed=2)

    def parts(*features: Path, val: tuple[Path, ...] = (), spare: bool = True) -> tuple:
        task = open_task(features, val, corpus, spare=spare)
        return task.validation, len(task.clips), len(task.val) if task.val else 0

    assert parts(few, val=(val,)) == ("given", 16, 16)
    assert parts(few, val) == ("split", 16, 16)
    assert parts(many) == ("held out", 216, 24)
    assert parts(many, spare=False) == ("none", 240, 0)
    assert parts(few) == ("none", 16, 0)
    assert parts(few, val, spare=False) == ("none", 16, 0)
    for unused in (
        open_task([few, val], [val], corpus),
        open_task([few, val], (), corpus, spare=False),
    ):
        assert unused.clips.left_out == {"of a validation split": 16}
    task = open_task([few, test], corpus=corpus)
    assert len(task.clips) == 16  # clips of a test split are never trained on
    assert task.clips.left_out == {"of a test split": 16}
    marked = write_cache("marked.h5", backbone=mini, splits=("train", "unused", "test", "unused"))
    task = open_task([marked], corpus=corpus)
    assert len(task.clips) == 4
    assert task.clips.left_out == {"of a test split": 4, "unused by their list": 8}
    with pytest.raises(BadInput, match="all its rows are of split test01: none to train on"):
        open_task([test], corpus=corpus)
    broken = write_cache("broken.h5", backbone=mini, per_class=0, failed=3)
    with pytest.raises(BadInput, match=r"broken\.h5: none of its 3 training clips could be"):
        open_task([broken, val], corpus=corpus)


def test_videos_that_are_there_twice_are_told_of_where_they_are_scored_and_not_where_trained_on(
    write_cache, mini, corpus: Path
) -> None:
    one = write_cache("one.h5", backbone=mini)
    again = write_cache("again.h5", backbone=mini, per_class=2, seed=1)
    twice = write_cache("twice.h5", backbone=mini, folder="val", split="val")
    thrice = write_cache("thrice.h5", backbone=mini, folder="val", split="val", seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_task([one, again], [twice], corpus)
    with pytest.warns(UserWarning, match=r"16 of 32 rows of .*twice\.h5, .*thrice\.h5 have"):
        open_task([one], [twice, thrice], corpus)


def test_of_a_cache_given_to_validate_with_only_its_validation_split_is_taken(
    write_cache, mini, corpus: Path
) -> None:
    mixed = write_cache("mixed.h5", backbone=mini, splits=("train", "train", "val", "test"))
    task = open_task([mixed], [mixed], corpus)
    assert (set(task.clips.splits), set(task.val.splits)) == ({"train"}, {"val"})
    assert task.val_left_out == {"of split train": 8, "of split test": 4}
    assert "8 rows of --val left out: of split train" in task.describe()
    assert "4 rows left out: of a test split" in task.describe()


def test_validating_with_what_is_trained_on_is_done_and_told_of(
    write_cache, mini, corpus: Path
) -> None:
    train = write_cache("train.h5", backbone=mini)
    with pytest.warns(
        UserWarning, match=r"16 of 16 videos of .*train\.h5 have the names of videos trained"
    ):
        assert len(open_task([train], [train], corpus).val) == 16


def test_videos_of_the_validation_split_that_are_trained_on_are_told_of(
    write_cache, mini, corpus: Path
) -> None:
    train = write_cache("train.h5", backbone=mini, folder="all")
    val = write_cache("val.h5", backbone=mini, split="val", seed=1, folder="all", per_class=2)
    with pytest.warns(UserWarning, match="8 of 8 videos of .* have the names of videos trained on"):
        assert open_task([train, val], corpus=corpus).validation == "split"


def test_a_validation_video_that_could_not_be_decoded_is_one_to_be_wrong_about(
    write_cache, mini, corpus: Path
) -> None:
    train = write_cache("train.h5", backbone=mini, failed=1)
    val = write_cache("val.h5", backbone=mini, split="val", failed=3, unlabelled=2)
    task = open_task([train], [val], corpus)
    assert (len(task.val), int(task.val.seen.sum())) == (19, 16)
    assert task.clips.seen.all()
    lines = "\n".join(task.describe())
    assert "19 validation clips as given, of which 3 could not be read: counted as" in lines
    assert "2 rows of --val left out: unlabelled" in lines
    assert "1 row left out: failed" in lines
    task = open_task([train, val], corpus=corpus)  # the same as a split of the features
    assert (task.validation, len(task.clips), len(task.val)) == ("split", 16, 19)
    assert task.clips.left_out == {"failed": 1, "unlabelled": 2}
    assert "rows of --val" not in "\n".join(task.describe())
    lost = write_cache("lost.h5", backbone=mini, split="val", per_class=0, failed=2)
    task = open_task([train, lost], corpus=corpus)  # nothing to choose an epoch by
    assert (task.validation, task.clips.left_out) == ("none", {"failed": 3})


def test_validation_clips_of_another_backbone_are_refused(write_cache, mini, corpus: Path) -> None:
    train = write_cache("train.h5", backbone=mini)
    val = write_cache("val.h5", backbone=mini, split="val", fingerprint="f" * 32)
    with pytest.raises(BadInput, match=r"val\.h5: its features are of alt-mini/none"):
        open_task([train], [val], corpus)


def test_a_validation_class_that_is_not_trained_on_is_refused(
    write_cache, mini, corpus: Path
) -> None:
    train = write_cache("train.h5", backbone=mini)
    val = write_cache("val.h5", classes=("singing", "yoga"), backbone=mini)
    with pytest.raises(BadInput, match="'yoga' of the data is not among its 4 labels"):
        open_task([train], [val], corpus)


def test_what_will_be_trained_on_is_said(write_cache, mini, corpus: Path) -> None:
    lines = open_task([write_cache(backbone=mini, failed=3)], corpus=corpus).describe()
    text = "\n".join(lines)
    assert "16 clips of 4 classes, 1x1 views, features of alt-mini/none" in text
    assert "no clip to validate with: the last epoch is the best" in text
    assert "3 rows left out: failed" in text
    assert re.search(r"\d+ entities \(corpus [0-9a-f]{8}\)", text)


def test_frames_cut_to_other_regions_than_were_trained_on_are_refused(write_cache) -> None:
    whole = FeatureCache(write_cache("whole.h5")).manifest
    cut = FeatureCache(write_cache("cut.h5", keep_regions=4)).manifest
    same_features(cut, cut, "test.h5")
    with pytest.raises(BadInput, match=r"test\.h5: keeps 4 regions of a frame; .* with all"):
        same_features(cut, whole, "test.h5")
    with pytest.raises(BadInput, match=r"keeps all regions .* with 4; .*--keep-regions 4"):
        same_features(whole, cut, "test.h5")
