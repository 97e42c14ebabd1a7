"""Long-lived connections to one mail server: opened when needed, kept full, and given up before they go stale."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import aiosmtplib

from channels.errors import SendError
from channels.smtp_connection import SmtpConnection
from channels.smtp_dial import GOODBYE_SECONDS, DialError
from channels.smtp_queue import Batch, MailQueue, Parcel
from channels.smtp_replies import Stage, lost_error

DISTRUST_SECONDS = 600.0
"""How long commands go one by one after a server was seen to fail at commands written ahead."""

_DOUBTS = 3
"""Breaks in the middle of commands written ahead that add up to certainty, when no mail goes through between them."""

_BREAKS = 2
"""Breaks beyond one for each connection, with no mail going through, after which the server counts as unavailable."""

_FIRST_DELAY = 0.1
"""Seconds, at most, before the first new connection after a broken one; doubles with every further break."""


class SmtpPool:
    """At most `size` connections of one event loop, which share the mails of all batches."""

    def __init__(
        self,
        dial: Callable[[], Awaitable[aiosmtplib.SMTP]],
        *,
        size: int,
        mails_per_connection: int,
        timeout: float,
        idle: float,
        pause_after_failure: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._dial = dial
        self._size = size
        self._mails_per_connection = mails_per_connection
        self._timeout = timeout
        self._patience = min(1.0, timeout / 4)
        """Seconds of silence after which a connection's next mail may go over another."""
        self._idle = idle
        self._pause = pause_after_failure
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self._queue = MailQueue()
        self._connections: set[SmtpConnection] = set()
        self._dials: set[asyncio.Task[None]] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._failure: SendError | None = None
        self._closed_until = 0.0
        self._breaks = 0
        """Connections that broke since a mail last went through."""
        self._doubts = 0
        self._stepwise_until = 0.0
        self._no_notices_until = 0.0
        self._one_gone = asyncio.Event()
        self._closing = False

    # For the channel

    def add(self, parcels: Sequence[Parcel]) -> None:
        """Let mails wait for a connection; they are answered through their batch."""
        self._queue.add(parcels)
        if self._closing:
            self._answer_waiting(lost_error(Stage.SENDER))
        self._spread()

    def take_back(self, batch: Batch) -> None:
        """Do not hand over what has not left yet."""
        if batch.unanswered:
            self._queue.take_back(batch)
            for connection in list(self._connections):
                connection.dialogue.take_back(batch)

    async def close(self) -> None:
        """Say goodbye on resting connections, cut the others, and answer for all mails that were waiting."""
        self._closing = True
        for dial in self._dials:
            dial.cancel()
        for connection in self._connections:
            if connection.parting:
                continue
            if connection.dialogue.busy:
                connection.cut()
            else:
                connection.dialogue.say_goodbye()
        self._answer_waiting(lost_error(Stage.SENDER))
        await asyncio.gather(*self._dials, return_exceptions=True)
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._all_gone()
        except TimeoutError:
            for connection in self._connections:
                connection.cut()
            await self._all_gone()
        if self._watch is not None:
            self._watch.cancel()

    # For its connections

    def take(self) -> Parcel | None:
        """Give the next mail."""
        return self._queue.take()

    def put_back(self, parcels: Sequence[Parcel]) -> None:
        """Let mails wait again, in front."""
        for parcel in reversed(parcels):
            self._queue.put_back(parcel)

    def flowing(self, *, behind: bool) -> None:
        """Hear that a mail went through; `behind` another, so that its envelope was written ahead."""
        self._breaks = 0
        if behind:
            self._doubts = 0

    def doubt(self, *, certain: bool) -> None:
        """Go on step by step for a while when it looks as if the server needs it."""
        self._doubts += 1
        if certain or self._doubts >= _DOUBTS:
            self._doubts = 0
            self._stepwise_until = self._loop.time() + DISTRUST_SECONDS

    def order_no_notices(self) -> None:
        """Order no notices for a while: the server offers that and refuses it."""
        self._no_notices_until = self._loop.time() + DISTRUST_SECONDS

    def gone(self, connection: SmtpConnection) -> None:
        """Hear that a connection has ended; another replaces it when mails wait."""
        self._connections.discard(connection)
        self._one_gone.set()
        if connection.broke:
            self._breaks += 1
            if self._breaks > self._size + _BREAKS:
                self._stop_opening(lost_error(Stage.CONNECT))
                return
        self._spread()

    # Its own

    def _spread(self) -> None:
        """Give waiting mails to the connections, resting ones first, and open more when that is not enough."""
        for connection in sorted(self._connections, key=lambda connection: connection.dialogue.busy):
            busy = connection.dialogue.busy
            if self._queue and not connection.is_silent(self._patience if busy else self._idle):
                connection.dialogue.pump()
            elif not busy and self._queue and not connection.parting:
                connection.dialogue.say_goodbye()
        if not self._queue or self._closing:
            return
        if self._failure is not None and self._loop.time() < self._closed_until:
            self._answer_when_stranded()
            return
        for _ in range(min(self._size - len(self._connections), len(self._queue)) - len(self._dials)):
            self._dials.add(self._loop.create_task(self._open(self._delay())))

    def _delay(self) -> float:
        """Wait a little after a break, each time up to twice as long, so that many do not come back at once."""
        longest = _FIRST_DELAY * 2 ** min(self._breaks - 1, 10)
        return min(self._pause, longest) * self._chance() if self._breaks else 0.0

    async def _open(self, delay: float) -> None:
        """Open one connection and set it to work."""
        try:
            if delay:
                await asyncio.sleep(delay)
            client = await self._dial()
            connection = SmtpConnection.over(
                client,
                self,
                pipelining=self._loop.time() >= self._stepwise_until,
                notices=self._loop.time() >= self._no_notices_until,
                most=self._mails_per_connection,
            )
        except DialError as refusal:
            error: SendError | None = refusal.error
        except Exception:  # noqa: BLE001  # whatever kept it from opening, no mail may wait for ever
            error = lost_error(Stage.CONNECT)
        else:
            error = None
            self._connections.add(connection)
        finally:
            self._dials.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        if error is not None:
            self._stop_opening(error)
            return
        self._failure = None
        self._keep_watch()
        connection.dialogue.pump()

    def _stop_opening(self, error: SendError) -> None:
        """Open no connection for a while; mails that have none left are answered with the reason."""
        self._failure = error
        self._closed_until = self._loop.time() + self._pause * (1 + self._chance() / 2)
        self._answer_when_stranded()

    def _answer_when_stranded(self) -> None:
        if self._failure is not None and not self._connections and not self._dials:
            self._answer_waiting(self._failure)

    def _answer_waiting(self, error: SendError) -> None:
        while (parcel := self._queue.take()) is not None:
            parcel.answer(error)

    def _keep_watch(self) -> None:
        if self._watch is None and not self._closing:
            self._watch = self._loop.call_later(min(1.0, self._timeout / 8), self._look_round)

    def _look_round(self) -> None:
        """Find the silent: one look at all connections now and then is cheaper than a timer for every mail."""
        self._watch = None
        others = len(self._connections) < self._size or any(not held.dialogue.busy for held in self._connections)
        for connection in self._connections:
            dialogue = connection.dialogue
            if connection.parting:
                if connection.is_silent(GOODBYE_SECONDS):
                    connection.cut()
            elif not dialogue.busy:
                if connection.is_silent(self._idle):
                    dialogue.say_goodbye()
            elif connection.is_silent(self._timeout):
                connection.cut(timed_out=True)
            elif others and dialogue.holds_one_back and connection.is_silent(self._patience):
                parcel = dialogue.give_back()
                if parcel is not None:
                    self._queue.put_back(parcel)
        if self._connections:
            self._keep_watch()
            self._spread()

    async def _all_gone(self) -> None:
        while self._connections:
            self._one_gone.clear()
            await self._one_gone.wait()
