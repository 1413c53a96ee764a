"""What every console command shares: where it speaks, and how it ends."""

import errno
import json
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from corpus.errors import BadInput, RunFailed

# What would steer a terminal in place of being read, and the bytes of a name that are no UTF-8.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class _Terminal(Console):
    """A console on which the user's words give the terminal no orders: they are spelled out."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(_UNSEEN.sub(_spelled, text), style)


def _spelled(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


# Facts go to stdout, so that `--json` can be piped; progress, notes and warnings go to stderr.
# What is printed is mostly the user's: no bracket in it is a style and no :word: an emoji, and no
# line of it is cut.
out = _Terminal(highlight=False, markup=False, emoji=False, soft_wrap=True)
notes = _Terminal(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

_MEND = "see that it is there and may be read or written, then run the command again"
_MENDS = {errno.ENOSPC: "free some space, then run the command again"}
_INTERRUPTED = 130  # exit status of a command that Ctrl-C has ended
_WISHES = (signal.SIGINT, signal.SIGTERM)
_SAME_WISH = 3.0  # seconds in which Ctrl-C again is no new wish: what the first began goes on


def application(about: str) -> typer.Typer:
    """Return a Typer application with the settings that all our commands share."""
    return typer.Typer(
        help=about,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def print_json(value: Any) -> None:
    """Print `value` to stdout as one indented JSON document."""
    sys.stdout.write(_json(value) + "\n")
    sys.stdout.flush()  # here, where it can be told that it fails


def print_json_list(values: Iterable[Any]) -> None:
    """Print what `print_json` prints of a list, each value as it comes: they may be very many."""
    before = "["
    for value in values:
        sys.stdout.write(f"{before}\n  " + _json(value).replace("\n", "\n  "))
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")
    sys.stdout.flush()


def _json(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def run(app: typer.Typer) -> NoReturn:
    """Run `app` on the process's arguments and exit.

    The status is 0 when done, 2 for bad input or usage, 1 for a failure, 130 for Ctrl-C and 143
    for SIGTERM, with which clusters take a machine back. Errors that a user can mend are one line
    on stderr, and a reader of our output that leaves (Typer sees to it) none. Anything else is a
    defect of ours and keeps its traceback. Warnings are one line too, without the place in our
    code.
    """
    warnings.showwarning = _show_warning
    asked: list[int] = []
    for wish in _WISHES:
        signal.signal(wish, _interrupt(asked))
    try:
        app()
    except SystemExit as end:
        if end.code == _INTERRUPTED and asked:
            for wish in _WISHES:  # the interpreter is closing down
                signal.signal(wish, signal.SIG_IGN)
            notes.print(f"stopped; run the same command again{_with_resume(app)}")
            sys.exit(128 + asked[0])
        raise
    except RunFailed as error:
        _end(str(error), 1)
    except BadInput as error:
        _end(str(error), 2)
    except UnicodeEncodeError as error:
        text = ascii(error.object[max(0, error.start - 20) : error.end + 20])
        utf8 = error.encoding.lower().replace("-", "") == "utf8"
        mend = "use names and words of UTF-8" if utf8 else "set PYTHONUTF8=1 in the environment"
        _end(f"{text}: cannot be written in {error.encoding}; {mend}", 2)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        _forget_unwritten()
        where = error.filename or "operating system"
        _end(f"{where}: {error.strerror or error}; {_MENDS.get(error.errno or 0, _MEND)}", 1)
    except (MemoryError, RuntimeError) as error:
        if not _no_room(error):
            raise
        _end("memory: there is not enough for this; make batches or sizes smaller", 1)
    sys.exit(0)


def warn(message: object) -> None:
    """Print a warning to stderr, on one line."""
    _print("warning", message, "bold yellow")


def accuse(word: str, message: object) -> None:
    """Print what is wrong to stderr, on one line after a word that says what it is."""
    _print(word, message, "bold red")


def leave_to_caller() -> None:
    """Ignore Ctrl-C in a worker process: all of its group get it, and the caller alone decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_caller()


def end_with_caller() -> None:
    """End this worker process soon after its caller, also where that is killed and tells nobody."""
    caller = os.getppid()

    def watch() -> None:
        while os.getppid() == caller:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _with_resume(app: typer.Typer) -> str:
    """Return what the command that was called needs beside to go on, which most do without."""
    called: Any = typer.main.get_command(app)
    for word in sys.argv[1:]:
        called = getattr(called, "commands", {}).get(word, called)
    has = any("--resume" in parameter.opts for parameter in called.params)
    return " with --resume" if has and "--resume" not in sys.argv else ""


def _forget_unwritten() -> None:
    """Forget output that cannot be written: else the interpreter fails at it again as it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _no_room(error: Exception) -> bool:
    """Tell whether memory ran out, also that of a GPU; torch says so by names and words alone."""
    torchs = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or torchs


def _interrupt(asked: list[int]) -> Callable[..., None]:
    """Return a handler of Ctrl-C that lets nothing interrupt the cleaning up after the first.

    Args:
        asked: gets the number of each signal that interrupted something.
    """
    last = -_SAME_WISH

    def handle(number: int, _: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SAME_WISH:
            last = now
            asked.append(number)
            raise KeyboardInterrupt

    return handle


def _print(word: str, message: object, style: str) -> None:
    notes.print(Text.assemble((f"{word}:", style), " ", " ".join(str(message).split())))


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    warn(message)


def _end(message: str, code: int) -> NoReturn:
    accuse("error", message)
    sys.exit(code)
