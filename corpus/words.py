"""How many of what, as people say it."""

from collections.abc import Sequence


def counted(count: int, one: str, more: str = "") -> str:
    """Count things: "1 video", "2 videos"; `more` is a plural that does not end in s alone."""
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def lasting(seconds: float) -> str:
    """Say how long: "20 s", "3.4 minutes", "2.1 hours"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def some(items: Sequence[str], one: str, more: str, most: int = 5) -> str:
    """Count things and name the first: "2 files are no videos: a, b".

    Args:
        items: their names, at least one.
        one, more: what they are: "file is no video", "files are no videos".
        most: so many are named.
    """
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    named = ", ".join(items[:most])
    shown = named.encode(errors="backslashreplace").decode()  # a disk's names need not be UTF-8
    return f"{len(items)} {one if len(items) == 1 else more}: {shown}{rest}"
