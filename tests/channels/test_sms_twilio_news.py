"""Twilio's two senders, what it tells when it is asked, and the texts that people send."""

import asyncio
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Mapping

import msgspec
import pytest

from channels.base import Askable, CallbackRequest, Envelope, Inbound, Receipt, ReceiptStatus, Text
from channels.errors import ReceiptRefusedError
from channels.sms_twilio import TwilioSettings, TwilioTexts
from tests.channels.sending import sent
from tests.channels.twilio_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    EMERGENCY_NUMBER,
    FROM_NUMBER,
    SERVICE_SID,
    TwilioServer,
    refuses,
    running_twilio,
    signed_form,
)
from tests.channels.web_stand_in import answers, cuts, hangs

NOW = dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC)
URL = "https://gateway.example.org/v1/receipts/twilio"
AMINA = "+447700900123"
ALERTS = "MG" + "3" * 32


def now() -> dt.datetime:
    """Give the morning on which all tests play."""
    return NOW


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioServer]:
    """Run a stand-in for Twilio."""
    async with running_twilio(now) as server:
        yield server


def settings(base_url: str = "https://api.twilio.com", **changes: object) -> TwilioSettings:
    """Set two numbers up."""
    usual = TwilioSettings(
        account_sid=ACCOUNT_SID,
        auth_token=AUTH_TOKEN,
        from_number=FROM_NUMBER,
        emergency_from=EMERGENCY_NUMBER,
        api_base_url=base_url,
        timeout=5,
    )
    return dataclasses.replace(usual, **changes)


@pytest.fixture
async def texts(twilio: TwilioServer) -> AsyncIterator[TwilioTexts]:
    """Open the channel on the stand-in."""
    channel = TwilioTexts(settings(twilio.base_url), now=now)
    await channel.open()
    yield channel
    await channel.close()


def text(delivery: str = "d1", *, urgent: bool = False) -> Envelope:
    """One text, ready to go."""
    payload = Text(recipient=AMINA, body="School is closed today.", segments=1, language="en")
    return Envelope(delivery=delivery, payload=payload, urgent=urgent)


USUAL_SERVICE = {"from_number": None, "messaging_service_sid": SERVICE_SID}
URGENT_SERVICE = {"emergency_from": None, "emergency_messaging_service_sid": ALERTS}


@pytest.mark.parametrize(
    ("changes", "usual", "urgent"),
    [
        ({}, {"From": FROM_NUMBER}, {"From": EMERGENCY_NUMBER}),
        ({"emergency_from": None}, {"From": FROM_NUMBER}, {"From": FROM_NUMBER}),
        (USUAL_SERVICE, {"MessagingServiceSid": SERVICE_SID}, {"From": EMERGENCY_NUMBER}),
        (URGENT_SERVICE, {"From": FROM_NUMBER}, {"MessagingServiceSid": ALERTS}),
        (USUAL_SERVICE | URGENT_SERVICE, {"MessagingServiceSid": SERVICE_SID}, {"MessagingServiceSid": ALERTS}),
    ],
)
async def test_alerts_have_a_sender_of_their_own(
    twilio: TwilioServer, changes: Mapping[str, object], usual: dict[str, str], urgent: dict[str, str]
) -> None:
    """Each text names its own sender and no other; without one for alerts the other serves both."""
    channel = TwilioTexts(settings(twilio.base_url, **changes), now=now)
    await channel.open()
    await sent(channel, [text("d1")])
    await sent(channel, [text("d2", urgent=True)])
    await channel.close()
    named = [{name: post[name] for name in ("From", "MessagingServiceSid") if name in post} for post in twilio.posts]
    assert named == [usual, urgent]


async def test_an_unanswered_alert_is_looked_up_among_the_alerts(texts: TwilioTexts, twilio: TwilioServer) -> None:
    """The same words from the other sender are another text."""
    twilio.next_requests(cuts(twilio, stored=True))
    await sent(texts, [text("alert", urgent=True)])
    usual, alert = await texts.look_up([text("usual"), text("alert", urgent=True)])
    assert usual is None
    assert alert is not None
    assert alert.provider_id == twilio.messages[0]["sid"]


@pytest.mark.parametrize(
    ("changes", "to", "urgent"),
    [
        ({}, {"To": EMERGENCY_NUMBER}, True),
        ({}, {"To": FROM_NUMBER}, False),
        ({}, {"To": "+447700900999"}, None),
        ({"emergency_from": None}, {"To": FROM_NUMBER}, None),
        (URGENT_SERVICE, {"To": "+447700900999", "MessagingServiceSid": ALERTS}, True),
        (USUAL_SERVICE, {"To": "+447700900999", "MessagingServiceSid": SERVICE_SID}, False),
    ],
)
def test_an_answer_tells_which_sender_it_was_sent_to(
    changes: Mapping[str, object], to: dict[str, str], *, urgent: bool | None
) -> None:
    """An answer to an alert is not taken for one to the newsletter before it."""
    assert read_text("Thank you", changes, **to).urgent is urgent


@pytest.mark.parametrize(
    ("body", "more", "answers_stop", "handled", "keyword"),
    [
        ("Thank you", {}, True, False, None),
        (" stop ", {}, True, True, None),
        ("HELP", {}, True, True, None),
        ("STOP", {}, False, False, None),
        ("Stop.", {}, True, False, None),
        ("please stop by", {}, True, False, None),
        ("OPRIRE", {"OptOutType": "STOP"}, True, True, "stop"),
        ("OPRIRE", {"OptOutType": "STOP"}, False, True, "stop"),
    ],
)
def test_a_text_that_twilio_has_answered_says_so(
    body: str, more: dict[str, str], *, answers_stop: bool, handled: bool, keyword: str | None
) -> None:
    """Twilio confirms its own words, and those of Advanced Opt-Out, which it names."""
    read = read_text(body, {"answers_stop": answers_stop}, **more)
    assert (read.body, read.handled, read.keyword) == (body, handled, keyword)


