"""Asks once more, before anything leaves, whether the decisions it rests on still hold (recipient rules P12, R44).

The rules run again for the contacts of a batch when the directory has changed or a day has passed since planning.
What no longer holds is withdrawn; what the same contact should get instead is started, unless something already left.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.masking import masked
from gateway.directory.model import School
from gateway.directory.places import place_of
from gateway.dispatch.chunks import (
    TELLING,
    TELLING_REASON,
    after_text_check,
    delivery_id,
    delivery_row,
    keep_back,
    message_id,
    message_row,
    put_in_batches,
    tasks_of,
    text_code,
)
from gateway.dispatch.deciding import Decided, decide_about
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.disclosing import telling_messages
from gateway.dispatch.messages import students_of
from gateway.dispatch.outcomes import Outcome, withdrawn
from gateway.dispatch.requests import Lane
from gateway.dispatch.settling import unreached
from gateway.rules.answer import Decision, Mode, PlannedDelivery, PlannedMessage
from gateway.rules.answer import Outcome as Verdict
from gateway.rules.policy import Policy
from gateway.store.rechecking import (
    confirm,
    correct_decisions,
    left_or_leaving,
    messages_of,
    save_messages,
    still_alive,
    tried,
)
from gateway.store.releasing import confirmed_texts
from gateway.store.sending import add_deliveries, add_events, hold, part_from_carriers, send_bare
from gateway.store.tasks import add_tasks, reopen_tasks
from gateway.tracking.states import News, State


@dataclass(frozen=True, kw_only=True)
class Recheck:
    """What became of the deliveries that were looked at again."""

    withdrawn: dict[str, Outcome] = field(default_factory=dict)
    """By delivery id."""
    wake: tuple[tuple[str, str], ...] = ()
    """(lane, batch) of deliveries started in their place."""


def outdated(rows: Sequence[Any], school: School, version: int, now: dt.datetime) -> list[Any]:
    """Pick the deliveries that were decided under another directory or on another day."""
    zone = ZoneInfo(school.timezone)
    today = now.astimezone(zone).date()
    return [row for row in rows if row.directory_version != version or row.created_at.astimezone(zone).date() != today]


async def recheck(
    connection: AsyncConnection,
    notification: Any,
    rows: Sequence[Any],
    *,
    now: dt.datetime,
    policy: Policy,
    snapshots: DenySnapshots | None = None,
) -> Recheck:
    """Decide again for the contacts of these deliveries, all of one notification."""
    contacts = sorted({row.contact for row in rows})
    decided = await decide_about(connection, notification, contacts, now=now, policy=policy, snapshots=snapshots)
    await add_tasks(connection, decided.notices(now))
    return await _Comparison(connection, decided, now).settle(rows)


class _Comparison:
    """Compares the plan on record with what the rules say now, and corrects it."""

    def __init__(self, connection: AsyncConnection, decided: Decided, now: dt.datetime) -> None:
        answer = decided.evaluation.answer
        self._connection = connection
        self._decided = decided
        self._plan = decided.plan
        self._decisions = answer.decisions
        self._neutral = decided.evaluation.impersonal_points
        self._points = decided.points
        self._now = now
        self._current = {message_id(self._plan.notification, message): message for message in answer.messages}

    async def settle(self, rows: Sequence[Any]) -> Recheck:
        """Withdraw what no longer holds, correct the decisions, start what should go instead."""
        routes = {row.id: self._route(row) for row in rows}
        valid = [row for row in rows if routes[row.id] is not None]
        wake = await self._confirm(valid)
        held, parted = await self._read_again(valid)
        wake += parted
        invalid = [row for row in rows if routes[row.id] is None]
        if not invalid:
            return Recheck(withdrawn=held, wake=tuple(sorted(set(wake))))
        on_record = await messages_of(self._connection, self._plan.notification, {row.contact for row in invalid})
        instead = await self._instead(invalid, on_record)
        telling = await self._telling(instead)
        message_of = {
            (student, message.contact): key for key, message in instead.items() for student in message.students
        }
        concerned = {(student, row.contact) for row in invalid for student in students_of(on_record[row.message])}
        changed = await correct_decisions(
            self._connection,
            self._plan.notification,
            self._plan.school.id,
            after_text_check(
                [decision for decision in self._decisions if (decision.student, decision.contact) in concerned],
                message_of,
                telling,
            ),
            message_of,
            at=self._now,
        )
        await add_tasks(self._connection, list(tasks_of(self._plan, changed, self._now)))
        started = await self._start(instead, telling)
        wake += [(row["lane"], row["batch"]) for row in started]
        await self._report_unreached(invalid, on_record, started)
        return Recheck(
            withdrawn=held
            | {row.id: self._reason(students_of(on_record[row.message]), row.contact) for row in invalid},
            wake=tuple(sorted(set(wake))),
        )

    def _route(self, row: Any) -> PlannedDelivery | None:
        """Find what the rules plan for this delivery now."""
        message = self._current.get(row.message)
        routes = () if message is None else message.deliveries
        return next((route for route in routes if route.point == row.point), None)

    async def _confirm(self, rows: Sequence[Any]) -> list[tuple[str, str]]:
        """Let deliveries go that still hold, with names or without (R29), in company or alone (R25, R26)."""
        await confirm(self._connection, [self._confirmed(row) for row in rows])
        alone = [row.id for row in rows if row.merged_into is not None and row.merged_into != self._carrier(row)]
        return await part_from_carriers(self._connection, followers=alone, now=self._now) if alone else []

    def _confirmed(self, row: Any) -> dict[str, Any]:
        point = self._points[row.point]
        return {
            "id": row.id,
            "directory_version": self._plan.directory_version,
            "neutral": row.point in self._neutral,
            "address": masked(point),
            "place": place_of(self._plan.school, point),
        }

    def _carrier(self, row: Any) -> str | None:
        """Name the delivery that may carry this one now."""
        route = self._route(row)
        if route is None or route.merged_into is None:
            return None
        carrier = self._points[route.merged_into]
        students = self._current[row.message].students
        return delivery_id(self._plan.notification, carrier.contact, carrier.id, students)

    async def _instead(self, invalid: Sequence[Any], on_record: dict[str, Any]) -> dict[str, PlannedMessage]:
        """Find the messages to start in place of those withdrawn, unless something of them has left."""
        left = await left_or_leaving(self._connection, list(on_record), [row.id for row in invalid])
        return {
            key: message
            for row in invalid
            if row.message not in left
            for key, message in self._replacements(row, on_record)
        }

    async def _telling(self, messages: Mapping[str, PlannedMessage]) -> dict[str, bool]:
        """Read the text again for messages by id: those whom nobody has confirmed, or can (R38)."""
        decided, plan = self._decided, self._plan
        telling = telling_messages(
            plan.notification, messages.values(), decided.request, decided.sources, decided.index, decided.files
        )
        if not telling:
            return {}
        contacts = {messages[key].contact for key in telling}
        confirmed = await confirmed_texts(self._connection, plan.school.id, plan.notification, contacts)
        return {
            key: confidential
            for key, confidential in telling.items()
            if confidential or not {(one, messages[key].contact) for one in messages[key].students} <= confirmed
        }

    async def _read_again(self, rows: Sequence[Any]) -> tuple[dict[str, Outcome], list[tuple[str, str]]]:
        """Keep back what tells its reader about another contact by now; gives the fate of claimed ones.

        In an emergency the contact gets a fixed notice in place of the text at once, as when it is planned (R45).
        """
        telling = await self._telling({row.message: self._current[row.message] for row in rows})
        kept = [row for row in rows if row.message in telling]
        if not kept:
            return {}, []
        messages = {row.message: self._current[row.message] for row in kept}
        message_of = {(student, one.contact): key for key, one in messages.items() for student in one.students}
        concerned = [one for one in self._decisions if (one.student, one.contact) in message_of]
        looked_at = after_text_check(concerned, message_of, telling)
        if self._plan.lane is Lane.EMERGENCY:
            await send_bare(self._connection, [row.id for row in kept], code=TELLING)
            await add_tasks(self._connection, list(tasks_of(self._plan, looked_at, self._now)))
            carriers = [row.id for row in kept if row.merged_into is None]
            return {}, await part_from_carriers(self._connection, carriers=carriers, now=self._now)
        await correct_decisions(
            self._connection, self._plan.notification, self._plan.school.id, looked_at, {}, at=self._now
        )
        await reopen_tasks(self._connection, list(tasks_of(self._plan, looked_at, self._now)))
        fates = {row.id: withdrawn(News.HELD, text_code(telling[row.message]), TELLING_REASON) for row in kept}
        claimed = {row.id: fates[row.id] for row in kept if row.state == State.SENDING}
        waiting = [row for row in kept if row.id not in claimed]
        await hold(self._connection, {row.id: str(fates[row.id].code) for row in waiting}, TELLING_REASON, at=self._now)
        await add_events(self._connection, [_held(row, self._now) for row in waiting if row.state != State.HELD])
        carriers = [row.id for row in waiting if row.merged_into is None]
        return claimed, await part_from_carriers(self._connection, carriers=carriers, now=self._now)

    async def _report_unreached(
        self, invalid: Sequence[Any], on_record: dict[str, Any], started: Sequence[dict[str, Any]]
    ) -> None:
        """Let nobody think that somebody has it whose last route is withdrawn although the rules would send (R24)."""
        alive = await still_alive(self._connection, [*on_record, *self._current], [row.id for row in invalid])
        alive |= {row["message"] for row in started}
        lacking = {(one.student, one.contact) for one in self._decisions if one.outcome is Verdict.SEND}
        lacking -= {
            (student, message.contact)
            for key, message in self._current.items()
            if key in alive
            for student in message.students
        }
        for row in invalid:
            if row.message not in alive:
                students = [each for each in students_of(on_record[row.message]) if (each, row.contact) in lacking]
                await add_tasks(self._connection, list(unreached(row, students, self._now)))

    async def _start(self, instead: dict[str, PlannedMessage], telling: dict[str, bool]) -> list[dict[str, Any]]:
        if not instead:
            return []
        await save_messages(
            self._connection, [message_row(self._plan, message, self._neutral) for message in instead.values()]
        )
        known = await tried(self._connection, list(instead))
        rows = [row for message in instead.values() for row in self._untried(message, known)]
        keep_back(self._plan, rows, telling)
        put_in_batches(self._plan.notification, rows)
        await add_deliveries(self._connection, rows)
        return rows

    def _replacements(self, row: Any, on_record: dict[str, Any]) -> Iterator[tuple[str, PlannedMessage]]:
        """Find the same message by other routes, or the messages that its students have come apart into."""
        if row.message in self._current:
            yield row.message, self._current[row.message]
            return
        students = set(students_of(on_record[row.message]))
        for key, message in self._current.items():
            if message.contact == row.contact and key not in on_record and students.intersection(message.students):
                yield key, message

    def _untried(self, message: PlannedMessage, known: set[str]) -> list[dict[str, Any]]:
        routes = [
            (position, route)
            for position, route in enumerate(message.deliveries)
            if delivery_id(self._plan.notification, message.contact, route.point, message.students) not in known
        ]
        if message.mode is Mode.FALLBACK:
            routes = routes[:1]
        return [
            # Each goes on its own: what could have carried it may have left already.
            delivery_row(self._plan, message, position, route, self._neutral, self._points, self._now)
            | {"merged_into": None}
            for position, route in routes
        ]

    def _reason(self, students: Sequence[str], contact: str) -> Outcome:
        for decision in self._decisions:
            if decision.contact == contact and decision.student in students and decision.outcome is not Verdict.SEND:
                return withdrawn(News.SUPPRESSED, decision.rule, _sentence(decision))
        return withdrawn(News.SUPPRESSED, "R44", "The contact's routes or the message's students have changed.")


def _held(row: Any, now: dt.datetime) -> dict[str, Any]:
    news, state = News.HELD.value, State.HELD.value
    return {"delivery": row.id, "at": now, "state": state, "news": news, "detail": TELLING_REASON}


def _sentence(decision: Decision) -> str:
    return f"{decision.rule}: {decision.reason}"
