"""The queue: wake-ups by lane, carrying ids and nothing else.

Losing every one of them loses nothing: the clock finds due work by its state and wakes it again.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import dramatiq
from dramatiq import Broker, Worker
from dramatiq.asyncio import set_event_loop_thread
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Middleware, ShutdownNotifications
from dramatiq.threading import Interrupt

from gateway.dispatch.requests import Lane

Work = Callable[[str], Awaitable[None]]

_POLL_MS = 50
"""How long an idle worker sleeps between polls; the default of 1000 costs 240 to 385 ms of latency (measured)."""

_HEARTBEAT_MS = 20_000
"""After this silence another worker takes over a dead one's wake-ups."""

_MAINTENANCE = 50_000
"""How many of a million broker commands look for dead workers; the default leaves wake-ups for minutes (measured)."""


class WakeUps:
    """Where work is announced and taken: one queue a lane, in this process or on Redis."""

    def __init__(self, redis_url: str | None, *, namespace: str = "dramatiq") -> None:
        middleware: list[Middleware] = [ShutdownNotifications(notify_shutdown=True)]
        self._broker: Broker
        if redis_url is None:
            self._broker = StubBroker(middleware=middleware)
        else:
            self._broker = RedisBroker(  # type: ignore[no-untyped-call]  # dramatiq types it not
                url=redis_url,
                middleware=middleware,
                namespace=namespace,
                heartbeat_timeout=_HEARTBEAT_MS,
                maintenance_chance=_MAINTENANCE,
            )
        for lane in Lane:
            self._broker.declare_queue(lane)
        self._embedded = redis_url is None
        self._worker: Worker | None = None

    def serve(self, kind: str, work: Work) -> None:
        """Say what is done on a wake-up of this kind; raises when the kind is taken already."""

        # No retries here: what is not done stays due in the database, and the clock wakes it again.
        @dramatiq.actor(actor_name=kind, queue_name=Lane.STANDARD, broker=self._broker)
        async def actor(subject: str) -> None:
            await work(subject)

    async def wake(self, kind: str, lane: str, subjects: Sequence[str]) -> None:
        """Announce work. A broker that is away is no loss, only a delay until the clock's next round."""
        messages: list[dramatiq.Message[Any]] = [
            dramatiq.Message(queue_name=lane, actor_name=kind, args=(subject,), kwargs={}, options={})
            for subject in subjects
        ]
        if self._embedded:
            self._enqueue(messages)
        else:
            await asyncio.to_thread(self._enqueue, messages)

    def _enqueue(self, messages: Sequence[dramatiq.Message[Any]]) -> None:
        for message in messages:
            self._broker.enqueue(message)

    def start(self, lanes: Sequence[Lane], *, threads: int) -> None:
        """Begin to take wake-ups of these lanes; the work runs in the loop that calls this."""
        set_event_loop_thread(_RunningLoop(asyncio.get_running_loop()))  # type: ignore[arg-type]  # same one method
        self._worker = Worker(self._broker, queues=set(lanes), worker_timeout=_POLL_MS, worker_threads=threads)
        self._worker.start()

    async def stop(self, *, patience: float) -> None:
        """Take no more wake-ups, interrupt what runs, and wait up to `patience` seconds for it to hand back."""
        if self._worker is not None:
            await asyncio.to_thread(self._worker.stop, timeout=int(patience * 1000))
            self._worker = None
            set_event_loop_thread(None)
        await asyncio.to_thread(self._broker.close)

    async def check(self) -> str | None:
        """Say in one sentence why the queue cannot be used, or None."""
        if isinstance(self._broker, RedisBroker):
            try:
                await asyncio.wait_for(asyncio.to_thread(self._broker.client.ping), 2)
            except Exception as error:  # noqa: BLE001  # any failure is the answer
                return f"Redis does not answer ({type(error).__name__}): check GATEWAY_REDIS_URL and the server."
        return None


class _RunningLoop:
    """Lets dramatiq's worker threads run async actors in the loop that owns the database and the providers.

    dramatiq's own middleware starts a second loop in a thread; connections made in one loop fail in another.
    """

    _CHECK_SECONDS = 0.1

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run_coroutine(self, coroutine: Awaitable[Any]) -> Any:
        """Run it there and wait here, ready to be interrupted by a shutdown."""
        done = threading.Event()

        async def run() -> Any:
            try:
                return await coroutine
            finally:
                done.set()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            while not done.wait(self._CHECK_SECONDS):
                pass
        except Interrupt:
            self._loop.call_soon_threadsafe(future.cancel)
            done.wait(5)
            raise
        return future.result()
