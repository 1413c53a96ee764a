"""Unfinished work beside its target: whole shards, one lock, one job.

`feats.h5.shards/` holds what is finished so far, and in `job.json` what it is the work of. A shard
is closed, fsynced and only then given its name. Meanwhile what is finished is joined to the target,
which grows there as well; the last step renames it into place and removes the folder. A kill at any
moment leaves whole shards and no half a target.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from corpus.atomic import write_json
from corpus.errors import BadInput
from corpus.tally import Tally
from extract.drafts import GOES_ON, Draft, writing
from extract.joining import Join, Joiner, stamp
from extract.manifest import CacheManifest
from extract.shard import Shard, ShardWriter
from extract.store import is_cache

_LONGEST = 255  # bytes of a file's name, on the usual file systems
_HALF_DONE = ("draft-", ".job.")  # how names begin that a kill can leave


def check_target(target: Path) -> None:
    """Look whether there could be such a file, before there is work to lose.

    Raises:
        BadInput: it is no file but a folder, a device or a pipe, its name is too long, or there is
            a file that is no feature cache, which is never replaced.
        RunFailed: its folder cannot be looked into.
    """
    with writing(target):
        if len(os.fsencode(_draft_name(target))) > _LONGEST:
            raise BadInput(target, "its name is too long", "give a shorter one as --out")
        if target.exists() and not target.is_file():
            what = "a folder" if target.is_dir() else "a device or a pipe"
            raise BadInput(target, f"is {what}", "give a file such as feats.h5 as --out")
        if target.exists() and not is_cache(target):
            raise BadInput(target, "exists, and is no feature cache", "choose another --out")


class Shards:
    """The finished part of an extraction; use it in a `with`, which holds the lock.

    Args:
        target: the cache file to be; where it is a link, what that leads to is made.
        job: all that decides the features, as JSON-like data. Shards of another job are refused.
        fresh: make a target anew: what another or the same job left is removed instead of resumed,
            unless it was fresh itself and is this job.

    Raises:
        BadInput: another process works on this target, or another job left shards there, or what
            lies there is not known to be ours.
    """

    def __init__(self, target: Path, job: dict[str, Any], fresh: bool = False) -> None:
        self.job, self._fresh = json.loads(json.dumps(job)), fresh
        self.target = Path(os.path.realpath(target)) if target.is_symlink() else target
        self.folder = self.target.with_name(f"{self.target.name}.shards")
        self._lock: int | None = None  # held between `__enter__` and `_discard` or `__exit__`

    def __enter__(self) -> "Shards":
        with writing(self.target, GOES_ON):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._locked()
            try:
                self._claim()
            except BaseException:
                self._unlock()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._unlock()

    def path(self, number: int, inputs: str) -> Path:
        """Where a shard lies once finished; a change of its `inputs` gives it another name."""
        return self.folder / f"{number:06d}-{inputs[:16]}.shard"

    def replacing(self) -> bool:
        """Whether unfinished work of this job lies here that was begun fresh: it goes on."""
        return self._theirs() == (self.job, True)

    def goes_on(self) -> bool:
        """Whether unfinished work of this job lies here, which is not to be made anew.

        Raises:
            BadInput: that of another job lies here, and is not to be dropped, or nobody knows of
                what it is.
        """
        theirs = self._theirs()
        goes_on = theirs in ((self.job, True), (self.job, self._fresh))
        if theirs is not None and not goes_on and not self._fresh:
            mend = "finish it with its own options, or start anew with --overwrite"
            cause = f"holds unfinished work with other options ({differs(theirs[0], self.job)})"
            raise BadInput(self.folder, cause, mend)
        return goes_on

    def holds(self, path: Path, manifest: CacheManifest) -> bool:
        """Whether a shard is finished and is what was written; one that is not is removed."""
        if not path.exists():
            return False
        try:
            for _ in Shard(path).rows(manifest):
                pass
        except BadInput:
            path.unlink()
            return False
        return True

    def draft(self, path: Path) -> Draft[int]:
        """Begin a shard here.

        Args:
            path: what it is to be called.

        Raises:
            RunFailed: the file cannot be written.
        """
        return Draft(path, self._draft(path), ShardWriter, self.target)

    @contextmanager
    def assembling(
        self, manifest: CacheManifest, shards: Sequence[Path], tally: Tally | None, apart: bool
    ) -> Iterator[Joiner]:
        """Join shards into the target, in their order, while in the `with` the rest is made.

        At its end all are there; it is left when the target is whole, and the shards are removed.

        Yields:
            What joins them.

        Args:
            manifest: the target's facts.
            shards: where each is, or will be once it is made.
            tally, apart: see `Joiner`.

        Raises:
            RunFailed: the target cannot be written, or it or a shard is not what it was.
        """
        draft = self._draft(self.target)
        join = Join(self.target, draft, manifest, tuple(shards), stamp(self.target))
        with Joiner(join, apart, tally) as joiner:
            yield joiner
        self._discard()

    def sweep(self) -> None:
        """Remove what a kill between the target's renaming and the folder's removal left."""
        if not self.folder.is_dir() or self._theirs() not in (None, (self.job, False)):
            return
        with suppress(BadInput), self:
            self._discard()

    def _draft(self, path: Path) -> Path:
        # No two writers share a draft: on a cluster, one that was given up for dead may go on.
        return self.folder / _draft_name(path)

    def _discard(self) -> None:
        if self.replacing():  # no more: a stop from here on must not have the target made again
            write_json(self.folder / "job.json", self.job)
        # The job goes after the shards: without it nobody would know whose they are.
        self._empty()
        (self.folder / "job.json").unlink(missing_ok=True)
        (self.folder / "lock").unlink(missing_ok=True)
        self._unlock()  # NFS keeps a file that is open in its folder, under another name
        with suppress(OSError):  # another process may have begun here; the target is whole
            self.folder.rmdir()

    def _empty(self) -> None:
        for path in self.folder.iterdir():
            if path.name not in ("job.json", "lock"):
                path.unlink()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _locked(self) -> int:
        path = self.folder / "lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have finished and removed the folder between our two calls.
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except BlockingIOError:
            pass
        os.close(handle)
        mend = "wait for it to end, or choose another --out"
        raise BadInput(self.target, "another alt-extract is working on it", mend)

    def _theirs(self) -> tuple[dict[str, Any], bool] | None:
        """The job whose shards lie here, and whether it was begun fresh; None when none do.

        Raises:
            BadInput: something lies here, and nothing says what it is.
        """
        with writing(self.target):
            try:
                theirs = dict(json.loads((self.folder / "job.json").read_bytes()))
                return theirs, theirs.pop("overwrite", False)
            except (ValueError, TypeError, RecursionError):
                cause = "its job.json, which says what its shards are of, cannot be read"
            except FileNotFoundError:
                names = sorted(path.name for path in self.folder.glob("*"))
                kept = [n for n in names if n != "lock" and not n.startswith(_HALF_DONE)]
                if not kept:
                    return None
                cause = f"holds {kept[0]}, and no job.json that says what that is of"
        raise BadInput(self.folder, cause, "remove it, or choose another --out")

    def _claim(self) -> None:
        if not self.goes_on():
            self._empty()
            marked = {"overwrite": True} if self._fresh else {}
            write_json(self.folder / "job.json", self.job | marked)
        for path in self.folder.iterdir():
            if path.name.startswith(_HALF_DONE):  # of a run that was killed
                path.unlink()


def _draft_name(path: Path) -> str:
    return f"draft-{uuid.uuid4().hex[:8]}-{path.name}"


def differs(theirs: dict[str, Any], ours: dict[str, Any], word: str = "now") -> str:
    """Say briefly in which facts two jobs differ: "frames 16, now 8"."""
    changes = []
    for name in sorted(theirs.keys() | ours.keys()):
        was, now = theirs.get(name), ours.get(name)
        if was != now:
            was, now = ("none" if value in ("", None) else value for value in (was, now))
            short = all(len(str(value)) <= 40 for value in (was, now))
            changes.append(f"{name} {was}, {word} {now}" if short else name)
    return "; ".join(changes[:4]) or "nothing known"
