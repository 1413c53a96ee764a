"""The ablation on the demo's world: each part of ALT, its corpus, and how much is merged."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from adapter.ablation import variants
from adapter.compare import Cell, Column, Variant, compare, open_tests
from adapter.forks import forked
from adapter.kept import kept
from adapter.record import comparison_record
from adapter.settings import STUDY, configs
from adapter.tables import comparison_table
from adapter.task import open_task
from corpus.atomic import atomic_file, write_json
from corpus.backbone import Backbone, load
from corpus.errors import BadInput
from corpus.index import Corpus
from corpus.labels import load_labels
from corpus.source import MINI
from extract.options import Options
from extract.run import extract
from pipelines.demo import PROMPTS, TESTS, commit, label_files, plain, stale
from pipelines.world.write import split_of

# Corpora beside the whole one, by what makes them other: nothing that a label does not name, no
# choice of senses, words that have nothing to do with the labels.
CORPORA: dict[str, dict[str, Any]] = {
    "random": {"random_entities": 0},
    "label nouns": {name: False for name in ("instruments", "parts", "scenes", "roles", "body")},
    "first senses": {"first_sense": True},
}
MERGES = (0, 4)  # beside the default


def ablate(
    out: Path,
    seeds: int,
    workers: int,
    stage: Callable[[str, int], Callable[[], None]],
    settings: Sequence[str] = (),
) -> tuple[list[Cell], dict[str, Any]]:
    """Train ALT with one part changed at a time, on what `pipelines.demo.run` left in a folder.

    An ablation that was interrupted goes on.

    Args:
        out: the demo's folder; corpora, features and trainings go to `out`/ablation.
        seeds: runs of each row.
        workers: processes.
        stage: as for `pipelines.demo.run`.
        settings: "NAME=VALUE" settings of the adapters' training.

    Returns:
        The cells, ALT as it is in the last row; and their record. Both are also in `out`/ablation,
        as ablation.json and table.txt.

    Raises:
        BadInput: no demo has been run there, or its corpus is of other rules than today's.
    """
    if not (out / "demo.json").is_file():
        raise BadInput(out, "no demo has been run there", f"run: alt-demo run --out {out}")
    files = label_files(out / "world")
    if not Corpus.load(out / "corpus").is_current:
        cause = "was made by other rules or software than are here now"
        raise BadInput(out / "corpus", cause, f"run again: alt-demo run --out {out}")
    backbone, here = load(MINI), out / "ablation"
    model, training = configs(settings, STUDY, varied=True)
    task = open_task([out / "train.h5"], (), out / "corpus", PROMPTS, spare=False)
    tests = open_tests({name: out / f"{split}.h5" for name, split in TESTS.items()}, task)
    step = stage("corpora", len(CORPORA))
    corpora = []
    for name, changed in CORPORA.items():
        sets = load_labels(files)
        Corpus.build(sets, backbone, **changed).save(here / name)
        corpora.append(here / name)
        step()
    rows = variants(task, model, training, corpora)
    merged = []
    for merge in MERGES:
        features = _features(out / "world", here / f"r{merge}", merge, backbone, workers, stage)
        own = open_task([features["train"]], (), out / "corpus", PROMPTS, spare=False)
        columns = open_tests({name: features[split] for name, split in TESTS.items()}, own)
        name = f"merged a block: {merge} ({own.clips.facts.regions - 1} regions)"
        merged.append(Variant(name, model, training, own, tuple(columns)))
    rows = [*rows[:-1], *merged, _whole(rows[-1], tests), rows[-1]]
    step = stage("adapters", len(rows) * seeds)
    engine = kept(forked(workers), here / "trainings")
    cells = compare(rows, tests, range(seeds), report=lambda _: step(), engine=engine)
    record = comparison_record(cells, rows, tests, range(seeds)) | {"commit": commit()}
    write_json(here / "ablation.json", record)
    chosen = [word for one in settings for word in ("--set", one)]
    made = shlex.join(["alt-demo", "ablate", "--seeds", str(seeds), *chosen])
    with atomic_file(here / "table.txt") as draft:
        words = plain([comparison_table(cells)], f"{made}, commit {record['commit']}.")
        draft.write_text(words, encoding="utf-8")
    return cells, record


def _whole(alt: Variant, tests: Sequence[Column]) -> Variant:
    """Return ALT whose ways are compared with whole labels, and not with their predicates."""

    def whole(labels: Tensor) -> Tensor:
        return labels[:, :1].expand(-1, 2, -1)

    columns = [
        replace(test, labelling=replace(test.labelling, text=whole(test.labelling.text)))
        for test in tests
    ]
    task = replace(alt.task, labels=whole(alt.task.labels))
    return Variant("ways: compared with whole labels", alt.model, alt.train, task, tuple(columns))


def _features(
    world: Path,
    folder: Path,
    merge: int,
    backbone: Backbone,
    workers: int,
    stage: Callable[[str, int], Callable[[], None]],
) -> dict[str, Path]:
    """Extract what is trained and scored on, with so many tokens merged."""
    made = {}
    for split in ("train", *TESTS.values()):
        dataset = split_of(world, split)
        step = stage(f"features, r = {merge}, {split}", len(dataset.clips))
        made[split] = folder / f"{split}.h5"
        extract(
            dataset,
            backbone,
            made[split],
            Options(merge=merge),
            workers=workers,
            overwrite=stale(made[split], dataset, backbone),
            watch=lambda entry, frames, step=step: step(),  # type: ignore[misc]
        )
    return made
