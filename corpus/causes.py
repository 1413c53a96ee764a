"""What a library's error says is wrong, as the cause in one of ours."""

from pydantic import ValidationError

_LONGEST = 160  # characters; some tell all that they were given


def first_cause(error: Exception) -> str:
    """Return the first thing that an error says is wrong, in part of a line.

    What pydantic and torch raise begins with a line that only counts or announces what follows.
    """
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")  # ours, which say where themselves
        cause = f"{where}: {said}" if where else said
    else:
        # A key's error quotes what it says.
        words = error.args[0] if isinstance(error, KeyError) and error.args else error
        lines = [line.strip() for line in str(words).splitlines()]
        announced = bool(lines) and lines[0].endswith(":")
        cause = " ".join(lines[: 1 + announced]) or type(error).__name__
    return cause if len(cause) <= _LONGEST else f"{cause[:_LONGEST]} …"
