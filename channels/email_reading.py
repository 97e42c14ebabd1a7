"""Reads mails that anybody may have sent: headers, parts, words and files, within limits, and never fails.

A parser of our own because Python's takes a gigabyte for a mail of a million parts, and calls itself for each level of
nesting; here every step is linear and bounded. What lies beyond a limit is left out, and the reading says so.
"""

import binascii
import quopri
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message

from channels.base import Enclosure
from channels.email_html import words_of_html

MOST_PARTS = 200
MOST_DEPTH = 8
MOST_HEADER_BYTES = 100_000
"""Of one part; a mail's own header rarely has a tenth of that."""
MOST_HEADERS = 500
MOST_VALUE = 4_000
"""Characters of one header."""
MOST_PARAMETERS = 50
"""Of a content type; reading them takes the square of their number."""
MOST_WORDS = 500_000
"""Characters of a text that is read."""

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_NAME = re.compile(r"[!-9;-~]{1,100}")
_MEDIA = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,100}", re.ASCII)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069/\\]")
"""Not in the name of a file: controls, what turns the direction of writing, and what leads to another folder."""
_CHARSETS = re.compile(
    r"(us-)?ascii|utf-?(7|8|16|32)(-?[bl]e)?|iso-?8859-?\d{1,2}|iso-2022-(jp|kr)(-\w{1,5})?|windows-?\d{3,4}|cp\d{3,5}"
    r"|koi8-?[ru]|gb2312|gbk|gb18030|hz-gb-2312|big5(-hkscs)?|shift_?-?jis|euc-?(jp|kr)|ks_c_5601-1987|tis-620|mac\w{0,20}"
    r"|latin-?\d",
    re.ASCII,
)
"""Names of character sets that mails have; Python knows some codecs more that take long or are none."""
_ADDRESS = re.compile(r"(?<![^\s<>()\[\]:;,\"])[^\s<>()\[\]:;,\"]{1,250}@[^\s<>()\[\]:;,\"]{1,250}")
_NO_LETTERS = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
"""What means nothing in base64."""
_HALVES = re.compile("[\ud800-\udfff]")
"""Of characters: UTF-7 can write them, and no other encoding takes them."""
_BRACKETED = re.compile(r"<([^<>]*)>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A mail, or one part of it."""

    headers: Mapping[str, str]
    """Names in lower case; of repeated ones the first, as it was written."""
    content_type: str
    charset: str = "utf-8"
    filename: str = ""
    attached: bool = False
    raw: bytes
    """What stands below the header, not decoded."""
    parts: tuple["Part", ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the content type."""
    whole: bool = True
    """False when something in it lies beyond a limit."""

    def header(self, name: str) -> str:
        """Give a header decoded (RFC 2047), empty when it is missing."""
        return _decoded_header(self.headers.get(name, ""))

    @property
    def content(self) -> bytes:
        """The bytes it stands for; as much of them as can be decoded."""
        encoding = self.headers.get("content-transfer-encoding", "").strip().lower()
        if encoding == "base64":
            return _base64(self.raw)
        if encoding == "quoted-printable":
            return quopri.decodestring(self.raw)
        return self.raw

    @property
    def text(self) -> str:
        """Its content as text; what cannot be decoded is shown as such."""
        return _text(self.content, self.charset).replace("\r\n", "\n").replace("\r", "\n")

    def walk(self) -> Iterator["Part"]:
        """Give the part and all within it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What a mail says: its text, and the files that came with it."""

    text: str = ""
    plain: bool = False
    enclosures: tuple[Enclosure, ...] = ()
    whole: bool = True


def read_mail(content: bytes) -> Part:
    """Read a mail."""
    return _read(content, [MOST_PARTS], MOST_DEPTH)


def header_of(content: bytes) -> Mapping[str, str]:
    """Read the header of a mail that is quoted in another one."""
    return _headers(_split(content)[0])[0]


def addresses_in(text: str) -> tuple[str, ...]:
    """Find the bare addresses in a header, in lower case."""
    return tuple(match[0].strip(".'").lower() for match in _ADDRESS.finditer(text[:MOST_VALUE]))


def author_in(text: str) -> str:
    """Find the address in a header that names one author, lower case; what stands in the name is not it."""
    bracketed = _BRACKETED.findall(text[:MOST_VALUE])
    return next(iter(addresses_in(bracketed[-1] if bracketed else text)), "")


def words_of(part: Part) -> Words:
    """Give a mail's text, from its plain part or else its HTML, and everything else as files."""
    found = _words(part)
    text, whole = found.text[:MOST_WORDS], found.whole and len(found.text) <= MOST_WORDS
    return Words(text=text.strip(), plain=found.plain, enclosures=found.enclosures, whole=whole)


def _words(part: Part) -> Words:
    if part.parts:
        within = [_words(each) for each in part.parts]
        enclosures = tuple(enclosure for each in within for enclosure in each.enclosures)
        whole = part.whole and all(each.whole for each in within)
        said = [each for each in within if each.text.strip()]
        if part.content_type == "multipart/alternative":
            said = sorted(said, key=lambda each: not each.plain)[:1]
        text = "\n\n".join(each.text.strip("\n") for each in said)
        return Words(text=text, plain=all(each.plain for each in said), enclosures=enclosures, whole=whole)
    if part.attached or part.filename or part.content_type not in {"text/plain", "text/html"}:
        return Words(enclosures=(_enclosure(part),), whole=part.whole)
    if part.content_type == "text/plain":
        return Words(text=part.text, plain=True, whole=part.whole)
    text, whole = words_of_html(part.text)
    return Words(text=text, whole=whole and part.whole)


def _enclosure(part: Part) -> Enclosure:
    name = part.filename or ("message.eml" if part.content_type == "message/rfc822" else "file")
    return Enclosure(name=name, content_type=part.content_type, content=part.content)


def _read(content: bytes, left: list[int], depth: int) -> Part:
    """Read one part; `left` holds how many more there may be in the whole mail."""
    header, body = _split(content)
    headers, whole = _headers(header)
    typed = _Typed(headers)
    parts: tuple[Part, ...] = ()
    boundary = typed.parameters.get("boundary", "")
    content_type = typed.content_type
    if content_type.startswith("multipart/"):
        pieces = list(_pieces(body, boundary)) if boundary and depth else []
        whole = whole and len(pieces) <= left[0] and bool(pieces)
        pieces = pieces[: left[0]]
        left[0] -= len(pieces)
        parts = tuple(_read(piece, left, depth - 1) for piece in pieces)
        if not parts:
            content_type = "text/plain"  # what cannot be taken apart is shown as it is: no word is lost
    return Part(
        headers=headers,
        content_type=content_type,
        charset=typed.parameters.get("charset", "utf-8"),
        filename=typed.filename,
        attached=headers.get("content-disposition", "").strip().lower().startswith("attachment"),
        raw=body,
        parts=parts,
        parameters=typed.parameters,
        whole=whole,
    )


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Part header and body; a text that begins without a header is all body."""
    if content[:1] in {b"\r", b"\n"}:
        return b"", content.lstrip(b"\r\n")
    blank = _BLANK_LINE.search(content)
    header, body = (content[: blank.start()], content[blank.end() :]) if blank else (content, b"")
    first = header[:1000].partition(b"\n")[0].partition(b":")
    if not first[1] or not _NAME.fullmatch(first[0].decode("latin-1").strip()):
        return b"", content
    return header, body


def _headers(header: bytes) -> tuple[dict[str, str], bool]:
    """Read the lines of a header; says besides whether that was all of it."""
    lines = _FOLD.sub(b"", header[:MOST_HEADER_BYTES]).split(b"\n", MOST_HEADERS)
    found: dict[str, str] = {}
    for line in lines[:MOST_HEADERS]:
        name, colon, value = line.partition(b":")
        key = name.decode("latin-1").strip().lower()
        if colon and _NAME.fullmatch(key):
            found.setdefault(key, _guessed(value.strip())[:MOST_VALUE])
    return found, len(header) <= MOST_HEADER_BYTES and len(lines) <= MOST_HEADERS


class _Typed:
    """Content type, its parameters and the name of the file, as the standard library reads them (RFC 2231)."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        message = Message()
        for name in ("content-type", "content-disposition"):
            if name in headers:
                message[name] = ";".join(headers[name].split(";", MOST_PARAMETERS)[:MOST_PARAMETERS])
        try:
            pairs = message.get_params(failobj=[]) or []
            name = message.get_filename("") or ""
        except (LookupError, TypeError, ValueError, AttributeError):  # names in impossible encodings
            pairs, name = [], ""
        written = message.get_content_type()
        self.content_type = written if _MEDIA.fullmatch(written) else "application/octet-stream"
        self.parameters = {str(key).lower(): _plain(value) for key, value in pairs[1:]}
        self.filename = _UNPRINTABLE.sub("_", _decoded_header(name))[:200].strip(" .")


def _plain(value: object) -> str:
    """Give a parameter's value; one with a character set of its own (RFC 2231) comes in three pieces."""
    return str(value[2]) if isinstance(value, tuple) else str(value)


def _pieces(body: bytes, boundary: str) -> Iterator[bytes]:
    mark = re.escape(boundary.encode("utf-8", "surrogateescape"))
    begin = None
    for number, match in enumerate(re.finditer(rb"^--" + mark + rb"(--)?[ \t]*\r?$", body, re.MULTILINE)):
        if begin is not None:
            yield _trimmed(body[begin : match.start()])
        begin = None if match[1] else match.end()
        if match[1] or number > MOST_PARTS:
            break
    if begin is not None:
        yield _trimmed(body[begin:])  # cut off before its end


def _trimmed(piece: bytes) -> bytes:
    """Take off the line ends that belong to the delimiters."""
    piece = piece.removeprefix(b"\r").removeprefix(b"\n")
    return piece.removesuffix(b"\n").removesuffix(b"\r")


def _base64(raw: bytes) -> bytes:
    """Decode as far as it goes: lines may be cut off, and other characters between them."""
    letters = raw.translate(None, _NO_LETTERS)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _text(content: bytes, charset: str) -> str:
    name = charset.strip().lower()
    if _CHARSETS.fullmatch(name) and name not in {"us-ascii", "ascii"}:
        try:
            return _HALVES.sub("\ufffd", content.decode(name, "replace"))
        except (LookupError, ValueError):
            pass
    return _guessed(content)


def _guessed(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _decoded_header(value: str) -> str:
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value[:MOST_VALUE])
    except (HeaderParseError, ValueError, LookupError):
        return value
    return "".join(piece if isinstance(piece, str) else _text(piece, charset or "utf-8") for piece, charset in pieces)
