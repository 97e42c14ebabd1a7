"""R46: the restrictions cannot be read. Ordinary messages wait; an alert goes out minus everyone the snapshot bars."""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, text, update

from gateway.access import Record, record_is_genuine, sign_record
from gateway.directory.model import Directory, Restriction
from gateway.dispatch.deny_snapshots import NoSnapshotError, may_bar
from gateway.rules.policy import Policy
from gateway.store.notifications import cancel
from gateway.store.people import RestrictionsUnreadableError
from gateway.store.tables import deny_snapshots
from tests.flow.families import DAD, DAD_NUMBER, MUM, parents
from tests.flow.installation import SECRET, Installation
from tests.unit.rules.households import deny, directory, email, mobile

NAN = {"id": "nan", "given_name": "Petronella", "family_name": "Ashdowne"}


def family(*barred: dict[str, Any]) -> Directory:
    """Let the grandmother read the father's mailbox and have a mobile of her own."""
    return directory(
        contacts=[MUM, DAD, NAN],
        relationships=parents("mum", "dad", "nan"),
        contact_points=[email("mum"), email("dad"), email("nan", "dad@example.org"), mobile("nan", DAD_NUMBER)],
        restrictions=list(barred),
    )


@dataclass(frozen=True)
class Damage:
    """A way in which restrictions become unreadable, and are read again."""

    _strike: str
    _repair: str

    async def strike(self, gateway: Installation) -> None:
        """Do the damage."""
        await self._run(gateway, self._strike)

    async def repair(self, gateway: Installation) -> None:
        """Put it right."""
        await self._run(gateway, self._repair)

    async def _run(self, gateway: Installation, statement: str) -> None:
        async with gateway.front.database.writing() as connection:
            await connection.execute(text(statement))


ROW = Damage(
    "UPDATE restrictions SET document = substr(document, 2) WHERE contact = 'dad'",
    "UPDATE restrictions SET document = '{' || document WHERE contact = 'dad'",
)
TABLE = Damage("ALTER TABLE restrictions RENAME TO lost", "ALTER TABLE lost RENAME TO restrictions")
DAMAGES = pytest.mark.parametrize("damage", [ROW, TABLE], ids=["row", "table"])


async def kinds(gateway: Installation) -> list[tuple[str, str]]:
    """List the kinds and owners of what people have to do, but for contacts out of reach."""
    return sorted((task.kind, task.owner) for task in await gateway.tasks() if task.contact is None)


async def asked_for_help(gateway: Installation) -> None:
    """Wait until somebody has been asked to help."""

    async def there() -> bool:
        return bool(await kinds(gateway))

    await gateway.until(there)


async def snapshot(gateway: Installation) -> Any:
    """Give the school's snapshot."""
    (row,) = await gateway.rows(deny_snapshots)
    return row


@DAMAGES
async def test_a_newsletter_waits_and_goes_by_itself(gateway: Installation, damage: Damage) -> None:
    """Nothing of it leaves and the safeguarding lead knows; once all can be read, the clock's next round plans it."""
    await gateway.put(family(deny("dad")))
    await gateway.front.clock.round()
    await damage.strike(gateway)
    notification = await gateway.post("newsletter")
    await asked_for_help(gateway)
    assert await gateway.status(notification) == "planning"
    assert await gateway.deliveries(notification) == []
    assert await kinds(gateway) == [("planning_failed", "safeguarding")]

    await damage.repair(gateway)
    await gateway.forward(minutes=1)
    assert gateway.outbox.mailed() == ["mum@example.org"]
    assert (await gateway.decided(notification))["kid", "dad"] == "exclude R01"
    assert await kinds(gateway) == []


@DAMAGES
@pytest.mark.parametrize("category", ["emergency", "child_safety"])
async def test_an_alert_goes_to_all_but_the_barred(gateway: Installation, damage: Damage, category: str) -> None:
    """The father barred from reports alone gets nothing, nor does his mailbox; the lead is told what it rests on."""
    await gateway.put(family(deny("dad", categories=["report"])))
    await gateway.front.clock.round()
    await damage.strike(gateway)
    notification = await gateway.post(category)
    await gateway.at_rest()
    await gateway.forward(minutes=10)  # a ladder's steps
    assert await gateway.decided(notification) == {
        ("kid", "dad"): "exclude R02",
        ("kid", "mum"): "send R07",
        ("kid", "nan"): "send R07",
    }
    assert await gateway.states(notification) == {"mum-e": "sent", "nan-m": "sent"}
    assert gateway.outbox.mailed() == ["mum@example.org"]
    assert [line["to"] for line in gateway.outbox.lines("sms")] == [DAD_NUMBER]
    assert ("sent_on_snapshot", "safeguarding") in await kinds(gateway)


