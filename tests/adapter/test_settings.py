import pytest

from adapter.settings import configs, counts, method_names, named_paths
from corpus.errors import BadInput


def test_settings_reach_the_configuration_that_has_them() -> None:
    model, train = configs(["lr=1e-3", "layers=1", "place=false", "epochs=3"], seed=7)
    assert (train.lr, train.epochs, train.seed) == (1e-3, 3, 7)
    assert (model.layers, model.place) == (1, False)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lr", "not NAME=VALUE"),
        ("rl=1", "no such setting"),
        ("lr=fast", "lr=fast: Input should be a valid number"),
        ("dropout=1", "less than 1"),
        ("method=best", "'alt'"),
        ("epochs=0", "greater than or equal to 1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        configs([setting])


def test_lists_on_the_command_line() -> None:
    assert method_names("alt, clip,alt") == ["alt", "clip"]
    assert counts("all,2") == [None, 2]
    assert {name: str(path) for name, path in named_paths(["a=x.h5", "b=y=z"]).items()} == {
        "a": "x.h5",
        "b": "y=z",
    }


@pytest.mark.parametrize(
    ("read", "text"), [(method_names, "best"), (counts, "0"), (counts, "two"), (named_paths, ["x"])]
)
def test_lists_that_cannot_be_are_refused(read, text) -> None:
    with pytest.raises(BadInput):
        read(text)
