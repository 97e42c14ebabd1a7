"""Events for webhooks: written with what they tell, once, and only where somebody wants to hear of it."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, insert, select, update

from gateway.store.announcing import announce_cancelled, announce_deliveries, announce_notification
from gateway.store.database import Database
from gateway.store.listeners import TRUSTED_SECONDS, Listeners
from gateway.store.tables import deliveries, notifications, webhook_events, webhook_posts
from gateway.store.webhooks import add_endpoint, remove_endpoint
from gateway.tracking.announcements import TOLD, EventType
from gateway.tracking.states import State
from tests.store.rows import NOON, delivery, notification

LATER = NOON + dt.timedelta(minutes=1)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """List the statements that the database is sent."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def listen(database: Database, name: str, *types: EventType, school: str = "school") -> None:
    """Register an endpoint, of all events or of some."""
    async with database.writing() as connection:
        await add_endpoint(
            connection,
            endpoint=name,
            school=school,
            url="https://mis.example.org",
            events=msgspec.json.encode(types or None).decode(),
            by="key",
            at=NOON,
        )
    database.listeners.forget()


async def put(database: Database, *rows: dict[str, Any], **columns: Any) -> Sequence[Any]:
    """Store a notification with these deliveries; gives them as the sender has them."""
    async with database.writing() as connection:
        await connection.execute(insert(notifications).values(notification(**columns)))
        await connection.execute(insert(deliveries), list(rows))
        return (await connection.execute(select(deliveries).order_by(deliveries.c.id))).all()


async def move(database: Database, rows: Sequence[Any], state: State, *, at: dt.datetime = LATER) -> None:
    """Write a state and tell of it in one transaction, as the recorder does."""
    async with database.writing() as connection:
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.id.in_([row.id for row in rows]), deliveries.c.owner.is_(None))
            .values(state=state, changed_at=at)
        )
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.merged_into.in_([row.id for row in rows]))
            .values(state=state, changed_at=at)
        )
        await announce_deliveries(connection, [(row, state) for row in rows], at=at)


async def told(database: Database) -> list[tuple[str, str]]:
    """List what each endpoint is to hear, by type and subject."""
    async with database.reading() as connection:
        query = select(webhook_posts.c.endpoint, webhook_events.c.type).join(
            webhook_events, webhook_events.c.id == webhook_posts.c.event
        )
        return sorted((row.endpoint, row.type) for row in await connection.execute(query))


@pytest.mark.parametrize("state", State)
async def test_every_state_is_told_as_it_is_meant_to_be(database: Database, state: State) -> None:
    """The whole vocabulary: a told state is one event, any other is none."""
    await listen(database, "e1")
    rows = await put(database, delivery("d1"))
    await move(database, rows, state)
    assert await told(database) == ([("e1", TOLD[state])] if state in TOLD else [])


async def test_only_what_is_wanted_is_written_and_only_for_those_who_want_it(database: Database) -> None:
    """Two endpoints, two wishes; another school's hears nothing."""
    await listen(database, "all")
    await listen(database, "failures", EventType.DELIVERY_FAILED)
    await listen(database, "elsewhere", school="other")
    rows = await put(database, delivery("d1"), delivery("d2"))
    await move(database, rows[:1], State.SENT)
    await move(database, rows[1:], State.FAILED)
    assert await told(database) == [
        ("all", "delivery.failed"),
        ("all", "delivery.sent"),
        ("failures", "delivery.failed"),
    ]


async def test_a_claim_that_was_lost_tells_nothing(database: Database) -> None:
    """The row was not changed by us, so there is nothing to tell: the other worker tells it."""
    await listen(database, "e1")
    rows = await put(database, delivery("d1", owner="another"))
    await move(database, rows, State.SENT)
    assert await told(database) == []


async def test_what_travels_inside_is_told_with_its_carrier(database: Database) -> None:
    """Two contacts, one mail: both systems' records are of one delivery each."""
    await listen(database, "e1")
    rows = await put(database, delivery("d1"), delivery("d2", merged_into="d1"))
    await move(database, rows[:1], State.DELIVERED)
    assert await told(database) == [("e1", "delivery.delivered")] * 2


