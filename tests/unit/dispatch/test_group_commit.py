"""Group commit: neighbours share a transaction, and nothing else."""

import asyncio
import contextvars
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from gateway.dispatch.group_commit import MOST, GroupCommit

REFUSED = ValueError("refused")
POISONED = "poisoned"


@dataclass
class Book:
    """Takes groups down when it is told to; a poisoned item spoils the whole group, as in a database."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    groups: list[list[str]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    tellable: asyncio.Event = field(default_factory=asyncio.Event)
    lost_confirmations: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def commit(self, items: Sequence[str]) -> Sequence[str | Exception]:
        """Write a group down, refuse `no…`, and answer what was written before as the first time."""
        self.groups.append(list(items))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.open.wait()
        self.at_once -= 1
        if POISONED in items:
            raise RuntimeError(POISONED)
        self.written += [item for item in items if item not in self.written and not item.startswith("no")]
        if self.lost_confirmations:
            self.lost_confirmations -= 1
            raise ConnectionError("nobody knows whether it is committed")
        return [REFUSED if item.startswith("no") else f"{item} taken" for item in items]

    async def after(self, answers: Sequence[str]) -> None:
        """Hear what was committed."""
        await self.tellable.wait()
        self.told += answers


@pytest.fixture
def book() -> Book:
    """Give a book that is still closed, with someone who listens at once."""
    book = Book()
    book.tellable.set()
    return book


def start(group: GroupCommit[str, str], *items: str) -> list[asyncio.Task[str]]:
    """Ask for each item."""
    return [asyncio.create_task(group.take(item)) for item in items]


async def settled(book: Book, *tasks: asyncio.Task[str]) -> list[str | BaseException]:
    """Open the book and give what each was answered."""
    book.open.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def turns(number: int = 5) -> None:
    """Let everything happen that waits for nothing."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_what_comes_at_one_moment_is_one_group(book: Book) -> None:
    """The first does not go alone."""
    group = GroupCommit(book.commit, book.after)
    answers = await settled(book, *start(group, "a", "b", "c"))
    assert answers == ["a taken", "b taken", "c taken"]
    assert book.groups == [["a", "b", "c"]]


async def test_what_comes_meanwhile_is_the_next_group(book: Book) -> None:
    """Nobody joins a transaction under way, and no second one begins when one is allowed."""
    group = GroupCommit(book.commit, book.after)
    first = start(group, "a")
    await turns()
    later = start(group, "b", "c")
    await turns()
    assert book.groups == [["a"]]
    await settled(book, *first, *later)
    assert book.groups == [["a"], ["b", "c"]]


async def test_as_many_transactions_as_allowed(book: Book) -> None:
    """While one waits for the disk another begins, but not a third."""
    group = GroupCommit(book.commit, book.after, at_once=2)
    tasks = []
    for item in "abcd":
        tasks += start(group, item)
        await turns()
    assert book.groups == [["a"], ["b"]]
    assert await settled(book, *tasks) == [f"{item} taken" for item in "abcd"]
    assert book.groups == [["a"], ["b"], ["c", "d"]]
    assert book.most_at_once == 2


async def test_the_end_waits_for_what_is_still_to_be_told(book: Book) -> None:
    """What was taken just before a process stops is announced before its connections close."""
    book.tellable.clear()
    group = GroupCommit(book.commit, book.after)
    tasks = start(group, "a", "b")
    await turns()
    end = asyncio.create_task(group.finish())
    assert await settled(book, *tasks) == ["a taken", "b taken"]
    await turns()
    assert (end.done(), book.told) == (False, [])
    book.tellable.set()
    await end
    assert book.told == ["a taken", "b taken"]


async def test_a_group_has_a_largest_size(book: Book) -> None:
    """More than one transaction can take is shared out, in order."""
    group = GroupCommit(book.commit, book.after)
    items = [f"i{number}" for number in range(MOST + 1)]
    await settled(book, *start(group, *items))
    assert book.groups == [items[:MOST], items[MOST:]]


