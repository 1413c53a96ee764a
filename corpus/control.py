"""A corpus that knows nothing of its labels: as many entities of each kind, drawn at random.

It is the control that shows what the right entities are worth: same number, same kinds, same
labels that each serves, real nouns of WordNet with their real definitions.
"""

import random
from collections.abc import Sequence

from nltk.corpus.reader.wordnet import Synset

from corpus import glosses, kinds, relations, wordnet
from corpus.build import Entity
from corpus.errors import BadInput

_TRIES = 2_000_000


def randomised(entities: Sequence[Entity], seed: int, template: str) -> list[Entity]:
    """Replace each entity with a random one of its kind that none of them is, each once.

    Args:
        entities: K of them.
        seed: of the draw; the same seed draws the same for the same entities.
        template: of the texts.

    Raises:
        BadInput: WordNet has fewer nouns of a kind than asked for.
    """
    rng = random.Random(seed)
    taken = {entity.synset for entity in entities}
    nouns = glosses.nouns()
    waiting: dict[str, list[Synset]] = {entity.kind: [] for entity in entities}
    drawn = []
    tries = 0
    for entity in entities:
        while not waiting[entity.kind]:
            tries += 1
            if tries > _TRIES:
                raise BadInput("labels", f"need more {entity.kind}s than WordNet has", "give fewer")
            synset = wordnet.reader().synset_from_pos_and_offset("n", rng.choice(nouns).offset)
            if synset.name() in taken or not _is_kind_of_thing(synset):
                continue
            taken.add(synset.name())
            waiting.setdefault(kinds.kind_of(synset), []).append(synset)
        drawn.append(_instead(entity, waiting[entity.kind].pop(), template))
    return sorted(drawn, key=lambda e: (e.kind, e.unit, e.synset or ""))


def _is_kind_of_thing(synset: Synset) -> bool:
    if synset.instance_hypernyms() or synset.lemma_names()[0][0].isupper():
        return False
    return kinds.is_seen(synset) or kinds.is_act(synset)


def _instead(entity: Entity, synset: Synset, template: str) -> Entity:
    unit = relations.first_name(synset)
    description = synset.definition()
    return Entity(
        unit=unit,
        kind=entity.kind,
        synset=synset.name(),
        description=description,
        text=template.format(unit=unit, description=description, kind=entity.kind),
        sources=(f"random: in place of {entity.unit}",),
        labels=entity.labels,
        score=0.0,
    )
