"""From tagged words to what they name and what is done: longest entries of WordNet first."""

import re
from dataclasses import dataclass, field

from nltk.corpus.reader.wordnet import Synset

from corpus import adverbials, coinages, glosses, kinds, wordnet
from corpus.tags import NOUN_ENOUGH, Token, function_words, ordinary

PLACEHOLDER = re.compile(r"(some|any|every|no)(thing|one|body|where)|things?")
_PARTICLE = ("RP", "RB", "IN")
_BETWEEN = ("from", "to", "toward", "towards")


@dataclass(frozen=True)
class Unit:
    """A noun or noun phrase of a label.

    Attributes:
        text: as the label has it, lower-case.
        known: whether WordNet has it.
        place: whether it is where the action happens ("in the kitchen").
        whole: whether it is all that the label says.
        head: whether it heads its chunk (a modifier does not).
        governed: whether a preposition leads to it, so that it is not what is acted on.
    """

    text: str
    known: bool
    place: bool = False
    whole: bool = False
    head: bool = True
    governed: bool = False


@dataclass
class Draft:
    """What has been read so far.

    Attributes:
        units: by their text.
        verbs: in order, as the label has them.
        spent: words that are no unit of their own.
    """

    units: dict[str, Unit] = field(default_factory=dict)
    verbs: list[str] = field(default_factory=list)
    spent: set[str] = field(default_factory=set)


def read(tokens: list[Token], draft: Draft) -> None:
    """Fill `draft` with the units and verbs of tagged tokens, longest entries of WordNet first."""
    words = [token.text for token in tokens]
    free = [True] * len(tokens)
    found: list[tuple[int, Unit]] = []
    runs = sorted(
        wordnet.ngrams(words),
        key=lambda run: (
            run[0] - run[1],
            run[0] == 0 and tokens[0].tag == "VBG" and run[1] < len(words),
            run[0],
        ),
    )
    for start, end in runs:
        if not all(free[start:end]):
            continue
        phrase = " ".join(words[start:end])
        if not _says_something(phrase):
            continue
        inner = tokens[start:end]
        if inner[0].tag[:2] in ("DT", "IN", "CC", "TO", "PR", "PO") or inner[-1].tag == "POS":
            continue
        phrase = _entry(phrase, inner)
        leads_on = _leads_to_noun(tokens, end - 1)
        named = _is_noun_phrase(inner) or end - start > 2  # whatever the "do" of tae kwon do is
        if _is_of_animal(phrase) or _is_done_to(inner):
            continue
        if not leads_on and named and wordnet.senses(phrase):
            whole = not any(t.tag[:2] in ("NN", "VB") for t in tokens[:start] + tokens[end:])
            last = inner[-1]
            found.append((start, Unit(phrase, True, last.at_place, whole, governed=last.governed)))
            _spend(phrase, draft)
            found += _object_within(inner, start)
        elif leads_on:
            continue  # "writing on board": the preposition is the noun's
        elif _is_adverb(inner):
            pass
        elif _is_verb_phrase(inner) and wordnet.senses(phrase, "v"):
            draft.verbs.append(phrase)
            draft.spent.update(phrase.split())
        else:
            continue
        free[start:end] = [False] * (end - start)
    for at in range(len(tokens)):
        if free[at]:
            _read_one(tokens, at, free, found, draft)
    if not found:
        found += _last_resort(tokens, free, draft)
    for _, unit in sorted(found, key=lambda pair: pair[0]):
        if _is_only_done(unit):
            draft.verbs.append(unit.text)
            draft.spent.add(unit.text)
        else:
            draft.units.setdefault(unit.text, unit)


def _is_only_done(unit: Unit) -> bool:
    """Tell whether a noun names nothing that is seen, and is a verb as well: a sneeze."""
    senses = wordnet.senses(unit.text)
    seen = any(kinds.visibility(synset) or kinds.is_act(synset) for _, synset in senses)
    return bool(senses) and not seen and bool(wordnet.senses(unit.text, "v"))


