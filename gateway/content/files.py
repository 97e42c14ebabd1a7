"""Files that a notification carries: what they may be, and the words in them that have to be looked at (R38)."""

import io
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

LARGEST_FILE = 5_000_000
"""Bytes. A mail with it is a third larger, and is sent once for each reader."""

MOST_PAGES = 200
MOST_WORDS = 500_000
"""Pages of a PDF and characters of its text that are looked at; beyond, nobody could say what it tells."""

_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029/\\:*?\"<>|]{1,100}")

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
    words = _words(content_type, content)
    return File(
        name=name,
        content_type=content_type,
        content=content,
        words=f"{name}\n{words}",
        searchable=bool(words.strip()),
    )


def _words(content_type: str, content: bytes) -> str:
    if content_type == "application/pdf":
        return _words_of_pdf(content)
    if content_type.startswith("image/"):
        return ""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnfitFileError("content", "Write the text in UTF-8.") from None
    if "\x00" in text:
        raise UnfitFileError("content", "The text holds the character NUL: leave it out.")
    # A calendar folds its lines: a name must not hide in two of them (RFC 5545, section 3.1).
    return re.sub(r"\r?\n[ \t]", "", text) if content_type == "text/calendar" else text


def _words_of_pdf(content: bytes) -> str:
    """Read a PDF's text; refuses what nobody could read either."""
    text = _text_of_pdf(content)
    if len(text) > MOST_WORDS:
        raise UnfitFileError("content", f"The PDF holds more than {MOST_WORDS} characters: shorten or split it.")
    return text


def _text_of_pdf(content: bytes) -> str:
    import pypdf  # noqa: PLC0415  # takes 0.25 s, which only those who upload a PDF should pay
    from pypdf.errors import PyPdfError  # noqa: PLC0415  # the same

    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        protected, pages = reader.is_encrypted, 0 if reader.is_encrypted else len(reader.pages)
        fit = not protected and pages <= MOST_PAGES
        text = "\n".join(page.extract_text() for page in reader.pages) if fit else ""
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError):
        raise UnfitFileError("content", "The PDF cannot be read: save it anew and try again.") from None
    if protected:
        raise UnfitFileError("content", "The PDF is protected, so that nobody can check it: remove the protection.")
    if pages > MOST_PAGES:
        raise UnfitFileError("content", f"The PDF has more than {MOST_PAGES} pages: shorten or split it.")
    return text.replace("\x00", "")
