"""From the HTML of a mail to its words, in one pass: what is not understood stays as text, and nothing is loaded."""

import html
import re
from collections.abc import Iterator

MOST_HTML = 1_000_000
"""Characters; what is beyond is left out."""

_MARKUP = re.compile(r"<!--|<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})\b[^<>]*>|<[!?][^<>]*>")
_SILENT = frozenset({"style", "script", "head", "title"})
"""What a reader never sees."""
_ENDS = {tag: re.compile(rf"</{tag}\b[^<>]*>", re.IGNORECASE) for tag in _SILENT} | {"--": re.compile("-->")}
_EMPTY_TOO = frozenset({"br", "p"})
"""Tags that end a line even when nothing stands in it."""
_LINES = _EMPTY_TOO | {"div", "tr", "li", "ul", "ol", "table", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"}
_ENDLESS_NUMBER = re.compile(r"&#[0-9]{100,}")
"""No character's number; Python refuses to read one of thousands of digits."""
_SPACES = re.compile(r"[ \t\r\n\f]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def words_of_html(source: str) -> tuple[str, bool]:
    """Give the text, quoted passages marked with `>` as in plain mails, and whether that was all of it."""
    lines: list[str] = []
    line, depth = "", 0
    for text, tag, closing in _tokens(source[:MOST_HTML]):
        line += html.unescape(_ENDLESS_NUMBER.sub("&#0", text))
        if tag == "td" and closing:
            line += " | "
        if tag not in _LINES:
            continue
        if line.strip() or tag in _EMPTY_TOO:
            lines.append(_quoted(line, depth))
        line = ""
        if tag == "blockquote":
            depth = max(0, depth - 1) if closing else depth + 1
    lines.append(_quoted(line, depth))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip(), len(source) <= MOST_HTML


def _quoted(line: str, depth: int) -> str:
    words = _SPACES.sub(" ", line).strip().removesuffix(" |")
    return ("> " * min(depth, 5) + words).rstrip()


def _tokens(source: str) -> Iterator[tuple[str, str, bool]]:
    """Give each stretch of text with the tag that ends it, and whether that is a closing one."""
    at, endless = 0, set[str]()
    while match := _MARKUP.search(source, at):
        text, tag, closing = source[at : match.start()], (match[2] or "").lower(), bool(match[1])
        at = match.end()
        silent = "--" if match[0] == "<!--" else tag if tag in _SILENT and not closing else ""
        if silent and silent not in endless:
            # What never ends is read on, so that no word is lost, and not searched again.
            end = _ENDS[silent].search(source, at)
            at = end.end() if end else at
            endless |= set() if end else {silent}
        yield text, tag, closing
    yield source[at:], "", False
