"""Events for webhooks, written in the transaction of what they tell: none is lost, none tells what did not happen.

Where nobody listens this costs a look into memory. Where somebody does, what is told is read from the rows after they
were written: a claim that was lost meanwhile has changed nothing, and nothing is told of it.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import CompoundSelect, Select, bindparam, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.bulk import given, has_arrays, insert_new
from gateway.store.columns import Instant
from gateway.store.identity import derived_id
from gateway.store.listeners import Known, listeners_of
from gateway.store.notifications import count
from gateway.store.tables import deliveries, notifications, webhook_events, webhook_posts
from gateway.tracking.announcements import (
    TOLD,
    DeliveryNews,
    EventType,
    NotificationNews,
    body_of,
    news_of_delivery,
    news_of_notification,
)
from gateway.tracking.states import State

_News = tuple[str, EventType, DeliveryNews | NotificationNews, str]
"""School, type, data, and the id of what it is about."""


async def announce_deliveries(
    connection: AsyncConnection, changed: Iterable[tuple[Any, str]], *, at: dt.datetime
) -> None:
    """Tell of deliveries that were just written into a state, and of those they carry.

    `changed` gives rows with `id` and `school`, each with its new state; `at` is the `changed_at` written with it.
    """
    known = await listeners_of(connection).ask(connection)
    if not known:
        return
    ids = [row.id for row, state in changed if TOLD.get(State(state)) in known.get(row.school, ())]
    if not ids:
        return
    rows = (await connection.execute(_moved(has_arrays(connection)), {"ids": ids, "moved_at": at})).all()
    await _write(
        connection,
        known,
        [
            (row.school, TOLD[State(row.state)], news_of_delivery(row), row.id)
            for row in rows
            if State(row.state) in TOLD
        ],
        at=at,
    )


async def announce_notification(
    connection: AsyncConnection, school: str, notification: str, kind: EventType, *, at: dt.datetime
) -> None:
    """Tell of a notification's milestone, with what it has come to."""
    known = await listeners_of(connection).ask(connection)
    if kind not in known.get(school, ()):
        return
    row = (await connection.execute(select(notifications).where(notifications.c.id == notification))).one()
    news = news_of_notification(row, await count(connection, notification))
    await _write(connection, known, [(school, kind, news, notification)], at=at)


async def announce_cancelled(connection: AsyncConnection, school: str, notification: str, *, at: dt.datetime) -> None:
    """Tell that a notification was withdrawn, and of every delivery that was withdrawn with it."""
    await announce_notification(connection, school, notification, EventType.NOTIFICATION_CANCELLED, at=at)
    known = await listeners_of(connection).ask(connection)
    if EventType.DELIVERY_CANCELLED not in known.get(school, ()):
        return
    withdrawn = _told().where(
        deliveries.c.notification == notification, deliveries.c.state == "cancelled", deliveries.c.changed_at == at
    )
    rows = (await connection.execute(withdrawn)).all()
    news = [(school, EventType.DELIVERY_CANCELLED, news_of_delivery(row), row.id) for row in rows]
    await _write(connection, known, news, at=at)


def _told() -> Select[Any]:
    names = ("id", "school", "notification", "contact", "channel", "state", "code", "attempts", "merged_into")
    of_it = ("category", "purpose", "reference")
    return select(*(deliveries.c[name] for name in names), *(notifications.c[name] for name in of_it)).join(
        notifications, notifications.c.id == deliveries.c.notification
    )


@cache
def _moved(arrays: bool) -> CompoundSelect[Any]:  # noqa: FBT001  # the dialect
    """Select these deliveries and those they carry; two queries in one, as an OR would keep both from their index."""
    moved = _told().where(deliveries.c.changed_at == bindparam("moved_at", type_=Instant))
    return union_all(
        moved.where(given(arrays, deliveries.c.id, "ids")),
        moved.where(given(arrays, deliveries.c.merged_into, "ids")),
    )


async def _write(connection: AsyncConnection, known: Known, news: Sequence[_News], *, at: dt.datetime) -> None:
    """Write events once, and for every endpoint that wants it that it is due to be posted there."""
    events, posts = {}, []
    for school, kind, data, subject in news:
        endpoints = known[school].get(kind, ())
        # The same news written twice in one instant has one id: the key keeps the second out.
        event = derived_id(subject, "event", kind, at.isoformat())
        if not endpoints or event in events:
            continue
        document = body_of(kind, at, data)
        events[event] = {"id": event, "school": school, "type": kind.value, "document": document, "at": at}
        posts += [
            {"endpoint": endpoint, "event": event, "due_at": at, "attempts": 0, "delivered_at": None}
            for endpoint in endpoints
        ]
    await insert_new(connection, webhook_events, list(events.values()))
    await insert_new(connection, webhook_posts, posts)
