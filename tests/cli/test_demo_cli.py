import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from corpus.backbone import Backbone
from corpus.errors import BadInput
from extract.datasets import open_dataset
from extract.run import Options, extract
from pipelines.cli import main
from pipelines.demo import Setting, stale
from pipelines.world.actions import SPLITS, labels_of
from pipelines.world.truth import read
from pipelines.world.write import split_of, write_world


def alt_demo(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "first"
    done = alt_demo("world", "--out", folder, "--clips", 12, "--seed", 4, "--workers", 1)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_same_seed_makes_the_same_truth_with_any_number_of_workers(world: Path) -> None:
    other = world.parent / "second"
    done = alt_demo("world", "--out", other, "--clips", 12, "--seed", 4, "--workers", 2, "--json")
    assert done.returncode == 0, done.stderr
    assert sum(json.loads(done.stdout)["splits"].values()) == 12
    files = sorted(path.relative_to(world) for path in world.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    assert len([path for path in files if path.suffix == ".mp4"]) == 12
    # Frames are the same before encoding; the encoder makes no such promise about its file.
    for path in (path for path in files if path.suffix != ".mp4"):
        assert (world / path).read_bytes() == (other / path).read_bytes(), path


def test_alt_extract_reads_the_world_and_its_truth_fits(world: Path) -> None:
    for split in SPLITS:
        dataset = open_dataset("csv", world, split)
        assert set(dataset.classes) <= set(labels_of(split))
        for clip in dataset.clips:
            truth, ids = read(dataset.path(clip))
            assert truth.label == dataset.classes[clip.label]
            assert truth.split == split
            assert ids.shape == (truth.frames, truth.height, truth.width)
            assert all(len(entity.boxes) == truth.frames for entity in truth.entities)
            assert {entity.kind for entity in truth.entities} >= {"scene", "role", "body_part"}
            assert any(entity.acting for entity in truth.entities)


def test_an_interrupted_world_is_finished_by_the_same_command(world: Path) -> None:
    truth = next(iter(sorted(world.rglob("*.json"))))
    before = truth.read_bytes()
    truth.unlink()
    done = alt_demo("world", "--out", world, "--clips", 12, "--seed", 4, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert truth.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--clips", 2), "--clips 2"),
        (("--clips", 4_000_000), "more than 1048576 in a split"),
        (("--seed", -1), "--seed -1"),
        (("--workers", 1025), "1024"),
        (("--clips", 13), "another world"),
    ],
)
def test_a_world_that_cannot_be_made_is_refused_in_one_line(
    world: Path, arguments: tuple[object, ...], says: str
) -> None:
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    options = {"--out": world, "--clips": 12, "--seed": 4, "--workers": 1} | given
    done = alt_demo("world", *(part for option in options.items() for part in option))
    assert done.returncode == 2
    assert says in done.stderr
    if "--workers" not in arguments:  # which typer refuses, in a frame of its own
        assert len(done.stderr.splitlines()) == 1


def test_a_world_whose_facts_are_damaged_is_refused_in_one_line(tmp_path: Path) -> None:
    for content in (b"", b'{"clips": 12', b"\xff"):
        (tmp_path / "world.json").write_bytes(content)
        with pytest.raises(BadInput, match=r"world\.json: is damaged"):
            write_world(tmp_path, 12, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["world.json"]


def test_no_more_processes_are_started_than_there_are_clips_to_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Pool(ProcessPoolExecutor):
        def __init__(self, workers: int, initializer: Callable[[], None]) -> None:
            asked.append(workers)
            super().__init__(workers, initializer=initializer)

    monkeypatch.setattr("pipelines.world.write.ProcessPoolExecutor", Pool)
    write_world(tmp_path, 5, 4, workers=1000)
    assert asked == [5]


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = alt_demo("world", "--out", tmp_path, "--clips", 5)
    assert done.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.timeout(900)  # the demo, and its ablation
def test_the_demo_runs_the_whole_path(tmp_path: Path, called) -> None:
    code, printed, said = called(
        *(main, "run", "--out", tmp_path, "--clips", 24, "--seeds", 1, "--shots", "1"),
        *("--set", "epochs=1", "--workers", 1, "--json"),
    )
    assert code == 0, said
    record = json.loads(printed)
    assert record == json.loads((tmp_path / "demo.json").read_text())
    cells = record["comparison"]["cells"]
    methods = {cell["method"] for cell in cells}
    assert methods == {"clip", "linear", "temporal", "alt-learned", "alt-shuffled", "alt"}
    columns = {(cell["shots"], cell["test"]) for cell in cells}
    clips = {split: len(open_dataset("csv", tmp_path / "world", split).classes) for split in SPLITS}
    labels = sum(clips[split] for split in ("train", "novel_combination", "novel_entity"))
    assert columns == {
        (None, "base"),
        (None, "new combinations"),
        (None, "new entities"),
        (1, "base"),
        *((None, f"{name} of {labels}") for name in ("base", "new combinations", "new entities")),
    }
    by_world, by_corpus = record["alignment"][:3], record["alignment"][3:]
    for rows in (by_world, by_corpus):
        assert [row["merge"] for row in rows] == [0, 4, 8]
    # Regions that find an entity which is there lie on it: the shipped backbone sees this world.
    assert all(0.8 <= row["by_region"] <= 1 for row in by_world)
    assert all(row["by_region"] < by_world[0]["by_region"] for row in by_corpus)
    assert (tmp_path / "demo.png").stat().st_size > 10_000
    made = "alt-demo run --clips 24 --seed 0 --seeds 1 --shots 1 --set epochs=1, commit "
    assert made in (tmp_path / "table.txt").read_text()
    its_parts_are_changed_one_at_a_time(tmp_path, partial(called, main))


def its_parts_are_changed_one_at_a_time(
    demo: Path, here: Callable[..., tuple[int, str, str]]
) -> None:
    options = ("--out", demo, "--seeds", 1, "--set", "epochs=1", "--workers", 1, "--json")
    code, printed, said = here("ablate", *options)
    assert code == 0, said
    record = json.loads(printed)
    assert record == json.loads((demo / "ablation" / "ablation.json").read_text())
    rows = list(dict.fromkeys(cell["method"] for cell in record["cells"]))
    for part in ("words", "alignment", "layers", "time", "corpus: random", "merged a block: 0"):
        assert any(row.startswith(part) for row in rows), part
    assert rows[-1] == "alt"
    # So many regions are left by so many merged: each row was trained on features of its own.
    assert {"merged a block: 0 (100 regions)", "merged a block: 4 (76 regions)"} < {*rows}
    assert len(record["cells"]) == 3 * len(rows)
    made = "alt-demo ablate --seeds 1 --set epochs=1, commit "
    assert made in (demo / "ablation" / "table.txt").read_text()
    manifest = json.loads((demo / "corpus" / "corpus.json").read_text())
    (demo / "corpus" / "corpus.json").write_text(json.dumps(manifest | {"inputs": "of old rules"}))
    code, _, said = here("ablate", *options)
    assert code == 2
    assert "Traceback" not in said
    assert said.endswith(f"run again: alt-demo run --out {demo}")


def test_a_setting_that_the_demo_decides_is_refused_before_a_world_is_made(tmp_path: Path) -> None:
    done = alt_demo("run", "--out", tmp_path / "demo", "--clips", 24, "--set", "seed=1")
    assert done.returncode == 2
    assert "--set seed: cannot be set here; use --seeds" in done.stderr
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(
    ("shots", "says"),
    [
        ("2,8", "--shots 8: a class has 1 clip to train on; use fewer, or none, or more --clips"),
        ("all,2", "--shots all,2: all clips have columns of their own; as in 2,4,8, or none"),
        ("two", "--shots two: not a count of clips; as in 2,4,8, or none"),
    ],
)
def test_shots_that_cannot_be_drawn_are_refused_before_a_clip_is_made(
    tmp_path: Path, called, shots: str, says: str
) -> None:
    drawn = ("--clips", 100, "--shots", shots)
    code, _, said = called(main, "run", "--out", tmp_path / "demo", *drawn)
    assert code == 2
    assert said == f"error: {says}"
    assert not list(tmp_path.iterdir())


def test_a_demo_may_do_without_columns_of_few_shots(tmp_path: Path, called, monkeypatch) -> None:
    asked: list[Setting] = []

    def run(to: Path, setting: Setting, *_: object) -> None:
        asked.append(setting)
        raise BadInput(to, "is known", "go no further")

    monkeypatch.setattr("pipelines.demo.run", run)
    given = ("--out", tmp_path, "--clips", 30, "--seed", 2, "--seeds", 5)
    for shots in ("none", "1,3"):
        called(main, "run", *given, "--shots", shots)
    assert asked == [Setting(30, 2, 5, shots) for shots in ((), (1, 3))]


def test_features_of_another_world_are_made_anew(tmp_path: Path, mini: Backbone) -> None:
    datasets = []
    for seed in (4, 5):
        write_world(tmp_path / f"w{seed}", 5, seed)
        datasets.append(split_of(tmp_path / f"w{seed}", "val"))
    one, other = datasets
    assert one.clips == other.clips  # their names tell nothing
    cache = tmp_path / "val.h5"
    assert not stale(cache, one, mini)
    extract(one, mini, cache, Options(frames=1), workers=1)
    assert not stale(cache, split_of(tmp_path / "w4", "val"), mini)
    assert stale(cache, other, mini)
    assert stale(cache, one, replace(mini, fingerprint="0" * 32))
    cache.write_bytes(cache.read_bytes()[:-100])
    assert stale(cache, one, mini)


def test_a_world_of_which_files_are_lost_is_made_whole_again(tmp_path: Path) -> None:
    write_world(tmp_path, 5, 4)
    made = {path: path.read_bytes() for path in tmp_path.glob("val/*/*")}
    assert {path.suffix for path in made} == {".mp4", ".png", ".json"}
    for path in made:
        path.unlink()
        write_world(tmp_path, 5, 4)
        if path.suffix != ".mp4":  # whose encoder need not write the same bytes twice
            assert path.read_bytes() == made[path]
        assert path.is_file()


def test_a_world_that_another_version_draws_is_not_taken_for_this_one(tmp_path: Path) -> None:
    write_world(tmp_path, 5, 4)
    facts = json.loads((tmp_path / "world.json").read_text())
    (tmp_path / "world.json").write_text(json.dumps(facts | {"drawn_by": "of old"}))
    with pytest.raises(BadInput, match="this world as another version draws it"):
        write_world(tmp_path, 5, 4)


def test_an_ablation_whose_world_is_gone_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "demo.json").touch()
    done = alt_demo("ablate", "--out", tmp_path)
    assert done.returncode == 2
    assert "world: no demo world is there; make it by alt-demo world" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_ablation_without_a_demo_is_refused_in_one_line(tmp_path: Path, called) -> None:
    code, _, said = called(main, "ablate", "--out", tmp_path)
    assert code == 2
    assert said.startswith("error: ")
    assert said.endswith(f"run: alt-demo run --out {tmp_path}")


def test_help_names_all_commands() -> None:
    done = alt_demo("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("world", "run", "ablate"))
