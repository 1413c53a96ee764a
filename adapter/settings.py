"""NAME=VALUE settings, checked against the model's and the training's own configurations."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from adapter.model import ModelConfig
from adapter.train import TrainConfig
from corpus.errors import BadInput

Config = TypeVar("Config", bound=BaseModel)


def configs(settings: Sequence[str], **given: Any) -> tuple[ModelConfig, TrainConfig]:
    """Make both configurations.

    Args:
        settings: "NAME=VALUE" texts; a later one overrides an earlier.
        given: values that have options of their own.

    Raises:
        BadInput: no such setting, or a value that it cannot take.
    """
    values: dict[str, Any] = dict(given)
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise BadInput(f"--set {setting}", "is not NAME=VALUE", "as in --set lr=1e-4")
        values[name.strip().replace("-", "_")] = value.strip()
    known = ModelConfig.model_fields.keys() | TrainConfig.model_fields.keys()
    for name in values:
        if name not in known:
            names = ", ".join(sorted(known - given.keys()))
            raise BadInput(f"--set {name}", "no such setting", f"settings are {names}")
    return _made(ModelConfig, values), _made(TrainConfig, values)


def _made(kind: type[Config], values: dict[str, Any]) -> Config:
    try:
        return kind.model_validate({k: v for k, v in values.items() if k in kind.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0]
        raise BadInput(f"{name}={values[str(name)]}", first["msg"], "give another value") from error
