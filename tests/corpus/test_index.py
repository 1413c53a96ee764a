import hashlib
import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from corpus import Corpus, expand, kinds, report, wordnet
from corpus import build as building
from corpus.backbone import Backbone, load
from corpus.build import Entity
from corpus.embed import embed
from corpus.errors import BadInput
from corpus.labels import LabelSet, load_labels
from corpus.options import Options
from corpus.overrides import Overrides
from tests.corpus.conftest import LABELS


def test_a_corpus_has_a_unit_row_for_each_entity(corpus: Corpus) -> None:
    assert corpus.embeddings.shape == (len(corpus.entities), corpus.manifest.dim)
    assert corpus.embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(corpus.embeddings, axis=1), 1, atol=1e-5)


def test_a_text_counts_as_truncated_from_one_token_more_than_there_is_room_for(
    corpus: Corpus, mini: Backbone
) -> None:
    def described(words: int) -> Entity:
        return corpus.entities[0].model_copy(update={"unit": " ".join(["a"] * words)})

    options = Options(templates=("{unit}",))
    room = mini.context_length - mini.token_counts([""])[0]
    for words, truncated in ((room, 0), (room + 1, 1)):
        rows, count = embed([described(words)], options, mini, {}, lambda *_: None)
        assert (rows.shape, count) == ((1, mini.dim), truncated)


def test_each_sense_is_one_entity_that_names_its_labels(corpus: Corpus) -> None:
    senses = [entity.synset for entity in corpus.entities if entity.synset]
    assert len(senses) == len(set(senses))
    (cello,) = [entity for entity in corpus.entities if entity.unit == "cello"]
    assert cello.labels == ("playing cello",)
    assert cello.text == f"cello: {cello.description}"


def test_search_equals_brute_force(corpus: Corpus, saved: Path, mini: Backbone) -> None:
    queries = np.random.default_rng(0).normal(size=(5, corpus.manifest.dim)).astype(np.float32)
    rows, scores = Corpus.load(saved).nearest(queries, 7)
    cosines = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ corpus.embeddings.T
    np.testing.assert_allclose(scores, -np.sort(-cosines, 1)[:, :7], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(cosines, rows, 1), scores, atol=1e-5)


def test_a_text_finds_its_own_entity_first(corpus: Corpus, mini: Backbone) -> None:
    entity, score = corpus.search(corpus.entities[3].text, top=1, backbone=mini)[0]
    assert entity == corpus.entities[3]
    assert score == pytest.approx(1, abs=1e-5)


