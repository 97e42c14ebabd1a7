"""A school with three notifications on PostgreSQL and Redis, posted without a server."""

import asyncio

import msgspec
from sqlalchemy import select

from gateway.access import Principal, Scope
from gateway.assembly import Gateway, assembled, utc_now
from gateway.directory.documents import read_directory
from gateway.dispatch.requests import Lane, NotificationRequest
from gateway.dispatch.roster import Roster
from gateway.settings import Settings
from gateway.store.tables import notifications
from tests.chaos.running import WITHIN

FAMILIES = 120
_PRINCIPAL = Principal(key="chaos", name="chaos", school="school", scopes=frozenset(Scope))
EVERY_LANE = [word for lane in Lane for word in ("--lane", lane.value)]
_CONTENT = {"language": "en", "subject": "News", "body": "Dear ((contact_name)), this is about ((student_names))."}


def school() -> bytes:
    """Write a school of two parents a child, who may be written to at any hour."""
    people = [(number, parent) for number in range(FAMILIES) for parent in "ab"]
    return msgspec.json.encode(
        {
            "school": {"id": "school", "name": "School"},
            "students": [{"id": f"s{number}", "given_name": "Robin"} for number in range(FAMILIES)],
            "contacts": [
                {"id": f"c{number}{parent}", "given_name": "Sam", "preferences": {"quiet_hours": None}}
                for number, parent in people
            ],
            "contact_points": [point for number, parent in people for point in points(f"c{number}{parent}")],
            "relationships": [
                {"student": f"s{number}", "contact": f"c{number}{parent}", "natural_parent": True}
                for number, parent in people
            ],
        }
    )


def points(contact: str) -> list[dict[str, str]]:
    """Give a contact a mailbox and a mobile."""
    digits = f"{int(contact[1:-1]) * 2 + (contact[-1] == 'b'):03}"
    return [
        {"id": f"{contact}-e", "contact": contact, "channel": "email", "address": f"{contact}@example.org"},
        {"id": f"{contact}-m", "contact": contact, "channel": "sms", "address": f"+447700900{digits}"},
    ]


async def post_all(gateway: Gateway) -> int:
    """Put the school and post an emergency, a report and a newsletter; gives how many pieces they come to."""
    today = utc_now().date()
    roster = Roster(gateway.database, gateway.services.library, now=utc_now)
    await roster.replace(read_directory(school(), today=today), today=today)
    for category in ("emergency", "report", "newsletter"):
        document = {
            "category": category,
            "purpose": "information",
            "audience": {"everyone": True},
            "content": _CONTENT,
            "reference": category,
        }
        request = msgspec.convert(document, NotificationRequest)
        await gateway.services.intake.accept(_PRINCIPAL, request, key=category)
    return FAMILIES * 2 * (2 + 1 + 1)


async def post_to(settings: Settings) -> int:
    """Do the same for an installation."""
    async with assembled(settings) as gateway:
        return await post_all(gateway)


async def until_finished(settings: Settings) -> None:
    """Wait until every notification is finished."""
    async with assembled(settings) as gateway, asyncio.timeout(WITHIN):
        open_ones = select(notifications.c.id).where(notifications.c.status != "finished").limit(1)
        while True:
            async with gateway.database.reading() as connection:
                if (await connection.execute(open_ones)).first() is None:
                    return
            await asyncio.sleep(0.05)
