"""Rows of a feature cache read past HDF5, whose own way to a small row takes longer than the disk.

Without compression the chunk of a row is its numbers as they are, and those of a row lie one after
the other, so that a row is one piece of the file, with a piece of HDF5's index in it now and then.
A file that another program has packed anew may have other chunks, or filters: `RawRows.plain`.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from extract.buffers import advance


class RawRows:
    """Where the rows of an open cache file are, and what is there.

    HDF5 looks at all chunks to find one, so they are looked up once. The file must stay open.

    Args:
        file: opened to read, by HDF5's plain driver.
        names: of the tensors of a row, in the order in which a row was written.

    Attributes:
        plain: each chunk is a row's numbers as they are; only then is there anything to fill from.
    """

    def __init__(self, file: h5py.File, names: Sequence[str]) -> None:
        self._handle: int = file.id.get_vfd_handle()
        # (N, n, 2): first byte of each row of each of the n tensors, and bytes.
        self._places = np.zeros((len(file[names[0]]), len(names), 2), np.int64)
        self.plain = True
        for column, name in enumerate(names):
            rows, dataset = self._places[:, column], file[name]
            by_row = dataset.chunks == (1, *dataset.shape[1:])
            self.plain &= by_row and not dataset.id.get_create_plist().get_nfilters()
            if not by_row:
                continue

            def note(chunk: Any, rows: NDArray[np.int64] = rows) -> None:
                rows[chunk.chunk_offset[0]] = chunk.byte_offset, chunk.size

            dataset.id.chunk_iter(note)

    def expect(self, indices: Iterable[int]) -> None:
        """Ask the system to bring rows into memory together; compressed ones as well."""
        if not hasattr(os, "posix_fadvise"):
            return
        for index in indices:
            for first, size, _ in self._pieces(index):
                os.posix_fadvise(self._handle, first, size, os.POSIX_FADV_WILLNEED)

    def fill(self, index: int, tensors: Sequence[NDArray[Any]]) -> None:
        """Read a row into one contiguous array for each of its tensors.

        Raises:
            OSError: the file ends before the row does, or the row was never written.
        """
        self._check(index)
        for first, _, columns in self._pieces(index):
            read_arrays(self._handle, [tensors[column] for column in columns], first)

    def fill_part(self, index: int, column: int, skip: int, out: NDArray[Any]) -> None:
        """Read a part of one tensor of a row into a contiguous array, from byte `skip` of it on.

        Raises:
            OSError: as for `fill`.
        """
        self._check(index)
        read_arrays(self._handle, [out], int(self._places[index, column, 0]) + skip)

    def _check(self, index: int) -> None:
        if not self._places[index, :, 1].all():
            raise OSError(f"row {index} was never written")

    def _pieces(self, index: int) -> list[tuple[int, int, list[int]]]:
        """Return what of a row lies together: first byte, bytes, tensors. A failed row has none."""
        pieces: list[tuple[int, int, list[int]]] = []
        for column, (first, size) in enumerate(self._places[index].tolist()):
            if pieces and pieces[-1][0] + pieces[-1][1] == first:
                before, held, columns = pieces[-1]
                pieces[-1] = before, held + size, [*columns, column]
            elif size:
                pieces.append((first, size, [column]))
        return pieces


def read_arrays(handle: int, arrays: Iterable[NDArray[Any]], first: int) -> int:
    """Read contiguous arrays that lie one after the other in an open file.

    One call of the system gives at most 2 GiB, and on some file systems less than it is asked for.

    Args:
        handle: of the file.
        arrays: filled.
        first: byte that they begin at.

    Returns:
        The byte after them.

    Raises:
        OSError: the file ends before they do.
    """
    views = [array.data.cast("B") for array in arrays if array.nbytes]
    while views:
        done = os.preadv(handle, views, first)
        if not done:
            raise OSError("truncated")
        first += done
        advance(views, done)
    return first
