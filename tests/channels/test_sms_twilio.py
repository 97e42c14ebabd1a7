"""Text messages through Twilio: what is posted, what the answers mean, what is looked up, what receipts say."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from channels.base import CallbackRequest, Envelope, ReceiptStatus, RejectReason, Text
from channels.errors import ChannelSettingsError, ReceiptRefusedError, Retry
from channels.sms_twilio import TwilioSettings, TwilioTexts
from channels.twilio_signature import signature
from tests.channels.sending import sent
from tests.channels.twilio_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    FROM_NUMBER,
    SERVICE_SID,
    TwilioServer,
    refuses,
    running_twilio,
    signed_form,
)
from tests.channels.web_stand_in import answers, cuts, hangs

NOW = dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC)
CALLBACK_URL = "https://gateway.example.org/v1/receipts/twilio"
AMINA = "+447700900123"


def now() -> dt.datetime:
    """Give the morning on which all tests play."""
    return NOW


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioServer]:
    """Run a stand-in for Twilio."""
    async with running_twilio(now) as server:
        yield server


def settings(server: TwilioServer) -> TwilioSettings:
    """Lead the channel to the stand-in."""
    return TwilioSettings(
        account_sid=ACCOUNT_SID,
        auth_token=AUTH_TOKEN,
        from_number=FROM_NUMBER,
        api_base_url=server.base_url,
        status_callback_url=CALLBACK_URL,
        timeout=5,
    )


@pytest.fixture
async def texts(twilio: TwilioServer) -> AsyncIterator[TwilioTexts]:
    """Open the channel on the stand-in."""
    channel = TwilioTexts(settings(twilio), now=now)
    await channel.open()
    yield channel
    await channel.close()


def text(delivery: str = "d1", to: str = AMINA, body: str = "School is closed today.") -> Envelope:
    """One text, ready to go."""
    return Envelope(delivery=delivery, payload=Text(recipient=to, body=body, segments=1, language="en"))


def receipt(form: dict[str, str], url: str = CALLBACK_URL) -> CallbackRequest:
    """Sign a callback's form as Twilio does."""
    return signed_form(form, url=url)


async def test_a_text_is_posted_with_its_sender_validity_and_callback(texts: TwilioTexts, twilio: TwilioServer) -> None:
    """The callback URL carries our delivery id, so that its receipts find their delivery."""
    [handover] = await sent(texts, [text("delivery/1 é")])
    assert handover.accepted
    assert handover.provider_id == twilio.messages[0]["sid"]
    assert twilio.posts == [
        {
            "To": AMINA,
            "From": FROM_NUMBER,
            "Body": "School is closed today.",
            "ValidityPeriod": "36000",
            "StatusCallback": f"{CALLBACK_URL}?delivery=delivery%2F1+%C3%A9",
        }
    ]


async def test_a_messaging_service_takes_the_place_of_the_number(twilio: TwilioServer) -> None:
    """With a service Twilio picks the number, so none is sent."""
    service = dataclasses.replace(
        settings(twilio), from_number=None, messaging_service_sid=SERVICE_SID, status_callback_url=None
    )
    channel = TwilioTexts(service, now=now)
    await channel.open()
    [handover] = await sent(channel, [text()])
    assert (await channel.look_up([text()]))[0] == handover
    await channel.close()
    assert twilio.posts[0]["MessagingServiceSid"] == SERVICE_SID
    assert {"From", "StatusCallback"}.isdisjoint(twilio.posts[0])


@pytest.mark.parametrize(
    ("expires_in", "urgent", "validity"),
    [
        (None, False, "36000"),
        (None, True, "3600"),
        (dt.timedelta(minutes=10), True, "600"),
        (dt.timedelta(hours=5), True, "3600"),
        (dt.timedelta(days=3), False, "36000"),
        (dt.timedelta(seconds=1.9), False, "1"),
    ],
)
async def test_a_text_lives_no_longer_than_its_message(
    texts: TwilioTexts, twilio: TwilioServer, expires_in: dt.timedelta | None, *, urgent: bool, validity: str
) -> None:
    """ValidityPeriod follows from the expiry and from the lane, within Twilio's limits."""
    expires_at = None if expires_in is None else NOW + expires_in
    await sent(texts, [dataclasses.replace(text(), expires_at=expires_at, urgent=urgent)])
    assert twilio.posts[0]["ValidityPeriod"] == validity


