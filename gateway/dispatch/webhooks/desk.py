"""A school's webhook endpoints: registered, changed, given new secrets, enabled, and told again what they missed."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Principal
from gateway.directory.model import Identifier
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.dispatch.requests import Lane
from gateway.dispatch.wakeups import WakeUps
from gateway.dispatch.webhooks.addresses import LONGEST_URL, url_fault
from gateway.dispatch.webhooks.poster import WAKE_UP, disabled_task_id
from gateway.dispatch.webhooks.signing import fingerprint, make_seed, secret_of, shown
from gateway.store.database import Database
from gateway.store.identity import new_id
from gateway.store.listeners import wanted_of
from gateway.store.people import load_school
from gateway.store.tasks import close_tasks
from gateway.store.webhook_posts import between, known_events, not_taken, of_ids, send_again
from gateway.store.webhooks import (
    add_endpoint,
    add_seed,
    change_endpoint,
    count_endpoints,
    enable_endpoint,
    find_endpoint,
    list_endpoints,
    live_seeds,
    remove_endpoint,
)
from gateway.tracking.announcements import EventType

MOST_ENDPOINTS = 20
"""Of one school: each event is stored and posted for every one that wants it."""

MOST_SECRETS = 5
"""That sign side by side: as many rotations within a day bring one into order."""

BOTH_SIGN_FOR = dt.timedelta(hours=24)
"""How long an old secret signs beside its successor."""

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_URL)]
Types = Annotated[tuple[EventType, ...], msgspec.Meta(min_length=1, max_length=len(EventType))]
Instant = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to tell a school's system of events, and of which."""

    url: Url
    events: Types | None = None
    """Null, or left out: of all, also of types that are yet to come."""


class EndpointChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be different; what is left out stays."""

    url: Url | msgspec.UnsetType = msgspec.UNSET
    events: Types | msgspec.UnsetType | None = msgspec.UNSET


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to send again: events by id, or those of a time."""

    events: Annotated[tuple[Identifier, ...], msgspec.Meta(min_length=1, max_length=10_000)] | None = None
    since: Instant | None = None
    until: Instant | None = None
    """Excluded; now unless given."""
    only_missed: bool = False
    """Leave out what the endpoint has taken."""


