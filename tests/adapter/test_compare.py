import numpy as np
import pytest
import torch

from adapter.compare import (
    Job,
    Variant,
    compare,
    few_shot,
    method_rows,
    open_tests,
    spread,
    train_and_score,
)
from adapter.data import open_clips
from adapter.model import Method, ModelConfig
from adapter.record import comparison_record
from adapter.tables import comparison_table, draw_comparison, fitting_tables
from adapter.train import TrainConfig
from corpus.errors import BadInput

METHODS = ["clip", "linear", "alt"]


@pytest.fixture
def task(write_cache, make_task, mini):
    return make_task(open_clips([write_cache(noise=6, backbone=mini)]))


def test_a_few_shot_draw_has_as_many_clips_of_each_class_and_grows_with_the_shots(task) -> None:
    draws = {shots: few_shot(task.clips, shots, seed=3) for shots in (1, 2, 4)}
    for shots, clips in draws.items():
        assert torch.bincount(clips.labels).tolist() == [shots] * 4
    assert set(draws[1].videos) < set(draws[2].videos) < set(draws[4].videos)
    assert few_shot(task.clips, 2, seed=3).videos == draws[2].videos
    assert few_shot(task.clips, 2, seed=4).videos != draws[2].videos
    with pytest.raises(BadInput, match="'archery' has 4 clips"):
        few_shot(task.clips, 5, seed=0)


def test_as_many_shots_as_are_told_of_instead_of_too_many_can_be_drawn(task) -> None:
    uneven = task.clips.subset([i for i in range(len(task.clips)) if i not in (0, 1, 5)])
    fewest = int(torch.bincount(uneven.labels).min())
    with pytest.raises(BadInput, match=f"has {fewest} clips; draw fewer, as in --shots {fewest}"):
        few_shot(uneven, 4, seed=0)
    assert torch.bincount(few_shot(uneven, fewest, seed=0).labels).tolist() == [fewest] * 4


def test_a_video_in_two_caches_is_one_shot_with_all_that_they_have_of_it(write_cache) -> None:
    paths = [write_cache(f"{seed}.h5", per_class=4, seed=seed) for seed in (0, 1)]
    clips, alone = open_clips(paths), open_clips(paths[:1])
    for seed in range(5):
        drawn = few_shot(clips, 2, seed)
        assert drawn.videos == few_shot(alone, 2, seed).videos * 2
        assert torch.bincount(drawn.labels).tolist() == [4] * 4
    with pytest.raises(BadInput, match="'archery' has 4 clips"):
        few_shot(clips, 5, seed=0)


def test_tests_of_another_backbone_are_refused(task, write_cache, mini) -> None:
    other = write_cache("other.h5", backbone=mini, split="test", fingerprint="f" * 32)
    with pytest.raises(BadInput, match=r"other\.h5: its features are of alt-mini/none"):
        open_tests({"base": other}, task)


def test_too_many_shots_are_refused_before_anything_is_trained(task, write_cache, mini) -> None:
    tests = open_tests({"base": write_cache("base.h5", backbone=mini)}, task)
    told: list[str] = []
    config = TrainConfig(epochs=1)
    with pytest.raises(
        BadInput, match=r"5 clips of each class: 'archery' has 4 clips; .* --shots 4"
    ):
        compare(
            method_rows(task, METHODS, ModelConfig(), config),
            tests,
            [0],
            [1, 5],
            report=told.append,
        )
    assert not told


def test_each_method_is_trained_at_the_rate_that_suits_it(task, write_cache, mini) -> None:
    tests = open_tests(
        {"novel": write_cache("n.h5", classes=("yoga", "zumba"), backbone=mini)}, task
    )

    def scores(config: TrainConfig, *methods: Method) -> list[float]:
        rows = method_rows(task, methods, ModelConfig(), config)
        cells = compare(rows, tests, [0])
        record = comparison_record(cells, rows, tests, [0])["rows"]
        rates.append({name: row["train"]["lr"] for name, row in record.items()})
        return [cell.seeds[0].model_dump()["calibration_error"] for cell in cells]

    rates: list[dict[str, float]] = []
    own = scores(TrainConfig(epochs=2), "linear", "temporal", "alt")
    assert rates.pop() == {"linear": 1e-4, "temporal": 1e-5, "alt": 1e-3}
    for method, rate, score in zip(
        ("linear", "temporal", "alt"), (1e-4, 1e-5, 1e-3), own, strict=True
    ):
        assert scores(TrainConfig(epochs=2, lr=rate), method) == [score]
        assert rates.pop() == {method: rate}
    assert scores(TrainConfig(epochs=2, lr=1e-2), "linear") != own[:1]


def test_a_seed_decides_both_first_weights_and_training(task, monkeypatch) -> None:
    begun = []

    def noted(recogniser, clips, labels, config, device) -> None:
        weights = [weight.flatten() for weight in recogniser.parameters()]
        begun.append((config.seed, torch.cat(weights).tolist()))

    monkeypatch.setattr("adapter.compare.train", noted)
    for seed in (0, 1, 1):
        train_and_score(
            Job(Variant("alt", ModelConfig(), TrainConfig(), task), seed, None), [], "cpu"
        )
    first, second, again = begun
    assert (first[0], second[0]) == (0, 1)
    assert first[1] != second[1]
    assert second == again


