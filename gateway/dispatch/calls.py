"""What is said in a call: written when somebody has taken it, and checked as before sending (R44).

Minutes lie between a call's placing and its being taken. Who was barred meanwhile hears nothing of it, nor does anybody
of what was withdrawn meanwhile: they hear an apology.
"""

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Apology, Call, Envelope
from gateway.content.languages import LAST_RESORT
from gateway.directory.model import ChannelName
from gateway.dispatch.deciding import school_of
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.page_texts import PageWriter
from gateway.dispatch.readers import Reader
from gateway.dispatch.rechecking import outdated
from gateway.dispatch.rendering import Renderer
from gateway.dispatch.requests import NotificationStatus
from gateway.dispatch.still_meant import still_meant
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.pages import load_page
from gateway.store.people import RestrictionsUnreadableError
from gateway.store.sending import add_events, load_deliveries
from gateway.tracking.states import State

TEST_CALL = "test-"
"""Begins the id of what `gateway test-send` sends: random, then the language."""

_log = logging.getLogger(__name__)

_WITHDRAWN = frozenset({State.SUPPRESSED, State.CANCELLED, State.EXPIRED, State.HELD})


class CallDesk:
    """Gives out the words of calls in progress."""

    def __init__(
        self,
        database: Database,
        renderer: Renderer,
        pages: PageWriter,
        *,
        now: Callable[[], dt.datetime],
        policy: Policy,
        snapshots: DenySnapshots,
    ) -> None:
        self._database = database
        self._renderer = renderer
        self._pages = pages
        self._now = now
        self._policy = policy
        self._snapshots = snapshots

    async def words(self, delivery: str) -> Call | Apology:
        """Write a delivery's call, a page's to staff on duty, or a test's; an apology when nothing may be said now."""
        if delivery.startswith(TEST_CALL):
            return self._test(delivery)
        async with self._database.reading() as connection:
            row = (await load_deliveries(connection, [delivery])).get(delivery)
            if row is None:
                return await self._page(connection, delivery)
            call = await self._written(connection, row)
        if call is None:
            async with self._database.writing() as connection:
                await add_events(connection, [_withheld(row, self._now())])
        return call or self._apology(row.language)

    async def _written(self, connection: AsyncConnection, row: Any) -> Call | None:
        now = self._now()
        if row.channel != ChannelName.VOICE or row.merged_into is not None or row.state in _WITHDRAWN:
            return None
        if row.expires_at is not None and row.expires_at <= now:
            return None
        school, notifications, (reader,) = await self._renderer.load(connection, [row])
        notification = notifications[row.notification]
        if notification.status == NotificationStatus.CANCELLED:
            return None
        made = self._renderer.write(school, notification, reader)
        if not isinstance(made, Envelope) or not isinstance(made.payload, Call):
            return None
        return made.payload if await self._may_be_told(connection, notification, reader, now) else None

    async def _may_be_told(
        self, connection: AsyncConnection, notification: Any, reader: Reader, now: dt.datetime
    ) -> bool:
        """Ask the rules once more, if anything has changed since they were asked; after the text was written."""
        school, version = await school_of(connection, reader.row.school)
        if not outdated([reader.row], school, version, now):
            return True
        try:
            return await still_meant(
                connection,
                notification,
                reader,
                now=now,
                policy=self._policy,
                snapshots=self._snapshots,
                in_company=True,
            )
        except RestrictionsUnreadableError:
            _log.exception("call_not_spoken", extra={"delivery": reader.row.id})
            return False

    def _test(self, identity: str) -> Call:
        """Write a call that tells nobody anything, whoever takes it."""
        language = identity.removeprefix(TEST_CALL).partition("-")[2]
        phrases = self._renderer.phrases(language or LAST_RESORT)
        speech = phrases.test_text()
        return Call(recipient="", speech=speech, language=phrases.language, voicemail=speech)

    def _apology(self, language: str) -> Apology:
        phrases = self._renderer.phrases(language)
        return Apology(speech=phrases.voice_apology(), language=phrases.language)

    async def _page(self, connection: AsyncConnection, page: str) -> Call | Apology:
        row = await load_page(connection, page)
        if row is None or row.channel != ChannelName.VOICE:
            return self._apology(LAST_RESORT)
        if row.state == State.CANCELLED:
            return self._apology(row.language)
        school, _version = await school_of(connection, row.school)
        payload = self._pages.write(row, school).payload
        return payload if isinstance(payload, Call) else self._apology(row.language)


def _withheld(row: Any, now: dt.datetime) -> dict[str, Any]:
    """Put on record that the call was taken and nothing of the message said; the delivery's state stays."""
    return {
        "delivery": row.id,
        "at": now,
        "state": row.state,
        "news": "withheld",
        "detail": "R44: The call was taken, but the message may not be told to this contact any more.",
    }