def test_adding_labels_equals_building_from_all_and_embeds_only_new_texts(
    corpus: Corpus, mini: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    encode = Backbone.encode_text
    monkeypatch.setattr(
        Backbone,
        "encode_text",
        lambda self, texts, batch_size=256: asked.extend(texts) or encode(self, texts, batch_size),
    )
    more = corpus.add_labels(["ironing", "HorseRiding"], mini)
    old = {entity.text for entity in corpus.entities}
    assert asked
    assert not old & set(asked)
    assert [group.name for group in more.manifest.label_sets] == ["labels", "added"]
    assert {e.text for e in more.entities} == old | set(asked)
    assert corpus.add_labels([" HorseRiding "], mini) is corpus
    with pytest.raises(BadInput, match="labels: are one text; give a list"):
        corpus.add_labels("ironing", mini)


def test_adding_labels_reads_only_those_and_equals_building_from_both_sets(
    saved: Path, mini: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    entities = expand.entities
    monkeypatch.setattr(
        expand, "entities", lambda label, *rest: read.append(label) or entities(label, *rest)
    )
    loaded = Corpus.load(saved)
    assert loaded.is_current
    more = loaded.add_labels(["ironing"], mini)
    assert read == ["ironing"]
    whole = Corpus.build([LabelSet("labels", tuple(LABELS)), LabelSet("added", ("ironing",))], mini)
    assert whole.id == more.id
    assert whole.entities == more.entities
    np.testing.assert_allclose(whole.embeddings, more.embeddings, atol=1e-6)


def test_adding_labels_keeps_the_options_and_a_person_s_corrections(mini: Backbone) -> None:
    corrections = Overrides((("*", "cello", "guitar.n.01"),))
    small = Corpus.build(["playing cello"], mini, overrides=corrections, body=False, cap=3)
    more = small.add_labels(["playing tabla"], mini)
    assert more.manifest.options == small.manifest.options
    assert more.manifest.overrides == list(corrections.lines)
    senses = {entity.unit: entity.synset for entity in more.entities}
    assert senses["cello"] == "guitar.n.01"
    assert "tabla" in senses
    assert "knee" not in senses


def test_two_label_sets_of_one_name_are_refused(mini: Backbone) -> None:
    with pytest.raises(BadInput, match="a: is the name of 2 label sets"):
        Corpus.build([LabelSet("a", ("ironing",)), LabelSet("a", ("flying kite",))], mini)


def test_embeddings_are_taken_over_from_the_same_backbone_and_templates_only(
    corpus: Corpus, mini: Backbone
) -> None:
    templates = ("{unit}: {description}", "a photo of a {unit}.")
    plain = Corpus.build(LABELS, mini, templates=templates)
    again = Corpus.build(LABELS, mini, templates=templates, reuse=corpus)
    assert again.id == plain.id
    np.testing.assert_allclose(again.embeddings, plain.embeddings, atol=1e-6)
    with pytest.warns(UserWarning, match="RANDOM"):
        other = load("alt-mini", "none", seed=1)
    with pytest.raises(BadInput, match="was embedded by"):
        Corpus.build(LABELS, other, reuse=corpus)


def test_what_was_found_is_taken_over_only_where_it_would_be_found_again(
    mini: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Corpus.build(["playing cello"], mini)
    read: list[str] = []
    entities = expand.entities
    monkeypatch.setattr(
        expand, "entities", lambda label, *rest: read.append(label) or entities(label, *rest)
    )
    Corpus.build(["playing cello"], mini, reuse=before)
    assert read == []
    bare = Corpus.build(["playing cello"], mini, reuse=before, body=False)
    assert "knee" not in bare.found["playing cello"]
    corrections = Overrides((("*", "cello", "guitar.n.01"),))
    corrected = Corpus.build(["playing cello"], mini, reuse=before, overrides=corrections)
    assert {e.unit: e.synset for e in corrected.entities}["cello"] == "guitar.n.01"
    before.manifest.inputs = "of older rules"
    Corpus.build(["playing cello"], mini, reuse=before)
    assert read == ["playing cello"] * 3


def test_an_entity_serves_all_labels_only_where_each_has_it(mini: Backbone) -> None:
    corrected = Corpus.build(LABELS, mini, overrides=Overrides((("PlayingTabla", "knee", "drop"),)))
    served = {entity.unit: entity.labels for entity in corrected.entities}
    assert served["knee"] == ("HorseRiding", "mopping floor", "playing cello")
    assert served["person"] == ()
    assert report.entities_per_label(corrected)["HorseRiding"] == sum(
        "HorseRiding" in labels for unit, labels in served.items() if unit != "knee"
    )


def test_other_files_of_wordnet_make_a_corpus_stale(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert corpus.is_current
    for path in wordnet.folder().iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "cntlist.rev").unlink()
    (tmp_path / "cntlist.rev").write_text("")
    monkeypatch.setattr(wordnet, "folder", lambda: tmp_path)
    other = wordnet.digest.__wrapped__()
    monkeypatch.setattr(wordnet, "digest", lambda: other)
    monkeypatch.setattr(building, "versions", building.versions.__wrapped__)
    assert not corpus.is_current


def test_no_hash_seed_and_no_locale_changes_the_corpus(corpus: Corpus) -> None:
    code = f"""
        import hashlib, warnings
        warnings.simplefilter("ignore")
        from corpus import Corpus
        from corpus.backbone import load
        made = Corpus.build({LABELS!r}, load("alt-mini", "none"))
        print(made.id, hashlib.sha256(repr((made.entities, made.found)).encode()).hexdigest())
    """
    no_utf8 = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # else Python reads C as UTF-8
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"PYTHONHASHSEED": "1", "LC_ALL": "C"} | no_utf8,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # Of this process, whose hash seed and locale are others.
    whole = hashlib.sha256(repr((corpus.entities, corpus.found)).encode()).hexdigest()
    assert found == f"{corpus.id} {whole}"


def test_the_corpus_of_hmdb51_has_the_same_id_on_every_machine() -> None:
    # Whoever changes what a corpus holds, or the bundled weights, puts the new id here.
    (hmdb51,) = load_labels("hmdb51")
    assert Corpus.build([hmdb51], load("alt-mini")).id == "997f4ef87c886ac864db11d6d6a53a68"


@pytest.mark.parametrize(
    "labels", [["弹吉他", "🎸🎸"], ['<b>playing</b> "cello"'], ["playing cello " * 150]]
)
def test_odd_labels_make_a_corpus_that_is_kept_under_them(
    mini: Backbone, labels: list[str]
) -> None:
    odd = Corpus.build(labels, mini)
    assert list(odd.manifest.label_sets[0].labels) == [label.strip() for label in labels]
    assert odd.entities


def test_labels_that_differ_in_case_only_and_empty_lists_are_refused(mini: Backbone) -> None:
    with pytest.raises(BadInput, match="labels 1 and 2 are the same, 'Archery' and 'archery'"):
        Corpus.build(["Archery", "archery"], mini)
    with pytest.raises(BadInput, match="no label"):
        Corpus.build([], mini)


def test_labels_that_name_nothing_by_themselves_are_to_be_expanded(mini: Backbone) -> None:
    bare = {name: False for name in ("instruments", "scenes", "roles", "body")}
    told = (
        "give no entity; check .*, or expand them: without instruments, scenes, roles, body, none"
    )
    with pytest.raises(BadInput, match=told):
        Corpus.build(["jumping", "walking"], mini, **bare)


def test_a_corpus_of_another_backbone_is_refused(corpus: Corpus) -> None:
    with pytest.warns(UserWarning, match="RANDOM"):
        other = load("alt-mini", "none", seed=1)
    with pytest.raises(BadInput, match="was embedded by"):
        corpus.search("horse", backbone=other)
    with pytest.raises(BadInput, match="was embedded by"):
        corpus.add_labels(["ironing"], other)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"cap": 0}, "option cap"),
        ({"colour": True}, "option colour"),
        (
            {"templates": ("a {thing}",)},
            r"--template 'a \{thing\}': has an unknown field \{thing\}",
        ),
        ({"templates": ("{unit.x}",)}, r"has an unknown field \{unit.x\}"),
        ({"templates": ("{unit} {}",)}, r"has an unknown field \{\}"),
        ({"templates": ("{unit:d}",)}, r"formats its field \{unit\}"),
        ({"templates": ("{unit!r}",)}, r"formats its field \{unit\}"),
        ({"templates": ("{unit",)}, "--template '{unit': cannot be read"),
        ({"templates": ("a photo",)}, "does not name {unit}"),
        ({"templates": ("{{unit}}",)}, "does not name {unit}"),
    ],
)
def test_options_that_make_no_sense_are_named(
    mini: Backbone, given: dict[str, object], names: str
) -> None:
    with pytest.raises(BadInput, match=names):
        Corpus.build(LABELS, mini, **given)


