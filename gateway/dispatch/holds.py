"""Decides held pairs again when the directory has changed: whoever corrects a record need not send again (R44, R45)."""

import datetime as dt
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.dispatch.chunks import (
    after_text_check,
    batches_due,
    delivery_row,
    keep_back,
    message_id,
    message_row,
    put_in_batches,
    started,
    tasks_of,
)
from gateway.dispatch.deciding import Decided, decide_about, school_of
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.disclosing import telling_messages
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.requests import Lane, NotificationStatus
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.answer import Decision, Outcome, PlannedMessage
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.holds import lock_holds, note_decided, outdated_holds, settled_holds, unsettled_contacts
from gateway.store.rechecking import correct_decisions, messages_of, save_messages, still_alive
from gateway.store.sending import add_deliveries, load_notifications, start_again
from gateway.store.tasks import add_tasks, close_tasks, enter_tasks

_log = logging.getLogger(__name__)

EVERY = dt.timedelta(seconds=10)

CHUNK = 250
"""Holds a round."""

REST = dt.timedelta(seconds=30)
"""How long a notification that could not be decided about stands back."""

_Pair = tuple[str, str]


_LOOKS = 5
"""How often a round looks again after something could not be decided."""


class Holds:
    """Makes rounds over open holds; several may run, as each takes tasks that no other one has."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        *,
        now: Callable[[], dt.datetime],
        policy: Policy,
        snapshots: DenySnapshots | None = None,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._now = now
        self._policy = policy
        self._snapshots = snapshots
        self._next = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._resting: dict[str, dt.datetime] = {}

    async def round(self) -> None:
        """Take tasks off the list whose hold is gone, and ask the rules again about the others."""
        now = self._now()
        if now < self._next:
            return
        self._next = now + EVERY
        self._resting = {notification: until for notification, until in self._resting.items() if until > now}
        await self._close_settled(now)
        # Again after a failure: what cannot be decided must not take the place of others that can.
        for _ in range(_LOOKS):
            if not await self._look(now):
                return

    async def _close_settled(self, now: dt.datetime) -> None:
        async with self._database.reading() as connection:
            settled = await settled_holds(connection)
        if settled:
            async with self._database.writing() as connection:
                await close_tasks(connection, [row.id for row in settled], at=now)
                await enter_tasks(connection, settled, "hold_gone", {}, at=now)

    async def _look(self, now: dt.datetime) -> bool:
        """Ask the rules about the holds that wait longest; says whether some could not be decided."""
        async with self._database.reading() as connection:
            outdated = await outdated_holds(connection, now=now, without=list(self._resting), limit=CHUNK)
        failed = False
        for notification, rows in groupby(outdated, key=lambda row: str(row.notification)):
            try:
                await self._decide_again(notification, [row.id for row in rows])
            except Exception:  # noqa: BLE001  # one notification's fault must not keep the others from being looked at
                _log.exception("holds_not_decided_again", extra={"notification": notification})
                self._resting[notification] = now + REST
                failed = True
        return failed

    async def _decide_again(self, notification: str, tasks: Collection[str]) -> None:
        """Ask the rules about some held pairs of one notification, and act on their answer in one transaction."""
        now = self._now()
        async with self._database.writing() as connection:
            record = (await load_notifications(connection, [notification]))[notification]
            _school, version = await school_of(connection, record.school)
            pairs = await lock_holds(connection, tasks, version=version)
            if record.status == NotificationStatus.CANCELLED or not pairs:
                return
            contacts = sorted({row.contact for row in pairs})
            decided = await decide_about(
                connection, record, contacts, now=now, policy=self._policy, snapshots=self._snapshots
            )
            await add_tasks(connection, decided.notices(now))
            due = await _Freed(connection, decided, now).settle({(row.student, row.contact): row for row in pairs})
        await settle_statuses(self._database, [notification], now=now)
        await self._wakeups.wake_batches(due)


class _Freed:
    """Compares holds on record with what the rules say now, and starts what they let go."""

    def __init__(self, connection: AsyncConnection, decided: Decided, now: dt.datetime) -> None:
        self._connection = connection
        self._decided = decided
        self._plan = decided.plan
        self._now = now

    async def settle(self, held: Mapping[_Pair, Any]) -> set[tuple[str, str]]:
        """Correct decisions and tasks of held pairs; gives the batches that are due at once."""
        waits = await unsettled_contacts(
            self._connection,
            self._plan.notification,
            {contact for _, contact in held},
            version=self._plan.directory_version,
        )
        concerned = [
            decision
            for decision in self._decided.evaluation.answer.decisions
            if (decision.student, decision.contact) in held and decision.contact not in waits
        ]
        free = {(one.student, one.contact) for one in concerned if one.outcome is Outcome.SEND}
        there, instead = await self._messages(free)
        telling = telling_messages(
            self._plan.notification,
            instead.values(),
            self._decided.request,
            self._decided.sources,
            self._decided.index,
            self._decided.files,
        )
        message_of = there | {
            (student, message.contact): key for key, message in instead.items() for student in message.students
        }
        looked_at = after_text_check(concerned, message_of, telling)
        await correct_decisions(
            self._connection,
            self._plan.notification,
            self._plan.school.id,
            # As when it is planned: an alert whose text waits goes out as a bare notice, so the contact is told.
            concerned if self._plan.lane is Lane.EMERGENCY else looked_at,
            message_of,
            at=self._now,
        )
        await self._correct_tasks(held, looked_at)
        return await self._start(instead, telling)

    async def _messages(self, free: Collection[_Pair]) -> tuple[dict[_Pair, str], dict[str, PlannedMessage]]:
        """Find for freed pairs the message that is on its way already, and write messages for the others.

        A sibling's news may have left on its own: the new message is about the freed students alone.
        """
        notification, contacts = self._plan.notification, {contact for _, contact in free}
        on_record = await messages_of(self._connection, notification, contacts)
        alive = await still_alive(self._connection, list(on_record), [])
        there: dict[_Pair, str] = {}
        instead: dict[str, PlannedMessage] = {}
        for message in self._decided.evaluation.answer.messages:
            students = tuple(student for student in message.students if (student, message.contact) in free)
            if not students:
                continue
            key = message_id(notification, message)
            if key in alive:
                there |= {(student, message.contact): key for student in students}
            else:
                own = replace(message, students=students)
                instead[message_id(notification, own)] = own
        return there, instead

    async def _correct_tasks(self, held: Mapping[_Pair, Any], looked_at: Sequence[Decision]) -> None:
        """Close what is no hold any more, and let the others say why they wait now."""
        gone = [held[one.student, one.contact] for one in looked_at if one.outcome is not Outcome.HOLD]
        still = [
            (held[one.student, one.contact].id, f"{one.rule}: {one.reason}")
            for one in looked_at
            if one.outcome is Outcome.HOLD
        ]
        await note_decided(self._connection, still, version=self._plan.directory_version)
        await close_tasks(self._connection, [row.id for row in gone], at=self._now)
        await enter_tasks(self._connection, gone, "hold_gone", {}, at=self._now)
        await add_tasks(self._connection, list(tasks_of(self._plan, looked_at, self._now)))
        if gone:
            _log.info("holds_gone", extra={"notification": self._plan.notification, "holds": len(gone)})

    async def _start(self, messages: Mapping[str, PlannedMessage], telling: Mapping[str, bool]) -> set[tuple[str, str]]:
        if not messages:
            return set()
        neutral, points = self._decided.evaluation.impersonal_points, self._decided.points
        await save_messages(
            self._connection, [message_row(self._plan, message, neutral) for message in messages.values()]
        )
        rows = [
            # Each goes on its own: what could have carried it may have left already.
            delivery_row(self._plan, message, position, route, neutral, points, self._now) | {"merged_into": None}
            for message in messages.values()
            for position, route in started(message)
        ]
        keep_back(self._plan, rows, telling)
        put_in_batches(self._plan.notification, rows)
        await add_deliveries(self._connection, rows)
        # What was withdrawn into the hold bears the same ids, and goes after all.
        await start_again(self._connection, [row for row in rows if row["state"] == "queued"])
        return batches_due(rows, self._now)