@pytest.mark.parametrize("late_by", [dt.timedelta(seconds=-0.5), dt.timedelta(0), dt.timedelta(hours=1)])
async def test_a_text_whose_time_is_over_never_leaves(
    texts: TwilioTexts, twilio: TwilioServer, late_by: dt.timedelta
) -> None:
    """Under a second of life is too little for Twilio's smallest validity."""
    [handover] = await sent(texts, [dataclasses.replace(text(), expires_at=NOW - late_by)])
    assert handover.error is not None
    assert (handover.error.code, handover.error.retry) == ("expired", Retry.NEVER)
    assert twilio.posts == []


REFUSALS = [
    # status, Twilio's code, our code, retry, flags
    (400, 21211, "number_invalid", Retry.NEVER, {"address_dead"}),
    (400, 21214, "unreachable", Retry.NEVER, set()),
    (400, 21408, "country_not_enabled", Retry.NEVER, {"ours"}),
    (400, 21606, "sender_refused", Retry.LATER, {"ours"}),
    (400, 21608, "trial_account", Retry.LATER, {"ours"}),
    (400, 21610, "opted_out", Retry.NEVER, {"opted_out"}),
    (400, 21611, "queue_full", Retry.LATER, set()),
    (400, 21612, "unreachable", Retry.NEVER, set()),
    (400, 21614, "not_a_mobile", Retry.NEVER, {"address_dead"}),
    (400, 21617, "text_too_long", Retry.NEVER, set()),
    (400, 21635, "not_a_mobile", Retry.NEVER, {"address_dead"}),
    (400, 99999, "refused", Retry.NEVER, set()),
    (401, 20003, "account_refused", Retry.LATER, {"ours"}),
    (403, 30002, "account_refused", Retry.LATER, {"ours"}),
    (404, 20404, "account_refused", Retry.LATER, {"ours"}),
    (429, 20429, "throttled", Retry.LATER, set()),
    (500, 20500, "no_answer", Retry.UNKNOWN, set()),
    (503, 20429, "no_answer", Retry.UNKNOWN, set()),
]


@pytest.mark.parametrize(("status", "code", "ours", "retry", "flags"), REFUSALS)
async def test_every_refusal_has_its_policy(
    texts: TwilioTexts, twilio: TwilioServer, status: int, code: int, ours: str, retry: Retry, flags: set[str]
) -> None:
    """A refusal says whether to repeat, whose fault it is and whether the number is dead."""
    twilio.next_requests(refuses(status, code))
    [handover] = await sent(texts, [text()])
    error = handover.error
    assert error is not None
    assert (error.code, error.retry, error.provider_code) == (ours, retry, str(code))
    assert {flag for flag in ("ours", "address_dead", "opted_out") if getattr(error, flag)} == flags
    assert FROM_NUMBER not in repr(handover)
    assert len(twilio.posts) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({}, None),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "9" * 400}, None),
    ],
)
async def test_a_throttled_text_waits_as_long_as_twilio_asks(
    texts: TwilioTexts, twilio: TwilioServer, header: dict[str, str], seconds: float | None
) -> None:
    """The Retry-After header reaches the dispatcher."""
    twilio.next_requests(refuses(429, 20429, **header))
    [handover] = await sent(texts, [text()])
    assert handover.error is not None
    assert (handover.error.retry, handover.error.retry_after) == (Retry.LATER, seconds)


