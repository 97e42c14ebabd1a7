"""Providers' callbacks: believed only after their signature has been checked."""

from aiohttp import web

from channels.base import CallbackRequest
from channels.errors import ReceiptRefusedError
from gateway.dispatch.refusals import Refused
from gateway.services import SERVICES

_MOST_BYTES = 1_000_000


async def post_receipt(request: web.Request) -> web.Response:
    """Take a provider's news; 204 when it is durable, so that the provider repeats it otherwise."""
    services = request.app[SERVICES]
    provider = services.providers.get(request.match_info["provider"])
    if provider is None:
        raise Refused(404, "No provider of this name is in use.")
    if request.content_length is not None and request.content_length > _MOST_BYTES:
        raise Refused(413, "A callback of this size is not one of a provider's.")
    body = await request.content.read(_MOST_BYTES + 1)
    if len(body) > _MOST_BYTES:
        raise Refused(413, "A callback of this size is not one of a provider's.")
    callback = CallbackRequest(
        url=f"{services.public_url}{request.path_qs}",
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )
    try:
        news = provider.read_receipts(callback)
    except ReceiptRefusedError as error:
        raise Refused(error.status, error.sentence) from None
    await services.receipts.take(news)
    return web.Response(status=204)
