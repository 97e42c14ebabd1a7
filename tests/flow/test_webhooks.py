"""A school's system is told of events over real HTTP: signed, at least once, on schedule, until it wants no more."""

import asyncio
import datetime as dt
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout, web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from sqlalchemy.ext.asyncio import AsyncConnection
from standardwebhooks import Webhook, WebhookVerificationError

from channels.base import Receipt, ReceiptStatus
from gateway.dispatch.owners import reclaim_from_the_dead
from gateway.dispatch.webhooks.addresses import webhook_session
from gateway.dispatch.webhooks.desk import NewEndpoint, Replay
from gateway.dispatch.webhooks.judging import DELAYS, JITTER
from gateway.dispatch.webhooks.poster import LEASE, Poster
from gateway.dispatch.webhooks.rounds import KEPT
from gateway.store.database import Database
from gateway.store.tables import webhook_attempts, webhook_endpoints, webhook_events, webhook_posts
from gateway.tracking.announcements import EventType
from tests.flow.families import DAD, HOUSE, KID, MUM, MUM_NUMBER, parents
from tests.flow.installation import CONTENT, MONDAY, PRINCIPAL, SECRET, SILENCE, Installation
from tests.flow.receiver import Receiver, receiving
from tests.unit.rules.households import directory, email, letter, mobile

DAY = dt.timedelta(days=1)
NO_PROCESS = 2**30
"""More than any system counts to."""
SENT = EventType.DELIVERY_SENT


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Give another system."""
    async with receiving() as receiver:
        yield receiver


async def register(gateway: Installation, receiver: Receiver, *types: EventType) -> tuple[str, str]:
    """Let a system be told of these events, or of all; gives the endpoint's id and its secret."""
    wanted = NewEndpoint(url=receiver.url, events=types or None)
    row, secret = await gateway.front.services.webhooks.register(PRINCIPAL, wanted)
    return row.id, secret


async def family(gateway: Installation) -> None:
    """Put a mother with a mailbox."""
    await gateway.put(directory(relationships=parents("mum"), contact_points=[email("mum")]))


async def alert(gateway: Installation, **fields: Any) -> str:
    """Post an emergency, which waits for no quiet hours, and let it be sent."""
    notification = await gateway.post("emergency", **fields)
    await gateway.at_rest()
    return notification


async def told(gateway: Installation, receiver: Receiver, number: int, **span: float) -> None:
    """Move the time, let the clock make its round, and wait until so many posts have come and are on record."""
    await gateway.forward(**(span or {"seconds": 1}))
    if number > len(receiver.posts):
        await gateway.until(lambda: _has(gateway, receiver, number))
    await gateway.until(lambda: _is_quiet(gateway))
    assert len(receiver.posts) == number


async def _has(gateway: Installation, receiver: Receiver, number: int) -> bool:
    return len(receiver.posts) >= number and len(await gateway.rows(webhook_attempts)) >= number


async def _is_quiet(gateway: Installation) -> bool:
    return all(row.owner is None for row in await gateway.rows(webhook_endpoints))


async def one(gateway: Installation) -> Any:
    """Give the only endpoint as it stands."""
    (row,) = await gateway.rows(webhook_endpoints)
    return row


async def test_a_system_is_told_and_can_verify_it(gateway: Installation, receiver: Receiver) -> None:
    """From planning to the end, each post signed so that the standard's own library believes it."""
    gateway.time.now = dt.datetime.now(dt.UTC)
    await family(gateway)
    _endpoint, secret = await register(gateway, receiver)
    notification = await alert(gateway, reference="case 7")
    await told(gateway, receiver, 3)
    assert receiver.types == ["delivery.sent", "notification.finished", "notification.planned"]
    assert len(set(receiver.ids)) == 3
    for post in receiver.posts:
        assert Webhook(secret).verify(post.body, dict(post.headers)) == post.json
        assert post.headers["Content-Type"] == "application/json"
        assert post.json["data"]["notification"] == notification
        assert post.json["data"]["reference"] == "case 7"
    sent = next(post.json["data"] for post in receiver.posts if post.json["type"] == "delivery.sent")
    (row,) = await gateway.deliveries()
    assert sent == {
        "delivery": row.id,
        "notification": notification,
        "contact": "mum",
        "channel": "email",
        "state": "sent",
        "code": None,
        "attempts": 1,
        "carried_by": None,
        "category": "emergency",
        "purpose": "information",
        "reference": "case 7",
    }
    finished = next(post.json["data"] for post in receiver.posts if post.json["type"] == "notification.finished")
    assert (finished["status"], finished["sent"], finished["deliveries"]) == ("finished", 1, {"sent": 1})


