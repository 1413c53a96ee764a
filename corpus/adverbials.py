"""Nouns that name no thing where they stand: "a little bit", "number of", "to the left"."""

from corpus import kinds, wordnet
from corpus.tags import Token

GENERAL = 5  # depth in WordNet above which a noun names no look


def is_degree(tokens: list[Token], at: int) -> bool:
    """Tell whether a noun and its article are an adverb: "a little bit"."""
    first = at
    while first and tokens[first - 1].tag[:2] in ("JJ", "RB"):
        first -= 1
    if not first or tokens[first - 1].tag != "DT":
        return False
    return bool(wordnet.reader().synsets(f"{tokens[first - 1].text}_{tokens[at].text}", "r"))


def is_relation(tokens: list[Token], at: int) -> bool:
    """Tell whether a noun only relates to another: "number of", "on its side", "some substance"."""
    senses = wordnet.senses(tokens[at].text)
    if not senses:
        return False
    _, first = senses[0]
    if at and tokens[at - 1].text == "its":
        return first.lexname() == "noun.location"
    if at and tokens[at - 1].text == "some":
        return wordnet.depth(first) < GENERAL
    if at + 1 == len(tokens) or tokens[at + 1].text != "of":
        return False
    return kinds.visibility(first) < 0.6 or first.lexname() == "noun.location"


def is_direction(word: str) -> bool:
    """Tell whether a word says where to, and no thing: an adverb that is no noun as often."""
    used = {pos: sum(wordnet.frequency(s, word) for s in wordnet.reader().synsets(word, pos)
                     if s.lexname() != "noun.location") for pos in "nar"}  # fmt: skip
    return used["r"] > 0 and used["a"] + used["r"] > used["n"]
