"""Whether this process can do its work: asked by probes, so it never hangs and costs next to nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from gateway.dispatch.asking import Question
from gateway.dispatch.provider_gate import ProviderGate
from gateway.dispatch.providers import ProviderChoice, Terms
from gateway.dispatch.queue_server import ask_queue_server
from gateway.store.database import Database
from gateway.store.migrate import head
from gateway.store.server import DatabaseAwayError, ask_for_schema

PATIENCE_SECONDS = 1.0
"""How long a probe waits for an answer; Kubernetes gives up on the probe itself after three seconds."""
KEEP_SECONDS = 1.0
"""However many ask, the servers are asked once a second at most."""


class Readiness:
    """Asks database and queue at the same time, and how the providers are."""

    def __init__(self, database: Database, redis_url: str | None, gate: ProviderGate, choice: ProviderChoice) -> None:
        self._database = database
        self._redis_url = redis_url
        self._gate = gate
        self._choice = choice
        self._providers = Question(self._ask_gate, patience=PATIENCE_SECONDS, keep=KEEP_SECONDS)
        self._used = Question(self._ask_use, patience=PATIENCE_SECONDS, keep=KEEP_SECONDS)
        self._questions = {"database": _probe(self._database_fault)}
        if redis_url is not None:
            self._questions["queue"] = _probe(self._queue_fault)

    async def faults(self) -> dict[str, str | None]:
        """Say of each part in one sentence why it cannot be used, or None; takes a second at most."""
        answers = await asyncio.gather(*(_answer(part, question) for part, question in self._questions.items()))
        return dict(zip(self._questions, answers, strict=True))

    async def providers(self) -> dict[str, str]:
        """Give each provider's breaker, or why it may not be used at all; nothing while that cannot be known.

        The words are `closed`, `open`, `half_open`, and `unapproved`, `over_budget`.

        A provider in trouble is waited for: it makes no process unready.
        """
        try:
            return await self._providers.answer()
        except (OSError, RedisError, SQLAlchemyError):
            return {}

    async def terms(self) -> Sequence[Terms]:
        """Give what binds providers; what they have used is left out while it cannot be known."""
        if not self._choice.has_budgets:
            return self._choice.terms({})
        try:
            return self._choice.terms(await self._used.answer())
        except (OSError, SQLAlchemyError):
            return self._choice.terms({})

    async def _ask_use(self) -> dict[str, int]:
        async with self._database.reading() as connection:
            return await self._choice.used(connection)

    async def _ask_gate(self) -> dict[str, str]:
        states = {health.provider: health.standing.value for health in await self._gate.states()}
        unusable = self._choice.unapproved()
        if self._choice.has_budgets:
            async with self._database.reading() as connection:
                unusable = await self._choice.over_budget(connection) | unusable
        return states | {key: why.value for key, why in unusable.items()}

    async def _database_fault(self) -> str | None:
        try:
            revision = await ask_for_schema(self._database, patience=PATIENCE_SECONDS)
        except TimeoutError:
            return _too_late("database")
        except DatabaseAwayError as kind:
            return f"The database cannot be used ({kind}): check GATEWAY_DATABASE_URL and the server."
        if revision != head():
            return "The database does not have this release's schema: run gateway migrate."
        return None

    async def _queue_fault(self) -> str | None:
        try:
            await ask_queue_server(self._redis_url or "", patience=PATIENCE_SECONDS)
        except (OSError, RedisError) as error:
            return f"Redis does not answer ({type(error).__name__}): check GATEWAY_REDIS_URL and the server."
        return None

    async def close(self) -> None:
        """Ask no more."""
        probes = (question.close() for question in self._questions.values())
        await asyncio.gather(self._providers.close(), self._used.close(), *probes)


def _probe(ask: Callable[[], Awaitable[str | None]]) -> Question[str | None]:
    return Question(ask, patience=PATIENCE_SECONDS, keep=KEEP_SECONDS)


async def _answer(part: str, question: Question[str | None]) -> str | None:
    try:
        return await question.answer()
    except TimeoutError:
        return _too_late(part)


def _too_late(part: str) -> str:
    return f"The {part} does not answer within {PATIENCE_SECONDS:g} s: it is overloaded, paused or out of reach."
