import os

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from extract.room import Room


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6), st.integers(0, 99))
def test_arrays_of_any_size_come_through_in_any_order(shapes: list[tuple[int, int]], seed: int):
    mine = Room()
    theirs = Room(os.dup(mine.handle))  # as another process has it
    for shape in shapes:
        array = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        theirs.put(array)
        np.testing.assert_array_equal(mine.take(shape), array)
    mine.close()
    theirs.close()


def test_what_was_taken_stays_when_the_room_is_used_again_and_closed():
    room = Room()
    room.put(np.full((2, 3), 7, np.uint8))
    taken = room.take((2, 3))
    room.put(np.zeros((5, 5), np.uint8))
    room.close()
    assert (taken == 7).all()
    assert taken.flags.writeable


def test_a_slice_of_a_larger_array_is_left_as_it_looks():
    room = Room()
    view = np.arange(24, dtype=np.uint8).reshape(4, 6)[::-1, ::2]
    room.put(view)
    np.testing.assert_array_equal(room.take((4, 3)), view)
    room.close()
