"""Unfinished work beside its target: whole shards, one lock, one job (design §4).

`feats.h5.shards/` holds what is finished so far. A shard is closed, fsynced and only then given its
name. Meanwhile what is finished is joined to the target, which grows there as well; the last step
renames it into place and removes the folder. A kill at any moment leaves whole shards and no half a
target.
"""

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from corpus.errors import BadInput
from extract.drafts import Draft, writing
from extract.joining import Join, Joiner
from extract.manifest import CacheManifest
from extract.shard import Shard, ShardWriter


class Shards:
    """The finished part of an extraction; use it in a `with`, which holds the lock.

    Args:
        target: the cache file to be.
        job: all that decides the features, as JSON-like data. Shards of another job are refused.
        fresh: remove what another or the same job left, instead of resuming.

    Raises:
        BadInput: another process works on this target, or another job left shards there.
    """

    def __init__(self, target: Path, job: dict[str, Any], fresh: bool = False) -> None:
        self.target, self.job, self._fresh = target, json.loads(json.dumps(job)), fresh
        self.folder = target.with_name(f"{target.name}.shards")

    def __enter__(self) -> "Shards":
        with writing(self.target):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._locked()
            try:
                self._claim()
            except BaseException:
                os.close(self._lock)
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock)

    def path(self, number: int, inputs: str) -> Path:
        """Where a shard lies once finished; a change of its `inputs` gives it another name."""
        return self.folder / f"{number:06d}-{inputs[:16]}.shard"

    def holds(self, path: Path) -> bool:
        """Whether a shard is finished and can be read; one that cannot is removed."""
        if not path.exists():
            return False
        try:
            Shard(path)
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
        self, manifest: CacheManifest, shards: Sequence[Path], apart: bool
    ) -> Iterator[Joiner]:
        """Join shards into the target, in their order, while in the `with` the rest is made.

        At its end all are there; it is left when the target is whole, and the shards are removed.

        Yields:
            What joins them.

        Args:
            manifest: the target's facts.
            shards: where each is, or will be once it is made.
            apart: see `Joiner`.

        Raises:
            RunFailed: the target cannot be written, or a shard is not what it was.
        """
        join = Join(self.target, self._draft(self.target), manifest, tuple(shards))
        with Joiner(join, apart) as joiner:
            yield joiner
        self._discard()

    def sweep(self) -> None:
        """Remove what a kill between the target's renaming and the folder's removal left."""
        if not self.folder.is_dir() or self._theirs() not in (None, self.job):
            return
        with suppress(BadInput), self:
            self._discard()

    def _draft(self, path: Path) -> Path:
        # No two writers share a draft: on a cluster, one that was given up for dead may go on.
        return self.folder / f"draft-{uuid.uuid4().hex[:8]}-{path.name}"

    def _discard(self) -> None:
        # The job goes first: a folder without one is known to hold nothing worth keeping.
        (self.folder / "job.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder)

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

    def _theirs(self) -> dict[str, Any] | None:
        """The job whose shards lie here, if any do."""
        try:
            return json.loads((self.folder / "job.json").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _claim(self) -> None:
        theirs = None if self._fresh else self._theirs()
        if theirs not in (None, self.job):
            mend = "finish it with its own options, or start anew with --overwrite"
            cause = f"holds unfinished work with other options ({differs(theirs, self.job)})"
            raise BadInput(self.folder, cause, mend)
        if theirs is None:
            for path in self.folder.iterdir():
                if path.name != "lock":
                    path.unlink()
            draft = self.folder / "draft-job.json"
            draft.write_text(json.dumps(self.job, indent=1, sort_keys=True))
            os.replace(draft, self.folder / "job.json")
        for draft in self.folder.glob("draft-*"):  # of a run that was killed
            draft.unlink()


def differs(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """Say briefly in which facts two jobs differ: "frames 16, now 8"."""
    changes = []
    for name in sorted(theirs.keys() | ours.keys()):
        was, now = theirs.get(name), ours.get(name)
        if was != now:
            short = all(len(str(value)) <= 40 for value in (was, now))
            changes.append(f"{name} {was}, now {now}" if short else name)
    return "; ".join(changes[:4]) or "nothing known"
