"""Lob: what is posted, what each answer means, what a webhook may say, what can be taken back."""

import datetime as dt
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from pypdf import PdfReader

from channels.base import Envelope, ReceiptStatus, Sheet
from channels.errors import ChannelSettingsError, ReceiptRefusedError, Retry
from channels.letter_lob import LobLetters
from channels.letter_lob_address import fields_of
from channels.letter_sheet import US_WINDOW, typeset
from tests.channels.lob_server import WEBHOOK_SECRET, LobServer, refuses, running_lob, settings_for, signed
from tests.channels.sending import sent
from tests.channels.test_letter_sheet import LETTER
from tests.channels.web_stand_in import Misbehaviour, answers, cuts

NOW = dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC)
AMERICAN = ("Anna Sample", "12 Elm Street", "Springfield, IL", "62701", "United States")
SHEET = replace(LETTER, address=AMERICAN, country="US")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give the time."""
    return Clock()


@pytest_asyncio.fixture
async def server(clock: Clock) -> AsyncIterator[LobServer]:
    """Run Lob's stand-in."""
    async with running_lob(clock) as running:
        yield running


@pytest_asyncio.fixture
async def lob(server: LobServer, clock: Clock) -> AsyncIterator[LobLetters]:
    """Give the channel, open."""
    channel = LobLetters(settings_for(server), lambda sheet: typeset(sheet, US_WINDOW), now=clock)
    await channel.open()
    yield channel
    await channel.close()


def letter(delivery: str = "d1", sheet: Sheet = SHEET) -> Envelope:
    """Make a hand-over."""
    return Envelope(delivery=delivery, payload=sheet)


async def test_a_letter_has_all_that_lob_asks_for(lob: LobLetters, server: LobServer) -> None:
    """Address in fields, return address in the country, size US Letter, our id as key and as metadata."""
    [handover] = await sent(lob, [letter()])
    assert handover.accepted
    assert handover.provider_id in server.letters
    [form] = server.posts
    assert form == {
        "to[name]": "Anna Sample",
        "to[address_line1]": "12 Elm Street",
        "to[address_city]": "Springfield",
        "to[address_state]": "IL",
        "to[address_zip]": "62701",
        "to[address_country]": "US",
        "from[name]": "Meadow Primary School",
        "from[address_line1]": "1 School Lane",
        "from[address_city]": "Springfield",
        "from[address_state]": "IL",
        "from[address_zip]": "62701",
        "from[address_country]": "US",
        "color": "false",
        "double_sided": "true",
        "address_placement": "top_first_page",
        "mail_type": "usps_standard",
        "use_type": "operational",
        "metadata[delivery]": "d1",
    }
    assert list(server.keys) == ["d1"]


async def test_the_window_is_left_to_lob(lob: LobLetters, server: LobServer) -> None:
    """Lob writes the address itself: ours must not stand below it."""
    await sent(lob, [letter()])
    [pdf] = server.files.values()
    assert b"/StructTreeRoot" in pdf
    text = " ".join(page.extract_text() for page in _pages(pdf))
    assert "A trip to the museum" in text
    assert "12 Elm Street" not in text


@pytest.mark.parametrize(
    ("lines", "country", "fields"),
    [
        (
            ("A", "1 Elm", "Apt 2", "New York, NY", "10007-1234"),
            "US",
            {"address_line2": "Apt 2", "address_state": "NY"},
        ),
        (("A", "1 Elm", "Springfield IL", "62701"), "US", {"address_city": "Springfield", "address_state": "IL"}),
        (("A", "1 Elm", "Springfield", "62701"), "US", None),
        (("A", "1 Elm", "Springfield, IL", "SW1A 1AA"), "US", None),
        (("A", "1 " + "Elm" * 20, "Springfield, IL", "62701"), "US", None),
        (("A", "1 Road", "Town", "ZZ9 9ZZ"), "GB", {"address_city": "Town", "address_zip": "ZZ9 9ZZ"}),
        (("A", "Flat 2", "1 Road", "Area", "Town", "ZZ9 9ZZ"), "GB", {"address_line2": "1 Road, Area"}),
        (("A", "Rue 1", "75001 Paris", "France"), "FR", {"address_line1": "Rue 1", "address_zip": "75001 Paris"}),
        (("A",), "FR", None),
    ],
)
def test_an_address_is_taken_apart(lines: tuple[str, ...], country: str, fields: dict[str, str] | None) -> None:
    """What has not the parts that the country's post needs is refused before anything is sent."""
    found = fields_of(lines, country)
    assert (found is None) == (fields is None)
    if found is not None and fields is not None:
        assert found.items() >= fields.items()
        assert found["address_country"] == country


