"""Two providers on one channel: failover without loss or doubles, approval dates, budgets (Q09)."""

import datetime as dt
import email
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from channels.by_hand import OrByHand
from channels.outbox import OutboxTexts
from gateway.directory.model import ChannelName
from gateway.dispatch.providers import Provider
from gateway.settings import Share
from gateway.settings.email import EmailSettings, Relay, SmtpTls
from gateway.store.provider_use import units_used
from gateway.store.tables import deliveries, pages
from tests.channels.smtp_server import DROP, ScriptedServer, scripted_server
from tests.flow.families import MUM_NUMBER, parents
from tests.flow.installation import LATER, MONDAY, SILENCE, Installation, installed
from tests.flow.test_holds import LEAD, LEAD_NUMBER, all_settled, come_to, held_lockdown
from tests.unit.rules.households import directory, mobile, voice
from tests.unit.rules.households import email as mailbox

FAMILIES = [f"c{number:02}" for number in range(12)]


@dataclass
class Relays:
    """A gateway between two mail servers, the second of which stands by."""

    gateway: Installation
    first: ScriptedServer
    second: ScriptedServer

    async def enrol(self) -> None:
        """Give twelve parents a mailbox each."""
        points = [mailbox(contact) for contact in FAMILIES]
        await self.gateway.put(directory(relationships=parents(*FAMILIES), contact_points=points))

    def taken(self) -> dict[str, list[str]]:
        """Give the Message-IDs that each server has taken, in order."""
        servers = {"smtp": self.first, "smtp2": self.second}
        return {
            name: sorted(str(email.message_from_bytes(mail)["Message-ID"]) for mail in server.mails)
            for name, server in servers.items()
        }


@asynccontextmanager
async def between_relays(servers_urls: tuple[str, str | None], folder: Path, **more: Any) -> AsyncIterator[Relays]:
    """Set it up on real connections."""
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(scripted_server()) for _ in range(2)]
        relays = {
            name: Relay(host="127.0.0.1", port=server.port, tls=SmtpTls.NONE, **more)
            for name, server in (("smtp", first), ("smtp2", second))
        }
        shares = (Share("smtp", 1), Share("smtp2", 0))
        changes = {"email": EmailSettings(email_provider=shares, relays=relays)}
        gateway = await stack.enter_async_context(installed(*servers_urls, folder, changes=changes))
        yield Relays(gateway, first, second)


async def test_the_one_that_stands_by_gets_nothing_in_good_times(
    servers_urls: tuple[str, str | None], tmp_path: Path
) -> None:
    """All mails leave by the first, each once; the record says by whom."""
    async with between_relays(servers_urls, tmp_path) as relays:
        await relays.enrol()
        await relays.gateway.post("report")
        await relays.gateway.at_rest()
        assert {name: len(taken) for name, taken in relays.taken().items()} == {"smtp": 12, "smtp2": 0}
        assert {row.provider for row in await relays.gateway.deliveries()} == {"smtp"}


@pytest.mark.parametrize("category", ["report", "emergency"])
async def test_the_second_takes_over_when_the_first_fails(
    servers_urls: tuple[str, str | None], tmp_path: Path, category: str
) -> None:
    """What the first refuses for now leaves by the second at its next attempt, every mail once."""
    async with between_relays(servers_urls, tmp_path) as relays:
        await relays.enrol()
        relays.first.on("MAIL", *["451 4.3.0 out of order"] * 200)
        await relays.gateway.post(category)
        await relays.gateway.at_rest()
        for _ in range(4):
            await relays.gateway.forward(seconds=20)
        taken = relays.taken()
        assert len(taken["smtp2"]) == len(set(taken["smtp2"])) == 12
        assert taken["smtp"] == []
        rows = await relays.gateway.deliveries()
        assert {(row.state, row.provider) for row in rows} == {("sent", "smtp2")}
        attempts = await relays.gateway.attempts(rows[0].id)
        assert [attempt.provider for attempt in attempts] == ["smtp", "smtp2"]


