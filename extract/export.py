"""A feature cache taken elsewhere, in forms that need nothing of ours to be read."""

import importlib.util
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpus.atomic import atomic_folder
from corpus.errors import BadInput
from corpus.tally import Tally, tallied
from extract.drafts import writing
from extract.manifest import tensors
from extract.rows import Entry, Features
from extract.store import FeatureCache

FORMATS = ("npy", "parquet", "webdataset")
_CLIPS_PER_FILE = 1000
_CLIPS_PER_ROW_GROUP = 20

Rows = Iterator[tuple[Entry, Features | None, bytes]]  # of a cache, with their digests


def export(cache: FeatureCache, out: Path | str, form: str, tally: Tally | None = None) -> int:
    """Write a cache's rows into a folder.

    "npy" gives an array of each kind for all clips (`regions.npy` and so on, which
    `np.load(…, mmap_mode="r")` opens), with `clips.jsonl` for their words. "parquet" gives files of
    1,000 clips, a row each; the arrays are Arrow's fixed-shape tensors, which readers that do not
    know those see as lists. "webdataset" gives tar files of 1,000 clips: `<row>.regions.npy`, …,
    `<row>.json`. Failed rows have words alone: in "npy" their arrays are zero, in "parquet" null.
    `manifest.json` says what made it all; beside parquet it is `_manifest.json`, which those who
    read a folder as one table pass over.

    Args:
        cache: to read.
        out: folder to make; not yet there.
        form: one of `FORMATS`.
        tally: called with each row.

    Returns:
        How many clips with features were written.

    Raises:
        BadInput: an unknown form, "parquet" without pyarrow, `out` exists, or the cache is damaged.
        RunFailed: `out` cannot be written.
    """
    if form not in FORMATS:
        raise BadInput(f"--format {form}", "unknown", f"use {', '.join(FORMATS)}")
    if form == "parquet" and not importlib.util.find_spec("pyarrow"):
        mend = "install it: pip install 'alt-video[parquet]'"
        raise BadInput("--format parquet", "pyarrow is not installed", mend)
    out = Path(out)
    if out.exists():
        raise BadInput(out, "exists already", "choose another --out, or remove it")
    with writing(out), atomic_folder(out) as draft:
        facts = cache.manifest.model_dump(mode="json")
        name = "_manifest.json" if form == "parquet" else "manifest.json"
        words = json.dumps(facts, indent=2, ensure_ascii=False)
        (draft / name).write_text(words, encoding="utf-8")
        rows = tallied(cache.rows(), len(cache), tally)
        {"npy": _npy, "parquet": _parquet, "webdataset": _webdataset}[form](cache, rows, draft)
    return len(cache) - cache.manifest.failed


def _npy(cache: FeatureCache, rows: Rows, folder: Path) -> None:
    with ExitStack() as files:
        # Written row by row: on a full disk, a file mapped into memory would end the process.
        arrays, blank = {}, {}
        for name, (shape, dtype) in tensors(cache.manifest).items():
            arrays[name] = files.enter_context((folder / f"{name}.npy").open("wb"))
            blank[name] = np.zeros(shape, dtype)
            head = {"descr": dtype.str, "fortran_order": False, "shape": (len(cache), *shape)}
            np.lib.format.write_array_header_1_0(arrays[name], head)
        words = files.enter_context((folder / "clips.jsonl").open("w", encoding="utf-8"))
        for index, (entry, features, _) in enumerate(rows):
            for name, value in (blank if features is None else _tensors(features)).items():
                arrays[name].write(np.ascontiguousarray(value).data)
            words.write(json.dumps(_words(cache, index, entry), ensure_ascii=False) + "\n")
    np.save(folder / "label.npy", cache.labels)


def _parquet(cache: FeatureCache, rows: Rows, folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {
        name: pa.fixed_shape_tensor(pa.from_numpy_dtype(dtype), shape)
        for name, (shape, dtype) in tensors(cache.manifest).items()
    }
    words = {"row": pa.int64(), "video": pa.string(), "label": pa.int64(), "split": pa.string()}
    words |= {"status": pa.string(), "error": pa.string(), "class": pa.string()}
    schema = pa.schema([*words.items(), *kinds.items()])
    stored = enumerate(rows)
    for start in range(0, len(cache), _CLIPS_PER_FILE):
        stop = min(start + _CLIPS_PER_FILE, len(cache))
        path = folder / f"clips-{start // _CLIPS_PER_FILE:06d}.parquet"
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for first in range(start, stop, _CLIPS_PER_ROW_GROUP):
                some = islice(stored, min(_CLIPS_PER_ROW_GROUP, stop - first))
                held = [(_words(cache, index, row[0]), row[1]) for index, row in some]
                columns = {
                    name: pa.array([row[name] for row, _ in held], kind)
                    for name, kind in words.items()
                }
                for name, kind in kinds.items():
                    values = [
                        None if features is None else getattr(features, name).ravel()
                        for _, features in held
                    ]
                    lists = pa.array(values, kind.storage_type)
                    columns[name] = pa.ExtensionArray.from_storage(kind, lists)
                writer.write_table(pa.table(columns, schema))


def _webdataset(cache: FeatureCache, rows: Rows, folder: Path) -> None:
    stored = enumerate(rows)
    for start in range(0, len(cache), _CLIPS_PER_FILE):
        name = folder / f"clips-{start // _CLIPS_PER_FILE:06d}.tar"
        with tarfile.open(name, "w", format=tarfile.USTAR_FORMAT) as tar:
            for index, (entry, features, _) in islice(stored, _CLIPS_PER_FILE):
                key = f"{index:08d}"
                words = json.dumps(_words(cache, index, entry), ensure_ascii=False).encode()
                _add(tar, f"{key}.json", words)
                for kind, value in _tensors(features).items() if features is not None else ():
                    buffer = io.BytesIO()
                    np.save(buffer, value)
                    _add(tar, f"{key}.{kind}.npy", buffer.getvalue())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    facts = tarfile.TarInfo(name)  # with no time and no owner: the same cache, the same bytes
    facts.size = len(content)
    tar.addfile(facts, io.BytesIO(content))


def _tensors(features: Features) -> dict[str, NDArray[Any]]:
    return {name: value for name, value in vars(features).items() if value is not None}


def _words(cache: FeatureCache, index: int, entry: Entry) -> dict[str, Any]:
    label = cache.manifest.classes[entry.label] if entry.label >= 0 else None
    return {"row": index, **vars(entry), "class": label}
