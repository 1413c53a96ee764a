"""WordNet as ALT reads it: spellings to senses, how often each is meant, what relates them."""

import hashlib
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import IO

import nltk
from nltk.corpus.reader.wordnet import Synset, WordNetCorpusReader, WordNetError

from corpus.atomic import sha256
from corpus.errors import BadInput

HOME = Path(sys.prefix) / "share" / "nltk_data" / "corpora" / "wordnet"
# What NLTK raises where WordNet's files are damaged.
BROKEN = (OSError, ValueError, AssertionError, KeyError, StopIteration, WordNetError)
LONGEST = 71  # letters of its longest entry: no longer word is cut into words that it has


class Reader(WordNetCorpusReader):
    """NLTK's reader, which opens faster, answers alike in each process, and can be closed.

    Args:
        place: the folder with WordNet's files.
    """

    def __init__(self, place: Path) -> None:
        self._files: list[IO[str]] = []
        try:
            super().__init__(str(place), None)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close what was opened; it answers no more."""
        for file in self._files:
            file.close()

    def map_wn(self, version: str = "wordnet") -> None:
        """Skip the map to other WordNet versions: it serves other languages only, and is slow."""

    def open(self, file: str) -> IO[str]:
        """Open one of WordNet's files as Python does: NLTK's own reader takes ten times as long."""
        opened = (Path(str(self.root)) / file).open(encoding="utf-8", newline="\n")
        self._files.append(opened)
        return opened

    def _synset_from_pos_and_line(self, pos: str, line: str) -> Synset:
        """Read a synset, and put its relations in an order.

        NLTK holds them in sets, whose order is another in each process.
        """
        synset = super()._synset_from_pos_and_line(pos, line)
        if synset is not None:
            synset._pointers = {kind: sorted(to) for kind, to in synset._pointers.items()}
        return synset


@cache
def folder() -> Path:
    """Return where WordNet's files are: beside the interpreter, else wherever NLTK finds them.

    Raises:
        BadInput: they are nowhere.
    """
    if (HOME / "data.noun").is_file():
        return HOME
    try:
        return Path(str(nltk.data.find("corpora/wordnet")))
    except LookupError as error:
        raise BadInput("WordNet", "is not installed", "run `python -m corpus.fetch`") from error


@cache
def digest() -> str:
    """Identify the files that decide what WordNet says, in hex."""
    names = ("data.*", "index.*", "*.exc", "cntlist.rev", "lexnames")
    paths = sorted(path for name in names for path in folder().glob(name))
    lines = "".join(f"{path.name} {sha256(path)}\n" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()[:32]


def opened(place: Path) -> Reader:
    """Open the WordNet of a folder.

    Raises:
        BadInput: it cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that other languages are not available
        try:
            return Reader(place)
        except BROKEN as error:
            cause = f"WordNet cannot be read ({str(error) or 'a line ends too early'})"
            raise BadInput(place, cause, "run `python -m corpus.fetch`") from error


@cache
def reader() -> Reader:
    """Open WordNet once.

    Raises:
        BadInput: it is nowhere, or cannot be read.
    """
    return opened(folder())


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
            for synset in entry(form, pos):
                found.setdefault(synset, form.replace("_", " "))
        if found:
            break
    return tuple((form, synset) for synset, form in found.items())


@cache
def entry(form: str, pos: str = "n") -> tuple[Synset, ...]:
    """Return the synsets of one entry of WordNet, a word's own: NLTK also asks for its bases."""
    return tuple(reader().synset_from_pos_and_offset(pos, offset) for offset in _offsets(form, pos))


def glossed(mark: str, pos: str) -> Iterator[Synset]:
    """Yield the synsets whose gloss has a mark in it; no other is read, as all take seconds."""
    with reader().open(f"data.{reader()._FILEMAP[pos]}") as file:
        for line in file:
            if mark in line.partition("|")[2]:
                yield reader().synset_from_pos_and_offset(pos, int(line.split(" ", 1)[0]))


def ambiguity(form: str) -> int:
    """Return how many synsets an entry of WordNet has as a noun; none of them is read."""
    return len(_offsets(form, "n"))


def _offsets(form: str, pos: str) -> Sequence[int]:
    found: Sequence[int] = (
        reader()._lemma_pos_offset_map.get(form.replace(" ", "_"), {}).get(pos, ())
    )
    return found


def _spellings(phrase: str, pos: str) -> Iterator[list[str]]:
    """Yield groups of entries that `phrase` may stand under, likeliest group first."""
    words = phrase.split()
    if len(words) == 1:
        bases = _bases(phrase, pos)
        yield list(bases)
        yield [american for base in bases for american in _american(base)]
        for cut in range(2, len(phrase) - 1) if len(phrase) <= LONGEST else ():
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
        and entry(word[:-3], pos)
    ):
        known = list(dict.fromkeys([*known, word[:-3]]))  # "putting" is of put, and of putt
    if pos == "v" and word.endswith("ying") and entry(f"{word[:-3]}e", pos):
        known = list(dict.fromkeys([*known, f"{word[:-3]}e"]))  # "dying" is of die, and of dye
    if pos == "n" and known == [word]:  # "cards" is an entry of its own, and a plural as well
        known = [guess for guess in guesses if entry(guess, pos)][:1]
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
def is_gerund(word: str) -> bool:
    """Tell whether a word is a verb's form in -ing, of a verb that is known or not; no ring is.

    >>> [is_gerund(word) for word in ("ironing", "krumping", "ring", "string", "pudding")]
    [True, True, False, False, False]
    """
    if not word.endswith("ing"):
        return False
    if bases := [form for form, _ in senses(word, "v")]:
        return word not in bases
    return len(word) > 5 and all(s.lexname() == "noun.act" for _, s in senses(word)[:1])


