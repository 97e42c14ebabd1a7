"""Redis cut off, silent, restarted or emptied: senders always get an answer, and a cautious one."""

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
import redis

from channels.base import Limits
from gateway.dispatch.coordination.bucket import Bucket
from gateway.dispatch.coordination.on_redis import AWAY, OnRedis
from gateway.dispatch.provider_gate import ProviderGate
from gateway.dispatch.requests import Lane
from tests import servers
from tests.gate.workers import PATIENT, Clock

NAME = "sms/test"


class Line:
    """A line to Redis that a test can cut or hold: a relay on loopback."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 6379
        self._database = parts.path
        self._listener: asyncio.Server | None = None
        self._port_here = 0
        self._ends: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()

    @property
    def url(self) -> str:
        """Give the address of this end."""
        return f"redis://127.0.0.1:{self._port_here}{self._database}"

    async def mend(self) -> None:
        """Let connections through, on the same port as before."""
        self._flowing.set()
        self._listener = await asyncio.start_server(self._connect, "127.0.0.1", self._port_here)
        self._port_here = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break all connections and refuse new ones, as a killed server does."""
        assert self._listener is not None
        self._listener.close()
        self._flowing.set()
        for end in list(self._ends):
            end.transport.abort()
        await self._listener.wait_closed()

    def hold(self) -> None:
        """Keep connections open and pass nothing on, as a stopped server does."""
        self._flowing.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection(self._host, self._port)
        await asyncio.gather(self._pass_on(reader, here), self._pass_on(there, writer))

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        self._ends.add(target)
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._flowing.wait()
                target.write(data)
                await target.drain()
        target.close()
        with contextlib.suppress(OSError):
            await target.wait_closed()
        self._ends.discard(target)


@asynccontextmanager
async def line_to(redis_url: str) -> AsyncIterator[Line]:
    """Give a line that works."""
    line = Line(redis_url)
    await line.mend()
    try:
        yield line
    finally:
        await line.cut()


@asynccontextmanager
async def gate_on(url: str, clock: Clock, limits: Limits, patience: float = PATIENT) -> AsyncIterator[ProviderGate]:
    """Give a worker's gate."""
    place = OnRedis(url, now=clock, patience=patience)
    try:
        yield ProviderGate(place, {NAME: limits}, now=clock, chance=lambda: 0.0)
    finally:
        await place.close()


