from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from adapter import runs
from adapter.baselines import MeanPooled
from adapter.data import open_clips
from adapter.evaluate import evaluate
from adapter.model import ModelConfig
from adapter.protocols import _figure, half, zero_shot
from adapter.runs import Run
from adapter.train import TrainConfig
from adapter.training import train_run
from corpus.errors import BadInput
from extract.store import FeatureCache

NOVEL = ("yoga", "zumba", "welding", "archery", "bowling")


@pytest.fixture
def run(write_cache, make_task, mini, tmp_path: Path, monkeypatch) -> Run:
    task = make_task(open_clips([write_cache(backbone=mini)]))
    train_run(task, ModelConfig(method="linear"), TrainConfig(epochs=1), tmp_path / "run")
    monkeypatch.setattr(runs, "backbone_of", lambda *_: mini)
    return Run.load(tmp_path / "run")


@pytest.fixture
def novel(write_cache, mini) -> Path:
    return write_cache(
        "novel.h5", NOVEL, per_class=3, folder="novel", noise=5, backbone=mini, failed=1
    )


def test_a_half_is_the_published_draw() -> None:
    np.random.seed(3)
    assert half(101, 3) == sorted(np.random.permutation(101)[:50].tolist())
    assert half(51, 0) != half(51, 1)


def test_ep1_is_ten_halves_of_the_classes_with_all_their_clips(run: Run, novel: Path) -> None:
    result = zero_shot([run], "ep1", [novel])
    assert len(result.parts) == 10
    # The clip that could not be decoded is of the first class: it is in the draws that have it.
    for part in result.parts:
        assert (part.clips, part.failed) in ((6, 0), (7, 1))
        assert ("yoga" in part.labels) == bool(part.failed)
        assert len(part.labels) == 2
    assert len({part.label_hash for part in result.parts}) == len({p.labels for p in result.parts})
    clip, ours = result.figures
    assert (clip.method, ours.method) == ("clip", "linear")
    scores = [cell.mean for cell in result.cells if cell.method == "linear"]
    assert len(scores) == 10
    assert ours.mean == pytest.approx(np.mean(scores))
    assert ours.std_parts == pytest.approx(np.std(scores))
    assert (ours.std_seeds, ours.seeds, result.left_out) == (0, (0,), 0)


def test_ep2_is_all_classes_at_once(run: Run, novel: Path) -> None:
    result = zero_shot([run], "ep2", [novel])
    (part,) = result.parts
    assert (part.clips, part.failed, len(part.labels), part.new_labels) == (16, 1, 5, 4)
    clip, ours = result.cells
    assert clip.behind == pytest.approx(ours.mean - clip.mean)
    assert clip.seeds[0].list_hash == ours.seeds[0].list_hash == part.list_hash
    assert (result.prompts, result.runs) == (run.config.prompts, (str(run.folder),))
    text = run.vocabulary.embed(NOVEL, "").text
    plain = evaluate(MeanPooled(run.config.scale), open_clips(novel, scored=True), text)
    assert clip.seeds == [plain]


@pytest.mark.parametrize("protocol", ["ep2", "ep3"])
def test_a_protocol_records_every_cache_that_was_scored(
    run: Run, novel: Path, write_cache, mini, protocol
) -> None:
    other = write_cache("other.h5", NOVEL, per_class=2, folder="other", backbone=mini, seed=4)
    expected = [FeatureCache(path).manifest.content_hash for path in (novel, other)]
    assert zero_shot([run], protocol, [novel, other]).contents == tuple(expected)


def test_one_cache_is_not_counted_as_two_test_lists(run: Run, novel: Path) -> None:
    again = novel.with_name("again.h5")
    again.write_bytes(novel.read_bytes())
    with pytest.raises(BadInput, match=r"again\.h5: holds the same features as .*novel\.h5;"):
        zero_shot([run], "ep3", [novel, again])


