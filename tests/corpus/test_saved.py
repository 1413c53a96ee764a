import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from corpus import Corpus
from corpus.backbone import Backbone
from corpus.embed import flat_index
from corpus.errors import BadInput
from corpus.labels import LabelSet
from corpus.manifest import fitting, read_manifest, up_to_date
from corpus.overrides import Overrides
from tests.corpus.conftest import LABELS


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


def test_a_saved_corpus_keeps_the_order_of_its_label_sets(mini: Backbone, tmp_path: Path) -> None:
    sets = [LabelSet("zz", ("HorseRiding",)), LabelSet("aa", ("playing cello",))]
    Corpus.build(sets, mini).save(tmp_path / "two")
    loaded = Corpus.load(tmp_path / "two")
    assert loaded.manifest.label_sets == sets
    assert loaded.is_current
    more = loaded.add_labels(["ironing"], mini)
    assert more.id == Corpus.build([*sets, LabelSet("added", ("ironing",))], mini).id


def test_a_label_with_a_line_separator_is_saved_and_loaded(mini: Backbone, tmp_path: Path) -> None:
    odd = Corpus.build(["play\u2028tabla", "ironing"], mini, body=False)
    odd.save(tmp_path / "odd")
    assert "\u2028" in (tmp_path / "odd" / "entities.jsonl").read_text(encoding="utf-8")
    assert Corpus.load(tmp_path / "odd").entities == odd.entities


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
    for change in ({"schema_version": 99}, {"counts": {}}, wide):
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
