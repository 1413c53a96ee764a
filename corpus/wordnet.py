"""WordNet as this package reads it: spellings to synsets, what can be seen, words of glosses."""

import math
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import nltk
from nltk.corpus.reader.wordnet import Synset, WordNetCorpusReader
from nltk.stem.porter import PorterStemmer

from corpus.errors import BadInput

HOME = Path(sys.prefix) / "share" / "nltk_data" / "corpora" / "wordnet"

# Lexicographer files whose synsets a camera can see, and how surely.
VISIBLE = {
    "noun.artifact": 1.0,
    "noun.food": 1.0,
    "noun.animal": 1.0,
    "noun.body": 1.0,
    "noun.plant": 1.0,
    "noun.object": 1.0,
    "noun.substance": 0.9,
    "noun.person": 0.6,
    "noun.Tops": 0.8,
    "noun.location": 0.7,
    "noun.possession": 0.6,
    "noun.phenomenon": 0.6,
    "noun.event": 0.5,
    "noun.communication": 0.4,
    "noun.shape": 0.3,
    "noun.group": 0.05,
}
# Below this depth a synset of these roots names no look ("thing", "object", "part").
_MIN_DEPTH = 4
_SCENE_ROOTS = (
    "building.n.01",
    "building_complex.n.01",
    "establishment.n.04",
    "shelter.n.01",
    "stadium.n.01",
    "bridge.n.01",
    "room.n.01",
    "court.n.10",
    "patio.n.01",
    "porch.n.01",
    "enclosure.n.01",
    "floor.n.01",
    "floor.n.02",
    "facility.n.01",
    "pool.n.01",
    "road.n.01",
    "path.n.02",
    "passage.n.03",
    "geological_formation.n.01",
    "body_of_water.n.01",
    "land.n.02",
    "land.n.04",
    "geographical_area.n.01",
    "workplace.n.01",
    "jungle.n.01",
    "slope.n.01",
)
_PASTIMES = ("diversion.n.01", "game.n.01", "dancing.n.01", "exercise.n.01", "stroke.n.01")
_NOT_SCENE_ROOTS = ("barrier.n.01", "support.n.10", "mechanism.n.05", "point.n.02", "line.n.11")


class _Reader(WordNetCorpusReader):
    def map_wn(self, version: str = "wordnet") -> None:
        """Skip the map to other WordNet versions: it serves other languages only, and is slow."""

    def _synset_from_pos_and_line(self, pos: str, line: str) -> Synset:
        """Read a synset, and put its relations in an order.

        NLTK holds them in sets, whose order is another in each process.
        """
        synset = super()._synset_from_pos_and_line(pos, line)
        if synset is not None:
            synset._pointers = {kind: sorted(to) for kind, to in synset._pointers.items()}
        return synset


@cache
def reader() -> WordNetCorpusReader:
    """Open WordNet once: beside the interpreter, else wherever NLTK finds it.

    Raises:
        BadInput: it is nowhere, or cannot be read.
    """
    folder = HOME
    if not (folder / "data.noun").is_file():
        try:
            folder = Path(str(nltk.data.find("corpora/wordnet")))
        except LookupError as error:
            raise BadInput("WordNet", "is not installed", "run `make setup`") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that other languages are not available
        try:
            return _Reader(str(folder), None)
        except (OSError, ValueError, AssertionError) as error:
            raise BadInput(
                folder, f"WordNet cannot be read ({error})", "run `make setup`"
            ) from error


def folder() -> Path:
    """Return where the files of WordNet are."""
    return Path(str(reader().root))


@cache
def senses(phrase: str, pos: str = "n") -> tuple[tuple[str, Synset], ...]:
    """Return the (entry, synset) pairs that a phrase may mean, the best spelling's senses first.

    A phrase is looked up as it is, joined and hyphenated, with the lemma of its last (noun) or
    first (verb) word; an unknown word also in its American spelling and with a hyphen or space
    within. A plural means its lemma's senses and those it has of its own ("glasses").

    Args:
        phrase: words with single spaces.
        pos: "n" or "v".
    """
    found: dict[Synset, str] = {}
    for forms in _spellings(phrase.lower(), pos):
        for form in forms:
            for synset in _exact(form, pos):
                found.setdefault(synset, form.replace("_", " "))
        if found:
            break
    return tuple((form, synset) for synset, form in found.items())


