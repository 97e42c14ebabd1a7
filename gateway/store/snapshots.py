"""Whom a school's denies bar, kept apart from the register for the emergency in which that cannot be read (R46)."""

import datetime as dt
from collections.abc import Callable

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.inserting import tolerant_insert
from gateway.store.tables import deny_snapshots, schools

Pair = tuple[str, str]
"""A student and a contact who is barred from something about them."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All of one school's barred pairs at one moment, under one version of its directory."""

    school: str
    version: int
    made_at: dt.datetime
    """In UTC."""
    pairs: tuple[Pair, ...]

    @property
    def content(self) -> bytes:
        """What is signed: everything, so that no part can be exchanged for that of another snapshot."""
        return msgspec.json.encode(self)


async def schools_without(connection: AsyncConnection, *, made_since: dt.datetime) -> list[str]:
    """Name the schools whose snapshot is missing, older than that, or of another version than their directory."""
    query = (
        select(schools.c.id)
        .outerjoin(deny_snapshots, deny_snapshots.c.school == schools.c.id)
        .where(
            or_(
                deny_snapshots.c.school.is_(None),
                deny_snapshots.c.made_at <= made_since,
                deny_snapshots.c.version != schools.c.version,
            )
        )
        .order_by(schools.c.id)
    )
    return list((await connection.execute(query)).scalars())


async def save_snapshot(connection: AsyncConnection, snapshot: Snapshot, signature: str) -> None:
    """Put a snapshot in the place of the school's last one."""
    statement = tolerant_insert(connection, deny_snapshots).values(
        school=snapshot.school,
        version=snapshot.version,
        made_at=snapshot.made_at,
        document=msgspec.json.encode(snapshot.pairs).decode(),
        signature=signature,
    )
    values = {name: statement.excluded[name] for name in ("version", "made_at", "document", "signature")}
    await connection.execute(statement.on_conflict_do_update(index_elements=["school"], set_=values))


async def load_snapshot(
    connection: AsyncConnection, school: str, *, is_genuine: Callable[[bytes, str], bool]
) -> Snapshot | None:
    """Give the school's last snapshot if there is one and it is genuine; nothing of a forged one is believed."""
    row = (await connection.execute(select(deny_snapshots).where(deny_snapshots.c.school == school))).one_or_none()
    if row is None:
        return None
    try:
        pairs = msgspec.json.decode(row.document, type=tuple[Pair, ...])
    except msgspec.DecodeError:
        return None
    snapshot = Snapshot(school=school, version=row.version, made_at=row.made_at, pairs=pairs)
    return snapshot if is_genuine(snapshot.content, row.signature) else None
