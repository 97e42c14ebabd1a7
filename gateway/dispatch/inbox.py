"""The inbox: what people write to the school is kept for staff, each once, and asks somebody to answer it (R40)."""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Inbound
from gateway.directory.model import Category, ChannelName, School
from gateway.dispatch.messages import students_of
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.restriction_tasks import after_weekdays
from gateway.rules.categories import LIFE_SAFETY
from gateway.rules.replies import Thread
from gateway.store.database import Database
from gateway.store.identity import new_id
from gateway.store.replies import (
    deliveries_answered,
    enter_reply,
    keep_replies,
    known_events,
    lone_school,
    school_of,
    writes_from,
)
from gateway.store.tasks import add_tasks

_log = logging.getLogger(__name__)

ANSWER_REPLY = "answer_reply"
"""The kind of a reply's task, which has the reply's id."""

MOST_CHARACTERS = 200_000
"""More than a person writes; what is beyond is cut."""
MOST_ENCLOSED_BYTES = 10_000_000
"""All enclosures of a reply together; those beyond are left out."""
MOST_ENCLOSURES = 50

_URGENTLY = dt.timedelta(minutes=15)
"""For answers to alerts; others have until the next working day (requirement Q23)."""


class Inbox:
    """Takes in what people write."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime], metrics: Metrics) -> None:
        self._database = database
        self._now = now
        self._metrics = metrics

    async def take(self, news: Sequence[Inbound], *, school: str | None = None) -> int:
        """Keep what is new; gives how many that are. Durable when it returns.

        Nothing here believes that the contact wrote it, and no delivery's state changes. `school` takes what answers
        no delivery; without it the installation's only one does.
        """
        if not news:
            return 0
        told = {(each.provider, each.event_id): _storable(each) for each in news}
        async with self._database.writing() as connection:
            known = await known_events(connection, told.keys())
            answered = await deliveries_answered(connection, {each.delivery for each in told.values() if each.delivery})
            lone = await school_of(connection, school) if school else await lone_school(connection)
            new = [each for key, each in told.items() if key not in known]
            placed = [(each, answered.get(each.delivery or "", lone)) for each in new]
            kept = [await self._keep(connection, each, about) for each, about in placed if about is not None]
        self._account(kept=sum(kept), repeated=len(news) - len(new) + kept.count(False), dropped=len(new) - len(kept))
        return sum(kept)

    async def _keep(self, connection: AsyncConnection, inbound: Inbound, about: Any) -> bool:
        """Store one reply with its task and its entry in the chronology; False when another process was quicker."""
        now, school = self._now(), msgspec.json.decode(about.school_document, type=School)
        reply = _row(inbound, about, now)
        if reply["contact"] is not None:
            channel = ChannelName(reply["channel"])
            own = await writes_from(connection, school, reply["contact"], channel, inbound.sender)
            reply["genuine_sender"] = own
        if not await keep_replies(connection, [reply], _enclosures(reply["id"], inbound)):
            return False
        await add_tasks(connection, [_task(reply, about, school, now)])
        if reply["contact"] is not None:
            await enter_reply(connection, reply, students_of(about))
        return True

    def _account(self, *, kept: int, repeated: int, dropped: int) -> None:
        for outcome, number in (("kept", kept), ("repeated", repeated), ("dropped", dropped)):
            if number:
                self._metrics.came_in("reply", outcome, number)
        if dropped:
            _log.warning("replies_dropped", extra={"number": dropped, "reason": "nobody knows for which school"})


def _row(inbound: Inbound, about: Any, now: dt.datetime) -> dict[str, Any]:
    """Write the row; `about` is the delivery that is answered, or the school alone."""
    whole = len(inbound.body) <= MOST_CHARACTERS and len(list(_enclosures("", inbound))) == len(inbound.enclosures)
    reply = {
        "id": new_id(now),
        "school": about.school,
        "notification": None,
        "message": None,
        "contact": None,
        "delivery": None,
        "thread": None,
        "channel": (ChannelName.EMAIL if "@" in inbound.sender + inbound.recipient else ChannelName.SMS).value,
        "writer": inbound.sender[:320],
        "genuine_sender": False,
        "body": inbound.body[:MOST_CHARACTERS],
        "cut": inbound.cut or not whole,
        "provider": inbound.provider,
        "event_id": inbound.event_id,
        "at": inbound.at,
        "received_at": now,
        "answered_at": None,
        "handled_by": None,
    }
    if "id" not in about._fields:
        return reply
    return reply | {
        "notification": about.notification,
        "message": about.message,
        "contact": about.contact,
        "delivery": about.id,
        "thread": Thread(message=about.message, contact=about.contact).key,
        "channel": about.channel,
    }


def _enclosures(reply: str, inbound: Inbound) -> Iterator[dict[str, Any]]:
    room = MOST_ENCLOSED_BYTES
    for number, enclosure in enumerate(inbound.enclosures[:MOST_ENCLOSURES], 1):
        room -= len(enclosure.content)
        if room < 0:
            return
        yield {
            "reply": reply,
            "number": number,
            "name": _cleaned(enclosure.name)[:255],
            "content_type": _cleaned(enclosure.content_type)[:255],
            "size": len(enclosure.content),
            "content": enclosure.content,
        }


def _task(reply: dict[str, Any], about: Any, school: School, now: dt.datetime) -> dict[str, Any]:
    category = Category(about.category) if reply["notification"] else None
    urgent = category in LIFE_SAFETY
    if reply["contact"] is None:
        detail = "R40: Somebody has written, nobody knows in answer to what: find out who it is before you answer."
    elif reply["genuine_sender"]:
        detail = "R40: A contact has answered a message: read it and answer."
    else:
        detail = "R40: A message was answered from an address that is not the contact's: find out who it was."
    return {
        "id": reply["id"],
        "school": reply["school"],
        "kind": ANSWER_REPLY,
        "notification": reply["notification"],
        "student": None,
        "contact": reply["contact"],
        "delivery": reply["delivery"],
        "owner": "safeguarding" if urgent or category is Category.SAFEGUARDING else "office",
        "detail": detail,
        "created_at": now,
        "due_at": now + _URGENTLY if urgent else after_weekdays(now.astimezone(ZoneInfo(school.timezone)), 1),
        "done_at": None,
    }


def _storable(inbound: Inbound) -> Inbound:
    """Leave out what no database stores."""
    return replace(
        inbound,
        sender=_cleaned(inbound.sender),
        body=_cleaned(inbound.body),
        delivery=inbound.delivery and _cleaned(inbound.delivery),
    )


def _cleaned(text: str) -> str:
    """Leave out NUL, and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
