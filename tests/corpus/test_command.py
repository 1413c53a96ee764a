import copy
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.table import Table

from corpus import command
from corpus.errors import BadInput, RunFailed


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Run a command that raises an error."""

    def run(error: Exception) -> None:
        app = command.application("test")

        @app.command()
        def fail() -> None:
            raise error

        monkeypatch.setattr("sys.argv", ["alt-test"])
        command.run(app)

    return run


ODD = "a\x1b[31m\x9b2J\x7f \udcff [/] é\tb"


def test_words_of_the_user_s_give_the_terminal_no_orders(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = Table("label")
    table.add_row(ODD)
    command.out.print(ODD)
    command.out.print(table)
    command.warn(ODD)
    command.notes.print(f"{ODD}\nand a second line")
    streams = capsys.readouterr()
    assert streams.out.startswith("a\\x1b[31m\\x9b2J\\x7f \\udcff [/] é")
    assert "\nand a second line\n" in streams.err
    for text in streams:
        assert text.count("\\x1b[31m") == 2
        assert not {"\x1b", "\x9b", "\x7f", "\udcff"} & set(text)


def test_json_holds_any_word_and_can_be_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    command.print_json({ODD: [ODD]})
    out = capsys.readouterr().out
    assert out.isprintable() or set(out) - {"\n"} == {c for c in out if c.isprintable()}
    assert "é" in out
    assert json.loads(out) == {ODD: [ODD]}


@pytest.mark.parametrize("values", [[], [1], [{"a": [ODD, "two\nlines"]}, [], {}, "é"]])
def test_a_list_that_is_printed_as_it_comes_reads_as_one_printed_whole(
    values: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    command.print_json(values)
    whole = capsys.readouterr().out
    command.print_json_list(iter(values))
    assert capsys.readouterr().out == whole


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("a [b].csv", "is\nempty", "add a row"), 2),
        (RunFailed("feats.h5", "disk is full", "free some room and run again"), 1),
        (OSError(13, "Permission denied", "out.h5"), 1),
        (OSError(28, "No space left on device"), 1),
        (UnicodeEncodeError("utf-8", "a [b]\udcff", 5, 6, "surrogates not allowed"), 2),
        (UnicodeEncodeError("latin-1", "a [b] …", 6, 7, "not in range"), 2),
        (MemoryError(), 1),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …\nand more"), 1),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.\nand more"), 1),
    ],
)
def test_an_error_ends_a_command_in_one_line_and_its_own_exit_code(
    error: Exception,
    code: int,
    capsys: pytest.CaptureFixture[str],
    failing: Callable[[Exception], None],
) -> None:
    with pytest.raises(SystemExit) as end:
        failing(error)
    assert end.value.code == code
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "[b]" in err or code != 2


@pytest.mark.parametrize(
    ("encoding", "mend"),
    [("utf-8", "use names and words of UTF-8"), ("latin-1", "set PYTHONUTF8=1 in the environment")],
)
def test_what_cannot_be_written_is_the_user_s_or_the_terminal_s_to_mend(
    encoding: str,
    mend: str,
    capsys: pytest.CaptureFixture[str],
    failing: Callable[[Exception], None],
) -> None:
    with pytest.raises(SystemExit):
        failing(UnicodeEncodeError(encoding, "a …", 2, 3, "not in range"))
    assert capsys.readouterr().err.strip().endswith(f"cannot be written in {encoding}; {mend}")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "full", "out.h5"), "out.h5: full; free some space, then run the command"),
        (OSError(28, "full"), "operating system: full; free some space, then run the command"),
        (OSError(5, "unwell", "out.h5"), "out.h5: unwell; see that it is there and may be read"),
    ],
)
def test_a_disk_s_error_says_where_and_what_to_do(
    error: OSError,
    said: str,
    capsys: pytest.CaptureFixture[str],
    failing: Callable[[Exception], None],
) -> None:
    with pytest.raises(SystemExit):
        failing(error)
    assert capsys.readouterr().err.startswith(f"error: {said}")


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes do not fit"), OSError("odd"), KeyError("x"), AssertionError()]
)
def test_a_defect_of_ours_keeps_its_traceback(
    error: Exception, failing: Callable[[Exception], None]
) -> None:
    with pytest.raises(type(error)) as raised:
        failing(error)
    assert raised.value is error


def test_a_warning_is_one_line_without_the_place_in_our_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = command.application("test")
    app.command()(lambda: warnings.warn("two [b]\nlines", stacklevel=1))
    monkeypatch.setattr("sys.argv", ["alt-test"])
    with pytest.raises(SystemExit) as end:
        command.run(app)
    assert end.value.code == 0
    assert capsys.readouterr().err == "warning: two [b] lines\n"


def test_what_is_printed_is_the_user_s_text_and_no_emoji(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command.out.print("archery :bow: [b]")
    assert capsys.readouterr().out == "archery :bow: [b]\n"


def test_errors_cross_process_borders() -> None:
    error = copy.deepcopy(RunFailed("a", "b", "c"))  # takes the way that pickle does
    assert isinstance(error, RunFailed)
    assert str(error) == "a: b; c"


WORKING = """
import sys, time
import typer
from corpus.command import application, run