async def test_nothing_is_written_when_nobody_wants_it(gateway: Installation, receiver: Receiver) -> None:
    """Without an endpoint, or with one for other events, there is no event at all."""
    await family(gateway)
    await alert(gateway)
    await register(gateway, receiver, EventType.DELIVERY_EXPIRED)
    await alert(gateway)
    await told(gateway, receiver, 0)
    assert await gateway.rows(webhook_events) == []
    assert await gateway.rows(webhook_posts) == []


async def test_what_providers_say_later_is_told(gateway: Installation, receiver: Receiver) -> None:
    """Arrival, a bounce, an answer that never came: each as it becomes known."""
    await gateway.put(directory(relationships=parents("mum"), contact_points=[email("mum"), mobile("mum", MUM_NUMBER)]))
    gateway.faults.once(MUM_NUMBER, SILENCE)
    await register(gateway, receiver)
    await alert(gateway)
    await told(gateway, receiver, 3)
    assert receiver.types == ["delivery.sent", "delivery.unknown", "notification.planned"]
    mail = next(row for row in await gateway.deliveries() if row.channel == "email")
    for number, status in enumerate([ReceiptStatus.DELIVERED, ReceiptStatus.BOUNCED]):
        receipt = Receipt(
            provider="outbox", event_id=f"e{number}", status=status, at=gateway.time(), delivery=mail.id, code="5.1.1"
        )
        await gateway.front.services.receipts.take([receipt])
    await told(gateway, receiver, 5)
    assert {post.json["type"] for post in receiver.posts[3:]} == {"delivery.delivered", "delivery.failed"}
    failed = next(post.json["data"] for post in receiver.posts if post.json["type"] == "delivery.failed")
    assert failed["code"] == "5.1.1"


