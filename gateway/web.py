"""The HTTP application: the API, the pages parents meet, health, and figures for Prometheus."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.api.health import get_live, get_metrics, get_own_metrics, get_ready
from gateway.api.problems import problems
from gateway.api.routes import ROUTES
from gateway.console.routes import ROUTES as PAGES
from gateway.services import SERVICES, Services
from gateway.settings import SettingsError

METRICS = "/metrics"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are one: whoever calls may make words up, and each would become a figure of its own."""
_GONE = 499
"""For requests that nobody waited for to the end."""


def make_application(services: Services, *, metrics: bool = True) -> web.Application:
    """Mount every route; without `metrics` all but that of the figures, which then have a port of their own."""
    application = web.Application(middlewares=[observed, problems], client_max_size=services.max_body_bytes)
    application[SERVICES] = services
    for route in ROUTES:
        if metrics or route.path != METRICS:
            application.router.add_route(route.method, route.path, route.handler)
    for method, path, handler in PAGES:
        application.router.add_route(method, path, handler)
    return application


def make_health_application(services: Services) -> web.Application:
    """Answer the probes of a process that has no API."""
    application = web.Application()
    application[SERVICES] = services
    application.router.add_get("/health/live", get_live)
    application.router.add_get("/health/ready", get_ready)
    return application


@contextlib.asynccontextmanager
async def exposing_metrics(services: Services, *, host: str, port: int | None, backlog: bool) -> AsyncIterator[None]:
    """Give figures on a port of their own, when there is one.

    With `backlog`, what waits in the database is among them: one process that tells it is enough.
    """
    if port is None:
        yield
        return
    application = web.Application()
    application[SERVICES] = services
    application.router.add_get(METRICS, get_metrics if backlog else get_own_metrics)
    async with serving(application, host=host, port=port):
        yield


@web.middleware
async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count, time and trace a request by its route's template: its path holds ids."""
    services, began = request.app[SERVICES], time.perf_counter()
    method = request.method if request.method in _METHODS else "OTHER"
    resource = request.match_info.route.resource
    route = "none" if resource is None else resource.canonical
    status = _GONE
    try:
        response = await (_traced(request, handler, method, route) if services.tracer.wanted else handler(request))
        status = response.status
        return response
    finally:
        services.metrics.request(method, route, status, time.perf_counter() - began)


async def _traced(request: web.Request, handler: Handler, method: str, route: str) -> web.StreamResponse:
    """Answer within a span, which continues the caller's trace."""
    facts, parent = {"http.request.method": method, "http.route": route}, request.headers.get("traceparent")
    tracer = request.app[SERVICES].tracer
    with tracer.span(f"{method} {route}", kind="server", facts=facts, parent=parent) as note:
        response = await handler(request)
        note({"http.response.status_code": response.status})
        if response.status >= 500:
            note({"error.type": str(response.status)})
        return response


@contextlib.asynccontextmanager
async def serving(application: web.Application, *, host: str, port: int) -> AsyncIterator[int]:
    """Listen as long as the context lasts; gives the port, which the system chooses when asked for 0."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=10)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(f"{host}:{port} cannot be listened on: {error.strerror or 'choose another'}.") from None
        addresses = runner.addresses
        yield int(addresses[0][1])
    finally:
        await runner.cleanup()


async def until_told_to_stop() -> None:
    """Wait for SIGTERM or SIGINT."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()
