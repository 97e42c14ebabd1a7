"""A review's finding: holds that cannot be decided must not keep others from being looked at."""

import datetime as dt
from typing import Any

from sqlalchemy import update

from gateway.store.tables import notifications
from tests.flow.families import KID
from tests.flow.installation import Installation
from tests.unit.rules.households import PARENT, directory, relation

PEOPLE = [f"p{number:03}" for number in range(260)]


def people(responsibility: str) -> Any:
    """Let many live with the child whose standing nobody knows (R13)."""
    return directory(
        students=[KID],
        contacts=[{"id": person} for person in ("mum", *PEOPLE)],
        relationships=[
            relation("mum", "kid", **PARENT),
            *(relation(person, "kid", lives_with=True, parental_responsibility=responsibility) for person in PEOPLE),
        ],
    )


async def test_one_that_cannot_be_decided_does_not_hold_up_the_others(idle: Installation) -> None:
    """A broken alert with more holds than a round takes, and a meeting whose hold has gone."""
    await idle.put(people("unknown"))
    for category in ("emergency", "meeting"):
        await idle.post(category)
    rows = {row.category: row.id for row in await idle.rows(notifications)}
    for notification in rows.values():
        await idle.back.planner.plan(notification)
    async with idle.back.database.writing() as connection:
        await connection.execute(
            update(notifications).where(notifications.c.id == rows["emergency"]).values(sources="broken")
        )
    await idle.put(people("yes"))
    for _ in range(5):
        await idle.front.clock.round()
        idle.time.now += dt.timedelta(seconds=31)
    decided = await idle.decided(rows["meeting"])
    assert decided["kid", PEOPLE[0]] == "send R07"
