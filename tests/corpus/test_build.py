import ast
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import corpus
from corpus import build as building
from corpus.build import Entity
from corpus.options import Options
from corpus.relations import Found
from corpus.textspace import TextSpace, _probes


def _entity(unit: str, score: float, label: str, text: str = "a ball that is thrown") -> Entity:
    return Entity(
        unit=unit,
        kind="object",
        synset=None,
        description=text,
        text=f"{unit}: {text}",
        sources=(f"label {label}",),
        labels=(label,),
        score=score,
    )


def _found(unit: str, source: str, kind: str = "object", synset: str | None = None) -> Found:
    return Found(unit, synset, kind, "what it is", source, 1.0)


def test_what_every_label_has_keeps_its_name_where_one_label_has_another_for_it() -> None:
    foot = "foot.n.01"
    found = {
        "tickling human foot": [_found("human foot", "label", "body_part", foot)],
        "archery": [_found("foot", "default", "body_part", foot)],
    }
    (entity,) = building.unite(found, Options())
    assert (entity.unit, entity.labels) == ("foot", ())
    assert entity.text.startswith("foot")


def test_an_entity_s_text_is_that_of_its_kind() -> None:
    kinds = {"capoeira": "motion", "learning capoeira": "object", "watching capoeira": "object"}
    found = {label: [_found("capoeira", "label", kind)] for label, kind in kinds.items()}
    options = Options(templates=("{kind} {unit}: {description}",))
    (entity,) = building.unite(found, options)
    assert entity.text == "object capoeira: what it is"
    assert building.prompts(entity, options) == [entity.text]


def test_of_entities_that_say_and_mean_the_same_the_surer_one_stays_with_all_labels() -> None:
    entities = [
        _entity("ball", 0.5, "b"),
        _entity("balls", 0.9, "a"),
        _entity("ball", 0.9, "c", "a dance with an orchestra, of an evening"),
        _entity("ball", 0.1, "d"),
    ]
    unlike = torch.nn.functional.normalize(torch.tensor([1.0, 0.5]), dim=0).tolist()
    rows = np.array([[1, 0], [1, 0], [1, 0], unlike], np.float32)
    left, embeddings = building.merge(entities, rows, above=0.97)
    assert [entity.unit for entity in left] == ["balls", "ball", "ball"]
    assert (left[0].labels, left[0].merged) == (("a", "b"), ("ball",))
    assert left[0].sources == ("label a", "label b")
    assert left[1:] == entities[2:]  # other words, and the same words in another place
    np.testing.assert_array_equal(embeddings, rows[1:])


def test_an_entity_of_every_label_that_takes_in_another_still_serves_every_label() -> None:
    rows = np.array([[1, 0], [1, 0]], np.float32)
    every = _entity("ball", 0.9, "a").model_copy(update={"labels": ()})
    for pair in ([every, _entity("balls", 0.5, "b")], [_entity("balls", 0.95, "b"), every]):
        ((left,), _) = building.merge(pair, rows, above=0.97)
        assert (left.labels, left.sources) == ((), ("label a", "label b"))


def test_entities_of_two_kinds_are_never_one_whatever_they_say() -> None:
    act = _entity("ball", 0.5, "b").model_copy(update={"kind": "motion"})
    both = [_entity("ball", 0.9, "a"), act]
    left, embeddings = building.merge(both, np.array([[1, 0], [1, 0]], np.float32), above=0.97)
    assert left == both
    assert len(embeddings) == 2


@pytest.mark.parametrize(("known", "skill"), [(1.0, 1.0), (0.5, 0.5), (0.2, None)])
def test_a_text_space_has_a_say_if_it_tells_glosses_of_plain_words_apart(
    known: float, skill: float | None
) -> None:
    """A tower that puts so many words where their glosses are, and the others anywhere."""
    at = {}
    for number, (word, gloss) in enumerate(_probes()):
        at[gloss] = number
        at[f"a photo of a {word}."] = number if number < known * len(_probes()) else -1
    count = len(_probes())

    def encode_text(texts: Sequence[str]) -> torch.Tensor:
        rows = torch.eye(count + 1)[[at[text] for text in texts]]
        return rows[:, :count] - rows[:, count:]

    backbone = SimpleNamespace(random=False, encode_text=encode_text)
    space = TextSpace.of(backbone)  # type: ignore[arg-type]
    assert (space and space.skill) == skill
    backbone.random = True
    assert TextSpace.of(backbone) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("cosine", "agreed"), [(0.2, 0), (0.5, 0), (0.63, 0.26), (1, 1)])
def test_a_text_space_agrees_the_more_the_nearer_gloss_and_label_are(
    cosine: float, agreed: float
) -> None:
    at = {"bow: a weapon": [1.0, 0.0], "a photo of shoot bow.": [cosine, (1 - cosine**2) ** 0.5]}
    backbone = SimpleNamespace(encode_text=lambda texts: torch.tensor([at[text] for text in texts]))
    assert TextSpace(backbone, 1.0)("bow: a weapon", "shoot_bow") == agreed  # type: ignore[arg-type]


def test_all_modules_that_a_build_imports_tell_whether_a_corpus_is_current() -> None:
    folder = Path(corpus.__file__).parent
    imported, queue = set(), ["index"]
    while queue:
        name = queue.pop()
        if name in imported or not (folder / f"{name}.py").is_file():
            continue
        imported.add(name)
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "corpus":
                queue += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                queue.append(node.module.removeprefix("corpus."))
    told = {path.stem for path in building.deciding()}
    assert told == imported - {"atomic", "causes", "command", "errors", "manifest", "tally"}
