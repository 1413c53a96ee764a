"""The demo: world → corpus → features → adapters, then one table, one picture, one measurement."""

import shlex
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from adapter.baselines import TITLES
from adapter.compare import Cell, Column, compare, method_rows, open_tests
from adapter.forks import forked
from adapter.kept import kept
from adapter.model import Method, ModelConfig
from adapter.record import comparison_record
from adapter.settings import STUDY, configs
from adapter.tables import draw_comparison, fitting_tables
from adapter.task import Task, open_task
from adapter.train import TrainConfig
from corpus.atomic import atomic_file, write_json
from corpus.backbone import MINI, Backbone, load
from corpus.errors import BadInput
from corpus.index import Corpus
from corpus.labels import load_labels
from corpus.words import counted
from extract.datasets import Dataset
from extract.run import Options, extract
from extract.store import FeatureCache
from pipelines.mini.measure import all_texts
from pipelines.pointing import SHARES, Alignment, measure
from pipelines.world.actions import SPLITS
from pipelines.world.clips import Listed, listing
from pipelines.world.write import claim, split_of, write_world

TESTS = {"base": "test", "new combinations": "novel_combination", "new entities": "novel_entity"}
# The paper's adapter takes longer to train than all others together.
METHODS: tuple[Method, ...] = tuple(method for method in TITLES if method != "alt-paper")
_WIDTH = 160  # of tables in a file, characters
PROMPTS = ("{}",)  # the mini backbone's captions are plain


@dataclass(frozen=True)
class Setting:
    """What the demo runs.

    Attributes:
        clips: of the world, all splits together.
        seed: of the world.
        seeds: runs of each method.
        shots: clips of each class in the few-shot columns, none for no such columns.
        pointed: videos on which alignment is measured.
        training: "NAME=VALUE" settings of the adapters' training.
    """

    clips: int = 1440
    seed: int = 0
    seeds: int = 3
    shots: tuple[int, ...] = (2, 4, 8)
    pointed: int = 60
    training: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came out.

    Attributes:
        cells: of the comparison, those that the table shows.
        alignment: for 0, 4 and 8 merged tokens, among the world's names and among the corpus's.
        record: all of it, as in `demo.json`.
    """

    cells: list[Cell]
    alignment: list[Alignment]
    record: dict[str, Any]


def run(
    out: Path,
    setting: Setting,
    workers: int,
    stage: Callable[[str, int], Callable[[], None]],
) -> Outcome:
    """Run the demo; what an earlier run of the same setting made is used again.

    Args:
        out: folder for everything.
        setting: how much of it.
        workers: processes.
        stage: called with a stage's name and its number of steps; returns what to call after each.

    Returns:
        The outcome, which is also in `out` as demo.json, table.txt and demo.png.

    Raises:
        BadInput: the folder holds another world, or a class has too few clips for the shots.
    """
    began = time.monotonic()
    shape, training = configs(setting.training, STUDY)
    world = out / "world"
    _check_shots(listing(setting.clips, setting.seed), setting)
    claim(world, setting.clips, setting.seed)
    seconds: dict[str, float] = {}

    def finish(name: str) -> None:
        seconds[name] = round(time.monotonic() - began - sum(seconds.values()), 1)

    write_world(world, setting.clips, setting.seed, workers, stage("world", setting.clips))
    finish("world")
    backbone = load(MINI)
    corpus = _corpus(world, backbone, out / "corpus", stage)
    finish("corpus")
    for split in SPLITS:
        dataset = split_of(world, split)
        step = stage(f"features of {split}", len(dataset.clips))
        extract(
            dataset,
            backbone,
            out / f"{split}.h5",
            Options(),
            workers=workers,
            overwrite=stale(out / f"{split}.h5", dataset, backbone),
            watch=lambda entry, frames, step=step: step(),  # type: ignore[misc]
        )
    finish("features")
    step = stage("pointing", 1)
    videos = [world / clip.video for clip in split_of(world, "test").clips]
    alignment = measure(videos[: setting.pointed], backbone, _among(corpus, backbone))
    step()
    finish("pointing")
    cells, compared = _compare(out, corpus, setting, shape, training, workers, stage)
    finish("adapters")
    record = {
        "alignment": [a.model_dump() for a in alignment],
        "comparison": compared,
        "setting": asdict(setting),
        "backbone": {"name": backbone.name, "fingerprint": backbone.fingerprint},
        "seconds": seconds,
        "commit": commit(),
        "version": version("alt-video"),
    }
    write_json(out / "demo.json", record)
    draw_comparison(cells, out / "demo.png")
    outcome = Outcome(cells, alignment, record)
    with atomic_file(out / "table.txt") as draft:
        draft.write_text(_plain(outcome), encoding="utf-8")
    return outcome


def pointing_tables(outcome: Outcome) -> list[Any]:
    """Lay out the alignment as rich tables, which fit 80 characters."""
    from rich.table import Table

    shown = []
    for among, rows in groupby(outcome.alignment, lambda a: a.among):
        pointing = Table(title=f"alignment of regions, by ground truth, in per cent, among {among}")
        pointing.title_justify = "left"
        for heading in ("merged", "regions", *SHARES.values()):
            pointing.add_column(heading, justify="right", no_wrap=" " not in heading)
        for a in rows:
            shares = a.model_dump(include=set(SHARES))
            cells = (f"{100 * shares[name]:.1f}" for name in SHARES)
            pointing.add_row(str(a.merge), str(a.regions), *cells)
        shown.append(pointing)
    return shown


def _among(corpus: Path, backbone: Backbone) -> dict[str, tuple[Sequence[str], np.ndarray]]:
    """What regions may be aligned with: what the world has, and all that ALT's corpus has."""
    names, texts = all_texts(backbone)
    built = Corpus.load(corpus)
    units = [entity.unit for entity in built.entities]
    return {
        f"the {len(names)} names of the world": (names, texts),
        f"the {len(units)} of the corpus": (units, built.embeddings),
    }


