"""Cutting what a mail server sends into replies (RFC 5321, section 4.2), however it is split into packets."""

from typing import NamedTuple

_CODES = {b"%d" % code: code for code in range(200, 600)}
_LONGEST_LINE = 8192
"""Bytes; sixteen times what the standard allows."""
_MOST_LINES = 200


class Reply(NamedTuple):
    """One reply; code 0 is something that no mail server should say."""

    code: int
    line: bytes
    """Its first line, with the code."""

    @property
    def words(self) -> str:
        """The text of its first line: never to be logged, it often repeats an address."""
        return self.line[4:].decode("utf-8", "replace").strip()


class ReplyReader:
    """Keeps what is incomplete until the rest has come."""

    __slots__ = ("_first", "_lines", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._first = b""
        self._lines = 0

    def feed(self, data: bytes) -> list[Reply]:
        """Give the replies that are complete now."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        replies: list[Reply] = []
        for line in lines:
            code = _CODES.get(line[:3], 0)
            mark = line[3:4]
            if mark == b" " and not self._first:
                replies.append(Reply(code, line))
            elif mark == b"-" and code and self._lines < _MOST_LINES:
                self._first = self._first or line
                self._lines += 1
            else:
                replies.append(self._last(code if mark in b" \r" else 0, line))
        if len(self._rest) > _LONGEST_LINE:
            replies.append(Reply(0, b""))
            self._rest = b""
        return replies

    def _last(self, code: int, line: bytes) -> Reply:
        """End a reply of several lines, which must all have the same code."""
        first, self._first, self._lines = self._first or line, b"", 0
        return Reply(code if first[:3] == line[:3] else 0, first)
