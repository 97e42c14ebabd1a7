"""What one part of this package promises another about the bytes of a mail."""


class Lines(bytes):
    """A mail's content that may go over the wire as it is: every line ends with CRLF, and none begins with a dot.

    Only who has put it together from checked pieces may call it so: nobody looks through it again, which would take
    longer than to build it.
    """

    __slots__ = ()
