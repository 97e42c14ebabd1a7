"""Signs mails for a domain, so that receivers can tell the school's own from forged ones (DKIM: RFC 6376, RFC 8463).

Headers and bodies are signed in relaxed form, as relays may fold lines and trim blanks. Every signed header is named
once more than it occurs (RFC 6376, section 8.15): who adds a second `From`, or a `List-Unsubscribe` to a mail that had
none, breaks the signature.
"""

import datetime as dt
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

SIGNED = (
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"content-language",
    b"auto-submitted",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
"""The signed headers; the last two as RFC 8058 asks, and also where they are missing."""

_SHORTEST, _LONGEST = 2048, 4096
"""Bits of an RSA key: what is safe today, and what every receiver can check (RFC 8301)."""
_LINE = 72
_LARGEST_FILE = 20_000
"""Bytes; a key of 4096 bits takes 3,300."""


class DkimKeyError(Exception):
    """A file holds no key that can sign: the rest of a sentence that begins with the setting's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DkimKey:
    """Where one key is, and the name under which its public half is published."""

    selector: str
    file: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class DkimSettings:
    """For which domain to sign and with which keys; with two, each mail is signed twice (RFC 8463, section 4)."""

    domain: str
    keys: tuple[DkimKey, ...]


class PublicRecord(NamedTuple):
    """The TXT record by which receivers check a signature."""

    name: str
    value: str


def read_key(file: Path) -> PrivateKey:
    """Read an RSA or Ed25519 key from a PEM file; raises `DkimKeyError`."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_FILE)
    except OSError:
        raise DkimKeyError(f"names {file}, which cannot be read.") from None
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise DkimKeyError(f"names {file}, whose key has a password: store it without one.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise DkimKeyError(f"names {file}, which holds no private key in PEM form.") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if not isinstance(key, RSAPrivateKey):
        raise DkimKeyError(f"names {file}, whose key is neither RSA nor Ed25519.")
    if not _SHORTEST <= key.key_size <= _LONGEST:
        raise DkimKeyError(f"names {file}, whose key has {key.key_size} bits: use an RSA key of 2048 to 4096 bits.")
    return key


def public_record(domain: str, selector: str, key: PrivateKey) -> PublicRecord:
    """Say what to publish in the DNS, so that receivers can check signatures of this key."""
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        kind, encoded = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        kind, encoded = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicRecord(f"{selector}._domainkey.{domain}", f"v=DKIM1; k={kind}; p={b64encode(encoded).decode()}")


class MailSigner:
    """Signs mails for one domain."""

    def __init__(self, domain: str, keys: Sequence[tuple[str, PrivateKey]], *, now: Callable[[], dt.datetime]) -> None:
        """Take the keys by selector; `now` is aware."""
        self._beginnings = [(_beginning(domain, selector, key), _signing(key)) for selector, key in keys]
        self._records = [public_record(domain, selector, key) for selector, key in keys]
        self._now = now

    @classmethod
    def from_files(cls, settings: DkimSettings, *, now: Callable[[], dt.datetime]) -> "MailSigner":
        """Read the keys; raises `DkimKeyError`."""
        return cls(settings.domain, [(key.selector, read_key(key.file)) for key in settings.keys], now=now)

    @property
    def records(self) -> Sequence[PublicRecord]:
        """What to publish, one record a key."""
        return self._records

    def signed(self, content: bytes) -> bytes:
        """Put signatures in front of a mail with CRLF line ends; what is promised of its lines still holds."""
        head, body = _parted(content)
        names, fields = _chosen(head)
        digest = b64encode(sha256(_relaxed_body(body)).digest())
        seconds = int(self._now().timestamp())
        written = []
        for beginning, sign in self._beginnings:
            value = b"%bt=%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (beginning, seconds, names, digest)
            signature = sign(fields + b"dkim-signature:" + value.replace(b"\r\n ", b" "))
            written.append(b"DKIM-Signature: %b%b\r\n" % (value, _folded(b64encode(signature))))
        # Of the same kind as before: `Lines` and `UndottedLines` promise what holds for the new lines, too.
        return type(content)(b"".join((*written, content)))


def _beginning(domain: str, selector: str, key: PrivateKey) -> bytes:
    """Write what is the same in all signatures of a key."""
    algorithm = "ed25519-sha256" if isinstance(key, Ed25519PrivateKey) else "rsa-sha256"
    return f"v=1; a={algorithm}; c=relaxed/relaxed;\r\n d={domain}; s={selector};\r\n ".encode("ascii")


def _signing(key: PrivateKey) -> Callable[[bytes], bytes]:
    if isinstance(key, Ed25519PrivateKey):
        return lambda text: key.sign(sha256(text).digest())  # the hash is what is signed (RFC 8463, section 3)
    padding, algorithm = PKCS1v15(), SHA256()
    return lambda text: key.sign(text, padding, algorithm)


def _parted(content: bytes) -> tuple[bytes, bytes]:
    """Part headers and body."""
    if content.startswith(b"\r\n"):
        return b"", content[2:]
    head, _, body = content.partition(b"\r\n\r\n")
    return head, body


def _chosen(head: bytes) -> tuple[bytes, bytes]:
    """Choose the headers to sign; gives the list of their names and all of them in relaxed form (section 3.4.2)."""
    found: dict[bytes, list[bytes]] = {name: [] for name in SIGNED}
    for line in _single_blanks(head).replace(b"\r\n ", b" ").split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.rstrip(b" ").lower()
        if name in found:
            found[name].append(b"%b:%b\r\n" % (name, _single_blanks(value).strip(b" ")))
    # Several of one name are signed from the last to the first (section 5.4.2).
    fields = b"".join([field for several in found.values() for field in reversed(several)])
    return _names(tuple([len(several) for several in found.values()])), fields


@lru_cache(maxsize=64)
def _names(counts: tuple[int, ...]) -> bytes:
    """List the names of the signed headers, each once more than it occurs, in lines."""
    lines = [b""]
    for name in [name for name, count in zip(SIGNED, counts, strict=True) for _ in range(count + 1)]:
        if len(lines[-1]) + len(name) > _LINE:
            lines.append(b"")
        lines[-1] += name + b":"
    return b"\r\n ".join(lines)[:-1]


def _relaxed_body(body: bytes) -> bytes:
    """Write a body in relaxed form (section 3.4.4): single blanks, none before a line's end, no empty lines at the end.

    Replacing in whole mails is many times faster than looking at lines, and most mails have nothing to replace.
    """
    text = _single_blanks(body)
    if b" \r\n" in text:
        text = text.replace(b" \r\n", b"\r\n")
    text = text.rstrip(b"\r\n ")
    return text + b"\r\n" if text else b""


def _single_blanks(text: bytes) -> bytes:
    """Make one blank of every run of blanks and tabs."""
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


def _folded(encoded: bytes) -> bytes:
    return b"\r\n ".join([encoded[start : start + _LINE] for start in range(0, len(encoded), _LINE)])
