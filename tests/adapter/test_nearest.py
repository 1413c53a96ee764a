import errno
import os
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from adapter import nearest as looking_up
from adapter.align import Align
from adapter.baselines import build
from adapter.data import open_clips
from adapter.model import ModelConfig
from adapter.nearest import as_read, nearest, with_nearest
from adapter.train import TrainConfig, train
from corpus.errors import BadInput

FROZEN = ModelConfig(project=False, top_k=4)


@pytest.fixture
def task(write_cache, make_task, mini):
    return make_task(open_clips([write_cache(noise=6, backbone=mini, views="1x2")]))


def test_what_was_looked_up_is_what_alignment_would_find(task) -> None:
    items = torch.tensor([3, 0, 30])
    (batch, _), (whole, _) = as_read(task, FROZEN).fetch(items), task.clips.fetch(items)
    align = Align(task.entities, scale=100.0, top_k=4, project=False).eval()
    found = align(batch.regions.float(), batch.nearest, batch.cosine)
    plain = align(whole.regions.float())
    assert torch.equal(found.entity, plain.entity)
    assert found.text is plain.text is None  # words as they are
    torch.testing.assert_close(found.similarity, plain.similarity, atol=1e-3, rtol=0)
    cosines, entities = nearest(whole.regions, task.entities, 4)
    assert torch.equal(batch.nearest, entities)
    torch.testing.assert_close(batch.cosine, cosines, atol=1e-3, rtol=0)


def test_the_choice_among_what_was_looked_up_stays_stochastic(task) -> None:
    batch, _ = as_read(task, FROZEN).fetch(torch.arange(8))
    align = Align(task.entities, scale=3.0, top_k=4, explore=True).train()
    choices = {
        tuple(align(batch.regions.float(), batch.nearest, batch.cosine).entity.flatten().tolist())
        for _ in range(3)
    }
    assert len(choices) == 3


def test_alignment_is_looked_up_once_for_the_same_features_corpus_and_k(task, tmp_path) -> None:
    told: list[tuple[int, int]] = []
    as_read(task, FROZEN, tally=lambda *batches: told.append(batches))
    (path,) = tmp_path.glob("*.nearest-*.npy")
    made = path.stat().st_mtime_ns
    assert told == [(0, 1), (1, 1)]  # its only batch
    some = replace(task, clips=task.clips.subset([2, 0]))
    for of in (task, some):
        as_read(of, FROZEN, tally=lambda *batches: told.append(batches))
    assert (path.stat().st_mtime_ns, len(told)) == (made, 2)
    as_read(task, FROZEN.model_copy(update={"top_k": 99}))  # of forty
    assert len(list(tmp_path.glob("*.nearest-*.npy"))) == 2
    lasts = {np.load(file, allow_pickle=False).shape[-1] for file in tmp_path.glob("*.npy")}
    assert lasts == {4, 40}
    turned = replace(task.corpus, id="f" * 16, embeddings=task.corpus.embeddings[::-1].copy())
    items = torch.arange(8)
    mine, _ = as_read(task, FROZEN).fetch(items)
    other, _ = as_read(replace(task, corpus=turned), FROZEN).fetch(items)
    assert len(list(tmp_path.glob("*.nearest-*.npy"))) == 3
    assert torch.equal(other.nearest, 39 - mine.nearest)


