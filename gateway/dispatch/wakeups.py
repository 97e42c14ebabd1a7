"""The queue: wake-ups by lane, carrying ids and nothing else.

Losing every one of them loses nothing: the clock finds due work by its state and wakes it again.
"""

import asyncio
import logging
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import dramatiq
import msgspec
import redis.asyncio
import redis.exceptions
from dramatiq import Broker, Worker
from dramatiq.asyncio import set_event_loop_thread
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import CurrentMessage, Middleware

from gateway.dispatch.requests import Lane
from gateway.dispatch.tracing import Tracer

_log = logging.getLogger(__name__)

Work = Callable[[str], Awaitable[None]]

_POLL_MS = {Lane.LETTERS: 500, Lane.WEBHOOKS: 500}
_USUAL_POLL_MS = 50
"""How long an idle worker sleeps between polls; the default of 1000 costs 240 to 385 ms of latency (measured)."""

_HEARTBEAT_MS = 20_000
"""After this silence another worker takes over a dead one's wake-ups."""

_MAINTENANCE = 50_000
"""How many of a million broker commands look for dead workers; the default leaves wake-ups for minutes (measured)."""


_PIPELINED = 500
"""Wake-ups a round trip."""

_NO_TRACES: Mapping[str, str] = {}


class WakeUps:
    """Where work is announced and taken: one queue a lane, in this process or on Redis."""

    def __init__(self, redis_url: str | None, *, namespace: str = "dramatiq", tracer: Tracer | None = None) -> None:
        self._tracer = tracer or Tracer()
        # A broker bears only one dramatiq worker, and each lane has one.
        self._brokers = {lane: _broker(redis_url, namespace) for lane in Lane}
        for lane, broker in self._brokers.items():
            broker.declare_queue(lane)
        self._namespace = namespace
        self._redis = None if redis_url is None else redis.asyncio.Redis.from_url(redis_url)
        self._workers: list[Worker] = []
        self._loop: _RunningLoop | None = None
        self._delayed: dict[str, asyncio.TimerHandle] = {}
        self._beginning: set[asyncio.Future[None]] = set()

    def serve(self, kind: str, work: Work) -> None:
        """Say what is done on a wake-up of this kind; raises when the kind is taken already."""

        # No retries here: what is not done stays due in the database, and the clock wakes it again.
        async def actor(subject: str) -> None:
            message = CurrentMessage.get_current_message()
            assert message is not None  # noqa: S101  # the middleware has set it
            lane, parent = message.queue_name, message.options.get("traceparent")
            facts = {"gateway.subject": subject, "gateway.lane": lane}
            try:
                with self._tracer.span(kind, kind="consumer", facts=facts, parent=parent):
                    await work(subject)
            except asyncio.CancelledError:
                # This process stops: another one goes on at once instead of after the clock's next round.
                await self.wake(kind, lane, [subject], traces={subject: parent} if parent else _NO_TRACES)

        for lane, broker in self._brokers.items():
            dramatiq.actor(actor_name=kind, queue_name=lane, broker=broker)(actor)

    async def wake(
        self, kind: str, lane: str, subjects: Sequence[str], *, traces: Mapping[str, str] = _NO_TRACES
    ) -> None:
        """Announce work. A broker that is away is no loss, only a delay until the clock's next round.

        What is done on it continues the trace given for the subject (`traceparent`), else that of the running code.
        """
        here = self._tracer.traceparent()
        messages = [(subject, _options(traces.get(subject, here))) for subject in subjects]
        if self._redis is None:
            for subject, options in messages:
                self._brokers[Lane(lane)].enqueue(
                    dramatiq.Message(queue_name=lane, actor_name=kind, args=(subject,), kwargs={}, options=options)
                )
            return
        try:
            await self._enqueue(self._redis, kind, lane, messages)
        except (redis.exceptions.RedisError, OSError) as error:
            _log.warning("wake_up_lost", extra={"error": type(error).__name__, "messages": len(messages)})

    async def wake_batches(self, batches: Iterable[tuple[str, str]]) -> None:
        """Announce that batches (lane, batch) have something to be sent, each once."""
        lanes: dict[str, dict[str, None]] = defaultdict(dict)
        for lane, batch in batches:
            lanes[lane][batch] = None
        for lane, names in lanes.items():
            await self.wake("send", lane, list(names))

    def wake_later(self, lane: str, batch: str, *, seconds: float) -> None:
        """Announce in a moment that a batch may be sent on; should this process end before, the clock does it."""

        def begin() -> None:
            self._delayed.pop(batch, None)
            task = asyncio.ensure_future(self.wake("send", lane, [batch]))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

        if batch not in self._delayed:
            self._delayed[batch] = asyncio.get_running_loop().call_later(seconds, begin)

    async def _enqueue(
        self, client: redis.asyncio.Redis, kind: str, queue: str, messages: Sequence[tuple[str, dict[str, Any]]]
    ) -> None:
        """Put messages into the queue in one round trip, laid out as the broker's own script does it.

        The broker itself takes a round trip and a thread for each: 2,700 to 4,500 a second against 20,000 and more.
        """
        for start in range(0, len(messages), _PIPELINED):
            now = int(time.time() * 1000)
            contents: dict[Any, Any] = {}
            for subject, options in messages[start : start + _PIPELINED]:
                identifier = secrets.token_hex(16)
                contents[identifier] = msgspec.json.encode(
                    {
                        "queue_name": queue,
                        "actor_name": kind,
                        "args": (subject,),
                        "kwargs": {},
                        "options": options | {"redis_message_id": identifier},
                        "message_id": identifier,
                        "message_timestamp": now,
                    }
                )
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.hset(f"{self._namespace}:{queue}.msgs", mapping=contents)
                pipeline.rpush(f"{self._namespace}:{queue}", *contents)
                await pipeline.execute()

    def start(self, threads: Mapping[Lane, int]) -> None:
        """Begin to take wake-ups of these lanes; the work runs in the loop that calls this.

        Each lane has threads of its own, hence a dramatiq worker of its own: a queue of newsletters may occupy all of
        theirs, and an alert finds the ones of its lane idle.
        """
        self._loop = _RunningLoop(asyncio.get_running_loop())
        set_event_loop_thread(self._loop)  # type: ignore[arg-type]  # same one method
        for lane, number in threads.items():
            idle = _POLL_MS.get(lane, _USUAL_POLL_MS)
            worker = Worker(self._brokers[lane], queues={lane}, worker_timeout=idle, worker_threads=number)
            worker.start()
            self._workers.append(worker)

    async def stop(self, *, patience: float) -> None:
        """Take no more wake-ups, interrupt what runs, and wait up to `patience` seconds for it to hand back."""
        if self._loop is not None:
            # Else the consumers, which live until the last thread has ended, would fetch what others could do. A paused
            # one would sleep for three seconds before it ends; a stopped one only beats no more while the work ends.
            for worker in self._workers:
                for consumer in list(worker.consumers.values()):
                    consumer.stop()
            self._loop.stop()
            await asyncio.gather(
                *(asyncio.to_thread(worker.stop, timeout=int(patience * 1000)) for worker in self._workers)
            )
            self._loop = None
            self._workers.clear()
            set_event_loop_thread(None)
        for timer in self._delayed.values():
            timer.cancel()
        await asyncio.gather(*self._beginning)
        for broker in self._brokers.values():
            await asyncio.to_thread(broker.close)
            if isinstance(broker, RedisBroker):  # it leaves its connections to the garbage collector
                broker.client.connection_pool.disconnect()
        if self._redis is not None:
            await self._redis.aclose()

    async def check(self) -> str | None:
        """Say in one sentence why the queue cannot be used, or None."""
        if self._redis is not None:
            try:
                await asyncio.wait_for(self._redis.ping(), 2)
            except Exception as error:  # noqa: BLE001  # any failure is the answer
                return f"Redis does not answer ({type(error).__name__}): check GATEWAY_REDIS_URL and the server."
        return None


