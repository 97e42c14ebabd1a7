"""Asks once more, before anything leaves, whether the decisions it rests on still hold (recipient rules P12, R44).

The rules run again for the contacts of a batch when the directory has changed or a day has passed since planning.
What no longer holds is withdrawn; what the same contact should get instead is started, unless something already left.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.masking import masked
from gateway.directory.model import School
from gateway.dispatch.chunks import (
    after_text_check,
    delivery_id,
    delivery_row,
    keep_back,
    message_id,
    message_row,
    put_in_batches,
    tasks_of,
)
from gateway.dispatch.deciding import Decided, decide_about
from gateway.dispatch.disclosing import telling_messages
from gateway.dispatch.messages import students_of
from gateway.dispatch.outcomes import Outcome, withdrawn
from gateway.rules.answer import Decision, Mode, PlannedDelivery, PlannedMessage
from gateway.rules.answer import Outcome as Verdict
from gateway.rules.policy import Policy
from gateway.store.people import place_of
from gateway.store.rechecking import (
    confirm,
    correct_decisions,
    left_or_leaving,
    messages_of,
    save_messages,
    tried,
)
from gateway.store.sending import add_deliveries, part_from_carriers
from gateway.store.tasks import add_tasks
from gateway.tracking.states import News


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
    connection: AsyncConnection, notification: Any, rows: Sequence[Any], *, now: dt.datetime, policy: Policy
) -> Recheck:
    """Decide again for the contacts of these deliveries, all of one notification."""
    contacts = sorted({row.contact for row in rows})
    decided = await decide_about(connection, notification, contacts, now=now, policy=policy)
    return await _Comparison(connection, decided, now).settle(rows)


class _Comparison:
    """Compares the plan on record with what the rules say now, and corrects it."""

    def __init__(self, connection: AsyncConnection, decided: Decided, now: dt.datetime) -> None:
        answer = decided.evaluation.answer
        self._connection = connection
        self._decided = decided
        self._plan = decided.plan
        self._decisions = answer.decisions
        self._neutral = decided.evaluation.neutral_points
        self._points = decided.points
        self._now = now
        self._current = {message_id(self._plan.notification, message): message for message in answer.messages}

    async def settle(self, rows: Sequence[Any]) -> Recheck:
        """Withdraw what no longer holds, correct the decisions, start what should go instead."""
        routes = {row.id: self._route(row) for row in rows}
        wake = await self._confirm([row for row in rows if routes[row.id] is not None])
        invalid = [row for row in rows if routes[row.id] is None]
        if not invalid:
            return Recheck(wake=tuple(wake))
        on_record = await messages_of(self._connection, self._plan.notification, {row.contact for row in invalid})
        instead = await self._instead(invalid, on_record)
        telling = self._telling(instead)
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
        wake += await self._start(instead, telling)
        return Recheck(
            withdrawn={row.id: self._reason(students_of(on_record[row.message]), row.contact) for row in invalid},
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
        return delivery_id(self._plan.notification, route.merged_into, self._current[row.message].students)

    async def _instead(self, invalid: Sequence[Any], on_record: dict[str, Any]) -> dict[str, PlannedMessage]:
        """Find the messages to start in place of those withdrawn, unless something of them has left."""
        left = await left_or_leaving(self._connection, list(on_record), [row.id for row in invalid])
        return {
            key: message
            for row in invalid
            if row.message not in left
            for key, message in self._replacements(row, on_record)
        }

    def _telling(self, instead: dict[str, PlannedMessage]) -> dict[str, bool]:
        """Check the text again for messages about other students than before (R38)."""
        decided = self._decided
        notification = self._plan.notification
        return telling_messages(notification, instead.values(), decided.request, decided.sources, decided.index)

    async def _start(self, instead: dict[str, PlannedMessage], telling: dict[str, bool]) -> list[tuple[str, str]]:
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
        return [(row["lane"], row["batch"]) for row in rows]

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
            if delivery_id(self._plan.notification, route.point, message.students) not in known
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


def _sentence(decision: Decision) -> str:
    return f"{decision.rule}: {decision.reason}"
