"""A review's finding: work that waits for its provider is woken when the provider said, not 20 seconds later."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.dispatch.clock import Clock
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.tracing import Tracer
from gateway.store.claims import put_off
from gateway.store.tables import notifications
from tests.flow.families import DAD, KID, MUM, parents
from tests.flow.installation import Installation
from tests.unit.rules.households import directory

FAMILY: dict[str, Any] = {"students": [KID], "contacts": [MUM, DAD], "relationships": parents("mum", "dad")}
NONE: Mapping[str, str] = {}


class Bell:
    """Notes what is woken."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    async def wake(self, kind: str, lane: str, subjects: Sequence[str], *, traces: Mapping[str, str] = NONE) -> None:
        """Note it."""
        del lane, traces
        self.rung += [subject for subject in subjects if kind == "send"]


class NoReceipts:
    """Has no receipts."""

    async def take_parked(self) -> None:
        """Do nothing."""


async def test_what_waits_for_its_provider_is_woken_when_it_said(idle: Installation) -> None:
    """A limited provider asks an alert to come back in two seconds, three times in a row."""
    await idle.put(directory(**FAMILY))
    await idle.post("emergency")
    (notification,) = await idle.rows(notifications)
    await idle.back.planner.plan(notification.id)
    batch = (await idle.deliveries())[0].batch
    bell: Any = Bell()
    receipts: Any = NoReceipts()
    clock = Clock(idle.front.database, bell, receipts, now=idle.time, metrics=Metrics(), tracer=Tracer())
    for times in (1, 2, 3):
        async with idle.back.database.writing() as connection:
            await put_off(connection, batch, now=idle.time(), until=idle.time() + dt.timedelta(seconds=2))
        idle.time.now += dt.timedelta(seconds=2)
        await clock.round()
        assert bell.rung.count(batch) == times
