"""Status callbacks of a text provider over 256 kept connections, until the last state is stored; and a kill in between.

The load comes from `wrk` with callbacks that were signed before; every one is another event, two for each delivery.
"""

import asyncio
import datetime as dt
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import asyncpg

from channels.twilio_signature import signature
from gateway.store.bulk import copy_rows
from gateway.store.database import Database
from gateway.store.tables import attempts, deliveries, messages, notifications
from tests.bench.client import NotWorkingError
from tests.bench.installation import Installation, Servers, installed
from tests.bench.intake import bare_server
from tests.bench.options import Options
from tests.bench.profiling import profiled
from tests.bench.servers import connect
from tests.bench.table import Result, median, say
from tests.bench.usage import in_words
from tests.bench.wrk import Load, flood
from tests.store.rows import delivery, message, notification

GOAL = 5_000
"""Status callbacks a second, through HTTP to stored states."""

CONNECTIONS = 256
"""A provider that has thousands of callbacks to bring waits for no answer with the next."""

PUBLIC_URL = "https://gateway.example.org"
_ACCOUNT, TOKEN = "AC" + "0" * 32, "invented-token-of-the-benchmark"
_STATUSES = ("sent", "delivered")
_PATIENCE = 60.0
_SETTINGS = {
    "PUBLIC_URL": PUBLIC_URL,
    "SMS_PROVIDER": "twilio",
    "TWILIO_ACCOUNT_SID": _ACCOUNT,
    "TWILIO_AUTH_TOKEN": TOKEN,
    "TWILIO_FROM": "+447700900001",
}
_numbers = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Callback:
    """One status callback, signed."""

    path: str
    signature: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Course:
    """What became of one flood of callbacks."""

    load: Load
    stored: float
    """Seconds from the first callback until the last state was stored."""
    bare: Load
    """The same callbacks to the reference, right after."""

    @property
    def rate(self) -> float:
        """States stored a second."""
        return self.load.requests / self.stored

    def in_words(self) -> str:
        """Tell what was answered and stored."""
        stored = f"stored {self.rate:,.0f}/s, the last after {self.stored:.2f} s"
        return f"answered {self.load.in_words()}; {stored}; bare: {self.bare.in_words()}"


def measure(options: Options, running: Servers) -> list[Result]:
    """Flood the gateway, then kill it in the middle of a flood."""
    texts = options.size(45_000, quick=300)
    seconds = options.size(12, quick=1)
    url = running.new_gateway_database("receipts")
    # One process pair: what takes the callbacks, and the clock beside it.
    with installed(running, url, workers={}, **_SETTINGS) as gateway, bare_server(gateway.client.key) as port:
        courses = [
            asyncio.run(_flooded(gateway, texts, seconds, bare_port=port, profile=options.profile))
            for _ in range(options.rounds + (0 if options.profile else 1))
        ]
        if options.profile:
            return []
        for course in courses[1:]:  # the first warms up
            say(course.in_words())
        answered, lost = asyncio.run(_killed(gateway, options.size(10_000, quick=200)))
    answers = median([course.load.rate for course in courses[1:]])
    stored = median([course.rate for course in courses[1:]])
    bare = median([course.bare.rate for course in courses[1:]])
    note = f"the bare handler, which checks the signature and keeps nothing: {bare:,.0f}/s"
    return [
        Result(what="status callbacks answered", figure=answers, unit="/s", goal=GOAL, note=note),
        Result(what="status callbacks to stored states", figure=stored, unit="/s", goal=GOAL),
        Result(
            what="callbacks lost by a kill",
            figure=lost,
            unit="",
            goal=0,
            at_least=False,
            note=f"{answered:,} were answered before and after it",
        ),
    ]


