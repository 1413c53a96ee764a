"""How a corpus is built: the expansions, how entities become text, and controls for ablations."""

import hashlib
from string import Formatter
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from corpus import expand
from corpus.errors import BadInput

TEMPLATES = ("{unit}: {description}",)
_FIELDS = ("unit", "description", "kind")


def _plain(template: str) -> str:
    """Refuse a template that looks into its fields, or widens them: a file could do harm so."""
    what, mend = f"--template {template!r}", "use {unit}, {description} and {kind} as they are"
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise BadInput(what, f"cannot be read ({error})", mend) from error
    for _, field, width, conversion in parts:
        if field not in _FIELDS:
            raise BadInput(what, f"has an unknown field {{{field}}}", mend)
        if width or conversion:
            raise BadInput(what, f"formats its field {{{field}}}", mend)
    if all(field != "unit" for _, field, *_ in parts):
        raise BadInput(what, "does not name {unit}", "write e.g. 'a photo of a {unit}'")
    return template


Template = Annotated[str, AfterValidator(_plain)]


class Options(expand.Options):
    """How a corpus is built.

    Attributes:
        templates: prompt templates over {unit}, {description} and {kind}; their embeddings are
            averaged.
        merge_above: cosine from which two entities that share most of their words are one.
        random_entities: seed by which each entity is replaced with a random noun of its kind that
            a camera can see: what a corpus is worth shows beside one that knows nothing of the
            labels (`corpus.control`).
    """

    templates: tuple[Template, ...] = Field(default=TEMPLATES, min_length=1)
    merge_above: float = Field(default=0.98, gt=0, le=1)
    random_entities: int | None = Field(default=None, ge=0)


def checked(given: dict[str, Any]) -> Options:
    """Make options of plain values.

    Raises:
        BadInput: one that does not exist or makes no sense; it is named.
    """
    try:
        return Options(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"option {name}", first["msg"].lower(), "see `alt-corpus build -h`"
        ) from error


def changes(options: Options) -> list[str]:
    """Name what is not as by default, for a folder of its own: ["no-scenes", "cap-5"]."""
    names = []
    for field, value in options.model_dump(exclude_defaults=True).items():
        name = field.replace("_", "-")
        if isinstance(value, bool):
            names.append(name if value else f"no-{name}")
        elif isinstance(value, tuple):
            names.append(f"{name}-{hashlib.sha256(repr(value).encode()).hexdigest()[:8]}")
        else:
            names.append(f"{name}-{value}")
    return names
