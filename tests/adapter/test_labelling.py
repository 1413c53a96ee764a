from pathlib import Path

import pytest
import torch

from adapter.data import open_clips
from adapter.labelling import Vocabulary
from adapter.text import label_text
from corpus.backbone import Backbone
from corpus.errors import BadInput

TRAINED = ("archery", "hugging", "singing", "cleaning pool")
PROMPTS = ("{} outdoors", "someone {}")


def closed() -> Backbone:
    raise AssertionError("the backbone was opened")


def vocabulary(mini: Backbone, opens: bool = True) -> Vocabulary:
    text = label_text(TRAINED, mini, PROMPTS)
    return Vocabulary(TRAINED, text, PROMPTS, lambda: mini if opens else closed())


def test_label_text_is_the_normalised_mean_over_prompts_of_label_and_predicate(mini) -> None:
    text = label_text(["HorseRiding", "archery"], mini, ["{}", "a video of {}"])
    said = ["horse riding", "riding", "archery", "archery"]
    rows = mini.encode_text(said) + mini.encode_text([f"a video of {words}" for words in said])
    rows = torch.nn.functional.normalize(rows, dim=-1)
    torch.testing.assert_close(text, rows.unflatten(0, (2, 2)))


def test_a_prompt_without_a_place_for_the_label_is_refused(mini: Backbone) -> None:
    with pytest.raises(BadInput, match="has not exactly one"):
        label_text(["archery"], mini, ["a video"])
    with pytest.raises(BadInput, match="prompts: are none"):
        label_text(["archery"], mini, [])


def test_the_labels_trained_on_serve_whenever_they_cover_the_clips(mini, write_cache) -> None:
    covered = open_clips([write_cache(classes=("Hugging", "CleaningPool"))])
    more = open_clips([write_cache("more.h5", classes=("Hugging", "yoga"))])
    hugs = more.subset((more.labels == 0).nonzero()[:, 0])  # of yoga there is no clip
    for clips in (covered, hugs):
        chosen = vocabulary(mini, opens=False).choose(clips=clips)
        assert (chosen.names, chosen.source, chosen.new) == (TRAINED, "run", 0)


def test_clips_of_other_classes_open_the_vocabulary_to_theirs(mini, write_cache) -> None:
    clips = open_clips([write_cache(classes=("yoga", "hugging", "zumba"))])
    yoga = clips.subset((clips.labels == 0).nonzero()[:, 0])
    for some in (clips, yoga):  # to all of theirs, whichever have a clip
        chosen = vocabulary(mini).choose(clips=some)
        assert (chosen.names, chosen.source, chosen.new) == (
            ("yoga", "hugging", "zumba"),
            "features",
            2,
        )
    torch.testing.assert_close(chosen.text, label_text(chosen.names, mini, PROMPTS))


def test_a_file_of_labels_decides_and_spares_the_backbone_when_none_is_new(
    mini: Backbone, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("Singing\narchery\n")
    chosen = vocabulary(mini, opens=False).choose(tmp_path / "mine.txt")
    assert (chosen.names, chosen.new) == (("Singing", "archery"), 0)
    assert torch.equal(chosen.text, label_text(TRAINED, mini, PROMPTS)[[2, 0]])


def test_labels_may_be_given_as_they_are(mini: Backbone) -> None:
    chosen = vocabulary(mini, opens=False).choose([" Singing", "archery"])
    assert (chosen.names, chosen.source) == (("Singing", "archery"), "labels")
    assert torch.equal(chosen.text, label_text(TRAINED, mini, PROMPTS)[[2, 0]])
    with pytest.raises(BadInput, match="labels: holds no label"):
        vocabulary(mini).choose([])


def test_a_labelling_is_known_by_its_names_and_their_order(mini: Backbone) -> None:
    given = (["archery", "singing"], ["singing", "archery"], ["archery"], ["a", "b"], ["ab"])
    assert len({vocabulary(mini).choose(names).hash for names in given}) == len(given)


def test_labels_that_read_the_same_are_refused(mini: Backbone, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("horse_riding\nHorseRiding\n")
    with pytest.raises(BadInput, match="two labels read"):
        vocabulary(mini).choose(tmp_path / "mine.txt")
