"""The long-running processes, and the small commands around them."""

import contextlib
import gc
import logging
import os
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager

from gateway.assembly import Gateway, assembled, running_clock
from gateway.dispatch.owners import reclaim_from_the_dead
from gateway.dispatch.requests import Lane
from gateway.mail_server.listening import receiving
from gateway.settings import Settings, SettingsError
from gateway.store.database import Database
from gateway.store.migrate import migrate
from gateway.web import exposing_metrics, make_application, make_health_application, serving, until_told_to_stop

_log = logging.getLogger(__name__)

_MAY_WAIT = frozenset({Lane.BULK, Lane.LETTERS, Lane.WEBHOOKS})
_NICENESS = 10


def collect_less_often() -> None:
    """Look for reference cycles less often, and never among what is loaded by now.

    Planning and receipts make millions of short-lived objects and hardly any cycle: worth 15 % of the rules' decisions
    a second and a fifth of the receipts applied (measured with `python -m tests.bench.rules` and `receipts`).
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def run_server(settings: Settings, *, host: str, port: int) -> int:
    """Serve until told to stop; embedded, plan and send in the same process."""
    async with assembled(settings) as gateway, contextlib.AsyncExitStack() as stack:
        collect_less_often()
        await _warn_of_queue(gateway)
        if settings.embedded:
            await reclaim_from_the_dead(gateway.database)
            await gateway.work(list(Lane))
            await stack.enter_async_context(running_clock(gateway))
        await stack.enter_async_context(_metrics(gateway, backlog=True))
        application = make_application(gateway.services, metrics=settings.metrics_port is None)
        if settings.inbound.inbound_smtp_port is not None:
            await stack.enter_async_context(receiving(gateway.services, settings))
        chosen = await stack.enter_async_context(serving(application, host=host, port=port))
        _log.info("serving", extra={"host": host, "port": chosen, "embedded": settings.embedded})
        await until_told_to_stop()
        _log.info("stopping")
    return 0


def make_way(lanes: Collection[Lane]) -> None:
    """Let a process whose work may all wait have the processor only when nobody else wants it.

    On a machine that is busy with a newsletter an alert then goes first (`make bench ARGS=emergency`).
    """
    if _MAY_WAIT.issuperset(lanes):
        os.nice(_NICENESS)


async def run_worker(settings: Settings, lanes: Sequence[Lane], *, health_port: int | None) -> int:
    """Plan and send for these lanes until told to stop."""
    if settings.embedded:
        raise SettingsError("GATEWAY_REDIS_URL is missing: without it gateway serve does the work itself.")
    make_way(lanes)
    async with assembled(settings) as gateway, _health(gateway, health_port), _metrics(gateway):
        collect_less_often()
        await _warn_of_queue(gateway)
        await gateway.work(lanes)
        _log.info("working", extra={"lanes": [lane.value for lane in lanes]})
        await until_told_to_stop()
        _log.info("stopping")
    return 0


async def run_clock(settings: Settings, *, health_port: int | None) -> int:
    """Make the clock's rounds until told to stop."""
    async with (
        assembled(settings) as gateway,
        _health(gateway, health_port),
        _metrics(gateway, backlog=True),
        running_clock(gateway),
    ):
        collect_less_often()
        _log.info("ticking")
        await until_told_to_stop()
        _log.info("stopping")
    return 0


async def run_receiver(settings: Settings, *, host: str | None, port: int | None, health_port: int | None) -> int:
    """Take the mail that comes back until told to stop."""
    if port is None and settings.inbound.inbound_smtp_port is None:
        raise SettingsError("GATEWAY_INBOUND_SMTP_PORT is missing: set it, or name the port with --port.")
    async with (
        assembled(settings) as gateway,
        _health(gateway, health_port),
        _metrics(gateway),
        receiving(gateway.services, settings, host=host, port=port),
    ):
        await _warn_of_queue(gateway)
        await until_told_to_stop()
        _log.info("stopping")
    return 0


async def _warn_of_queue(gateway: Gateway) -> None:
    """Say at once that the queue is away, by the setting's name; the process goes on and finds it when it comes."""
    fault = await gateway.wakeups.check()
    if fault is not None:
        _log.error("queue_unavailable", extra={"fault": fault})


@contextlib.asynccontextmanager
async def _health(gateway: Gateway, port: int | None) -> AsyncIterator[None]:
    """Answer probes of a process that has no API."""
    if port is None:
        yield
        return
    application = make_health_application(gateway.services)
    async with serving(application, host="0.0.0.0", port=port):  # noqa: S104  # probes come from outside the pod
        yield


def _metrics(gateway: Gateway, *, backlog: bool = False) -> AbstractAsyncContextManager[None]:
    """Give figures at `GATEWAY_METRICS_PORT`; workers leave what waits to the API and the clock."""
    settings = gateway.settings
    return exposing_metrics(gateway.services, host=settings.metrics_host, port=settings.metrics_port, backlog=backlog)


async def run_migrations(settings: Settings) -> int:
    """Bring the database to the schema of this release."""
    database = Database(settings.database_url)
    try:
        await migrate(database)
    finally:
        await database.close()
    return 0
