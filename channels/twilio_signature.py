"""Twilio's callback signature: who called is settled before anybody looks at what was said."""

import base64
import hmac
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urlsplit

from yarl import URL

from channels.base import CallbackRequest
from channels.errors import ReceiptRefusedError

LARGEST_BODY = 65536
"""Bytes; a status callback has about 500."""

MOST_FIELDS = 200

_NO_FORM = "The body is not a form in UTF-8."

_DEFAULT_PORTS = {"https": 443, "http": 80}


def signature(secret: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """Sign a URL and form fields: base64 of HMAC-SHA1 over the URL and each distinct name and value, sorted."""
    signed = url + "".join([name + value for name, value in sorted(set(fields))])
    return base64.b64encode(hmac.digest(secret.encode(), signed.encode(), "sha1")).decode()


def believed_form(request: CallbackRequest, secret: str) -> dict[str, str]:
    """Return the form of a callback that Twilio signed; raises `ReceiptRefusedError` for any other.

    The signature covers the decoded fields, so the body is decoded before it is believed: by the quickest decoder there
    is, since one that takes too much for a form gives no fields that anybody has signed.
    """
    given = request.headers.get("x-twilio-signature", "")
    if not (given and given.isascii()):
        raise ReceiptRefusedError(403, "The header X-Twilio-Signature is missing, or not ASCII.")
    if len(request.body) > LARGEST_BODY:
        raise ReceiptRefusedError(413, f"The body is longer than {LARGEST_BODY} bytes.")
    if not request.body.isascii() or request.body.count(b"&") >= MOST_FIELDS:
        raise ReceiptRefusedError(400, _NO_FORM)
    form = request.body.decode("ascii")
    fields = list(URL.build(query_string=form, encoded=True).query.items())
    for url in _spellings(request.url):
        if hmac.compare_digest(signature(secret, url, fields).encode(), given.encode()):
            return dict(fields)
    if not _is_form(form):
        raise ReceiptRefusedError(400, _NO_FORM)
    raise ReceiptRefusedError(403, "The signature does not fit the URL and the body.")


def _is_form(text: str) -> bool:
    """Look closely at a body that nobody has signed, to say what is wrong with it."""
    try:
        parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        return not text
    return True


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
