"""The seal of a file is kept up in whatever order its bytes are written."""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract import seal
from extract import sink as sinks
from extract.seal import Seal
from extract.sink import Sink


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "PIECE", 16)


def by_hand(data: bytes) -> str:
    pieces = [data[at : at + 16] for at in range(0, len(data), 16)]
    return hashlib.sha256(b"".join(hashlib.sha256(p).digest() for p in pieces)).hexdigest()


writes = st.lists(st.tuples(st.integers(-20, 150), st.binary(min_size=1, max_size=70)), max_size=12)


@given(writes=writes, in_order=st.booleans(), start=st.integers(0, 20), cut=st.integers(0, 30))
@settings(max_examples=300)
def test_it_is_that_of_the_file_whatever_was_written_where(
    tmp_path_factory: pytest.TempPathFactory,
    writes: list[tuple[int, bytes]],
    in_order: bool,
    start: int,
    cut: int,
):
    path = tmp_path_factory.mktemp("seal") / "file"
    sink, at = Sink(path, Seal(start)), start
    sink.truncate(start)
    for place, data in writes:
        sink.seek(at if in_order else max(start + place, 0))  # or before the start, as heads are
        sink.write(data)
        at += len(data)
    size = sink.seek(0, 2)
    sink.truncate(max(start, size - cut) if in_order else size + cut)
    sink.close()
    made = sink._seal
    assert made is not None
    whole = path.read_bytes()[start:]
    assert made.digest(path) == seal.digest(path, start) == by_hand(whole)


@pytest.mark.parametrize("place", [0, 15, 16, 99])
def test_a_flipped_bit_anywhere_gives_another(tmp_path: Path, place: int):
    data = bytearray(100)
    (tmp_path / "a").write_bytes(data)
    data[place] ^= 1
    (tmp_path / "b").write_bytes(data)
    assert seal.digest(tmp_path / "a", 0) != seal.digest(tmp_path / "b", 0)


def test_what_was_in_order_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = Seal(0)
    data = bytes(range(160))
    (tmp_path / "a").write_bytes(data)
    for at in range(0, 160, 5):
        made.wrote(at, memoryview(data)[at : at + 5])
    made.wrote(33, memoryview(data)[33:35])
    read, real = [], seal._digest
    monkeypatch.setattr(
        seal, "_digest", lambda handle, start, n: read.append(n) or real(handle, start, n)
    )
    assert made.digest(tmp_path / "a") == by_hand(data)
    assert read == [2]


def test_what_a_sink_holds_back_is_written_once_it_is_released(tmp_path: Path):
    rows = np.arange(40, dtype=np.uint8).reshape(4, 10)
    sink = Sink(tmp_path / "a.h5", Seal(0))
    with h5py.File(sink, "w") as file:
        chunks = file.create_dataset("rows", rows.shape, rows.dtype, chunks=(1, 10)).id
        for number, row in enumerate(rows):
            sink.hold(row)
            before = (tmp_path / "a.h5").stat().st_size
            chunks.write_direct_chunk((number, 0), row)
            assert row.tobytes() not in (tmp_path / "a.h5").read_bytes()[before:]
            sink.release()
            assert row.tobytes() in (tmp_path / "a.h5").read_bytes()
    sink.close()
    with h5py.File(tmp_path / "a.h5") as file:
        assert (file["rows"][()] == rows).all()


def test_after_a_failed_write_a_sink_writes_no_more_and_keeps_the_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    errors = [None, OSError("first"), OSError("second"), None]  # of each write that is tried
    real = sinks._write

    def write(*given):
        error = errors.pop(0)
        if error:
            raise error
        return real(*given)

    monkeypatch.setattr(sinks, "_write", write)
    sink = Sink(tmp_path / "a", Seal(0))
    assert [sink.write(b"abcd") for _ in range(3)] == [4, 4, 4]
    assert (str(sink.error), sink.tell()) == ("first", 12)
    sink.close()
    assert (tmp_path / "a").read_bytes() == b"abcd"
