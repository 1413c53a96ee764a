"""An ordered map over threads that keeps only so far ahead of its reader."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    crew: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Yield `work(item)` of each item, in the order of the items.

    Args:
        crew: does the work.
        work: what is done with an item; what it raises is raised here, in the item's turn.
        items: taken by the reader's thread, as there is room.
        ahead: items that may be at work or waiting to be read at once; bounds the memory.
    """
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(crew.submit(work, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
