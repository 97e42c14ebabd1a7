"""Sees to it that a life-safety hold finds a person: rounds of pages, and an alarm where they lead nowhere (R45).

The pages of one notification speak of all its holds at once: forty held pairs are one page a person, not forty.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.dispatch.duty import DutyContact, contact_of
from gateway.dispatch.grouping import by_notification
from gateway.dispatch.requests import Lane
from gateway.dispatch.wakeups import WakeUps
from gateway.rules.escalation import Advice, Alarm, Role, Round, advise
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.duty import list_duty
from gateway.store.identity import derived_id
from gateway.store.pages import (
    HOLD,
    add_pages,
    cancel_pages,
    due_notifications,
    known_alarms,
    mark_paged,
    needless_alarms,
    notifications_in_work,
    past_rounds,
    unanswered_holds,
)
from gateway.store.people import load_school
from gateway.store.policies import load_policies
from gateway.store.tasks import add_tasks, close_tasks, enter_tasks
from gateway.tracking.states import State

_log = logging.getLogger(__name__)

WAKE_UP = "page"
"""The kind of wake-up that a worker of the emergency lane answers by sending pages."""

PATIENCE = dt.timedelta(seconds=5)
"""How long the same pages are not woken again."""

_WORDS = {
    Alarm.NOBODY_ON_DUTY: "R45: A decision about an alert is overdue and no safeguarding lead is on the duty roster: "
    "telephone them, and put them on it with PUT /v1/duty.",
    Alarm.NOBODY_ANSWERS: "R45: A decision about an alert is overdue and nobody has acknowledged a page: find the "
    "safeguarding lead or the head in person.",
}


class Paging:
    """Makes rounds over the holds of alerts; several may run, as every page's id says which round it is of."""

    def __init__(self, database: Database, wakeups: WakeUps, *, now: Callable[[], dt.datetime], policy: Policy) -> None:
        self._database = database
        self._wakeups = wakeups
        self._now = now
        self._policy = policy
        self._woken: dict[str, dt.datetime] = {}

    async def round(self) -> None:
        """Page whose turn it is, withdraw what somebody has answered, and wake what is due."""
        now = self._now()
        async with self._database.reading() as connection:
            unanswered = await unanswered_holds(connection, now=now)
            patience = await self._patience(connection, unanswered)
            holds = [row for row in unanswered if _since(row, patience) <= now]
            waiting = by_notification(holds)
            past = by_notification(await past_rounds(connection, waiting))
            duty = await list_duty(connection, {row.school for row in holds})
            in_work = await notifications_in_work(connection)
            needless = await needless_alarms(connection, list(Alarm), waiting=waiting)
        for notification, rows in waiting.items():
            on_duty = [contact_of(row.document) for row in duty if row.school == rows[0].school]
            since = min(_since(row, patience) for row in rows)
            advice = advise(
                since,
                [_round(row) for row in past.get(notification, ())],
                {person.role for person in on_duty},
                now=now,
            )
            if advice.role is not None:
                await self._begin(rows, advice, on_duty, now)
            if advice.alarm is not None:
                await self._raise(rows[0], advice.alarm, now)
        answered = in_work - set(waiting)
        if answered or needless:
            async with self._database.writing() as connection:
                await cancel_pages(connection, answered, at=now)
                await close_tasks(connection, needless, at=now)
        await self._wake(now)

    async def _patience(self, connection: AsyncConnection, holds: Sequence[Any]) -> Mapping[str, dt.timedelta]:
        """Give how long each school lets a life-safety hold wait before somebody is paged."""
        policies = await load_policies(connection, self._policy) if holds else {}
        return {
            row.school: dt.timedelta(minutes=policies.get(row.school, self._policy).hold_page_minutes) for row in holds
        }

    async def _begin(
        self, holds: Sequence[Any], advice: Advice, on_duty: Sequence[DutyContact], now: dt.datetime
    ) -> None:
        async with self._database.writing() as connection:
            known = await load_school(connection, holds[0].school)
            language = known[0].language if known is not None else ""
            rows = list(pages_of(holds, advice, on_duty, language=language, now=now))
            if not await add_pages(connection, rows):
                return
            self._woken.pop(holds[0].notification, None)
            await mark_paged(connection, [row.id for row in holds], at=now)
            told = {"role": advice.role, "round": advice.number}
            await enter_tasks(connection, holds, "hold_paged", told, at=now)
        _log.warning(
            "hold_paged",
            extra={"notification": holds[0].notification, "holds": len(holds), "pages": len(rows), **told},
        )

    async def _raise(self, hold: Any, alarm: Alarm, now: dt.datetime) -> None:
        """Ask the office to find somebody, once a notification."""
        task = alarm_task(hold, alarm, now)
        async with self._database.reading() as connection:
            if task["id"] in await known_alarms(connection, [task["id"]]):
                return
        async with self._database.writing() as connection:
            await add_tasks(connection, [task])
        _log.error(alarm.value, extra={"notification": hold.notification})

    async def _wake(self, now: dt.datetime) -> None:
        self._woken = {key: at for key, at in self._woken.items() if now - at < PATIENCE}
        async with self._database.reading() as connection:
            due = [each for each in await due_notifications(connection, now=now) if each not in self._woken]
        self._woken |= dict.fromkeys(due, now)
        await self._wakeups.wake(WAKE_UP, Lane.EMERGENCY, due)


def pages_of(
    holds: Sequence[Any], advice: Advice, on_duty: Sequence[DutyContact], *, language: str, now: dt.datetime
) -> Iterator[dict[str, Any]]:
    """Write one round: everybody of the role on all their points, each address once. Pure."""
    hold, seen = min(holds, key=lambda row: (row.due_at, row.id)), set()
    for person in on_duty:
        for point in person.points if person.role is advice.role else ():
            if point in seen:
                continue
            seen.add(point)
            yield {
                "id": derived_id(
                    hold.notification, "page", str(advice.number), person.id, point.channel, point.address
                ),
                "school": hold.school,
                "notification": hold.notification,
                "task": hold.id,
                "person": person.id,
                "role": person.role.value,
                "round": advice.number,
                "channel": point.channel,
                "address": point.address,
                "language": person.language or language,
                "state": State.QUEUED.value,
                "due_at": now,
                "attempts": 0,
                "created_at": now,
                "changed_at": now,
            }


def alarm_task(hold: Any, alarm: Alarm, now: dt.datetime) -> dict[str, Any]:
    """Write the office's task: pages do not reach whom they should."""
    return {
        "id": derived_id(hold.notification, "task", alarm),
        "school": hold.school,
        "kind": alarm.value,
        "notification": hold.notification,
        "student": None,
        "contact": None,
        "delivery": None,
        "owner": Role.OFFICE.value,
        "detail": _WORDS[alarm],
        "created_at": now,
        "due_at": now,
        "done_at": None,
    }


def _since(row: Any, patience: Mapping[str, dt.timedelta]) -> dt.datetime:
    """Say since when a task is overdue: a hold's deadline says so itself, what failed may first mend by itself."""
    due: dt.datetime = row.due_at
    return due if row.kind == HOLD else due + patience[row.school]


def _round(row: Any) -> Round:
    return Round(number=row.number, at=row.at, failed=row.alive == 0)
