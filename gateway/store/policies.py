"""The schools' own settings on record, laid over the installation's defaults; without any, those apply."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import School
from gateway.rules.policy import Policy
from gateway.rules.policy_document import PolicyDocument, merged
from gateway.store.inserting import tolerant_insert
from gateway.store.roster import raise_version
from gateway.store.tables import chronology, policies, schools


class Governed(NamedTuple):
    """A school, the version of its directory, and the policy that both stand under."""

    school: School
    version: int
    policy: Policy


async def load_governed(connection: AsyncConnection, school: str, default: Policy) -> Governed | None:
    """Give the school with its version and policy as they stand together, or None when there is no such school."""
    query = (
        select(schools.c.document, schools.c.version, policies.c.document.label("policy"))
        .outerjoin(policies, policies.c.school == schools.c.id)
        .where(schools.c.id == school)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Governed(msgspec.json.decode(row.document, type=School), row.version, _policy(row.policy, default))


async def load_policy(connection: AsyncConnection, school: str, default: Policy) -> Policy:
    """Give the policy of one school."""
    query = select(policies.c.document).where(policies.c.school == school)
    return _policy((await connection.execute(query)).scalar_one_or_none(), default)


async def load_policies(connection: AsyncConnection, default: Policy) -> Mapping[str, Policy]:
    """Give the policies of those schools that have set something."""
    rows = await connection.execute(select(policies.c.school, policies.c.document))
    return {row.school: _policy(row.document, default) for row in rows}


async def find_settings(connection: AsyncConnection, school: str) -> Row[Any] | None:
    """Load what a school has set (`document`), whose key set it last (`changed_by`) and when (`changed_at`)."""
    return (await connection.execute(select(policies).where(policies.c.school == school))).one_or_none()


async def lock_school(connection: AsyncConnection, school: str) -> bool:
    """Keep others from changing the school's settings until the transaction ends; says whether there is a school."""
    query = select(schools.c.id).where(schools.c.id == school).with_for_update()
    return (await connection.execute(query)).first() is not None


async def save_settings(
    connection: AsyncConnection,
    school: str,
    document: PolicyDocument,
    *,
    before: PolicyDocument,
    by: str,
    at: dt.datetime,
) -> None:
    """Let other settings act: whatever has not left is decided again (R44), and who changed what is on record."""
    values = {"document": msgspec.json.encode(document).decode(), "changed_by": by, "changed_at": at}
    statement = tolerant_insert(connection, policies).values(school=school, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["school"], set_=values))
    detail = msgspec.json.encode({"by": by, "before": before, "after": document}).decode()
    await connection.execute(insert(chronology).values(school=school, at=at, event="policy_changed", detail=detail))
    await raise_version(connection, school, at=at)


def _policy(document: str | None, default: Policy) -> Policy:
    return default if document is None else merged(msgspec.json.decode(document, type=PolicyDocument), default)
