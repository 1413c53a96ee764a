"""What WordNet relates to a sense: who and what is derived from it, defined with it, part of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from nltk.corpus.reader.wordnet import Synset

from corpus import disambiguate, glosses, kinds, tags, wordnet
from corpus.disambiguate import Sense

_PLAIN = 2  # senses of a verb that means one thing
_TOO_GENERAL = 70  # direct hyponyms: "device" and "garment" name no look
_PARTS_EACH, _GLOSS_NOUNS, _DOMAIN_MOST = 3, 6, 4


@dataclass(frozen=True)
class Found:
    """An entity of one label.

    Attributes:
        unit: the noun or phrase.
        synset: WordNet's name of its sense, None for a word that WordNet lacks.
        kind: object, body_part, scene, role or motion.
        description: the sense's gloss, or for an unknown word what the label says of it.
        source: where it came from: "label", "instrument: …", "part of …", "scene: …", "body" …
        score: how sure, in 0..1.
        runner_up: the sense that came second, None when there was no choice.
        margin: by how much it came second.
    """

    unit: str
    synset: str | None
    kind: str
    description: str
    source: str
    score: float
    runner_up: str | None = None
    margin: float = 1.0


def _counterparts(synset: Synset) -> list[Synset]:
    """Return an activity and the same activity as verb or noun."""
    same = [s for s in wordnet.derived(synset)
            if s.pos() == "v" or kinds.is_act(s)]  # fmt: skip
    # The same only if a name is shared: "swimming" and "swim", not "drive" and "thrust".
    stems = {glosses.stem(name.replace("_", "")) for name in synset.lemma_names()}
    return [synset] + [
        s for s in same if stems & {glosses.stem(name.replace("_", "")) for name in s.lemma_names()}
    ]


def derived(sense: Sense, roles_only: bool = False) -> Iterator[Found]:
    """Find instrument, place and role that WordNet derives from an act or thing."""
    own = glosses.stem(sense.form.split()[-1].split("-")[-1])
    for act in [sense.synset] if roles_only else _counterparts(sense.synset):
        for lemma in act.lemmas():
            same = glosses.stem(lemma.name().lower().split("_")[-1]) == own
            for form in lemma.derivationally_related_forms():
                target = form.synset()
                role = target.lexname() == "noun.person"
                if (
                    target.pos() != "n"
                    or kinds.visibility(target) < 0.55
                    or (roles_only and not role)
                ):
                    continue
                score = 0.8 if same else 0.45
                if target.lexname() in ("noun.plant", "noun.animal"):
                    score = 0.3  # a climber is a vine as well
                what = "role" if role else "scene" if kinds.is_scene(target) else "instrument"
                yield found(
                    _name_like(form.name(), target),
                    target,
                    f"{what}: derived from {sense.form}",
                    score,
                )


def _name_like(name: str, synset: Synset) -> str:
    """Return what a synset is called first among its names of one stem: "coloring"."""
    own = glosses.stem(name.lower().replace("_", " "))
    names = [n.replace("_", " ") for n in synset.lemma_names()]
    return next((n for n in names if glosses.stem(n.lower()) == own), name.replace("_", " "))


def namesake(sense: Sense) -> Iterator[Found]:
    """Find the thing or feat that an activity is called after: roller skating, roller skate.

    Only where the verb has hardly another meaning: everyday verbs share their spelling with much.
    """
    verbs = wordnet.senses(sense.form, "v")
    if len(verbs) > _PLAIN or (sense.synset.pos() == "n" and not sense.form.endswith("ing")):
        return
    bases = dict.fromkeys([sense.form, *(form for form, _ in verbs)])
    for base in bases:
        for form, synset in wordnet.senses(base):
            first = synset.lemma_names()[0].replace("_", " ").lower()
            if form == base == first and synset != sense.synset:
                if kinds.visibility(synset) >= 0.9:
                    yield found(form, synset, f"instrument: namesake of {sense.form}", 0.7)
                    return
                if kinds.is_act(synset):
                    yield found(form, synset, f"namesake of {sense.form}", 0.5)
                    return


def agent(sense: Sense) -> Iterator[Found]:
    """Find the person that the spelling of a verb names: busk, busker."""
    verbs = [form for form, _ in wordnet.senses(sense.form, "v")]
    if not verbs:
        return
    base = sense.form if sense.form in verbs else verbs[0]
    root = base.removesuffix("e")
    for name in (f"{root}er", f"{root}or", f"{base}{base[-1]}er", f"{root}ist"):
        for form, synset in wordnet.senses(name)[:3]:
            if form == name and synset.lexname() == "noun.person":
                yield found(form, synset, f"role: named after {base}", 0.5)
                return


def of_gloss(
    sense: Sense, context: dict[str, float], share: float, examples: bool = False
) -> Iterator[Found]:
    """Find the visible nouns of an act's definition, or of its examples."""
    for synset in _counterparts(sense.synset):
        text = "; ".join(synset.examples()).replace(";", ",") if examples else synset.definition()
        gloss = dict(context)
        for token in glosses.stems(text):
            gloss[token] = max(gloss.get(token, 0.0), glosses.weight(token))
        for phrase, direct in _gloss_nouns(text)[:_GLOSS_NOUNS]:
            chosen = disambiguate.of_word(phrase, gloss)
            if chosen is None or kinds.visibility(chosen.synset) < 0.6 or _general(chosen.synset):
                continue
            near = glosses.similarity(glosses.signature(chosen.synset), gloss)
            score = share * (0.6 + 0.4 * min(near / 0.2, 1.0)) + (0.1 if direct else 0.0)
            yield replace(
                found(
                    chosen.form,
                    chosen.synset,
                    f"{'example' if examples else 'definition'} of {sense.form}",
                    score,
                ),
                runner_up=chosen.runner_up,
                margin=chosen.margin,
            )