def _is_of_animal(phrase: str) -> bool:
    """Tell whether words name a part of an animal, whatever else is called after that.

    A dog's ears are petted, and not the corner of a page; a cat's claws are no plant.
    """
    first, *rest = phrase.split()
    owner, part = wordnet.senses(first)[:1], wordnet.senses(" ".join(rest))[:1]
    if not (owner and part and owner[0][1].lexname() == "noun.animal"):
        return False
    called = {synset.lexname() for _, synset in wordnet.senses(phrase)}
    is_part = "body_part.n.01" in wordnet.ancestors(part[0][1])
    return is_part and called.isdisjoint(("noun.animal", "noun.body", "noun.food"))


def _is_done_to(tokens: list[Token]) -> bool:
    """Tell whether a verb and its object only look like a word: who washes clothes has no cloth."""
    first, last = tokens[0], tokens[-1]
    forms = [form for form, _ in wordnet.senses(" ".join(token.text for token in tokens))]
    joined = bool(forms) and all(form.isalpha() for form in forms)
    return joined and first.tag == "VB" and last.dep == "dobj"


def _entry(phrase: str, tokens: list[Token]) -> str:
    """Return the phrase, without the ending of a gerund made of a noun: "hula hooping"."""
    made = wordnet.is_gerund(tokens[-1].text) and not wordnet.senses(phrase)
    if made and not wordnet.senses(phrase, "v"):
        bare = phrase.removesuffix("ing")
        return next((noun for noun in (bare, f"{bare}e") if wordnet.senses(noun)), phrase)
    return phrase


def _is_noun_phrase(tokens: list[Token]) -> bool:
    """Tell whether a run of tokens can be a noun phrase, which "waking up" is not.

    A bare verb with its particle is the verb ("sit down"), unless it is a sport ("push up").
    """
    if tokens[0].tag == "CD" and tokens[-1].tag == "NNS":
        return False  # "into two pieces" counts them and is about no two-piece
    if all(token.tag[:2] in _PARTICLE for token in tokens):
        return False  # "rolls back down"
    if tokens[-1].tag[:2] in _PARTICLE and tokens[0].tag[:2] == "VB":
        phrase = " ".join(token.text for token in tokens)
        sports = any(kinds.is_pastime(synset) for _, synset in wordnet.senses(phrase))
        if tokens[0].tag == "VBG" or (wordnet.senses(phrase, "v") and not sports):
            return False
    return tokens[-1].tag[:2] in ("NN", "VB", "FW", "JJ", "CD", "UH", *_PARTICLE)


def _leads_to_noun(tokens: list[Token], at: int) -> bool:
    """Tell whether a word is the preposition of a noun after it, and no particle of a verb."""
    return tokens[at].tag == "IN" and any(t.governed for t in tokens[at + 1 : at + 3])


def _is_adverb(tokens: list[Token]) -> bool:
    """Tell whether a run says how or where to, and its words no things: "upside down"."""
    entry = "_".join(token.text for token in tokens)
    return tokens[-1].tag[:2] in _PARTICLE and bool(wordnet.reader().synsets(entry, "r"))


def _is_verb_phrase(tokens: list[Token]) -> bool:
    """Tell whether a run can be a verb: with a particle ("blow out") or compound ("ice skate").

    A verb with its object is none: "sawing wood" is about wood, whatever the idiom means.
    """
    if tokens[0].tag[:2] == "VB":
        return tokens[-1].tag[:2] in _PARTICLE or tokens[-1].tag[:2] == "JJ"
    return tokens[0].tag[:2] in ("NN", "JJ", "RB") and tokens[-1].tag[:2] in ("VB", "NN", "JJ")


def _object_within(tokens: list[Token], start: int) -> list[tuple[int, Unit]]:
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


