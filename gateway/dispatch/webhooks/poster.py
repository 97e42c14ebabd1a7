"""Posts events to endpoints: due ones under the endpoint's lease, a few side by side, every attempt on record.

At least once: what was posted and not recorded when a worker dies is posted again with the same `webhook-id`, by which
the receiver knows it. One worker at a time serves an endpoint, so a slow one is not hit from all sides.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import ClientConnectorError, ClientError, ClientSession, StreamReader

from gateway.dispatch.requests import Lane
from gateway.dispatch.stopping import heard_out
from gateway.dispatch.wakeups import WakeUps
from gateway.dispatch.webhooks.addresses import TIMEOUT_SECONDS, AddressRefusedError
from gateway.dispatch.webhooks.judging import (
    ENOUGH,
    Disabled,
    PostAnswer,
    PostOutcome,
    Standing,
    next_due,
    outcome_of,
    standing_after,
    wish_of,
)
from gateway.dispatch.webhooks.signing import fingerprint, secret_of, sign
from gateway.store.database import Database
from gateway.store.identity import derived_id
from gateway.store.tasks import reopen_tasks
from gateway.store.webhook_posts import due_posts, record_posts, release_endpoint, take_endpoint
from gateway.store.webhooks import live_seeds

_log = logging.getLogger(__name__)

WAKE_UP = "post"
"""The kind of wake-up that a worker answers by posting to an endpoint."""

ROUND = 100
"""Events that are taken and recorded together."""

AT_ONCE = 10
"""Posts side by side to one endpoint."""

_LAST_START_SECONDS = TIMEOUT_SECONDS
"""No post of a round begins later than this after the first."""

LEASE = dt.timedelta(seconds=2 * TIMEOUT_SECONDS + 20)
"""How long an endpoint stays with a worker that died: longer than any round lasts."""

_TURN_SECONDS = 10.0
"""After so long it is another endpoint's turn, if one waits."""

_DRAIN_SECONDS = 2.0
_MOST_READ = 65_536
"""An answer's body is read only so that its connection can be used again; beyond this it is not worth it."""

DISABLED = "webhook_disabled"
"""The kind of the office's task."""

_WORDS = {
    Disabled.GONE: "it answered that it is gone (410)",
    Disabled.FAILING: "it has taken nothing for five days",
    Disabled.SECRET_LOST: "its secret was lost when the gateway's secret key changed, so rotate it",
}

Answered = list[tuple[Any, PostAnswer]]


