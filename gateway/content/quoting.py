"""What a person wrote in an answer, apart from what their mail program put below it; both together are the whole text.

Parted only where that is safe: below a signature mark, or below a line that announces the original, when nothing but
quoted lines follows or the program marks none. Somebody may have answered between the lines: then all stays together.
"""

import re

_SIGNATURE = re.compile(r"^-- $", re.MULTILINE)
_ORIGINAL = re.compile(
    r"^(-{2,} ?(original message|ursprüngliche nachricht|message d'origine|mensaje original|mensagem original"
    r"|messaggio originale|oryginalna wiadomość|wiadomość oryginalna|mesaj original|исходное сообщение"
    r"|оригінальне повідомлення|original-nachricht|原始邮件) ?-{2,}|_{20,})\s*$",
    re.IGNORECASE | re.MULTILINE,
)
"""Outlook and its like: the original follows, with no mark on its lines."""
_QUOTED = re.compile(r"^\s*>")
_ANNOUNCED = re.compile(r"[:\uff1a]\s*$")
"""How every language ends the line above a quotation: on that day somebody wrote."""
_LONGEST_ANNOUNCEMENT = 3


def parted(text: str) -> tuple[str, str]:
    """Give what was written and what stands below it; the latter is empty when nobody can tell."""
    cut = min(_original(text), _signature(text), _quotation(text))
    written = text[:cut].rstrip()
    return (written, text[cut:].strip()) if written else (text.strip(), "")


def _original(text: str) -> int:
    mark = _ORIGINAL.search(text)
    return mark.start() if mark else len(text)


def _signature(text: str) -> int:
    mark = _SIGNATURE.search(text)
    if mark is None:
        return len(text)
    below = text[mark.end() :]
    return mark.start() if len(below.strip().splitlines()) <= 10 or _all_quoted(below) else len(text)


def _quotation(text: str) -> int:
    """Find where nothing but quoted lines follows, with the line or two that announce them."""
    lines = text.splitlines(keepends=True)
    first = len(lines)
    while first and (not lines[first - 1].strip() or _QUOTED.match(lines[first - 1])):
        first -= 1
    if not any(_QUOTED.match(line) for line in lines[first:]):
        return len(text)
    announced = first
    while announced and first - announced < _LONGEST_ANNOUNCEMENT and lines[announced - 1].strip():
        announced -= 1
    if first and _ANNOUNCED.search(lines[first - 1]) and _begins(lines, announced):
        first = announced
    return len("".join(lines[:first]))


def _begins(lines: list[str], number: int) -> bool:
    """Tell whether a paragraph begins here: an announcement stands by itself, a person's words do not become one."""
    return number > 0 and not lines[number - 1].strip()


def _all_quoted(text: str) -> bool:
    return all(_QUOTED.match(line) for line in text.splitlines() if line.strip())
