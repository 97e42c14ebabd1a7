"""Answering a batch with bounded concurrency: as they come, each once, and nothing left behind."""

import asyncio
from contextlib import aclosing

import pytest

from channels.handing_over import answer_each


async def double(number: int) -> int:
    """Answer at once."""
    return 2 * number


async def test_every_item_is_answered_once() -> None:
    """However many work at once."""
    for concurrency in (1, 3, 100):
        answers = [answer async for answer in answer_each(range(10), double, concurrency=concurrency)]
        assert sorted(answers) == [2 * number for number in range(10)]
    assert [answer async for answer in answer_each([], double, concurrency=3)] == []


async def test_a_slow_answer_does_not_hold_up_the_others() -> None:
    """They are yielded while it is still open, and no more are asked for at once than allowed."""
    slow = asyncio.Event()
    asked: list[int] = []

    async def answer(number: int) -> int:
        asked.append(number)
        if number == 0:
            await slow.wait()
        return number

    async with aclosing(answer_each(range(5), answer, concurrency=2)) as answers:
        assert [await anext(answers) for _ in range(4)] == [1, 2, 3, 4]
        slow.set()
        assert await anext(answers) == 0


async def test_who_stops_iterating_cancels_the_rest() -> None:
    """No further item is begun, and no task lives on."""
    begun: list[int] = []

    async def answer(number: int) -> int:
        begun.append(number)
        if number:
            await asyncio.Event().wait()
        return number

    async with aclosing(answer_each(range(10), answer, concurrency=2)) as answers:
        assert await anext(answers) == 0
    assert begun == [0, 1, 2]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_fault_is_raised_after_the_other_answers() -> None:
    """One wrong item does not cost the others their answers."""

    async def answer(number: int) -> int:
        return 6 // number

    async with aclosing(answer_each([3, 0, 2, 1], answer, concurrency=2)) as answers:
        assert sorted([await anext(answers) for _ in range(3)]) == [2, 3, 6]
        with pytest.raises(ZeroDivisionError):
            await anext(answers)
