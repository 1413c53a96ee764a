"""How far long work is: told where it is done, shown where it was asked for."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

Tally = Callable[[int, int], None]  # told how many are done, and of how many
Step = Callable[[str, int, int], None]  # told that of a stage of the work
Item = TypeVar("Item")


def tallied(items: Iterable[Item], total: int, tally: Tally | None) -> Iterator[Item]:
    """Pass items on, and tell with each how many that makes.

    Of none is told too, before the first, which may take long to come.
    """
    if tally:
        tally(0, total)
    for done, item in enumerate(items, 1):
        if tally:
            tally(done, total)
        yield item


@contextmanager
def stages() -> Iterator[Step]:
    """Show a bar on stderr, where that is a terminal; what is yielded names and moves it.

    Before that and where all of a stage is done there is none: something else may be at work.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from corpus.command import notes

    what = TextColumn("{task.description}")
    columns = (what, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    quiet = not notes.is_terminal
    with Progress(*columns, console=notes, transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=None, visible=False)

        def step(stage: str, done: int, total: int) -> None:
            if stage != bar.tasks[0].description:  # how fast the last one was says nothing of it
                bar.reset(task, total=total, description=stage)
            bar.update(task, completed=done, total=total, visible=done < total)

        yield step


@contextmanager
def shown(what: str) -> Iterator[Tally]:
    """Show a bar of one stage."""
    with stages() as step:
        yield partial(step, what)
