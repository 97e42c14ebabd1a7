"""What the builder of a mail promises about its bytes to whoever puts them on the wire.

Only who has put a content together from checked pieces may call it by these names: nobody looks through it again,
which would take longer than to build it.
"""


class Lines(bytes):
    """A mail's content of which every line ends with CRLF, and nothing else does."""

    __slots__ = ()


class UndottedLines(Lines):
    """Such a content, no line of which begins with a dot: nothing needs to be doubled."""

    __slots__ = ()
