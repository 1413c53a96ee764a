import csv

import pytest

from corpus import Corpus, report
from corpus.backbone import Backbone
from corpus.overrides import Overrides


def test_corrections_that_change_nothing_are_named(mini: Backbone) -> None:
    lines = (("*", "CELLO", "drop"), ("archery", "knee", "drop"), ("*", "spaceship", "drop"))
    with pytest.warns(UserWarning, match="changes nothing") as told:
        corrected = Corpus.build(["playing cello"], mini, overrides=Overrides(lines))
    assert [str(one.message).split("`")[1] for one in told] == [
        "archery,knee,drop",
        "*,spaceship,drop",
    ]
    assert "cello" not in {entity.unit for entity in corrected.entities}


def test_the_lines_of_a_review_change_one_sense_in_each_label_that_has_it(mini: Backbone) -> None:
    sets = ["shoot bow", "#tying bow", "playing tables", "dining table"]
    reviewed = Corpus.build(sets, mini, siblings=False)
    scopes = set()
    doubts = report.doubts(reviewed)
    for doubt, lines in zip(doubts, report.override_lines(reviewed, doubts), strict=True):
        assert lines
        scopes |= {line.split(",")[0] for line in lines}
        corrections = Overrides(tuple(tuple(row) for row in csv.reader(lines)))  # type: ignore[misc]
        for label, own in reviewed.found.items():
            changed, _ = corrections.apply(label, own)
            for before, after in zip(own, changed, strict=True):
                doubted = before.synset == doubt.synset and before.source != "default"
                assert after.synset == (doubt.runner_up if doubted else before.synset)
    assert {"*", "shoot bow"} <= scopes  # one line for all where the word means nothing else