async def test_a_body_names_nobody(gateway: Installation, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Neither bodies nor logs hold a name, an address, a number, a text, a secret or the receiver's URL."""
    caplog.set_level(logging.DEBUG, logger="gateway")
    points = [email("mum"), mobile("mum", MUM_NUMBER), letter("mum", HOUSE), email("dad")]
    people = {"students": [KID], "contacts": [MUM, DAD]}
    await gateway.put(directory(relationships=parents("mum", "dad"), contact_points=points, **people))
    gateway.faults.once("mum@example.org", SILENCE)
    receiver.url += "?token=hidden"
    endpoint, secret = await register(gateway, receiver)
    await alert(gateway, content={**CONTENT, "subject": "Snowfall", "body": "The boiler broke, ((contact_name))."})
    await gateway.forward(seconds=1)
    await gateway.until(lambda: _has(gateway, receiver, 4))
    await gateway.front.services.webhooks.rotate("school", endpoint)
    everything = "\n".join(post.body.decode() for post in receiver.posts) + "\n".join(
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name.startswith("gateway")
    )
    assert "webhooks_posted" in everything
    for word in (
        *("Zinnia", "Quillfeather", "Bartholomew", "Vantongeren", "Tamsin", "example.org", MUM_NUMBER, MUM_NUMBER[3:]),
        *("Weir", "Snowfall", "boiler", secret, secret[6:], "hidden"),
    ):
        assert word not in everything


async def test_a_failed_post_is_repeated_on_schedule_with_its_id(gateway: Installation, receiver: Receiver) -> None:
    """After five seconds and after five minutes, signed anew each time, and then no more."""
    await family(gateway)
    _endpoint, _secret = await register(gateway, receiver, SENT)
    receiver.once(500)
    receiver.once(302, Location="/elsewhere")
    await alert(gateway)
    await told(gateway, receiver, 1)
    await told(gateway, receiver, 1, seconds=4)
    await told(gateway, receiver, 2, seconds=2)
    await told(gateway, receiver, 2, seconds=290)
    await told(gateway, receiver, 3, seconds=50)
    await told(gateway, receiver, 3, days=2)
    assert len(set(receiver.ids)) == 1
    assert len({post.body for post in receiver.posts}) == 1
    assert len({post.headers["webhook-timestamp"] for post in receiver.posts}) == 3
    assert len({post.headers["webhook-signature"] for post in receiver.posts}) == 3
    attempts = await gateway.rows(webhook_attempts)
    assert [(row.number, row.outcome, row.status) for row in attempts] == [
        (1, "refused", 500),
        (2, "refused", 302),
        (3, "delivered", 204),
    ]
    assert (await one(gateway)).failing_since is None


def poster_of(
    gateway: Installation,
    session: ClientSession,
    *,
    database: Database | None = None,
    owner: str = "here",
    secret_key: str = SECRET,
) -> Poster:
    """Make a worker of the test's own."""
    return Poster(
        database or gateway.back.database,
        gateway.back.wakeups,
        session,
        owner=owner,
        now=gateway.time,
        chance=lambda: 0.0,
        secret_key=secret_key,
    )


class DyingDatabase(Database):
    """Lets a worker claim, and is gone when it wants to record: what a kill between the two looks like."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.claims = 0

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open one transaction, and no other."""
        if self.claims:
            raise ConnectionResetError
        self.claims += 1
        async with super().writing() as connection:
            yield connection


async def die_after_posting(gateway: Installation, endpoint: str, *, owner: str) -> None:
    """Let a worker post what is due, and be gone before it can record it."""
    dying = DyingDatabase(gateway.front.settings.database_url)
    async with webhook_session(allow_private=True) as session:
        with pytest.raises(ConnectionResetError):
            await poster_of(gateway, session, database=dying, owner=owner).post(endpoint)
    await dying.close()


async def test_what_a_dead_worker_posted_is_posted_again(gateway: Installation, receiver: Receiver) -> None:
    """At least once, with the same id; nobody comes between while the dead one may be alive."""
    await family(gateway)
    endpoint, _secret = await register(gateway, receiver, SENT)
    await alert(gateway)
    await die_after_posting(gateway, endpoint, owner="dead")
    assert len(receiver.posts) == 1
    assert await gateway.rows(webhook_attempts) == []
    await gateway.forward(seconds=1)
    await gateway.back.poster.post(endpoint)
    assert len(receiver.posts) == 1
    await gateway.forward(seconds=LEASE.total_seconds())
    await gateway.until(lambda: _has(gateway, receiver, 1))
    assert len(receiver.posts) == 2
    assert len(set(receiver.ids)) == 1


async def test_a_restart_takes_over_at_once(gateway: Installation, receiver: Receiver) -> None:
    """What a killed process of this machine held is free when the next one starts."""
    await family(gateway)
    endpoint, _secret = await register(gateway, receiver, SENT)
    await alert(gateway)
    await die_after_posting(gateway, endpoint, owner=f"{socket.gethostname()}/{NO_PROCESS}/0000")
    await reclaim_from_the_dead(gateway.front.database)
    await gateway.forward(seconds=1)
    await gateway.until(lambda: _has(gateway, receiver, 1))
    assert len(receiver.posts) == 2
    assert len(set(receiver.ids)) == 1


async def test_two_workers_never_post_side_by_side(idle: Installation, receiver: Receiver) -> None:
    """Woken twice for one endpoint, it is posted to once: the other finds it taken."""
    await idle.put(directory(relationships=parents("mum"), contact_points=[email("mum")]))
    endpoint, _secret = await register(idle, receiver, SENT)
    await idle.back.planner.plan(await idle.post("emergency"))
    await idle.send_due()
    started = [idle.front.poster.post(endpoint), idle.back.poster.post(endpoint), idle.back.poster.post(endpoint)]
    for each in started:
        await each
    assert len(receiver.posts) == 1


async def test_both_secrets_sign_for_a_day(gateway: Installation, receiver: Receiver) -> None:
    """A receiver may change over at its leisure; after the day the old secret proves nothing."""
    now = dt.datetime.now(dt.UTC)
    gateway.time.now = now - DAY - dt.timedelta(minutes=1)
    await family(gateway)
    endpoint, old = await register(gateway, receiver, SENT)
    _row, new = await gateway.front.services.webhooks.rotate("school", endpoint)
    assert old != new
    await alert(gateway)
    await told(gateway, receiver, 1)
    assert len(receiver.posts[0].headers["webhook-signature"].split()) == 2
    gateway.time.now = now - dt.timedelta(minutes=1, seconds=30)
    _row, newest = await gateway.front.services.webhooks.rotate("school", endpoint)
    await gateway.move_to(now)
    await alert(gateway)
    await told(gateway, receiver, 2)
    post = receiver.posts[1]
    for secret in (new, newest):
        assert Webhook(secret).verify(post.body, dict(post.headers)) == post.json
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(post.body, dict(post.headers))


async def test_gone_ends_it_at_once_until_somebody_enables_it(gateway: Installation, receiver: Receiver) -> None:
    """410: a task for the office, no more posts; what waits goes out once it is enabled, and the task goes."""
    await family(gateway)
    endpoint, _secret = await register(gateway, receiver, SENT)
    receiver.once(410)
    await alert(gateway)
    await told(gateway, receiver, 1)
    assert (await one(gateway)).disabled_because == "gone"
    (task,) = await gateway.tasks()
    assert (task.kind, task.owner) == ("webhook_disabled", "office")
    assert endpoint in task.detail
    assert "127.0.0.1" not in task.detail
    await alert(gateway)
    await told(gateway, receiver, 1, hours=1)
    await gateway.front.services.webhooks.enable("school", endpoint)
    await gateway.until(lambda: _has(gateway, receiver, 3))
    assert len(set(receiver.ids)) == 2
    assert await gateway.tasks() == []


@pytest.mark.parametrize("status", [429, 503])
async def test_a_system_that_asks_for_patience_gets_it(gateway: Installation, receiver: Receiver, status: int) -> None:
    """Retry-After counts for the endpoint: other events wait, too."""
    await family(gateway)
    await register(gateway, receiver, SENT)
    receiver.once(status, Retry_After="600")
    await alert(gateway)
    await told(gateway, receiver, 1)
    await alert(gateway)
    await told(gateway, receiver, 1, seconds=590)
    await told(gateway, receiver, 3, seconds=11)
    assert receiver.ids.count(receiver.ids[0]) == 2


async def test_a_system_that_is_away_costs_one_event_an_attempt(gateway: Installation, receiver: Receiver) -> None:
    """The others keep their attempts and go out together when it is back."""
    await family(gateway)
    await register(gateway, receiver, SENT)
    receiver.always = (500, {})
    await alert(gateway)
    await told(gateway, receiver, 1)
    for _ in range(4):
        await alert(gateway)
    await told(gateway, receiver, 2, seconds=6)
    receiver.always = (204, {})
    await told(gateway, receiver, 7, seconds=11)
    posts = await gateway.rows(webhook_posts)
    assert sorted(post.attempts for post in posts) == [1, 1, 1, 2, 2]
    assert all(post.delivered_at is not None for post in posts)


async def test_five_days_of_failures_are_enough(gateway: Installation, receiver: Receiver) -> None:
    """Ten attempts an event; the first failure after five days disables the endpoint, and the office is told."""
    await family(gateway)
    await register(gateway, receiver, SENT)
    receiver.always = (500, {})
    await alert(gateway)
    await told(gateway, receiver, 1)
    for number, delay in enumerate(DELAYS, start=2):
        await told(gateway, receiver, number, seconds=delay.total_seconds() * (1 + JITTER))
    (post,) = await gateway.rows(webhook_posts)
    assert (post.attempts, post.due_at, post.delivered_at) == (10, None, None)
    await told(gateway, receiver, 10, days=2)
    assert (await one(gateway)).disabled_at is None
    assert await gateway.tasks() == []
    await alert(gateway)
    await told(gateway, receiver, 11)
    assert (await one(gateway)).disabled_because == "failing"
    assert [task.kind for task in await gateway.tasks()] == ["webhook_disabled"]


async def test_events_can_be_sent_again(gateway: Installation, receiver: Receiver) -> None:
    """By id or by time, only what was missed or all; always under the id they had."""
    await family(gateway)
    endpoint, _secret = await register(gateway, receiver, SENT)
    desk = gateway.front.services.webhooks
    await alert(gateway)
    await told(gateway, receiver, 1)
    receiver.once(400)
    await alert(gateway)
    await told(gateway, receiver, 2)
    taken, missed = receiver.ids
    assert await desk.replay("school", endpoint, Replay(events=(taken,))) == 1
    await told(gateway, receiver, 4, seconds=6)
    assert receiver.ids[2:].count(taken) == 1
    begin = MONDAY - DAY
    assert await desk.replay("school", endpoint, Replay(since=begin, only_missed=True)) == 0
    assert await desk.replay("school", endpoint, Replay(since=begin, until=MONDAY)) == 0
    assert await desk.replay("school", endpoint, Replay(since=begin)) == 2
    await told(gateway, receiver, 6, seconds=6)
    assert sorted(receiver.ids[4:]) == sorted([taken, missed])
    numbers = [row.number for row in await gateway.rows(webhook_attempts)]
    assert numbers.count(1) == 5


async def test_old_events_are_forgotten(gateway: Installation, receiver: Receiver) -> None:
    """After thirty days with all that is on record of them; not a day earlier."""
    await family(gateway)
    await register(gateway, receiver, SENT)
    await alert(gateway)
    await told(gateway, receiver, 1)
    await gateway.forward(days=KEPT.days - 1)
    assert len(await gateway.rows(webhook_events)) == 1
    await gateway.forward(days=1)
    for table in (webhook_events, webhook_posts, webhook_attempts):
        assert await gateway.rows(table) == []


class Rebinding(AbstractResolver):
    """Says of any name that it is this machine: what it said when the endpoint was registered is long past."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give loopback."""
        answer = ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
        )
        answer["family"] = socket.AF_INET
        return [answer]

    async def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(("allowed", "outcome"), [(False, "address_refused"), (True, "delivered")])