async def grown_old(gateway: Installation) -> None:
    """Let 25 hours pass."""
    gateway.time.now += dt.timedelta(hours=25)


async def made_younger(gateway: Installation) -> None:
    """Let 25 hours pass and give the snapshot a new date."""
    await grown_old(gateway)
    await forged(gateway, made_at=gateway.time.now)


async def emptied(gateway: Installation) -> None:
    """Take the father out."""
    await forged(gateway, document="[]")


async def damaged(gateway: Installation) -> None:
    """Leave half of it."""
    await forged(gateway, document='[["kid"')


async def removed(gateway: Installation) -> None:
    """Leave nothing."""
    async with gateway.front.database.writing() as connection:
        await connection.execute(delete(deny_snapshots))


async def forged(gateway: Installation, **values: Any) -> None:
    """Write what the gateway has not signed."""
    async with gateway.front.database.writing() as connection:
        await connection.execute(update(deny_snapshots).values(values))


@pytest.mark.parametrize("befalls", [grown_old, made_younger, emptied, damaged, removed])
async def test_without_a_genuine_snapshot_nobody_is_told(
    idle: Installation, befalls: Callable[[Installation], Awaitable[None]]
) -> None:
    """Whoever is barred might be any of them, so the alert waits, and the lead is asked to telephone at once."""
    await idle.put(family(deny("dad")))
    await idle.front.clock.round()
    await ROW.strike(idle)
    await befalls(idle)
    notification = await idle.post("emergency")
    with pytest.raises(NoSnapshotError):
        await idle.back.planner.plan(notification)
    assert await idle.status(notification) == "planning"
    assert await idle.deliveries() == []
    (task,) = await idle.tasks()
    assert (task.kind, task.owner, task.due_at) == ("planning_failed", "safeguarding", idle.time())
    assert "no genuine snapshot" in task.detail

    await ROW.repair(idle)
    idle.time.now += dt.timedelta(minutes=1)
    await idle.back.planner.plan(notification)
    await idle.send_due()
    assert await idle.states(notification) == {"mum-e": "sent", "nan-m": "sent"}


async def test_a_snapshot_of_24_hours_still_counts(idle: Installation) -> None:
    """The last moment at which an alert goes out on it."""
    await idle.put(family(deny("dad")))
    await idle.front.clock.round()
    await ROW.strike(idle)
    idle.time.now += dt.timedelta(hours=24)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    assert set(await idle.states(notification)) == {"mum-e", "nan-m"}
    idle.time.now += dt.timedelta(microseconds=1)
    with pytest.raises(NoSnapshotError):
        await idle.back.planner.plan(await idle.post("emergency"))


async def test_what_came_on_record_since_the_snapshot_bars_too(idle: Installation) -> None:
    """One restriction is damaged; a newer one, in no snapshot yet, can be read and is heeded."""
    await idle.put(family(deny("dad")))
    await idle.front.clock.round()
    await idle.put(family(deny("dad"), deny("nan")))
    await ROW.strike(idle)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    assert set(await idle.states(notification)) == {"mum-e"}


@DAMAGES
async def test_what_cannot_be_checked_is_handed_back_and_sent_once(idle: Installation, damage: Damage) -> None:
    """The directory changed after planning: the sender asks again, cannot be answered, and tries again in a minute."""
    await idle.put(family(deny("dad")))
    notification = await idle.post("newsletter")
    await idle.back.planner.plan(notification)
    await idle.put(family(deny("dad"), deny("nan")))
    await damage.strike(idle)
    await idle.send_due()
    (waiting,) = await idle.deliveries(notification)
    assert (waiting.point, waiting.state, waiting.owner, waiting.attempts) == ("mum-e", "queued", None, 0)
    assert waiting.due_at == idle.time() + dt.timedelta(seconds=60)
    assert await idle.attempts(waiting.id) == []
    assert await kinds(idle) == [("sending_failed", "safeguarding")]
    assert idle.faults.seen == []

    await damage.repair(idle)
    idle.time.now += dt.timedelta(seconds=60)
    await idle.send_due()
    await idle.back.sender.send(waiting.batch)
    assert await idle.states(notification) == {"mum-e": "sent"}
    assert len(idle.faults.seen) == 1
    assert len(await idle.attempts(waiting.id)) == 1
    await idle.front.clock.round()
    assert await kinds(idle) == []


async def test_an_alert_on_its_way_is_checked_on_the_snapshot(idle: Installation) -> None:
    """Barred after the alert was planned and before it left: his part is withdrawn, hers goes."""
    await idle.put(family())
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    await idle.put(family(deny("dad")))
    await idle.front.clock.round()
    await ROW.strike(idle)
    await idle.send_due()
    assert await idle.states(notification) == {
        "dad-e": "suppressed",
        "mum-e": "sent",
        "nan-e": "suppressed",
        "nan-m": "sent",
    }
    assert idle.outbox.mailed() == ["mum@example.org"]
    assert await kinds(idle) == [("sent_on_snapshot", "safeguarding")]


