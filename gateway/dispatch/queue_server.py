"""What the queue's Redis server says of itself, asked on a connection of its own that gives up in time."""

from dataclasses import dataclass

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


@dataclass(frozen=True, kw_only=True)
class QueueServerFacts:
    """How a Redis server keeps what it is given."""

    appends: bool
    """Whether it writes every command to its append-only file."""
    when_full: str
    """Its `maxmemory-policy`: anything but `noeviction` drops wake-ups when memory runs out."""


async def ask_queue_server(url: str, *, patience: float) -> QueueServerFacts:
    """Ask by INFO, which managed servers allow, too; raises `OSError` or `RedisError` when it does not answer."""
    client = redis.asyncio.Redis.from_url(
        url, socket_timeout=patience, socket_connect_timeout=patience, retry=Retry(NoBackoff(), 0)
    )
    async with client:
        facts = await client.info()
    return QueueServerFacts(
        appends=bool(facts.get("aof_enabled")), when_full=str(facts.get("maxmemory_policy", "unknown"))
    )
