"""Builds mails from parts that are encoded once, so that one more recipient costs microseconds.

Texts come as sequences: a `str` is finished text, anything else is a hole, filled at `build` by looking it up. Bodies
are quoted-printable (RFC 2045, section 6.7): finished text is encoded once, a value between two soft line breaks, so
that encoded pieces may simply be put next to each other. Header texts become encoded words (RFC 2047) where needed.
"""

import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from channels.mail_content import Lines, UndottedLines


class Values(NamedTuple):
    """What goes into the holes of one mail, by hole: in its subject, its plain and its HTML part."""

    subject: Mapping[Hashable, str] = MappingProxyType({})
    plain: Mapping[Hashable, str] = MappingProxyType({})
    html: Mapping[Hashable, str] = MappingProxyType({})


NO_VALUES = Values()


class Attached(NamedTuple):
    """A file that travels in a mail."""

    name: str
    content_type: str
    content: bytes
    """Of a text in UTF-8."""


_CRLF = b"\r\n"
_SOFT_BREAK = b"=\r\n"
_BOUNDARY = "=_next_part"
_FILE_BOUNDARY = "=_next_file"
"""Cannot occur in a quoted-printable body: there `=` precedes two hexadecimal digits or a line end."""

_LINE = 76
"""The longest line of a quoted-printable body, and of a header line with an encoded word."""
_WORD_BYTES = 45
"""UTF-8 bytes in one encoded word of at most 75 characters."""
_FIRST_WORD_BYTES = 39
"""UTF-8 bytes in the first one, which shares its line of 76 characters with the header's name (RFC 2047)."""

_ENDS = (" ", ".")
"""At the end of a text, a blank is encoded, and so is a dot that stands alone."""
_BLANK_AT_END = re.compile(rb"=(20|09)\n")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,255}")
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,300}@[!-;=?A-~]{1,300}>")
_WEB_ADDRESS = re.compile(r"https?://[!-;=?-~]{1,900}")  # a header line ends after 998 characters
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_BARE_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class UnsafeHeaderError(ValueError):
    """A value must not stand in a header; names the header, never the value."""


