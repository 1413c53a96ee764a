"""Paths that a list names, as paths relative to the folder that they must lie in."""

import os
import re
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

from corpus.errors import BadInput

_UNNAMED = re.compile("[\0\ud800-\udfff]")  # in the name of no file that a cache can have


class Within:
    """The folder that a list's paths lie in; what is known of other folders is kept for the list.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, list[str] | None] = {}
        self._realpath = cache(os.path.realpath)

    def relative(self, text: str, where: object, mend: str) -> str:
        """Turn a path that a list names into one relative to the root, with forward slashes.

        An absolute path may reach the root by other links than `root` does. Links within the root
        are nobody's business here, wherever they lead.

        Args:
            text: a path relative to the root, or an absolute one within it.
            where: "file:line", or the option, for the error.
            mend: what to do about a path that leaves the root.

        Raises:
            BadInput: the path leaves the root, or is no path at all.
        """
        parts = _parts(text.strip())
        outside = not parts or _UNNAMED.search(text) is not None
        if not outside and text.lstrip().startswith("/"):
            folder = "/" + "/".join(parts[:-1])
            if folder not in self._folders:
                self._folders[folder] = self._place(folder)
            place = self._folders[folder]
            outside = place is None
            parts = [*(place or []), parts[-1]]
        if outside or ".." in parts:
            raise BadInput(where, f"{text!r} is not a path under {self._root}", mend)
        return "/".join(parts)

    @cached_property
    def _real(self) -> str:
        return self._realpath(self._root)

    @cached_property
    def _spelled(self) -> tuple[str, ...]:
        # Where the root has `..` in it, the list may have it so, or go straight.
        return self._root.absolute().as_posix(), os.path.abspath(self._root)

    def _place(self, folder: str) -> list[str] | None:
        """Where in the root an absolute folder is, or None where it is not in it."""
        for root in self._spelled:
            if (place := _beneath(folder, root)) is not None:
                return place
        for above in (PurePosixPath(folder), *PurePosixPath(folder).parents):
            if self._realpath(above) == self._real:
                return _beneath(folder, str(above))
        return _beneath(self._realpath(folder), self._real)


def _beneath(folder: str, top: str) -> list[str] | None:
    """The folders that lead from one to another in it, as they are spelled, or None."""
    top = top.rstrip("/") + "/"
    return _parts(f"{folder}/"[len(top) :]) if f"{folder}/".startswith(top) else None


def _parts(path: str) -> list[str]:
    # `pathlib` takes most of the time that a long list takes.
    return [part for part in path.split("/") if part not in ("", ".")]
