"""Who presents a key is asked of the database now and then, and a revoked one is soon refused."""

import asyncio
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlalchemy import event

from gateway.access import NewKey, Scope, make_key
from gateway.dispatch.key_ring import TRUSTED_SECONDS, KeyRing
from gateway.store.database import Database
from gateway.store.keys import add_key, revoke_key
from tests.store.rows import NOON


@dataclass
class Seconds:
    """A clock that a test moves."""

    now: float = 100.0

    def __call__(self) -> float:
        """Tell the seconds."""
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    """Give a clock."""
    return Seconds()


@pytest_asyncio.fixture
async def key(database: Database) -> NewKey:
    """Store a key that may send for the school `oak`."""
    key = make_key()
    async with database.writing() as connection:
        await add_key(connection, key, name="office", scopes=[Scope.SEND], school="oak", at=NOON)
    return key


async def revoke(database: Database, key: NewKey) -> None:
    """Revoke it, as another process does."""
    async with database.writing() as connection:
        await revoke_key(connection, key.id, at=NOON)


async def test_a_revoked_key_is_refused_within_five_seconds(database: Database, key: NewKey, seconds: Seconds) -> None:
    """It works no longer than the promise, however often it is presented meanwhile."""
    ring = KeyRing(database, clock=seconds)
    assert await ring.principal(key.text) is not None
    await revoke(database, key)
    seconds.now += TRUSTED_SECONDS - 0.001
    assert await ring.principal(key.text) is not None
    seconds.now += 0.001
    assert await ring.principal(key.text) is None
    assert TRUSTED_SECONDS <= 5


async def test_an_unknown_key_is_not_remembered(database: Database, seconds: Seconds) -> None:
    """A key that was presented before it was made works as soon as it is."""
    ring, key = KeyRing(database, clock=seconds), make_key()
    assert await ring.principal(key.text) is None
    async with database.writing() as connection:
        await add_key(connection, key, name="office", scopes=[Scope.SEND], school="oak", at=NOON)
    assert await ring.principal(key.text) is not None


async def test_the_secret_is_compared_each_time(database: Database, key: NewKey, seconds: Seconds) -> None:
    """A known id with another secret is nobody."""
    ring = KeyRing(database, clock=seconds)
    assert await ring.principal(key.text) is not None
    assert await ring.principal(key.text[:-1] + ("A" if key.text[-1] != "A" else "B")) is None


async def test_many_at_once_ask_once(database: Database, key: NewKey, seconds: Seconds) -> None:
    """When the trust ends in the midst of a load, the database gets one question, and everybody its answer."""
    ring, connections = KeyRing(database, clock=seconds), []
    event.listen(database.engine.sync_engine, "checkout", lambda *_: connections.append(1))
    known = await asyncio.gather(*(ring.principal(key.text) for _ in range(50)))
    assert {principal.key for principal in known if principal is not None} == {key.id}
    assert len(connections) == 1


async def test_who_asked_first_may_go_away(database: Database, key: NewKey, seconds: Seconds) -> None:
    """The others are answered all the same."""
    ring = KeyRing(database, clock=seconds)
    first, second = (asyncio.create_task(ring.principal(key.text)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    found = await second
    assert found is not None
    assert found.key == key.id
