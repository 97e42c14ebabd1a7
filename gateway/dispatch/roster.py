"""Replacing a school's directory: what a document changes is worked out, checked against the limits, then written."""

import datetime as dt
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.changes import MOST_ENDED, Changes, Held
from gateway.directory.documents import Reading, RefusedRow
from gateway.directory.doubts import find_doubts
from gateway.directory.importing import Note
from gateway.directory.importing import Refused as RefusedLine
from gateway.directory.model import School
from gateway.dispatch.address_notices import AddressNotices
from gateway.dispatch.library import Library
from gateway.dispatch.refusals import Refused
from gateway.store.address_changes import places_on_record
from gateway.store.database import Database
from gateway.store.roster import apply_changes, compare_directory
from gateway.store.statistics import MANY, refresh_statistics


class EntityCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What changed in one list of the directory."""

    added: int
    changed: int
    ended: int


class RosterReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload did, or with `dry_run` would do."""

    dry_run: bool
    added: int
    changed: int
    ended: int
    entities: dict[str, EntityCounts]
    refused: tuple[RefusedRow | RefusedLine, ...]
    held: tuple[Held, ...]
    notes: tuple[Note, ...] = ()


class Roster:
    """Writes directories."""

    def __init__(self, database: Database, library: Library, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._notices = AddressNotices(library)
        self._now = now

    async def replace(
        self,
        reading: Reading,
        *,
        today: dt.date,
        dry_run: bool = False,
        force: bool = False,
        lines: Sequence[RefusedLine] = (),
        notes: Sequence[Note] = (),
    ) -> RosterReport:
        """Bring the directory on record in line with a document; raises `Refused` when it would end too much."""
        directory = reading.directory
        async with self._database.writing() as connection:
            changes = await compare_directory(connection, directory, today=today, mentioned=reading.mentioned)
            if changes.ended_share > MOST_ENDED and not force and not dry_run:
                raise Refused(409, _too_much(changes))
            if not dry_run:
                await self._apply(connection, directory.school, changes)
        counts = {
            name: EntityCounts(added=len(own.added), changed=len(own.changed), ended=len(own.ended))
            for name, own in changes.collections.items()
        }
        if not dry_run and sum(own.added + own.changed + own.ended for own in counts.values()) >= MANY:
            await refresh_statistics(self._database)
        return RosterReport(
            dry_run=dry_run,
            added=sum(own.added for own in counts.values()),
            changed=sum(own.changed for own in counts.values()),
            ended=sum(own.ended for own in counts.values()),
            entities=counts,
            refused=(*lines, *reading.refused),
            held=(*changes.held, *find_doubts(directory)),
            notes=tuple(notes),
        )

    async def _apply(self, connection: AsyncConnection, school: School, changes: Changes) -> None:
        """Write the changes, and the notices to those whose contact details they change (R37)."""
        now = self._now()
        before = await places_on_record(connection, school.id, changes.readdressed)
        await apply_changes(connection, school, changes, at=now)
        await self._notices.write(connection, school, before, at=now)


def _too_much(changes: Changes) -> str:
    percent = round(changes.ended_share * 100)
    return (
        f"This would end {percent} % of all links between students and contacts, more than {MOST_ENDED:.0%}: "
        "check that the file is complete, or repeat the call with force=true."
    )