@DAMAGES
async def test_the_lead_need_not_look_where_the_snapshot_was_right(idle: Installation, damage: Damage) -> None:
    """While the register cannot be read the task stays; it bars the same man, so nobody was missed and it goes."""
    await idle.put(family(deny("dad")))
    await idle.front.clock.round()
    await damage.strike(idle)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    await minutes_later(idle)
    assert await kinds(idle) == [("sent_on_snapshot", "safeguarding")]
    await damage.repair(idle)
    await minutes_later(idle)
    assert await kinds(idle) == []


async def test_the_lead_must_look_where_somebody_was_missed(idle: Installation) -> None:
    """He is barred from reports alone, so the alert was for him, too: the task stays for a person."""
    await idle.put(family(deny("dad", categories=["report"])))
    await idle.front.clock.round()
    await ROW.strike(idle)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    await ROW.repair(idle)
    await minutes_later(idle)
    assert await kinds(idle) == [("sent_on_snapshot", "safeguarding")]


async def test_a_cancelled_notification_asks_for_no_help(idle: Installation) -> None:
    """It was stuck in planning; nobody waits for it any more."""
    await idle.put(family(deny("dad")))
    await ROW.strike(idle)
    notification = await idle.post("newsletter")
    with pytest.raises(RestrictionsUnreadableError):
        await idle.back.planner.plan(notification)
    assert await kinds(idle) == [("planning_failed", "safeguarding")]
    async with idle.front.database.writing() as connection:
        await cancel(connection, notification, at=idle.time())
    await minutes_later(idle)
    assert await kinds(idle) == []


async def minutes_later(gateway: Installation) -> None:
    """Let the clock look again after a while."""
    gateway.time.now += dt.timedelta(minutes=2)
    await gateway.front.clock.round()


async def test_snapshots_are_fresh(idle: Installation) -> None:
    """A new one after each change and every 15 minutes; none while the restrictions cannot be read."""
    clock = idle.front.clock
    await idle.put(family(deny("dad")))
    await clock.round()
    first = await snapshot(idle)
    assert msgspec.json.decode(first.document) == [["kid", "dad"]]

    idle.time.now += dt.timedelta(minutes=14)
    await clock.round()
    assert await snapshot(idle) == first
    await idle.put(family(deny("dad"), deny("nan")))
    await clock.round()
    second = await snapshot(idle)
    assert msgspec.json.decode(second.document) == [["kid", "dad"], ["kid", "nan"]]

    await ROW.strike(idle)
    idle.time.now += dt.timedelta(minutes=15)
    await clock.round()
    assert await snapshot(idle) == second
    await ROW.repair(idle)
    idle.time.now += dt.timedelta(minutes=1)
    await clock.round()
    assert (await snapshot(idle)).made_at == idle.time()


@pytest.mark.parametrize(
    ("fields", "remembered"),
    [
        ({}, True),
        ({"status": "draft"}, True),
        ({"status": "superseded"}, False),
        ({"effect": "must_send"}, False),
        ({"categories": ["report"], "channels": ["sms"]}, True),
        ({"categories": []}, False),
        ({"from": "2026-06-16"}, True),
        ({"until": "2026-06-14"}, True),
        ({"until": "2026-06-14", "reviewed_on": "2026-06-10"}, False),
        ({"basis": "safeguarding", "from": "2025-06-01"}, True),
    ],
)
def test_whom_a_snapshot_remembers(fields: dict[str, Any], remembered: bool) -> None:  # noqa: FBT001  # a table's column
    """Whoever is barred from anything or may be tomorrow; not whom a restriction only keeps from visits (R04)."""
    restriction = msgspec.convert(deny("dad", **fields), Restriction)
    assert may_bar(restriction, dt.date(2026, 6, 15), Policy()) is remembered


def test_a_signature_holds_for_its_record_only() -> None:
    """Another content, another key, or a cut signature: nothing of it is believed."""
    signature = sign_record(SECRET, Record.DENY_SNAPSHOT, b"[]")
    assert record_is_genuine(SECRET, Record.DENY_SNAPSHOT, b"[]", signature)
    assert not record_is_genuine(SECRET, Record.DENY_SNAPSHOT, b"[1]", signature)
    assert not record_is_genuine(SECRET + "!", Record.DENY_SNAPSHOT, b"[]", signature)
    assert not record_is_genuine(SECRET, Record.DENY_SNAPSHOT, b"[]", signature[:32])