async def test_a_lost_answer_is_repeated_with_the_same_id(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """The first may have taken a mail and does not say so: whoever repeats it uses the same Message-ID."""
    async with between_relays(servers_urls, tmp_path) as relays:
        await relays.enrol()
        relays.first.on("dot", DROP)
        await relays.gateway.post("report")
        await relays.gateway.at_rest()
        await relays.gateway.forward(seconds=30)
        await relays.gateway.forward(seconds=30)
        taken = relays.taken()
        ids = [*taken["smtp"], *taken["smtp2"]]
        assert len(set(ids)) == 12
        assert len(ids) <= 13
        assert {row.state for row in await relays.gateway.deliveries()} == {"sent"}


async def test_whose_provider_is_gone_is_a_persons_question(
    servers_urls: tuple[str, str | None], tmp_path: Path
) -> None:
    """Nobody can ask a provider that is in use no more what became of an unanswered mail."""
    async with between_relays(servers_urls, tmp_path) as relays:
        await relays.enrol()
        relays.first.on("dot", DROP)
        await relays.gateway.post("report")
        await relays.gateway.at_rest()
        async with relays.gateway.front.database.writing() as connection:
            lost = deliveries.update().where(deliveries.c.state == "unknown").values(provider="forgotten")
            await connection.execute(lost)
        await relays.gateway.forward(seconds=30)
        assert [task.kind for task in await relays.gateway.tasks()] == ["settle_unknown"]
        assert len({row.state for row in await relays.gateway.deliveries()}) == 2


@asynccontextmanager
async def bound(servers_urls: tuple[str, str | None], folder: Path, **changes: Any) -> AsyncIterator[Installation]:
    """Set a gateway up whose text provider is bound by terms, with one parent who has a mobile only."""
    async with installed(*servers_urls, folder, changes=changes) as gateway:
        await gateway.put(directory(relationships=parents("mum"), contact_points=[mobile("mum", MUM_NUMBER)]))
        yield gateway


async def test_whose_approval_is_over_gets_nothing_not_even_an_alert(
    servers_urls: tuple[str, str | None], tmp_path: Path
) -> None:
    """It waits, nothing leaves, and the office knows at once."""
    approval = {"sms/outbox": MONDAY.date() - dt.timedelta(days=1)}
    async with bound(servers_urls, tmp_path, approved_until=approval) as gateway:
        await gateway.post("emergency")
        await gateway.at_rest()
        assert gateway.outbox.lines("sms") == []
        assert await gateway.states() == {"mum-m": "queued"}
        (task,) = await gateway.tasks()
        assert task.kind == "sending_failed"
        assert "sms/outbox (unapproved)" in task.detail
        assert (await gateway.front.services.readiness.providers())["sms/outbox"] == "unapproved"


async def test_on_the_last_day_it_is_used(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """The day that the approval names still counts."""
    async with bound(servers_urls, tmp_path, approved_until={"sms/outbox": MONDAY.date()}) as gateway:
        await gateway.post("emergency")
        await gateway.at_rest()
        assert await gateway.states() == {"mum-m": "sent"}


async def test_a_used_up_budget_is_for_alerts_only(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """The next report waits and somebody knows; an alert goes; next month the report goes, too."""
    async with bound(servers_urls, tmp_path, budgets={"sms/outbox": 1}) as gateway:
        first = await gateway.post("report")
        await gateway.at_rest()
        second = await gateway.post("report")
        await gateway.at_rest()
        alert = await gateway.post("emergency")
        await gateway.at_rest()
        assert await gateway.states(first) == {"mum-m": "sent"}
        assert await gateway.states(second) == {"mum-m": "queued"}
        assert await gateway.states(alert) == {"mum-m": "sent"}
        assert ["over_budget" in task.detail for task in await gateway.tasks()] == [True]
        async with gateway.front.database.reading() as connection:
            assert await units_used(connection, "sms/outbox", "2026-06") >= 2
        assert (await gateway.front.services.readiness.providers())["sms/outbox"] == "over_budget"


def with_a_second_for_texts(gateway: Installation, **terms: Any) -> None:
    """Let another provider of texts stand by."""
    texts = gateway.back.providers[ChannelName.SMS]
    assert isinstance(texts, list)
    second = OutboxTexts(gateway.outbox.folder, now=gateway.time, failures=gateway.faults)
    second.name = "second"
    texts.append(Provider(key="sms/second", channel=second, weight=0, **terms))


@pytest.mark.parametrize(
    ("fault", "provider", "state"),
    [(LATER, "second", "sent"), (SILENCE, "outbox", "unknown")],
    ids=["refused", "silent"],
)
async def test_a_page_goes_elsewhere_at_once(gateway: Installation, fault: Any, provider: str, state: str) -> None:
    """What the first provider certainly has not taken, the second gets in the same breath; never what it may have."""
    with_a_second_for_texts(gateway)
    gateway.faults.once(LEAD_NUMBER, fault)
    await held_lockdown(gateway, {**LEAD, "points": LEAD["points"][:1]})
    await gateway.forward(minutes=2)

    async def tried() -> bool:
        return any(row.provider for row in await gateway.rows(pages))

    await gateway.until(tried)
    assert [(row.provider, row.state) for row in await gateway.rows(pages)] == [(provider, state)]


async def test_a_page_does_not_go_by_whom_nobody_approves(gateway: Installation) -> None:
    """It goes by the other."""
    with_a_second_for_texts(gateway, approved_until=MONDAY.date() - dt.timedelta(days=1))
    gateway.faults.once(LEAD_NUMBER, LATER)
    await held_lockdown(gateway, {**LEAD, "points": LEAD["points"][:1]})
    await gateway.forward(minutes=2)
    await all_settled(gateway, retrying=1)
    await gateway.forward(seconds=20)
    await come_to(gateway, "1 lead sms")
    assert [(row.provider, row.state) for row in await gateway.rows(pages)] == [("outbox", "sent")]


async def test_a_budget_is_not_run_over_by_a_batch(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """Of twelve texts in one batch five leave by whom the budget lets take five, the rest waits, and somebody knows."""
    changes = {"budgets": {"sms/outbox": 5}}
    async with installed(*servers_urls, tmp_path, changes=changes) as gateway:
        points = [mobile(contact, f"07700 9001{number:02}") for number, contact in enumerate(FAMILIES)]
        await gateway.put(directory(relationships=parents(*FAMILIES), contact_points=points))
        await gateway.post("report")
        await gateway.at_rest()
        assert Counter((await gateway.states()).values()) == {"sent": 5, "queued": 7}
        assert ["over_budget" in task.detail for task in await gateway.tasks()] == [True]


async def test_calls_that_staff_make_use_up_no_budget(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """The provider speaks none of it, so it is paid for nothing."""
    async with installed(*servers_urls, tmp_path, changes={"budgets": {"voice/outbox": 5}}) as gateway:
        callers = gateway.back.providers[ChannelName.VOICE]
        assert isinstance(callers, list)
        callers[0] = replace(callers[0], channel=OrByHand(callers[0].channel, lambda _language: False))
        await gateway.put(directory(relationships=parents("mum"), contact_points=[voice("mum", "020 7946 0123")]))
        await gateway.post("emergency")
        await gateway.at_rest()
        assert {row.provider for row in await gateway.deliveries()} == {"staff"}
        async with gateway.front.database.reading() as connection:
            assert await units_used(connection, "voice/outbox", "2026-06") == 0


async def test_who_fails_gets_no_more_of_a_batch(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """Once enough has failed the rest of the batch goes to the other at once, without an attempt used up."""
    async with between_relays(servers_urls, tmp_path, connections=2) as relays:
        await relays.enrol()
        relays.first.on("MAIL", *["451 4.3.0 out of order"] * 200)
        await relays.gateway.post("report")
        await relays.gateway.at_rest()
        rows = await relays.gateway.deliveries()
        assert Counter((row.state, row.provider, row.attempts) for row in rows) == {
            ("retrying", "smtp", 1): 8,
            ("sent", "smtp2", 1): 4,
        }
