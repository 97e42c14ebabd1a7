"""Which files may travel, and which words in them are looked at (R38)."""

import io
from contextlib import suppress

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Sheet
from channels.letter_sheet import typeset
from gateway.content.files import LARGEST_FILE, UnfitFileError, examine

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
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


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
    ],
)
def test_what_may_not(name: str, content_type: str, content: bytes, field: str, sentence: str) -> None:
    """One sentence names the field and what to do."""
    with pytest.raises(UnfitFileError, match=sentence) as refused:
        examine(name, content_type, content)
    assert refused.value.field == field


@given(st.binary(max_size=300), st.integers(0, 400))
def test_a_mangled_pdf_is_refused_or_read(junk: bytes, place: int) -> None:
    """No bytes lead to anything but a file or a sentence."""
    mangled = MENU[:place] + junk + MENU[place + len(junk) :]
    with suppress(UnfitFileError):
        assert examine("menu.pdf", "application/pdf", mangled).name == "menu.pdf"