class WebhookDesk:
    """Keeps the endpoints; whoever asks sees only those of their school."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        *,
        now: Callable[[], dt.datetime],
        secret_key: str,
        allow_private: bool,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._now = now
        self._secret_key = secret_key
        self._allow_private = allow_private

    async def register(self, principal: Principal, wanted: NewEndpoint) -> tuple[Any, str]:
        """Put an endpoint on record; gives it with its secret, which is never shown again. Raises `Refused`."""
        self._check(wanted.url)
        now = self._now()
        endpoint = new_id(now)
        async with self._database.writing() as connection:
            if await load_school(connection, principal.school) is None:
                raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
            if await count_endpoints(connection, principal.school) >= MOST_ENDPOINTS:
                raise Refused(409, f"The school has {MOST_ENDPOINTS} endpoints already: delete one first.")
            await add_endpoint(
                connection,
                endpoint=endpoint,
                school=principal.school,
                url=wanted.url,
                events=_encoded(wanted.events),
                by=principal.key,
                at=now,
            )
            secret = await self._new_secret(connection, endpoint, now)
            row = await self._found(connection, principal.school, endpoint)
        self._database.listeners.forget()
        return row, secret

    async def every(self, school: str) -> list[Any]:
        """List a school's endpoints."""
        async with self._database.reading() as connection:
            return await list_endpoints(connection, school)

    async def one(self, school: str, endpoint: str) -> Any:
        """Give an endpoint; raises `Refused` when the school has none of this id."""
        async with self._database.reading() as connection:
            return await self._found(connection, school, endpoint)

    async def change(self, school: str, endpoint: str, wanted: EndpointChange) -> Any:
        """Change what is given; gives the endpoint as it is now."""
        changes: dict[str, Any] = {}
        if wanted.url is not msgspec.UNSET:
            self._check(wanted.url)
            changes["url"] = wanted.url
        if wanted.events is not msgspec.UNSET:
            changes["events"] = _encoded(wanted.events)
        async with self._database.writing() as connection:
            row = await self._found(connection, school, endpoint, lock=True)
            if "url" in changes and changes["url"] == row.url:
                del changes["url"]
            if changes:
                await change_endpoint(connection, endpoint, changes, at=self._now())
                row = await self._found(connection, school, endpoint)
        self._database.listeners.forget()
        return row

    async def remove(self, school: str, endpoint: str) -> None:
        """Forget an endpoint."""
        async with self._database.writing() as connection:
            await self._found(connection, school, endpoint, lock=True)
            await remove_endpoint(connection, endpoint)
            await close_tasks(connection, [disabled_task_id(endpoint)], at=self._now())
        self._database.listeners.forget()

    async def rotate(self, school: str, endpoint: str) -> tuple[Any, str]:
        """Give an endpoint a new secret; the one before signs beside it for a day."""
        now = self._now()
        async with self._database.writing() as connection:
            row = await self._found(connection, school, endpoint, lock=True)
            if len(await live_seeds(connection, endpoint, now=now)) >= MOST_SECRETS:
                raise Refused(409, f"{MOST_SECRETS} secrets sign already: wait a day, or register the endpoint anew.")
            return row, await self._new_secret(connection, endpoint, now)

    async def enable(self, school: str, endpoint: str) -> Any:
        """Post to an endpoint again: what has waited for it goes out at once."""
        now = self._now()
        async with self._database.writing() as connection:
            await self._found(connection, school, endpoint, lock=True)
            await enable_endpoint(connection, endpoint, at=now)
            await close_tasks(connection, [disabled_task_id(endpoint)], at=now)
            row = await self._found(connection, school, endpoint)
        await self._wakeups.wake(WAKE_UP, Lane.WEBHOOKS, [endpoint])
        return row

    async def replay(self, school: str, endpoint: str, wanted: Replay) -> int:
        """Send events again, each with the id it had; gives how many."""
        now = self._now()
        async with self._database.writing() as connection:
            row = await self._found(connection, school, endpoint, lock=True)
            if row.disabled_at is not None:
                raise Refused(409, "The endpoint is disabled: enable it first.")
            which = await self._chosen(connection, row, wanted, now)
            if wanted.only_missed:
                which = [*which, not_taken(endpoint)]
            number = await send_again(connection, endpoint, which, now=now)
        await self._wakeups.wake(WAKE_UP, Lane.WEBHOOKS, [endpoint])
        return number

    async def _chosen(self, connection: AsyncConnection, row: Any, wanted: Replay, now: dt.datetime) -> list[Any]:
        if (wanted.events is None) == (wanted.since is None):
            raise unprocessable("/events", "Say what to send again: either events or since, not both.")
        if wanted.events is not None:
            if wanted.until is not None:
                raise unprocessable("/until", "until goes with since: leave it out beside events.")
            unknown = set(wanted.events) - await known_events(connection, row.school, wanted.events)
            if unknown:
                place = next(number for number, event in enumerate(wanted.events) if event in unknown)
                raise unprocessable(f"/events/{place}", "There is no event with this id; they are kept for 30 days.")
            return of_ids(connection, row.school, wanted.events)
        assert wanted.since is not None  # noqa: S101  # one of the two is there
        until = wanted.until or now
        if until <= wanted.since:
            raise unprocessable("/until", "until is after since.")
        return between(row.school, wanted.since, until, wanted_of(row.events))

    async def _new_secret(self, connection: AsyncConnection, endpoint: str, now: dt.datetime) -> str:
        seed = make_seed()
        secret = secret_of(self._secret_key, seed)
        await add_seed(
            connection,
            endpoint,
            seed=seed,
            fingerprint=fingerprint(secret),
            at=now,
            others_until=now + BOTH_SIGN_FOR,
        )
        return shown(secret)

    async def _found(self, connection: AsyncConnection, school: str, endpoint: str, *, lock: bool = False) -> Any:
        row = await find_endpoint(connection, school, endpoint, lock=lock)
        if row is None:
            raise Refused(404, "There is no webhook endpoint with this id.")
        return row

    def _check(self, url: str) -> None:
        fault = url_fault(url, allow_private=self._allow_private)
        if fault is not None:
            raise unprocessable("/url", fault)


def _encoded(types: tuple[EventType, ...] | None) -> str:
    return msgspec.json.encode(None if types is None else tuple(dict.fromkeys(types))).decode()
