"""A TCP relay that delays each direction and limits neither: a far-away server on one machine.

Run it with `python tests/bench/relay.py PORT-OF-THE-SERVER MILLISECONDS-EACH-WAY`; it prints the port it listens on.
"""

import asyncio
import sys
from contextlib import suppress
from typing import cast


class _Side(asyncio.Protocol):
    """One end of a relayed connection; what it reads is written at the other end after the delay."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._early: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hold on to the transport, and send what came before it was there."""
        self.transport = cast("asyncio.Transport", transport)
        for data in self._early:
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Pass on, later; timers of one delay fire in order."""
        if self.other is not None:
            self._loop.call_later(self._delay, self.other.write, data)

    def connection_lost(self, _error: Exception | None) -> None:
        """Let the other end know, behind the data."""
        if self.other is not None:
            self._loop.call_later(self._delay, self.other.close)

    def write(self, data: bytes) -> None:
        """Send what the other end read."""
        if self.transport is None:
            self._early.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        """Close when all is sent."""
        if self.transport is not None:
            self.transport.close()


async def start_relay(server_port: int, delay: float) -> asyncio.Server:
    """Listen on a free port of loopback; `delay` in seconds, each way."""
    loop = asyncio.get_running_loop()
    openings: set[asyncio.Task[object]] = set()

    def welcome() -> _Side:
        near, far = _Side(delay), _Side(delay)
        near.other, far.other = far, near
        opening = loop.create_task(loop.create_connection(lambda: far, "127.0.0.1", server_port))
        openings.add(opening)
        opening.add_done_callback(openings.discard)
        return near

    return await loop.create_server(welcome, "127.0.0.1", 0, backlog=1000)


async def _main() -> None:
    server = await start_relay(int(sys.argv[1]), float(sys.argv[2]) / 1000)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        import uvloop

        uvloop.run(_main())
