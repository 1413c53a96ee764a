"""From action names to a searchable text corpus of visual entities."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpus.index import Corpus

__all__ = ["Corpus"]


def __getattr__(name: str) -> Any:
    # NumPy and pydantic are only paid for by those who ask for the corpus itself.
    if name == "Corpus":
        from corpus.index import Corpus

        return Corpus
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
