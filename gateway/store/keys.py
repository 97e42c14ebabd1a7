"""API keys on record."""

import datetime as dt
from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import NewKey, Principal, Scope, same_secret, split_key
from gateway.store.people import only_school
from gateway.store.tables import api_keys


async def add_key(
    connection: AsyncConnection,
    key: NewKey,
    *,
    name: str,
    scopes: Collection[Scope],
    school: str | None,
    at: dt.datetime,
) -> None:
    """Store a new key by its hash; without a school it serves the installation's only one."""
    await connection.execute(
        insert(api_keys).values(
            id=key.id,
            school=school,
            name=name,
            scopes=" ".join(sorted(scopes)),
            secret_hash=key.secret_hash,
            created_at=at,
        )
    )


async def revoke_key(connection: AsyncConnection, key: str, *, at: dt.datetime) -> bool:
    """Revoke a key; says whether there was such a live key."""
    result = await connection.execute(
        update(api_keys).where(api_keys.c.id == key, api_keys.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    return result.rowcount == 1


async def list_keys(connection: AsyncConnection) -> list[Row[Any]]:
    """List all keys, revoked ones too, oldest first."""
    return list(await connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)))


async def find_principal(
    connection: AsyncConnection, text: str, *, named_school: str | None = None
) -> Principal | None:
    """Tell who presents this key, or None when it is no live key of ours.

    An unbound key serves the only school; before there is one, `named_school` (the directory that is just
    being put) names it.
    """
    parts = split_key(text)
    if parts is None:
        return None
    identifier, secret = parts
    row = (
        await connection.execute(select(api_keys).where(api_keys.c.id == identifier, api_keys.c.revoked_at.is_(None)))
    ).one_or_none()
    if row is None or not same_secret(secret, row.secret_hash):
        return None
    school = row.school or await only_school(connection) or named_school or ""
    return Principal(
        key=row.id, name=row.name, school=school, scopes=frozenset(Scope(scope) for scope in row.scopes.split())
    )