def _broker(redis_url: str | None, namespace: str) -> Broker:
    middleware: list[Middleware] = [CurrentMessage()]
    if redis_url is None:
        return StubBroker(middleware=middleware)
    return RedisBroker(  # type: ignore[no-untyped-call]  # dramatiq types it not
        url=redis_url,
        middleware=middleware,
        namespace=namespace,
        heartbeat_timeout=_HEARTBEAT_MS,
        maintenance_chance=_MAINTENANCE,
    )


def _options(trace: str | None) -> dict[str, Any]:
    return {} if trace is None else {"traceparent": trace}


class _RunningLoop:
    """Lets dramatiq's worker threads run async actors in the loop that owns the database and the providers.

    dramatiq's own middleware starts a second loop in a thread; connections made in one loop fail in another.
    """

    _CHECK_SECONDS = 0.1

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Cancel what runs, and whatever a thread takes up from now on; each is waited for until it has handed back."""
        self._stopping.set()

    def run_coroutine(self, coroutine: Awaitable[Any]) -> Any:
        """Run it there and wait here.

        dramatiq's own way to stop raises an exception inside this thread, misses a thread that is just taking up its
        next message, and ends in a dead letter.
        """
        done = threading.Event()
        tasks: list[asyncio.Task[Any]] = []

        async def run() -> Any:
            tasks.extend(task for task in [asyncio.current_task()] if task is not None)
            try:
                return await coroutine
            finally:
                done.set()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        while not done.wait(self._CHECK_SECONDS):
            # Once only, and none that has not begun: both would keep it from handing back.
            if tasks and self._stopping.is_set():
                self._loop.call_soon_threadsafe(tasks[0].cancel)
                done.wait()
        return future.result()
