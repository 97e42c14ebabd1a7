"""Providers' callbacks: believed only after their signature has been checked."""

import logging
from collections.abc import Sequence

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from channels.base import CallbackRequest, Channel, Inbound, Incoming, Receipt
from channels.errors import ReceiptRefusedError
from gateway.dispatch.refusals import Refused
from gateway.services import SERVICES, Services
from gateway.store.receipts import fits

_log = logging.getLogger(__name__)

MOST_BYTES = 1_000_000
"""Far beyond a status callback and a text; pictures that come with one are fetched, not posted."""

_TOO_LARGE = "A callback of this size is not one of a provider's."
_RETRY_SECONDS = 10
"""When a provider may try again whose news could not be stored."""

NOBODY = "none"
"""What is counted in place of a provider that is not in use: a stranger may write anything there."""

_REASONS = {401: "forged", 403: "forged", 404: "not_taken", 413: "too_large"}
"""What is counted, by the status an adapter refuses with."""


async def post_receipt(request: web.Request) -> web.Response:
    """Take a provider's news; 204 when it is durable, so that the provider repeats it otherwise."""
    services = request.app[SERVICES]
    provider = services.providers.get(request.match_info["provider"])
    if provider is None:
        services.metrics.receipts_refused(NOBODY, "not_taken")
        raise Refused(404, "No provider of this name is in use.")
    try:
        news = await _believed(request, services, provider)
    except ReceiptRefusedError as error:
        raise refusal(services, provider, error) from None
    await _take(services, provider, news)
    services.metrics.callback_taken(provider.name)
    return web.Response(status=204)


def refusal(services: Services, provider: Channel, error: ReceiptRefusedError) -> Refused:
    """Count a request that was not believed, and give the answer to it."""
    reason = _REASONS.get(error.status, "unreadable")
    services.metrics.receipts_refused(provider.name, reason)
    _log.warning("callback_refused", extra={"provider": provider.name, "reason": reason})
    return Refused(error.status, error.sentence)


async def _believed(request: web.Request, services: Services, provider: Channel) -> Sequence[Incoming]:
    """Read a callback whole and let its provider's adapter check it; raises `ReceiptRefusedError`."""
    callback = await read_callback(request, services)
    try:
        news = provider.read_receipts(callback)
    except UnicodeError:  # bytes beyond ASCII stand in the headers as what cannot be compared with any signature
        raise ReceiptRefusedError(403, "The headers of the callback are not ASCII.") from None
    if not all(fits(each) for each in news if isinstance(each, Receipt)):
        raise ReceiptRefusedError(400, "An id in the callback is not one of a provider's.")
    return news


async def read_callback(request: web.Request, services: Services) -> CallbackRequest:
    """Read a request whole, as its provider signed it; raises `ReceiptRefusedError` where that is not possible."""
    target = request.raw_path if request.raw_path.startswith("/") else request.path_qs  # a proxy may name the host, too
    return CallbackRequest(
        url=f"{services.public_url}{target}",
        headers=request.headers,
        body=await _body(request),
    )


async def _body(request: web.Request) -> bytes:
    """Read a body of a bearable size to its end, in however many pieces it comes."""
    if (request.content_length or 0) > MOST_BYTES:
        raise ReceiptRefusedError(413, _TOO_LARGE)
    if request.content.is_eof():  # it came along with the headers, as nearly every one does
        return request.content.read_nowait()
    body = bytearray()
    try:
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > MOST_BYTES:
                raise ReceiptRefusedError(413, _TOO_LARGE)
    except (web.RequestPayloadError, BadHttpMessage, ConnectionResetError):
        raise ReceiptRefusedError(400, "The body could not be read to its end: send it again.") from None
    return bytes(body)


async def _take(services: Services, provider: Channel, news: Sequence[Incoming]) -> None:
    """Make news durable; what it was about is done soon after. Raises `Refused` (503) when it cannot be stored."""
    try:
        await services.receipts.keep([each for each in news if isinstance(each, Receipt)])
        if answers := [each for each in news if isinstance(each, Inbound)]:
            await services.text_answers.take(answers)
    except Refused:
        raise
    except Exception:  # noqa: BLE001  # whatever it is, the provider has the news still and repeats it
        _log.exception("callback_not_kept", extra={"provider": provider.name})
        detail = "The news could not be stored: send it again."
        raise Refused(503, detail, retry_after=_RETRY_SECONDS) from None
