"""The secure page of a message: whether its link still holds, who may open it, and that it was opened (R41, R44)."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.content.policy import Look
from gateway.directory.model import ChannelName, School
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.identity_check import Question, question_of
from gateway.dispatch.messages import formats_of
from gateway.dispatch.readers import Reader
from gateway.dispatch.rendering import Document, Renderer
from gateway.dispatch.still_meant import still_meant
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.openings import Opening, add_opening, take_turns, was_opened, wrong_for_contact, wrong_for_link
from gateway.store.people import load_points
from gateway.store.sending import add_events, load_deliveries
from gateway.store.tables import contact_points
from gateway.tracking.states import State

LINK_LIFE = dt.timedelta(days=60)

WRONG_PER_LINK = 5
LINK_WINDOW = dt.timedelta(hours=1)
WRONG_PER_CONTACT = 20
CONTACT_WINDOW = dt.timedelta(days=1)

_WITHDRAWN = frozenset({State.SUPPRESSED, State.CANCELLED})


class Denied(StrEnum):
    """Why an answer did not open the document."""

    WRONG = "wrong"
    TOO_MANY = "too_many"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A document behind its question."""

    reader: Reader
    school: School
    notification: Any
    """Its row."""
    question: Question
    locked: bool
    """Too many wrong answers: no further one is looked at for now."""

    @property
    def look(self) -> Look:
        """How the reader needs text to look."""
        return Look.of(formats_of(self.reader.message))


class DocumentDesk:
    """Gives documents out to those whom their links were sent to."""

    def __init__(
        self,
        database: Database,
        renderer: Renderer,
        *,
        now: Callable[[], dt.datetime],
        policy: Policy,
        snapshots: DenySnapshots,
    ) -> None:
        self._database = database
        self._renderer = renderer
        self._now = now
        self._policy = policy
        self._snapshots = snapshots

    async def find(self, delivery: str) -> Waiting | None:
        """Find the document of a delivery; None when there is none, or its link was revoked or is too old.

        Only reads, so that the scanners and previews that follow every link leave no trace. Raises
        `RestrictionsUnreadableError`: while nobody can say who is barred no page opens, but an alert's for those whom
        the last snapshot does not bar (R46).
        """
        now = self._now()
        async with self._database.reading() as connection:
            row = (await load_deliveries(connection, [delivery])).get(delivery)
            if row is None or row.state in _WITHDRAWN or now - row.created_at > LINK_LIFE:
                return None
            school, notifications, (reader,) = await self._renderer.load(connection, [row])
            notification = notifications[row.notification]
            if not await still_meant(
                connection, notification, reader, now=now, policy=self._policy, snapshots=self._snapshots
            ):
                return None
            letters = await load_points(connection, school, contact_points.c.contact == row.contact)
            locked = await _is_locked(connection, row, now)
        named = row.channel == ChannelName.EMAIL and not row.neutral
        question = question_of(reader.students, letters, named=named)
        return Waiting(reader=reader, school=school, notification=notification, question=question, locked=locked)

    async def open(self, waiting: Waiting, given: str) -> Document | Denied:
        """Check one answer, put it on record, and give the document out if it is right."""
        row, now = waiting.reader.row, self._now()
        async with self._database.writing() as connection:
            await take_turns(connection, row.school, row.contact)
            if await _is_locked(connection, row, now):
                return Denied.TOO_MANY
            right = waiting.question.is_answered_by(given)
            if right and not await was_opened(connection, row.id):
                await add_events(connection, [_seen(row, now)])
            outcome = Opening.OPENED if right else Opening.WRONG
            await add_opening(
                connection, school=row.school, contact=row.contact, delivery=row.id, at=now, outcome=outcome
            )
        if not right:
            return Denied.WRONG
        return self._renderer.document(waiting.school, waiting.notification, waiting.reader)


async def _is_locked(connection: AsyncConnection, row: Any, now: dt.datetime) -> bool:
    """Whether the wrong answers so far forbid another one, for this link or for all of the contact's."""
    of_link = await wrong_for_link(connection, row.id, since=now - LINK_WINDOW)
    of_contact = await wrong_for_contact(connection, row.school, row.contact, since=now - CONTACT_WINDOW)
    return of_link >= WRONG_PER_LINK or of_contact >= WRONG_PER_CONTACT


def _seen(row: Any, now: dt.datetime) -> dict[str, Any]:
    """Mark the delivery as seen; its state stays."""
    return {
        "delivery": row.id,
        "at": now,
        "state": row.state,
        "news": "seen",
        "detail": "Opened after the identity check.",
    }