@pytest.mark.parametrize(
    "damage", [b"", b"\x93NUMPY", b"PK\x03\x04", b"no array at all, but long enough for a header"]
)
def test_a_damaged_look_up_is_told_of_and_made_anew(task, tmp_path, damage: bytes) -> None:
    items = torch.tensor([3, 0, 30])
    first, _ = as_read(task, FROZEN).fetch(items)
    (path,) = tmp_path.glob("*.nearest-*.npy")
    whole = path.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in (10, 80)]
    for broken in (damage, whole[:-1], whole[: len(whole) // 2], *flipped):
        path.write_bytes(broken)
        with pytest.warns(UserWarning, match=rf"{path} is damaged, and made anew"):
            again, _ = as_read(task, FROZEN).fetch(items)
        assert torch.equal(first.nearest, again.nearest)
        assert path.read_bytes() == whole
    np.save(path, np.zeros((3, 2)))
    with pytest.warns(UserWarning, match="is damaged"):
        as_read(task, FROZEN)


@pytest.mark.parametrize(("name", "value"), [("entity", -1), ("entity", 40), ("cosine", np.nan)])
def test_a_look_up_of_what_cannot_be_is_told_of(task, tmp_path, name: str, value: float) -> None:
    clips = as_read(task, FROZEN)
    (path,) = tmp_path.glob("*.nearest-*.npy")
    table = np.load(path, mmap_mode="r+")
    table[name][3] = value
    table.flush()
    clips.fetch(torch.tensor([0, 1]))
    with pytest.raises(BadInput, match=rf"{path}: is damaged; remove it"):
        clips.fetch(torch.tensor([6]))


@pytest.mark.parametrize("in_memory", [False, True])
def test_features_that_are_no_numbers_are_told_of_before_any_is_looked_up(
    task, tmp_path: Path, in_memory: bool
) -> None:
    (path,) = task.clips.sources
    with h5py.File(path, "r+") as file:
        file["regions"][3, 0, 1, 0] = np.nan
    broken = open_clips(path, in_memory)
    told = rf"{path}: features of {broken.videos[3]} are no finite numbers; see what `alt-features"
    for _ in range(2):
        with pytest.raises(BadInput, match=told):
            as_read(replace(task, clips=broken), FROZEN)
        assert not list(tmp_path.glob("*.nearest-*"))


@pytest.fixture
def refused(monkeypatch):
    """Let no look-up file be made, for a reason; root may write wherever the disk can."""

    def refuse(reason: int) -> None:
        def no_file(path):
            raise OSError(reason, os.strerror(reason), str(path))

        monkeypatch.setattr(looking_up, "atomic_file", no_file)
        monkeypatch.setattr(looking_up, "_temporary", {})

    return refuse


def test_other_rows_of_the_same_cache_are_looked_up_for_themselves(task, write_cache, mini) -> None:
    path = write_cache("mixed.h5", backbone=mini, noise=6, splits=("val", "train"))
    for part in ("training", "validation"):  # of which there are as many
        some = open_clips([path], parts=[part])
        read = as_read(replace(task, clips=some), FROZEN)
        batch, _ = read.fetch(torch.arange(8))
        whole, _ = some.fetch(torch.arange(8))
        assert torch.equal(batch.nearest, nearest(whole.regions, task.entities, 4)[1])


def test_features_that_took_the_place_of_others_are_looked_up_for_themselves(
    task, write_cache, make_task, mini
) -> None:
    as_read(task, FROZEN)
    again = make_task(open_clips([write_cache(noise=6, backbone=mini, views="1x2", seed=1)]))
    (batch, _), (whole, _) = (
        c.fetch(torch.arange(8)) for c in (as_read(again, FROZEN), again.clips)
    )
    assert torch.equal(batch.nearest, nearest(whole.regions, again.entities, 4)[1])


def test_features_in_a_folder_that_cannot_be_written_are_looked_up_once_a_command(
    task, tmp_path, refused
) -> None:
    items = torch.tensor([3, 0, 30])
    refused(errno.EROFS)
    with pytest.warns(UserWarning, match=f"{tmp_path} cannot be written: .* looks them up again"):
        batch, _ = as_read(task, FROZEN).fetch(items)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again, _ = as_read(task, FROZEN).fetch(items)
    assert not list(tmp_path.glob("*.nearest-*"))
    cosines, entities = nearest(task.clips.fetch(items)[0].regions, task.entities, 4)
    for one in (batch, again):
        assert torch.equal(one.nearest, entities)
        torch.testing.assert_close(one.cosine, cosines, atol=1e-3, rtol=0)


def test_the_look_up_s_room_on_the_disk_is_taken_before_anything_is_looked_up(
    task, tmp_path: Path, monkeypatch
) -> None:
    look_up = looking_up._look_up

    def with_room(clips, entities, table, tally) -> None:
        (draft,) = tmp_path.glob(".*nearest-*")
        held = draft.stat()
        assert 512 * held.st_blocks >= held.st_size > table.nbytes
        look_up(clips, entities, table, tally)

    monkeypatch.setattr(looking_up, "_look_up", with_room)
    as_read(task, FROZEN)
    (made,) = tmp_path.glob("*.nearest-*")
    made.unlink()

    def full(file: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") as caught:
        as_read(task, FROZEN)
    assert caught.value.filename == str(made)
    assert not list(tmp_path.glob("*nearest-*"))
    assert not list(tmp_path.glob(".*nearest-*"))


def test_only_a_folder_that_cannot_be_written_is_made_do_without(
    task, tmp_path, refused, monkeypatch
) -> None:
    refused(errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        as_read(task, FROZEN)
    refused(errno.EACCES)
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BadInput, match=r"cannot be written, and .* has no room .*; set TMPDIR"):
        as_read(task, FROZEN)


def test_learned_projections_and_vectors_look_nothing_up(task) -> None:
    for other in ({"project": True}, {"method": "alt-learned"}, {"align": "none"}):
        assert as_read(task, FROZEN.model_copy(update=other)) is task.clips


@pytest.mark.parametrize(
    ("settings", "alone"),
    [
        ({"method": "linear"}, True),
        ({"method": "temporal"}, True),
        ({"method": "alt"}, True),
        ({"method": "alt-shuffled"}, True),
        ({"method": "alt", "content": True}, False),
        ({"method": "alt-paper"}, False),
        ({"method": "alt", "project": True}, False),
        ({"method": "alt-learned"}, False),
    ],
    ids=str,
)
def test_what_regions_look_like_is_left_out_where_nothing_reads_it(task, settings, alone) -> None:
    items, model = torch.tensor([2, 5]), ModelConfig.model_validate(settings)
    (batch, _), (whole, _) = as_read(task, model).fetch(items), task.clips.fetch(items)
    assert torch.equal(batch.regions, whole.regions[:, :, :1] if alone else whole.regions)
    assert torch.equal(batch.place, whole.place)


def test_training_from_looked_up_alignment_is_training_without(task) -> None:
    config = TrainConfig(epochs=2, batch_size=8)
    runs = []
    for clips in (task.clips, as_read(task, FROZEN)):
        model = build(FROZEN, task.entities, 5, 100.0)
        runs.append(train(model, clips, task.labels, config))
    for one, other in zip(runs[0].history, runs[1].history, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-3)


def test_training_on_class_tokens_alone_is_training_beside_what_regions_look_like(task) -> None:
    config = TrainConfig(epochs=2, batch_size=8, region_dropout=0.5)
    whole = with_nearest(task.clips, task.entities, task.corpus.id, FROZEN.top_k)
    runs = [
        train(build(FROZEN, task.entities, 5, 100.0), clips, task.labels, config).history
        for clips in (whole, as_read(task, FROZEN))
    ]
    assert runs[0] == runs[1]
