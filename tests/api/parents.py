"""A small school with a running gateway, and parents who follow the links in what it sent them."""

import datetime as dt
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import Row, func, select

from gateway.access import Principal, Scope
from gateway.assembly import Gateway, assembled
from gateway.directory.documents import read_directory
from gateway.dispatch.requests import NotificationRequest
from gateway.dispatch.roster import Roster
from gateway.settings import Settings
from gateway.store.database import Database
from gateway.store.migrate import migrate
from gateway.store.tables import chronology, deliveries, delivery_events, document_openings, messages, wishes
from gateway.web import make_application
from tests.store.databases import laid_out

SECRET = "the key that signs the links of this test"
PUBLIC_URL = "http://gateway.example.org"
SCHOOL = "hollins"
MONDAY = dt.datetime(2026, 6, 15, 10, tzinfo=dt.UTC)

ANA_BORN = {"day": "9", "month": "5", "year": "2014"}
WRONG_DATE = {"day": "9", "month": "5", "year": "2013"}


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> dt.datetime:
        """Tell the time."""
        return self.now

    def advance(self, **duration: int) -> None:
        """Let time pass."""
        self.now += dt.timedelta(**duration)


def directory() -> dict[str, Any]:
    """Describe the school: Ana's parents live apart, Ben's date of birth is not known.

    Shazia reads Urdu; Thomas reads large print and gets e-mail; Grace, Ben's mother, has a letter address; Maya,
    Cleo's mother, has a mobile number only; Cleo's date of birth is not known either.
    """
    parent = {"parental_responsibility": "yes", "natural_parent": True}
    return {
        "school": {"id": SCHOOL, "name": "Hollins Lane School", "language": "en"},
        "students": [
            {"id": "ana", "given_name": "Ana", "family_name": "Malik", "birth_date": "2014-05-09"},
            {"id": "ben", "given_name": "Ben", "family_name": "Obi"},
            {"id": "cleo", "given_name": "Cleo", "family_name": "Hart"},
            {"id": "dan", "given_name": "Dan", "family_name": "Reed", "birth_date": "2013-12-01"},
        ],
        "contacts": [
            {"id": "shazia", "title": "Ms", "given_name": "Shazia", "family_name": "Malik", "language": "ur"},
            {"id": "thomas", "given_name": "Thomas", "family_name": "Reid", "formats": ["large_print_20"]},
            {"id": "grace", "given_name": "Grace", "family_name": "Obi"},
            {"id": "maya", "given_name": "Maya", "family_name": "Hart"},
            {"id": "joan", "given_name": "Joan", "family_name": "Reed"},
            {"id": "paul", "given_name": "Paul", "family_name": "Reed"},
            {"id": "omar", "given_name": "Omar", "family_name": "Reed"},
        ],
        "contact_points": [
            {"id": "shazia-e", "contact": "shazia", "channel": "email", "address": "shazia@example.org"},
            {"id": "thomas-e", "contact": "thomas", "channel": "email", "address": "thomas@example.org"},
            {"id": "grace-e", "contact": "grace", "channel": "email", "address": "grace@example.org"},
            {
                "id": "grace-l",
                "contact": "grace",
                "channel": "letter",
                "address": {"lines": ["4 Larch Close"], "postcode": "ZZ9 9ZZ"},
            },
            {"id": "maya-m", "contact": "maya", "channel": "sms", "address": "07700 900001"},
            {"id": "joan-e", "contact": "joan", "channel": "email", "address": "reeds@example.org"},
            {"id": "paul-e", "contact": "paul", "channel": "email", "address": "reeds@example.org"},
            {"id": "omar-m", "contact": "omar", "channel": "sms", "address": "07700 900002"},
        ],
        "households": [{"id": "reeds", "members": ["joan", "paul"]}],
        "relationships": [
            {"student": "ana", "contact": "shazia", "relation": "mother", "lives_with": True, **parent},
            {"student": "ana", "contact": "thomas", "relation": "father", **parent},
            {"student": "ben", "contact": "grace", "relation": "mother", "lives_with": True, **parent},
            {"student": "cleo", "contact": "maya", "relation": "mother", "lives_with": True, **parent},
            {"student": "dan", "contact": "joan", "relation": "mother", "lives_with": True, **parent},
            {"student": "dan", "contact": "paul", "relation": "step-father", "lives_with": True, **parent},
            {"student": "dan", "contact": "omar", "relation": "father", **parent},
        ],
        "restrictions": [],
    }


def barring(student: str, contact: str, **details: object) -> dict[str, Any]:
    """Write a court order in force."""
    return {
        "id": f"order-{student}-{contact}",
        "student": student,
        "contact": contact,
        "effect": "deny",
        "basis": "court_order",
        "status": "active",
        "from": "2026-06-01",
        **details,
    }


