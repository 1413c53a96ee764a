import pytest

from extract.datasets.splits import part_of


@pytest.mark.parametrize(
    ("part", "splits"),
    [
        (
            "training",
            ["train", "train01", "training", "train_val", "base", "few-shot 4", "devices"],
        ),
        (
            "validation",
            ["val", "valid", "Validation", "val1", "dev2", "base_val", "novel-val", "eval"],
        ),
        (
            "test",
            ["test", "testlist01", "Test 2", "novel_test", "holdout", "kinetics600_holdout_test"],
        ),
        ("unused", ["unused", "Unused"]),
    ],
)
def test_the_words_of_a_split_s_name_tell_what_it_is_for(part: str, splits: list[str]) -> None:
    assert {split: part_of(split) for split in splits} == dict.fromkeys(splits, part)