class Poster:
    """Works on the endpoints it is woken for; any number of posters may run."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        session: ClientSession,
        *,
        owner: str,
        now: Callable[[], dt.datetime],
        chance: Callable[[], float],
        secret_key: str,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._session = session
        self._owner = owner
        self._now = now
        self._chance = chance
        self._secret_key = secret_key

    async def post(self, endpoint: str) -> None:
        """Post what is due at an endpoint; told to stop, hear out the posts under way and begin no more."""
        await heard_out(lambda stopping: self._post(endpoint, stopping))

    async def _post(self, endpoint: str, stopping: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        turn_ends = clock() + _TURN_SECONDS
        while await self._round(endpoint, stopping):
            if clock() > turn_ends:
                await self._wakeups.wake(WAKE_UP, Lane.WEBHOOKS, [endpoint])
                return

    async def _round(self, endpoint: str, stopping: asyncio.Event) -> bool:
        """Post and record one portion; says whether there may be another."""
        now = self._now()
        async with self._database.writing() as connection:
            taken = await take_endpoint(connection, endpoint, owner=self._owner, now=now, until=now + LEASE)
            if taken is None:
                return False
            portion = 1 if taken.failures else ROUND
            posts = await due_posts(connection, endpoint, now=now, limit=portion)
            if not posts:
                await release_endpoint(connection, endpoint, owner=self._owner, values={})
                return False
            seeds = await live_seeds(connection, endpoint, now=now)
        by = [secret_of(self._secret_key, seed.seed) for seed in seeds]
        if not by or fingerprint(by[0]) != seeds[0].fingerprint:
            await self._record(taken, [], Standing(disabled=Disabled.SECRET_LOST))
            return False
        answered = await self._answers(taken.url, by, posts, stopping)
        standing = standing_after(_standing(taken), [answer for _, answer in answered], now=self._now())
        await self._record(taken, answered, standing)
        return len(answered) == portion and standing.rests_until is None and standing.disabled is None

    async def _answers(self, url: str, by: Sequence[bytes], posts: Sequence[Any], stopping: asyncio.Event) -> Answered:
        """Post side by side until somebody says to stop, or nobody is found there; gives what was posted."""
        waiting = list(reversed(posts))
        answered: Answered = []
        begin_until = asyncio.get_running_loop().time() + _LAST_START_SECONDS

        async def one_after_the_other() -> None:
            while waiting and not stopping.is_set() and asyncio.get_running_loop().time() < begin_until:
                post = waiting.pop()
                answer = await self._answer(url, by, post)
                answered.append((post, answer))
                if answer.outcome in ENOUGH or answer.retry_after:
                    waiting.clear()

        await asyncio.gather(*(one_after_the_other() for _ in range(min(AT_ONCE, len(posts)))))
        return answered

    async def _answer(self, url: str, by: Sequence[bytes], post: Any) -> PostAnswer:
        """Post one event and judge what comes back."""
        now, clock = self._now(), asyncio.get_running_loop().time
        body = post.document.encode()
        stamp = int(now.timestamp())
        headers = {
            "webhook-id": post.event,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(by, post.event, stamp, body),
        }
        began = clock()
        status, wish = None, None
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                outcome = outcome_of(response.status)
                status = response.status
                if outcome is not PostOutcome.DELIVERED:
                    wish = wish_of(response.headers.get("Retry-After"), now=now)
                await _drain(response.content)
        except ClientConnectorError as error:
            refused = isinstance(error.os_error, AddressRefusedError)
            outcome = PostOutcome.ADDRESS_REFUSED if refused else PostOutcome.NOT_CONNECTED
        except ValueError:  # a host that no name system can spell
            outcome = PostOutcome.NOT_CONNECTED
        except (TimeoutError, ClientError, OSError):
            outcome = PostOutcome.NO_ANSWER
        return PostAnswer(outcome=outcome, milliseconds=int((clock() - began) * 1000), status=status, retry_after=wish)

    async def _record(self, taken: Any, answered: Answered, standing: Standing) -> None:
        """Write what came of a round and leave the endpoint to others."""
        now = self._now()
        async with self._database.writing() as connection:
            # The endpoint first, as whoever changes it or sends again does: no waiting in a ring.
            ours = await release_endpoint(connection, taken.id, owner=self._owner, values=_values(standing, now))
            await record_posts(
                connection,
                [self._settled(taken.id, post, answer, now) for post, answer in answered],
                [_attempt(taken.id, post, answer, now) for post, answer in answered],
            )
            if ours and standing.disabled is not None:
                await reopen_tasks(connection, [disabled_task(taken, standing.disabled, now)])
        delivered = sum(answer.outcome is PostOutcome.DELIVERED for _, answer in answered)
        facts = {"endpoint": taken.id, "delivered": delivered, "failed": len(answered) - delivered}
        _log.info("webhooks_posted", extra=facts)
        if standing.disabled is not None:
            _log.error(DISABLED, extra={"endpoint": taken.id, "because": standing.disabled.value})

    def _settled(self, endpoint: str, post: Any, answer: PostAnswer, now: dt.datetime) -> dict[str, Any]:
        attempts = post.attempts + 1
        return {
            "endpoint": endpoint,
            "event": post.event,
            "before": post.attempts,
            "attempts": attempts,
            "due_at": next_due(attempts, answer, now=now, chance=self._chance()),
            "delivered_at": now if answer.outcome is PostOutcome.DELIVERED else None,
        }


async def _drain(content: StreamReader) -> None:
    """Read an answer to its end, if that comes soon: what it says is of no interest, only that the line is free."""
    left = _MOST_READ
    with contextlib.suppress(TimeoutError, ClientError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0 and (chunk := await content.read(left)):
                left -= len(chunk)


def _standing(row: Any) -> Standing:
    return Standing(failures=row.failures, failing_since=row.failing_since, rests_until=row.rests_until)


def _values(standing: Standing, now: dt.datetime) -> dict[str, Any]:
    values: dict[str, Any] = {
        "failures": standing.failures,
        "failing_since": standing.failing_since,
        "rests_until": standing.rests_until,
    }
    if standing.disabled is not None:
        values |= {"disabled_at": now, "disabled_because": standing.disabled.value}
    return values


def _attempt(endpoint: str, post: Any, answer: PostAnswer, now: dt.datetime) -> dict[str, Any]:
    return {
        "endpoint": endpoint,
        "event": post.event,
        "number": post.attempts + 1,
        "at": now,
        "milliseconds": answer.milliseconds,
        "outcome": answer.outcome.value,
        "status": answer.status,
    }


def disabled_task_id(endpoint: str) -> str:
    """Name the one task there can be about an endpoint."""
    return derived_id(endpoint, "task", DISABLED)


def disabled_task(endpoint: Any, because: Disabled, now: dt.datetime) -> Mapping[str, Any]:
    """Write the office's task; it names the endpoint by its id, as a URL may hold a secret."""
    return {
        "id": disabled_task_id(endpoint.id),
        "school": endpoint.school,
        "kind": DISABLED,
        "notification": None,
        "student": None,
        "contact": None,
        "delivery": None,
        "owner": "office",
        "detail": f"The webhook endpoint {endpoint.id} is disabled: {_WORDS[because]}. Ask whoever runs the system "
        f"behind it, then POST /v1/webhooks/{endpoint.id}/enable, or delete it.",
        "created_at": now,
        "due_at": now + dt.timedelta(days=1),
        "done_at": None,
    }
