"""The words of WordNet's definitions: stems, what each tells, how near two senses are by them."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from operator import mul

from nltk.corpus.reader.wordnet import Synset
from nltk.stem.porter import PorterStemmer

from corpus import wordnet

# Words that stand for a lexicographer file, so that "eat" finds the food among the senses.
_TOPICS = {
    "noun.food": "food eat cook",
    "verb.consumption": "food eat",
    "noun.plant": "plant grow",
    "noun.animal": "animal",
    "noun.body": "body",
    "verb.body": "body",
}
_stemmer = PorterStemmer()
_WORD = re.compile(r"[a-z][a-z']+")
_FUNCTION = frozenset(
    re.findall(
        r"\w+",
        """
    a an the of in on at to for by with from into onto and or nor but not no as is are was were be
    been being that which who whom whose this these those it its he his she her they their them
    one ones you your something someone somebody somewhere anything etc eg ie used use uses using
    usually especially often made make makes having has have had can may any some such other
    others than then so very more most less up down out off over under about through between when
    where while if also each all both two several many
        """,
    )
)


@cache
def stem(word: str) -> str:
    """Reduce a word to what its inflections and close derivations share."""
    word = word.removesuffix("'s")
    for pos in "vn":  # irregular forms: threw, feet; but a saw is no form of see
        base = wordnet.reader()._exception_map[pos].get(word)
        if base and (pos == "n" or not wordnet.reader().synsets(word, "n")):
            word = base[0]
    return str(_stemmer.stem(word))


def words(text: str) -> list[str]:
    """Split text into its content words, in lower case."""
    return [word for word in _WORD.findall(text.lower()) if word not in _FUNCTION]


@cache
def stems(text: str) -> tuple[str, ...]:
    """Split text into the stems of its content words."""
    return tuple(stem(word) for word in words(text))


@dataclass(frozen=True, slots=True)
class Noun:
    """An entry of WordNet's file of nouns, as it stands there.

    Attributes:
        offset: which identifies its synset.
        file: number of its lexicographer file, two digits ("06" holds artifacts).
        names: its lemmas, with underscores.
        definition: without examples.
        stems: of the definition, each once.
    """

    offset: int
    file: str
    names: tuple[str, ...]
    definition: str
    stems: frozenset[str]


@cache
def nouns() -> tuple[Noun, ...]:
    """Read all definitions of nouns, once, in the order of the file."""
    found = []
    with (wordnet.folder() / "data.noun").open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line[0] == " ":
                continue
            data, _, gloss = line.partition("| ")
            fields = data.split()
            definition = gloss.partition('; "')[0].strip()
            found.append(
                Noun(
                    offset=int(fields[0]),
                    file=fields[1],
                    names=tuple(fields[4 : 4 + 2 * int(fields[3], 16) : 2]),
                    definition=definition,
                    stems=frozenset(stems(definition)),
                )
            )
    return tuple(found)


@cache
def _document_frequency() -> Counter[str]:
    return Counter(token for noun in nouns() for token in noun.stems)


@cache
def weight(stemmed: str) -> float:
    """Return how much a stem tells: its inverse document frequency over noun glosses, in 0..1."""
    total = len(nouns())
    return math.log((total + 1) / (_document_frequency()[stemmed] + 1)) / math.log(total + 1)


@cache
def signature(synset: Synset) -> dict[str, float]:
    """Return what words go with a synset: its gloss's, examples' and neighbours', weighted.

    Extended Lesk (Banerjee & Pedersen 2002): neighbours' glosses speak for a sense too.
    """
    bag: dict[str, float] = {}

    def add(text: str, share: float) -> None:
        for token in set(stems(text.replace("_", " "))):
            bag[token] = max(bag.get(token, 0.0), share)

    add(" ".join(synset.lemma_names()), 1.0)
    add(synset.definition(), 1.0)
    for domain in synset.topic_domains() + synset.usage_domains():
        add(" ".join(domain.lemma_names()), 1.0)
    add(" ".join(synset.examples()), 0.6)
    add(_TOPICS.get(synset.lexname(), ""), 0.5)
    for parent in synset.hypernyms():
        add(" ".join(parent.lemma_names()), 0.7)
        add(parent.definition(), 0.5)
        for grand in parent.hypernyms():
            add(" ".join(grand.lemma_names()), 0.4)
    for related in wordnet.derived(synset):
        add(related.definition(), 0.5)
        add(" ".join(related.lemma_names()), 0.5)
    for part in synset.part_meronyms() + synset.part_holonyms() + synset.substance_holonyms():
        add(" ".join(part.lemma_names()), 0.4)
    for child in synset.hyponyms()[:40]:
        add(" ".join(child.lemma_names()), 0.3)
    return {token: share * weight(token) for token, share in bag.items()}


def without(bag: dict[str, float], stems: set[str]) -> dict[str, float]:
    """Return a bag of words without some of its stems."""
    return {token: value for token, value in bag.items() if token not in stems}


def similarity(left: dict[str, float], right: dict[str, float]) -> float:
    """Return the cosine of two bags of weighted words."""
    if len(left) > len(right):
        left, right = right, left
    dot = sum(value * right[token] for token, value in left.items() if token in right)
    if not dot:
        return 0.0
    squares = (sum(map(mul, bag, bag)) for bag in (left.values(), right.values()))
    return dot / math.sqrt(math.prod(squares))