async def test_cut_off_workers_share_cautiously_and_come_back(
    redis_database: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed mid-way: an eighth of the budget for each, one line in the log, and the shared budget once it is back."""
    caplog.set_level(logging.WARNING)
    limits = Limits(rate=160)
    async with line_to(redis_database) as line, gate_on(line.url, clock, limits) as gate:
        assert (await gate.admit(NAME, limits, lane=Lane.EMERGENCY, wanted=100)).granted == 100
        await line.cut()
        for second in range(20):
            clock.forward(1)
            granted = sum([(await gate.admit(NAME, limits, lane=Lane.EMERGENCY, wanted=15)).granted for _ in range(10)])
            assert granted == 20, f"an eighth of the rate, in second {second}"
        assert (await gate.states())[0].budget_left == 0
        assert [record.getMessage() for record in caplog.records] == ["coordination_lost"]
        await line.mend()
        clock.forward(AWAY.total_seconds())
        assert (await gate.admit(NAME, limits, lane=Lane.EMERGENCY, wanted=160)).granted == 160
        assert [record.getMessage() for record in caplog.records] == ["coordination_lost", "coordination_back"]


async def test_a_silent_redis_is_waited_for_once(redis_database: str, clock: Clock) -> None:
    """The first question waits for the time limit; for the next seconds nobody asks it."""
    limits = Limits(rate=100)
    async with line_to(redis_database) as line, gate_on(line.url, clock, limits, patience=0.3) as gate:
        await gate.admit(NAME, limits, lane=Lane.BULK, wanted=1)
        line.hold()
        started = time.monotonic()
        granted = [(await gate.admit(NAME, limits, lane=Lane.BULK, wanted=1)).granted for _ in range(40)]
        assert sum(granted) > 0
        assert time.monotonic() - started < 6, "half of what asking each time would take"


async def test_breakers_work_without_redis(redis_database: str, clock: Clock) -> None:
    """A breaker opened before the cut stays open, and a probe closes it, all in one process."""
    async with line_to(redis_database) as line, gate_on(line.url, clock, Limits()) as gate:
        await gate.report(NAME, accepted=0, failed=5, throttled=0, retry_after=None)
        await line.cut()
        clock.forward(0.9)
        assert (await gate.admit(NAME, Limits(), lane=Lane.BULK, wanted=9)).granted == 0
        clock.forward(0.2)
        assert (await gate.admit(NAME, Limits(), lane=Lane.BULK, wanted=9)).granted == 1
        await gate.report(NAME, accepted=1, failed=0, throttled=0, retry_after=None)
        assert (await gate.admit(NAME, Limits(), lane=Lane.BULK, wanted=9)).granted == 9


async def test_a_second_cut_finds_what_was_learnt_last(redis_database: str, clock: Clock) -> None:
    """What a process decided alone during one cut is not dug out in the next one."""
    async with line_to(redis_database) as line:
        place = OnRedis(line.url, now=clock, patience=PATIENT)
        await line.cut()
        assert await place.replace("v", None, b"alone")
        await line.mend()
        clock.forward(AWAY.total_seconds())
        with redis.Redis.from_url(redis_database) as other_worker:
            await asyncio.to_thread(other_worker.set, "gateway:gate:value:v", b"together")
        assert await place.read("v") == b"together"
        await line.cut()
        assert await place.read("v") == b"together"
        await place.close()


async def test_an_emptied_redis_learns_a_pause_again(redis_database: str, clock: Clock) -> None:
    """Whoever remembers a pause puts it back, so that a worker that never heard of it keeps it, too."""
    async with gate_on(redis_database, clock, Limits()) as one, gate_on(redis_database, clock, Limits()) as other:
        pause = dt.timedelta(minutes=2)
        await one.report(NAME, accepted=0, failed=0, throttled=1, retry_after=pause)
        until = clock.now + pause
        await asyncio.to_thread(servers.empty_redis, redis_database)
        clock.forward(1)
        assert (await one.admit(NAME, Limits(), lane=Lane.BULK, wanted=9)).retry_at == until
        assert (await other.admit(NAME, Limits(), lane=Lane.BULK, wanted=9)).retry_at == until
        await asyncio.to_thread(servers.empty_redis, redis_database)
        clock.now = until
        assert (await other.admit(NAME, Limits(), lane=Lane.BULK, wanted=9)).granted == 9


async def test_forgotten_scripts_are_loaded_again(redis_database: str, clock: Clock) -> None:
    """A restarted server knows no scripts; nobody notices."""
    place = OnRedis(redis_database, now=clock, patience=PATIENT)
    try:
        with redis.Redis.from_url(redis_database) as client:
            for _ in range(2):
                await asyncio.to_thread(client.script_flush)
                assert (await place.take("p", Bucket(10), wanted=1, reserve=0.0)).granted == 1
                await asyncio.to_thread(client.script_flush)
                assert await place.replace("v", await place.read("v"), b"x")
            left = (await place.take("p", Bucket(10), wanted=0, reserve=0.0)).left
            assert left == 8, "counted on Redis, not in this process"
    finally:
        await place.close()


async def test_every_key_is_ours_and_ends(redis_database: str, clock: Clock) -> None:
    """All keys bear the prefix and expire, so that a provider no longer used leaves nothing behind."""
    limits = Limits(rate=10)
    async with gate_on(redis_database, clock, limits) as gate:
        await gate.admit(NAME, limits, lane=Lane.BULK, wanted=1)
        await gate.report(NAME, accepted=0, failed=5, throttled=0, retry_after=None)
    with redis.Redis.from_url(redis_database) as client:
        keys = client.keys("*")
        assert sorted(keys) == [b"gateway:gate:bucket:sms/test", b"gateway:gate:value:sms/test"]
        assert all(0 < client.ttl(key) <= 3600 for key in keys)