@cache
def _exact(form: str, pos: str) -> tuple[Synset, ...]:
    """Return the synsets of one entry of WordNet, without looking at its inflections."""
    found = reader().synsets(form, pos)
    return tuple(s for s in found if form in {name.lower() for name in s.lemma_names()})


def _spellings(phrase: str, pos: str) -> Iterator[list[str]]:
    """Yield groups of entries that `phrase` may stand under, likeliest group first."""
    words = phrase.split()
    if len(words) == 1:
        bases = _bases(phrase, pos)
        yield list(bases)
        yield [american for base in bases for american in _american(base)]
        for cut in range(2, len(phrase) - 1):
            yield [
                phrase[:cut] + mark + tail for mark in "_-" for tail in _bases(phrase[cut:], pos)
            ]
        return
    # A noun phrase inflects its last word, a verb its first ("blow out") or last ("ice skate").
    for at in (-1,) if pos == "n" else (0, -1):
        variants = [words.copy() for _ in _bases(words[at], pos)]
        for variant, base in zip(variants, _bases(words[at], pos), strict=True):
            variant[at] = base
        for mark in ("_", "-", ""):
            yield [mark.join(variant) for variant in variants]


@cache
def _bases(word: str, pos: str) -> tuple[str, ...]:
    """Return what an inflected word may be a form of, then the word itself.

    WordNet's own morphology comes first; the endings are also undone without it, for words that
    are only known within a longer entry ("pull-ups").
    """
    known = reader()._morphy(word, pos)
    rules = (("ies", "y"), ("s", ""), ("es", "")) if pos == "n" else (("ing", ""), ("ing", "e"))
    guesses = [
        word.removesuffix(ending) + put
        for ending, put in rules
        if word.endswith(ending) and not word.endswith("ss") and len(word) > len(ending) + 1
    ]
    if (
        pos == "v"
        and len(word) > 5
        and word.endswith("ing")
        and word[-4] == word[-5]
        and _exact(word[:-3], pos)
    ):
        known = list(dict.fromkeys([*known, word[:-3]]))  # "putting" is of put, and of putt
    if pos == "n" and known == [word]:  # "cards" is an entry of its own, and a plural as well
        known = [guess for guess in guesses if _exact(guess, pos)][:1]
    return tuple(dict.fromkeys([*known, *([] if known else guesses), word]))


def _american(word: str) -> Iterator[str]:
    """Spell a British word the American way, by ending."""
    for british, american in (
        ("our", "or"),
        ("ise", "ize"),
        ("ising", "izing"),
        ("tre", "ter"),
        ("ogue", "og"),
        ("elling", "eling"),
        ("eller", "eler"),
    ):
        if word.endswith(british):
            yield word.removesuffix(british) + american


@cache
def frequency(synset: Synset, form: str) -> int:
    """Return how often `form` was tagged with this sense in WordNet's sense-tagged texts."""
    form = form.replace(" ", "_").lower()
    counts = [lemma.count() for lemma in synset.lemmas() if lemma.name().lower() == form]
    return max(counts, default=0)


@cache
def commonness(synset: Synset) -> int:
    """Return how often a sense was tagged under any of its names."""
    return sum(lemma.count() for lemma in synset.lemmas())


def is_act(synset: Synset) -> bool:
    """Tell whether a noun's synset is something that people do."""
    return synset.lexname() == "noun.act" or "contest.n.01" in ancestors(synset)


def is_pastime(synset: Synset) -> bool:
    """Tell whether an act is a sport, game, dance, or a domain with terms of its own."""
    if not ancestors(synset).isdisjoint(_PASTIMES):
        return True
    return is_act(synset) and len(synset.in_topic_domains()) > 3


