"""A whole gateway at work in one test: real planner, sender, clock, database, queue and outbox; time stands still."""

import asyncio
import datetime as dt
import email
import email.policy
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pypdf
from sqlalchemy import Table, and_, or_, select

from channels.base import Call, Envelope, Mail, Sheet, Text
from channels.errors import Retry, SendError
from gateway.access import Principal, Scope
from gateway.assembly import Gateway, assembled
from gateway.directory.documents import without_problems
from gateway.directory.model import Directory
from gateway.dispatch.requests import Lane, NotificationRequest
from gateway.dispatch.roster import Roster, RosterReport
from gateway.settings import Settings
from gateway.settings.email import EmailSettings
from gateway.store.notifications import count, unfinished
from gateway.store.tables import attempts, chronology, decisions, deliveries, notifications, tasks

MONDAY = dt.datetime(2026, 6, 15, 10, 0, tzinfo=ZoneInfo("Europe/London")).astimezone(dt.UTC)
PATIENCE = 30.0
"""Seconds of real time after which a condition is given up; a busy machine needs a few."""
SECRET = "invented-secret-of-the-flow-tests!"

GONE = SendError(retry=Retry.NEVER, code="mailbox_unavailable", explanation="It does not exist.", address_dead=True)
REFUSED = SendError(retry=Retry.NEVER, code="refused", explanation="The provider will not take it.")
LATER = SendError(retry=Retry.LATER, code="busy", explanation="The provider is busy.")
SILENCE = SendError(retry=Retry.UNKNOWN, code="timed_out", explanation="The provider did not answer.")

Fault = Callable[[Envelope], SendError | None]


@dataclass
class Time:
    """Stands still until a test moves it."""

    now: dt.datetime = MONDAY

    def __call__(self) -> dt.datetime:
        """Tell the time."""
        return self.now


@dataclass
class Faults:
    """What the outbox has been told to refuse; remembers every envelope it was shown."""

    seen: list[Envelope] = field(default_factory=list)
    _by_address: dict[str, list[SendError | Fault]] = field(default_factory=dict)
    _always: dict[str, SendError] = field(default_factory=dict)

    def __call__(self, envelope: Envelope) -> SendError | None:
        """Answer for one envelope."""
        self.seen.append(envelope)
        address = recipient(envelope)
        waiting = self._by_address.get(address)
        if waiting:
            fault = waiting.pop(0)
            return fault(envelope) if callable(fault) else fault
        return self._always.get(address)

    def once(self, address: str, *faults: SendError | Fault) -> None:
        """Answer the next envelopes to this address so, one after the other."""
        self._by_address.setdefault(address, []).extend(faults)

    def always(self, address: str, error: SendError) -> None:
        """Answer every envelope to this address so."""
        self._always[address] = error