@pytest.mark.parametrize(
    ("status", "code", "retry", "ours", "dead"),
    [
        (401, "invalid_api_key", Retry.LATER, True, False),
        (403, "billing_address_required", Retry.LATER, True, False),
        (422, "failed_deliverability_strictness", Retry.NEVER, False, True),
        (422, "address_length_exceeds_limit", Retry.NEVER, False, False),
        (422, "file_pages_exceed_max", Retry.NEVER, False, False),
        (422, "FOREIGN_RETURN_ADDRESS", Retry.LATER, True, False),
        (422, "of_tomorrow", Retry.NEVER, False, False),
        (409, "conflict", Retry.UNKNOWN, False, False),
        (429, "rate_limit_exceeded", Retry.LATER, False, False),
        (500, "internal_server_error", Retry.UNKNOWN, False, False),
        (503, "service_unavailable", Retry.UNKNOWN, False, False),
        (302, "moved", Retry.LATER, True, False),
    ],
)
async def test_each_refusal_has_its_meaning(
    lob: LobLetters, server: LobServer, status: int, code: str, retry: Retry, *, ours: bool, dead: bool
) -> None:
    """For the retry, for the operator, for the address."""
    server.next_requests(refuses(status, code, Retry_After="7"))
    [handover] = await sent(lob, [letter()])
    error = handover.error
    assert error is not None
    assert (error.retry, error.ours, error.address_dead) == (retry, ours, dead)
    assert (error.provider_code, error.retry_after) == (code, 7)
    assert error.throttled == (status == 429)
    assert "Amina" not in str(error)


@pytest.mark.parametrize(
    ("trouble", "retry", "code"),
    [
        (answers(200, "no JSON"), Retry.UNKNOWN, "no_answer"),
        (answers(200, "[]"), Retry.UNKNOWN, "no_answer"),
        (answers(200, '{"id": 7}'), Retry.UNKNOWN, "no_answer"),
        (answers(200, "[" * 100_000), Retry.UNKNOWN, "no_answer"),
        (answers(401, "[" * 100_000), Retry.LATER, "account_refused"),
        (answers(429, "", Retry_After="9" * 400), Retry.LATER, "throttled"),
        (answers(502, "<html>", "text/html"), Retry.UNKNOWN, "no_answer"),
    ],
)
async def test_nonsense_is_judged_by_its_status(
    lob: LobLetters, server: LobServer, trouble: Misbehaviour, retry: Retry, code: str
) -> None:
    """It never counts as taken, nor as refused when the letter may have been taken; and nobody waits for ever."""
    server.next_requests(trouble)
    [handover] = await sent(lob, [letter()])
    assert handover.error is not None
    assert (handover.error.retry, handover.error.code, handover.error.retry_after) == (retry, code, None)


async def test_a_long_answer_is_read_to_its_end(lob: LobLetters, server: LobServer) -> None:
    """However many pieces it comes in."""
    found = {"id": "ltr_1", "date_created": NOW.isoformat(), "thumbnails": ["x" * 900_000]}
    server.next_requests(answers(200, msgspec.json.encode(found)))
    [handover] = await sent(lob, [letter()])
    assert handover.provider_id == "ltr_1"


async def test_a_repeated_letter_is_printed_once(lob: LobLetters, server: LobServer) -> None:
    """The answer was lost: looking up finds the letter; even a blind repetition carries the same key."""
    server.next_requests(cuts(server, stored=True))
    [lost] = await sent(lob, [letter()])
    assert lost.error is not None
    assert lost.error.retry is Retry.UNKNOWN
    [found] = await lob.look_up([letter()])
    [again] = await sent(lob, [letter()])
    assert found is not None
    assert found == again
    assert len(server.letters) == 1


async def test_what_never_arrived_is_not_found(lob: LobLetters, server: LobServer) -> None:
    """Then it may be handed over again."""
    server.next_requests(cuts(server, stored=False))
    [lost] = await sent(lob, [letter()])
    assert lost.error is not None
    assert await lob.look_up([letter()]) == [None]
    [again] = await sent(lob, [letter()])
    assert again.accepted
    assert len(server.letters) == 1


async def test_a_letter_that_was_taken_back_can_be_sent_after_all(
    lob: LobLetters, server: LobServer, clock: Clock
) -> None:
    """Lob would answer the old key with the deleted letter for a day: it must not pass for the new one."""
    [first] = await sent(lob, [letter()])
    assert first.provider_id is not None
    assert await lob.recall([first.provider_id]) == {first.provider_id}
    clock.now += dt.timedelta(hours=1)
    [again] = await sent(lob, [letter()])
    assert again.accepted
    assert again.provider_id != first.provider_id
    assert [one["id"] for one in server.living()] == [again.provider_id]
    assert await lob.look_up([letter()]) == [again]


async def test_what_is_printed_stays(lob: LobLetters, server: LobServer) -> None:
    """Only what Lob has certainly deleted is named; asked twice it is named again."""
    handovers = await sent(lob, [letter("d1"), letter("d2")])
    first, second = (str(handover.provider_id) for handover in handovers)
    server.printed.add(second)
    assert await lob.recall([first, second, "ltr_unknown"]) == {first}
    assert await lob.recall([first]) == {first}