async def _flooded(gateway: Installation, texts: int, seconds: int, *, bare_port: int, profile: bool) -> Course:
    """Let wrk post callbacks for some seconds, then wait until the last that was answered is applied."""
    callbacks = [each for name in await _handed_over(gateway.database_url, texts) for each in _callbacks(name)]
    with tempfile.TemporaryDirectory(prefix="gateway-bench-receipts-") as folder:
        file = Path(folder) / "callbacks"
        file.write_text("".join(f"{each.path}\t{each.signature}\t{each.body}\n" for each in callbacks))
        async with profiled(gateway, "receipts", wanted=profile):
            meter, began = gateway.meter(), time.perf_counter()
            load = await asyncio.to_thread(_load, gateway.client.port, file, seconds)
            await _until_applied(gateway.database_url, load.requests)
            stored = time.perf_counter() - began
        spent = meter.spent()
        bare = await asyncio.to_thread(_load, bare_port, file, max(1, seconds // 4))
    if load.requests > len(callbacks):
        say("    (every callback was answered before the time was over)")
    say(f"    processor seconds in {stored:.1f} s: {in_words(spent)}")
    return Course(load=load, stored=stored, bare=bare)


def _load(port: int, file: Path, seconds: int) -> Load:
    """Post as fast as answers come."""
    url = f"http://127.0.0.1:{port}"
    return flood(url, "receipts.lua", str(file), connections=CONNECTIONS, seconds=seconds)


async def _killed(gateway: Installation, texts: int) -> tuple[int, int]:
    """Kill serve in the middle of a flood and start it again; gives how many callbacks were answered, and lost."""
    names = await _handed_over(gateway.database_url, texts)
    waiting = iter([each for name in names for each in _callbacks(name)])
    answered: set[str] = set()
    in_the_middle = asyncio.Event()

    async def post() -> None:
        async with aiohttp.ClientSession() as session:
            for each in waiting:
                try:
                    async with session.post(
                        f"http://127.0.0.1:{gateway.client.port}{each.path}",
                        data=each.body,
                        headers={
                            "X-Twilio-Signature": each.signature,
                            "Content-Type": "application/x-www-form-urlencoded",
                        },
                    ) as answer:
                        if answer.status == 204:
                            answered.add(each.body)
                            if len(answered) == texts // 2:
                                in_the_middle.set()
                except (OSError, aiohttp.ClientError):
                    await asyncio.sleep(0.05)

    async def kill() -> None:
        await in_the_middle.wait()
        gateway.processes["serve"].kill()
        await asyncio.to_thread(gateway.processes["serve"].wait)
        gateway.start("serve", "serve", "--port", str(gateway.client.port))

    await asyncio.gather(kill(), *(post() for _ in range(CONNECTIONS)))
    await asyncio.sleep(1)
    await _until_applied(gateway.database_url, 0)
    connection = await connect(gateway.database_url)
    try:
        rows = await connection.fetch(
            "SELECT provider_id, status FROM receipts WHERE applied_at IS NOT NULL AND refused IS NULL"
        )
        found = await connection.fetch("SELECT provider_id, state FROM deliveries WHERE id = ANY($1)", names)
    finally:
        await connection.close()
    states = {row["provider_id"]: row["state"] for row in found}
    applied = {(row["provider_id"], row["status"]) for row in rows}
    told = {(body.partition("&")[0].partition("=")[2], body.rpartition("=")[2]) for body in answered}
    lost = {each for each in told if each not in applied}
    lost |= {(sid, status) for sid, status in told if status == "delivered" and states[sid] != "delivered"}
    return len(answered), len(lost)


async def _until_applied(database_url: str, expected: int) -> None:
    connection = await connect(database_url)
    deadline = time.monotonic() + _PATIENCE
    try:
        while await _unapplied(connection):
            if time.monotonic() > deadline:
                raise NotWorkingError("Callbacks that were answered are not applied.")
            await asyncio.sleep(0.02)
        kept = await connection.fetchval("SELECT count(*) FROM receipts")
    finally:
        await connection.close()
    if kept < expected:
        raise NotWorkingError(f"{expected} callbacks were answered, but {kept} are on record.")


async def _unapplied(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM receipts WHERE applied_at IS NULL)"))


def _callbacks(delivery_id: str) -> Iterator[Callback]:
    """Sign what Twilio posts of one text."""
    sid = _sid(delivery_id)
    path = f"/v1/receipts/twilio?{urlencode({'delivery': delivery_id})}"
    for status in _STATUSES:
        fields = [
            ("MessageSid", sid),
            ("ApiVersion", "2010-04-01"),
            ("AccountSid", _ACCOUNT),
            ("SmsSid", sid),
            ("To", "+447700900002"),
            ("From", "+447700900001"),
            ("SmsStatus", status),
            ("MessageStatus", status),
        ]
        yield Callback(path=path, signature=signature(TOKEN, PUBLIC_URL + path, fields), body=urlencode(fields))


def _sid(delivery_id: str) -> str:
    return f"SM{delivery_id.removeprefix('text-'):0>32}"


async def _handed_over(database_url: str, number: int) -> list[str]:
    """Put texts on record that Twilio has accepted; gives their ids."""
    now = dt.datetime.now(dt.UTC)
    asked = f"receipts-{next(_numbers)}"
    first = next(_numbers) * 1_000_000
    names = [f"text-{first + each:012}" for each in range(number)]
    rows = [_delivery(name, asked, now) for name in names]
    database = Database(database_url)
    try:
        async with database.writing() as connection:
            posted = notification(
                asked, status="finished", created_at=now, send_at=now, planned_at=now, finished_at=now
            )
            await copy_rows(connection, notifications, [posted])
            await copy_rows(connection, messages, [_message(row) for row in rows])
            await copy_rows(connection, deliveries, rows)
            await copy_rows(connection, attempts, [_attempt(row) for row in rows])
    finally:
        await database.close()
    plain = await connect(database_url)
    await plain.execute("ANALYZE")
    await plain.close()
    return names


def _delivery(name: str, asked: str, now: dt.datetime) -> dict[str, Any]:
    sent = {"state": "sent", "due_at": None, "attempts": 1, "provider": "twilio", "provider_id": _sid(name)}
    about = {"notification": asked, "channel": "sms", "lane": "standard", "batch": asked}
    return delivery(name, **about, **sent, created_at=now, changed_at=now)


def _message(row: dict[str, Any]) -> dict[str, Any]:
    return message(row["message"], row["contact"], "kid", notification=row["notification"])


def _attempt(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "delivery": row["id"],
        "number": 1,
        "owner": "bench",
        "started_at": row["created_at"],
        "answered_at": row["created_at"],
        "outcome": "accepted",
        "provider": row["provider"],
        "provider_id": row["provider_id"],
    }