@cache
def ancestors(synset: Synset) -> frozenset[str]:
    """Return the names of a synset's hypernyms, all the way up, itself included."""
    found, queue = {synset.name()}, [synset]
    while queue:
        for parent in queue.pop().hypernyms():
            if parent.name() not in found:
                found.add(parent.name())
                queue.append(parent)
    for kind in synset.instance_hypernyms():
        found |= ancestors(kind)
    return frozenset(found)


def visibility(synset: Synset) -> float:
    """Rate in 0..1 how surely a synset is something that a camera sees."""
    rate = VISIBLE.get(synset.lexname(), 0.0)
    if not rate or is_act(synset) or synset.instance_hypernyms():
        return 0.0  # individuals (cities, people) are not kinds of thing
    if "physical_entity.n.01" not in ancestors(synset):
        rate = min(rate, 0.8 if synset.lexname() == "noun.artifact" else 0.5)
    if synset.min_depth() < _MIN_DEPTH and synset.lexname() != "noun.Tops":
        rate *= 0.5
    if synset.lexname() == "noun.Tops" and synset.min_depth() < 3:
        return 0.0
    return rate


@cache
def is_scene(synset: Synset) -> bool:
    """Tell whether a synset is a place that an action is found in."""
    return not ancestors(synset).isdisjoint(_SCENE_ROOTS)


def kind_of(synset: Synset) -> str:
    """Name an entity's kind: object, body_part, scene, role or motion (design §1)."""
    lexname = synset.lexname()
    if lexname == "noun.body":
        return "body_part"
    if lexname == "noun.person" or synset.name() == "person.n.01":
        return "role"
    if is_act(synset) or lexname == "noun.event":
        return "motion"
    return "scene" if is_scene(synset) else "object"


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
        if pos == "n" or not reader().synsets(word, "n"):
            word = (reader()._exception_map[pos].get(word) or [word])[0]
    return str(_stemmer.stem(word))


def stems(text: str) -> list[str]:
    """Split text into the stems of its content words."""
    return [stem(word) for word in _WORD.findall(text.lower()) if word not in _FUNCTION]


@cache
def _document_frequency() -> tuple[Counter[str], int]:
    """Count in how many noun glosses each stem occurs, read straight from the data file."""
    counts: Counter[str] = Counter()
    total = 0
    with (folder() / "data.noun").open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line[0] != " ":
                gloss = line.partition("| ")[2].partition('"')[0]
                counts.update(set(stems(gloss)))
                total += 1
    return counts, total


def weight(stemmed: str) -> float:
    """Return how much a stem tells: its inverse document frequency over noun glosses, in 0..1."""
    counts, total = _document_frequency()
    return math.log((total + 1) / (counts[stemmed] + 1)) / math.log(total + 1)


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
    for related in derived(synset):
        add(related.definition(), 0.5)
        add(" ".join(related.lemma_names()), 0.5)
    for part in synset.part_meronyms() + synset.part_holonyms() + synset.substance_holonyms():
        add(" ".join(part.lemma_names()), 0.4)
    for child in synset.hyponyms()[:40]:
        add(" ".join(child.lemma_names()), 0.3)
    return {token: share * weight(token) for token, share in bag.items()}


def derived(synset: Synset) -> list[Synset]:
    """Return the synsets derivationally related to any lemma of a synset."""
    found = [
        form.synset() for lemma in synset.lemmas() for form in lemma.derivationally_related_forms()
    ]
    return list(dict.fromkeys(found))


def similarity(left: dict[str, float], right: dict[str, float]) -> float:
    """Return the cosine of two bags of weighted words."""
    if len(left) > len(right):
        left, right = right, left
    dot = sum(value * right[token] for token, value in left.items() if token in right)
    if not dot:
        return 0.0
    norms = math.sqrt(sum(v * v for v in left.values()) * sum(v * v for v in right.values()))
    return dot / norms


def ngrams(words: list[str], longest: int = 5) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every run of at least two words, longest first, then left to right."""
    for size, start in product(range(min(longest, len(words)), 1, -1), range(len(words))):
        if start + size <= len(words):
            yield start, start + size
