"""Taking back what providers said of addresses, when the provider was wrong and not the address (R34)."""

import datetime as dt
from typing import Any

import msgspec
from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import ChannelName, PointState
from gateway.store.roster import raise_version
from gateway.store.tables import chronology, point_marks


async def lift_dead_marks(
    connection: AsyncConnection,
    school: str,
    channel: ChannelName,
    *,
    since: dt.datetime,
    domain: str | None,
    note: dict[str, Any],
    at: dt.datetime,
) -> int:
    """Use addresses again that were called dead since an instant, of mailboxes at one domain if that is given.

    Gives how many; `note` says in the chronology who did it and why. What the school itself calls dead stays dead.
    """
    table = point_marks.c
    conditions = [
        table.school == school,
        table.channel == channel.value,
        table.state == PointState.DEAD.value,
        table.at >= since,
    ]
    if domain is not None:
        conditions.append(table.address_key.endswith(f"@{domain}", autoescape=True))
    lifted = (await connection.execute(delete(point_marks).where(*conditions))).rowcount
    if lifted:
        await raise_version(connection, school, at=at)
        detail = msgspec.json.encode({**note, "lifted": lifted}).decode()
        entry = {"school": school, "at": at, "event": "marks_lifted", "detail": detail}
        await connection.execute(insert(chronology), [entry])
    return lifted
