"""Calls in progress: a telephone provider asks what to say, and is always told something that can be said.

Whatever goes wrong here would be read out to a parent as an error message, so nothing does: the line is held until the
gateway can answer.
"""

import asyncio
import logging

from aiohttp import web

from channels.base import Conversing, Receipt
from channels.errors import ReceiptRefusedError
from gateway.api.callbacks import NOBODY, read_callback, refusal
from gateway.dispatch.refusals import Refused
from gateway.services import SERVICES

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0
"""Silence after which people hang up; Twilio itself waits for 15 s."""


async def post_call(request: web.Request) -> web.Response:
    """Say what comes next in a call, once what the question tells is durable: who took it, which key was pressed."""
    services, name = request.app[SERVICES], request.match_info["provider"]
    provider = services.providers.get(name)
    if provider is None or not isinstance(provider, Conversing):
        services.metrics.receipts_refused(NOBODY, "not_taken")
        raise Refused(404, "No provider of this name asks about calls.")
    try:
        question = await read_callback(request, services)
        delivery = provider.asked_about(question)
        news = [each for each in provider.read_receipts(question) if isinstance(each, Receipt)]
    except ReceiptRefusedError as error:
        raise refusal(services, provider, error) from None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            if news:
                await services.receipts.keep(news)
            answer = provider.instruct(question, await services.calls.words(delivery))
    except Exception:  # noqa: BLE001  # whatever it is, a person is on the line
        _log.exception("call_waits", extra={"delivery": delivery, "provider": name})
        answer = provider.wait(question)
    return web.Response(body=answer.body, content_type=answer.content_type, charset="utf-8")