def test_a_random_corpus_is_as_large_and_knows_nothing_of_the_labels(
    corpus: Corpus, mini: Backbone
) -> None:
    drawn = Corpus.build(LABELS, mini, random_entities=1)
    assert Counter(e.kind for e in drawn.entities) == Counter(e.kind for e in corpus.entities)
    assert Counter(e.labels for e in drawn.entities) == Counter(e.labels for e in corpus.entities)
    senses = {entity.synset for entity in drawn.entities}
    assert len(senses) == len(drawn.entities)
    assert senses.isdisjoint({entity.synset for entity in corpus.entities})
    assert all(entity.sources[0].startswith("random") for entity in drawn.entities)
    for entity in drawn.entities:
        assert kinds.kind_of(wordnet.reader().synset(entity.synset)) == entity.kind
    assert Corpus.build(LABELS, mini, random_entities=1).id == drawn.id
    assert Corpus.build(LABELS, mini, random_entities=2).id != drawn.id


def test_first_senses_are_wordnet_s_own(mini: Backbone) -> None:
    label = ["shoot bow"]
    chosen, first = (Corpus.build(label, mini, first_sense=value) for value in (False, True))
    senses = [{e.unit: e.synset for e in corpus.entities}["bow"] for corpus in (chosen, first)]
    assert senses == ["bow.n.04", "bow.n.01"]


