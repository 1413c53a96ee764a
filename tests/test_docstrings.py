"""What docstrings show is what is computed."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOWING = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("corpus", "extract", "adapter", "pipelines")
    for path in (ROOT / package).rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", SHOWING)
def test_examples_in_docstrings_are_so(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted
    assert not found.failed
