"""What every command has: an example of itself, and the backbone that is named for all."""

import re
from typing import Any

import pytest
import typer

from adapter.cli import app as adapter
from corpus.cli import app as corpus
from extract.cli import app as extract
from extract.features_cli import app as features
from pipelines.cli import app as demo

NAMED = {"model": "ALT_MODEL", "pretrained": "ALT_PRETRAINED"}
APPS = {
    "alt-corpus": corpus,
    "alt-extract": extract,
    "alt-features": features,
    "alt-adapter": adapter,
    "alt-demo": demo,
}


# They need no backbone: one only helps them to choose senses.
BARE = {"alt-corpus show", "alt-corpus measure"}


def commands() -> dict[str, Any]:
    """Each command, or each of its subcommands, by what a user types."""
    found = {}
    for name, app in APPS.items():
        made = typer.main.get_command(app)
        for part, command in getattr(made, "commands", {"": made}).items():
            found[f"{name} {part}".strip()] = command
    return found


@pytest.mark.parametrize("typed", commands())
def test_help_has_an_example_of_the_command(typed: str) -> None:
    epilog = commands()[typed].epilog or ""
    assert re.search(rf"^Examples?: (.* )?{typed}( |$)", epilog)


def test_a_backbone_is_named_once_for_all_commands_that_need_one() -> None:
    asked = {
        typed: {param.name: param.envvar for param in command.params if param.name in NAMED}
        for typed, command in commands().items()
    }
    assert {typed for typed, named in asked.items() if named} == {
        "alt-adapter flops",
        "alt-corpus build",
        "alt-extract",
        *BARE,
    }
    for typed, named in asked.items():
        for name, variable in named.items():
            assert variable == (None if typed in BARE else NAMED[name]), typed
