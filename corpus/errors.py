"""The two ways a command can end badly, each said in one line."""


class BadInput(Exception):
    """Something the user gave cannot be used; commands print it and exit 2.

    The message is one line that names the thing, the cause and the mend.

    Args:
        what: the file, option or value at fault, as the user wrote it.
        cause: what is wrong with it.
        mend: what to do about it.
    """

    def __init__(self, what: object, cause: str, mend: str) -> None:
        self.what, self.cause, self.mend = str(what), cause, mend
        super().__init__(_one_line(f"{what}: {cause}; {mend}"))

    def __reduce__(self) -> tuple[type["BadInput"], tuple[str, str, str]]:
        # Errors cross process borders; the default would rebuild one from its message.
        return type(self), (self.what, self.cause, self.mend)


class RunFailed(BadInput):
    """The input was fine but the work could not be finished; commands print it and exit 1."""


def _one_line(text: str) -> str:
    return " ".join(text.split())
