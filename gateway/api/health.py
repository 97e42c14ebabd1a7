"""Whether the process lives, whether it can do its work, and its figures for Prometheus."""

import asyncio

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from gateway.api.answers import NotReady, Status
from gateway.api.requests import answer
from gateway.services import SERVICES
from gateway.store.figures import load_figures

_PATIENCE_SECONDS = 2.0


async def get_live(_request: web.Request) -> web.Response:
    """Say that the process answers."""
    return answer(Status(status="live"))


async def get_ready(request: web.Request) -> web.Response:
    """Say whether database and queue answer; a slow one counts as away, so that this never hangs."""
    try:
        lacking = await asyncio.wait_for(request.app[SERVICES].ready(), _PATIENCE_SECONDS)
    except TimeoutError:
        lacking = ["The database or the queue takes too long to answer."]
    if lacking:
        return answer(NotReady(status="not ready", lacking=tuple(lacking)), status=503)
    return answer(Status(status="ready"))


async def get_metrics(request: web.Request) -> web.Response:
    """Give the figures that the database knows, so that every process gives the same."""
    async with request.app[SERVICES].database.reading() as connection:
        figures = await load_figures(connection, now=request.app[SERVICES].now())
    registry = CollectorRegistry()
    notifications = Gauge("gateway_notifications", "Notifications by status.", ["status"], registry=registry)
    deliveries = Gauge(
        "gateway_deliveries", "Deliveries by state and channel.", ["state", "channel"], registry=registry
    )
    oldest = Gauge("gateway_queue_age_seconds", "Age of the oldest due delivery.", ["lane"], registry=registry)
    for status, number in figures.notifications.items():
        notifications.labels(status).set(number)
    for (state, channel), number in figures.deliveries.items():
        deliveries.labels(state, channel).set(number)
    for lane, seconds in figures.oldest_due.items():
        oldest.labels(lane).set(seconds)
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