def recipient(envelope: Envelope) -> str:
    """Give the address an envelope is for; of a letter its first line below the name."""
    match envelope.payload:
        case Mail(recipient=address) | Text(recipient=address) | Call(recipient=address):
            return address
        case Sheet(address=lines):
            return lines[1]


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """What has left."""

    folder: Path

    def mails(self) -> dict[str, EmailMessage]:
        """Give the mails by delivery id."""
        parsed = {}
        for path in sorted((self.folder / "email").glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            parsed[path.stem] = message
        return parsed

    def mailed(self) -> list[str]:
        """List the addresses that have a mail, in order."""
        return sorted(message["To"].addresses[0].addr_spec for message in self.mails().values())

    def lines(self, name: str) -> list[dict[str, Any]]:
        """List the text messages (`sms`) or calls (`voice`) in the order they left."""
        path = self.folder / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def letters(self) -> dict[str, str]:
        """Give the words of the letters by delivery id."""
        return {
            path.stem: " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(path).pages).split())
            for path in sorted((self.folder / "letters").glob("*.pdf"))
        }

    def everything(self) -> str:
        """Give all that left as one text: every file as it is, and what mails and letters say once decoded."""
        raw = [path.read_bytes().decode("latin-1") for path in sorted(self.folder.rglob("*")) if path.is_file()]
        decoded = [
            f"{list(message.items())} {part.get_content()}"
            for message in self.mails().values()
            for part in message.walk()
            if not part.is_multipart()
        ]
        return "\n".join([*raw, *decoded, *self.letters().values()])


@dataclass(frozen=True, kw_only=True)
class Installation:
    """One gateway: the front takes requests and keeps the clock, the back plans and sends."""

    front: Gateway
    back: Gateway
    time: Time
    faults: Faults
    outbox: Outbox

    async def put(self, directory: Directory) -> RosterReport:
        """Replace the school's directory."""
        today = self.time().astimezone(ZoneInfo(directory.school.timezone)).date()
        reading = without_problems(directory, today=today)
        assert reading.refused == ()
        return await Roster(self.front.database, self.front.services.library, now=self.time).replace(
            reading, today=today, force=True
        )

    async def post(self, category: str, *, key: str | None = None, **fields: Any) -> str:
        """Post a notification with a short free text about the student `kid`; gives its id."""
        return id_of(await self.accept(category, key=key, **fields))

    async def accept(self, category: str, *, key: str | None = None, **fields: Any) -> bytes:
        """Post a notification; gives the answer."""
        document = {
            "category": category,
            "purpose": "information",
            "audience": {"students": ["kid"]},
            **({} if "template" in fields else {"content": CONTENT}),
            **fields,
        }
        request = msgspec.convert(document, NotificationRequest)
        return (await self.front.services.intake.accept(PRINCIPAL, request, key=key)).body

    async def at_rest(self) -> None:
        """Wait until nothing is due and nobody is at work; the clock makes no round, so wake-ups alone must do."""
        await self.until(self._is_at_rest)

    async def forward(self, **span: float) -> None:
        """Move the time, let the clock make a round and look for news, and wait until all is at rest."""
        await self.move_to(self.time() + dt.timedelta(**span))

    async def move_to(self, instant: dt.datetime) -> None:
        """Move the time to an instant; the same."""
        self.time.now = instant
        await self.front.clock.round()
        await self.front.services.receipts.take_parked()
        await self.at_rest()

    async def send_due(self) -> None:
        """Do the workers' part by hand: send what is due, and what that starts, until nothing is."""
        due = select(deliveries.c.batch).where(
            deliveries.c.state.in_(("queued", "retrying", "unknown")),
            deliveries.c.merged_into.is_(None),
            deliveries.c.due_at <= self.time(),
        )
        while True:
            async with self.front.database.reading() as connection:
                batches = sorted(set((await connection.execute(due)).scalars()))
            if not batches:
                return
            for batch in batches:
                await self.back.sender.send(batch)

    async def comes_to(self, notification: str, states: dict[str, str]) -> None:
        """Wait until the contact points' deliveries have come to these states, and the status with them."""

        async def there() -> bool:
            if await self.states(notification) != states:
                return False
            async with self.front.database.reading() as connection:
                return not await unfinished(connection)

        await self.until(there)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a condition holds, for seconds at most."""
        deadline = time.monotonic() + PATIENCE
        while not await condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"this never came true: {Counter((await self.states()).values())}")
            await asyncio.sleep(0.01)

    async def _is_at_rest(self) -> bool:
        now, waiting = self.time(), deliveries.c
        planning = select(notifications.c.id).where(
            notifications.c.status.in_(("accepted", "planning")), notifications.c.send_at <= now
        )
        active = select(waiting.id).where(
            or_(
                waiting.state == "sending",
                and_(
                    waiting.state.in_(("queued", "retrying", "unknown")),
                    waiting.merged_into.is_(None),
                    waiting.due_at <= now,
                ),
            )
        )
        async with self.front.database.reading() as connection:
            if any([(await connection.execute(query.limit(1))).first() for query in (planning, active)]):
                return False
            return not await unfinished(connection)

    async def rows(self, table: Table, *conditions: Any) -> list[Any]:
        """Read rows."""
        async with self.front.database.reading() as connection:
            query = select(table).where(*conditions).order_by(*table.primary_key.columns)
            return list(await connection.execute(query))

    async def deliveries(self, notification: str | None = None) -> list[Any]:
        """List deliveries in the order of their contact points."""
        conditions = [] if notification is None else [deliveries.c.notification == notification]
        return sorted(await self.rows(deliveries, *conditions), key=lambda row: row.point)

    async def states(self, notification: str | None = None) -> dict[str, str]:
        """Give the state of each contact point's delivery."""
        return {row.point: row.state for row in await self.deliveries(notification)}

    async def status(self, notification: str) -> str:
        """Give a notification's status."""
        (row,) = await self.rows(notifications, notifications.c.id == notification)
        return str(row.status)

    async def decided(self, notification: str) -> dict[tuple[str, str], str]:
        """Give each pair's outcome and rule."""
        rows = await self.rows(decisions, decisions.c.notification == notification)
        return {(row.student, row.contact): f"{row.outcome} {row.rule}" for row in rows}

    async def tasks(self) -> list[Any]:
        """List what people have to do."""
        return await self.rows(tasks, tasks.c.done_at.is_(None))

    async def attempts(self, delivery: str) -> list[Any]:
        """List the attempts of one delivery."""
        return await self.rows(attempts, attempts.c.delivery == delivery)

    async def events(self) -> list[str]:
        """List what happened to people's records."""
        return [row.event for row in await self.rows(chronology)]

    async def counts(self, notification: str) -> Mapping[str, Any]:
        """Count what a notification has come to."""
        async with self.front.database.reading() as connection:
            return await count(connection, notification)


CONTENT = {
    "language": "en",
    "subject": "News of ((student_names))",
    "body": "Dear ((contact_name)),\n\nthis is about ((student_names)).",
}
PRINCIPAL = Principal(key="flow", name="flow", school="school", scopes=frozenset(Scope))


def id_of(answer: bytes) -> str:
    """Read the notification's id from the answer."""
    return str(msgspec.json.decode(answer)["id"])


@asynccontextmanager
async def installed(
    database_url: str,
    redis_url: str | None,
    folder: Path,
    *,
    working: bool = True,
    reply_domain: str | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[Installation]:
    """Set a gateway up: embedded in one piece, or with a queue on Redis between front and back.

    Not `working`, wake-ups are announced and nobody takes them. `changes` are settings that differ from the usual.
    """
    usual = {"secret_key": SECRET, "email": EmailSettings(reply_domain=reply_domain), "webhooks_allow_private": True}
    settings = Settings(
        database_url=database_url, redis_url=redis_url, outbox_dir=folder / "outbox", **{**usual, **changes}
    )
    moment, faults = Time(), Faults()
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(assembled(settings, now=moment, failures=faults))
        back = front
        if redis_url is not None:
            back = await stack.enter_async_context(assembled(settings, now=moment, failures=faults))
        await back.open_providers()
        if working:
            await back.work(list(Lane))
        yield Installation(
            front=front, back=back, time=moment, faults=faults, outbox=Outbox(folder=settings.outbox_dir)
        )
