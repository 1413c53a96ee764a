"""Options of the command line as values: settings, methods, counts, named files."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from adapter.baselines import TITLES, UNREAD
from adapter.model import Method, ModelConfig
from adapter.protocols import Protocol
from adapter.protocols_trained import TrainedProtocol
from adapter.train import TrainConfig
from corpus.errors import BadInput

Config = TypeVar("Config", bound=BaseModel)

_MOST = 10_000  # combinations of a sweep

# What cannot be set where several trainings are compared, and what to do instead.
STUDY = {
    "method": "use --methods, of compare and protocol",
    "seed": "use --seeds",
    "patience": "leave it out: it needs validation clips, which train alone has",
}


def configs(
    settings: Sequence[str],
    instead: Mapping[str, str] | None = None,
    varied: bool = False,
    **given: Any,
) -> tuple[ModelConfig, TrainConfig]:
    """Make both configurations.

    Args:
        settings: "NAME=VALUE" texts; a later one overrides an earlier.
        instead: what cannot be set here, and what to do instead.
        varied: the shape is one of many, on some of which a setting has the effect that it has not
            on this one.
        given: values that have options of their own, which alone set them.

    Raises:
        BadInput: no such setting, one that cannot be set here or has no effect, a value that it
            cannot take, or a method given that has nothing to train.
    """
    values: dict[str, Any] = dict(given)
    closed = {**(instead or {}), **{name: f"use --{name.replace('_', '-')}" for name in given}}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise BadInput(f"--set {setting}", "is not NAME=VALUE", "as in --set lr=1e-4")
        name = name.strip().replace("-", "_")
        if name in closed:
            raise BadInput(f"--set {name}", "cannot be set here", closed[name])
        values[name] = value.strip()
    known = ModelConfig.model_fields.keys() | TrainConfig.model_fields.keys()
    for name in values:
        if name not in known:
            names = ", ".join(sorted(known - closed.keys()))
            raise BadInput(f"--set {name}", "no such setting", f"settings are {names}")
    model, train = _made(ModelConfig, values), _made(TrainConfig, values)
    if given.get("method") == "clip":
        mend = "name another: it is scored beside every run"
        raise BadInput("--method clip", "has nothing to train", mend)
    for name in values if "method" in given else ():
        if name in UNREAD.get(model.method, ()):
            cause = f"has no effect on {model.method}"
            raise BadInput(f"--set {name}", cause, "leave it out, or train another --method")
    # A choice of words as they are is made by noise alone (`Align`): it has no softmax.
    softly = model.align == "soft" or (model.align == "hard" and model.project)
    if not softly and not varied:
        for name in ("temperature", "temperature_end"):
            if name in values:
                cause = "has no effect where regions take one entity each, and nothing is projected"
                raise BadInput(f"--set {name}", cause, "set align=soft or project=true with it")
    return model, train


def read_by(method: Method, settings: Sequence[str]) -> list[str]:
    """Return those of "NAME=VALUE" texts for several methods that have an effect on this one."""
    unread = UNREAD.get(method, set())
    names = (setting.partition("=")[0].strip().replace("-", "_") for setting in settings)
    return [one for one, name in zip(settings, names, strict=True) if name not in unread]


def grid(
    settings: Sequence[str], instead: Mapping[str, str] | None = None, **given: Any
) -> dict[str, tuple[ModelConfig, TrainConfig]]:
    """Make configurations for all combinations of settings.

    Args:
        settings: "NAME=VALUE,VALUE,…" texts.
        instead, given: as for `configs`.

    Returns:
        Both configurations under the values that vary, as in "lr=1e-4 layers=2"; the last setting
        varies fastest.

    Raises:
        BadInput: as of `configs`, a setting given twice, nothing that varies, or combinations
            without end.
    """
    choices: dict[str, list[str]] = {}
    for setting in settings:
        name, equals, values = setting.partition("=")
        name = name.strip().replace("-", "_")
        if name in choices:
            raise BadInput(f"--set {name}", "is given twice", "give all its values at once")
        parts = [value.strip() for value in values.split(",")]
        choices[name] = [f"{name}{equals}{value}" for value in dict.fromkeys(parts)]
    count = math.prod(map(len, choices.values()))
    if count > _MOST:
        raise BadInput("--set", f"makes {count} combinations", f"give values of {_MOST} at most")
    varied = [number for number, values in enumerate(choices.values()) if len(values) > 1]
    if not varied:
        raise BadInput("--set", "has nothing that varies", "as in --set lr=1e-4,4e-4")
    return {
        " ".join(chosen[number] for number in varied): configs(chosen, instead, **given)
        for chosen in itertools.product(*choices.values())
    }


def method_names(text: str) -> list[Method]:
    """Read comma-separated methods.

    Raises:
        BadInput: no such method, or none at all.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known: dict[str, Method] = {method: method for method in TITLES}
    if not names:
        raise BadInput(f"--methods {text}", "names no method", f"use {', '.join(known)}")
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
    """Read comma-separated counts of clips, each once; None stands for "all".

    Raises:
        BadInput: neither a positive whole number nor "all".
    """
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if part != "all" and not re.fullmatch(r"0*[1-9][0-9]{0,8}", part):
            raise BadInput(f"--shots {part}", "not a count of clips", "as in all,2,4,8")
    return list(dict.fromkeys(None if part == "all" else int(part) for part in parts))


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