async def test_a_name_that_comes_to_lead_inside_is_not_followed(
    idle: Installation, receiver: Receiver, *, allowed: bool, outcome: str
) -> None:
    """What counts is the address that is connected to, whatever the name led to before."""
    await idle.put(directory(relationships=parents("mum"), contact_points=[email("mum")]))
    receiver.url = receiver.url.replace("127.0.0.1", "mis.example.org")
    endpoint, _secret = await register(idle, receiver, SENT)
    await idle.back.planner.plan(await idle.post("emergency"))
    await idle.send_due()
    async with webhook_session(allow_private=allowed, resolver=Rebinding()) as session:
        await poster_of(idle, session).post(endpoint)
    assert [row.outcome for row in await idle.rows(webhook_attempts)] == [outcome]
    assert len(receiver.posts) == int(allowed)


async def test_a_lost_secret_signs_nothing(idle: Installation, receiver: Receiver) -> None:
    """With another secret key no signature would be right: the endpoint is disabled, and says what to do."""
    await idle.put(directory(relationships=parents("mum"), contact_points=[email("mum")]))
    endpoint, _secret = await register(idle, receiver, SENT)
    await idle.back.planner.plan(await idle.post("emergency"))
    await idle.send_due()
    async with webhook_session(allow_private=True) as session:
        await poster_of(idle, session, secret_key="another-key-than-before-32-signs").post(endpoint)
    assert receiver.posts == []
    assert (await one(idle)).disabled_because == "secret_lost"
    (task,) = await idle.tasks()
    assert "rotate" in task.detail


