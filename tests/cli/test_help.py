"""Every command has an example of itself in its help."""

import re

import pytest
import typer

from adapter.cli import app as adapter
from corpus.cli import app as corpus
from extract.cli import app as extract
from extract.features_cli import app as features
from pipelines.cli import app as demo

APPS = {
    "alt-corpus": corpus,
    "alt-extract": extract,
    "alt-features": features,
    "alt-adapter": adapter,
    "alt-demo": demo,
}


def epilogs() -> dict[str, str | None]:
    """What ends the help of each command, or of each subcommand, by what a user types."""
    found = {}
    for name, app in APPS.items():
        made = typer.main.get_command(app)
        for part, command in getattr(made, "commands", {"": made}).items():
            found[f"{name} {part}".strip()] = command.epilog
    return found


@pytest.mark.parametrize(("typed", "epilog"), epilogs().items(), ids=list(epilogs()))
def test_help_has_an_example_of_the_command(typed: str, epilog: str | None) -> None:
    assert re.search(rf"^Examples?: (.* )?{typed}( |$)", epilog or "")
