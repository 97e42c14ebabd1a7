"""What restrictions ask of people, and when: a second person's decision, a review before the end, the head's word.

A day of work or of school is a weekday (Monday to Friday) until the gateway knows the school's calendar: a holiday
brings an escalation forward, never puts it off.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.directory.model import Effect, Restriction, RestrictionStatus, School
from gateway.dispatch.restriction_changes import Step, Waiting, drafted, waiting_for
from gateway.rules.policy import Policy
from gateway.rules.restrictions import REVIEW_WINDOW_DAYS, last_day
from gateway.store.database import Database
from gateway.store.identity import derived_id, new_id
from gateway.store.policies import load_policies
from gateway.store.restrictions import add_step, open_reminders, whole_register
from gateway.store.tasks import add_tasks, close_tasks

_log = logging.getLogger(__name__)

EVERY = dt.timedelta(minutes=1)

_LEAD = "safeguarding"
_HEAD = "head"
_SATURDAY = 5

KINDS = ("decide_restriction", "overdue_restriction", "review_restriction", "lapsed_restriction")


class Reminders:
    """Keeps the task list in step with the register: each task appears once and goes when it is done."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime], policy: Policy) -> None:
        self._database = database
        self._now = now
        self._policy = policy
        self._next = dt.datetime.min.replace(tzinfo=dt.UTC)

    async def round(self) -> None:
        """Look at the whole register, once a minute."""
        now = self._now()
        if now < self._next:
            return
        self._next = now + EVERY
        async with self._database.reading() as connection:
            known = await whole_register(connection)
            policies = await load_policies(connection, self._policy)
            before = await open_reminders(connection, KINDS)
        if not known:
            return
        wanted: dict[str, dict[str, Any]] = {}
        new_drafts: list[tuple[str, Restriction]] = []
        for row, last in known:
            restriction = msgspec.json.decode(row.document, type=Restriction)
            zone = ZoneInfo(msgspec.json.decode(row.school_document, type=School).timezone)
            waiting = waiting_for(restriction, last)
            if waiting is not None and waiting.at is None:
                new_drafts.append((row.school, restriction))
                continue
            number = last.number if last is not None else 0
            policy = policies.get(row.school, self._policy)
            for task in tasks_about(restriction, waiting, number, now=now, zone=zone, policy=policy):
                filled = _filled(task, row.school, restriction)
                wanted[filled["id"]] = filled
        done = sorted(before - set(wanted))
        new = [task for identifier, task in wanted.items() if identifier not in before]
        if not (done or new or new_drafts):
            return
        async with self._database.writing() as connection:
            for school, restriction in new_drafts:
                await self._begin(connection, school, restriction, now)
            await add_tasks(connection, new)
            await close_tasks(connection, done, at=now)
        _log.info("register_looked_at", extra={"new": len(new), "done": len(done), "drafts": len(new_drafts)})

    async def _begin(self, connection: Any, school: str, restriction: Restriction, now: dt.datetime) -> None:
        """Give a draft from a file its place in the history, from which its time runs."""
        change = drafted(restriction, Step.IMPORTED)
        await add_step(
            connection,
            school,
            number=1,
            step=change.step,
            by=None,
            at=now,
            versions=change.versions,
            words={},
        )
        self._next = now  # its tasks come with the next round


class Reminder(msgspec.Struct, frozen=True, kw_only=True):
    """Something a restriction asks of a person."""

    kind: str
    owner: str
    detail: str
    since: dt.datetime
    due: dt.datetime
    occasion: tuple[str, ...]
    """What tells it from an earlier one of its kind."""


def tasks_about(
    restriction: Restriction, waiting: Waiting | None, number: int, *, now: dt.datetime, zone: ZoneInfo, policy: Policy
) -> Iterator[Reminder]:
    """List what one restriction asks for now; `number` is that of its last step. Pure."""
    if waiting is not None and waiting.at is not None:
        yield from _decision(waiting, waiting.at, now, zone, policy)
    if restriction.status is RestrictionStatus.ACTIVE:
        yield from _end(restriction, number, now, zone, policy)


