"""A provider's bad day is not the end of every address it called dead (R34)."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from sqlalchemy import insert, select

from gateway.store.tables import chronology, point_marks, schools
from tests.api.office import Office, opened

LIFT = "/v1/address-marks/lift"


@pytest_asyncio.fixture
async def office(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Serve a school that has learnt of six addresses that they are dead or blocked."""
    async with opened(database_url, tmp_path) as office:
        async with office.gateway.database.writing() as connection:
            school = (await connection.execute(select(schools.c.id))).scalar_one()
            now = office.clock()
            marks = [
                (school, "email", "a@mail.example.org", "dead", now),
                (school, "email", "b@mail.example.org", "dead", now - dt.timedelta(days=2)),
                (school, "email", "c@example.org", "dead", now),
                (school, "email", "d@notmail.example.org", "dead", now),
                (school, "sms", "+447700900001", "carrier_blocked", now),
                ("another", "email", "a@mail.example.org", "dead", now),
            ]
            names = ("school", "channel", "address_key", "state", "at")
            rows = [dict(zip(names, mark, strict=True)) | {"reason": "5.1.1"} for mark in marks]
            await connection.execute(insert(point_marks), rows)
        yield office


async def left(office: Office) -> list[str]:
    """List the addresses that are still marked."""
    async with office.gateway.database.reading() as connection:
        rows = await connection.execute(select(point_marks.c.school, point_marks.c.address_key))
        return sorted(f"{row.school[:1]} {row.address_key}" for row in rows)


async def test_one_domains_bad_hour_is_forgotten(office: Office) -> None:
    """What was learnt before, elsewhere, of another kind or by another school stays; the record says who and why."""
    since = (office.clock() - dt.timedelta(hours=1)).isoformat()
    body = {"channel": "email", "since": since, "domain": "Mail.example.org", "reason": "Their fault."}
    before = await left(office)
    assert (await office.post(LIFT, body)).json == {"lifted": 1}
    gone = set(before) - set(await left(office))
    assert {mark.partition(" ")[2] for mark in gone} == {"a@mail.example.org"}
    assert len(await left(office)) == 5
    async with office.gateway.database.reading() as connection:
        entries = [row.event for row in await connection.execute(select(chronology.c.event))]
    assert "marks_lifted" in entries
    assert (await office.post(LIFT, body)).json == {"lifted": 0}


async def test_a_whole_channel_and_what_is_refused(office: Office) -> None:
    """Without a domain all of the channel; blocked numbers stay blocked, and only administrators may."""
    since = (office.clock() - dt.timedelta(days=3)).isoformat()
    assert (await office.post(LIFT, {"channel": "sms", "since": since, "reason": "x"})).json == {"lifted": 0}
    assert (await office.post(LIFT, {"channel": "email", "since": since, "reason": "x"})).json == {"lifted": 4}
    odd = await office.post(LIFT, {"channel": "sms", "since": since, "reason": "x", "domain": "example.org"})
    assert (odd.status, odd.json["errors"][0]["pointer"]) == (422, "/domain")
    assert (await office.post(LIFT, {"channel": "email", "since": since, "reason": "x"}, key="send")).status == 403
