"""The gateway as an operator runs it: migrated, with its own serve, work and clock processes and a key."""

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.client import Client, NotWorkingError, make_key
from tests.bench.servers import Server, durable_postgresql, end, new_database, redis_queue, smtp_sink
from tests.bench.usage import Meter, memory, peak_memory
from tests.chaos.running import Folder
from tests.servers import _free_port, empty_redis

_MIGRATED = "migrated"
CONNECTIONS = 8
"""To the mail server, of all worker processes together: as many as the references open."""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """What an installation runs on."""

    postgresql: Server
    redis: Server
    sink: Server
    key: str
    """Opens every gateway whose database is a copy of the migrated one."""

    def new_gateway_database(self, name: str) -> str:
        """Make a migrated database that knows the key; gives its URL."""
        return new_database(self.postgresql, name, like=_MIGRATED)


@contextmanager
def servers() -> Iterator[Servers]:
    """Start a durable PostgreSQL with a migrated database, Redis and a mail sink."""
    with (
        durable_postgresql() as postgresql,
        redis_queue() as redis,
        smtp_sink() as sink,
        tempfile.TemporaryDirectory(prefix="gateway-bench-") as name,
    ):
        folder = Folder(Path(name), DATABASE_URL=new_database(postgresql, _MIGRATED), LOG_LEVEL="WARNING")
        folder.run("migrate")
        yield Servers(postgresql=postgresql, redis=redis, sink=sink, key=make_key(folder))


@dataclass(kw_only=True)
class Installation:
    """A gateway at work; its processes by name."""

    servers: Servers
    folder: Folder
    client: Client
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        """Where it keeps everything."""
        return self.folder.database_url

    def start(self, name: str, *arguments: str) -> None:
        """Start one more process of the gateway."""
        self.processes[name] = self.folder.start(*arguments)

    def meter(self) -> Meter:
        """Begin to measure what every process computes."""
        others = {
            "PostgreSQL": self.servers.postgresql.process,
            "Redis": self.servers.redis.process,
            "sink": self.servers.sink.process,
        }
        return Meter(others | {name: process.pid for name, process in self.processes.items()})

    def memory(self, *, peak: bool = True) -> dict[str, float]:
        """Give the megabytes of each process of the gateway, the most it ever held or what it holds now."""
        tell = peak_memory if peak else memory
        return {name: tell(process.pid) for name, process in self.processes.items()}

    def check_alive(self) -> None:
        """Raise when a process has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise NotWorkingError(f"{name} ended: {self.folder.last_words()}")


@contextmanager
def installed(
    servers: Servers,
    database_url: str,
    *,
    workers: Mapping[str, Sequence[str]],
    connections: int = CONNECTIONS,
    smtp_port: int | None = None,
    **variables: str,
) -> Iterator[Installation]:
    """Run a gateway whose `workers` each take some lanes; the connections are shared among them."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name, ExitStack() as stack:
        settings = {
            "DATABASE_URL": database_url,
            "REDIS_URL": servers.redis.url,
            "LOG_LEVEL": "WARNING",
            "EMAIL_PROVIDER": "smtp",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(smtp_port or servers.sink.port),
            "SMTP_CONNECTIONS": str(max(1, connections // max(1, len(workers)))),
        }
        folder = Folder(Path(name), **(settings | variables))
        # What an earlier installation left in the queue means nothing to this one.
        empty_redis(servers.redis.url)
        client = Client(port=_free_port(), key=servers.key)
        installation = Installation(servers=servers, folder=folder, client=client)
        stack.callback(lambda: end(*installation.processes.values()))
        installation.start("serve", "serve", "--port", str(client.port))
        for worker, lanes in workers.items():
            installation.start(worker, "work", *(word for lane in lanes for word in ("--lane", lane)))
        installation.start("clock", "clock")
        asyncio.run(client.until_ready(installation.check_alive))
        # Workers take as long to load; serve is ready, so they are about to be.
        asyncio.run(asyncio.sleep(1))
        yield installation


def bulk_workers(count: int) -> dict[str, tuple[str, ...]]:
    """Name so many workers of the bulk lane."""
    return {f"worker {number + 1}": ("bulk",) for number in range(count)}
