import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.cli import main
from corpus.errors import BadInput
from corpus.index import Corpus

MINI = ("--model", "alt-mini", "--pretrained", "none")


def alt_corpus(*args: str) -> subprocess.CompletedProcess[str]:
    """Run a command in this process: what a shell sees of it, without importing anew."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["alt-corpus", *args])
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())


def shell(*args: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    command = [sys.executable, "-m", "corpus.cli", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "few.txt"
    path.write_text("playing cello\nHorseRiding\nironing\n弹吉他\nsomething\n")
    return path


@pytest.fixture(scope="module")
def built(labels: Path) -> Path:
    folder = labels.parent / "corpus"
    done = shell("build", "--labels", str(labels), "--out", str(folder), *MINI)
    assert done.returncode == 0, done.stderr
    return folder


def test_building_again_changes_nothing_and_opens_no_backbone(labels: Path, built: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in built.iterdir()}
    code = (
        "import sys; from corpus.cli import app\n"
        f"app({['build', '--labels', str(labels), '--out', str(built), '--json', *MINI]!r}, "
        "standalone_mode=False)\n"
        "assert not {'torch', 'spacy', 'open_clip'} & set(sys.modules), 'slow imports'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "up to date"
    assert {path.name: path.stat().st_mtime_ns for path in built.iterdir()} == before


def test_what_a_corpus_counts_is_told_by_its_name(labels: Path, built: Path) -> None:
    done = alt_corpus("build", "--labels", str(labels), "--out", str(built), *MINI)
    _, counts = done.stdout.splitlines()
    assert counts.startswith("labels 5, entities ")


def test_a_changed_option_builds_again(labels: Path, built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    shutil.copytree(built, folder)
    args = ("build", "--labels", str(labels), "--out", str(folder), "--json", *MINI)
    facts = [json.loads(alt_corpus(*args, *given).stdout) for given in ((), ("--no-expand",))]
    assert [one["state"] for one in facts] == ["up to date", "built"]
    assert facts[0]["id"] != facts[1]["id"]
    for names in ([*one["counts"]] for one in facts):  # in one order, however they came about
        assert names == ["labels", "entities", *sorted(names[2:])]
    assert facts[1]["counts"]["entities"] < 10
    assert json.loads(alt_corpus(*args, "--no-expand").stdout)["state"] == "up to date"
    forced = json.loads(alt_corpus(*args, "--no-expand", "--force").stdout)
    assert (forced["state"], forced["id"]) == ("built", facts[1]["id"])


def test_labels_may_be_given_repeatedly(labels: Path, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("opening door\n")
    given = ("--labels", str(labels), "--labels", str(tmp_path / "more.txt"))
    done = alt_corpus("build", *given, "--no-expand", "--out", str(tmp_path / "c"), "--json", *MINI)
    assert json.loads(done.stdout)["counts"]["labels"] == 6


def test_a_table_takes_the_place_of_no_other_kind_of_file(labels: Path, built: Path) -> None:
    before = labels.read_text()
    for target, cause in (
        (labels, "is not called *.csv; name a file, as in few.csv"),
        (built, "is a folder"),
    ):
        done = alt_corpus("export", str(built), str(target))
        assert done.returncode == 2
        assert f"{target}: {cause}" in " ".join(done.stderr.split())
    assert labels.read_text() == before


def test_labels_that_a_new_corpus_drops_are_told_of(built: Path, tmp_path: Path) -> None:
    folder, others = tmp_path / "c", tmp_path / "few.txt"
    shutil.copytree(built, folder)
    others.write_text("ironing\nopening door\n")
    done = alt_corpus("build", "--labels", str(others), "--out", str(folder), *MINI)
    assert done.returncode == 0
    said = " ".join(done.stderr.split())
    assert f"{folder}: 4 labels of the corpus it replaces are not in this one" in said
    others.write_text("ironing\nopening door\nopening window\n")
    again = alt_corpus("build", "--labels", str(others), "--out", str(folder), *MINI)
    assert (again.returncode, "it replaces" in again.stderr) == (0, False)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (("--pretrained", "none"), "few-alt-mini-none"),
        (("--pretrained", "weights/mine.pt"), "few-alt-mini-weights-mine.pt"),
        (("--random-entities", "0"), "few-alt-mini-random-entities-0"),
        (("--no-scenes", "--no-parts", "--siblings"), "few-alt-mini-no-parts-no-scenes-siblings"),
        (("--cap", "5", "--first-sense"), "few-alt-mini-cap-5-first-sense"),
        (("--template", "a {unit}."), "few-alt-mini-templates-"),
        ((), "few-alt-mini"),
    ],
)
def test_what_is_not_as_by_default_has_a_folder_of_its_own(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], name: str
) -> None:
    class Chosen(Exception):
        pass

    def up_to_date(folder: Path, inputs: str) -> None:
        raise Chosen(folder)

    monkeypatch.setattr("corpus.manifest.up_to_date", up_to_date)
    with pytest.raises(Chosen) as chosen:
        alt_corpus("build", "--labels", str(labels), "--model", "alt-mini", *given)
    folder = chosen.value.args[0]
    assert folder.parent == Path("artifacts/corpus")
    assert re.fullmatch(name + ("[0-9a-f]{8}" if name.endswith("-") else ""), folder.name)


def test_a_corpus_is_built_again_when_anything_that_decides_it_is_another(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def up_to_date(folder: Path, inputs: str) -> None:
        asked.append(inputs)
        raise BadInput(folder, "is known", "go no further")

    def build(*given: object) -> None:
        out = ("--out", tmp_path / "c", "--model", "alt-mini")
        assert alt_corpus("build", "--labels", *map(str, (labels, *out, *given))).returncode == 2

    monkeypatch.setattr("corpus.manifest.up_to_date", up_to_date)
    corrections, weights = tmp_path / "mine.txt", tmp_path / "mine.pt"
    build()
    for line in ("*, hand, drop", "*, knee, drop"):
        corrections.write_text(line)
        build("--overrides", corrections)
    for content in (b"of today", b"of tomorrow"):
        weights.write_bytes(content)
        build("--pretrained", weights)
    monkeypatch.setattr("corpus.build.code_digest", lambda: "of newer rules")
    build()
    assert len(set(asked)) == len(asked) == 6
    monkeypatch.undo()
    monkeypatch.setattr("corpus.manifest.up_to_date", up_to_date)
    monkeypatch.setenv("HOME", str(tmp_path))
    build()
    build("--pretrained", "~/mine.pt")
    assert asked[-2:] == [asked[0], asked[4]]


def test_a_correction_that_changes_nothing_is_a_warning(labels: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("*, Cello, drop\narchery, bow, drop\n")
    args = ("--out", str(tmp_path / "c"), "--overrides", str(tmp_path / "mine.txt"), *MINI)
    done = alt_corpus("build", "--labels", str(labels), *args)
    assert done.returncode == 0
    (told,) = [line for line in done.stderr.splitlines() if "correction" in line]
    assert told.startswith("warning: correction `archery,bow,drop` changes nothing: ")


def test_files_of_one_name_are_all_counted(tmp_path: Path) -> None:
    for folder, label in (("x", "archery"), ("y", "juggling")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "classes.txt").write_text(f"{label}\n")
    names = f"{tmp_path / 'x' / 'classes.txt'},{tmp_path / 'y' / 'classes.txt'}"
    assert (
        alt_corpus("build", "--labels", names, "--out", str(tmp_path / "c"), *MINI).returncode == 0
    )
    facts = json.loads(alt_corpus("stats", str(tmp_path / "c"), "--json").stdout)
    assert facts["label_sets"] == {"classes": 1, "classes-2": 1}
    assert facts["counts"]["labels"] == 2


def test_show_refuses_a_label_of_nothing_in_one_line() -> None:
    done = alt_corpus("show", " ")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: label: is empty; name an action, such as 'playing piano'"


def test_show_prints_the_entities_of_a_label_as_json() -> None:
    done = alt_corpus("show", "playing bass guitar", "--json")
    facts = json.loads(done.stdout)
    assert facts["label"] == "playing bass guitar"
    first = facts["entities"][0]
    assert (first["unit"], first["kind"], first["synset"]) == (
        "bass guitar",
        "object",
        "bass_guitar.n.01",
    )
    assert {"description", "source", "score"} <= first.keys()


def test_show_lets_the_other_labels_of_a_set_and_corrections_have_their_say(tmp_path: Path) -> None:
    few, mine = tmp_path / "few.txt", tmp_path / "mine.txt"
    few.write_text("separating_eggs\ncooking egg\n")
    mine.write_text("separating_eggs, egg, egg.n.01\n")

    def shown(*given: object) -> tuple[str, str]:
        done = alt_corpus("show", "separating eggs", "--json", *map(str, given))
        facts = json.loads(done.stdout)
        return facts["label"], {one["unit"]: one["synset"] for one in facts["entities"]}["egg"]

    assert shown() == ("separating eggs", "egg.n.01")
    assert shown("--labels", few) == ("separating_eggs", "egg.n.02")
    among = shown("--labels", few, "--overrides", mine)
    assert among == ("separating_eggs", "egg.n.01")


def test_search_finds_entities_with_the_corpus_s_own_backbone(built: Path) -> None:
    entity = json.loads((built / "entities.jsonl").read_text().splitlines()[0])
    done = alt_corpus("search", entity["text"], "--corpus", str(built), "--top", "2", "--json")
    found = json.loads(done.stdout)
    assert len(found) == 2
    assert found[0]["unit"] == entity["unit"]
    assert found[0]["score"] == pytest.approx(1, abs=1e-3)


def test_stats_review_diff_and_export_speak_of_the_corpus(built: Path, tmp_path: Path) -> None:
    facts = json.loads(alt_corpus("stats", str(built), "--json").stdout)
    assert facts["label_sets"] == {"few": 5}
    assert "something" in facts["labels_with_fewer_than_3"]
    review = alt_corpus("review", str(built), "--top", "2").stdout.splitlines()
    assert len([line for line in review if line.startswith("# ")]) == len(review) >= 4
    assert json.loads(alt_corpus("diff", str(built), str(built), "--json").stdout)["added"] == []
    table = tmp_path / "t.csv"
    told = json.loads(alt_corpus("export", str(built), str(table), "--json").stdout)
    assert told == {"path": str(table), "entities": facts["counts"]["entities"]}
    assert table.read_text().startswith("unit,kind,synset")


def test_measure_compares_with_expectations(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text(
        json.dumps(
            {
                "label": "playing cello",
                "must": ["cello", "spaceship"],
                "must_not": ["playing"],
                "sense": {"cello": "cello.n.01"},
            }
        )
    )
    facts = json.loads(alt_corpus("measure", str(gold), "--json").stdout)
    assert facts["recall"] == 0.5
    assert facts["missing"] == [["playing cello", "spaceship"]]
    assert facts["forbidden"] == []
    assert facts["sense_accuracy"] == 1


def test_measure_lets_the_other_labels_of_an_expectation_s_set_have_their_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, object]] = []
    monkeypatch.setattr("corpus.siblings.Siblings", len)
    monkeypatch.setattr(
        "corpus.expand.entities", lambda label, *given: asked.append((label, given[-1])) or []
    )
    gold = tmp_path / "gold.jsonl"
    gold.write_text(
        '{"label": "a", "set": "k400"}\n{"label": "b", "set": "k700"}\n{"label": "c"}\n'
    )
    assert alt_corpus("measure", str(gold), "--json").returncode == 0
    assert asked == [("a", 400), ("b", 700), ("c", None)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "gold.jsonl: holds no expectation"),
        ('{"label": "archery", "set": "mine"}', "gold.jsonl line 1: its set 'mine' is not bundled"),
        ('{"set": "k400"}', "gold.jsonl line 1: is no expectation"),
        ('{"label": "a", "mustnot": ["b"]}', "must, must_any, must_not, sense"),
    ],
)
def test_measure_refuses_what_it_could_not_measure(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "gold.jsonl").write_text(line + "\n")
    done = alt_corpus("measure", str(tmp_path / "gold.jsonl"))
    assert done.returncode == 2
    assert says in done.stderr


def test_help_shows_its_brackets_and_the_environment_does_not_choose_senses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ALT_PRETRAINED", "nowhere.pt")
    assert "[artifacts/corpus/NAME]" in alt_corpus("build", "--help").stdout
    assert "[none]" in alt_corpus("show", "--help").stdout
    shown = alt_corpus("show", "archery")
    assert shown.returncode == 0
    assert "and, as every action: person, head, face" in shown.stdout  # no row each


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("build", "--labels", "k40", *MINI), "did you mean k400"),
        (("build", "--labels", "nowhere.txt", *MINI), "no such label set, file or folder"),
        (("build", "--labels", "hmdb51", "--model", "ViT-B-99"), "no such model"),
        (("build", "--labels", "hmdb51", "--model", "RN50"), "is a ModifiedResNet"),
        (("build", "--labels", "hmdb51", "--overrides", "none.txt"), "no such file"),
        (("build", "--labels", "hmdb51", "--template", "a {thing}"), "unknown field"),
        (("show", "PommelHors", "--labels", "ucf101"), "did you mean 'PommelHorse'"),
        (("show", "archery", "--pretrained", "nowhere.pt"), "--pretrained: is of no model"),
        (("search", "horse", "--corpus", "nowhere"), "is no corpus"),
        (("search", " ", "--corpus", "nowhere"), "is empty"),
        (("stats", "nowhere"), "is no corpus"),
        (
            ("stats", "nowhere", "--plot", "a.jpg"),
            "a.jpg: is not called *.png or *.svg",
        ),
        (("measure", "nowhere.jsonl"), "cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = alt_corpus(*args)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if "error" in line]) == 1
    assert not list(tmp_path.iterdir())


def test_a_user_sees_one_line_and_exit_2() -> None:
    done = shell("stats", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: nowhere: is no corpus")


@pytest.mark.parametrize(
    "command", ["build", "show", "search", "stats", "review", "diff", "export", "measure"]
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = alt_corpus(command, "--help")
    assert done.returncode == 0
    assert "alt-corpus" in done.stdout
    assert "Example" in done.stdout


def test_a_place_that_cannot_be_written_is_named_before_a_label_is_read(
    labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object, **__: object) -> None:
        raise AssertionError("built for nothing")

    monkeypatch.setattr(Corpus, "build", build)
    target = labels / "corpus"  # the list is a file
    done = alt_corpus("build", "--labels", str(labels), "--out", str(target), *MINI)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{target}: Not a directory" in done.stderr
    pipe = labels.parent / "pipe"
    os.mkfifo(pipe)
    for target in (pipe, Path("/dev/null")):
        done = alt_corpus("build", "--labels", str(labels), "--out", str(target), *MINI)
        assert done.returncode in (1, 2)
        assert done.stderr.startswith(f"error: {target}: ")
