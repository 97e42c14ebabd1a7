"""Whether the process lives, whether it can do its work, and its figures for Prometheus.

None of it asks for a key, and none of it holds personal data: figures are counts by lane, channel, provider, state
and route template. They do tell how busy a school is, so an installation whose API is open to the world sets
`GATEWAY_METRICS_PORT`: then they are on that port alone, which only the operator's network reaches.
"""

import asyncio
import logging
from typing import Literal

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from gateway.api.answers import Body, Status
from gateway.api.requests import answer
from gateway.dispatch.metrics import CONTENT_TYPE
from gateway.services import SERVICES, Services

_log = logging.getLogger(__name__)


class Ready(Body, frozen=True):
    """The process can do its work; a provider whose breaker is open is waited for and makes nothing unready."""

    status: Literal["ready"]
    checks: dict[str, bool]
    providers: dict[str, str]


class NotReady(Body, frozen=True):
    """What keeps the process from working, in sentences."""

    status: Literal["not ready"]
    lacking: tuple[str, ...]
    checks: dict[str, bool]
    providers: dict[str, str]


async def get_live(_request: web.Request) -> web.Response:
    """Say that the process answers."""
    return answer(Status(status="live"))


async def get_ready(request: web.Request) -> web.Response:
    """Say whether database and queue answer; a slow one counts as away, so that this never hangs."""
    services = request.app[SERVICES]
    faults, providers = await asyncio.gather(services.readiness.faults(), services.readiness.providers())
    checks = {name: fault is None for name, fault in faults.items()}
    lacking = tuple(fault for fault in faults.values() if fault is not None)
    if lacking:
        return answer(NotReady(status="not ready", lacking=lacking, checks=checks, providers=providers), status=503)
    return answer(Ready(status="ready", checks=checks, providers=providers))


async def get_metrics(request: web.Request) -> web.Response:
    """Give this process' figures and what waits in the database, which is the same whichever process tells it."""
    services = request.app[SERVICES]
    try:
        services.metrics.backlog(await services.backlog.waiting())
    except (OSError, SQLAlchemyError):  # TimeoutError is an OSError
        _log.warning("backlog_unknown", exc_info=True)
        services.metrics.backlog(None)
    return await _exposition(services)


async def get_own_metrics(request: web.Request) -> web.Response:
    """Give the figures of this process alone, without asking the database."""
    return await _exposition(request.app[SERVICES])


async def _exposition(services: Services) -> web.Response:
    providers, terms = await asyncio.gather(services.readiness.providers(), services.readiness.terms())
    services.metrics.providers(providers)
    services.metrics.terms(terms)
    return web.Response(body=services.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})