app = application("x")

@app.command()
def rest() -> None:
    work()

@app.command()
def work(resume: bool = typer.Option(False, "--resume")) -> None:
    try:
        print("working", flush=True)
        time.sleep(60)
    finally:
        time.sleep(0.5)
        print("cleaned up", flush=True)

run(app)
"""


@pytest.mark.parametrize("wish", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_twice_is_one_clear_line_and_the_cleaning_up_is_not_cut_off(wish) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKING, "work"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    for _ in range(2):
        process.send_signal(wish)
        time.sleep(0.1)
    out, err = process.communicate(timeout=30)
    assert out == "cleaned up\n"
    assert err == "stopped; run the same command again with --resume\n"
    assert process.returncode == 128 + wish


@pytest.mark.parametrize("words", [("rest",), ("work", "--resume")])
def test_ctrl_c_names_no_option_that_a_command_lacks_or_was_given(words) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKING, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == "stopped; run the same command again\n"


def test_ctrl_c_is_a_new_wish_only_some_seconds_after_one_that_was_heard(monkeypatch) -> None:
    now, asked = 100.0, list[int]()
    monkeypatch.setattr(command.time, "monotonic", lambda: now)
    handle = command._interrupt(asked)
    heard = []
    for now in (100.0, 101.0, 102.5, 103.5, 104.0):
        try:
            handle(signal.SIGINT, None)
        except KeyboardInterrupt:
            heard.append(now)
    assert heard == [100.0, 103.5]
    assert asked == [signal.SIGINT] * 2


PRINTING = """
from corpus.command import application, out, print_json, run

app = application("x")

@app.command()
def tell(count: int, json: bool = False) -> None:
    lines = ["[" + "a line that nobody reads"] * count
    if json:
        print_json(lines)
    else:
        for line in lines:
            out.print(line)

run(app)
"""
HELD = {**os.environ, "PYTHONUNBUFFERED": ""}  # what stdout holds back may fail as Python ends


@pytest.mark.parametrize("words", [("1",), ("30000",), ("1", "--json"), ("30000", "--json")])
def test_a_reader_that_leaves_ends_a_command_without_a_word(words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)  # as head does, sooner or later
    command = [sys.executable, "-c", PRINTING, *words]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=HELD)
    os.close(write)
    assert (done.stderr, done.returncode) == (b"", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("words", [("1",), ("1", "--json"), ("30000", "--json")])
def test_output_that_fills_the_disk_is_one_line(words: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", PRINTING, *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=HELD)
    assert done.returncode == 1
    assert done.stderr == (
        "error: operating system: No space left on device; "
        "free some space, then run the command again\n"
    )


POOL = """
import signal, time
from concurrent.futures import ProcessPoolExecutor
from corpus.command import leave_to_caller

pool = ProcessPoolExecutor(2, initializer=leave_to_caller)
for rest in [pool.submit(time.sleep, 0.2) for _ in range(2)]:
    rest.result()
pool.submit(signal.raise_signal, signal.SIGINT).result()
print(len(pool._processes), "workers", flush=True)
time.sleep(60)
"""


def test_workers_outlive_ctrl_c_and_not_their_caller_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", POOL], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"2 workers\n"
        process.kill()
        process.communicate(timeout=30)  # workers have the other end of this pipe, while they live
