"""Whether an HDF5 file is laid out as a feature cache: each dataset of its kind, and in the file.

HDF5 lets a dataset be in other files, by a link or piece by piece. A cache is one file: what is
elsewhere is not what was written, may be any file of the reader's, and reads as zeros once it is
gone. What was never written reads as zeros too.
"""

import h5py
import numpy as np

from extract.manifest import CacheManifest, tensors

_TEXTS = ("video", "split", "status", "error")


def check_layout(file: h5py.File, manifest: CacheManifest) -> None:
    """Look at what is cheap to look at in an open file; its rows are not read.

    Raises:
        ValueError: a dataset is missing, misshapen, of another type or not in the file, a label is
            no class, or a row neither "ok" nor "failed".
    """
    for name, (shape, dtype) in tensors(manifest).items():
        if _own(file, name, (manifest.clips, *shape)).dtype != dtype:
            raise ValueError(f"dataset {name} is not {dtype}")
    for name in _TEXTS:
        if h5py.check_string_dtype(_column(file, name, manifest).dtype) is None:
            raise ValueError(f"dataset {name} is no text")
    column = _column(file, "label", manifest)
    if column.dtype.kind not in "iu":
        raise ValueError("dataset label is not of whole numbers")
    labels = column[()]
    classes = len(manifest.classes)
    for row in np.flatnonzero((labels < -1) | (labels >= classes)).tolist()[:1]:
        raise ValueError(f"row {row} has label {labels[row]} of {classes} classes")
    for row, status in enumerate(file["status"][()]):
        if status not in (b"ok", b"failed"):
            what = status.decode(errors="replace")[:20]
            raise ValueError(f"row {row} is {what!r}, neither ok nor failed")


def _column(file: h5py.File, name: str, manifest: CacheManifest) -> h5py.Dataset:
    """A dataset that has a value for each row; all of them were written."""
    found = _own(file, name, (manifest.clips,))
    if found.chunks:
        whole = found.id.get_num_chunks() == -(-manifest.clips // found.chunks[0])
    else:
        whole = found.id.get_storage_size() >= found.nbytes
    if not whole:
        raise ValueError(f"dataset {name} was not written")
    return found


def _own(file: h5py.File, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
    """A dataset of this shape, which is in the file itself."""
    link = file.get(name, getlink=True)
    if link is not None and not isinstance(link, h5py.HardLink):
        raise ValueError(f"dataset {name} is a link to elsewhere")
    found = file.get(name)
    if not isinstance(found, h5py.Dataset) or found.shape != shape:
        raise ValueError(f"dataset {name} is missing or misshapen")
    if found.is_virtual or found.external is not None:
        raise ValueError(f"dataset {name} is in other files")
    return found
