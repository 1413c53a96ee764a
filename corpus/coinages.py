"""Words of labels that WordNet lacks: the words that they are made of, and where they end."""

from collections.abc import Iterator
from itertools import groupby

from corpus import kinds, wordnet
from corpus.tags import Token, function_words

_LONGEST = 3  # words of a compound
_NAMING = ("NN", "JJ", "PO")  # tags, by their beginnings
_SHORTEST, _COMMON = 4, 3  # letters, and uses, of a word within a closed compound


def is_manner(word: str, action: str) -> bool:
    """Tell whether a modifier of a movement says which one it is, in a sense that WordNet lacks.

    Nobody moves by means of what WordNet has for it, when that is food: the salsa of "salsa spin".
    """
    nouns, verbs = wordnet.senses(word), wordnet.senses(action, "v")
    return (
        bool(nouns and verbs)
        and all(synset.lexname() == "noun.food" for _, synset in nouns)
        and verbs[0][1].lexname() == "verb.motion"
    )


def noun_of(gerund: str) -> str | None:
    """Return the noun that an unknown gerund is made of: "trapezing"."""
    base = gerund.removesuffix("ing")
    nouns = (f"{base}e", base, base[:-1])
    return next((noun for noun in nouns if len(noun) > 3 and wordnet.senses(noun)), None)


def thing_and_verb(gerund: str) -> tuple[str, str] | None:
    """Cut an unknown gerund into a thing and a gerund: the kite and the surfing of kitesurfing."""
    cuts = []
    if len(gerund) > wordnet.LONGEST:
        return None
    for cut in range(3, len(gerund.removesuffix("ing")) - 1):
        first, last = wordnet.senses(gerund[:cut]), wordnet.senses(gerund[cut:], "v")
        things = [p for p in first[:3] if kinds.is_seen(p[1]) and p[1].lexname() != "noun.person"]
        seen = [wordnet.frequency(s, f) for f, s in things]
        often = [wordnet.frequency(s, f) for f, s in last]
        if seen and often and (cut > 3 or any(seen)):
            cuts.append((min(sum(seen), sum(often)), cut))
    if not cuts:
        return None
    _, cut = max(cuts)  # the likeliest of "bar tending" and "bart ending"
    return gerund[:cut], gerund[cut:]


def tool_of(thing: str, gerund: str) -> str | None:
    """Name the tool that a gerund is made of, and a thing before it: the "jet ski" of jetskiing.

    Only where the verb has but one meaning, the use of that tool.

    Args:
        thing, gerund: from `thing_and_verb`.
    """
    (base, _), *others = wordnet.senses(gerund, "v")
    tools = [synset for form, synset in wordnet.senses(base) if form == base]
    is_tool = bool(tools) and tools[0].lexname() == "noun.artifact"
    return f"{thing} {base}" if is_tool and not others else None


def parts(word: str) -> list[str]:
    """List the things that an unknown word is written of: sand and castle, the ball of kickball.

    Both words must be common, and the last one a thing: the whole is a kind of it.
    """
    cuts = []
    if len(word) > wordnet.LONGEST:
        return []
    for cut in range(_SHORTEST, len(word) - _SHORTEST + 1):
        first, last = word[:cut], word[cut:]
        acted = sum(wordnet.frequency(s, form) for form, s in wordnet.senses(first, "v"))
        cuts.append((min(max(_seen(first), acted), _seen(last)), cut))
    often, cut = max(cuts, default=(0, 0))
    if often < _COMMON:
        return []
    return [word[:cut], word[cut:]] if _seen(word[:cut]) >= _COMMON else [word[cut:]]


def compounds(tokens: list[Token]) -> Iterator[str]:
    """Name the things whose words WordNet has one by one, and no two of them together.

    Args:
        tokens: of a label.
    """
    written = [token for token in tokens if token.text != "-"]
    for (number, named), run in groupby(written, lambda t: (t.chunk, t.tag[:2] in _NAMING)):
        words = [token.text for token in run]
        if number < 0 or not named or not 1 < len(words) <= _LONGEST:
            continue
        if not all(map(_may_name, words)):
            continue
        pairs = (" ".join(words[start:end]) for start, end in wordnet.ngrams(words))
        heads = wordnet.senses(words[-1])
        if any(wordnet.senses(pair) or wordnet.senses(pair, "v") for pair in pairs):
            continue
        if not heads or kinds.is_act(heads[0][1]) or heads[0][1].lexname() == "noun.quantity":
            continue
        yield " ".join([*words[:-1], heads[0][0]])


def _may_name(word: str) -> bool:
    """Tell whether a word is a noun or adjective that may be part of a thing's name."""
    if len(word) == 1 or word.endswith("ing") or word in function_words():
        return False
    return bool(wordnet.senses(word) or wordnet.reader().synsets(word, "a"))


def end(tokens: list[Token], at: int) -> int:
    """Return where an unknown word ends, with the nouns that follow in its chunk: "rubiks cube"."""
    after = at + 1
    while (
        after < len(tokens)
        and tokens[after].tag[:2] == "NN"
        and tokens[after].chunk == tokens[at].chunk
        and not tokens[after].text.endswith("ing")
    ):
        after += 1
    return after


def _seen(word: str) -> int:
    """Return how often a word stands for what a camera sees."""
    return sum(wordnet.frequency(s, form) for form, s in wordnet.senses(word) if kinds.is_seen(s))
