"""Buffers that the system reads or writes as far as it likes, in one call."""


def advance(views: list[memoryview], done: int) -> None:
    """Drop the first `done` bytes of what is left to be read or written, in place.

    >>> left = [memoryview(b"abc"), memoryview(b""), memoryview(b"defg")]
    >>> advance(left, 5)
    >>> [bytes(view) for view in left]
    [b'fg']
    """
    while views and done >= len(views[0]):
        done -= len(views.pop(0))
    if done:
        views[0] = views[0][done:]