@pytest.mark.parametrize("protocol", ["ep1", "ep2", "ep3"])
def test_a_protocol_tells_of_clips_that_were_trained_on(run: Run, tmp_path: Path, protocol) -> None:
    with pytest.warns(
        UserWarning, match=r"16 of 16 videos of .*feats\.h5 have the names of videos trained"
    ):
        zero_shot([run], protocol, [tmp_path / "feats.h5"])


@pytest.mark.parametrize(
    ("known", "told"),
    [("videos", "videos trained on"), ("val_videos", "videos that the epoch was chosen by")],
)
def test_a_protocol_tells_of_clips_that_any_run_was_trained_on_or_chosen_by(
    run: Run, novel: Path, known: str, told: str
) -> None:
    train = run.config.train.model_copy(update={"seed": 1})
    second = replace(run, config=run.config.model_copy(update={"train": train}))
    second = replace(second, **{known: tuple(FeatureCache(novel).videos)})
    with pytest.warns(UserWarning, match=rf"16 of 16 .*novel\.h5 have the names of {told}"):
        zero_shot([run, second], "ep2", [novel])


def test_features_of_another_backbone_are_not_scored(
    run: Run, novel: Path, write_cache, mini
) -> None:
    other = write_cache("other.h5", NOVEL, backbone=mini, fingerprint="f" * 32)
    for protocol, features in (("ep2", [other]), ("ep3", [novel, other])):
        with pytest.raises(BadInput, match=r"other\.h5: its features are of alt-mini/none"):
            zero_shot([run], protocol, features)


def test_runs_on_other_features_or_prompts_are_not_compared(run: Run, novel: Path) -> None:
    def seeded(**facts: object) -> Run:
        train = run.config.train.model_copy(update={"seed": 1})
        config = run.config.model_copy(update={"train": train, **facts})
        return replace(run, folder=Path("second"), config=config)

    assert zero_shot([run, seeded()], "ep2", [novel]).figures[1].seeds == (0, 1)
    with pytest.raises(BadInput, match="second: has other prompts than the first run"):
        zero_shot([run, seeded(prompts=("{}",))], "ep2", [novel])
    merged = run.config.features.model_copy(update={"merge": 3})
    with pytest.raises(BadInput, match="second: merges 3 tokens"):
        zero_shot([run, seeded(features=merged)], "ep2", [novel])


def test_runs_that_differ_in_more_than_their_seed_are_no_seeds_of_one_method(
    run: Run, novel: Path
) -> None:
    config = run.config

    def other(train: dict | None = None, model: dict | None = None, **facts: object) -> Run:
        facts["train"] = config.train.model_copy(update={"seed": 1} | (train or {}))
        facts["model"] = config.model.model_copy(update=model)
        return replace(run, folder=Path("second"), config=config.model_copy(update=facts))

    assert zero_shot([run, other()], "ep2", [novel]).figures[1].seeds == (0, 1)
    for second, told in (
        (other(train={"epochs": 7}), "epochs 1, here 7"),
        (other(model={"layers": 2, "width": 64}), "layers 1, here 2; width 128, here 64"),
        (other(corpus="another"), "corpus .*, here another"),
        (other(contents=("0" * 64,)), "features"),
        (other(labels=("yoga",)), "labels"),
    ):
        with pytest.raises(BadInput, match=rf"second: differs in .* linear, .*run \({told}\)"):
            zero_shot([run, second], "ep2", [novel])


def test_there_is_no_half_of_one_class(run: Run, write_cache, mini) -> None:
    alone = write_cache("alone.h5", ("yoga",), backbone=mini, folder="alone")
    with pytest.raises(BadInput, match=r"alone\.h5: has one class: no half of it; use ep2"):
        zero_shot([run], "ep1", [alone])


def test_ep3_is_each_test_list(run: Run, novel: Path, write_cache, mini) -> None:
    (novel.parent / "b").mkdir()
    other, alike = (
        write_cache(name, NOVEL, per_class=2, folder="novel", backbone=mini, seed=seed)
        for name, seed in (("other.h5", 4), ("b/novel.h5", 5))
    )
    parts = zero_shot([run], "ep3", [novel, other, alike]).parts
    named = [(str(novel), 16), ("other", 10), (str(alike), 10)]
    assert [(part.name, part.clips) for part in parts] == named


