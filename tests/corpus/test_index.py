import csv
import dataclasses
import hashlib
import json
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
from corpus.embed import embed, flat_index
from corpus.errors import BadInput
from corpus.labels import LabelSet, load_labels
from corpus.manifest import fitting, read_manifest, up_to_date
from corpus.options import Options
from corpus.overrides import Overrides

LABELS = ["playing cello", "HorseRiding", "mopping floor", "PlayingTabla"]


@pytest.fixture(scope="module")
def corpus(mini: Backbone) -> Corpus:
    return Corpus.build(LABELS, mini)


@pytest.fixture(scope="module")
def saved(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora") / "small"
    corpus.save(folder)
    return folder


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


def test_building_again_gives_the_same_bytes(corpus: Corpus, saved: Path, mini: Backbone) -> None:
    again = Corpus.build(LABELS, mini)
    assert again.id == corpus.id
    other = saved.parent / "again"
    again.save(other)
    for name in ("entities.jsonl", "index.faiss", "labels.jsonl", "corpus.json"):
        assert (other / name).read_bytes() == (saved / name).read_bytes()


def test_a_saved_corpus_is_loaded_as_it_was(corpus: Corpus, saved: Path) -> None:
    loaded = Corpus.load(saved)
    assert loaded.entities == corpus.entities
    np.testing.assert_array_equal(loaded.embeddings, corpus.embeddings)


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


def test_a_saved_corpus_keeps_the_order_of_its_label_sets(mini: Backbone, tmp_path: Path) -> None:
    sets = [LabelSet("zz", ("HorseRiding",)), LabelSet("aa", ("playing cello",))]
    Corpus.build(sets, mini).save(tmp_path / "two")
    loaded = Corpus.load(tmp_path / "two")
    assert loaded.manifest.label_sets == sets
    assert loaded.is_current
    more = loaded.add_labels(["ironing"], mini)
    assert more.id == Corpus.build([*sets, LabelSet("added", ("ironing",))], mini).id


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


def test_a_label_with_a_line_separator_is_saved_and_loaded(mini: Backbone, tmp_path: Path) -> None:
    odd = Corpus.build(["play\u2028tabla", "ironing"], mini, body=False)
    odd.save(tmp_path / "odd")
    assert "\u2028" in (tmp_path / "odd" / "entities.jsonl").read_text(encoding="utf-8")
    assert Corpus.load(tmp_path / "odd").entities == odd.entities


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


@pytest.mark.parametrize("name", ["entities.jsonl", "index.faiss", "labels.jsonl"])
def test_a_changed_file_is_noticed(saved: Path, tmp_path: Path, name: str) -> None:
    for path in saved.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes((saved / name).read_bytes()[:-9])
    with pytest.raises(BadInput, match=f"{name} was changed"):
        Corpus.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(BadInput, match=f"lacks {name}"):
        Corpus.load(tmp_path)


def test_a_damaged_corpus_is_not_up_to_date(saved: Path, tmp_path: Path) -> None:
    for path in saved.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    made = read_manifest(saved)
    assert up_to_date(tmp_path, made.inputs) == made
    assert up_to_date(tmp_path, "0" * 32) is None
    (tmp_path / "entities.jsonl").write_bytes((saved / "entities.jsonl").read_bytes()[:-9])
    assert up_to_date(tmp_path, made.inputs) is None


def rehashed(saved: Path, folder: Path, name: str, content: bytes) -> Path:
    """A copy of a corpus in which a file is another, and the manifest says so."""
    for path in saved.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / name).write_bytes(content)
    made = json.loads((folder / "corpus.json").read_text())
    made["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / "corpus.json").write_text(json.dumps(made))
    return folder


@pytest.mark.parametrize("kind", ["LSH", "HNSW8,Flat", "IDMap,Flat", "Flat"])
def test_an_index_of_another_kind_is_refused_before_it_can_end_the_process(
    saved: Path, tmp_path: Path, corpus: Corpus, kind: str
) -> None:
    import faiss

    index = faiss.index_factory(corpus.manifest.dim, kind, faiss.METRIC_L2)
    if kind == "IDMap,Flat":
        index.add_with_ids(corpus.embeddings, np.arange(len(corpus.entities)) + 10**9)
    else:
        index.add(corpus.embeddings)
    rehashed(saved, tmp_path, "index.faiss", faiss.serialize_index(index).tobytes())
    with pytest.raises(BadInput, match=r"has an index\.faiss of another kind"):
        Corpus.load(tmp_path)


@pytest.mark.parametrize(("fewer", "narrower"), [(1, 0), (0, 8)])
def test_an_index_that_is_of_other_entities_is_refused(
    saved: Path, tmp_path: Path, corpus: Corpus, fewer: int, narrower: int
) -> None:
    import faiss

    rows, size = corpus.embeddings.shape
    other = flat_index(corpus.embeddings[: rows - fewer, : size - narrower])
    rehashed(saved, tmp_path, "index.faiss", faiss.serialize_index(other).tobytes())
    with pytest.raises(BadInput, match="has an index that does not fit its entities"):
        Corpus.load(tmp_path)


@pytest.mark.parametrize("size", [25, 31, 44])
def test_an_index_that_was_cut_is_refused_before_it_can_end_the_process(
    saved: Path, tmp_path: Path, size: int
) -> None:
    index = (saved / "index.faiss").read_bytes()[:size]
    with pytest.raises(BadInput, match=r"has an index\.faiss of another kind"):
        Corpus.load(rehashed(saved, tmp_path, "index.faiss", index))


@pytest.mark.parametrize(
    "text",
    [
        "",
        '["no label of it", []]\n',
        "[" * 100_000 + "\n",
        '["a", [["unit", null, "object", "what", 0.5, 1.0]]]\n',
        '["a", [[[], null, "object", "what", "label", 1.0, null, 1.0]]]\n',
    ],
)
def test_what_was_found_is_of_the_corpus_s_own_labels(
    saved: Path, tmp_path: Path, text: str
) -> None:
    corpus = Corpus.load(rehashed(saved, tmp_path, "labels.jsonl", text.encode()))
    with pytest.raises(BadInput, match=r"labels\.jsonl (is not of its labels|cannot be read)"):
        _ = corpus.found


def test_a_broken_manifest_is_noticed(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus.json").write_text('{"id": 3')
    with pytest.raises(BadInput, match="of another version, or a broken one"):
        Corpus.load(tmp_path)
    made = json.loads((saved / "corpus.json").read_text())
    wide = {"options": made["options"] | {"templates": ["{unit:>9999999999}"]}}
    for change in ({"schema_version": 99}, wide):
        (tmp_path / "corpus.json").write_text(json.dumps(made | change))
        with pytest.raises(BadInput, match="of another version, or a broken one"):
            Corpus.load(tmp_path)
    with pytest.raises(BadInput, match="is no corpus"):
        Corpus.load(tmp_path / "nowhere")


def test_a_folder_of_other_things_is_never_replaced(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInput, match="no corpus"):
        corpus.save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("name", ["overrides.txt", "src"])
def test_what_a_person_keeps_beside_a_corpus_is_never_removed(
    corpus: Corpus, tmp_path: Path, name: str
) -> None:
    corpus.save(tmp_path / "c")
    (tmp_path / "c" / name).mkdir()
    with pytest.raises(BadInput, match=rf"no corpus \({name}\); move it"):
        corpus.save(tmp_path / "c")
    (tmp_path / "c" / name).rmdir()
    corpus.save(tmp_path / "c")


def test_a_file_of_anything_else_called_corpus_json_is_never_replaced(
    corpus: Corpus, tmp_path: Path
) -> None:
    for _ in range(2):
        for other in ('{"documents": 3}', "[" * 100_000):
            (tmp_path / "corpus.json").write_text(other)
            with pytest.raises(BadInput, match="no corpus"):
                corpus.save(tmp_path)
        (tmp_path / "index.faiss").write_text("of another program")


def test_the_current_folder_never_becomes_a_corpus(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="is the current folder"):
        corpus.save(Path())


def test_labels_are_read_of_the_corpus_that_was_opened_and_of_no_later_one(
    corpus: Corpus, mini: Backbone, tmp_path: Path
) -> None:
    corpus.save(tmp_path / "c")
    opened = Corpus.load(tmp_path / "c")
    Corpus.build(["archery"], mini).save(tmp_path / "c")
    with pytest.raises(BadInput, match="was replaced since"):
        _ = opened.found


def test_a_draft_of_a_corpus_fits_nobody(corpus: Corpus, mini: Backbone, tmp_path: Path) -> None:
    corpus.save(tmp_path / ".mine.abc")
    assert fitting(LABELS, mini.fingerprint, tmp_path) is None


def test_the_fitting_corpus_covers_the_labels_and_shares_the_backbone(
    corpus: Corpus, saved: Path, mini: Backbone
) -> None:
    Corpus.build(["HorseRiding"], mini).save(saved.parent / "the smallest")
    assert fitting(["HorseRiding"], mini.fingerprint, saved.parent) == saved.parent / "the smallest"
    large = fitting(["HorseRiding", "playing cello"], mini.fingerprint, saved.parent)
    assert large in (saved, saved.parent / "again")
    assert fitting(["flying"], mini.fingerprint, saved.parent) is None
    assert fitting(["HorseRiding"], "0" * 32, saved.parent) is None


def test_a_corpus_of_other_options_or_of_older_rules_fits_nobody_who_does_not_name_it(
    corpus: Corpus, mini: Backbone, tmp_path: Path
) -> None:
    corrections = Overrides((("*", "cello", "guitar.n.01"),))
    Corpus.build(LABELS, mini, body=False).save(tmp_path / "bare")
    assert fitting(LABELS, mini.fingerprint, tmp_path) is None
    Corpus.build(LABELS, mini, overrides=corrections).save(tmp_path / "corrected")
    assert fitting(LABELS, mini.fingerprint, tmp_path) == tmp_path / "corrected"
    stale = Corpus.load(tmp_path / "corrected")
    stale.manifest.inputs = "0" * 32
    stale.save(tmp_path / "corrected")
    assert fitting(LABELS, mini.fingerprint, tmp_path) is None


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


def test_reports_name_doubts_differences_and_sizes(
    corpus: Corpus, mini: Backbone, tmp_path: Path
) -> None:
    decided = [entity for entity in corpus.entities if entity.runner_up]
    assert len(decided) > 5
    assert report.doubts(corpus, 5) == sorted(decided, key=lambda e: (e.margin, e.unit))[:5]
    smaller = Corpus.build(LABELS[1:], mini)
    changes = report.difference(corpus, smaller)
    assert changes.options == {}
    other = Corpus.build(LABELS, mini, templates=("a {unit}",))
    asked = report.difference(corpus, other).options
    assert {name: values[1] for name, values in asked.items()} == {"templates": '["a {unit}"]'}
    assert changes.labels_removed == ["playing cello"]
    assert any(item.startswith("cello (") for item in changes.removed)
    assert changes.backbone == changes.added == changes.labels_added == []
    assert changes.served == {}  # of the labels that both have
    back = report.difference(smaller, corpus)
    assert (back.added, back.labels_added) == (changes.removed, ["playing cello"])
    assert back.removed == back.labels_removed == []
    corrected = Corpus.build(LABELS, mini, overrides=Overrides((("*", "cello", "guitar.n.01"),)))
    told = report.difference(corpus, corrected)
    assert told.changed["cello"] == ["cello.n.01", "guitar.n.01"]
    assert (told.corrections_added, told.corrections_removed) == (["*,cello,guitar.n.01"], [])
    dropped = Corpus.build(LABELS, mini, overrides=Overrides((("HorseRiding", "hand", "drop"),)))
    told = report.difference(corpus, dropped)
    assert told.added == told.removed == []
    every = "; ".join(sorted(LABELS))
    fewer = "; ".join(sorted(set(LABELS) - {"HorseRiding"}))
    assert told.served == {"hand (hand.n.01)": [every, fewer]}
    stranger = Corpus.build(LABELS[:1], dataclasses.replace(mini, name="b/c", fingerprint="0" * 32))
    assert report.difference(corpus, stranger).backbone == [mini.name, "b/c"]
    report.export_csv(corpus, tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["unit"], row["synset"], row["labels"]) for row in rows] == [
        (e.unit, e.synset or "", "; ".join(e.labels)) for e in corpus.entities
    ]
    report.plot(corpus, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    facts = report.stats(corpus)
    assert facts["label_sets"] == {"labels": 4}
    sizes = sorted(report.entities_per_label(corpus).values())
    median = (sizes[1] + sizes[2]) / 2
    assert facts["entities_per_label"] == {"least": sizes[0], "median": median, "most": sizes[3]}
    assert facts["sources"]["label"] == sum("label" in e.sources for e in corpus.entities)
    json.dumps(facts)


def test_a_picture_shows_the_two_axes_along_which_entities_differ_most() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 4)) * (0.1, 3, 0.2, 1) + 5
    points = report.plane(rows)
    kept = (rows - rows.mean(0))[:, [1, 3]]
    for axis in (0, 1):
        cosine = np.corrcoef(points[:, axis], kept[:, axis])[0, 1]
        assert abs(cosine) > 0.99


def test_sources_are_of_few_kinds() -> None:
    found = [f for label in load_labels("ucf101")[0].labels[:40] for f in expand.entities(label)]
    kinds_of_source = {report.category(one.source) for one in found}
    assert kinds_of_source <= {
        *("default", "definition", "example", "instrument", "label", "label (not in WordNet)"),
        *("part", "plant", "role", "scene", "short name", "topic"),
    }
    assert {"definition", "part", "short name", "topic"} <= kinds_of_source
    assert report.category("default, override") == report.category("override") == "override"
    assert report.category("apple is gathered of it") == "plant"


def test_what_every_label_has_stays_that_when_it_is_corrected(mini: Backbone) -> None:
    corrections = Overrides(tuple(("*", unit, "bow.n.04") for unit in ("hand", "knee")))
    plain, corrected = (
        Corpus.build(["something"], mini, overrides=given) for given in (None, corrections)
    )
    assert "bow.n.04" in {entity.synset for entity in corrected.entities}
    assert report.entities_per_label(plain) == report.entities_per_label(corrected)
    assert plain.manifest.thin == corrected.manifest.thin == ["something"]


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
