"""Files that are whole or absent: written beside the target, fsynced, renamed."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from corpus.errors import BadInput

_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST)


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` that takes its place on a clean exit, else is removed.

    Args:
        target: final path. Its folder is created.

    Yields:
        A path in the same folder (hence the same file system, which a rename needs) with the
        same suffix, for the caller to write and close.

    Raises:
        OSError: it cannot be written; the error names `target`.
    """
    place = Path(os.path.realpath(target))  # what a link leads to is replaced, and not the link
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise OSError(errno.EINVAL, "is a device or a pipe, and no file", str(target))
    with _blamed_on(target):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{place.stem}.", suffix=place.suffix, dir=place.parent
        )
        os.close(handle)
    draft = Path(name)
    try:
        # mkstemp makes files private; a result should carry the mode the user's umask asks for.
        with _blamed_on(target, draft):
            draft.chmod(0o666 & ~_umask())
            yield draft
            fsync(draft)
            os.replace(draft, place)
            fsync(place.parent)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; on a clean exit it takes the target's place.

    An existing `target` is replaced; where it is a link, what it leads to. Its old content is
    moved aside first and removed last, so that a crash leaves one whole version or the other under
    a name.
    """
    place = Path(os.path.realpath(target))
    with _blamed_on(target):
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        with _blamed_on(target, draft):
            draft.chmod(0o777 & ~_umask())
            yield draft
            for path in draft.rglob("*"):
                fsync(path)
            fsync(draft)
            _put(draft, place)
            fsync(place.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def try_place(target: Path) -> None:
    """Look whether a file or folder could be written, before there is work to lose.

    Raises:
        OSError: it could not; the error names `target`.
    """
    place = Path(os.path.realpath(target))
    near = next(parent for parent in place.parents if parent.exists())
    with _blamed_on(target), tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=near):
        pass


def try_file(target: Path) -> None:
    """Look whether a file could be written, as `try_place` does; a folder cannot take its place.

    Raises:
        OSError: it could not; the error names `target`.
    """
    if target.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    try_place(target)


def check_kind(target: Path, *suffixes: str) -> None:
    """Refuse to write a file that is not called as its kind is: it may be another, by mistake.

    Args:
        target: the file.
        suffixes: of its kind, in lower case.

    Raises:
        BadInput: `target` is a folder, or has none of them.
    """
    cause = "is a folder" if target.is_dir() else f"is not called *{' or *'.join(suffixes)}"
    if target.is_dir() or target.suffix.lower() not in suffixes:
        raise BadInput(target, cause, f"name a file, as in {target.stem or 'new'}{suffixes[0]}")


def _put(draft: Path, place: Path) -> None:
    """Let a folder take a place, whatever is there; of two that do so at once, the last stays."""
    aside = Path(tempfile.mkdtemp(prefix=f".{place.name}.old.", dir=place.parent))
    old = aside / "old"
    try:
        while True:
            try:
                os.replace(draft, place)
                return
            except OSError as error:
                if error.errno not in _OCCUPIED:
                    raise
            shutil.rmtree(old, ignore_errors=True)  # another has come since, and is whole
            with suppress(FileNotFoundError):
                os.replace(place, old)
    finally:
        if old.exists() and not place.exists():  # stopped half-way
            os.replace(old, place)
        shutil.rmtree(aside, ignore_errors=True)


def write_json(target: Path, value: Any) -> None:
    """Write `value` to `target` as indented JSON with sorted keys, atomically."""
    with atomic_file(target) as draft:
        draft.write_text(
            json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
        )


@contextmanager
def _blamed_on(target: Path, draft: Path | None = None) -> Iterator[None]:
    """Let an error of writing name the target that the user knows, and not a draft of ours.

    An error that names another file keeps its name.
    """
    try:
        yield
    except OSError as error:
        named = None if error.filename is None else Path(str(error.filename))
        ours = named is None or draft is None or draft in (named, *named.parents)
        if error.errno is None or not ours:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def fsync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Digest a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
