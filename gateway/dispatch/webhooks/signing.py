"""Signatures of webhooks (Standard Webhooks 1.0.0, symmetric `v1`), and the secrets they are made with.

A secret must be known again at every post, so a hash of it, as of API keys, will not do, and encrypting it would take
a library for the one key that is at hand. It is therefore not stored at all: HMAC-SHA256 of the installation's secret
key over a random seed gives it back. A copy of the database alone forges no signature where `GATEWAY_SECRET_KEY` is set
outside of it; where the installation keeps its key in the database, that copy would hold the key to a cipher, too.
The price: with another secret key all webhook secrets are lost, which each seed's fingerprint tells, and are rotated.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

_PREFIX = "whsec_"


def make_seed() -> str:
    """Draw 256 random bits."""
    return secrets.token_hex(32)


def secret_of(secret_key: str, seed: str) -> bytes:
    """Derive the 32 bytes of a secret; whoever lacks either half cannot tell them from random ones."""
    return hmac.digest(secret_key.encode(), f"webhook:{seed}".encode(), "sha256")


def shown(secret: bytes) -> str:
    """Write a secret the way receivers take it, for the one moment in which it is shown."""
    return _PREFIX + base64.b64encode(secret).decode()


def fingerprint(secret: bytes) -> str:
    """Tell a secret from another one without telling what it is."""
    return hashlib.sha256(b"fingerprint:" + secret).hexdigest()[:16]


def sign(by: Sequence[bytes], identifier: str, timestamp: int, body: bytes) -> str:
    """Write the `webhook-signature`: one item for each secret, so that a receiver may have any of them."""
    content = f"{identifier}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(each, content, 'sha256')).decode()}" for each in by)
