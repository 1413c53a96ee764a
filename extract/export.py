"""A feature cache taken elsewhere, in forms that need nothing of ours to be read."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpus.atomic import atomic_folder
from corpus.errors import BadInput
from extract.rows import Features
from extract.shards import writing
from extract.store import FeatureCache

FORMATS = ("npy", "webdataset")
_CLIPS_PER_TAR = 1000


def export(cache: FeatureCache, out: Path, form: str) -> int:
    """Write a cache's rows into a folder.

    "npy" gives an array of each kind for all clips (`regions.npy` and so on, which
    `np.load(…, mmap_mode="r")` opens), with `clips.jsonl` for their words. "webdataset" gives tar
    files of 1,000 clips: `<row>.regions.npy`, …, `<row>.json`. Failed rows have words alone: in
    "npy" their arrays are zero. `manifest.json` says what made it all.

    Args:
        cache: to read.
        out: folder to make; not yet there.
        form: one of `FORMATS`.

    Returns:
        How many clips with features were written.

    Raises:
        BadInput: an unknown form, or `out` exists.
        RunFailed: `out` cannot be written.
    """
    if form not in FORMATS:
        raise BadInput(f"--format {form}", "unknown", f"use {' or '.join(FORMATS)}")
    if out.exists():
        raise BadInput(out, "exists already", "choose another --out, or remove it")
    with writing(out), atomic_folder(out) as draft:
        facts = cache.manifest.model_dump(mode="json")
        (draft / "manifest.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False))
        (_npy if form == "npy" else _webdataset)(cache, draft)
    return len(cache) - cache.manifest.failed


def _npy(cache: FeatureCache, folder: Path) -> None:
    arrays: dict[str, Any] = {}
    for index, features in _rows(cache):
        for name, value in _tensors(features).items():
            if name not in arrays:
                shape = (len(cache), *value.shape)
                arrays[name] = np.lib.format.open_memmap(
                    folder / f"{name}.npy", "w+", value.dtype, shape
                )
            arrays[name][index] = value
    for array in arrays.values():
        array.flush()
    np.save(folder / "label.npy", cache.labels)
    with (folder / "clips.jsonl").open("w", encoding="utf-8") as file:
        for index in range(len(cache)):
            file.write(json.dumps(_words(cache, index), ensure_ascii=False) + "\n")


def _webdataset(cache: FeatureCache, folder: Path) -> None:
    for start in range(0, len(cache), _CLIPS_PER_TAR):
        name = folder / f"clips-{start // _CLIPS_PER_TAR:06d}.tar"
        with tarfile.open(name, "w", format=tarfile.USTAR_FORMAT) as tar:
            for index in range(start, min(start + _CLIPS_PER_TAR, len(cache))):
                key = f"{index:08d}"
                words = json.dumps(_words(cache, index), ensure_ascii=False).encode()
                _add(tar, f"{key}.json", words)
                row = cache.features(index)
                for kind, value in _tensors(row).items() if row is not None else ():
                    buffer = io.BytesIO()
                    np.save(buffer, value)
                    _add(tar, f"{key}.{kind}.npy", buffer.getvalue())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    facts = tarfile.TarInfo(name)  # with no time and no owner: the same cache, the same bytes
    facts.size = len(content)
    tar.addfile(facts, io.BytesIO(content))


def _rows(cache: FeatureCache) -> Iterator[tuple[int, Features]]:
    for index in range(len(cache)):
        features = cache.features(index)
        if features is not None:
            yield index, features


def _tensors(features: Features) -> dict[str, NDArray[Any]]:
    return {name: value for name, value in vars(features).items() if value is not None}


def _words(cache: FeatureCache, index: int) -> dict[str, Any]:
    entry = cache.entry(index)
    label = cache.manifest.classes[entry.label] if entry.label >= 0 else None
    return {"row": index, **vars(entry), "class": label}
