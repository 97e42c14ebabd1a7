"""The HTTP application: the API, the pages parents meet, and health."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

from aiohttp import web

from gateway.api.problems import problems
from gateway.api.routes import ROUTES
from gateway.console.routes import ROUTES as PAGES
from gateway.services import SERVICES, Services
from gateway.settings import SettingsError


def make_application(services: Services) -> web.Application:
    """Mount every route."""
    application = web.Application(middlewares=[problems], client_max_size=services.max_body_bytes)
    application[SERVICES] = services
    for route in ROUTES:
        application.router.add_route(route.method, route.path, route.handler)
    for method, path, handler in PAGES:
        application.router.add_route(method, path, handler)
    return application


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
