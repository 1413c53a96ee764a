import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from corpus import fetch, wordnet
from corpus.errors import BadInput


def test_the_lexicographer_files_are_those_of_wordnet() -> None:
    lines = fetch.lexnames().splitlines()
    assert len(lines) == 45
    assert lines[0] == "00\tadj.all\t3"
    assert lines[6] == "06\tnoun.artifact\t1"
    assert lines[43] == "43\tverb.weather\t2"
    known = (wordnet.folder() / "lexnames").read_text().split()
    assert fetch.lexnames().split() == known
    for part in ("noun", "verb", "adj", "adv"):
        data = (wordnet.folder() / f"data.{part}").read_text().splitlines()
        numbers = {line.split(" ", 2)[1] for line in data if line[0] != " "}
        named = {line[:2] for line in lines if line.split("\t")[1].startswith(f"{part}.")}
        assert numbers <= named


def test_what_is_there_is_left_alone() -> None:
    def source(folder: Path) -> str | None:
        raise AssertionError("nothing is missing")

    assert fetch.wordnet((source,)).startswith("WordNet: ")


def test_what_is_missing_is_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fetch, "find_wordnet", lambda: None)
    monkeypatch.setattr(fetch, "HOME", tmp_path / "wordnet")
    line = fetch.wordnet((lambda folder: "no network", lambda folder: "no apt-get"))
    assert line.startswith("error: WordNet: no network; no apt-get; ")
    assert "\n" not in line


def test_the_next_source_is_tried_when_one_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fetch, "find_wordnet", lambda: None)
    monkeypatch.setattr(fetch, "HOME", tmp_path / "wordnet")
    line = fetch.wordnet((lambda folder: "no network", lambda folder: None))
    assert line == f"WordNet: {tmp_path / 'wordnet'}"


def test_where_nothing_may_be_installed_it_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(folder: Path) -> None:
        raise OSError(30, "Read-only file system", str(folder))

    monkeypatch.setattr(fetch, "find_wordnet", lambda: None)
    said = fetch.wordnet((refused, lambda folder: "no network"))
    assert said.startswith(
        f"error: WordNet: {fetch.HOME} cannot be written (Read-only file system)"
    )
    assert "; no network; with a network run" in said


def test_a_file_that_is_no_package_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\necho '<html>' > wordnet-base.deb\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    fault = fetch.from_debian(tmp_path / "wordnet")
    assert fault == "dpkg-deb cannot unpack wordnet-base.deb"
    assert not (tmp_path / "wordnet").exists()


@pytest.mark.parametrize("name", ["index.noun", "index.verb"])
def test_a_wordnet_that_ends_too_early_is_told_in_one_line_and_fetched_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    copy = tmp_path / "corpora" / "wordnet"
    shutil.copytree(wordnet.folder(), copy)
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])
    assert fetch.works(copy)
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: len(whole) // 2 + 7])
    assert not fetch.works(copy)
    with pytest.raises(BadInput, match=r"WordNet cannot be read \(.+\); run `python -m corpus"):
        wordnet.opened(copy)
    assert not [one for one in psutil.Process().open_files() if one.path.startswith(str(tmp_path))]


def test_importing_reads_no_wordnet() -> None:
    """What needs it says in one line that it is missing; an import cannot, and takes longer."""
    lines = (
        "from corpus import wordnet",
        "wordnet.reader = wordnet.folder = wordnet.digest = None",
        "import adapter.cli, adapter.predict, adapter.protocols, adapter.task, extract.cli",
    )
    subprocess.run([sys.executable, "-c", "; ".join(lines)], check=True, timeout=120)
