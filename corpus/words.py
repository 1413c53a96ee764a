"""How many of what, as people say it."""

from collections.abc import Iterable, Sequence


def counted(count: int, one: str, more: str = "") -> str:
    """Count things: "1 video", "2 videos"; `more` is a plural that does not end in s alone."""
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def lasting(seconds: float) -> str:
    """Say how long: "20 s", "3.4 minutes", "2.1 hours"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


NAMED = 5  # that are named where many things are told of
LINES = 20  # that are printed of a list which may have as many as a corpus has entities


def some(items: Sequence[str], one: str, more: str, most: int = NAMED) -> str:
    """Count things and name the first: "2 files are no videos: a, b".

    Args:
        items: their names, at least one.
        one, more: what they are: "file is no video", "files are no videos".
        most: so many are named.
    """
    return f"{len(items)} {one if len(items) == 1 else more}: {named(items, most)}"


def named(items: Sequence[str], most: int = NAMED) -> str:
    """Name the first of things, and count the rest: "a, b and 3 more"."""
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    shown = ", ".join(items[:most]).encode(errors="backslashreplace")  # names need not be UTF-8
    return f"{shown.decode()}{rest}"


def first_of(lines: Sequence[str]) -> list[str]:
    """Return the first lines of a list that `--json` has whole, and how many more there are."""
    more = [f"and {len(lines) - LINES} more, which --json lists"] if len(lines) > LINES else []
    return [*lines[:LINES], *more]


def by_reason(told: Iterable[tuple[str, str]], most: int = LINES) -> list[str]:
    """Say why of things, all of one reason in a line, however many: "a, b and 3 more: gone".

    Args:
        told: each one's name, and the reason.
        most: of the reasons so many have a line, the commonest, and the last line counts the rest.
    """
    things: dict[str, list[str]] = {}
    for name, reason in told:
        things.setdefault(reason, []).append(name)
    ranked = sorted(things, key=lambda reason: -len(things[reason]))
    lines = [f"{named(things[reason])}: {reason}" for reason in ranked[:most]]
    rest = sum(len(things[reason]) for reason in ranked[most:])
    return [*lines, f"and {rest} more, of other reasons"] if rest else lines
