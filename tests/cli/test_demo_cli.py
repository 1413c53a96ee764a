import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from corpus.errors import BadInput
from extract.datasets import open_dataset
from pipelines.world.actions import SPLITS, labels_of
from pipelines.world.truth import read
from pipelines.world.write import write_world


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
    assert "Traceback" not in done.stderr


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


def test_the_demo_runs_the_whole_path(tmp_path: Path) -> None:
    done = alt_demo(
        *("run", "--out", tmp_path, "--clips", 24, "--seeds", 1, "--shots", "1"),
        *("--set", "epochs=1", "--workers", 1, "--json"),
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record == json.loads((tmp_path / "demo.json").read_text())
    cells = record["comparison"]["cells"]
    methods = {cell["method"] for cell in cells}
    assert methods == {"clip", "linear", "temporal", "alt-learned", "alt-shuffled", "alt"}
    columns = {(cell["shots"], cell["test"]) for cell in cells}
    assert columns == {
        (None, "base"),
        (None, "new combinations"),
        (None, "new entities"),
        (1, "base"),
    }
    by_world, by_corpus = record["alignment"][:3], record["alignment"][3:]
    for rows in (by_world, by_corpus):
        assert [row["merge"] for row in rows] == [0, 4, 8]
    # Regions that find an entity which is there lie on it: the shipped backbone sees this world.
    assert all(0.8 <= row["by_region"] <= 1 for row in by_world)
    assert all(row["by_region"] < by_world[0]["by_region"] for row in by_corpus)
    assert (tmp_path / "demo.png").stat().st_size > 10_000
    assert "alt-demo run --clips 24 --seed 0" in (tmp_path / "table.txt").read_text()
    its_parts_are_changed_one_at_a_time(tmp_path)


def its_parts_are_changed_one_at_a_time(demo: Path) -> None:
    options = ("--out", demo, "--seeds", 1, "--set", "epochs=1", "--workers", 1, "--json")
    done = alt_demo("ablate", *options)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record == json.loads((demo / "ablation" / "ablation.json").read_text())
    rows = list(dict.fromkeys(cell["method"] for cell in record["cells"]))
    for part in ("words", "alignment", "layers", "time", "corpus: random", "merged a block: 0"):
        assert any(row.startswith(part) for row in rows), part
    assert rows[-1] == "alt"
    assert len(record["cells"]) == 3 * len(rows)
    assert "alt-demo ablate" in (demo / "ablation" / "table.txt").read_text()
    manifest = json.loads((demo / "corpus" / "corpus.json").read_text())
    (demo / "corpus" / "corpus.json").write_text(json.dumps(manifest | {"inputs": "of old rules"}))
    done = alt_demo("ablate", *options)
    assert done.returncode == 2
    assert done.stderr.strip().endswith(f"run again: alt-demo run --out {demo}")
    assert "Traceback" not in done.stderr


def test_a_setting_that_the_demo_decides_is_refused_before_a_world_is_made(tmp_path: Path) -> None:
    done = alt_demo("run", "--out", tmp_path / "demo", "--clips", 24, "--set", "seed=1")
    assert done.returncode == 2
    assert "--set seed: cannot be set here; use --seeds" in done.stderr
    assert not (tmp_path / "demo").exists()


def test_an_ablation_without_a_demo_is_refused_in_one_line(tmp_path: Path) -> None:
    done = alt_demo("ablate", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().endswith(f"run: alt-demo run --out {tmp_path}")
    assert "Traceback" not in done.stderr


def test_help_names_all_commands() -> None:
    done = alt_demo("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("world", "run", "ablate"))