REPORT: dict[str, Any] = {
    "category": "report",
    "purpose": "progress",
    "audience": {"everyone": True},
    "template": "report_ready",
    "values": {"term": "Summer term 2026"},
    "student_values": {},
}
COMMENT = "Reads with growing confidence."


def report(*students: str) -> dict[str, Any]:
    """Write the reports of these students."""
    own = {student: {"attendance_percent": "96", "teacher_comment": COMMENT} for student in students}
    return {**REPORT, "audience": {"students": list(students)}, "student_values": own}


def letter_of(category: str, *students: str, purpose: str = "information") -> dict[str, Any]:
    """Write something of one's own about these students."""
    return {
        "category": category,
        "purpose": purpose,
        "audience": {"students": list(students)},
        "content": {"language": "en", "subject": "Summer fair", "body": "Dear ((contact_name)),\n\nCome to the fair."},
    }


@dataclass
class Post:
    """The school's gateway, as tests see it."""

    gateway: Gateway
    client: TestClient[Any, Any]
    clock: Clock
    outbox: Path

    async def enrol(self, document: dict[str, Any]) -> None:
        """Import a directory."""
        reading = read_directory(json.dumps(document).encode(), today=self.clock.now.date())
        assert not reading.refused
        await Roster(self.gateway.database, self.gateway.services.library, now=self.clock).replace(
            reading, today=self.clock.now.date(), force=True
        )

    async def send(self, wanted: dict[str, Any]) -> str:
        """Post a notification and send what is due of it; gives its id."""
        notification = await self.plan(wanted)
        await self.deliver(notification)
        return notification

    async def plan(self, wanted: dict[str, Any]) -> str:
        """Post and plan a notification."""
        principal = Principal(key="k", name="test", school=SCHOOL, scopes=frozenset({Scope.ADMIN}))
        request = msgspec.convert(wanted, NotificationRequest)
        accepted = await self.gateway.services.intake.accept(principal, request, key=None)
        notification = str(json.loads(accepted.body)["id"])
        await self.gateway.planner.plan(notification)
        return notification

    async def deliver(self, notification: str) -> None:
        """Send what is due of a planned notification."""
        for batch in {row.batch for row in await self.rows(deliveries.c.notification == notification)}:
            await self.gateway.sender.send(batch)

    async def rows(self, *conditions: Any, table: Any = deliveries) -> list[Row[Any]]:
        """Read a table."""
        async with self.gateway.database.reading() as connection:
            return list(await connection.execute(select(table).where(*conditions)))

    async def delivery(self, notification: str, contact: str) -> Row[Any]:
        """Find the one delivery that left for a contact."""
        (row,) = await self.rows(
            deliveries.c.notification == notification, deliveries.c.contact == contact, deliveries.c.state == "sent"
        )
        return row

    async def mail(self, notification: str, contact: str) -> Any:
        """Read the mail a contact got."""
        row = await self.delivery(notification, contact)
        return message_from_bytes((self.outbox / "email" / f"{row.id}.eml").read_bytes(), policy=policy.default)

    async def link(self, notification: str, contact: str) -> str:
        """Find the path of the document link in the mail or text message that a contact got."""
        row = await self.delivery(notification, contact)
        if row.channel == "email":
            mail = await self.mail(notification, contact)
            text = mail.get_body(("plain",)).get_content()
        else:
            texts = map(json.loads, (self.outbox / "sms.jsonl").read_text().splitlines())
            text = next(text["body"] for text in texts if text["delivery"] == row.id)
        found = re.search(rf"{re.escape(PUBLIC_URL)}(/d/[\w.]+)", text)
        assert found is not None
        return found[1]

    async def unsubscribe_link(self, notification: str, contact: str) -> str:
        """Find the path in a mail's List-Unsubscribe header."""
        mail = await self.mail(notification, contact)
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        return urlsplit(str(mail["List-Unsubscribe"]).strip("<>")).path

    async def footprint(self) -> list[int]:
        """Count what a reader could leave behind."""
        tables = (document_openings, delivery_events, chronology, wishes, messages)
        async with self.gateway.database.reading() as connection:
            return [
                (await connection.execute(select(func.count()).select_from(table))).scalar_one() for table in tables
            ]


@asynccontextmanager
async def opened_post(database_url: str, outbox: Path) -> AsyncIterator[Post]:
    """Run the gateway of the school, with its pages on loopback."""
    clock = Clock()
    settings = Settings(
        database_url=laid_out(database_url), outbox_dir=outbox, public_url=PUBLIC_URL, secret_key=SECRET
    )
    database = Database(database_url)
    await migrate(database)
    await database.close()
    async with assembled(settings, now=clock) as gateway:
        await gateway.open_providers()
        async with TestClient(TestServer(make_application(gateway.services))) as client:
            post = Post(gateway=gateway, client=client, clock=clock, outbox=outbox)
            await post.enrol(directory())
            yield post
