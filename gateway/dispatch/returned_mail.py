"""Mail that comes back: told which delivery a signed address stands for, it is believed as far as it is plausible.

Whoever has a mail has its return path, too, and can write to it: its own reader above all. So a report changes only
the delivery whose address it was sent to; it makes an address dead only where that is the mailbox it names as gone or,
where it names none, gives our mail back; it never turns a failure into an arrival; and one that speaks of another mail
changes nothing at all.
"""

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Inbound, Receipt, ReceiptStatus
from channels.email_bounces import Report
from gateway.directory.model import ChannelName, ContactPoint, School
from gateway.directory.places import place_of
from gateway.dispatch.complaints import heed_complaint
from gateway.dispatch.inbox import Inbox
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.receipts import ReceiptDesk
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.people import load_school
from gateway.store.replies import is_told, known_events, number_of_replies
from gateway.store.sending import load_deliveries
from gateway.tracking.states import State

_log = logging.getLogger(__name__)

MOST_REPLIES = 50
"""In answer to one delivery within a day: no family writes more, a machine that has gone mad does."""

_CHANGING = frozenset(
    {ReceiptStatus.BOUNCED, ReceiptStatus.DEFERRED, ReceiptStatus.DELIVERED, ReceiptStatus.COMPLAINED}
)
_ENDED = frozenset(
    {State.FAILED, State.EXPIRED, State.CANCELLED, State.SUPPRESSED, State.HELD, State.QUEUED, State.RETRYING}
)
"""Where nothing can have arrived, unless the provider itself says so."""


class TooManyRepliesError(Exception):
    """One delivery is answered too often to be a person's doing."""


class NobodysReplyError(Exception):
    """What is answered is on record no more, and nobody can tell for which school it is."""


class ReturnedMail:
    """Takes in what mail servers and people send back."""

    def __init__(
        self,
        database: Database,
        receipts: ReceiptDesk,
        inbox: Inbox,
        *,
        now: Callable[[], dt.datetime],
        policy: Policy,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._receipts = receipts
        self._inbox = inbox
        self._now = now
        self._policy = policy
        self._metrics = metrics

    async def take(self, found: Report | Inbound) -> None:
        """Take one in; durable when it returns, and the same told again changes nothing.

        Raises `TooManyRepliesError`, `NobodysReplyError`.
        """
        if isinstance(found, Inbound):
            await self._take_reply(found)
        else:
            await self._take_report(found)

    async def _take_reply(self, reply: Inbound) -> None:
        since = self._now() - dt.timedelta(days=1)
        async with self._database.reading() as connection:
            number = await number_of_replies(connection, reply.delivery or "", since=since)
        if number >= MOST_REPLIES:
            raise TooManyRepliesError
        if await self._inbox.take([reply]):
            return
        async with self._database.reading() as connection:
            if not await known_events(connection, [(reply.provider, reply.event_id)]):
                raise NobodysReplyError

    async def _take_report(self, report: Report) -> None:
        delivery = report.receipt.delivery or ""
        async with self._database.reading() as connection:
            row = (await load_deliveries(connection, [delivery])).get(delivery)
            known = None if row is None else await load_school(connection, row.school)
        school = None if known is None else known[0]
        receipt = believed(report, row, school)
        if receipt.status is not report.receipt.status:
            _log.warning("report_not_believed", extra={"delivery": delivery, "told": report.receipt.status.value})
        if receipt.status is ReceiptStatus.COMPLAINED and row is not None:
            async with self._database.writing() as connection:
                await self._heed(connection, receipt, row)
        fresh = await self._receipts.take([receipt])
        self._metrics.came_in(receipt.status.value, "kept" if fresh else "repeated")

    async def _heed(self, connection: AsyncConnection, complaint: Receipt, row: Any) -> None:
        """Do what a complaint asks for, unless it was heard before: a later wish of the contact would be undone."""
        if not await is_told(connection, complaint):
            await heed_complaint(connection, row, policy=self._policy, now=self._now())


def believed(report: Report, row: Any, school: School | None) -> Receipt:
    """Give the receipt as far as it is to be believed of a delivery (a row, None when it is not on record). Pure."""
    receipt = report.receipt
    if receipt.status not in _CHANGING:
        return receipt
    if row is None or school is None:
        return structs.replace(receipt, address_dead=False)
    named = any(_place(school, address) == row.place for address in report.recipients)
    returned = None if report.message_id is None else _id_in(report.message_id) == row.id
    if report.recipients and not named and returned is False:
        return _doubted(receipt, "A report about another mail came to this one's return path; it changes nothing.")
    if receipt.status is ReceiptStatus.DELIVERED and State(row.state) in _ENDED:
        return _doubted(receipt, "A mail server reports an arrival that cannot be; it changes nothing.")
    if report.gone is None:
        gone = named or bool(returned)
    else:
        gone = any(_place(school, address) == row.place for address in report.gone)
    return structs.replace(receipt, address_dead=receipt.address_dead and gone)


def _doubted(receipt: Receipt, explanation: str) -> Receipt:
    return structs.replace(receipt, status=ReceiptStatus.UNKNOWN, explanation=explanation, address_dead=False)


def _place(school: School, address: str) -> str:
    """Fingerprint an address as deliveries keep theirs."""
    return place_of(school, ContactPoint(id="reported", contact="reported", channel=ChannelName.EMAIL, address=address))


def _id_in(message_id: str) -> str:
    """Read the delivery's id from the Message-ID of a mail of ours."""
    return message_id.strip().removeprefix("<").partition("@")[0].lower()