@cache
def _gloss_nouns(gloss: str) -> tuple[tuple[str, bool], ...]:
    """List a definition's noun phrases, and whether means or place leads there ("with a bow")."""
    gloss = gloss.partition(";")[0].replace("(", ", ").replace(")", ", ")
    doc = tags.nlp()(gloss)
    words = [token.text.lower() for token in doc]
    taken = [False] * len(words)
    found: list[tuple[int, str, bool]] = []

    def lead(token_at: int) -> bool:
        head = doc[token_at].head
        return head.tag_ == "IN" and head.text.lower() in (
            "with",
            "on",
            "in",
            "by",
            "using",
            "from",
            "through",
        )

    for start, end in wordnet.ngrams(words, 3):
        if any(taken[start:end]) or not all(
            t.tag_[:2] in ("NN", "JJ", "VB") for t in doc[start:end]
        ):
            continue
        if doc[end - 1].tag_[:2] == "NN" and wordnet.senses(" ".join(words[start:end])):
            found.append((start, " ".join(words[start:end]), lead(end - 1)))
            taken[start:end] = [True] * (end - start)
    for at, token in enumerate(doc):
        if not taken[at] and token.tag_ in ("NN", "NNS") and wordnet.senses(words[at]):
            found.append((at, words[at], lead(at)))
    return tuple((phrase, direct) for _, phrase, direct in sorted(found))


def of_domain(sense: Sense, context: dict[str, float]) -> Iterator[Found]:
    """Find the things that WordNet files under an activity as their topic (fencing: foil)."""
    members = [m for act in _counterparts(sense.synset) for m in act.in_topic_domains()]
    ranked = sorted(
        (-round(glosses.similarity(glosses.signature(m), context), 3), m.name(), m)
        for m in members
        if m.pos() == "n" and kinds.visibility(m) >= 0.55
    )
    for near, _, member in ranked[:_DOMAIN_MOST]:
        yield found(first_name(member), member, f"topic {sense.form}", min(0.4 - near, 0.9))


def parts(sense: Sense) -> Iterator[Found]:
    """Find the parts of a thing, its own before those of its kind."""
    parts: list[Synset] = []
    level = [sense.synset]
    for _ in range(3):
        own = [p for s in level for p in s.part_meronyms() if kinds.visibility(p) >= 0.6]
        parts += sorted(own, key=lambda p: -wordnet.commonness(p))
        if len(parts) >= _PARTS_EACH or kinds.kind_of(sense.synset) in ("role", "scene"):
            break
        level = [parent for s in level for parent in s.hypernyms()]
    for rank, part in enumerate(dict.fromkeys(parts[:_PARTS_EACH])):
        yield found(first_name(part), part, f"part of {sense.form}", 0.35 - 0.01 * rank)


def siblings(sense: Sense) -> Iterator[Found]:
    """Find other kinds of what a sense is a kind of, the common ones."""
    kin = [k for parent in sense.synset.hypernyms() for k in parent.hyponyms() if k != sense.synset]
    for sibling in sorted(kin, key=lambda k: -wordnet.commonness(k))[:_PARTS_EACH]:
        if kinds.visibility(sibling) >= 0.55:
            yield found(first_name(sibling), sibling, f"sibling of {sense.form}", 0.2)


def _general(synset: Synset) -> bool:
    return len(synset.hyponyms()) > _TOO_GENERAL or synset.min_depth() < 4


def first_name(synset: Synset) -> str:
    """Return what WordNet calls a synset first, with spaces."""
    return str(synset.lemma_names()[0]).replace("_", " ").lower()


def found(unit: str, synset: Synset, source: str, score: float) -> Found:
    """Make an entity of a synset."""
    return Found(
        unit.lower(),
        synset.name(),
        kinds.kind_of(synset),
        synset.definition(),
        source,
        round(score, 3),
    )


@cache
def synset_of(name: str) -> Synset:
    """Return a synset by its name ("bow.n.04")."""
    return wordnet.reader().synset(name)
