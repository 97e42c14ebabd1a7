"""Reads every word that a PDF holds, in a process of its own: a small file can ask for hours and gigabytes."""

import io
import json
import logging
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

MOST_PAGES = 200
MOST_WORDS = 500_000
"""Pages, and characters of text, that are looked at; beyond, nobody could say what it tells."""

PROCESSOR_SECONDS = 30
MEMORY = 1_000_000_000
"""Bytes of address space. A page of text takes some 50 ms; 27 kB that are made for it take minutes (measured)."""

_ROOT = Path(__file__).parents[2]
_TAG = re.compile(r"<[^>]*>")
_REFUSED = 3
"""The process's exit status for a PDF of which it says what is wrong."""


class PdfWords(NamedTuple):
    """What a PDF says."""

    pages: str
    """On its pages."""
    beside: str
    """Beside them: in notes, forms, bookmarks, descriptions of pictures, title and author."""
    complete: bool
    """Whether there is no page that is nothing but a picture, and no drawing that could not be read."""


class UnreadablePdfError(ValueError):
    """A PDF cannot be read whole; one sentence that says why and what to do."""


def words_of_pdf(content: bytes, *, seconds: int = PROCESSOR_SECONDS) -> PdfWords:
    """Read a PDF in another process, which is stopped when it takes too much; raises `UnreadablePdfError`.

    It starts in half a second, and knows none of the gateway's secrets.
    """
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(paths)}
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", "gateway.content.pdf_words", str(seconds)],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=2 * seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadablePdfError(_TOO_MUCH) from None
    if done.returncode == _REFUSED:
        raise UnreadablePdfError(done.stdout.decode())
    if done.returncode:
        raise UnreadablePdfError(_TOO_MUCH)
    return PdfWords(*json.loads(done.stdout))


_TOO_MUCH = "The PDF takes too long, or too much memory, to be read: save it anew as a simpler one."


def read_pdf(content: bytes) -> PdfWords:
    """Read a PDF here and now; raises `UnreadablePdfError`."""
    import pypdf  # noqa: PLC0415  # takes 0.25 s, and is for the other process only
    from pypdf.errors import PyPdfError  # noqa: PLC0415  # the same

    try:
        return _read(pypdf.PdfReader(io.BytesIO(content)))
    except UnreadablePdfError:
        raise
    except (PyPdfError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise UnreadablePdfError("The PDF cannot be read: save it anew and try again.") from None
    except MemoryError:
        raise UnreadablePdfError(_TOO_MUCH) from None


def _read(reader: "PdfReader") -> PdfWords:
    if reader.is_encrypted:
        raise UnreadablePdfError("The PDF is protected, so that nobody can check it: remove the protection.")
    if len(reader.pages) > MOST_PAGES:
        raise UnreadablePdfError(f"The PDF has more than {MOST_PAGES} pages: shorten or split it.")
    pages: list[str] = []
    beside: list[str] = []
    length, complete = 0, True
    unread = _Unread()
    for page in reader.pages:
        text = page.extract_text()
        complete = complete and (bool(text.strip()) or not _shows_a_picture(page))
        pages.append(text)
        beside += _notes(page)
        length += len(text)
        _check_length(length)
    for words in _strings(reader):
        beside.append(words)
        length += len(words)
        _check_length(length)
    return PdfWords(_clean(pages), _clean(beside), complete and not unread.done())


class _Unread(logging.Handler):
    """Hears of drawings that pypdf passes over, which it says to its log only."""

    def __init__(self) -> None:
        super().__init__()
        self._any = False
        logging.getLogger("pypdf").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take note."""
        self._any = self._any or "XFormObject" in record.getMessage()

    def done(self) -> bool:
        """Listen no more; says whether anything was passed over."""
        logging.getLogger("pypdf").removeHandler(self)
        return self._any


def _check_length(length: int) -> None:
    if length > MOST_WORDS:
        raise UnreadablePdfError(f"The PDF holds more than {MOST_WORDS} characters: shorten or split it.")


def _clean(words: list[str]) -> str:
    """Join words, without what no database keeps."""
    return "\n".join(words).replace("\x00", "").encode("utf-8", "replace").decode()


def _shows_a_picture(page: "PageObject") -> bool:
    """Tell whether a page draws anything that may be a picture, a scan for example."""
    resources = page.get("/Resources")
    return bool(resources and (resources.get_object() or {}).get("/XObject"))


def _notes(page: "PageObject") -> Iterator[str]:
    """Give what is drawn on top of a page: notes, stamps, the fields of a form."""
    for note in _found(page.get("/Annots")) or ():
        drawn = _found((_found((_found(note) or {}).get("/AP")) or {}).get("/N"))
        for drawing in (drawn, *(_found(one) for one in dict.values(drawn))) if isinstance(drawn, dict) else ():
            if hasattr(drawing, "get_data"):
                yield page.extract_xform_text(drawing)


def _found(thing: Any) -> Any:
    """Follow a reference."""
    return thing.get_object() if hasattr(thing, "get_object") else thing


def _strings(reader: "PdfReader") -> Iterator[str]:
    """Give every string that stands anywhere beside the drawings; refuses what holds yet other files."""
    from pypdf.generic import (  # noqa: PLC0415  # as pypdf itself
        ArrayObject,
        ByteStringObject,
        DictionaryObject,
        IndirectObject,
        StreamObject,
        TextStringObject,
    )

    seen: set[tuple[int, int]] = set()
    waiting: list[Any] = [dict.get(reader.trailer, "/Root"), dict.get(reader.trailer, "/Info")]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, IndirectObject):
            if (thing.idnum, thing.generation) in seen:
                continue
            seen.add((thing.idnum, thing.generation))
            thing = thing.get_object()
        if isinstance(thing, DictionaryObject):
            if "/EF" in thing or "/XFA" in thing:
                raise UnreadablePdfError("The PDF holds other files, or a form program: print it into a plain PDF.")
            if isinstance(thing, StreamObject) and thing.get("/Type") == "/Metadata":
                yield _TAG.sub(" ", thing.get_data().decode("utf-8", "replace"))
            waiting += dict.values(thing)
        elif isinstance(thing, ArrayObject):
            waiting += list.__iter__(thing)
        elif isinstance(thing, TextStringObject):
            yield str(thing)
        elif isinstance(thing, ByteStringObject):
            yield bytes(thing).decode("latin-1")


def main() -> int:
    """Read a PDF from standard input and write its words to standard output."""
    seconds = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    try:
        words = read_pdf(sys.stdin.buffer.read())
    except UnreadablePdfError as error:
        sys.stdout.write(str(error))
        return _REFUSED
    sys.stdout.write(json.dumps(words))
    return 0


if __name__ == "__main__":
    sys.exit(main())
