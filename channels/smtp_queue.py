"""Mails waiting for a connection: emergencies first, then every `send` call in turn, so that none starves another."""

import asyncio
from collections import deque
from collections.abc import Iterable

from channels.base import Envelope, Handover, Mail
from channels.errors import SendError


class Batch:
    """The mails of one `send` call and the answers that have come for them."""

    __slots__ = ("_answers", "_arrival", "_provider", "unanswered")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._answers: list[Handover] = []
        self._arrival: asyncio.Future[None] | None = None
        self.unanswered = 0

    def expect(self, envelope: Envelope, mail: Mail) -> "Parcel":
        """Take in one mail that will be answered for."""
        self.unanswered += 1
        return Parcel(self, envelope.delivery, mail, urgent=envelope.urgent)

    def answer(self, delivery: str, message_id: str | None, error: SendError | None) -> None:
        """Note the outcome of one mail and wake whoever waits for it."""
        self.unanswered -= 1
        self._answers.append(Handover(delivery=delivery, provider=self._provider, provider_id=message_id, error=error))
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def arrived(self) -> list[Handover]:
        """Wait for answers and take those that are there; none means that all were given."""
        if self.unanswered and not self._answers:
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        answers, self._answers = self._answers, []
        return answers


class Parcel:
    """One mail under way, and how far it has come on the connection that has it."""

    __slots__ = (
        *("answered", "batch", "delivery", "line", "mail", "orders_notices", "plain", "reachable", "refusal", "sent"),
        *("suspect", "tries", "urgent"),
    )

    def __init__(self, batch: Batch, delivery: str, mail: Mail, *, urgent: bool) -> None:
        self.line: _Line | None = None
        self.batch = batch
        self.delivery = delivery
        self.mail = mail
        self.urgent = urgent
        self.tries = 0
        """Connections that broke on this mail."""
        self.plain = False
        """It goes without orders for notices: with them its envelope was refused."""
        self.answered = False
        self.begin()

    def begin(self) -> None:
        """Forget what another connection said."""
        self.refusal: SendError | None = None
        """The first refusal among the replies to its envelope."""
        self.reachable = False
        """The server has accepted the recipient."""
        self.orders_notices = False
        """Its envelope says of what notices are wanted (RFC 3461)."""
        self.suspect = False
        """What was refused may be the orders for notices, not the mail."""
        self.sent = False
        """Its last byte was written: the server may have it."""

    def answer(self, error: SendError | None = None) -> None:
        """Tell the outcome, once: accepted, or why not."""
        self.answered = True
        self.batch.answer(self.delivery, None if error else self.mail.message_id, error)


class _Line:
    """The waiting mails of one batch and one urgency; `listed` while it has its turn in the queue."""

    __slots__ = ("listed", "parcels")

    def __init__(self) -> None:
        self.parcels: deque[Parcel] = deque()
        self.listed = False


class MailQueue:
    """All waiting mails of a pool."""

    def __init__(self) -> None:
        self._turns: dict[bool, deque[_Line]] = {True: deque(), False: deque()}
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def add(self, parcels: Iterable[Parcel]) -> None:
        """Line up the mails of one batch."""
        lines = {True: _Line(), False: _Line()}
        for parcel in parcels:
            parcel.line = line = lines[parcel.urgent]
            line.parcels.append(parcel)
            self._waiting += 1
        for urgent, line in lines.items():
            self._list(line, urgent=urgent)

    def put_back(self, parcel: Parcel) -> None:
        """Let a mail be the next of its batch again."""
        if parcel.line is None:
            raise ValueError("Only a mail that was taken can be put back.")
        parcel.line.parcels.appendleft(parcel)
        self._waiting += 1
        self._list(parcel.line, urgent=parcel.urgent)

    def take(self) -> Parcel | None:
        """Give the next mail."""
        if not self._waiting:
            return None
        self._waiting -= 1
        turns = self._turns[True] or self._turns[False]
        line = turns[0]
        parcel = line.parcels.popleft()
        if not line.parcels:
            line.listed = False
            turns.popleft()
        elif len(turns) > 1:
            turns.rotate(-1)
        return parcel

    def take_back(self, batch: Batch) -> None:
        """Forget the waiting mails of a batch nobody waits for any more."""
        for urgent, turns in self._turns.items():
            for line in [line for line in turns if line.parcels[0].batch is batch]:
                self._waiting -= len(line.parcels)
                line.parcels.clear()
                line.listed = False
            self._turns[urgent] = deque(line for line in turns if line.listed)

    def _list(self, line: _Line, *, urgent: bool) -> None:
        if line.parcels and not line.listed:
            line.listed = True
            self._turns[urgent].append(line)
