"""API keys: how they are made, what of them is stored, and what each scope allows."""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

_KEY = re.compile(r"^smg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$")


class Scope(StrEnum):
    """What a key may do."""

    DIRECTORY = "directory"
    """Replace and import the school's directory."""
    SEND = "send"
    """Post notifications, ask for their audience, cancel them."""
    READ = "read"
    """Read notifications, decisions, deliveries and chronologies."""
    ALERTS = "alerts"
    """Post notifications of the life-safety categories."""
    ADMIN = "admin"
    """Everything, and the school's templates."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who makes a request: a key, bound to one school, with its scopes."""

    key: str
    """The key's public id, safe to log and store."""
    name: str
    school: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether the key has the scope, directly or as administrator."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A key at the one moment when its secret is known."""

    id: str
    text: str
    secret_hash: str


def make_key() -> NewKey:
    """Make a key of 256 random bits, shown once; only its hash is stored."""
    identifier = secrets.token_hex(6)
    secret = secrets.token_urlsafe(32)
    return NewKey(id=identifier, text=f"smg_{identifier}_{secret}", secret_hash=hash_secret(secret))


def hash_secret(secret: str) -> str:
    """Hash a key's secret. Plain SHA-256 suffices: the secret is 256 random bits, not a password."""
    return hashlib.sha256(secret.encode()).hexdigest()


def split_key(text: str) -> tuple[str, str] | None:
    """Split a presented key into its id and secret, or None when it has not the form of one."""
    match = _KEY.match(text)
    return (match[1], match[2]) if match else None


def same_secret(secret: str, secret_hash: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(hash_secret(secret), secret_hash)


_LINK_BYTES = 16


class Link(StrEnum):
    """What a signed link is for: one must not serve as the other, as mail programs pass the second one around."""

    DOCUMENT = "document"
    """Opens the document behind an identity check (R41)."""
    UNSUBSCRIBE = "unsubscribe"
    """Ends messages of one kind (RFC 8058)."""


def sign_link(secret_key: str, link: Link, delivery: str) -> str:
    """Make the unguessable part of a link: 128 bits, bound to one delivery and one purpose."""
    return hmac.digest(secret_key.encode(), f"{link}:{delivery}".encode(), "sha256")[:_LINK_BYTES].hex()


def link_is_genuine(secret_key: str, link: Link, delivery: str, signature: str) -> bool:
    """Check a link in constant time."""
    return hmac.compare_digest(sign_link(secret_key, link, delivery).encode(), signature.encode())


_SIGNED_ADDRESS = re.compile(r"(reply|bounce)\+([0-9a-z]{1,100})\.([0-9a-v]{20})@", re.IGNORECASE)
_ADDRESS_BYTES = 12
"""96 bits, in 20 characters: with an id of 34 all fits into the 64 that may stand before the @ (RFC 5321)."""


class _Box(StrEnum):
    """What arrives at a signed address: none must serve as another, as both travel with every mail."""

    REPLY = "reply"
    BOUNCE = "bounce"


def reply_address(secret_key: str, delivery: str, domain: str) -> str:
    """Make the address at which an answer to one delivery arrives: `reply+DELIVERY.SIGNATURE@DOMAIN` (R40)."""
    return _signed_address(secret_key, _Box.REPLY, delivery, domain)


def replied_delivery(secret_key: str, address: str) -> str | None:
    """Tell which delivery an address of ours answers to, None for any other; mail servers may have changed its case."""
    return _delivery_of(secret_key, _Box.REPLY, address)


def bounce_address(secret_key: str, delivery: str, domain: str) -> str:
    """Make the return path of one delivery's mail, at which bounces arrive: `bounce+DELIVERY.SIGNATURE@DOMAIN`."""
    return _signed_address(secret_key, _Box.BOUNCE, delivery, domain)


def bounced_delivery(secret_key: str, address: str) -> str | None:
    """Tell which delivery's mail had this return path, None for any other; its case may have been changed."""
    return _delivery_of(secret_key, _Box.BOUNCE, address)


def _signed_address(secret_key: str, box: _Box, delivery: str, domain: str) -> str:
    return f"{box}+{delivery}.{_sign_address(secret_key, box, delivery)}@{domain}"


def _delivery_of(secret_key: str, box: _Box, address: str) -> str | None:
    match = _SIGNED_ADDRESS.match(address.strip())
    if match is None or match[1].lower() != box:
        return None
    delivery, signature = match[2].lower(), match[3].lower()
    genuine = hmac.compare_digest(_sign_address(secret_key, box, delivery).encode(), signature.encode())
    return delivery if genuine else None


def _sign_address(secret_key: str, box: _Box, delivery: str) -> str:
    digest = hmac.digest(secret_key.encode(), f"{box}:{delivery}".encode(), "sha256")[:_ADDRESS_BYTES]
    return base64.b32hexencode(digest).decode().rstrip("=").lower()


class Record(StrEnum):
    """What a signed record is: none must serve as another, or as a link."""

    DENY_SNAPSHOT = "deny_snapshot"
    """Whom the restrictions barred when they could last be read (R46)."""


def sign_record(secret_key: str, record: Record, content: bytes) -> str:
    """Sign what the installation itself must be able to believe later: HMAC-SHA256, as 64 hexadecimal digits."""
    return hmac.digest(secret_key.encode(), f"{record}:".encode() + content, "sha256").hex()


def record_is_genuine(secret_key: str, record: Record, content: bytes, signature: str) -> bool:
    """Check a record in constant time."""
    return hmac.compare_digest(sign_record(secret_key, record, content).encode(), signature.encode())
