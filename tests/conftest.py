import os
import warnings
from pathlib import Path

import pytest
import torch

from corpus.backbone import Backbone, load

SHARED = Path(os.environ.get("ALT_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and golden files that lies beside a developer's checkout."""
    if not SHARED.is_dir():
        assert not os.environ.get("ALT_REQUIRE_SHARED"), f"{SHARED} is required and missing"
        pytest.skip("needs ../shared (real clips and golden files), which is not beside this clone")
    return SHARED


@pytest.fixture(scope="session")
def mini() -> Backbone:
    """The mini backbone with random weights: fast, and the same in every run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load("alt-mini", "none")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
