"""From a label to its parts: things named, actions named, what is context, what is excluded."""

import re
from dataclasses import dataclass
from functools import cache

from corpus import adverbials, coinages, glosses, wordnet
from corpus.labels import readable
from corpus.tags import function_words, is_light, tokens_of
from corpus.units import PLACEHOLDER, Draft, Unit, read

_MOST_WORDS = 64  # a longer label is prose: its beginning names the action
_LIVING = ("noun.animal", "noun.body", "noun.plant")
ARTICLES = ("a", "an", "the")
_EXAMPLE = re.compile(r"\((?:e\.?g\b|for example\b|such as\b)[.,:]*\s*([^()]*)\)")
_NEGATION = re.compile(r"^(?:not|no|without|except|excluding|but not)\b\s*")


@dataclass(frozen=True)
class Parsed:
    """What a label says.

    Attributes:
        label: as given.
        units: nouns and noun phrases, in order, each once.
        verbs: verb phrases as the label has them ("riding", "blow out").
        context: content words of parentheses, and of the definition of who does an action that
            WordNet lacks; they tell senses but name nothing themselves.
        excluded: noun phrases that the label rules out ("not wine").
        words: content words of the label.
        spent: words that are no unit of their own: verbs, parts of longer units, excluded.
        compounds: of words that WordNet has one by one and not together: "exercise ball".
        placeholders: whether a slot ("something") stands where a noun would.
    """

    label: str
    units: tuple[Unit, ...]
    verbs: tuple[str, ...]
    context: tuple[str, ...]
    excluded: tuple[str, ...]
    words: tuple[str, ...]
    spent: frozenset[str]
    compounds: tuple[str, ...]
    placeholders: bool

    @property
    def telling(self) -> tuple[str, ...]:
        """The words that tell what others mean: all but verbs that only govern a thing."""
        return tuple(w for w in self.words if w not in self.verbs or not is_light(w))


@cache
def parse(label: str) -> Parsed:
    """Read a label.

    Args:
        label: in any naming style.
    """
    main, context, excluded = _parentheses(readable(label))
    words = main.split()[:_MOST_WORDS]
    draft = Draft()
    tokens = tokens_of(words)
    read(tokens, draft)
    if len(draft.units) == 1 and not draft.verbs:
        (unit,) = draft.units.values()
        draft.units = {
            unit.text: Unit(unit.text, unit.known, unit.place, whole=True, head=unit.head)
        }
    out = _excluded(excluded)
    for phrase in out:
        draft.spent.update(phrase.split())
        draft.units.pop(phrase, None)
    compounds = tuple(coinages.compounds(tokens))
    for compound in compounds:
        _keep_whole(compound, draft)
    content = [t.text for t in tokens if t.tag[:2] in ("NN", "VB", "JJ", "FW")]
    told = [t.text for text in context for t in tokens_of(text.split())
            if t.tag[:2] in ("NN", "VB", "JJ")]  # fmt: skip
    return Parsed(
        label=label,
        units=tuple(draft.units.values()),
        verbs=tuple(dict.fromkeys(draft.verbs)),
        context=tuple(told + _doers_words(draft)),
        excluded=tuple(out),
        words=tuple(dict.fromkeys(content)),
        spent=frozenset(draft.spent),
        compounds=compounds,
        placeholders=any(bool(PLACEHOLDER.fullmatch(word)) for word in words),
    )


def _keep_whole(compound: str, draft: Draft) -> None:
    """Leave a compound's head to it: a bouncy castle is no castle; but a flat surface is one.

    What lives looks like its kind, whatever thing it is called after: a sled dog is a dog, though
    no mechanical bull a bull. And what looks like a compound may be a verb's object: "shovel snow".
    """
    first, *_, head = compound.split()
    if not draft.verbs and wordnet.senses(first, "v"):
        return
    for text in list(draft.units):
        forms = wordnet.senses(text)
        if not forms or forms[0][0] != head or wordnet.depth(forms[0][1]) <= adverbials.GENERAL:
            continue
        if not (forms[0][1].lexname() in _LIVING and wordnet.senses(first)):
            del draft.units[text]
            draft.spent |= {text, head}


def predicate(label: str) -> str:
    """Return what a label says besides the things that it names: "kicking", of "KickingBall".

    Parentheses and articles are left out as well. Where nothing but function words would remain
    ("archery"), it is the whole label.

    Args:
        label: in any naming style.
    """
    parsed, words = parse(label), _parentheses(readable(label))[0].split()
    named = {word for unit in parsed.units for word in unit.text.split()}
    whole = {word for compound in parsed.compounds for word in compound.split()}
    named |= {word for word in words if whole & {word, *(f for f, _ in wordnet.senses(word)[:1])}}
    kept = [word for word in words if word not in named and word not in ARTICLES]
    if all(word in function_words() or not word[0].isalpha() for word in kept):
        return readable(label)
    return " ".join(kept)


def _doers_words(draft: Draft) -> list[str]:
    """Return the words that define who does an unknown action: of bartenders, for "bartending"."""
    unknown = [unit.text for unit in draft.units.values() if not unit.known]
    return [
        word
        for text in unknown
        for person in wordnet.persons_doing(text)[:1]
        for word in glosses.words(person.definition())
    ]


def _parentheses(text: str) -> tuple[str, list[str], list[str]]:
    """Split a label into its main text, what parentheses add, and what they exclude.

    Examples are what is acted on, and of the main text: "open (e.g., a window)".
    """
    text = _EXAMPLE.sub(r"\1", text)
    context: list[str] = []
    excluded: list[str] = []
    for inner in re.findall(r"\(([^()]*)\)", text):
        negated = _NEGATION.match(inner)
        (excluded if negated else context).append(inner[negated.end() :] if negated else inner)
    main = re.sub(r"\([^()]*\)", " ", text).replace("(", " ").replace(")", " ")
    if not main.split() and context:  # all in parentheses: then they are the label
        return context[0], context[1:], excluded
    return " ".join(main.split()), context, excluded


def _excluded(texts: list[str]) -> list[str]:
    """Return the noun phrases of what a label rules out, as written and as lemmas."""
    out: list[str] = []
    for text in texts:
        draft = Draft()
        tokens = tokens_of(text.split())
        read(tokens, draft)
        for phrase in [*draft.units, *draft.verbs]:
            out.append(phrase)
            out += [form for form, _ in wordnet.senses(phrase)]
    return list(dict.fromkeys(out))