def _read_one(
    tokens: list[Token],
    at: int,
    free: list[bool],
    found: list[tuple[int, Unit]],
    draft: Draft,
) -> None:
    token = tokens[at]
    word, tag = token.text, token.tag
    if not _says_something(word):
        return
    later_noun = any(t.tag[:2] == "NN" for t in tokens[at + 1 :] if t.chunk == token.chunk >= 0)
    verbal = tag[:2] == "VB" and not _is_exercise(word)
    if verbal or (tag[:2] == "NN" and _is_verbal_head(tokens, at)):
        draft.spent.add(word)
        if _is_aside(tokens, at):
            return
        if wordnet.senses(word, "v"):
            draft.verbs.append(_with_particle(tokens, at))
        elif wordnet.is_gerund(word):
            _read_unknown_gerund(word, at, found, draft)
    elif wordnet.is_gerund(word) and not ordinary(word):
        _read_unknown_gerund(word, at, found, draft)
    elif tag[:2] in ("NN", "FW") or not ordinary(word):
        if at < len(tokens) - 1 and _rather_adjective(word):
            draft.spent.add(word)
            return
        before = tokens[at - 1] if at else None
        leads_there = before is not None and (before.text in _BETWEEN or before.tag[:2] == "NN")
        where_to = leads_there and adverbials.is_direction(word) and not later_noun
        if where_to or adverbials.is_degree(tokens, at) or adverbials.is_relation(tokens, at):
            draft.spent.add(word)  # "from left to right"
            return
        if token.dep == "poss":
            found.append((at, Unit(word, bool(wordnet.senses(word)), head=False)))
            return
        if later_noun and _repeats_verb(word, tokens):
            draft.spent.add(word)  # "exercising with an exercise ball"
            return
        if at + 2 == len(tokens) and coinages.is_manner(word, tokens[at + 1].text):
            found.append((at, Unit(f"{word} {tokens[at + 1].text}", False)))
            return
        known = bool(wordnet.senses(word))
        end = at + 1 if known else coinages.end(tokens, at)
        text = " ".join(t.text for t in tokens[at:end])
        alone = end - at == len(tokens)
        head, governed = not later_noun, token.governed
        found.append((at, Unit(text, known, token.at_place, alone, head, governed)))
        if not known:
            for later in range(at + 1, end):
                free[later] &= ordinary(tokens[later].text)  # "rubiks cube" has a cube
            found += [(at, Unit(part, True, head=False)) for part in coinages.parts(word)]
        if alone and wordnet.senses(word, "v") and not _is_exercise(word):
            draft.verbs.append(word)


def _with_particle(tokens: list[Token], at: int) -> str:
    """Return a verb with the particle that follows its object, if WordNet has both as one."""
    word = tokens[at].text
    for later in tokens[at + 1 :]:
        if later.tag[:2] == "VB":
            break
        if later.dep == "prt" and wordnet.senses(f"{word} {later.text}", "v"):
            return f"{word} {later.text}"
    return word


def _is_exercise(word: str) -> bool:
    """Tell whether a verb and its particle, written as one word, name a pastime: "pullup"."""
    verbs = wordnet.senses(word, "v")
    joined = bool(verbs) and all(" " in form for form, _ in verbs)
    return joined and any(kinds.is_pastime(synset) for _, synset in wordnet.senses(word))


def _rather_adjective(word: str) -> bool:
    """Tell whether a word is an adjective more often than a noun: the high of "high kick"."""
    adjectives = wordnet.reader().synsets(word, "a")
    as_adjective = sum(wordnet.frequency(synset, word) for synset in adjectives)
    return as_adjective > sum(wordnet.frequency(s, form) for form, s in wordnet.senses(word))


def _repeats_verb(word: str, tokens: list[Token]) -> bool:
    """Tell whether a modifier says again what the label's verb says."""
    stem = glosses.stem(word)
    verbs = [token.text for token in tokens if token.tag[:2] == "VB"]
    return any(verb != word and glosses.stem(verb) == stem for verb in verbs)


