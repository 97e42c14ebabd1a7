"""Twilio's callback signature: who called is settled before anybody looks at what was said."""

import base64
import hmac
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlsplit

from channels.base import CallbackRequest
from channels.errors import ReceiptRefusedError

LARGEST_BODY = 65536
"""Bytes; a status callback has about 500."""

MOST_FIELDS = 200

_DEFAULT_PORTS = {"https": 443, "http": 80}


def signature(secret: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """Sign a URL and form fields: base64 of HMAC-SHA1 over the URL and each distinct name and value, sorted."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(secret.encode(), signed.encode(), "sha1")).decode()


def believed_form(request: CallbackRequest, secret: str) -> dict[str, str]:
    """Return the form of a callback that Twilio signed; raises `ReceiptRefusedError` for any other.

    The signature covers the decoded fields, so the body is decoded, strictly, before it is believed.
    """
    given = request.headers.get("x-twilio-signature", "")
    if not given:
        raise ReceiptRefusedError(403, "The header X-Twilio-Signature is missing.")
    if len(request.body) > LARGEST_BODY:
        raise ReceiptRefusedError(413, f"The body is longer than {LARGEST_BODY} bytes.")
    fields = _decoded(request)
    if not any(
        hmac.compare_digest(signature(secret, url, fields).encode(), given.encode()) for url in _spellings(request.url)
    ):
        raise ReceiptRefusedError(403, "The signature does not fit the URL and the body.")
    return dict(fields)


def _decoded(request: CallbackRequest) -> list[tuple[str, str]]:
    if not request.body:
        return []
    try:
        return parse_qsl(
            request.body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise ReceiptRefusedError(400, "The body is not a form in UTF-8.") from None


def _spellings(url: str) -> Iterator[str]:
    """Write the URL as it is, without and with its port: Twilio signs now one, now the other."""
    yield url
    parts = urlsplit(url)
    try:
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return
    host = parts.netloc.rsplit(":", 1)[0] if parts.port else parts.netloc
    yield parts._replace(netloc=host).geturl()
    yield parts._replace(netloc=f"{host}:{port}").geturl()