@pytest.mark.parametrize(
    ("kind", "status", "dead"),
    [
        ("letter.created", ReceiptStatus.QUEUED, False),
        ("letter.rendered_pdf", ReceiptStatus.QUEUED, False),
        ("letter.mailed", ReceiptStatus.IN_TRANSIT, False),
        ("letter.in_transit", ReceiptStatus.IN_TRANSIT, False),
        ("letter.in_local_area", ReceiptStatus.IN_TRANSIT, False),
        ("letter.processed_for_delivery", ReceiptStatus.IN_TRANSIT, False),
        ("letter.certified.delivered", ReceiptStatus.DELIVERED, False),
        ("letter.delivered", ReceiptStatus.DELIVERED, False),
        ("letter.re-routed", ReceiptStatus.DEFERRED, False),
        ("letter.returned_to_sender", ReceiptStatus.RETURNED, True),
        ("letter.failed", ReceiptStatus.FAILED, False),
        ("letter.deleted", ReceiptStatus.CANCELED, False),
        ("letter.of_tomorrow", ReceiptStatus.UNKNOWN, False),
    ],
)
async def test_each_event_has_its_status(
    lob: LobLetters, server: LobServer, kind: str, status: ReceiptStatus, *, dead: bool
) -> None:
    """Returned mail ends the address; the letter's address is not stored a second time."""
    [receipt] = lob.read_receipts(server.webhook(kind, "ltr_1"))
    assert (receipt.status, receipt.address_dead) == (status, dead)
    assert (receipt.delivery, receipt.provider_id, receipt.event_id, receipt.at) == ("d1", "ltr_1", "evt_1", NOW)
    assert "private" not in repr(receipt)


GOOD: dict[str, Any] = {"id": "evt_1", "event_type": {"id": "letter.mailed"}, "body": {"id": "ltr_1"}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\xff", 400),
        (b"[]", 400),
        (b"{}", 400),
        (msgspec.json.encode({**GOOD, "event_type": "letter.mailed"}), 400),
        (msgspec.json.encode({**GOOD, "id": "x" * 300}), 400),
        (msgspec.json.encode({**GOOD, "body": None}), 400),
        (b" " * 300_000, 413),
    ],
)
async def test_a_strange_event_is_refused(lob: LobLetters, body: bytes, status: int) -> None:
    """Signed or not: what makes no sense changes nothing."""
    with pytest.raises(ReceiptRefusedError) as refused:
        lob.read_receipts(signed(body, NOW))
    assert refused.value.status == status


@pytest.mark.parametrize("change", ["body", "secret", "old", "future", "words"])
async def test_a_forged_or_old_webhook_is_refused(lob: LobLetters, change: str) -> None:
    """Another body, another secret, a replay, a clock that is wrong, no timestamp at all."""
    body = msgspec.json.encode(GOOD)
    request = signed(body, NOW)
    if change == "body":
        request = msgspec.structs.replace(request, body=body.replace(b"mailed", b"delivered"))
    if change == "secret":
        request = signed(body, NOW, WEBHOOK_SECRET + "x")
    if change in {"old", "future"}:
        request = signed(body, NOW + dt.timedelta(minutes=6 if change == "future" else -6))
    if change == "words":
        request = msgspec.structs.replace(request, headers={**request.headers, "lob-signature-timestamp": "yesterday"})
    with pytest.raises(ReceiptRefusedError) as refused:
        lob.read_receipts(request)
    assert refused.value.status == 403


async def test_without_a_secret_nothing_is_believed(server: LobServer, clock: Clock) -> None:
    """Who gives no secret gets no news, and forgers no ear."""
    channel = LobLetters(settings_for(server, webhook_secret=None), lambda _sheet: b"%PDF", now=clock)
    with pytest.raises(ReceiptRefusedError) as refused:
        channel.read_receipts(server.webhook("letter.mailed", "ltr_1"))
    assert refused.value.status == 403


async def test_the_doctor_finds_a_wrong_key(server: LobServer, clock: Clock) -> None:
    """One sentence that names the setting and shows no secret."""
    channel = LobLetters(settings_for(server, api_key="wrong"), lambda _sheet: b"%PDF", now=clock)
    await channel.open()
    assert "GATEWAY_LOB_API_KEY" in str(await channel.check())
    await channel.close()
    with pytest.raises(ChannelSettingsError, match="GATEWAY_LETTER_RETURN_ADDRESS"):
        await LobLetters(settings_for(server, return_address=("1 Road",)), lambda _sheet: b"", now=clock).open()


def _pages(pdf: bytes) -> Any:
    return PdfReader(io.BytesIO(pdf)).pages
