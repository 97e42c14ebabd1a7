"""Coordination on Redis: one Lua script a decision, so that no two workers decide on the same tokens.

The time is the caller's, as everywhere in the gateway. A clock that runs behind adds no tokens; one that ran far ahead
is forgotten with the key, which expires when nobody could take anything for a minute and a bucket's filling.

Losing Redis, or what it held, never stops sending: each process then takes a small share of every budget for itself.
"""

import datetime as dt
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from gateway.dispatch.coordination.base import Taken
from gateway.dispatch.coordination.bucket import Bucket, Level
from gateway.dispatch.coordination.in_process import InProcess, taken

_log = logging.getLogger(__name__)

PREFIX = "gateway:gate:"

SHARE = 1 / 8
"""What each process takes of a budget while it cannot ask Redis: right for eight processes, cautious for fewer."""

AWAY = dt.timedelta(seconds=5)
"""How long Redis is left alone after it failed."""

PATIENCE = 1.0
"""Seconds for connecting, and for an answer: a busy process is no lost Redis, and a batch can bear the wait."""

_MARGIN_SECONDS = 60.0
_VALUE_LASTS_MS = 3_600_000

# Numbers are written with 17 digits, which give a double back exactly; Lua's own conversion keeps 14.
_TAKE = """
local size, rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local reserved, now, lasts = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local level = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(level[1] or size), tonumber(level[2] or now)
if now > at then
  tokens, at = tokens + (now - at) * rate, now
end
tokens = math.min(size, tokens)
local granted = math.min(wanted, math.max(0, math.floor(tokens - reserved)))
tokens = tokens - granted
local written_tokens, written_at = string.format('%.17g', tokens), string.format('%.17g', at)
if granted > 0 then
  redis.call('HSET', KEYS[1], 'tokens', written_tokens, 'at', written_at)
  redis.call('PEXPIRE', KEYS[1], lasts)
end
return {granted, written_tokens, written_at}
"""

# An empty old value stands for none: no value of ours is empty.
_REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class OnRedis:
    """Keeps budgets and values on Redis; make it in the running loop."""

    def __init__(
        self, url: str, *, now: Callable[[], dt.datetime], prefix: str = PREFIX, patience: float = PATIENCE
    ) -> None:
        self._client = Redis.from_url(
            url,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            # Once more at once: a restarted server has closed the connections of the pool.
            retry=Retry(NoBackoff(), 1, (RedisConnectionError,)),
        )
        self._take = self._client.register_script(_TAKE)
        self._replace = self._client.register_script(_REPLACE)
        self._now = now
        self._prefix = prefix
        self._alone = InProcess(now=now)
        self._lost_at: dt.datetime | None = None

    async def take(self, name: str, bucket: Bucket, *, wanted: int, reserve: float) -> Taken:
        """Take up to `wanted` tokens of the named bucket, leaving the share `reserve` of its size."""
        now = self._now().timestamp()
        size, lasts = bucket.size, math.ceil((bucket.size / bucket.rate + _MARGIN_SECONDS) * 1000)
        try:
            granted, tokens, at = await self._asked(
                lambda: self._take(
                    keys=[f"{self._prefix}bucket:{name}"],
                    args=[repr(size), repr(bucket.rate), wanted, repr(size * reserve), repr(now), lasts],
                )
            )
        except _AwayError:
            return await self._alone.take(name, bucket.part(SHARE), wanted=wanted, reserve=reserve)
        return taken(bucket, granted, Level(float(tokens), float(at)), wanted=wanted, reserve=reserve, now=now)

    async def read(self, name: str) -> bytes | None:
        """Give the named value."""
        try:
            value: bytes | None = await self._asked(lambda: self._client.get(f"{self._prefix}value:{name}"))
        except _AwayError:
            return await self._alone.read(name)
        self._alone.remember(name, value)
        return value

    async def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Store a value if the present one is still `old`; it is forgotten an hour after the last change."""
        args: list[bytes | int] = [old or b"", new, _VALUE_LASTS_MS]
        try:
            done = await self._asked(lambda: self._replace(keys=[f"{self._prefix}value:{name}"], args=args))
        except _AwayError:
            return await self._alone.replace(name, old, new)
        if done:
            self._alone.remember(name, new)
        return bool(done)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _asked(self, question: Callable[[], Awaitable[Any]]) -> Any:
        """Ask Redis; raises `_AwayError` when it does not answer or did not lately."""
        if self._lost_at is not None and abs(self._now() - self._lost_at) < AWAY:
            raise _AwayError
        try:
            answer = await question()
        except (RedisError, OSError) as error:
            if self._lost_at is None:
                _log.warning("coordination_lost", extra={"reason": type(error).__name__})
            self._lost_at = self._now()
            raise _AwayError from None
        if self._lost_at is not None:
            _log.warning("coordination_back")
            self._lost_at = None
        return answer


class _AwayError(Exception):
    """Redis cannot be asked at present."""