def test_a_corpus_is_built_and_searched_in_three_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("playing cello\n")
    corpus = Corpus.build(str(path), "alt-mini/none")
    assert corpus.manifest.label_sets == [LabelSet("mine", ("playing cello",))]
    assert corpus.search(corpus.entities[0].text, top=1)[0][0] == corpus.entities[0]
    corpus.save(str(tmp_path / "saved"))
    assert Corpus.load(str(tmp_path / "saved")).id == corpus.id


def test_queries_of_any_length_but_zero_are_searched(corpus: Corpus) -> None:
    vector = corpus.embeddings[3]
    for factor in (1e-30, 1.0, 1e30):
        (best, score), *_ = corpus.search(vector * np.float32(factor), top=2)
        assert best == corpus.entities[3]
        assert score == pytest.approx(1, abs=1e-5)
    for query in (np.zeros_like(vector), vector * np.nan, vector * np.inf, vector[:5]):
        with pytest.raises(BadInput, match="query: "):
            corpus.search(query)
    with pytest.raises(BadInput, match="top: is 0; ask for one or more"):
        corpus.search(vector, top=0)


def test_templates_are_averaged(mini: Backbone) -> None:
    templates = ("{unit}: {description}", "a photo of a {unit}.")
    corpus = Corpus.build(["PlayingCello"], mini, templates=templates, body=False)
    at = [entity.unit for entity in corpus.entities].index("cello")
    entity = corpus.entities[at]
    mean = mini.encode_text([entity.text, "a photo of a cello."]).numpy().mean(0)
    np.testing.assert_allclose(corpus.embeddings[at], mean / np.linalg.norm(mean), atol=1e-5)


def test_no_entity_is_its_own_runner_up() -> None:
    for label in ("BaseballPitch", "Basketball", "BasketballDunk", "JumpRope"):
        for one in expand.entities(label):
            assert one.synset is None or one.runner_up != one.synset, label


def test_a_million_entities_are_searched_without_taking_them_into_memory(tmp_path: Path) -> None:
    import faiss

    rng = np.random.default_rng(0)
    dim, count, block = 16, 1_000_000, 100_000
    index = faiss.IndexFlatIP(dim)
    for _ in range(count // block):
        rows = rng.normal(size=(block, dim)).astype(np.float32)
        index.add(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    faiss.write_index(index, str(tmp_path / "index.faiss"))
    probe = index.reconstruct(765_432)
    np.save(tmp_path / "probe.npy", probe)
    (tmp_path / "entities.jsonl").write_text("\n" * count)  # words are no part of this
    # Anonymous memory is limited to less than the vectors take: they are read from the file.
    code = f"""
        import resource
        from pathlib import Path
        from types import SimpleNamespace
        import faiss, numpy as np
        from corpus import index
        index.read_manifest = lambda folder: SimpleNamespace(dim={dim})
        index.verify = lambda folder, manifest: None
        index.Entity = SimpleNamespace(model_validate_json=lambda line: line)
        probe = np.load({str(tmp_path / "probe.npy")!r})
        faiss.omp_set_num_threads(1)
        limit = 48 * 2**20
        used = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (used + limit, used + limit))
        corpus = index.Corpus.load(Path({str(tmp_path)!r}))
        rows, scores = corpus.nearest(probe[None], 3)
        print(rows[0, 0], len(corpus.entities))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["765432", "1000000"], done.stderr[-500:]