async def test_a_refused_item_is_refused_alone(book: Book) -> None:
    """Its neighbours are committed with it in the group."""
    group = GroupCommit(book.commit, book.after)
    assert await settled(book, *start(group, "a", "no", "b")) == ["a taken", REFUSED, "b taken"]
    assert book.written == ["a", "b"]
    assert len(book.groups) == 1


async def test_a_poisoned_item_takes_nobody_along(book: Book) -> None:
    """What the database chokes on is found by trying each alone; only it fails."""
    group = GroupCommit(book.commit, book.after)
    first, poisoned, last = await settled(book, *start(group, "a", POISONED, "b"))
    assert (first, last) == ("a taken", "b taken")
    assert isinstance(poisoned, RuntimeError)
    assert book.written == ["a", "b"]


async def test_a_caller_that_goes_away_changes_nothing(book: Book) -> None:
    """What it asked for is committed and told of, and its neighbours are answered."""
    group = GroupCommit(book.commit, book.after)
    gone, stays = start(group, "a", "b")
    await turns()
    gone.cancel()
    await turns()
    assert await settled(book, stays) == ["b taken"]
    await turns()
    assert gone.cancelled()
    assert book.written == ["a", "b"]
    assert book.told == ["a taken", "b taken"]


async def test_a_lost_confirmation_is_asked_for_again(book: Book) -> None:
    """A group that may or may not be committed is repeated one by one; nothing is written twice."""
    book.lost_confirmations = 1
    group = GroupCommit(book.commit, book.after)
    assert await settled(book, *start(group, "a", "b")) == ["a taken", "b taken"]
    assert book.written == ["a", "b"]
    assert book.groups == [["a", "b"], ["a"], ["b"]]


async def test_a_database_that_is_away_is_not_asked_for_each(book: Book) -> None:
    """The whole group is told at once, after one more try."""
    book.lost_confirmations = 2
    group = GroupCommit(book.commit, book.after)
    answers = await settled(book, *start(group, "a", "b", "c"))
    assert [type(answer) for answer in answers] == [ConnectionError] * 3
    assert book.groups == [["a", "b", "c"], ["a"]]


async def test_after_a_failure_the_next_group_goes_on(book: Book) -> None:
    """Nothing of one group's fault is left."""
    group = GroupCommit(book.commit, book.after)
    (failed,) = await settled(book, *start(group, POISONED))
    assert isinstance(failed, RuntimeError)
    assert await settled(book, *start(group, "a")) == ["a taken"]


async def test_slow_telling_keeps_nobody_waiting(book: Book) -> None:
    """A queue that hangs delays wake-ups, never answers; what was committed meanwhile is told in one go."""
    told: list[list[str]] = []
    may_tell = asyncio.Event()

    async def tell(answers: Sequence[str]) -> None:
        told.append(list(answers))
        await may_tell.wait()

    group = GroupCommit(book.commit, tell)
    for item in "abc":
        assert await settled(book, *start(group, item)) == [f"{item} taken"]
    assert told == [["a taken"]]
    may_tell.set()
    await turns()
    assert told == [["a taken"], ["b taken", "c taken"]]


async def test_failed_telling_harms_no_later_group(book: Book, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and told of again from the next group on."""
    told: list[str] = []

    async def tell(answers: Sequence[str]) -> None:
        told.extend(answers)
        if "a taken" in answers:
            raise OSError

    group = GroupCommit(book.commit, tell)
    for item in "ab":
        assert await settled(book, *start(group, item)) == [f"{item} taken"]
        await turns()
    assert told == ["a taken", "b taken"]
    assert [record.message for record in caplog.records] == ["after_commit_failed"]


async def test_a_group_runs_in_nobodys_context(book: Book) -> None:
    """Else all its work would hang below the trace of whoever came first."""
    whose = contextvars.ContextVar("whose", default="nobody")
    seen: list[str] = []

    async def commit(items: Sequence[str]) -> Sequence[str | Exception]:
        seen.append(whose.get())
        return list(items)

    async def after(_answers: Sequence[str]) -> None:
        seen.append(whose.get())

    whose.set("the first")
    assert await GroupCommit(commit, after).take("a") == "a"
    await turns()
    assert seen == ["nobody", "nobody"]
    assert not book.groups