@cache
def _counts() -> dict[str, int]:
    """Read how often each sense key was tagged; NLTK searches the file anew for every question."""
    text = (folder() / "cntlist.rev").read_text(encoding="utf-8")
    rows = (line.split(" ") for line in text.splitlines())
    return {row[0]: int(row[2]) for row in rows}


@cache
def tagged() -> frozenset[str]:
    """Return the entries that were tagged at all, in any sense."""
    return frozenset(key.partition("%")[0] for key in _counts())


@cache
def frequency(synset: Synset, form: str) -> int:
    """Return how often `form` was tagged with this sense in WordNet's sense-tagged texts."""
    form = form.replace(" ", "_").lower()
    counts = [_counts().get(m.key(), 0) for m in synset.lemmas() if m.name().lower() == form]
    return max(counts, default=0)


@cache
def commonness(synset: Synset) -> int:
    """Return how often a sense was tagged under any of its names."""
    return sum(_counts().get(lemma.key(), 0) for lemma in synset.lemmas())


def doers(verb: str) -> list[str]:
    """Spell those who do what a verb or gerund says: "keep" gives keeper, "lay" layer.

    Args:
        verb: in any form, known to WordNet or not ("bartending").
    """
    forms = [form for form, _ in senses(verb, "v")]
    base = (forms[:1] or [verb.removesuffix("ing") or verb])[0] if verb not in forms else verb
    root = base.removesuffix("e")
    return [f"{root}er", f"{root}or", f"{base}{base[-1]}er", f"{root}ist"]


def persons_doing(verb: str) -> list[Synset]:
    """Return the persons that a verb or gerund spells, likeliest first; see `doers`."""
    return [
        synset
        for name in doers(verb)
        for synset in entry(name)
        if synset.lexname() == "noun.person"
    ]


_FEW = 6.0  # uses in WordNet's tagged texts that are too few to go by
_BORROWED = 8  # uses under a sense's other names that a name of it, not the first, speaks for
_PLURAL = 3  # times as often as its singular a plural stands for an entry of its own


def priors(candidates: Sequence[tuple[str, Synset]], word: str) -> list[float]:
    """Return each candidate's share of uses, in 0..1.

    WordNet's order speaks where nothing was counted, and how many kinds of a sense it lists.
    Uses under a sense's other names count as well, but few of them for a name that is not its
    first: hats are common, and a lid is seldom one.

    Args:
        candidates: (entry, synset), the first sense first.
        word: what was looked up.
    """
    shares = []
    for rank, (form, synset) in enumerate(candidates):
        own, plural = frequency(synset, form), form == word and is_lexical_plural(word)
        under_all = commonness(synset)
        if not (plural or _is_first_name(form, synset)):
            under_all = min(under_all, own + _BORROWED)
        share = own * (_PLURAL if plural else 1) + 0.3 * under_all + 1.0 / (1 + rank / 2)
        shares.append(share + 0.3 * math.log1p(breadth(synset)))
    # A count of one says little: what was hardly ever tagged has hardly a prior.
    top = max(shares, default=0.0) + _FEW
    return [share / top for share in shares]


def _is_first_name(form: str, synset: Synset) -> bool:
    return form == str(synset.lemma_names()[0]).lower().replace("_", " ")


@cache
def is_lexical_plural(word: str) -> bool:
    """Tell whether a plural is an entry of its own beside its singular's: "glasses", "stairs"."""
    forms = {form for form, _ in senses(word)}
    return word.endswith("s") and word in forms and len(forms) > 1


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


@cache
def depth(synset: Synset) -> int:
    """Return how many steps a synset is from the top; NLTK climbs anew for every question."""
    above = synset.hypernyms() + synset.instance_hypernyms()
    return 1 + min(map(depth, above)) if above else 0


@cache
def breadth(synset: Synset) -> int:
    """Return how many kinds of itself a synset has, one step down; none of them is read."""
    return len(synset._pointers.get("~", ()))


@cache
def derived(synset: Synset) -> tuple[Synset, ...]:
    """Return the synsets derivationally related to any lemma of a synset."""
    found = [
        form.synset() for lemma in synset.lemmas() for form in lemma.derivationally_related_forms()
    ]
    return tuple(dict.fromkeys(found))


def ngrams(words: list[str], longest: int = 5) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every run of at least two words, longest first, then left to right."""
    for size, start in product(range(min(longest, len(words)), 1, -1), range(len(words))):
        if start + size <= len(words):
            yield start, start + size
