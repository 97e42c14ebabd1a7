"""What every adapter needs to answer a batch: bounded concurrency, kept order, one wording for a wrong payload."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from channels.errors import Retry, SendError

WRONG_PAYLOAD = SendError(
    retry=Retry.NEVER,
    code="wrong_payload",
    explanation="The gateway gave this provider a message of another kind; the operator must look at the set-up.",
    ours=True,
)
"""A mail on its way to a text provider, or the like: our own fault, and nothing was sent."""


Item = TypeVar("Item")
Answer = TypeVar("Answer")


async def answer_each(
    items: Sequence[Item], answer: Callable[[Item], Awaitable[Answer]], *, concurrency: int
) -> list[Answer]:
    """Answer every item, at most `concurrency` at once, in the order given."""
    answers: dict[int, Answer] = {}
    waiting = iter(enumerate(items))

    async def work() -> None:
        for place, item in waiting:
            answers[place] = await answer(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(items))):
            group.create_task(work())
    return [answers[place] for place in range(len(items))]
