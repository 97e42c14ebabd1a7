"""Long-lived connections to one mail server: opened when needed, reused, and given up before they go stale."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiosmtplib

from channels.errors import SendError
from channels.smtp_dial import DialError

GOODBYE_SECONDS = 1.0
"""How long a server may take to answer QUIT."""


@dataclass(kw_only=True, slots=True)
class Connection:
    """One connection and how much it has been used; `client.is_connected` tells whether it still stands."""

    client: aiosmtplib.SMTP
    mails: int = 0
    used_at: float = 0.0
    """On the event loop's clock."""


class SmtpPool:
    """At most `size` connections of one event loop, each used by one conversation at a time."""

    def __init__(
        self,
        dial: Callable[[], Awaitable[aiosmtplib.SMTP]],
        *,
        size: int,
        mails_per_connection: int,
        idle: float,
        pause_after_failure: float,
    ) -> None:
        self._dial = dial
        self._places = asyncio.Semaphore(size)
        self._mails_per_connection = mails_per_connection
        self._idle = idle
        self._pause = pause_after_failure
        self._resting: list[Connection] = []
        self._failure: SendError | None = None
        self._closed_until = 0.0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for one mail; raises `DialError` when none can be opened."""
        async with self._places:
            connection = await self._rested() or Connection(client=await self._opened())
            try:
                yield connection
            except BaseException:
                connection.client.close()
                raise
            connection.mails += 1
            connection.used_at = asyncio.get_running_loop().time()
            if connection.mails >= self._mails_per_connection:
                await say_goodbye(connection.client)
            elif connection.client.is_connected:
                self._resting.append(connection)

    async def close(self) -> None:
        """Say goodbye on every resting connection."""
        resting, self._resting = self._resting, []
        await asyncio.gather(*(say_goodbye(connection.client) for connection in resting))

    async def _rested(self) -> Connection | None:
        """Take the connection used last; those that broke or rested too long are given up."""
        trusted_since = asyncio.get_running_loop().time() - self._idle
        while self._resting:
            connection = self._resting.pop()
            if connection.client.is_connected and connection.used_at >= trusted_since:
                return connection
            connection.client.close()
        return None

    async def _opened(self) -> aiosmtplib.SMTP:
        clock = asyncio.get_running_loop().time
        if self._failure is not None and clock() < self._closed_until:
            raise DialError(self._failure)
        try:
            client = await self._dial()
        except DialError as refusal:
            self._failure = refusal.error
            self._closed_until = clock() + self._pause
            raise
        self._failure = None
        return client


async def say_goodbye(client: aiosmtplib.SMTP) -> None:
    """End a connection politely, but do not wait for a server that has stopped listening."""
    try:
        async with asyncio.timeout(GOODBYE_SECONDS):
            await client.quit()
    except (aiosmtplib.SMTPException, OSError):
        pass
    finally:
        client.close()
