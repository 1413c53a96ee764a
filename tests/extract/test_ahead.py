"""An ordered map over threads (extract.ahead)."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.ahead import in_order


@given(st.lists(st.integers()), st.integers(1, 9), st.integers(1, 4))
def test_results_come_in_the_order_of_the_items(items: list[int], ahead: int, threads: int):
    with ThreadPoolExecutor(threads) as crew:
        assert list(in_order(crew, lambda item: -item, items, ahead)) == [-i for i in items]


@pytest.mark.parametrize("ahead", [1, 3])
def test_no_more_items_are_taken_than_may_wait(ahead: int):
    taken = []

    def items() -> Iterator[int]:
        for item in range(10):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(4) as crew:
        for read, _ in enumerate(in_order(crew, lambda item: item, items(), ahead)):
            assert len(taken) <= read + ahead


def test_a_failure_is_raised_in_its_item_s_turn():
    def work(item: int) -> int:
        time.sleep(0.01 * (item == 0))  # the first is done after the one that fails
        return 6 // (1 - item)

    with ThreadPoolExecutor(2) as crew:
        results = in_order(crew, work, [0, 1, 2], ahead=3)
        assert next(results) == 6
        with pytest.raises(ZeroDivisionError):
            next(results)
