import os
from pathlib import Path

from extract.datasets import Clip, Dataset
from extract.pieces import Piece


def test_a_piece_is_another_once_any_of_its_files_is(tmp_path: Path):
    videos = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for path in videos:
        path.write_bytes(b"one")
    clips = tuple(Clip(path.name, 0, "all") for path in videos)
    dataset = Dataset("csv", tmp_path, "all", ("x",), clips)

    def inputs() -> str:
        return Piece(0, dataset, clips).inputs

    found = [inputs()]
    assert inputs() == found[0]
    for path in videos:
        was = path.stat()
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns + 1))  # of the same size
        found.append(inputs())
        path.write_bytes(b"another")
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns + 1))  # of the same time
        found.append(inputs())
        path.unlink()
        found.append(inputs())
    assert len(set(found)) == 7