def _corpus(
    world: Path,
    backbone: Backbone,
    folder: Path,
    stage: Callable[[str, int], Callable[[], None]],
) -> Path:
    """Build the text corpus of all the world's labels, base and novel: labels are known words."""
    step = stage("corpus", 1)
    Corpus.build(load_labels(label_files(world)), backbone).save(folder)
    step()
    return folder


def label_files(world: Path) -> str:
    """Name the files of all a world's labels, as `load_labels` takes them.

    Raises:
        BadInput: no world is there.
    """
    split_of(world, "train")
    return ",".join(
        str(world / f"{name}.txt") for name in ("base", "novel_combination", "novel_entity")
    )


def stale(cache: Path, dataset: Dataset, backbone: Backbone) -> bool:
    """Tell whether a cache is damaged, of another world, or of other weights than there are now."""
    if not cache.is_file():
        return False
    try:
        made = FeatureCache(cache).manifest
    except BadInput:
        return True
    return (made.dataset, made.fingerprint) != (dataset.name, backbone.fingerprint)


def _check_shots(clips: Sequence[Listed], setting: Setting) -> None:
    """Refuse more shots than some class of the world has clips, before there is work to lose."""
    most = max(setting.shots, default=0)
    least = min(Counter(clip.label for clip in clips if clip.split == "train").values())
    if most > least:
        cause = f"a class has {counted(least, 'clip')} to train on"
        raise BadInput(f"--shots {most}", cause, "use fewer, or none, or more --clips")


def _compare(
    out: Path,
    corpus: Path,
    setting: Setting,
    model: ModelConfig,
    config: TrainConfig,
    workers: int,
    stage: Callable[[str, int], Callable[[], None]],
) -> tuple[list[Cell], dict[str, Any]]:
    """Train and score all methods; few-shot training is scored on the base actions only.

    What was trained on all clips is also asked to choose among the labels of all columns together.
    """
    task = open_task([out / "train.h5"], (), corpus, PROMPTS, spare=False)
    tests = open_tests({name: out / f"{split}.h5" for name, split in TESTS.items()}, task)
    of_all = _of_all(task, tests)
    draws = len(setting.shots) + 1
    step = stage("adapters", len(METHODS) * setting.seeds * draws)
    rows, seeds = method_rows(task, METHODS, model, config), range(setting.seeds)
    cells: list[Cell] = []
    parts: Sequence[tuple[Sequence[int | None], Any]] = (
        ((None,), [*tests, *of_all]),
        (setting.shots, tests[:1]),
    )
    for shots, columns in parts:
        if shots:
            cells += compare(
                rows,
                columns,
                seeds,
                shots,
                report=lambda _: step(),
                engine=kept(forked(workers), out / "trainings"),
            )
    last = {column.name for column in of_all}
    cells.sort(key=lambda cell: cell.test in last)
    return cells, comparison_record(cells, rows, [*tests, *of_all], seeds, (None, *setting.shots))


def _of_all(task: Task, tests: Sequence[Column]) -> list[Column]:
    """The same clips, to be told apart among the labels of all columns."""
    names = list(dict.fromkeys(name for test in tests for name in test.labelling.names))
    labelling = task.vocabulary.embed(names, "all columns' labels")
    return [
        Column(f"{test.name} of {len(names)}", test.clips.relabelled(names), labelling)
        for test in tests
    ]


def _plain(outcome: Outcome) -> str:
    return plain(
        [*fitting_tables(outcome.cells, _WIDTH), *pointing_tables(outcome)],
        f"{command(Setting(**outcome.record['setting']))}, commit {outcome.record['commit']}.",
    )


def command(setting: Setting) -> str:
    """Write the command that runs a setting, those of its options that are not the default's."""
    usual, words = Setting(), ["alt-demo", "run"]
    words += ["--clips", str(setting.clips), "--seed", str(setting.seed)]
    if setting.seeds != usual.seeds:
        words += ["--seeds", str(setting.seeds)]
    if setting.shots != usual.shots:
        words += ["--shots", ",".join(map(str, setting.shots)) or "none"]
    words += [word for one in setting.training for word in ("--set", one)]
    return shlex.join(words)


def plain(shown: Sequence[Any], last: str) -> str:
    """Write rich tables as text, and a last line."""
    from rich.console import Console

    console = Console(width=_WIDTH, no_color=True)
    with console.capture() as caught:
        for table in shown:
            console.print(table)
    return f"{caught.get()}\n{last}\n"


def commit() -> str | None:
    """Return the commit of the checkout, None for an installed package."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