@pytest.mark.parametrize(
    ("status", "body", "retry", "code"),
    [
        (201, "not JSON", Retry.UNKNOWN, "no_answer"),
        (201, "[]", Retry.UNKNOWN, "no_answer"),
        (201, "{}", Retry.UNKNOWN, "no_answer"),
        (201, "[" * 100_000, Retry.UNKNOWN, "no_answer"),
        (401, "[" * 100_000, Retry.LATER, "account_refused"),
        (401, "no JSON either", Retry.LATER, "account_refused"),
        (429, "", Retry.LATER, "throttled"),
        (400, '{"code": "21211"}', Retry.NEVER, "refused"),
        (502, "<html>", Retry.UNKNOWN, "no_answer"),
        (307, "", Retry.LATER, "wrong_api_address"),
    ],
)
async def test_an_answer_that_is_not_twilio_is_judged_by_its_status(
    texts: TwilioTexts, twilio: TwilioServer, status: int, body: str, retry: Retry, code: str
) -> None:
    """A proxy's page or a broken body never counts as accepted, and never as safely refused after the text left."""
    twilio.next_requests(answers(status, body))
    [handover] = await sent(texts, [text()])
    assert handover.error is not None
    assert (handover.error.retry, handover.error.code) == (retry, code)


@pytest.mark.parametrize("stored", [True, False])
async def test_a_cut_connection_is_unknown_and_settled_by_looking_up(
    texts: TwilioTexts, twilio: TwilioServer, *, stored: bool
) -> None:
    """After a cut only Twilio's list tells whether the text was taken; it is never posted again."""
    twilio.next_requests(cuts(twilio, stored=stored))
    [handover] = await sent(texts, [text()])
    assert handover.error is not None
    assert handover.error.retry is Retry.UNKNOWN
    assert len(twilio.posts) == 1
    [found] = await texts.look_up([text()])
    assert (found is not None and found.provider_id == twilio.messages[0]["sid"]) if stored else found is None


async def test_a_silent_twilio_is_unknown_after_the_timeout(twilio: TwilioServer) -> None:
    """The client's own timeout is not relied on: ours ends the wait."""
    twilio.next_requests(hangs())
    channel = TwilioTexts(dataclasses.replace(settings(twilio), timeout=0.1), now=now)
    await channel.open()
    [handover] = await sent(channel, [text()])
    await channel.close()
    assert handover.error is not None
    assert handover.error.retry is Retry.UNKNOWN
    assert len(twilio.posts) == 1