def test_labels_of_a_test_are_those_of_training_whatever_their_order(
    task, write_cache, mini
) -> None:
    path = write_cache("test.h5", ("singing", "Archery"), backbone=mini, split="test")
    (column,) = open_tests({"test": path}, task)
    assert column.clips.classes == column.labelling.names == task.clips.classes
    assert column.clips.labels.tolist() == [2, 0] * 4


def test_of_a_cache_of_several_splits_its_test_split_is_scored(task, write_cache, mini) -> None:
    path = write_cache("mixed.h5", backbone=mini, splits=("train", "train", "val", "test"))
    (column,) = open_tests({"mixed": path}, task)
    assert set(column.clips.splits) == {"test"}
    assert column.clips.left_out == {"of split train": 8, "of split val": 4}


def test_a_comparison_has_every_method_on_every_test(task, write_cache, mini, tmp_path) -> None:
    paths = {
        "base": write_cache("base.h5", noise=6, backbone=mini, seed=1),
        "novel": write_cache("novel.h5", classes=("yoga", "zumba"), backbone=mini, noise=6),
    }
    tests = open_tests(paths, task)
    config = TrainConfig(epochs=2, batch_size=8)
    rows = method_rows(task, METHODS, ModelConfig(), config)
    cells = compare(rows, tests, [0, 1], [None, 2])
    assert [(cell.shots, cell.test, cell.method) for cell in cells] == [
        (shots, test, method)
        for shots in (None, 2)
        for test in ("base", "novel")
        for method in METHODS
    ]
    for cell in cells:
        assert len(cell.seeds) == 2
        assert cell.mean == pytest.approx(sum(m.top1 for m in cell.seeds) / 2)
        assert cell.std == pytest.approx(np.std([m.top1 for m in cell.seeds], ddof=1))
        assert cell.new_labels == (2 if cell.test == "novel" else 0)
        assert cell.interval.low <= cell.mean + 1e-9 <= cell.interval.high + 2e-9
        last = next(
            c for c in cells if (c.shots, c.test, c.method) == (cell.shots, cell.test, "alt")
        )
        assert cell.behind == pytest.approx(last.mean - cell.mean)
    assert any(cell.std > 0 for cell in cells)
    clip = [cell for cell in cells if cell.method == "clip"]
    assert all(cell.std == 0 for cell in clip)  # nothing is trained, nothing varies
    assert cells == compare(rows, tests, [0, 1], [None, 2])
    draw_comparison(cells, tmp_path / "comparison.png")
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert comparison_table(cells).row_count == len(METHODS)
    for width in (40, 80, 200):  # the same columns, in tables that a terminal has room for
        fitting = fitting_tables(cells, width)
        headings = [str(column.header) for table in fitting for column in table.columns[1:]]
        assert headings == [str(c.header) for c in comparison_table(cells).columns[1:]]
    assert len(fitting_tables(cells, 40)) == len(headings)
    assert len(fitting_tables(cells, 200)) == 1


def test_two_rows_of_one_name_are_refused_and_not_taken_for_seeds_of_one(task) -> None:
    rows = [Variant("corpus: x", ModelConfig(), TrainConfig(), task) for _ in range(2)]
    with pytest.raises(BadInput, match="corpus: x: 2 rows are called so; give each a name"):
        compare(rows, [], [0])


def test_a_star_needs_two_seeds_and_a_lead_that_is_sure_over_clips_and_over_seeds(
    task, write_cache, mini
) -> None:
    tests = open_tests({"base": write_cache("base.h5", noise=6, backbone=mini)}, task)
    (cell,) = compare(method_rows(task, ["clip"], ModelConfig(), TrainConfig()), tests, [0])
    starred = []
    for behind, p, p_seeds in (
        (0.5, 1e-4, None),
        (0.5, 1e-4, 0.011),
        (0.5, 0.011, 1e-4),
        (0.5, 0.009, 0.009),
        (-0.5, 1e-4, 1e-4),
    ):
        told = {"behind": behind, "p": p, "p_seeds": p_seeds}
        (row,) = comparison_table([cell.model_copy(update=told)]).columns[1].cells
        starred.append(row.endswith("*"))
    assert starred == [False, False, False, True, False]  # nor is what is ahead


def test_a_cell_is_a_mean_in_per_cent_and_the_standard_deviation_of_a_sample() -> None:
    assert spread([0.1, 0.3]) == pytest.approx((0.2, 0.2 / 2**0.5))
    assert spread([0.4]) == (0.4, 0)


def test_a_table_has_both_in_per_cent(task, write_cache, mini) -> None:
    tests = open_tests({"base": write_cache("base.h5", noise=6, backbone=mini)}, task)
    (cell,) = compare(
        method_rows(task, ["linear"], ModelConfig(), TrainConfig(epochs=1)), tests, [0, 1]
    )
    some = cell.model_copy(update={"mean": 0.512, "std": 0.034})
    (row,) = comparison_table([some]).columns[1].cells
    assert row.rstrip() == "51.2 ± 3.4"