async def due_at(idle: Installation, url: str) -> str:
    """Have one event due at an endpoint of this address; gives its id."""
    await idle.put(directory(relationships=parents("mum"), contact_points=[email("mum")]))
    endpoint, _secret = await register(idle, Receiver(url=url), SENT)
    await idle.back.planner.plan(await idle.post("emergency"))
    await idle.send_due()
    return endpoint


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", f"http://{'a' * 64}.example.org/", "https://127.0.0.1:9/"], ids=str.__len__
)
async def test_nobody_there_is_a_failure_like_others(idle: Installation, url: str) -> None:
    """A closed port, a name that cannot be: on record, to be tried again, and the worker lives on."""
    endpoint = await due_at(idle, url)
    await idle.back.poster.post(endpoint)
    assert [row.outcome for row in await idle.rows(webhook_attempts)] == ["not_connected"]
    row = await one(idle)
    assert (row.failures, row.owner) == (1, None)


async def test_who_does_not_answer_is_not_waited_for(idle: Installation) -> None:
    """A receiver that only listens costs its event an attempt, and the others nothing."""
    released = asyncio.Event()

    async def listen_for_ever(_request: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    application = web.Application()
    application.router.add_post("/", listen_for_ever)
    async with TestServer(application, host="127.0.0.1", port=0) as server:
        endpoint = await due_at(idle, str(server.make_url("/")))
        async with ClientSession(timeout=ClientTimeout(total=0.05)) as session:
            await poster_of(idle, session).post(endpoint)
        released.set()
    (attempt,) = await idle.rows(webhook_attempts)
    assert (attempt.outcome, attempt.status) == ("no_answer", None)


async def test_told_to_stop_it_hears_out_what_is_under_way(idle: Installation) -> None:
    """A worker that is stopped records the post it has made; none is made twice for that."""
    arrived, released = asyncio.Event(), asyncio.Event()

    async def answer_late(_request: web.Request) -> web.Response:
        arrived.set()
        await released.wait()
        return web.Response()

    application = web.Application()
    application.router.add_post("/", answer_late)
    async with TestServer(application, host="127.0.0.1", port=0) as server:
        endpoint = await due_at(idle, str(server.make_url("/")))
        working = asyncio.ensure_future(idle.back.poster.post(endpoint))
        await arrived.wait()
        working.cancel()
        released.set()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert [row.outcome for row in await idle.rows(webhook_attempts)] == ["delivered"]
    assert (await one(idle)).owner is None
