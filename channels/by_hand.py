"""Staff as a provider: they telephone, hand over and post what no machine can, or what nobody wants one to.

Nothing leaves here. That staff "have" a message means that whoever records the hand-over puts it on their list, in
the same transaction; what came of it they report there, and it returns as receipts of the provider `staff`.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from channels.base import (
    STAFF,
    Answer,
    Apology,
    Askable,
    Call,
    CallbackRequest,
    Channel,
    Conversing,
    Envelope,
    Handover,
    Incoming,
    Limits,
    Receipt,
    Recovery,
    Sheet,
)
from channels.errors import ReceiptRefusedError
from channels.handing_over import WRONG_PAYLOAD


class ByHand:
    """Takes every call, or every letter, for staff."""

    name = STAFF
    recovery = Recovery.REPEAT
    """A message is on the list once, however often it is put there."""

    def __init__(self, carries: type[Call] | type[Sheet]) -> None:
        self.limits = Limits()
        self._carries = carries

    async def open(self) -> None:
        """Do nothing: there is nothing to connect to."""

    async def close(self) -> None:
        """Do nothing."""

    async def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Accept what fits; the delivery's own id is the provider's."""
        for envelope in envelopes:
            if isinstance(envelope.payload, self._carries):
                yield Handover(delivery=envelope.delivery, provider=STAFF, provider_id=envelope.delivery)
            else:
                yield Handover(delivery=envelope.delivery, provider=STAFF, error=WRONG_PAYLOAD)

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Know nothing: repeating is harmless."""
        return [None for _ in envelopes]

    def read_receipts(self, request: CallbackRequest) -> list[Incoming]:
        """Refuse every callback: staff report on their list, with a key."""
        del request
        raise ReceiptRefusedError(404, "Staff send no callbacks: they settle their tasks.")

    async def check(self) -> str | None:
        """Lack nothing."""
        return None


class Limited(Channel, Protocol):
    """A channel whose limits the operator can tighten."""

    limits: Limits


class OrByHand:
    """Gives a telephone provider the languages that it speaks, and staff the calls in all others."""

    def __init__(self, provider: Limited, speaks: Callable[[str], bool]) -> None:
        self._provider = provider
        self._speaks = speaks
        self._staff = ByHand(Call)

    @property
    def name(self) -> str:
        """The wrapped provider's: each hand-over says for itself who took it."""
        return self._provider.name

    @property
    def limits(self) -> Limits:
        """What the wrapped provider bears."""
        return self._provider.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._provider.limits = limits

    @property
    def recovery(self) -> Recovery:
        """What settles the wrapped provider's unanswered attempts."""
        return self._provider.recovery

    async def open(self) -> None:
        """Make the wrapped provider ready; raises `ChannelSettingsError`."""
        await self._provider.open()

    async def close(self) -> None:
        """Give up the wrapped provider's connections."""
        await self._provider.close()

    async def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Hand over every envelope to whom it is for, staff first: that takes no time."""
        by_hand = [envelope for envelope in envelopes if self._is_by_hand(envelope)]
        spoken = [envelope for envelope in envelopes if not self._is_by_hand(envelope)]
        for taker, part in ((self._staff, by_hand), (self._provider, spoken)):
            if part:
                async with aclosing(taker.send(part)) as answers:
                    async for answer in answers:
                        yield answer

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Ask the wrapped provider about what it may have; what staff were to get may be given to them again."""
        spoken = [envelope for envelope in envelopes if not self._is_by_hand(envelope)]
        found = iter(await self._provider.look_up(spoken) if spoken else ())
        return [None if self._is_by_hand(envelope) else next(found) for envelope in envelopes]

    def read_receipts(self, request: CallbackRequest) -> Sequence[Incoming]:
        """Let the wrapped provider read its callback; raises `ReceiptRefusedError`."""
        return self._provider.read_receipts(request)

    async def check(self) -> str | None:
        """Say what the wrapped provider lacks."""
        return await self._provider.check()

    async def news_of(self, provider_ids: Sequence[str]) -> Sequence[Receipt]:
        """Ask the wrapped provider how things went, if it can be asked."""
        return await self._provider.news_of(provider_ids) if isinstance(self._provider, Askable) else ()

    def asked_about(self, request: CallbackRequest) -> str:
        """Let the wrapped provider say which call it asks about; raises `ReceiptRefusedError`."""
        return self._conversing.asked_about(request)

    def instruct(self, request: CallbackRequest, words: Call | Apology) -> Answer:
        """Let the wrapped provider be told what happens next."""
        return self._conversing.instruct(request, words)

    def wait(self, request: CallbackRequest) -> Answer:
        """Let the wrapped provider ask again in a moment."""
        return self._conversing.wait(request)

    @property
    def _conversing(self) -> Conversing:
        if isinstance(self._provider, Conversing):
            return self._provider
        raise ReceiptRefusedError(404, "This provider asks nothing during a call.")

    def _is_by_hand(self, envelope: Envelope) -> bool:
        """Tell whether no voice speaks it; what is no call at all the provider refuses itself."""
        return isinstance(envelope.payload, Call) and not self._speaks(envelope.payload.language)
