import pytest
import torch
from pydantic import BaseModel, ValidationError
from torch import nn

from corpus.causes import first_cause


class Thing(BaseModel):
    size: int
    names: list[str] = []


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"size": "x"}, "size: Input should be a valid integer"),
        ({"size": 1, "names": ["a", 3]}, "names.1: Input should be a valid string"),
        ({}, "size: Field required"),
    ],
)
def test_the_field_is_named_that_cannot_be_so(given: dict, cause: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Thing.model_validate(given)
    assert first_cause(caught.value).startswith(cause)


def test_weights_that_do_not_fit_are_named() -> None:
    with pytest.raises(RuntimeError) as caught:
        nn.Linear(2, 3).load_state_dict({"weight": torch.zeros(1), "bias": torch.zeros(3)})
    assert "size mismatch for weight" in first_cause(caught.value)


def test_an_error_without_a_word_is_told_by_its_kind_and_a_long_one_is_cut() -> None:
    assert first_cause(KeyError()) == "KeyError"
    assert first_cause(KeyError("name")) == "name"
    assert first_cause(AttributeError("'int' has no 'get'")) == "'int' has no 'get'"
    assert first_cause(ValueError("first\nsecond")) == "first"
    assert len(first_cause(ValueError("x" * 10_000))) < 200