def test_a_text_is_read_whole() -> None:
    """Who, to whom, what, when, under an id that stays the same; pictures are not fetched, but told of."""
    plain, again, with_picture = read_text("Danke ❤"), read_text("Danke ❤"), read_text("", NumMedia="2")
    assert plain == again
    assert plain == Inbound(
        provider="twilio",
        event_id="SM9:received",
        at=NOW,
        sender=AMINA,
        recipient=FROM_NUMBER,
        body="Danke ❤",
        urgent=False,
    )
    assert (with_picture.body, with_picture.cut) == ("", True)
    assert read_text("a\0b").body == "ab"


@pytest.mark.parametrize("sid", ["", "SM1 OR 1=1", "x" * 65])
def test_a_text_without_an_id_is_refused(sid: str) -> None:
    """Twilio signs whatever it posts: what it cannot have meant is refused all the same."""
    with pytest.raises(ReceiptRefusedError) as refused:
        TwilioTexts(settings(), now=now).read_receipts(inbound("Hello", MessageSid=sid, SmsSid=sid))
    assert refused.value.status == 400


async def test_what_is_asked_for_is_what_the_callback_would_have_told(texts: TwilioTexts, twilio: TwilioServer) -> None:
    """The same event id for both, so that whichever comes later is a repetition."""
    assert isinstance(texts, Askable)
    [handover] = await sent(texts, [text()])
    message = twilio.messages[0]
    message |= {"status": "undelivered", "error_code": 30005}
    [asked] = await texts.news_of([handover.provider_id or ""])
    callback = twilio.callback(message["sid"], "undelivered", url=f"{URL}?delivery=d1", ErrorCode="30005")
    [told] = texts.read_receipts(callback)
    assert isinstance(told, Receipt)
    assert msgspec.structs.replace(asked, raw=told.raw, delivery=told.delivery) == told
    assert (asked.status, asked.provider_id, asked.address_dead) == (ReceiptStatus.BOUNCED, message["sid"], True)


@pytest.mark.parametrize(
    ("code", "again"),
    [("30003", True), ("30008", True), ("30001", True), ("30002", False), ("30005", False), ("30007", False)],
)
def test_what_may_pass_is_worth_another_attempt(code: str, *, again: bool) -> None:
    """A handset out of reach, or no reason at all; never a number that is dead or a text that was filtered."""
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": code}
    [read] = TwilioTexts(settings(), now=now).read_receipts(signed_form(form, url=URL))
    assert isinstance(read, Receipt)
    assert read.again is again


async def test_many_are_asked_for_a_few_at_a_time(texts: TwilioTexts, twilio: TwilioServer) -> None:
    """Each once, and those that Twilio does not know are left out."""
    handovers = await sent(texts, [text(f"d{number}") for number in range(50)])
    sids = [handover.provider_id or "" for handover in handovers]
    twilio.most_on_the_wire, all_there = 0, asyncio.Event()

    async def wait_for_the_others(_request: object) -> None:
        if twilio.on_the_wire >= texts.limits.concurrency:
            all_there.set()
        await all_there.wait()

    twilio.next_requests(*[wait_for_the_others] * 51)
    news = await texts.news_of([*sids, sids[0], "SM" + "f" * 32])
    assert sorted(receipt.provider_id or "" for receipt in news) == sorted(sids)
    assert len(twilio.fetches) == 51
    assert twilio.most_on_the_wire == texts.limits.concurrency


@pytest.mark.parametrize("trouble", [refuses(429, 20429), refuses(503, 20500), refuses(401, 20003), hangs()])
async def test_who_wants_to_be_left_alone_is_not_asked_on(twilio: TwilioServer, trouble) -> None:  # noqa: ANN001  # a row of the table
    """A thousand more questions would not be answered either."""
    channel = TwilioTexts(settings(twilio.base_url, connections=2, timeout=0.2), now=now)
    await channel.open()
    twilio.next_requests(*[trouble] * 100)
    assert await channel.news_of([f"SM{number}" for number in range(100)]) == []
    await channel.close()
    assert len(twilio.fetches) <= 4


@pytest.mark.parametrize(
    "trouble",
    [
        answers(200, "[]"),
        answers(200, "no JSON"),
        answers(200, '{"sid": 7}'),
        answers(200, '{"sid": "SM2", "status": "delivered"}'),
        answers(200, '{"sid": "SM1", "status": 7}'),
    ],
)
async def test_an_answer_that_makes_no_sense_is_no_news(texts: TwilioTexts, twilio: TwilioServer, trouble) -> None:  # noqa: ANN001  # the same
    """Nothing is concluded from it."""
    twilio.next_requests(trouble)
    assert await texts.news_of(["SM1"]) == []


async def test_two_senders_for_alerts_are_one_too_many() -> None:
    """One sentence says which settings."""
    channel = TwilioTexts(settings(emergency_messaging_service_sid=ALERTS), now=now)
    assert "GATEWAY_TWILIO_EMERGENCY_FROM" in (await channel.check() or "")


def inbound(body: str, **more: str) -> CallbackRequest:
    """Sign a text as Twilio passes it on."""
    return TwilioServer(now).inbound("SM9", body, url=URL, sender=AMINA, **more)


def read_text(body: str, changes: Mapping[str, object] | None = None, **more: str) -> Inbound:
    """Read a text."""
    [read] = TwilioTexts(settings(**(changes or {})), now=now).read_receipts(inbound(body, **more))
    assert isinstance(read, Inbound)
    return read