@dataclass(frozen=True, slots=True)
class PreparedMail:
    """A mail that is finished but for its recipient."""

    _subject: Sequence[Hashable]
    _fixed_headers: str
    _body: "_Body"
    _encoded_subject: str | None
    """None when the subject has holes."""

    @classmethod
    def prepare(
        cls,
        *,
        sender: tuple[str, str],
        language: str,
        subject: Sequence[Hashable],
        plain: Sequence[Hashable],
        html: Sequence[Hashable] | None = None,
        files: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> "PreparedMail":
        """Encode what all recipients share; raises `UnsafeHeaderError`.

        `sender` is name and address; `files` come from `encoded_files`; `headers` are further ones whose values are
        printable ASCII.
        """
        fixed = {
            "From": _mailbox("From", *sender),
            "MIME-Version": "1.0",
            "Auto-Submitted": "auto-generated",
            "Content-Language": _ascii("Content-Language", language),
            **{_field_name(name): _ascii(name, value) for name, value in (headers or {}).items()},
        }
        complete = all(isinstance(part, str) for part in subject)
        return cls(
            _subject=tuple(subject),
            _fixed_headers="".join(_header(name, value) for name, value in fixed.items()),
            _body=_Body.of(_with_files(_pieces_of_body(plain, html), files)),
            _encoded_subject=_text("Subject", "".join(str(part) for part in subject)) if complete else None,
        )

    def build(
        self,
        *,
        to_name: str,
        to_address: str,
        message_id: str,
        date: datetime,
        reply_to: str | None = None,
        list_unsubscribe: str | None = None,
        values: Values = NO_VALUES,
    ) -> Lines:
        """Make one recipient's mail, with CRLF line ends and not dot-stuffed; raises `UnsafeHeaderError`.

        `date` is aware; `list_unsubscribe` is a web address that takes a POST (RFC 8058). A hole without a value
        raises KeyError.
        """
        about = self._encoded_subject
        if about is None:
            about = _text(
                "Subject", "".join(part if isinstance(part, str) else values.subject[part] for part in self._subject)
            )
        identity = _matching(_MESSAGE_ID, "Message-ID", message_id)
        lines = [
            _header("To", _mailbox("To", to_name, to_address)),
            _header("Subject", about),
            f"Date: {_written_date(date, date.utcoffset())}\r\nMessage-ID: {identity}\r\n",
        ]
        if reply_to is not None:
            lines.append(f"Reply-To: {_matching(_ADDRESS, 'Reply-To', reply_to)}\r\n")
        if list_unsubscribe is not None:
            address = _matching(_WEB_ADDRESS, "List-Unsubscribe", list_unsubscribe)
            lines.append(f"List-Unsubscribe: <{address}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
        lines.append(self._fixed_headers)
        return self._body.filled("".join(lines).encode("ascii"), (values.plain, values.html))


class _Hole(NamedTuple):
    """A place in the body for a value of the plain (0) or the HTML part (1)."""

    part: int
    key: Hashable


_Piece = bytes | _Hole


@dataclass(frozen=True, slots=True)
class _Body:
    """A body as finished pieces and holes."""

    _finished: tuple[bytes, ...]
    _holes: tuple[_Hole, ...]
    """The different ones: a value is encoded once, however often it stands in its part."""
    _in_order: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]
    """Arranges headers, finished pieces and values, given in this order, as they follow each other in the mail."""
    _dotted: bool
    """Whether a line of the finished pieces begins with a dot."""

    @classmethod
    def of(cls, pieces: Sequence[_Piece]) -> "_Body":
        """Find out once where everything stands."""
        finished = tuple(piece for piece in pieces if isinstance(piece, bytes))
        holes = tuple(dict.fromkeys(piece for piece in pieces if isinstance(piece, _Hole)))
        places = {hole: number for number, hole in enumerate(holes, start=1 + len(finished))}
        following = iter(range(1, 1 + len(finished)))
        order = [places[piece] if isinstance(piece, _Hole) else next(following) for piece in pieces]
        return cls(finished, holes, itemgetter(0, *order), _has_dotted_line(finished))

    def filled(self, headers: bytes, values: tuple[Mapping[Hashable, str], Mapping[Hashable, str]]) -> Lines:
        """Put a mail together."""
        encoded = [_quoted(values[part][key]) for part, key in self._holes]
        content = b"".join(self._in_order((headers, *self._finished, *encoded)))
        return Lines(content) if self._dotted or _has_dotted_line(encoded) else UndottedLines(content)


def _has_dotted_line(pieces: Iterable[bytes]) -> bool:
    """Tell whether a dot begins a line of these pieces, each of which begins a line itself."""
    return b"\n." in b"\n".join((b"", *pieces))


def _pieces_of_body(plain: Sequence[Hashable], html: Sequence[Hashable] | None) -> tuple[_Piece, ...]:
    """Encode the body with the headers that describe it."""
    if html is None:
        return _merged([_part_headers("plain") + _CRLF, *_pieces(plain, 0), _CRLF])
    boundary = _CRLF + b"--" + _BOUNDARY.encode()
    return _merged(
        [
            f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n'.encode(),
            boundary + _CRLF + _part_headers("plain") + _CRLF,
            *_pieces(plain, 0),
            boundary + _CRLF + _part_headers("html") + _CRLF,
            *_pieces(html, 1),
            boundary + b"--" + _CRLF,
        ]
    )


def encoded_files(attached: Sequence[Attached]) -> bytes:
    """Write files as they follow the text of a mail, once for all languages and looks: they may be megabytes."""
    boundary = _CRLF + b"--" + _FILE_BOUNDARY.encode()
    return b"".join([*(boundary + _CRLF + _file_part(file) for file in attached), boundary, b"--", _CRLF])


def _with_files(body: tuple[_Piece, ...], files: bytes) -> tuple[_Piece, ...]:
    """Put files behind the text of a mail, as a piece of their own that is not copied."""
    if not files:
        return body
    opening = f'Content-Type: multipart/mixed; boundary="{_FILE_BOUNDARY}"\r\n\r\n--{_FILE_BOUNDARY}\r\n'.encode()
    return (*_merged([opening, *body]), files)


def _file_part(file: Attached) -> bytes:
    """Write a file as a part; the standard library knows how names in any script are written (RFC 2231).

    It takes 0.3 s for the content of 5 MB, so that is encoded here.
    """
    main, _, sub = file.content_type.partition("/")
    part = EmailMessage(policy=SMTP)
    of_text = {"charset": "utf-8"} if main == "text" else None
    part.set_content(b"", main, sub, disposition="attachment", filename=file.name, params=of_text)
    del part["MIME-Version"]
    content = encodebytes(file.content).replace(b"\n", _CRLF)
    return (part.as_bytes().rstrip() + _CRLF + _CRLF + content).removesuffix(_CRLF)


def _part_headers(subtype: str) -> bytes:
    return f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n".encode()


def _pieces(parts: Sequence[Hashable], part: int) -> list[_Piece]:
    """Encode finished text, and put soft line breaks on both sides of every hole."""
    pieces: list[_Piece] = []
    for is_text, group in groupby(parts, lambda content: isinstance(content, str)):
        if is_text:
            pieces += [_SOFT_BREAK, _quoted("".join(map(str, group)))]
        else:
            pieces += [piece for key in group for piece in (_SOFT_BREAK, _Hole(part, key))]
    return pieces[1:]


def _merged(pieces: list[_Piece]) -> tuple[_Piece, ...]:
    """Join neighbouring bytes, so that a mail is put together from few pieces."""
    merged: list[_Piece] = []
    for piece in pieces:
        if merged and isinstance(piece, bytes) and isinstance(merged[-1], bytes):
            merged[-1] += piece
        else:
            merged.append(piece)
    return tuple(merged)


def _quoted(text: str) -> bytes:
    """Encode text as quoted-printable whose last line has room for a soft line break."""
    if text.isascii() and text.isprintable() and "=" not in text and text[-1:] not in _ENDS:
        return text.encode() if len(text) < _LINE else _cut(text).encode()
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    encoded = b2a_qp(text.encode("utf-8", "replace"))
    if len(encoded) < _LINE and b"\n" not in encoded:
        return encoded
    start = encoded.rfind(b"\n") + 1
    if len(encoded) - start >= _LINE:
        # Only a plain last character may fill a line to the brim; an encoded one is moved to the next by itself.
        encoded = encoded[:-1] + b"=\n" + encoded[-1:]
    if b"=20\n" in encoded or b"=09\n" in encoded:
        # b2a_qp encodes a blank at a line's end without counting: such a line may have grown to 78.
        encoded = _BLANK_AT_END.sub(rb"=\n=\1\n", encoded)
    return encoded.replace(b"\n", _CRLF)


def _cut(text: str) -> str:
    """Put soft line breaks into a long text that needs no encoding."""
    return "=\r\n".join([text[start : start + _LINE - 1] for start in range(0, len(text), _LINE - 1)])


@lru_cache(maxsize=8)
def _written_date(date: datetime, _offset: timedelta | None) -> str:
    """Write a date; all mails of a batch have the same. With its offset, as instants of all zones may be equal."""
    return format_datetime(date)


def _header(name: str, value: str) -> str:
    """Write a header; an encoded word that would overfill the first line starts the second."""
    first = value.partition("\r\n")[0]
    fold = value.startswith("=?") and len(name) + 2 + len(first) > _LINE
    return f"{name}:\r\n {value}\r\n" if fold else f"{name}: {value}\r\n"


def _text(header: str, text: str) -> str:
    """Write a header's free text: as it is when short and ASCII, else as encoded words."""
    _refuse_unsafe(header, text)
    if text.isascii() and len(text) <= 60 and "=?" not in text and text == " ".join(text.split(" ")).strip(" "):
        return text
    return _encoded_words(text)


def _mailbox(header: str, name: str, address: str) -> str:
    """Write a display name and an address."""
    address = _matching(_ADDRESS, header, address)
    if not name:
        return address
    _refuse_unsafe(header, name)
    if len(name) <= 40 and name.isascii() and "=?" not in name and name == name.strip(" "):
        if not _BARE_PHRASE.fullmatch(name):
            name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{name} <{address}>"
    return f"{_encoded_words(name)}\r\n <{address}>"


def _encoded_words(text: str) -> str:
    """Write text as base64 encoded words, none of which splits a character, each but the first on its own line."""
    words: list[str] = []
    chunk = b""
    for character in text:
        encoded = character.encode()
        if len(chunk) + len(encoded) > (_WORD_BYTES if words else _FIRST_WORD_BYTES):
            words.append(f"=?utf-8?b?{b64encode(chunk).decode()}?=")
            chunk = b""
        chunk += encoded
    words.append(f"=?utf-8?b?{b64encode(chunk).decode()}?=")
    return "\r\n ".join(words)


def _matching(pattern: re.Pattern[str], header: str, value: str) -> str:
    if not pattern.fullmatch(value):
        raise UnsafeHeaderError(f"{header}: the value does not have the form this header asks for.")
    return value


def _ascii(header: str, value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise UnsafeHeaderError(f"{header}: only printable ASCII characters may stand here.")
    return value


def _field_name(name: str) -> str:
    if not _FIELD_NAME.fullmatch(name):
        raise UnsafeHeaderError("A header's name may hold only letters, digits and hyphens.")
    return name


def _refuse_unsafe(header: str, value: str) -> None:
    if not (value.isascii() and value.isprintable()) and _UNSAFE.search(value):
        raise UnsafeHeaderError(f"{header}: line ends and control characters must not stand in a header.")
