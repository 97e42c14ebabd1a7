"""What a school's other systems do during a schedule: they put a directory, post notifications, and try again."""

import asyncio
import datetime as dt
from dataclasses import dataclass

import aiohttp
import msgspec

from gateway.access import Scope, make_key
from gateway.assembly import utc_now
from gateway.store.database import Database
from gateway.store.keys import add_key

FAMILIES = 24
TRIES_FOR_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
_TIMEOUT = aiohttp.ClientTimeout(total=4)
_AGAIN = frozenset({409, 429, 500, 502, 503, 504})
"""Answers after which a caller tries again with the same key, as the API asks it to."""

ROUTES = {"emergency": ("email", "sms"), "report": ("email",), "newsletter": ("email",)}
"""By category, what each contact of the school gets."""


class NotTakenError(Exception):
    """The gateway refused or never took what it should have taken."""


@dataclass(frozen=True, kw_only=True)
class School:
    """A school of a schedule's own, and its key."""

    name: str
    key: str
    families: int = FAMILIES

    @property
    def contacts(self) -> list[str]:
        """Name its contacts: two parents a child."""
        return [f"{self.name}-c{number}{parent}" for number in range(self.families) for parent in "ab"]

    def directory(self) -> bytes:
        """Write its directory: everybody may be written to at any hour."""
        named = [
            (number, parent, f"{self.name}-c{number}{parent}") for number in range(self.families) for parent in "ab"
        ]
        return msgspec.json.encode(
            {
                "school": {"id": self.name, "name": "School"},
                "students": [{"id": f"s{number}", "given_name": "Robin"} for number in range(self.families)],
                "contacts": [
                    {"id": name, "given_name": "Sam", "preferences": {"quiet_hours": None}} for _, _, name in named
                ],
                "contact_points": [
                    point
                    for number, parent, name in named
                    for point in (
                        {"id": f"{name}-e", "contact": name, "channel": "email", "address": f"{name}@example.org"},
                        {
                            "id": f"{name}-m",
                            "contact": name,
                            "channel": "sms",
                            "address": f"+447700900{number * 2 + (parent == 'b'):03}",
                        },
                    )
                ],
                "relationships": [
                    {"student": f"s{number}", "contact": name, "natural_parent": True} for number, _, name in named
                ],
            }
        )


async def new_school(database: Database, name: str) -> School:
    """Make a school with a key of its own."""
    key = make_key()
    async with database.writing() as connection:
        await add_key(connection, key, name=name, scopes=[Scope.ADMIN], school=name, at=utc_now())
    return School(name=name, key=key.text)


async def put_directory(session: aiohttp.ClientSession, base: str, school: School) -> None:
    """Put the school's directory."""
    await _insist(session, "PUT", f"{base}/v1/directory", school, school.directory(), key=None)


async def post(session: aiohttp.ClientSession, base: str, school: School, category: str, reference: str) -> str:
    """Post a notification until it is taken; gives its id. The reference is its key and stands in its text."""
    document = {
        "category": category,
        "purpose": "information",
        "audience": {"everyone": True},
        "content": {
            "language": "en",
            "subject": f"News {reference}",
            "body": f"Dear ((contact_name)), {reference} is about ((student_names)).",
        },
        "reference": reference,
    }
    body = msgspec.json.encode(document)
    answer = await _insist(session, "POST", f"{base}/v1/notifications", school, body, key=reference)
    return str(msgspec.json.decode(answer)["id"])


async def _insist(
    session: aiohttp.ClientSession, method: str, url: str, school: School, body: bytes, *, key: str | None
) -> bytes:
    """Ask again, as a caller would, while the gateway is away or says so."""
    headers = {"Authorization": f"Bearer {school.key}", "Content-Type": "application/json"}
    if key is not None:
        headers["Idempotency-Key"] = key
    deadline = utc_now() + dt.timedelta(seconds=TRIES_FOR_SECONDS)
    last = ""
    while utc_now() < deadline:
        try:
            async with session.request(method, url, data=body, headers=headers, timeout=_TIMEOUT) as answer:
                content = await answer.read()
                if answer.ok:
                    return content
                last = f"{answer.status} {content[:300].decode(errors='replace')}"
                if answer.status not in _AGAIN:
                    break
        except (aiohttp.ClientError, OSError) as error:
            last = type(error).__name__
        await asyncio.sleep(_PAUSE_SECONDS)
    raise NotTakenError(f"{method} {url} was not taken: {last}")