def _read_unknown_gerund(word: str, at: int, found: list[tuple[int, Unit]], draft: Draft) -> None:
    """Read a gerund that WordNet lacks: from a noun ("trapezing") or a closed compound.

    Who jetskis has a jet ski, and no skis. A compound that names no tool is kept whole, as its
    parts do not tell all, and its parts are read as well: "kitesurfing" has a kite, and surfing.
    """
    if noun := coinages.noun_of(word):
        found.append((at, Unit(noun, True)))
        return
    base = word.removesuffix("ing")
    if len(made := coinages.parts(base)) == 1:  # "longboarding", in which long is no thing
        found += [(at, Unit(base, False)), (at, Unit(made[0], True, head=False))]
        return
    parts = coinages.thing_and_verb(word)
    if parts and (tool := coinages.tool_of(*parts)):
        found.append((at, Unit(tool, False)))
        return
    found.append((at, Unit(word, False)))
    if parts:
        thing, verb = parts
        found.append((at, Unit(thing, True, head=False)))
        if not wordnet.persons_doing(word):  # what bartenders do is no mere tending
            draft.verbs.append(verb)


def _is_verbal_head(tokens: list[Token], at: int) -> bool:
    """Tell whether a noun after a modifier names the action: the swing of "golf swing"."""
    word = tokens[at].text
    if not wordnet.senses(word, "v"):
        return False
    if wordnet.is_gerund(word):
        return True
    if at == 0 or at != len(tokens) - 1 or any(token.tag[:2] == "VB" for token in tokens):
        return False
    if tokens[at - 1].tag[:2] not in ("NN", "JJ"):
        return False
    things = 0
    acts = sum(wordnet.frequency(synset, form) for form, synset in wordnet.senses(word, "v"))
    for form, synset in wordnet.senses(word):
        count = wordnet.frequency(synset, form) + 1
        # A parade is people, though WordNet has it among groups, which it does not take for seen.
        things += count * (kinds.visibility(synset) >= 0.9 or synset.lexname() == "noun.group")
        acts += count * kinds.is_act(synset)
    return acts > things


def _says_something(text: str) -> bool:
    """Tell whether a text has a letter and is no placeholder."""
    return any(char.isalpha() for char in text) and not PLACEHOLDER.fullmatch(text)


def _last_resort(tokens: list[Token], free: list[bool], draft: Draft) -> list[tuple[int, Unit]]:
    """Find the noun of a label that has none by its tags: "squeezing orange", "cartwheel".

    A label that is one bare verb names the thing of that name as well, if there is one: a swing.
    """
    if len(tokens) == 1 and tokens[0].text in draft.verbs and _things_of_verb(tokens[0].text):
        return [(0, Unit(tokens[0].text, True, whole=True))]
    for at in reversed(range(len(tokens))):
        word = tokens[at].text
        senses = wordnet.senses(word)
        if not free[at] or word in draft.spent or not senses or not _says_something(word):
            continue
        if _leads_to_noun(tokens, at):
            continue  # "inside something"
        if at and tokens[at - 1].text in _BETWEEN and adverbials.is_direction(word):
            continue
        if word in function_words() or (at < len(tokens) - 1 and _rather_adjective(word)):
            continue
        often = sum(wordnet.frequency(synset, form) for form, synset in senses)
        if len(tokens) == 1 or often >= NOUN_ENOUGH:
            if len(tokens) == 1 and wordnet.senses(word, "v"):
                draft.verbs.append(word)
            return [(at, Unit(word, True, whole=len(tokens) == 1))]
    return []


def _things_of_verb(word: str) -> list[Synset]:
    """Return what a verb's own name stands for as a thing, by derivation: swing, drink, smoke."""
    verbs = {synset for form, synset in wordnet.senses(word, "v") if form == word}
    return [
        synset
        for form, synset in wordnet.senses(word)
        if form == word and kinds.is_seen(synset) and not verbs.isdisjoint(wordnet.derived(synset))
    ]


def _is_aside(tokens: list[Token], at: int) -> bool:
    """Tell whether a verb says what becomes of a thing, beside a gerund that says what is done."""
    token = tokens[at]
    return (
        token.has_subject
        and not wordnet.is_gerund(token.text)
        and any(other.tag == "VBG" for other in tokens)
    )


def _spend(phrase: str, draft: Draft) -> None:
    """Note the words of a longer unit, plural and singular, as no units of their own."""
    for word in phrase.split():
        draft.spent.add(word)
        draft.spent.update(form for form, _ in wordnet.senses(word))
