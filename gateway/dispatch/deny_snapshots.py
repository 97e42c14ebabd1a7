"""Remembers whom the restrictions bar, signed, so that an alert can go out when they cannot be read (R46)."""

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Record, record_is_genuine, sign_record
from gateway.directory.model import Basis, Effect, Restriction, RestrictionStatus
from gateway.rules.policy import Policy
from gateway.rules.restrictions import is_live
from gateway.store.database import Database
from gateway.store.identity import derived_id
from gateway.store.people import RestrictionsUnreadableError, load_restrictions
from gateway.store.policies import load_governed
from gateway.store.snapshots import Snapshot, load_snapshot, save_snapshot, schools_without

_log = logging.getLogger(__name__)

EVERY = dt.timedelta(minutes=15)

LIFE = dt.timedelta(hours=24)
"""An older snapshot may miss too much."""

REST = dt.timedelta(minutes=1)
"""How long a school whose restrictions cannot be read is not asked again."""


ON_SNAPSHOT = "sent_on_snapshot"
"""The kind of the task about an alert that went out without a look at the register."""


class NoSnapshotError(RestrictionsUnreadableError):
    """The restrictions cannot be read, and there is no genuine snapshot young enough to stand in for them."""

    def __init__(self) -> None:
        super().__init__("There is no genuine snapshot of the denies of the last 24 hours.")


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """What an alert is decided on in place of the restrictions."""

    made_at: dt.datetime
    """When the snapshot in it was made."""
    restrictions: tuple[Restriction, ...]


class DenySnapshots:
    """Keeps every school's snapshot fresh, and gives it out when it is needed; several may run."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime], policy: Policy, secret_key: str) -> None:
        self._database = database
        self._now = now
        self._policy = policy
        self._secret_key = secret_key
        self._resting: dict[str, dt.datetime] = {}
        """Schools whose restrictions could not be read, and until when they are left alone."""

    async def round(self) -> None:
        """Make the snapshots that are due: every 15 minutes, and after every change of a directory."""
        now = self._now()
        self._resting = {school: until for school, until in self._resting.items() if until > now}
        async with self._database.reading() as connection:
            due = await schools_without(connection, made_since=now - EVERY)
        for school in due:
            if school in self._resting:
                continue
            try:
                await self._make(school, now)
            except RestrictionsUnreadableError:
                _log.exception("no_snapshot_made", extra={"school": school})
                self._resting[school] = now + REST

    async def _make(self, school: str, now: dt.datetime) -> None:
        async with self._database.writing() as connection:
            # Asked first: a change that comes in between makes the next round take another snapshot.
            known = await load_governed(connection, school, self._policy)
            if known is None:
                return
            document, version, policy = known
            today = now.astimezone(ZoneInfo(document.timezone)).date()
            barred = {
                (restriction.student, restriction.contact)
                for restriction in await load_restrictions(connection, school)
                if may_bar(restriction, today, policy)
            }
            snapshot = Snapshot(
                school=school, version=version, made_at=now.astimezone(dt.UTC), pairs=tuple(sorted(barred))
            )
            signature = sign_record(self._secret_key, Record.DENY_SNAPSHOT, snapshot.content)
            await save_snapshot(connection, snapshot, signature)

    async def stand_in(
        self, connection: AsyncConnection, school: str, unreadable: RestrictionsUnreadableError, *, now: dt.datetime
    ) -> StandIn:
        """Bar everyone in the last snapshot from everything, beside what can be read; raises `NoSnapshotError`."""
        snapshot = await load_snapshot(connection, school, is_genuine=self._is_genuine)
        if snapshot is None or abs(now - snapshot.made_at) > LIFE:
            raise NoSnapshotError from unreadable
        barred = tuple(
            Restriction(
                id=f"snapshot-{number}",
                student=student,
                contact=contact,
                effect=Effect.DENY,
                basis=Basis.SAFEGUARDING,
                status=RestrictionStatus.ACTIVE,
            )
            for number, (student, contact) in enumerate(snapshot.pairs)
        )
        # What was put on record since may well be among what can be read.
        return StandIn(made_at=snapshot.made_at, restrictions=(*unreadable.readable, *barred))

    def _is_genuine(self, content: bytes, signature: str) -> bool:
        return record_is_genuine(self._secret_key, Record.DENY_SNAPSHOT, content, signature)


def may_bar(restriction: Restriction, today: dt.date, policy: Policy) -> bool:
    """Tell whether a snapshot must remember a restriction: pure, and careful.

    A deny of any category or channel, draft or lapsed or still to begin, but none without an effect on information
    (R04): time with the child at weekends is no reason not to tell a father of an evacuation.
    """
    if restriction.effect is not Effect.DENY or not restriction.categories:
        return False
    return is_live(replace(restriction, from_=None), today, policy)


def alert_on_snapshot(notification: str, school: str, stand_in: StandIn, now: dt.datetime) -> dict[str, Any]:
    """Write the safeguarding lead's task about an alert that went out without a look at the register."""
    return {
        "id": derived_id(notification, "task", "snapshot"),
        "school": school,
        "kind": ON_SNAPSHOT,
        "notification": notification,
        "student": None,
        "contact": None,
        "delivery": None,
        "owner": "safeguarding",
        "detail": "R46: The restrictions cannot be read, so this alert went out on their snapshot of "
        f"{stand_in.made_at:%d %B %Y, %H:%M} UTC, to nobody whom a restriction then barred from anything. See whether "
        "somebody must be told by hand, and have the restrictions register repaired.",
        "created_at": now,
        "due_at": now,
        "done_at": None,
    }
