"""Letters through Lob's print-and-post API: settings, hand-over, looking up, taking back, news.

Lob prints on paper of the size US Letter and writes the address into the window itself. A letter carries our id twice:
as `Idempotency-Key`, by which Lob knows a repeated request for 24 hours, and as metadata, by which it is found later.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiohttp
import msgspec

from channels.api_http import LEFT_WITHOUT_ANSWER, NEVER_LEFT, api_session, seconds_to_wait
from channels.base import CallbackRequest, Envelope, Handover, Limits, Receipt, Recovery, Sheet
from channels.errors import ChannelSettingsError, ReceiptRefusedError, Retry, SendError
from channels.handing_over import WRONG_PAYLOAD, answer_each, answered
from channels.letter_lob_address import fields_of
from channels.letter_lob_errors import NOT_CONNECTED, UNANSWERED, refusal_error
from channels.letter_lob_news import believed_event, receipt_of
from channels.typesetting import Typeset, pdf_or_error

RECALL_WINDOW = dt.timedelta(hours=24)
"""For so long it is worth asking; Lob says itself when it is too late, by the account's cancellation window."""

_REPLAYED = dt.timedelta(minutes=2)
"""A letter that is so much older than the request that made it is the answer to an earlier one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LobSettings:
    """One Lob account and the school's return address."""

    api_key: str = field(repr=False)
    return_address: tuple[str, ...]
    """Lines in the window's order, without the name; in the United States, as Lob asks."""
    return_country: str = "US"
    webhook_secret: str | None = field(default=None, repr=False)
    api_base_url: str = "https://api.lob.com"
    double_sided: bool = True
    connections: int = 8
    timeout: float = 30.0
    """Seconds for one call."""

    def fault(self) -> str | None:
        """Say in one sentence which setting is missing or wrong."""
        if not self.api_key:
            return "GATEWAY_LOB_API_KEY is missing."
        if not self.api_base_url.startswith(("https://", "http://")):
            return "GATEWAY_LOB_API_BASE_URL must begin with https:// or http://."
        if fields_of(("School", *self.return_address), self.return_country) is None:
            return "GATEWAY_LETTER_RETURN_ADDRESS must be such as `1 School Lane; Springfield, IL; 62701` for Lob."
        return None


class _Answer(NamedTuple):
    status: int
    body: Mapping[str, Any]
    retry_after: float | None

    @property
    def code(self) -> str | None:
        """Lob's own word for what went wrong."""
        error = self.body.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        return code if isinstance(code, str) else None


