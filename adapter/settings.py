"""Options of the command line as values: settings, methods, counts, named files."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from adapter.baselines import TITLES
from adapter.model import Method, ModelConfig
from adapter.protocols import Protocol
from adapter.protocols_trained import TrainedProtocol
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


def grid(settings: Sequence[str], **given: Any) -> dict[str, tuple[ModelConfig, TrainConfig]]:
    """Make configurations for all combinations of settings.

    Args:
        settings: "NAME=VALUE,VALUE,…" texts.
        given: values that have options of their own.

    Returns:
        Both configurations under the values that vary, as in "lr=1e-4 layers=2"; the last setting
        varies fastest.

    Raises:
        BadInput: no such setting, a value that it cannot take, or nothing that varies.
    """
    choices = []
    for setting in settings:
        name, equals, values = setting.partition("=")
        parts = [value.strip() for value in values.split(",")]
        choices.append([f"{name.strip()}{equals}{value}" for value in dict.fromkeys(parts)])
    varied = [number for number, values in enumerate(choices) if len(values) > 1]
    if not varied:
        raise BadInput("--set", "has nothing that varies", "as in --set lr=1e-4,4e-4")
    return {
        " ".join(chosen[number] for number in varied): configs(chosen, **given)
        for chosen in itertools.product(*choices)
    }


def method_names(text: str) -> list[Method]:
    """Read comma-separated methods.

    Raises:
        BadInput: no such method.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known: dict[str, Method] = {method: method for method in TITLES}
    for name in names:
        if name not in known:
            raise BadInput(f"--methods {name}", "no such method", f"use {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)]


def protocol_name(text: str) -> Protocol | TrainedProtocol:
    """Check a protocol's name.

    Raises:
        BadInput: no such protocol.
    """
    known: dict[str, Protocol | TrainedProtocol] = {
        name: name for kind in (TrainedProtocol, Protocol) for name in get_args(kind)
    }
    if text not in known:
        raise BadInput(text, "no such protocol", f"use {', '.join(known)}")
    return known[text]


def counts(text: str) -> list[int | None]:
    """Read comma-separated counts of clips; None stands for "all".

    Raises:
        BadInput: neither a positive whole number nor "all".
    """
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if part != "all" and not (part.isdecimal() and int(part) > 0):
            raise BadInput(f"--shots {part}", "not a count of clips", "as in all,2,4,8")
    return [None if part == "all" else int(part) for part in parts]


def named_paths(texts: Sequence[str]) -> dict[str, Path]:
    """Read NAME=PATH texts.

    Raises:
        BadInput: another form, or a name given twice.
    """
    paths: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not (name and equals and path) or name in paths:
            raise BadInput(f"--test {text}", "not a new NAME=CACHE", "as in --test novel=novel.h5")
        paths[name] = Path(path)
    return paths


def _made(kind: type[Config], values: dict[str, Any]) -> Config:
    try:
        return kind.model_validate({k: v for k, v in values.items() if k in kind.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][0]
        raise BadInput(f"{name}={values[str(name)]}", first["msg"], "give another value") from error