async def test_the_same_news_is_told_once(database: Database) -> None:
    """Written twice in one instant it is one event; a later return to the state is another."""
    await listen(database, "e1")
    rows = await put(database, delivery("d1"))
    await move(database, rows, State.SENT)
    await move(database, rows, State.SENT)
    assert len(await told(database)) == 1
    await move(database, rows, State.SENT, at=LATER + dt.timedelta(seconds=1))
    assert len(await told(database)) == 2


async def test_nothing_is_told_of_what_did_not_happen(database: Database) -> None:
    """A transaction that fails takes its events with it."""
    await listen(database, "e1")
    rows = await put(database, delivery("d1"))

    async def fail() -> None:
        async with database.writing() as connection:
            await connection.execute(update(deliveries).values(state="sent", changed_at=LATER))
            await announce_deliveries(connection, [(rows[0], State.SENT)], at=LATER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await told(database) == []


async def test_where_nobody_listens_no_statement_is_sent(database: Database) -> None:
    """One look in five seconds, whatever is recorded; also while another school has endpoints, or for other events."""
    rows = await put(database, delivery("d1"))
    with statements(database) as seen:
        async with database.reading() as connection:
            for _ in range(100):
                await announce_deliveries(connection, [(rows[0], State.SENT)], at=LATER)
                await announce_notification(connection, "school", "n1", EventType.NOTIFICATION_PLANNED, at=LATER)
    assert len([statement for statement in seen if "webhook" in statement]) == 1
    await listen(database, "elsewhere", school="other")
    await listen(database, "failures", EventType.DELIVERY_FAILED)
    with statements(database) as seen:
        async with database.reading() as connection:
            for _ in range(100):
                await announce_deliveries(connection, [(rows[0], State.SENT)], at=LATER)
    assert len([statement for statement in seen if statement.startswith("SELECT")]) == 1


async def test_where_somebody_listens_a_batch_takes_three_statements(database: Database) -> None:
    """A hundred deliveries: one query and two inserts, not three hundred."""
    await listen(database, "e1")
    rows = await put(database, *(delivery(f"d{number:03}") for number in range(100)))
    async with database.reading() as connection:
        await database.listeners.ask(connection)
    with statements(database) as seen:
        await move(database, rows, State.SENT)
    assert sum("webhook_" in statement or "JOIN notifications" in statement for statement in seen) == 3
    assert len(await told(database)) == 100


async def test_who_listens_is_looked_up_again_after_five_seconds(database: Database) -> None:
    """Another process's registration is seen within the promise, and so is its end."""
    now = 100.0
    listeners = Listeners(clock=lambda: now)
    async with database.reading() as connection:
        assert await listeners.ask(connection) == {}
    await listen(database, "e1", EventType.DELIVERY_SENT)
    async with database.reading() as connection:
        now += TRUSTED_SECONDS - 0.001
        assert await listeners.ask(connection) == {}
        now += 0.001
        assert await listeners.ask(connection) == {"school": {EventType.DELIVERY_SENT: ["e1"]}}
    async with database.writing() as connection:
        await remove_endpoint(connection, "e1")
    async with database.reading() as connection:
        now += TRUSTED_SECONDS
        assert await listeners.ask(connection) == {}
    assert TRUSTED_SECONDS <= 5


async def test_a_cancellation_is_told_with_all_it_stopped(database: Database) -> None:
    """The notification and each delivery that was withdrawn now, none that left or was withdrawn before."""
    await listen(database, "e1")
    await put(
        database,
        delivery("d1", state="cancelled", changed_at=LATER),
        delivery("d2", state="sent", changed_at=LATER),
        delivery("d3", state="cancelled", changed_at=NOON),
        status="cancelled",
    )
    async with database.writing() as connection:
        await announce_cancelled(connection, "school", "n1", at=LATER)
    assert await told(database) == [("e1", "delivery.cancelled"), ("e1", "notification.cancelled")]
