"""Asking what may hang: nobody waits longer than agreed, and nobody is asked twice at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from gateway.dispatch.asking import Question

AT_ONCE = 0.01


@dataclass
class Oracle:
    """Answers when it is told to, and counts how often it was asked."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    given_up: int = 0
    fault: Exception | None = None
    now: float = 0.0

    async def __call__(self) -> int:
        """Answer with the number of the question."""
        self.asked += 1
        number = self.asked
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.fault is not None:
            raise self.fault
        return number


@pytest.fixture
def oracle() -> Oracle:
    """Give an oracle that keeps silent."""
    return Oracle()


@pytest_asyncio.fixture
async def question(oracle: Oracle) -> AsyncIterator[Question[int]]:
    """Ask the oracle by its own clock: answers hold for a second, and silence is borne for ten."""
    question = Question(oracle, patience=AT_ONCE, keep=1, abandon=10, clock=lambda: oracle.now)
    yield question
    await question.close()


async def test_everybody_shares_one_answer(oracle: Oracle, question: Question[int]) -> None:
    """Whoever asks at the same time, or before the answer is old, gets the same."""
    oracle.may_answer.set()
    assert await asyncio.gather(*(question.answer() for _ in range(5))) == [1] * 5
    oracle.now = 0.9
    assert await question.answer() == 1
    oracle.now = 1.0
    assert await question.answer() == 2


async def test_silence_keeps_nobody_waiting_and_is_not_asked_again(oracle: Oracle, question: Question[int]) -> None:
    """Each one gives up by itself; the question that is under way answers the next one."""
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await question.answer()
    assert oracle.asked == 1
    oracle.may_answer.set()
    assert await question.answer() == 1


async def test_long_silence_is_given_up(oracle: Oracle, question: Question[int]) -> None:
    """A server that went away without a word is asked anew, as it may have come back elsewhere."""
    with pytest.raises(TimeoutError):
        await question.answer()
    oracle.now = 10.0
    with pytest.raises(TimeoutError):
        await question.answer()
    assert (oracle.asked, oracle.given_up) == (2, 1)


async def test_a_failure_is_told_to_all_and_kept_as_an_answer_is(oracle: Oracle, question: Question[int]) -> None:
    """A refusal is an answer, too; the one after it may be better."""
    oracle.fault = OSError("away")
    oracle.may_answer.set()
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            await question.answer()
    assert oracle.asked == 1
    oracle.fault, oracle.now = None, 1.0
    assert await question.answer() == 2


async def test_closing_gives_up(oracle: Oracle) -> None:
    """No question outlives the process that asked."""
    question = Question(oracle, patience=AT_ONCE, keep=1)
    with pytest.raises(TimeoutError):
        await question.answer()
    await question.close()
    assert oracle.given_up == 1