async def test_a_refused_connection_is_safe_to_repeat(twilio: TwilioServer) -> None:
    """When no connection came about, nothing left."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        channel = TwilioTexts(dataclasses.replace(settings(twilio), api_base_url=nowhere), now=now)
        await channel.open()
        [handover] = await sent(channel, [text()])
        assert "cannot be reached" in (await channel.check() or "")
        await channel.close()
    assert handover.error is not None
    assert (handover.error.retry, handover.error.code) == (Retry.LATER, "provider_unreachable")


async def test_a_connection_that_never_comes_about_is_safe_to_repeat(twilio: TwilioServer) -> None:
    """A network that swallows everything ends in a connect timeout, before anything left."""
    with socket.socket() as deaf, contextlib.ExitStack() as queue:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(3):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        channel = TwilioTexts(dataclasses.replace(settings(twilio), api_base_url=url, timeout=0.4), now=now)
        await channel.open()
        [handover] = await sent(channel, [text()])
        await channel.close()
    assert handover.error is not None
    assert (handover.error.retry, handover.error.code) == (Retry.LATER, "provider_unreachable")


async def test_many_texts_at_once_get_their_own_ids(texts: TwilioTexts, twilio: TwilioServer) -> None:
    """Answers of concurrent calls are not mixed up, and no more calls are open than allowed."""
    batch = [text(f"d{number}", body=f"Text {number}") for number in range(60)]
    handovers = await sent(texts, batch)
    by_sid = {message["sid"]: message["body"] for message in twilio.messages}
    assert [by_sid[handover.provider_id or ""] for handover in handovers] == [f"Text {n}" for n in range(60)]
    assert twilio.most_on_the_wire <= texts.limits.concurrency


async def test_one_refused_text_leaves_the_rest_of_the_batch_alone(texts: TwilioTexts) -> None:
    """Each envelope has its own answer, in order."""
    handovers = await sent(texts, [text("d1"), text("d2", to="not a number"), text("d3")])
    assert [(handover.delivery, handover.accepted) for handover in handovers] == [
        ("d1", True),
        ("d2", False),
        ("d3", True),
    ]


async def test_two_unanswered_texts_never_share_one_found_text(texts: TwilioTexts, twilio: TwilioServer) -> None:
    """The same words to the same number twice need two texts at Twilio."""
    twilio.store({"To": AMINA, "From": FROM_NUMBER, "Body": "School is closed today."})
    found = await texts.look_up([text("d1"), text("d2")])
    assert [handover is None for handover in found] == [False, True]


@pytest.mark.parametrize(
    "other",
    [
        {"Body": "School is open today."},
        {"To": "+447700900124"},
        {"From": "+447700900999"},
    ],
)
async def test_another_text_is_not_taken_for_ours(
    texts: TwilioTexts, twilio: TwilioServer, other: dict[str, str]
) -> None:
    """Number, sender and words must all fit."""
    twilio.store({"To": AMINA, "From": FROM_NUMBER, "Body": "School is closed today.", **other})
    assert await texts.look_up([text()]) == [None]


async def test_yesterdays_text_with_the_same_words_is_not_taken_for_todays(twilio: TwilioServer) -> None:
    """A daily absence text reads the same every day."""
    twilio.store({"To": AMINA, "From": FROM_NUMBER, "Body": "School is closed today."})
    channel = TwilioTexts(settings(twilio), now=lambda: NOW + dt.timedelta(hours=23))
    await channel.open()
    assert await channel.look_up([text()]) == [None]
    await channel.close()


async def test_each_of_two_alerts_with_the_same_words_finds_its_own_text(twilio: TwilioServer) -> None:
    """A text from before there was an alert is another one's, in whatever order they are asked about."""
    twilio.store({"To": AMINA, "From": FROM_NUMBER, "Body": "School is closed today."})
    channel = TwilioTexts(settings(twilio), now=lambda: NOW + dt.timedelta(minutes=40))
    await channel.open()
    first = dataclasses.replace(text("d1"), since=NOW - dt.timedelta(seconds=2))
    second = dataclasses.replace(text("d2"), since=NOW + dt.timedelta(minutes=30))
    assert await channel.look_up([second]) == [None]
    twilio.now = lambda: NOW + dt.timedelta(minutes=31)
    twilio.store({"To": AMINA, "From": FROM_NUMBER, "Body": "School is closed today."})
    for asked in ([first, second], [second, first]):
        found = {each.delivery: each.provider_id for each in await channel.look_up(asked) if each is not None}
        assert found == {"d1": twilio.messages[0]["sid"], "d2": twilio.messages[1]["sid"]}
    await channel.close()


async def test_a_look_up_reads_every_page(texts: TwilioTexts, twilio: TwilioServer) -> None:
    """The text looked for may be behind newer ones."""
    twilio.page_size = 2
    for body in ("School is closed today.", *(f"Text {number}" for number in range(5))):
        twilio.store({"To": AMINA, "From": FROM_NUMBER, "Body": body})
    [found] = await texts.look_up([text()])
    assert found is not None
    assert found.provider_id == twilio.messages[0]["sid"]


@pytest.mark.parametrize("trouble", [refuses(500, 20500), refuses(429, 20429), answers(200, "[]")])
async def test_a_failed_look_up_leaves_the_text_unknown(texts: TwilioTexts, twilio: TwilioServer, trouble) -> None:  # noqa: ANN001 - a row of the table
    """Not being able to ask is not the same as hearing that the text is not there."""
    twilio.next_requests(trouble)
    [found] = await texts.look_up([text()])
    assert found is not None
    assert found.error is not None
    assert found.error.retry is Retry.UNKNOWN


