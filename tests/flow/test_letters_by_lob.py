"""Letters through Lob's stand-in: handed over, told of by signed webhooks, taken back when a rule says so."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio

from channels.base import CallbackRequest
from channels.letter_lob import RECALL_WINDOW
from gateway.settings import Share
from gateway.settings.letters import LetterSettings
from gateway.store.notifications import cancel
from gateway.store.tables import delivery_events, point_marks
from tests.channels.lob_server import API_KEY, WEBHOOK_SECRET, LobServer, running_lob
from tests.channels.web_stand_in import cuts
from tests.flow.families import DAD, MUM, parents
from tests.flow.installation import Installation, installed
from tests.flow.test_print_runs import until_states
from tests.unit.rules.households import Row, deny, directory, letter

NOON = dt.datetime(2026, 6, 15, 11, tzinfo=dt.UTC)


@dataclass
class Clock:
    """The time at Lob."""

    now: dt.datetime = NOON

    def __call__(self) -> dt.datetime:
        """Tell the time."""
        return self.now


@dataclass(frozen=True)
class Office:
    """A gateway and the print house it works with."""

    gateway: Installation
    lob: LobServer
    clock: Clock

    async def forward(self, **span: float) -> None:
        """Let time pass in both places."""
        self.clock.now += dt.timedelta(**span)
        await self.gateway.forward(**span)

    async def hear(self, callback: CallbackRequest) -> None:
        """Take a webhook in as the API does."""
        services = self.gateway.front.services
        await services.receipts.take(services.providers["lob"].read_receipts(callback))


@pytest_asyncio.fixture
async def office(servers_urls: tuple[str, str | None], tmp_path: Path) -> AsyncIterator[Office]:
    """Give a gateway at work whose letters go to Lob's stand-in."""
    clock = Clock()
    async with running_lob(clock) as server:
        letters = LetterSettings(
            letter_provider=(Share("lob", 1),),
            letter_return_address=("1 School Lane", "Springfield, IL", "62701"),
            letter_spool_dir=tmp_path / "spool",
            lob_api_key=API_KEY,
            lob_webhook_secret=WEBHOOK_SECRET,
            lob_api_base_url=server.base_url,
        )
        async with installed(*servers_urls, tmp_path, changes={"letters": letters}) as gateway:
            gateway.time.now = NOON
            yield Office(gateway, server, clock)


def people(**more: list[Row]) -> Any:
    """Make two parents who live apart."""
    points = [letter("mum", "1 Weir Street"), letter("dad", "2 Weir Street")]
    return directory(relationships=parents("mum", "dad"), contacts=[MUM, DAD], contact_points=points, **more)


async def posted(office: Office) -> str:
    """Send a report to both; gives the notification."""
    await office.gateway.put(people())
    notification = await office.gateway.post("report")
    await office.gateway.at_rest()
    return notification


async def test_a_letter_and_what_comes_back_of_it(office: Office) -> None:
    """Mailed, then returned: the address is dead, and the contact becomes a task."""
    await posted(office)
    row = next(row for row in await office.gateway.deliveries() if row.point == "mum-l")
    assert row.provider_id in office.lob.letters
    await office.hear(office.lob.webhook("letter.mailed", row.provider_id, event="evt_1"))
    await office.hear(office.lob.webhook("letter.returned_to_sender", row.provider_id, event="evt_2"))
    await office.hear(office.lob.webhook("letter.mailed", row.provider_id, event="evt_1"))
    assert await office.gateway.states() == {"mum-l": "failed", "dad-l": "sent"}
    assert [mark.state for mark in await office.gateway.rows(point_marks)] == ["dead"]
    assert [event.news for event in await office.gateway.rows(delivery_events)] == ["in_transit", "returned"]


async def test_a_lost_answer_costs_and_doubles_nothing(office: Office) -> None:
    """Lob took the letter and its answer was lost: it is found by its metadata, and is there once."""
    office.lob.next_requests(cuts(office.lob, stored=True), cuts(office.lob, stored=False))
    await posted(office)
    await office.forward(minutes=20)
    await office.forward(minutes=20)
    assert set((await office.gateway.states()).values()) == {"sent"}
    assert sorted(one["metadata"]["delivery"] for one in office.lob.living()) == sorted(
        row.id for row in await office.gateway.deliveries()
    )


async def test_a_barred_parents_letter_is_taken_back(office: Office) -> None:
    """An order comes within the day: Lob is told to forget that letter, and no other."""
    await posted(office)
    rows = {row.point: row for row in await office.gateway.deliveries()}
    await office.gateway.put(people(restrictions=[deny("dad")]))
    await office.forward(seconds=10)
    await until_states(office.gateway, mum="sent", dad="suppressed")
    assert [one["id"] for one in office.lob.living()] == [rows["mum-l"].provider_id]


async def test_what_is_printed_is_said_to_be_beyond_recall(office: Office) -> None:
    """Lob has printed it already: the delivery stays what it is, and its timeline tells that it was too late."""
    await posted(office)
    office.lob.printed.update(office.lob.letters)
    await office.gateway.put(people(restrictions=[deny("dad")]))
    await office.forward(seconds=10)
    await office.forward(seconds=10)

    async def said() -> bool:
        return [event.news for event in await office.gateway.rows(delivery_events)] == ["beyond_recall"]

    await office.gateway.until(said)
    assert await office.gateway.states() == {"mum-l": "sent", "dad-l": "sent"}
    assert len(office.lob.living()) == 2


async def test_a_cancelled_notification_is_taken_back_too(office: Office) -> None:
    """Its letters are deleted while Lob lets them be."""
    notification = await posted(office)
    gateway = office.gateway
    async with gateway.front.database.writing() as connection:
        await cancel(connection, notification, at=gateway.time())
        await gateway.front.services.printing.call_off(connection, notification)
    await office.forward(seconds=10)
    await until_states(gateway, mum="cancelled", dad="cancelled")
    assert office.lob.living() == []


async def test_after_a_day_nobody_asks_any_more(office: Office) -> None:
    """Lob has posted it long ago: a change of the directory sends no request."""
    await posted(office)
    await office.forward(seconds=RECALL_WINDOW.total_seconds() + 60)
    await office.forward(seconds=10)
    await office.gateway.put(people(restrictions=[deny("dad")]))
    await office.forward(seconds=10)
    assert len(office.lob.living()) == 2
    assert {row.code for row in await office.gateway.deliveries()} == {"with_print_house"}
