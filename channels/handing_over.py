"""What adapters need to answer a batch: bounded concurrency, answers as they come, one wording for a misfit."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

from channels.base import Envelope, Handover
from channels.errors import Retry, SendError

WRONG_PAYLOAD = SendError(
    retry=Retry.NEVER,
    code="wrong_payload",
    explanation="The gateway gave this provider a message of another kind; the operator must look at the set-up.",
    ours=True,
)
"""A mail on its way to a text provider, or the like: our own fault, and nothing was sent."""


def answered(envelope: Envelope, provider: str, outcome: str | SendError) -> Handover:
    """Answer for one envelope: the provider's id for it, or what went wrong."""
    if isinstance(outcome, SendError):
        return Handover(delivery=envelope.delivery, provider=provider, error=outcome)
    return Handover(delivery=envelope.delivery, provider=provider, provider_id=outcome)


Item = TypeVar("Item")
Answer = TypeVar("Answer")


async def answer_each(
    items: Sequence[Item], answer: Callable[[Item], Awaitable[Answer]], *, concurrency: int
) -> AsyncGenerator[Answer, None]:
    """Yield the answer for every item as soon as it is known, at most `concurrency` being asked for at once.

    When one cannot be had, the error is raised after the others were yielded. Who stops iterating cancels the rest.
    """
    answers: asyncio.Queue[Answer | None] = asyncio.Queue()
    waiting = iter(items)

    async def work() -> None:
        try:
            for item in waiting:
                answers.put_nowait(await answer(item))
        finally:
            answers.put_nowait(None)

    workers = [asyncio.create_task(work()) for _ in range(min(concurrency, len(items)))]
    working = len(workers)
    try:
        while working:
            found = await answers.get()
            if found is None:
                working -= 1
            else:
                yield found
        for worker in workers:
            worker.result()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