class LobLetters:
    """Hands letters to Lob; an unanswered one is looked up, and its repetition carries the same key."""

    name = "lob"
    recovery = Recovery.LOOK_UP
    recall_window: dt.timedelta | None = RECALL_WINDOW

    def __init__(self, settings: LobSettings, typeset: Typeset, *, now: Callable[[], dt.datetime]) -> None:
        self.limits = Limits(concurrency=settings.connections, batch=50, timeout=settings.timeout)
        self._settings = settings
        self._typeset = typeset
        self._now = now
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session in the running loop; raises `ChannelSettingsError` when a setting is missing or wrong."""
        settings = self._settings
        if fault := settings.fault():
            raise ChannelSettingsError(fault)
        if self._session is None:
            self._session = api_session(
                settings.connections,
                settings.timeout / 2,
                base_url=settings.api_base_url,
                headers={"Authorization": aiohttp.encode_basic_auth(settings.api_key, "")},
            )

    async def close(self) -> None:
        """Close the session; idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Typeset and hand over every letter, as many at once as there are connections."""
        return answer_each(envelopes, self._hand_over, concurrency=self._settings.connections)

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Find unanswered letters by our id in their metadata."""
        answers = answer_each(envelopes, self._found, concurrency=self._settings.connections)
        found = {delivery: handover async for delivery, handover in answers}
        return [found[envelope.delivery] for envelope in envelopes]

    async def recall(self, provider_ids: Sequence[str]) -> set[str]:
        """Delete letters that are not in production yet."""
        taken_back = set()
        async for name, gone in answer_each(provider_ids, self._deleted, concurrency=self._settings.connections):
            if gone:
                taken_back.add(name)
        return taken_back

    def read_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """Read one signed webhook; raises `ReceiptRefusedError` for any other request."""
        secret = self._settings.webhook_secret
        if secret is None:
            raise ReceiptRefusedError(403, "Webhooks are not believed without GATEWAY_LOB_WEBHOOK_SECRET.")
        now = self._now()
        return [receipt_of(self.name, believed_event(request, secret, now), now)]

    async def check(self) -> str | None:
        """Ask Lob for a letter, and say what is wrong with the account."""
        if fault := self._settings.fault():
            return fault
        if self._session is None:
            return "The letter channel is not open."
        try:
            answer = await self._call("GET", "/v1/letters", params={"limit": "1"})
        except LEFT_WITHOUT_ANSWER:
            return "Lob cannot be reached: check the network and GATEWAY_LOB_API_BASE_URL."
        if answer.status != 200:
            return f"Lob refuses the account (HTTP {answer.status}): check GATEWAY_LOB_API_KEY."
        return None

    async def _hand_over(self, envelope: Envelope) -> Handover:
        return answered(envelope, self.name, await self._outcome(envelope))

    async def _outcome(self, envelope: Envelope) -> str | SendError:
        """Give Lob's id for a letter, or what went wrong."""
        sheet = envelope.payload
        if not isinstance(sheet, Sheet):
            return WRONG_PAYLOAD
        recipient = fields_of(sheet.address, sheet.country)
        if recipient is None:
            return _BAD_ADDRESS
        pdf = await asyncio.to_thread(pdf_or_error, self._typeset, sheet)
        if isinstance(pdf, SendError):
            return pdf
        return await self._create(envelope.delivery, sheet, recipient, pdf)

    async def _create(self, delivery: str, sheet: Sheet, recipient: Mapping[str, str], pdf: bytes) -> str | SendError:
        """Post one letter; a key that stands for a letter that was taken back since stands for it no more."""
        letter = await self._posted(delivery, delivery, sheet, recipient, pdf)
        if isinstance(letter, SendError) or not self._is_old(letter):
            return letter if isinstance(letter, SendError) else str(letter["id"])
        gone = await self._is_gone(str(letter["id"]))
        if gone is None:
            return UNANSWERED
        if not gone:
            return str(letter["id"])
        again = await self._posted(delivery, f"{delivery}.{letter['id']}", sheet, recipient, pdf)
        return again if isinstance(again, SendError) else str(again["id"])

    async def _posted(
        self, delivery: str, key: str, sheet: Sheet, recipient: Mapping[str, str], pdf: bytes
    ) -> Mapping[str, Any] | SendError:
        form = aiohttp.FormData()
        for name, value in self._form(delivery, sheet, recipient).items():
            form.add_field(name, value)
        form.add_field("file", pdf, filename="letter.pdf", content_type="application/pdf")
        try:
            answer = await self._call("POST", "/v1/letters", data=form, headers={"Idempotency-Key": key})
        except NEVER_LEFT:
            return NOT_CONNECTED
        except LEFT_WITHOUT_ANSWER:
            return UNANSWERED
        if not 200 <= answer.status < 300:
            return refusal_error(answer.status, answer.code, answer.retry_after)
        return answer.body if isinstance(answer.body.get("id"), str) else UNANSWERED

    def _form(self, delivery: str, sheet: Sheet, recipient: Mapping[str, str]) -> dict[str, str]:
        settings = self._settings
        sender = fields_of((sheet.sender[0], *settings.return_address), settings.return_country) or {}
        standard = sheet.country == "US" and sheet.postage in {"second", "economy"}
        return {
            **{f"to[{name}]": value for name, value in recipient.items()},
            **{f"from[{name}]": value for name, value in sender.items()},
            "color": "false",
            "double_sided": "true" if settings.double_sided else "false",
            "address_placement": "top_first_page",
            "mail_type": "usps_standard" if standard else "usps_first_class",
            "use_type": "operational",
            "metadata[delivery]": delivery,
        }

    async def _found(self, envelope: Envelope) -> tuple[str, Handover | None]:
        delivery = envelope.delivery
        try:
            answer = await self._call("GET", "/v1/letters", params={"metadata[delivery]": delivery, "limit": "10"})
        except LEFT_WITHOUT_ANSWER:
            return delivery, answered(envelope, self.name, UNANSWERED)
        letters = answer.body.get("data")
        if answer.status != 200 or not isinstance(letters, list):
            return delivery, answered(envelope, self.name, UNANSWERED)
        ours = [letter for letter in letters if _is_ours(letter, delivery)]
        return delivery, answered(envelope, self.name, ours[0]["id"]) if ours else None

    async def _deleted(self, name: str) -> tuple[str, bool]:
        try:
            answer = await self._call("DELETE", f"/v1/letters/{name}")
        except LEFT_WITHOUT_ANSWER:
            return name, False
        if answer.status == 200 and answer.body.get("deleted") is True:
            return name, True
        return name, bool(await self._is_gone(name))

    async def _is_gone(self, name: str) -> bool | None:
        """Tell whether a letter was deleted; None when Lob does not say."""
        try:
            answer = await self._call("GET", f"/v1/letters/{name}")
        except LEFT_WITHOUT_ANSWER:
            return None
        return answer.body.get("deleted") is True if answer.status == 200 else None

    def _is_old(self, letter: Mapping[str, Any]) -> bool:
        try:
            made = dt.datetime.fromisoformat(str(letter.get("date_created")))
            return self._now() - made > _REPLAYED
        except (ValueError, TypeError):
            return True

    async def _call(self, method: str, path: str, **options: Any) -> _Answer:
        if self._session is None:
            raise RuntimeError("Open the letter channel first.")
        async with (
            asyncio.timeout(self._settings.timeout),
            self._session.request(method, path, allow_redirects=False, **options) as response,
        ):
            content = await response.read()
            try:
                body = msgspec.json.decode(content)
            except (ValueError, RecursionError):
                body = None
            return _Answer(response.status, body if isinstance(body, dict) else {}, seconds_to_wait(response.headers))


_BAD_ADDRESS = SendError(
    retry=Retry.NEVER,
    code="address_incomplete",
    explanation="The postal address has not the parts that the print house asks for.",
)


def _is_ours(letter: object, delivery: str) -> bool:
    if not isinstance(letter, dict) or letter.get("deleted") is True:
        return False
    metadata = letter.get("metadata")
    return isinstance(letter.get("id"), str) and isinstance(metadata, dict) and metadata.get("delivery") == delivery
