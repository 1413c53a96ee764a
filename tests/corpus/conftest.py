from pathlib import Path

import pytest

from corpus import Corpus
from corpus.backbone import Backbone

LABELS = ["playing cello", "HorseRiding", "mopping floor", "PlayingTabla"]


@pytest.fixture(scope="session")
def corpus(mini: Backbone) -> Corpus:
    return Corpus.build(LABELS, mini)


@pytest.fixture(scope="session")
def saved(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora") / "small"
    corpus.save(folder)
    return folder