def _decision(
    waiting: Waiting, asked_at: dt.datetime, now: dt.datetime, zone: ZoneInfo, policy: Policy
) -> Iterator[Reminder]:
    """R06a: a second person decides within two working days; then it is the head's matter, and still in force."""
    deadline = after_weekdays(asked_at.astimezone(zone), policy.draft_escalation_days)
    occasion = (str(waiting.number),)
    yield Reminder(
        kind="decide_restriction",
        owner=_LEAD,
        detail=f"R06a: A second person must approve or reject step {waiting.number} ({waiting.step}).",
        since=asked_at,
        due=deadline,
        occasion=occasion,
    )
    if now >= deadline:
        yield Reminder(
            kind="overdue_restriction",
            owner=_HEAD,
            detail=f"R06a: Nobody has decided step {waiting.number} ({waiting.step}) within "
            f"{policy.draft_escalation_days} working days.",
            since=deadline,
            due=after_weekdays(deadline.astimezone(zone), 1),
            occasion=occasion,
        )


def _end(restriction: Restriction, number: int, now: dt.datetime, zone: ZoneInfo, policy: Policy) -> Iterator[Reminder]:
    """R05: a task 30 days before the end; lapsed without a review it goes to the head after 5 school days."""
    last, today = last_day(restriction, policy), now.astimezone(zone).date()
    if last is None or last.toordinal() - today.toordinal() > REVIEW_WINDOW_DAYS:
        return
    reviewed = restriction.reviewed_on
    if reviewed is not None and reviewed <= today and last.toordinal() - reviewed.toordinal() <= REVIEW_WINDOW_DAYS:
        return
    if restriction.effect is Effect.MUST_SEND and today > last:
        return
    lapses = _midnight(last + dt.timedelta(days=1), zone)
    occasion = (last.isoformat(), str(number))
    yield Reminder(
        kind="review_restriction",
        owner=_LEAD,
        detail=f"R05: The restriction's last day is {last}: review it, with a new end or without.",
        since=_midnight(last - dt.timedelta(days=REVIEW_WINDOW_DAYS), zone),
        due=lapses,
        occasion=occasion,
    )
    escalates = after_weekdays(lapses, policy.lapsed_escalation_days)
    if now >= escalates:
        yield Reminder(
            kind="lapsed_restriction",
            owner=_HEAD,
            detail=f"R05: The restriction lapsed on {last} and nobody has reviewed it in "
            f"{policy.lapsed_escalation_days} school days; messages are held.",
            since=escalates,
            due=after_weekdays(escalates, 1),
            occasion=occasion,
        )


def after_weekdays(start: dt.datetime, days: int) -> dt.datetime:
    """Give the same time of day so many weekdays later, in the zone of `start`; a weekend begins on its Monday."""
    end = start
    while end.weekday() >= _SATURDAY:
        end = dt.datetime.combine(end.date() + dt.timedelta(days=1), dt.time(), tzinfo=end.tzinfo)
    while days > 0:
        end += dt.timedelta(days=1)
        days -= end.weekday() < _SATURDAY
    return end


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=zone)


_TIME_ALONE = 9
"""So many letters of a new id come from its time alone."""


def _filled(task: Reminder, school: str, restriction: Restriction) -> dict[str, Any]:
    """Write the row; its id sorts by the task's own time and is the same in every round and every process."""
    return {
        "id": derived_id(new_id(task.since)[:_TIME_ALONE], task.kind, school, restriction.id, *task.occasion),
        "school": school,
        "kind": task.kind,
        "notification": None,
        "student": restriction.student,
        "contact": restriction.contact,
        "delivery": None,
        "owner": task.owner,
        "detail": f"{task.detail} (Restriction {restriction.id}.)",
        "created_at": task.since,
        "due_at": task.due,
        "done_at": None,
    }
