"""On a GPU FAISS finds what it finds on a CPU. Skipped where it has none to search on."""

import faiss
import numpy as np
import pytest

from corpus.embed import flat_index
from corpus.index import Corpus

pytestmark = pytest.mark.skipif(
    getattr(faiss, "get_num_gpus", lambda: 0)() == 0, reason="needs a GPU, and faiss-gpu"
)


def test_the_nearest_entities_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    entities, queries = (
        rng.standard_normal((count, 64)).astype(np.float32) for count in (5000, 300)
    )
    entities /= np.linalg.norm(entities, axis=1, keepdims=True)
    corpus = Corpus([], flat_index(entities), None, dict)  # type: ignore[arg-type]
    rows, scores = corpus.nearest(queries, 10)
    exact = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ entities.T
    assert "Gpu" in type(corpus._search_index).__name__
    np.testing.assert_array_equal(rows, exact.argsort(axis=1)[:, ::-1][:, :10])
    np.testing.assert_allclose(scores, -np.sort(-exact, axis=1)[:, :10], atol=1e-5)
    # More than a GPU's index gives is asked for as well.
    rows, _ = corpus.nearest(queries[:2], 5000)
    assert rows.shape == (2, 5000)
