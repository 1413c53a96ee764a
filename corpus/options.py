"""How a corpus is built: the expansions, how entities become text, and controls for ablations."""

from typing import Any

from pydantic import Field, ValidationError

from corpus import expand
from corpus.errors import BadInput

TEMPLATES = ("{unit}: {description}",)


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

    templates: tuple[str, ...] = Field(default=TEMPLATES, min_length=1)
    merge_above: float = Field(default=0.98, gt=0, le=1)
    random_entities: int | None = Field(default=None, ge=0)


def checked(given: dict[str, Any]) -> Options:
    """Make options of plain values.

    Raises:
        BadInput: one that does not exist or makes no sense; it is named.
    """
    try:
        options = Options(**given)
        for template in options.templates:
            template.format(unit="", description="", kind="")
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"option {name}", first["msg"].lower(), "see `alt-corpus build -h`"
        ) from error
    except (KeyError, IndexError, ValueError) as error:
        raise BadInput(
            "--template", f"has an unknown field ({error})", "use {unit}, {description}, {kind}"
        ) from error
    if not all("{unit}" in template for template in options.templates):
        raise BadInput("--template", "does not name {unit}", "write e.g. 'a photo of a {unit}'")
    return options
