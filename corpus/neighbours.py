"""What WordNet's definitions say goes with an action: tools, places and people, found by gloss."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import glosses, wordnet

# Lexicographer files searched: artifact, food, location, object, person, substance.
_FILES = {"06": "artifact", "13": "food", "15": "location", "17": "object", "18": "person",
          "27": "substance"}  # fmt: skip
_PURPOSE = ("used ", " for ", "worn ", "equipment", "where ", "who ", "on which", "in which")
_EXAMPLE = re.compile(r"\((?:such )?as [^()]*\)|\((?:e\.g\.|especially|for example)[^()]*\)")
_USERS = re.compile(r"\b(?:used|worn) by (?:[a-z]+ )?([a-z]+s)\b")
# What a definition says is done: "to curry", "who polishes", "separating".
_DONE = re.compile(r"\b(?:to|who|that) ([a-z]+)\b|\b([a-z]+ing)\b")
_TOLD, _FOR = 0.8, 1.3  # a phrase in a definition but no name; one that tells a purpose
_FOCUS = 6.0  # content words of a definition that is wholly about one thing


@dataclass(frozen=True)
class Phrase:
    """Words to be found in a definition, all of them, under any of their names.

    Attributes:
        names: the stems of each name's words.
        weight: how much finding them says.
        act: whether they are what is done; then a definition that tells a purpose says more.
        modifier: a first word of names that says as much: "knitting" in "knitting needle".
        users: who does it, of whom a definition says as much: "used by mountain climbers".
        words: what definitions may say, in first forms; other words of a stem have nothing to do
            with it (the lungs, with lunging). Names of several words need none.
        synonyms: what else is done, where a definition speaks of another phrase as well.
    """

    names: tuple[tuple[str, ...], ...]
    weight: float
    modifier: str = ""
    act: bool = False
    users: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    synonyms: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Entry:
    offset: int
    names: tuple[str, ...]
    name_stems: frozenset[str]
    gloss_stems: frozenset[str]
    words: frozenset[str]  # of the definition
    verbs: frozenset[str]  # those of them that are said as verbs
    purposeful: bool


@cache
def _entries() -> tuple[list[_Entry], dict[str, list[int]], dict[str, list[int]]]:
    """Index the words of the definitions of visible nouns, and by whom they say it is used."""
    entries: list[_Entry] = []
    index: dict[str, list[int]] = defaultdict(list)
    users: dict[str, list[int]] = defaultdict(list)
    for noun in glosses.nouns():
        if noun.file not in _FILES or noun.names[0][0].isupper():  # individuals
            continue
        plain = _EXAMPLE.sub(" ", noun.definition)
        same = plain == noun.definition
        entry = _Entry(
            offset=noun.offset,
            names=noun.names,
            name_stems=frozenset(glosses.stems(" ".join(noun.names).replace("_", " "))),
            gloss_stems=noun.stems if same else frozenset(glosses.stems(plain)),
            words=frozenset(glosses.words(plain)),
            verbs=frozenset(base or gerund for base, gerund in _DONE.findall(plain)),
            purposeful=any(mark in f" {noun.definition} " for mark in _PURPOSE),
        )
        for token in entry.name_stems | entry.gloss_stems:
            index[token].append(len(entries))
        for user in _USERS.findall(noun.definition):
            users[user].append(len(entries))
        entries.append(entry)
    return entries, dict(index), dict(users)


def mentioning(
    phrases: Iterable[Phrase], most: int = 60
) -> list[tuple[Synset, float, frozenset[Phrase]]]:
    """Find visible synsets whose definitions or names mention phrases.

    Args:
        phrases: what to look for; a definition with more of them, and little else, is nearer.
        most: how many to return.

    Returns:
        (synset, nearness, the phrases that it mentions), nearest first; nearness is positive and
        mostly below 1.
    """
    entries, index, users = _entries()
    scores: dict[int, float] = defaultdict(float)
    told: dict[int, set[Phrase]] = defaultdict(set)
    for phrase in phrases:
        best: dict[int, float] = {}
        for stems in phrase.names:
            sets = [set(index.get(token, ())) for token in stems]
            telling = max((glosses.weight(token) for token in stems), default=0.0)
            for hit in set.intersection(*sets) if sets else ():
                entry = entries[hit]
                several = len(stems) > 1
                said = several or any(_says(w, stems[0], phrase.words) for w in entry.words)
                in_gloss = said and entry.gloss_stems.issuperset(stems)
                in_name = entry.name_stems.issuperset(stems) or (
                    not phrase.act
                    and len(stems) == 1
                    and any(is_made_of(stems[0], name) for name in entry.names)
                )
                led = bool(phrase.modifier) and any(
                    _leads(phrase.modifier, name) for name in entry.names
                )
                # A name alone says nothing: "horse chestnut" is no horse's, "ball gown" no ball's.
                if not in_gloss and not led:
                    continue
                value = telling * (_TOLD + (1 - _TOLD) * in_name)
                # A sailboat, "a small sailing vessel", is for sailing by its other name as well.
                byname = (
                    phrase.modifier.endswith("ing")
                    and phrase.modifier in entry.words
                    and any(_leads(phrase.modifier, name) for name in entry.names[1:])
                )
                meant = phrase.act and in_gloss and (entry.purposeful or byname)
                value *= _FOR if meant else 1.0
                best[hit] = max(best.get(hit, 0.0), value)
        for user in phrase.users:
            value = glosses.weight(glosses.stem(user)) * _TOLD * _FOR
            best |= {hit: max(best.get(hit, 0.0), value) for hit in users.get(user, ())}
        for hit, value in best.items():
            scores[hit] += phrase.weight * value
            told[hit].add(phrase)
    for phrase in phrases:
        for hit, value in _by_synonym(phrase, told).items():
            scores[hit] += value
            told[hit].add(phrase)
    ranked = []
    for hit, score in scores.items():
        entry = entries[hit]
        focus = min(1.0, _FOCUS / max(len(entry.gloss_stems), 1)) ** 0.5
        ranked.append(
            (-round(score * focus * (1.15 if entry.purposeful else 1.0), 4), entry.offset, hit)
        )
    ranked.sort()
    return [
        (wordnet.reader().synset_from_pos_and_offset("n", offset), -score, frozenset(told[hit]))
        for score, offset, hit in ranked[:most]
    ]


def single_sense_words() -> list[str]:
    """List single words that are one visible artifact and nothing else, the most tagged first.

    Those that were never tagged, under any of their names, are left out: reading all takes seconds.
    """
    entries, *_ = _entries()
    found: dict[str, Synset] = {}
    for entry in entries:
        name = entry.names[0]
        seen = not wordnet.tagged().isdisjoint(map(str.lower, entry.names))
        if seen and name.isalpha() and wordnet.ambiguity(name) == 1:
            (form, synset), *others = wordnet.senses(name)
            if form == name and not others:
                found[name] = synset
    return sorted(found, key=lambda name: (-wordnet.commonness(found[name]), name))


def _by_synonym(phrase: Phrase, told: Mapping[int, set[Phrase]]) -> dict[int, float]:
    """Score definitions that speak of another phrase, and of what is done by another name."""
    entries, index, _ = _entries()
    found: dict[int, float] = {}
    for stem in sorted({glosses.stem(name) for name in phrase.synonyms}):
        for hit in index.get(stem, ()):
            if hit not in told or phrase in told[hit]:
                continue
            if any(_says(word, stem, phrase.synonyms) for word in entries[hit].verbs):
                value = glosses.weight(stem) * _TOLD * (_FOR if entries[hit].purposeful else 1.0)
                found[hit] = max(found.get(hit, 0.0), phrase.weight * value)
    return found


@cache
def _says(word: str, stem: str, forms: frozenset[str]) -> bool:
    """Tell whether a word is of a stem and of one of the words meant, in whatever form."""
    if glosses.stem(word) != stem:
        return False
    return not forms.isdisjoint({word, *(f for pos in "nv" for f, _ in wordnet.senses(word, pos))})


def _leads(modifier: str, name: str) -> bool:
    """Tell whether a name begins with a modifier, singular or plural: "billiard_table"."""
    return name.startswith((f"{modifier}_", f"{modifier.removesuffix('s')}_"))


def is_made_of(first: str, name: str) -> bool:
    """Tell whether a name is written of a word and a noun: a wineglass."""
    return name.startswith(first) and bool(wordnet.entry(name.removeprefix(first)))
