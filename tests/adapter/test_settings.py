import pytest

from adapter.settings import STUDY, configs, counts, grid, method_names, named_paths
from corpus.errors import BadInput


def test_settings_reach_the_configuration_that_has_them() -> None:
    model, train = configs(["lr=1e-3", "layers=1", "place=false", "epochs=3"], seed=7)
    assert (train.lr, train.epochs, train.seed) == (1e-3, 3, 7)
    assert (model.layers, model.place) == (1, False)


def test_a_setting_may_be_written_with_dashes_and_the_last_of_several_counts() -> None:
    model, train = configs(["mlp-ratio=2", "lr=1e-3", " lr =1e-4"])
    assert (model.mlp_ratio, train.lr) == (2, 1e-4)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lr", "not NAME=VALUE"),
        ("rl=1", "no such setting"),
        ("lr=fast", "lr=fast: Input should be a valid number"),
        ("dropout=1", "less than 1"),
        ("class_token=inf", "finite number"),
        ("lr=inf", "finite number"),
        ("mixup=inf", "finite number"),
        ("method=best", "'alt'"),
        ("epochs=0", "greater than or equal to 1"),
        (f"epochs={10**20}", "less than or equal to 1000000"),
        (f"accumulate={10**12}", "less than or equal to 10000"),
        ("fast=1e308", "less than or equal to 1000000"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        configs([setting])


def test_a_setting_that_has_an_option_of_its_own_is_refused_and_the_option_named() -> None:
    with pytest.raises(BadInput, match=r"--set method: cannot be set here; use --method$"):
        configs(["method=linear"], method="alt", seed=0)
    with pytest.raises(BadInput, match=r"--set batch_size: cannot be set here; use --batch-size$"):
        configs(["batch-size=3"], batch_size=4)
    for name, mend in (
        ("seed", "use --seeds"),
        ("method", "use --methods"),
        ("patience", "leave it"),
    ):
        with pytest.raises(BadInput, match=f"--set {name}: cannot be set here; {mend}"):
            configs([f"{name}=1"], STUDY)
    with pytest.raises(BadInput, match=r"--set method: cannot be set here; use --method$"):
        grid(["method=linear,alt"], STUDY, method="alt")
    with pytest.raises(BadInput, match="--set seed: cannot be set here; use --seeds"):
        grid(["seed=1,2,3"], STUDY, method="alt")


@pytest.mark.parametrize("name", ["temperature", "temperature_end"])
def test_a_temperature_is_refused_where_nothing_is_chosen_by_it(name: str) -> None:
    for shape in ([], ["align=none", "project=true"]):
        with pytest.raises(BadInput, match=f"--set {name}: has no effect"):
            configs([f"{name}=0.1", *shape])
    for shape in (["align=soft"], ["project=true"]):
        assert getattr(configs([f"{name}=0.1", *shape])[1], name) == 0.1


def test_what_has_nothing_to_train_is_not_trained() -> None:
    for make in (lambda: configs([], method="clip"), lambda: grid(["lr=1,2"], method="clip")):
        with pytest.raises(BadInput, match="--method clip: has nothing to train; name another"):
            make()


@pytest.mark.parametrize(
    ("method", "setting", "reads"),
    [
        ("linear", "layers=2", ()),
        ("temporal", "tracks=8", ("layers=2", "dropout=0.2")),
        ("alt-learned", "top_k=2", ("tracks=8", "pool=true")),
        ("alt-learned", "temperature=0.1", ()),
    ],
)
def test_a_setting_that_a_method_does_not_read_is_refused(
    method: str, setting: str, reads: tuple[str, ...]
) -> None:
    name = setting.split("=")[0]
    with pytest.raises(BadInput, match=f"--set {name}: has no effect on {method}"):
        configs([setting, "align=soft"] if name == "temperature" else [setting], method=method)
    with pytest.raises(BadInput, match="has no effect on"):
        grid([f"{setting},1"], method=method)
    configs([*reads, "lr=1e-3", "frame_dropout=0.2"], method=method)
    configs([setting] if name != "temperature" else [setting, "align=soft"])


def test_a_sweep_has_each_combination_once_under_its_own_name() -> None:
    found = grid(["lr=1e-3,1e-4,1e-3", "mixup=0", "mlp-ratio=2,4"])
    assert list(found) == [f"lr={lr} mlp_ratio={r}" for lr in ("1e-3", "1e-4") for r in (2, 4)]
    assert {(train.lr, model.mlp_ratio) for model, train in found.values()} == {
        (lr, r) for lr in (1e-3, 1e-4) for r in (2, 4)
    }
    for again in ("lr=1e-2", " lr =1e-2,1e-5"):
        with pytest.raises(BadInput, match="--set lr: is given twice; give all its values at once"):
            grid(["lr=1e-3,1e-4", again])


def test_lists_on_the_command_line() -> None:
    # The last one is what the others are compared with.
    assert method_names("linear, alt,clip,linear") == ["linear", "alt", "clip"]
    assert counts("all,2,1") == [None, 2, 1]
    assert counts("2,all,02,2,all") == [2, None]  # a count given twice is no second seed
    with pytest.raises(BadInput, match="not a count of clips"):
        counts("1" * 5000)
    assert {name: str(path) for name, path in named_paths(["a=x.h5", "b=y=z"]).items()} == {
        "a": "x.h5",
        "b": "y=z",
    }


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((method_names, "best"), (method_names, ",")),
        *((counts, "0"), (counts, "two"), (counts, "²")),
        *((named_paths, ["x"]), (named_paths, ["a=x.h5", "a=y.h5"])),
    ],
)
def test_lists_that_cannot_be_are_refused(read, text) -> None:
    with pytest.raises(BadInput):
        read(text)


def test_a_sweep_without_end_is_refused_before_it_is_made() -> None:
    values = ",".join(map(str, range(1, 101)))
    settings = [f"{name}={values}" for name in ("epochs", "batch_size", "patience", "layers")]
    with pytest.raises(BadInput, match="--set: makes 100000000 combinations; give values of 10000"):
        grid(settings, method="alt")
