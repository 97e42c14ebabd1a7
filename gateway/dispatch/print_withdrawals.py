"""Tells staff which letters that are printed already must not be posted any more: the last moment to keep them back.

Between the closing of a run and the post lies a night or a weekend. A court order of that time cannot take a letter
off the paper, but somebody can take it out of the stack; the same goes for an address that has changed.
"""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.places import place_of
from gateway.dispatch.chunks import message_id
from gateway.dispatch.deciding import Decided, decide_about
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.grouping import by_notification
from gateway.dispatch.print_news import not_to_be_posted
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.print_runs import note_look, printed_and_outdated
from gateway.store.sending import load_notifications, merged_with
from gateway.store.tasks import add_tasks

_log = logging.getLogger(__name__)

STILL_HERE = dt.timedelta(days=3)
"""So long after its closing a run of which nobody has said that it was posted may not have been."""

A_ROUND = 250
"""Letters."""

REST = dt.timedelta(seconds=30)
"""How long nothing is looked at again after something could not be decided about."""


class PrintWithdrawals:
    """Decides again about printed letters when the directory has changed; several may run."""

    def __init__(
        self, database: Database, *, policy: Policy, snapshots: DenySnapshots, now: Callable[[], dt.datetime]
    ) -> None:
        self._database = database
        self._policy = policy
        self._snapshots = snapshots
        self._now = now
        self._resting: dict[str, dt.datetime] = {}
        """Notifications that could not be decided about, and until when they stand back."""

    async def round(self) -> None:
        """Look at what was decided under an older directory."""
        now = self._now()
        self._resting = {key: until for key, until in self._resting.items() if until > now}
        async with self._database.reading() as connection:
            rows = await printed_and_outdated(
                connection, since=now - STILL_HERE, without=list(self._resting), limit=A_ROUND
            )
        for notification, group in by_notification(rows).items():
            try:
                await self._look_at(notification, group, now)
            except Exception:  # noqa: BLE001  # one notification's fault must not keep the others from a look
                _log.exception("printed_letters_not_looked_at", extra={"notification": notification})
                self._resting[notification] = now + REST

    async def _look_at(self, notification: str, rows: Sequence[Any], now: dt.datetime) -> None:
        async with self._database.writing() as connection:
            record = (await load_notifications(connection, [notification]))[notification]
            letters = await self._with_passengers(connection, rows)
            decided = await decide_about(
                connection,
                record,
                sorted({row.contact for row, _ in letters}),
                now=now,
                policy=self._policy,
                snapshots=self._snapshots,
            )
            barred = {letter.id: letter for row, letter in letters if not _holds(decided, row)}
            await add_tasks(connection, [not_to_be_posted(letter, now) for letter in barred.values()])
            await note_look(connection, [row.id for row in rows], version=decided.plan.directory_version)

    async def _with_passengers(self, connection: AsyncConnection, rows: Sequence[Any]) -> list[tuple[Any, Any]]:
        """Pair everything that travels with the letter that carries it: their own, and what was merged into it."""
        by_id = {row.id: row for row in rows}
        carried = await merged_with(connection, list(by_id))
        return [*((row, row) for row in rows), *((row, by_id[row.merged_into]) for row in carried)]


def _holds(decided: Decided, row: Any) -> bool:
    """Tell whether the rules would send this today, to the same place."""
    point = decided.points.get(row.point)
    return (
        point is not None
        and place_of(decided.plan.school, point) == row.place
        and any(
            message_id(decided.plan.notification, message) == row.message
            and any(route.point == row.point for route in message.deliveries)
            for message in decided.evaluation.answer.messages
        )
    )
