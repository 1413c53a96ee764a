"""How well a backbone's text space knows words, and what it says of a sense in a label."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from corpus import glosses, wordnet
from corpus.labels import readable

if TYPE_CHECKING:
    from corpus.backbone import Backbone

_PROBES = 128
_MEANINGFUL = 0.3  # of the probes that a text space must get right to have a say


class TextSpace:
    """The agreement of a gloss with a label, as the backbone's text tower sees it.

    Attributes:
        skill: share of words with one sense whose own gloss is the nearest of all the probes'.
    """

    def __init__(self, backbone: "Backbone", skill: float) -> None:
        self.backbone, self.skill = backbone, skill
        self._embed = lru_cache(maxsize=50_000)(
            lambda text: backbone.encode_text([text]).numpy()[0]
        )

    @classmethod
    def of(cls, backbone: "Backbone") -> "TextSpace | None":
        """Measure a backbone; None when its text space cannot tell one gloss from another.

        A toy or a random backbone must not choose senses, so what it knows of plain words is
        measured, not believed.
        """
        if backbone.random:
            return None
        words, glosses = zip(*_probes(), strict=True)
        left = backbone.encode_text([f"a photo of a {word}." for word in words]).numpy()
        right = backbone.encode_text(list(glosses)).numpy()
        right = right - right.mean(0)
        skill = float((np.argmax(left @ right.T, 1) == np.arange(len(words))).mean())
        return cls(backbone, round(skill, 1)) if skill >= _MEANINGFUL else None

    def __call__(self, gloss: str, label: str) -> float:
        """Return the agreement in 0..1, two decimals, so that float noise decides nothing."""
        cosine = float(self._embed(gloss) @ self._embed(f"a photo of {readable(label)}."))
        return round(min(max((cosine - 0.5) * 2, 0.0), 1.0), 2)


def _probes() -> list[tuple[str, str]]:
    """Return common visible words that have one sense only, with their glosses."""
    from corpus.neighbours import single_sense_words

    found = []
    for word in single_sense_words():
        ((_, synset),) = wordnet.senses(word)
        if not set(glosses.stems(word)) & set(glosses.stems(synset.definition())):
            found.append((word, synset.definition()))
        if len(found) == _PROBES:
            break
    return found