def test_of_a_cache_that_has_its_training_list_too_ep3_is_the_test_list(
    run: Run, novel: Path, write_cache, mini
) -> None:
    whole = write_cache(
        "whole.h5", NOVEL, per_class=3, folder="all", splits=("train", "train", "test"),
        backbone=mini,
    )  # fmt: skip
    counted = {}
    for protocol in ("ep2", "ep3"):
        result = zero_shot([run], protocol, [novel, whole])
        counted[protocol] = [part.clips for part in result.parts], result.left_out
    assert counted == {"ep2": ([31], 0), "ep3": ([16, 5], 10)}


def test_runs_of_one_method_are_its_seeds_and_methods_are_compared(
    run: Run, novel: Path, write_cache, make_task, mini, tmp_path: Path
) -> None:
    task = make_task(open_clips([write_cache(backbone=mini)]))
    runs = [run]
    for method, seed in (("linear", 1), ("temporal", 1), ("temporal", 0)):
        out = tmp_path / f"{method}{seed}"
        train_run(task, ModelConfig(method=method), TrainConfig(epochs=1, seed=seed), out)
        runs.append(Run.load(out))
    result = zero_shot(runs, "ep2", [novel])
    assert [figure.method for figure in result.figures] == ["clip", "linear", "temporal"]
    assert all(figure.seeds == (0, 1) for figure in result.figures)
    for cell in result.cells:
        assert len(cell.seeds) == 2
        assert (cell.seeds[0] == cell.seeds[1]) == (cell.method == "clip")  # each run's own model
        assert cell.behind == pytest.approx(result.cells[-1].mean - cell.mean)
        assert cell.p_seeds is not None
    with pytest.raises(BadInput, match=r"seeds of linear are \[0, 1\], of temporal \[1\]"):
        zero_shot(runs[:3], "ep2", [novel])
    with pytest.raises(BadInput, match=r"two runs of linear have one seed \(\[0, 0\]\)"):
        zero_shot([run, run], "ep2", [novel])


def test_a_figure_varies_over_parts_as_papers_say_it_and_over_seeds_as_a_sample(run: Run) -> None:
    top1 = np.array([[0.2, 0.4], [0.5, 0.9], [0.6, 0.8]])  # parts × seeds
    cells = [
        SimpleNamespace(method="linear", seeds=[SimpleNamespace(top1=one) for one in part])
        for part in top1
    ]
    figure = _figure("linear", [run, run], [SimpleNamespace(method="clip", seeds=[]), *cells])
    assert figure.mean == pytest.approx(top1.mean())
    assert figure.std_parts == pytest.approx(top1.mean(axis=1).std())
    assert figure.std_seeds == pytest.approx(top1.mean(axis=0).std(ddof=1))


def test_lists_are_classifiers_over_their_labels_alone(
    run: Run, novel: Path, tmp_path: Path
) -> None:
    lists = [tmp_path / "one.txt", tmp_path / "two.txt"]
    lists[0].write_text("zumba\nyoga\n")
    lists[1].write_text("Welding\nbowling\narchery\n")
    result = zero_shot([run], "lists", [novel], lists)
    assert [(part.clips, len(part.labels)) for part in result.parts] == [(7, 2), (9, 3)]
    every = zero_shot([run], "ep2", [novel]).parts[0]
    assert [part.clips + part.aside for part in result.parts] == [every.clips, every.clips]
    assert every.aside == 0
    lists[0].write_text("zumba\nswimming\n")
    with pytest.raises(BadInput, match=r"one\.txt: no clip for 1 of its labels .*'swimming'"):
        zero_shot([run], "lists", [novel], lists)
    again = tmp_path / ".." / tmp_path.name / "two.txt"
    with pytest.raises(BadInput, match=r"two\.txt: is given 2 times; give it once"):
        zero_shot([run], "lists", [novel], [*lists, again])
    with pytest.raises(BadInput, match="--list: is missing"):
        zero_shot([run], "lists", [novel])
