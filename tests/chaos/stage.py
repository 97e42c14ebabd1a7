"""A stage: the servers, processes and stand-ins of one installation, which faults are made on."""

import asyncio
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
from sqlalchemy.engine import make_url

from gateway.store.database import Database
from tests import servers
from tests.channels.twilio_server import ACCOUNT_SID, AUTH_TOKEN, FROM_NUMBER
from tests.chaos.accounting import pieces
from tests.chaos.distributed import EVERY_LANE
from tests.chaos.faults import Stage
from tests.chaos.ledger import Received
from tests.chaos.mail_sink import MailSink, running_sink
from tests.chaos.members import Member
from tests.chaos.restartable import Restartable, restartable_postgresql, restartable_redis
from tests.chaos.text_provider import TextProvider, running_provider

_READY_SECONDS = 60.0
_SUPERVISED_EVERY = 0.25
_ASKED_FOR = aiohttp.ClientTimeout(total=10)


class NotReadyError(Exception):
    """The programs of a stage did not come up: carries their last words."""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """PostgreSQL and Redis, shared by all stages that need them."""

    postgresql: Restartable
    redis: Restartable


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Run both; raises `tests.servers.ServerMissingError`."""
    with restartable_postgresql() as postgresql, restartable_redis() as redis:
        yield Servers(postgresql=postgresql, redis=redis)


@dataclass(kw_only=True)
class Scene:
    """A stage that is set: everything a fault can lay hands on."""

    stage: Stage
    folder: Path
    base: str
    database: Database
    members: dict[str, Member]
    session: aiohttp.ClientSession
    servers: Servers | None = None
    relays: Sequence[MailSink] = ()
    """Two that share the work, and what they have taken."""
    texts: TextProvider | None = None
    hands: Mapping[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """One fault at a time for each program."""
    ended: list[str] = field(default_factory=list)
    """What has come to an end that nobody had told to end, nor had any reason to; with its last words."""

    @property
    def workers(self) -> list[str]:
        """Name the processes that send."""
        return [name for name in self.members if name.startswith("worker")] or ["serve"]

    def received(self, before: Received | None = None) -> Received:
        """Tell what the outside has got, and what of it since it had got `before`."""
        now = self._received()
        lately = now.copies if before is None else now.copies - before.copies
        return replace(now, lately=frozenset(lately))

    def _received(self) -> Received:
        copies: Counter[str] = Counter()
        for relay in self.relays:
            copies.update({name: len(taken) for name, taken in relay.taken.items()})
        if self.texts is not None:
            copies.update(self.texts.taken)
            return Received(copies=copies, told=dict(self.texts.told))
        for counted in pieces(self.folder / "outbox").values():
            copies.update(counted)
        return Received(copies=copies)

    async def supervise(self) -> None:
        """Start again what has ended by itself, as a service manager does; runs until it is cancelled."""
        while True:
            await asyncio.sleep(_SUPERVISED_EVERY)
            for name, member in self.members.items():
                if not self.hands[name].locked() and not member.runs:
                    if not member.gave_up:
                        self.ended.append(f"{name} has ended: {member.last_words()}")
                    member.start_again()

    @property
    def news_on_its_way(self) -> bool:
        """Whether receipts are still being told."""
        return self.texts is not None and self.texts.telling


@asynccontextmanager
async def set_up(
    stage: Stage, folder: Path, servers_: Servers | None, chance: random.Random, *, hurried: bool = True
) -> AsyncIterator[Scene]:
    """Set a stage and clear it afterwards."""
    async with AsyncExitStack() as stack:
        settings = _settings(_made(folder), base := f"http://127.0.0.1:{servers._free_port()}")
        relays: list[MailSink] = []
        texts = None
        if stage.has_providers:
            relays = [await stack.enter_async_context(running_sink(chance)) for _ in range(2)]
            texts = await stack.enter_async_context(running_provider(chance))
            settings |= _of_providers(relays, texts)
        if stage.distributed:
            assert servers_ is not None
            settings |= await _of_servers(servers_)
        database = Database(settings["GATEWAY_DATABASE_URL"])
        stack.push_async_callback(database.close)
        migration = Member(["migrate"], settings, folder / "migrate.log", hurried=False)
        await asyncio.to_thread(migration.wait)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        members = {
            name: Member(arguments, settings, folder / f"{name}.log", hurried=hurried)
            for name, arguments in _roles(stage, base).items()
        }
        stack.callback(_end_all, members)
        scene = Scene(
            stage=stage, folder=folder, base=base, database=database, members=members, session=session,
            servers=servers_ if stage.distributed else None, relays=relays, texts=texts,
        )  # fmt: skip
        await _until_ready(scene)
        supervision = asyncio.create_task(scene.supervise())
        try:
            yield scene
        finally:
            supervision.cancel()
            await asyncio.gather(supervision, return_exceptions=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _roles(stage: Stage, base: str) -> dict[str, list[str]]:
    serve = ["serve", "--host", "127.0.0.1", "--port", base.rpartition(":")[2]]
    if not stage.distributed:
        return {"serve": serve}
    work = ["work", *EVERY_LANE]
    return {"serve": serve, "clock": ["clock"], "worker-1": work, "worker-2": work}


def _settings(folder: Path, base: str) -> dict[str, str]:
    return {
        "GATEWAY_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'gateway.db'}",
        "GATEWAY_OUTBOX_DIR": str(folder / "outbox"),
        "GATEWAY_PUBLIC_URL": base,
        "GATEWAY_SECRET_KEY": "an invented secret for the chaos tests",
    }


def _of_providers(relays: Sequence[MailSink], texts: TextProvider) -> dict[str, str]:
    settings = {}
    for name, relay in zip(("SMTP", "SMTP2"), relays, strict=True):
        settings[f"GATEWAY_{name}_HOST"] = "127.0.0.1"
        settings[f"GATEWAY_{name}_PORT"] = str(relay.port)
        settings[f"GATEWAY_{name}_CONNECTIONS"] = "2"
    return settings | {
        "GATEWAY_EMAIL_PROVIDER": "smtp=1,smtp2=1",
        "GATEWAY_SMS_PROVIDER": "twilio",
        "GATEWAY_TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "GATEWAY_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "GATEWAY_TWILIO_FROM": FROM_NUMBER,
        "GATEWAY_TWILIO_API_BASE_URL": texts.base_url,
    }


async def _of_servers(of: Servers) -> dict[str, str]:
    name = f"chaos_{uuid.uuid4().hex}"
    await asyncio.to_thread(servers.execute_sql, of.postgresql.url, f"CREATE DATABASE {name}")
    url = make_url(of.postgresql.url).set(database=name).render_as_string(hide_password=False)
    return {"GATEWAY_DATABASE_URL": url, "GATEWAY_REDIS_URL": of.redis.url}


def _end_all(members: Mapping[str, Member]) -> None:
    for member in members.values():
        member.thaw()
        member.kill()


async def _until_ready(scene: Scene) -> None:
    deadline = asyncio.get_running_loop().time() + _READY_SECONDS
    answered = "nothing"
    while asyncio.get_running_loop().time() < deadline and all(member.runs for member in scene.members.values()):
        try:
            async with scene.session.get(f"{scene.base}/health/ready", timeout=_ASKED_FOR) as answer:
                if answer.ok:
                    return
                answered = await answer.text()
        except (aiohttp.ClientError, OSError) as error:
            answered = type(error).__name__
        await asyncio.sleep(0.05)
    raise NotReadyError("\n".join([answered, *(member.last_words() for member in scene.members.values())]))