@pytest.mark.parametrize(
    ("status", "news"),
    [
        ("accepted", ReceiptStatus.QUEUED),
        ("scheduled", ReceiptStatus.QUEUED),
        ("queued", ReceiptStatus.QUEUED),
        ("sending", ReceiptStatus.QUEUED),
        ("sent", ReceiptStatus.SENT),
        ("partially_delivered", ReceiptStatus.SENT),
        ("delivered", ReceiptStatus.DELIVERED),
        ("undelivered", ReceiptStatus.BOUNCED),
        ("failed", ReceiptStatus.FAILED),
        ("read", ReceiptStatus.READ),
        ("canceled", ReceiptStatus.CANCELED),
        ("teleported", ReceiptStatus.UNKNOWN),
    ],
)
def test_every_status_is_news_in_our_words(status: str, news: ReceiptStatus) -> None:
    """A status Twilio may invent later is unknown, not an error."""
    url = f"{CALLBACK_URL}?delivery=d-1"
    form = {"MessageSid": "SM1", "MessageStatus": status, "To": AMINA}
    [read] = offline().read_receipts(receipt(form, url))
    assert (read.status, read.event_id, read.delivery, read.provider_id) == (news, f"SM1:{status}", "d-1", "SM1")
    assert (read.at, read.reason, read.code, read.address_dead) == (NOW, None, None, False)
    assert read.raw["MessageStatus"] == status


@pytest.mark.parametrize(
    ("code", "reason", "dead"),
    [
        ("30003", RejectReason.TIMED_OUT, False),
        ("30004", RejectReason.BLOCKED, False),
        ("30005", RejectReason.INVALID, True),
        ("30006", RejectReason.BOUNCED, False),
        ("30007", RejectReason.SPAM, False),
        ("30008", RejectReason.BOUNCED, False),
        ("21610", RejectReason.UNSUBSCRIBED, False),
        ("30036", RejectReason.TIMED_OUT, False),
        ("39999", RejectReason.OTHER, False),
        ("not a code", None, False),
    ],
)
def test_an_undelivered_text_says_why(code: str, reason: RejectReason | None, *, dead: bool) -> None:
    """Error codes in receipts go through the same table as refusals."""
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": code}
    [read] = offline().read_receipts(receipt(form))
    assert (read.reason, read.address_dead, read.code) == (reason, dead, code)
    assert bool(read.explanation) == (reason is not None)


@pytest.mark.parametrize(
    ("called", "signed"),
    [
        ("https://gateway.example.org/v1/receipts/twilio", "https://gateway.example.org:443/v1/receipts/twilio"),
        ("https://gateway.example.org:443/v1/receipts/twilio", "https://gateway.example.org/v1/receipts/twilio"),
        ("http://gateway.example.org/v1/receipts/twilio", "http://gateway.example.org:80/v1/receipts/twilio"),
        ("https://gateway.example.org:8443/r?delivery=d", "https://gateway.example.org/r?delivery=d"),
    ],
)
def test_a_signature_holds_with_and_without_the_port(called: str, signed: str) -> None:
    """Twilio signs the URL now with, now without its port."""
    form = {"MessageSid": "SM1", "MessageStatus": "sent"}
    assert offline().read_receipts(signed_form(form, url=called, signed_url=signed))


