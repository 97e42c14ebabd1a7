"""Files that a notification carries: what they may be, and the words in them that have to be looked at (R38)."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.content.pdf_words import MOST_WORDS, UnreadablePdfError, words_of_pdf

LARGEST_FILE = 5_000_000
"""Bytes. A mail with it is a third larger, and is sent once for each reader."""

_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff/\\:*?\"<>|]{1,100}")
"""Without control signs, those that turn the direction of what follows, and what is no character at all."""

_FOLD = re.compile(rb"\r?\n[ \t]")
_ESCAPED = re.compile(r"\\([nN,;\\])")
_ENCODED = re.compile(r"^[^:\n]*;ENCODING=(?:B\b|BASE64|QUOTED-PRINTABLE)", re.IGNORECASE | re.MULTILINE)

_KINDS: Mapping[str, tuple[tuple[str, ...], bytes]] = MappingProxyType(
    {
        "application/pdf": ((".pdf",), b"%PDF-"),
        "image/png": ((".png",), b"\x89PNG\r\n\x1a\n"),
        "image/jpeg": ((".jpg", ".jpeg"), b"\xff\xd8\xff"),
        "text/plain": ((".txt",), b""),
        "text/calendar": ((".ics",), b""),
    }
)
"""By media type: how names of such files end, and how their content begins."""


class UnfitFileError(ValueError):
    """A file cannot be sent: one sentence that says why and what to do, in `field` name, content_type or content."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """One file that may travel."""

    name: str
    content_type: str
    content: bytes
    words: str
    """Its name and all the text in it; of a picture only the name is known."""
    searchable: bool
    """Whether its content could be looked at: of a picture, or a scanned page, nobody can say what it shows."""


def examine(name: str, content_type: str, content: bytes) -> File:
    """Look whether a file may travel, and read its words; raises `UnfitFileError`."""
    name = unicodedata.normalize("NFC", name.strip())
    kind = _KINDS.get(content_type)
    if kind is None:
        raise UnfitFileError("content_type", f"Files of this kind are not sent: use one of {', '.join(_KINDS)}.")
    endings, beginning = kind
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise UnfitFileError("name", "Give the file a name of up to 100 characters, without path and control signs.")
    if not name.lower().endswith(endings):
        raise UnfitFileError("name", f"The name of such a file ends with {' or '.join(endings)}.")
    if not content:
        raise UnfitFileError("content", "The file is empty.")
    if len(content) > LARGEST_FILE:
        raise UnfitFileError("content", f"The file is larger than {LARGEST_FILE} bytes: make it smaller.")
    if not content.startswith(beginning):
        raise UnfitFileError("content", "The content is not what its type says: correct one of the two.")
    words, searchable = _words(content_type, content)
    return File(
        name=name,
        content_type=content_type,
        content=content,
        words=f"{name}\n{words}",
        searchable=searchable,
    )


def _words(content_type: str, content: bytes) -> tuple[str, bool]:
    """Give all words of a file, and whether there is nothing else in it that could tell anything."""
    if content_type == "application/pdf":
        return _words_of_pdf(content)
    if content_type.startswith("image/"):
        return "", False
    if content_type == "text/calendar":
        # A calendar folds its lines, even amid a letter: a name must not hide in two of them (RFC 5545, section 3.1).
        content = _FOLD.sub(b"", content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnfitFileError("content", "Write the text in UTF-8.") from None
    if "\x00" in text:
        raise UnfitFileError("content", "The text holds the character NUL: leave it out.")
    if len(text) > MOST_WORDS:
        raise UnfitFileError("content", f"The text holds more than {MOST_WORDS} characters: shorten or split it.")
    if content_type == "text/calendar":
        if _ENCODED.search(text):
            raise UnfitFileError("content", "The calendar holds encoded parts, which nobody can check: leave them out.")
        text = _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], text)
    return text, bool(text.strip())


def _words_of_pdf(content: bytes) -> tuple[str, bool]:
    try:
        words = words_of_pdf(content)
    except UnreadablePdfError as error:
        raise UnfitFileError("content", str(error)) from None
    return f"{words.pages}\n{words.beside}", words.complete and bool(words.pages.strip())
