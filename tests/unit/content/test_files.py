"""Which files may travel, and which words in them are looked at (R38)."""

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf.annotations import FreeText
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, TextStringObject

from channels.base import Sheet
from channels.letter_sheet import typeset
from gateway.content.files import LARGEST_FILE, UnfitFileError, examine
from gateway.content.pdf_words import MOST_WORDS, UnreadablePdfError, read_pdf, words_of_pdf

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0" + bytes(40)


def pdf(words: str) -> bytes:
    """Make a PDF with some words."""
    text = ({"kind": "paragraph", "text": [{"text": words, "link": None}]},)
    return typeset(
        Sheet(
            address=("A. Parent", "1 School Road", "ZZ9 9ZZ"),
            sender=("School",),
            date="1 September 2026",
            subject="Menu",
            blocks=text,
            language="en",
            right_to_left=False,
            size=11,
            sealed=False,
        )
    )


def locked(content: bytes) -> bytes:
    """Protect a PDF with a password."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    writer.encrypt("invented", algorithm="RC4-128")
    return written(writer)


def written(writer: pypdf.PdfWriter) -> bytes:
    """Write a PDF out."""
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def altered(change: Callable[[Any], object]) -> bytes:
    """Make a PDF with something beside its words."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("Fish")))
    change(writer)
    return written(writer)


def field(key: NameObject, value: TextStringObject) -> DictionaryObject:
    """Make a form with one field."""
    return DictionaryObject({NameObject("/Fields"): ArrayObject([DictionaryObject({key: value})])})


MENU = pdf("Fish on Friday at Larch Close")


@pytest.mark.parametrize(
    ("name", "content_type", "content", "words", "searchable"),
    [
        ("menu.pdf", "application/pdf", MENU, "Larch Close", True),
        ("Speisekarte \u00fc.PDF", "application/pdf", MENU, "Speisekarte \u00fc", True),
        ("photo.jpg", "image/jpeg", JPEG, "photo.jpg", False),
        ("plan.png", "image/png", PNG, "plan.png", False),
        ("list.txt", "text/plain", b"\xef\xbb\xbfbring a coat", "bring a coat", True),
        ("fair.ics", "text/calendar", b"SUMMARY:Meet Am\r\n ina\r\n", "Meet Amina", True),
        ("fair.ics", "text/calendar", b"SUMMARY:Meet\\nAmina\\, at 5\r\n", "Meet Amina, at 5", True),
        ("fair.ics", "text/calendar", b"SUMMARY:Jos\xc3\r\n \xa9\r\n", "Jos\u00e9", True),
    ],
)
def test_what_may_travel(name: str, content_type: str, content: bytes, words: str, searchable: bool) -> None:  # noqa: FBT001  # a column
    """Five kinds; names and texts are there for the text check, of pictures the name alone."""
    file = examine(name, content_type, content)
    assert words in file.words.replace("\n", " ")
    assert file.searchable is searchable


@pytest.mark.parametrize(
    ("name", "content_type", "content", "field", "sentence"),
    [
        ("run.exe", "application/x-msdownload", b"MZ", "content_type", "use one of application/pdf"),
        ("page.html", "text/html", b"<p>", "content_type", "not sent"),
        ("menu.pdf", "application/pdf", b"no PDF", "content", "not what its type says"),
        ("menu.pdf", "application/pdf", b"%PDF-1.7 torn", "content", "cannot be read"),
        ("menu.pdf", "application/pdf", locked(MENU), "content", "protected"),
        ("menu.png", "application/pdf", MENU, "name", "ends with .pdf"),
        ("", "application/pdf", MENU, "name", "name of up to 100"),
        ("../menu.pdf", "application/pdf", MENU, "name", "without path"),
        (".pdf", "application/pdf", MENU, "name", "name"),
        ("a\r\nBcc: x.pdf", "application/pdf", MENU, "name", "control"),
        ("x" * 97 + ".pdf", "application/pdf", MENU, "name", "100"),
        ("list.txt", "text/plain", b"", "content", "empty"),
        ("list.txt", "text/plain", b"\xff\xfe", "content", "UTF-8"),
        ("list.txt", "text/plain", b"a\x00b", "content", "NUL"),
        ("list.txt", "text/plain", b"a" * (LARGEST_FILE + 1), "content", "larger than"),
        ("list.txt", "text/plain", b"a" * (MOST_WORDS + 1), "content", "more than"),
        ("list\udcfc.txt", "text/plain", b"a", "name", "without path"),
        ("\u202eexe.txt", "text/plain", b"a", "name", "control"),
        (
            "a.ics",
            "text/calendar",
            b"ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY:QQ==",
            "content",
            "encoded",
        ),
        (
            "menu.pdf",
            "application/pdf",
            altered(lambda writer: writer.add_attachment("a.txt", b"x")),
            "content",
            "other",
        ),
    ],
)
def test_what_may_not(name: str, content_type: str, content: bytes, field: str, sentence: str) -> None:
    """One sentence names the field and what to do."""
    with pytest.raises(UnfitFileError, match=sentence) as refused:
        examine(name, content_type, content)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "change",
    [
        lambda writer: writer.add_metadata({"/Author": "Thomas Reid"}),
        lambda writer: writer.add_outline_item(title="Thomas Reid", page_number=0),
        lambda writer: writer.add_annotation(0, FreeText(text="Thomas Reid", rect=(10, 10, 100, 50))),
        lambda writer: writer.root_object.__setitem__(
            NameObject("/AcroForm"), field(NameObject("/V"), TextStringObject("Thomas Reid"))
        ),
    ],
    ids=["author", "bookmark", "note", "form"],
)
def test_words_beside_the_pages_are_read(change: Callable[[Any], object]) -> None:
    """What a reader's program shows beside the page leaves as well (R38); without words on a page it is a picture."""
    assert "Thomas Reid" in examine("menu.pdf", "application/pdf", altered(change)).words
    empty = pypdf.PdfWriter()
    empty.add_blank_page(100, 100)
    change(empty)
    assert examine("menu.pdf", "application/pdf", written(empty)).searchable is False


def test_a_pdf_that_takes_too_long_is_refused() -> None:
    """A few kilobytes may ask for minutes: nobody waits for them, and the gateway's own process has no part in it."""
    slow = pypdf.PdfWriter(clone_from=io.BytesIO(MENU))
    drawing = DecodedStreamObject()
    drawing.set_data(b"BT (Fish) Tj ET " * 100_000)
    slow.pages[0][NameObject("/Contents")] = slow._add_object(drawing.flate_encode())  # it has no other name
    content = written(slow)
    assert len(content) < 50_000
    with pytest.raises(UnreadablePdfError, match="too long"):
        words_of_pdf(content, seconds=1)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_a_mangled_pdf_is_refused_or_read(junk: bytes, place: int) -> None:
    """No bytes lead to anything but words or a sentence."""
    mangled = MENU[:place] + junk + MENU[place + len(junk) :]
    with suppress(UnreadablePdfError):
        assert isinstance(read_pdf(mangled).pages, str)
