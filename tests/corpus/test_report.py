import csv
import dataclasses
import json
from pathlib import Path

import numpy as np

from corpus import Corpus, expand, report
from corpus.backbone import Backbone
from corpus.labels import load_labels
from corpus.overrides import Overrides
from tests.corpus.conftest import LABELS


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
    assert told.served == {"hand (hand.n.01)": [["HorseRiding"], []]}
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


def test_no_text_is_a_formula_to_a_spreadsheet(corpus: Corpus, tmp_path: Path) -> None:
    update = {"unit": "=1+2", "labels": ("@home", "=3"), "description": "a-b", "margin": -0.1}
    entity = corpus.entities[0].model_copy(update=update)
    few = Corpus([entity], None, corpus.manifest, dict)
    report.export_csv(few, tmp_path / "one.csv")
    with (tmp_path / "one.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert [row[name] for name in update] == ["'=1+2", "'@home; =3", "a-b", "-0.1"]


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
