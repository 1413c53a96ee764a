import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from adapter import explain as explaining
from adapter import predict as predicting
from adapter.data import open_clips
from adapter.evaluate import probabilities
from adapter.explain import explain
from adapter.model import ModelConfig
from adapter.predict import Prediction, Predictor, Seen, predict_cached, weighed
from adapter.runs import Run
from adapter.train import TrainConfig
from adapter.training import train_run
from corpus.backbone import Backbone
from corpus.errors import BadInput
from extract import beside
from extract.datasets import open_dataset
from extract.run import Options, encode_video, extract
from extract.store import FeatureCache

QUICK = TrainConfig(epochs=2, batch_size=8, lr=1e-3)


@pytest.fixture(scope="module")
def videos(tmp_path_factory, make_clip) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for index in range(4):
        make_clip(root / f"{'<b>hugging' if index < 2 else 'singing'}/{index}.mp4", seed=index)
    return root


@pytest.fixture(scope="module")
def features(videos: Path, mini: Backbone, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("features") / "feats.h5"
    extract(open_dataset("folder", videos), mini, path, Options(frames=3, merge=4), workers=1)
    return path


@pytest.fixture
def predictor(features: Path, make_task, mini, tmp_path: Path, monkeypatch) -> Predictor:
    train_run(make_task(open_clips([features])), ModelConfig(), QUICK, tmp_path / "run")
    monkeypatch.setattr(predicting, "backbone_of", lambda *_: mini)
    return Predictor(Run.load(tmp_path / "run"))


def test_videos_may_come_one_after_the_other_and_are_told_by_their_own_names(
    predictor: Predictor, videos: Path
) -> None:
    paths = sorted(videos.rglob("*.mp4"))
    given = list(predictor.predict_all(paths))
    assert [one.video for one in given] == [str(path) for path in paths]
    assert list(predictor.predict_all(iter(paths))) == given
    assert list(predictor.predict_all(str(paths[0]))) == [predictor.predict(paths[0])]


def test_decoding_workers_are_kept_from_call_to_call_within_with(
    predictor: Predictor, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [*sorted(videos.rglob("*.mp4"))[:2], tmp_path / "absent.mp4"]
    started, start = [], beside.start

    def noted(*module: str, **how: dict[str, str]):
        process, pipe = start(*module, **how)
        started.append(process)
        return process, pipe

    monkeypatch.setattr(beside, "start", noted)
    with predictor:
        kept = [predictor.predict(path) for path in paths]
        explain(predictor, paths[0], tmp_path / "report.html")
    (worker,) = started
    assert worker.poll() is not None
    assert [predictor.predict(path) for path in paths] == kept
    assert len(started) == 4


def test_a_run_that_tells_of_other_features_than_its_backbone_makes_is_refused(
    predictor: Predictor,
) -> None:
    run = predictor.run
    for change in ({"merge": 99}, {"regions": 1}, {"dim": 7}, {"grid": (100, 1)}):
        told = run.config.features.model_copy(update=change)
        config = run.config.model_copy(update={"features": told})
        with pytest.raises(BadInput, match=r"is damaged \(its config.json tells of other features"):
            Predictor(replace(run, config=config))


def test_a_name_that_no_file_can_have_is_a_prediction_with_an_error(
    predictor: Predictor, videos: Path
) -> None:
    good = next(videos.rglob("*.mp4"))
    bad, found = predictor.predict_all(["a" * 5000, good])
    assert bad.error.endswith("give a video")
    assert found.error is None


def test_no_labels_at_all_cannot_be_asked_for(
    predictor: Predictor, features: Path, videos: Path
) -> None:
    for ask in (
        lambda: predictor.predict(next(videos.rglob("*.mp4")), top=0),
        lambda: list(predict_cached(predictor.run, features, top=-1)),
    ):
        with pytest.raises(BadInput, match=r"top: is .*; ask for one or more"):
            ask()
    with pytest.raises(BadInput, match="features: name no cache"):
        predict_cached(predictor.run, [])


def test_a_video_has_the_features_and_the_probabilities_that_its_cached_row_has(
    predictor: Predictor, features: Path, videos: Path
) -> None:
    cache, clips = FeatureCache(features), open_clips([features])
    chances = probabilities(predictor.run.model, clips, predictor.run.labels)
    for row, video in enumerate(cache.videos):
        _, encoded = encode_video(videos / video, predictor.encoder, predictor.plan)
        # Batches of another size may round otherwise in the last bits of float16.
        np.testing.assert_allclose(
            encoded.regions.astype(np.float32), cache.regions(row), atol=4e-3, rtol=4e-3
        )
        assert np.array_equal(encoded.patch_region, cache.patch_region(row))
        prediction = predictor.predict(videos / video)
        scores = {scored.label: scored.score for scored in prediction.labels}
        expected = dict(zip(clips.classes, chances[row].tolist(), strict=True))
        assert scores == pytest.approx(expected, abs=0.01)
        assert sum(seen.weight for seen in prediction.entities) <= 1


def test_a_video_is_encoded_and_stored_as_the_features_of_the_run_were(
    predictor: Predictor, features: Path, videos: Path
) -> None:
    def like(**facts: object) -> Predictor:
        run = predictor.run
        cached = run.config.features.model_copy(update=facts)
        config = run.config.model_copy(update={"features": cached})
        return Predictor(replace(run, config=config))

    assert like(precision="bfloat16").encoder.precision == "bfloat16"
    small, cache = like(dtype="int8"), FeatureCache(features)
    _, encoded = encode_video(videos / cache.videos[0], small.encoder, small.plan)
    assert encoded.regions.dtype == np.int8
    regions = torch.from_numpy(cache.regions(0))
    wrong = (small.clips(encoded).regions[0].float() - regions).abs()
    assert (wrong <= regions.abs().amax(dim=-1, keepdim=True) / 127).all()


def test_videos_and_reports_may_be_named_by_texts(
    predictor: Predictor, videos: Path, tmp_path: Path
) -> None:
    video = videos / "singing" / "2.mp4"
    prediction = predictor.predict(str(video))
    assert prediction == predictor.predict(video)
    assert explain(predictor, str(video), str(tmp_path / "report.html")) == prediction
    assert (tmp_path / "report.html").is_file()


def test_a_video_that_cannot_be_read_is_a_prediction_with_its_error(
    predictor: Predictor, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    (tmp_path / "folder").mkdir()
    for name, cause in (
        ("broken.mp4", "convert it with ffmpeg"),
        ("absent.mp4", "no such file; give a video"),
        ("folder", "is a folder; give a video"),
    ):
        prediction = predictor.predict(tmp_path / name)
        assert prediction.labels == ()
        assert cause in prediction.error.lower()
        assert "\n" not in prediction.describe()


def test_many_videos_are_recognised_in_their_order_whatever_some_of_them_are(
    predictor: Predictor, videos: Path, tmp_path: Path
) -> None:
    whole = sorted(videos.rglob("*.mp4"))[:3]
    (tmp_path / "cut.mp4").write_bytes(whole[0].read_bytes()[:900])
    paths = [whole[0], tmp_path / "cut.mp4", whole[1], tmp_path / "absent.mp4", whole[2]]
    predictions = list(predictor.predict_all(paths))
    assert [prediction.video for prediction in predictions] == [str(path) for path in paths]
    assert [prediction.error is None for prediction in predictions] == [
        True, False, True, False, True
    ]  # fmt: skip
    alone = predictor.predict(whole[2])
    together = predictions[-1]
    assert [seen.label for seen in together.labels] == [seen.label for seen in alone.labels]
    assert [seen.score for seen in together.labels] == pytest.approx(
        [seen.score for seen in alone.labels], abs=1e-3
    )


@pytest.fixture(scope="module")
def archive(videos: Path, mini: Backbone, make_clip, tmp_path_factory) -> Path:
    """A cache of two views: the four videos, one without a class, and one that is broken."""
    folder = tmp_path_factory.mktemp("archive")
    root = folder / "videos"
    shutil.copytree(videos, root)
    make_clip(root / "loose.mp4", seed=7)
    (root / "singing/broken.mp4").write_bytes(b"not a video")
    options = Options(frames=3, merge=4, views="2x1")
    extract(open_dataset("folder", root), mini, folder / "archive.h5", options, workers=1)
    return folder / "archive.h5"


def test_every_row_of_a_cache_gets_a_prediction_from_the_mean_over_its_views(
    predictor: Predictor, archive: Path, tmp_path: Path
) -> None:
    run, cache = predictor.run, FeatureCache(archive)
    predictions = list(predict_cached(run, archive, top=1000))
    assert [one.video for one in predictions] == list(cache.videos)
    assert [one.truth for one in predictions] == [
        cache.manifest.classes[label] if label >= 0 else None for label in cache.labels.tolist()
    ]
    clips = open_clips([archive], scored=True)
    chances = probabilities(run.model, clips, run.labels)
    scored = [one for one in predictions if one.truth is not None]
    assert len(scored) == 5
    for one, expected, seen in zip(scored, chances, clips.seen, strict=True):
        if not seen:
            assert one.video == "singing/broken.mp4"
            assert one.labels == one.entities == ()
            assert one.error == cache.errors[cache.videos.index(one.video)] != ""
            continue
        scores = {label.label: label.score for label in one.labels}
        assert scores == pytest.approx(
            dict(zip(run.vocabulary.names, expected.tolist(), strict=True)), abs=1e-5
        )
        assert 0 < sum(entity.weight for entity in one.entities) <= 1 + 1e-5
    (loose,) = (one for one in predictions if one.truth is None)
    assert loose.video == "loose.mp4"
    assert loose.error is None
    assert len(loose.labels) == 2
    assert loose.describe().splitlines()[0] == "loose.mp4"
    assert "singing/broken.mp4, labelled singing: " in "\n".join(p.describe() for p in scored)


def test_cached_videos_are_recognised_among_labels_that_nobody_trained_on(
    predictor: Predictor, archive: Path
) -> None:
    words = ["boxing", "<b>hugging", "juggling balls"]
    both = list(predict_cached(predictor.run, [archive], words, top=2))
    own = list(predict_cached(predictor.run, archive, top=2))
    for one, other in zip(both, own, strict=True):
        if one.error is None:
            assert len(one.labels) == 2
            assert {label.label for label in one.labels} < set(words)
        assert (one.video, one.truth, one.error) == (other.video, other.truth, other.error)


def test_a_row_of_no_finite_numbers_is_told_of_and_not_scored(
    predictor: Predictor, archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.h5"
    path.write_bytes(archive.read_bytes())
    with h5py.File(path, "r+") as file:
        file["regions"][1, 2, 3, 4] = np.nan
    damaged, whole = (list(predict_cached(predictor.run, one)) for one in (path, archive))
    assert damaged[1].labels == damaged[1].entities == ()
    assert damaged[1].error.startswith("its features are no finite numbers; see what")
    assert damaged[:1] + damaged[2:] == whole[:1] + whole[2:]
    torn = tmp_path / "torn.h5"
    torn.write_bytes(archive.read_bytes())
    with h5py.File(torn, "r+") as file:
        file["patch_region"][1] = 250
    damaged = list(predict_cached(predictor.run, torn))
    assert damaged[1].error.startswith("is damaged (row 1 has patches in regions that do not exist")
    assert damaged[:1] + damaged[2:] == whole[:1] + whole[2:]
    with pytest.raises(BadInput, match=r"1 clip's score is no number: <b>hugging/1.mp4"):
        probabilities(predictor.run.model, open_clips([path]), predictor.run.labels)


def test_a_cache_of_other_settings_is_refused_before_anything_is_recognised(
    predictor: Predictor, videos: Path, mini: Backbone, tmp_path: Path
) -> None:
    other = tmp_path / "other.h5"
    extract(open_dataset("folder", videos), mini, other, Options(frames=3, merge=2), workers=1)
    with pytest.raises(BadInput, match=r"other\.h5: merges 2 tokens.*trained with 4"):
        predict_cached(predictor.run, other)


def test_what_counted_is_the_sum_over_the_regions_of_an_entity(
    predictor: Predictor, videos: Path
) -> None:
    video = next(videos.rglob("*.mp4"))
    _, encoded = encode_video(video, predictor.encoder, predictor.plan)
    with torch.inference_mode():
        reading = predictor.run.model.read(predictor.clips(encoded))
        spoken = predictor.run.model.spoken(reading, predictor.run.labels[0])
    seen = weighed(reading.aligned, spoken, predictor.run.entities)
    by_hand: dict[str, float] = {}
    for entity, weight in zip(
        reading.aligned.entity[:, :, 1:].flatten().tolist(),
        spoken[:, :, 1:].flatten().tolist(),
        strict=True,
    ):
        by_hand[f"thing {entity}"] = by_hand.get(f"thing {entity}", 0) + weight
    followed = {name: weight for name, weight in by_hand.items() if weight > 0}
    assert {one.entity: one.weight for one in seen} == pytest.approx(followed, rel=1e-5)
    assert [one.weight for one in seen] == sorted((one.weight for one in seen), reverse=True)


def test_two_senses_of_a_word_are_told_apart() -> None:
    senses = [("head", "head.n.01"), ("hand", "hand.n.01"), ("head", "head.n.08")]
    seen = [
        Seen(row=row, entity=unit, kind="object", synset=synset, description="", weight=0.1)
        for row, (unit, synset) in enumerate(senses)
    ]
    lines = Prediction(video="a.mp4", entities=tuple(seen)).describe()
    assert lines.endswith("through head (head.n.01), hand, head (head.n.08)")


def test_a_patch_is_drawn_where_it_is_in_the_frame() -> None:
    entity = np.array([[0, 1, 2]])  # of the class token and two regions
    weight = np.array([[0.0, 0.2, 0.4]], np.float32)
    (shot,) = explaining._shots(
        entity,
        weight,
        np.zeros((1, 20, 30, 3), np.uint8),
        np.array([[1, 1, 2, 1, 1, 1]]),  # the second region is the last patch of the first row
        np.zeros(1, np.float32),
        ["nothing", "ball", "ball"],  # a dance, and what is thrown
        {2: "red"},
        (2, 3),
    )
    (ball,) = shot.patches
    assert (ball.left, ball.top) == pytest.approx((200 / 3, 0))
    assert (ball.width, ball.height) == pytest.approx((100 / 3, 50))
    assert ball.title == "ball: 40.0 %"


def test_a_patch_is_drawn_the_more_solid_the_more_it_counts() -> None:
    (shot,) = explaining._shots(
        np.array([[0, 1, 2]]),
        np.array([[0.9, 0.2, 0.4]], np.float32),  # the class token is not drawn
        np.zeros((1, 20, 30, 3), np.uint8),
        np.array([[1, 1, 2, 1, 1, 2]]),
        np.zeros(1, np.float32),
        ["nothing", "ball", "bat"],
        {1: "blue", 2: "red"},
        (2, 3),
    )
    # A patch of the ball counts a quarter of 0.2, one of the bat half of 0.4: the most of all.
    wanted = {"blue": 0.15 + 0.55 / 4, "red": 0.15 + 0.55}
    assert len(shot.patches) == 6
    for patch in shot.patches:
        assert patch.opacity == pytest.approx(wanted[patch.colour], abs=1e-3)


def test_a_report_draws_what_spoke_for_the_first_label(
    predictor: Predictor, videos: Path, tmp_path: Path, monkeypatch
) -> None:
    drawn, shots = [], explaining._shots

    def noted(entity: np.ndarray, weight: np.ndarray, *rest: object) -> object:
        drawn.append((entity[:, 1:], weight[:, 1:]))
        return shots(entity, weight, *rest)

    monkeypatch.setattr(explaining, "_shots", noted)
    prediction = explain(predictor, videos / "singing/2.mp4", tmp_path / "report.html")
    ((entity, weight),) = drawn
    assert prediction.entities
    for seen in prediction.entities:
        assert weight[entity == seen.row].sum() == pytest.approx(seen.weight, rel=1e-4)


class _Page(HTMLParser):
    """Collects tags and every address that a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href")]


def test_a_report_stands_alone_and_escapes_what_it_was_given(
    predictor: Predictor, videos: Path, tmp_path: Path
) -> None:
    prediction = explain(
        predictor, videos / "<b>hugging/0.mp4", tmp_path / "out" / "report.html", top=4
    )
    text = (tmp_path / "out" / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.tags.count("image") == 3  # a picture of each frame
    assert all(address.startswith("data:image/jpeg") for address in page.addresses)
    assert "script" not in page.tags
    assert "b" not in page.tags  # the label's own tag is text
    assert "&lt;b&gt;hugging" in text
    for seen in prediction.entities:
        assert re.search(rf"<td>{seen.entity}</td>", text)
    # Every patch that is drawn is of a listed entity.
    titles = re.findall(r"<title>(thing \d+): [\d.]+ %</title>", text)
    assert titles
    assert set(titles) <= {seen.entity for seen in prediction.entities}


def test_a_report_takes_the_place_of_no_other_kind_of_file(
    predictor: Predictor, videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("mine")
    for target in (tmp_path / "labels.txt", tmp_path):
        with pytest.raises(
            BadInput, match=r"is not called \*\.html or \*\.htm; name|is a folder; name"
        ):
            explain(predictor, videos / "<b>hugging/0.mp4", target)
    assert (tmp_path / "labels.txt").read_text() == "mine"


def test_a_report_lists_as_many_labels_and_entities_as_asked_for(
    predictor: Predictor, videos: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(explaining, "COLOURS", ("#e69f00",))
    prediction = explain(predictor, videos / "<b>hugging/0.mp4", tmp_path / "report.html", top=4)
    text = (tmp_path / "report.html").read_text()
    assert len(prediction.entities) > 1
    assert len(prediction.labels) == 2
    assert text.count('class="swatch"') == 1
    drawn = set(re.findall(r"<title>(thing \d+): [\d.]+ %</title>", text))
    assert drawn == {prediction.entities[0].entity}


def test_a_run_without_entities_cannot_be_explained(
    features: Path, make_task, mini, tmp_path: Path, monkeypatch, videos: Path
) -> None:
    monkeypatch.setattr(predicting, "backbone_of", lambda *_: mini)
    task = make_task(open_clips([features]))
    for method in ("linear", "alt-learned"):
        train_run(task, ModelConfig(method=method), QUICK, tmp_path / method)
        predictor = Predictor(Run.load(tmp_path / method))
        assert predictor.predict(next(videos.rglob("*.mp4"))).entities == ()
        with pytest.raises(BadInput, match="without entities; explain an ALT"):
            explain(predictor, next(videos.rglob("*.mp4")), tmp_path / "report.html")


def test_a_run_on_cut_features_cuts_the_videos_that_it_predicts_and_explains(
    videos: Path, make_task, mini, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "cut.h5"
    options = Options(frames=3, merge=4, keep_regions=5)
    extract(open_dataset("folder", videos), mini, path, options, workers=1)
    cache = FeatureCache(path)
    assert (cache.patch_region(0) == 6).any()  # patches that were cut
    clips = open_clips([path])
    train_run(make_task(clips), ModelConfig(), QUICK, tmp_path / "run")
    monkeypatch.setattr(predicting, "backbone_of", lambda *_: mini)
    predictor = Predictor(Run.load(tmp_path / "run"))
    _, encoded = encode_video(videos / cache.videos[0], predictor.encoder, predictor.plan)
    assert encoded.regions.shape == (3, 6, mini.dim)
    assert np.array_equal(encoded.patch_region, cache.patch_region(0))
    # The place of what was kept is that of the cache's row.
    expected, _ = clips.fetch(torch.tensor([0]))
    assert torch.equal(predictor.clips(encoded).place, expected.place)
    prediction = explain(predictor, videos / cache.videos[0], tmp_path / "report.html", top=7)
    page = (tmp_path / "report.html").read_text()
    drawn = set(re.findall(r"<title>(thing \d+): [\d.]+ %</title>", page))
    assert drawn == {seen.entity for seen in prediction.entities}
    # All entities are listed, so a patch that is not drawn is one that was cut.
    assert page.count("<rect") == (cache.patch_region(0) < 6).sum()
