"""Answers are recorded in bulk while a batch still runs, once each, whatever the database does."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from gateway.dispatch.flushing import Flushing


class Ledger:
    """Takes results down; the first `failures` times it is away."""

    def __init__(self, failures: int = 0, error: Exception | None = None) -> None:
        self.pages: list[list[Any]] = []
        self.written = asyncio.Event()
        self._failures = failures
        self._error = error or ConnectionResetError()

    async def record(self, results: Sequence[Any]) -> None:
        """Take a page down."""
        if self._failures:
            self._failures -= 1
            raise self._error
        self.pages.append(list(results))
        self.written.set()


def result(number: int) -> Any:
    """Stand for a delivery's row and what became of it."""
    return (number, None)


async def test_an_answer_is_on_record_before_the_batch_ends() -> None:
    """A provider that takes long for the rest keeps nobody's answer waiting; a crash then leaves few in doubt."""
    ledger = Ledger()
    flushing = Flushing(ledger.record)
    flushing.add(result(1))
    flushing.add(result(2))
    await ledger.written.wait()
    flushing.add(result(3))
    await flushing.close()
    assert ledger.pages == [[result(1), result(2)], [result(3)]]


async def test_a_quick_batch_is_one_page() -> None:
    """What is answered at once is recorded at once, together."""
    ledger = Ledger()
    flushing = Flushing(ledger.record)
    for number in range(100):
        flushing.add(result(number))
    await flushing.close()
    assert ledger.pages == [[result(number) for number in range(100)]]


async def test_a_database_that_was_away_gets_every_answer_once() -> None:
    """Its restart costs a moment, not the answers: they cannot be asked for twice."""
    ledger = Ledger(failures=2)
    flushing = Flushing(ledger.record)
    flushing.add(result(1))
    await flushing.close()
    assert ledger.pages == [[result(1)]]


async def test_a_database_that_stays_away_is_an_error() -> None:
    """After the lease the answers count as none: whoever works on the batch must hear of it."""
    flushing = Flushing(Ledger(failures=10).record, patience=0.0)
    flushing.add(result(1))
    with pytest.raises(ConnectionResetError):
        await flushing.close()


class PostgresqlError(Exception):
    """As the driver hands it on: its class says nothing, its SQLSTATE all."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def told(sqlstate: str) -> DBAPIError:
    """Make the error that the caller of a statement sees."""
    return DBAPIError("UPDATE", None, PostgresqlError(sqlstate))


@pytest.mark.parametrize("sqlstate", ["08003", "40P01", "53300", "57P01", "57P02", "57P03"])
async def test_a_server_that_goes_or_comes_up_is_waited_for(sqlstate: str) -> None:
    """Connection gone, deadlock, too many clients, shut down, crashed, starting up: none costs an answer."""
    ledger = Ledger(failures=1, error=told(sqlstate))
    flushing = Flushing(ledger.record)
    flushing.add(result(1))
    await flushing.close()
    assert ledger.pages == [[result(1)]]


@pytest.mark.parametrize("sqlstate", ["22001", "23505", "42703"])
async def test_a_wrong_statement_is_an_error_at_once(sqlstate: str) -> None:
    """Asking again changes nothing about a value that does not fit."""
    flushing = Flushing(Ledger(failures=1, error=told(sqlstate)).record)
    flushing.add(result(1))
    with pytest.raises(DBAPIError):
        await flushing.close()