GOOD = receipt({"MessageSid": "SM1", "MessageStatus": "sent"})
LARGE = receipt({"MessageSid": "SM1", "MessageStatus": "sent", "Body": "x" * 70_000})


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (msgspec.structs.replace(GOOD, headers={}), 403),
        (msgspec.structs.replace(GOOD, headers={"x-twilio-signature": "é" * 28}), 403),
        (msgspec.structs.replace(GOOD, headers={"x-twilio-signature": "\udcff" * 28}), 403),  # bytes that are no text
        (msgspec.structs.replace(GOOD, body=GOOD.body.replace(b"sent", b"delivered")), 403),
        (msgspec.structs.replace(GOOD, body=GOOD.body + b"&MessageStatus=delivered"), 403),
        (msgspec.structs.replace(GOOD, body=b""), 403),
        (msgspec.structs.replace(GOOD, url=CALLBACK_URL + "?delivery=another"), 403),
        (msgspec.structs.replace(GOOD, url="https://gateway.example.org:99999/"), 403),
        (LARGE, 413),
        (msgspec.structs.replace(GOOD, body=b"MessageSid=%ff"), 400),
        (msgspec.structs.replace(GOOD, body=b"MessageSid=\xff"), 400),
        (msgspec.structs.replace(GOOD, body=b"no form"), 400),
        (msgspec.structs.replace(GOOD, body=b"&".join(b"a%d=1" % n for n in range(300))), 400),
        (receipt({"MessageStatus": "sent"}), 400),
        (receipt({"MessageSid": "SM1"}), 400),
    ],
)
def test_a_callback_that_cannot_be_believed_is_refused(request_: CallbackRequest, status: int) -> None:
    """Whoever changes a letter, or sends what Twilio would not, changes nothing here."""
    with pytest.raises(ReceiptRefusedError) as refused:
        offline().read_receipts(request_)
    assert refused.value.status == status


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=6),
    st.text(alphabet="abcdefgh/?&=", max_size=20),
)
def test_signatures_are_those_of_twilios_own_library(form: dict[str, str], path: str) -> None:
    """Any form and URL are signed the same way by both."""
    url = f"https://gateway.example.org/{path}"
    assert signature(AUTH_TOKEN, url, form.items()) == RequestValidator(AUTH_TOKEN).compute_signature(url, form)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"account_sid": ""}, "GATEWAY_TWILIO_ACCOUNT_SID"),
        ({"auth_token": ""}, "GATEWAY_TWILIO_AUTH_TOKEN"),
        ({"from_number": None}, "GATEWAY_TWILIO_FROM"),
        ({"messaging_service_sid": SERVICE_SID}, "GATEWAY_TWILIO_MESSAGING_SERVICE_SID"),
        ({"api_base_url": "api.twilio.com"}, "GATEWAY_TWILIO_API_BASE_URL"),
        ({"status_callback_url": "/v1"}, "GATEWAY_PUBLIC_URL"),
        ({"timeout": 0}, "timeout"),
    ],
)
async def test_a_wrong_setting_is_named_at_start(change: dict[str, object], names: str) -> None:
    """One sentence says which setting to correct, and the check says the same."""
    channel = TwilioTexts(dataclasses.replace(offline()._settings, **change), now=now)
    with pytest.raises(ChannelSettingsError, match=names) as wrong:
        await channel.open()
    assert await channel.check() == str(wrong.value)


async def test_the_check_tells_a_wrong_token_from_a_suspended_account(twilio: TwilioServer, texts: TwilioTexts) -> None:
    """The doctor's sentence leads to the setting or to Twilio."""
    assert await texts.check() is None
    twilio.account_status = "suspended"
    assert "not active" in (await texts.check() or "")
    impostor = TwilioTexts(dataclasses.replace(settings(twilio), auth_token="wrong"), now=now)
    await impostor.open()
    assert "GATEWAY_TWILIO_AUTH_TOKEN" in (await impostor.check() or "")
    await impostor.close()


async def test_a_cancelled_batch_stops_at_once(texts: TwilioTexts, twilio: TwilioServer) -> None:
    """On shutdown nothing waits for Twilio; what was on the wire stays unanswered and is looked up later."""
    reached = asyncio.Event()

    async def answer(_request: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    twilio.next_requests(answer)
    sending = asyncio.create_task(sent(texts, [text()]))
    async with asyncio.timeout(5):
        await reached.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_the_process_environment_does_not_move_the_account(
    twilio: TwilioServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twilio's client would read regions and edges from the environment; only our settings count."""
    monkeypatch.setenv("TWILIO_REGION", "au1")
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    channel = TwilioTexts(settings(twilio), now=now)
    await channel.open()
    assert await channel.check() is None
    await channel.close()


def offline() -> TwilioTexts:
    """Make a channel for what needs no network."""
    return TwilioTexts(TwilioSettings(account_sid=ACCOUNT_SID, auth_token=AUTH_TOKEN, from_number=FROM_NUMBER), now=now)
