"""Group commit: what is asked for at the same moment shares one transaction, and each is answered after its commit.

A commit waits for the disk; one for each request takes 1,700 to 4,200 requests a second, a shared one 11,700 (measured,
design ground).
"""

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST = 200
"""Items a transaction: beyond, the last of them would wait longer than the shared commit saves."""

MOST_UNTOLD = 10_000
"""Committed items whose `after` waits; when it hangs the oldest are left to whoever looks for what was forgotten."""

_log = logging.getLogger(__name__)

_Asked = tuple[Item, asyncio.Future[Answer]]
"""An item and where its answer is awaited."""


class GroupCommit(Generic[Item, Answer]):
    """Gathers items while transactions are under way and commits them together in the next one.

    `commit` records all items in one transaction and gives an answer for each; an answer that is an exception is raised
    to whoever asked. After a failure it gets them again one by one, even those it has recorded. `after` is told what
    was committed, once the answers are given; it keeps no group waiting. `at_once` transactions may be under way: while
    one waits for the disk the next is prepared.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        after: Callable[[Sequence[Answer]], Awaitable[None]],
        *,
        at_once: int = 1,
    ) -> None:
        self._commit = commit
        self._after = after
        self._at_once = at_once
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._beginning = False
        self._committed: deque[Answer] = deque(maxlen=MOST_UNTOLD)
        self._telling: asyncio.Task[None] | None = None

    async def take(self, item: Item) -> Answer:
        """Commit an item with those of its moment; gives its answer or raises what it is refused with."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        self._begin_soon()
        return await answer

    async def finish(self) -> None:
        """Wait until all that was asked for is committed and told; for the end, when nobody asks any more."""
        while self._waiting or self._under_way or self._telling is not None:
            await asyncio.sleep(0)
            await asyncio.gather(*self._under_way, *filter(None, [self._telling]))

    def _begin_soon(self) -> None:
        """Begin a group once all that happens at this moment has been gathered, unless enough are under way."""
        if self._waiting and not self._beginning and len(self._under_way) < self._at_once:
            self._beginning = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._beginning = False
        group = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        task = _start(self._work(group))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        task.add_done_callback(lambda _: self._begin_soon())

    async def _work(self, group: Sequence[_Asked[Item, Answer]]) -> None:
        try:
            answers = await self._commit([item for item, _ in group])
        except Exception:  # noqa: BLE001  # each is asked for again, and raised then
            await self._commit_one_by_one(group)
        else:
            for (_, asked), answer in zip(group, answers, strict=True):
                self._give(asked, answer)
        if self._committed and self._telling is None:
            self._telling = _start(self._tell())

    async def _commit_one_by_one(self, group: Sequence[_Asked[Item, Answer]]) -> None:
        """Commit what can be of a group that failed.

        One of them may be what the database refuses: it must not take its neighbours along. Or all were committed and
        only the confirmation was lost: asked for again, they are found.
        """
        away: OSError | None = None
        for item, asked in group:
            answer = away or await self._commit_alone(item)
            if isinstance(answer, OSError):  # to wait for each in turn would keep the last one for many minutes
                away = answer
            self._give(asked, answer)

    async def _commit_alone(self, item: Item) -> Answer | Exception:
        try:
            return (await self._commit([item]))[0]
        except Exception as error:  # noqa: BLE001  # it is raised to whoever asked
            return error

    def _give(self, asked: asyncio.Future[Answer], answer: Answer | Exception) -> None:
        if not isinstance(answer, Exception):
            self._committed.append(answer)
        if asked.done():  # whoever asked has gone; what was committed stays
            return
        if isinstance(answer, Exception):
            asked.set_exception(answer)
        else:
            asked.set_result(answer)

    async def _tell(self) -> None:
        try:
            while self._committed:
                committed = list(self._committed)
                self._committed.clear()
                await self._after(committed)
        except Exception as error:  # noqa: BLE001  # what was committed stays, whatever comes after it
            _log.exception("after_commit_failed", extra={"error": type(error).__name__})
        finally:
            self._telling = None


def _start(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Start it in a context of its own: a group continues the trace of none of those who asked."""
    return asyncio.get_running_loop().create_task(work, context=contextvars.Context())
