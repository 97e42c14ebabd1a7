"""Text messages through Sinch: what is posted, what the answers mean, what is looked up, what reports say."""

import asyncio
import contextlib
import datetime as dt
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Askable, CallbackRequest, Envelope, Inbound, Receipt, ReceiptStatus, RejectReason, Text
from channels.errors import ChannelSettingsError, ReceiptRefusedError, Retry
from channels.sinch_errors import FAILURES, REFUSALS
from channels.sinch_signature import LARGEST_BODY, WINDOW
from channels.sms_sinch import SinchSettings, SinchTexts
from tests.channels.sending import sent
from tests.channels.sinch_server import (
    API_TOKEN,
    CALLBACK_SECRET,
    PLAN_ID,
    SENDER,
    SinchServer,
    callback,
    delivery_report,
    refuses,
    running_sinch,
)
from tests.channels.web_stand_in import Misbehaviour, answers, cuts, hangs, passes

NOW = dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC)
CALLBACK_URL = "https://gateway.example.org/v1/receipts/sinch"
AMINA = "+447700900123"
CLOSED = "School is closed today."


def now() -> dt.datetime:
    """Give the morning on which all tests play."""
    return NOW


@pytest.fixture
async def sinch() -> AsyncIterator[SinchServer]:
    """Run a stand-in for Sinch."""
    async with running_sinch(now) as server:
        yield server


def settings(url: str = "https://eu.sms.api.sinch.com", **more: Any) -> SinchSettings:
    """Lead the channel to the stand-in."""
    given_settings = {
        "service_plan_id": PLAN_ID,
        "api_token": API_TOKEN,
        "sender": SENDER,
        "callback_secret": CALLBACK_SECRET,
        "api_base_url": url,
        "callback_url": CALLBACK_URL,
        "timeout": 5,
    }
    return SinchSettings(**{**given_settings, **more})


@contextlib.asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[SinchTexts]:
    """Open a channel of its own."""
    channel = SinchTexts(settings(url, **more), now=now)
    await channel.open()
    try:
        yield channel
    finally:
        await channel.close()


@pytest.fixture
async def texts(sinch: SinchServer) -> AsyncIterator[SinchTexts]:
    """Open the channel on the stand-in."""
    async with opened(sinch.base_url) as channel:
        yield channel


def text(delivery: str = "d1", to: str = AMINA, body: str = CLOSED, **more: Any) -> Envelope:
    """One text, ready to go."""
    payload = Text(recipient=to, body=body, segments=1, language="en")
    return Envelope(delivery=delivery, payload=payload, **more)


def batch(delivery: str) -> dict[str, Any]:
    """Write a batch as the gateway posts it."""
    return {"from": SENDER, "to": [AMINA], "body": CLOSED, "client_reference": delivery}


async def test_a_text_is_posted_under_our_id_with_its_sender_expiry_and_callback(
    texts: SinchTexts, sinch: SinchServer
) -> None:
    """One recipient a batch, and a report for each of its steps."""
    [handover] = await sent(texts, [text("delivery/1 é")])
    assert handover.accepted
    assert handover.provider_id == sinch.batches[0]["id"]
    assert sinch.posts == [
        {
            "from": SENDER,
            "to": [AMINA],
            "body": CLOSED,
            "delivery_report": "per_recipient",
            "callback_url": CALLBACK_URL,
            "expire_at": "2026-11-23T18:30:00.000Z",
            "client_reference": "delivery/1 é",
        }
    ]


async def test_without_a_public_address_no_reports_are_asked_for(sinch: SinchServer) -> None:
    """Sinch refuses to report to nowhere."""
    async with opened(sinch.base_url, callback_url=None) as channel:
        [handover] = await sent(channel, [text()])
    assert handover.accepted
    assert sinch.posts[0]["delivery_report"] == "none"


async def test_alerts_have_a_sender_of_their_own(sinch: SinchServer) -> None:
    """If one is set: people come to know its number."""
    async with opened(sinch.base_url, emergency_sender="+441632960999") as channel:
        await sent(channel, [text("d1", urgent=True)])
        await sent(channel, [text("d2")])
    assert [post["from"] for post in sinch.posts] == ["+441632960999", SENDER]


@pytest.mark.parametrize(
    "body",
    [
        "Trip: ${amount} to be paid",
        "Costs $5 or 5${",
        "${dollar}{ and ${${a}}",
        "Şeker, زهراء, 5 € | {} ~ 🎒",
    ],
)
async def test_what_looks_like_a_placeholder_arrives_as_it_was_written(
    texts: SinchTexts, sinch: SinchServer, body: str
) -> None:
    """Sinch fills placeholders in bodies, and would fail a text with one it has no value for."""
    [handover] = await sent(texts, [text(body=body)])
    assert handover.accepted
    assert sinch.texts() == [body]


@pytest.mark.parametrize(
    ("expires_in", "urgent", "expiry"),
    [
        (None, False, "2026-11-23T18:30:00.000Z"),
        (None, True, "2026-11-23T09:30:00.000Z"),
        (dt.timedelta(minutes=10), True, "2026-11-23T08:40:00.000Z"),
        (dt.timedelta(hours=5), True, "2026-11-23T09:30:00.000Z"),
        (dt.timedelta(days=3), False, "2026-11-23T18:30:00.000Z"),
        (dt.timedelta(seconds=1.9), False, "2026-11-23T08:30:01.000Z"),
    ],
)
async def test_a_text_lives_no_longer_than_its_message(
    texts: SinchTexts, sinch: SinchServer, expires_in: dt.timedelta | None, *, urgent: bool, expiry: str
) -> None:
    """The expiry follows from the message's and from the lane."""
    zone = dt.timezone(dt.timedelta(hours=1))
    expires_at = None if expires_in is None else (NOW + expires_in).astimezone(zone)
    await sent(texts, [text(expires_at=expires_at, urgent=urgent)])
    assert sinch.posts[0]["expire_at"] == expiry


@pytest.mark.parametrize("late_by", [dt.timedelta(seconds=-0.5), dt.timedelta(0), dt.timedelta(hours=1)])
async def test_a_text_whose_time_is_over_never_leaves(
    texts: SinchTexts, sinch: SinchServer, late_by: dt.timedelta
) -> None:
    """Sinch would take it and let it expire."""
    [handover] = await sent(texts, [text(expires_at=NOW - late_by)])
    assert handover.error is not None
    assert (handover.error.code, handover.error.retry) == ("expired", Retry.NEVER)
    assert sinch.posts == []


REFUSED = [
    # status, Sinch's word, our code, retry, flags
    (400, "syntax_invalid_json", "malformed", Retry.NEVER, {"ours"}),
    (400, "syntax_constraint_violation", "malformed", Retry.NEVER, {"ours"}),
    (400, "syntax_invalid_parameter_format", "number_refused", Retry.NEVER, set()),
    (400, "word_of_tomorrow", "refused", Retry.NEVER, set()),
    (401, "", "account_refused", Retry.LATER, {"ours"}),
    (402, "", "account_refused", Retry.LATER, {"ours"}),
    (403, "illegal_number_type", "number_refused", Retry.NEVER, set()),
    (403, "unknown_group", "sender_refused", Retry.LATER, {"ours"}),
    (403, "unknown_campaign", "sender_refused", Retry.LATER, {"ours"}),
    (403, "missing_callback_url", "account_refused", Retry.LATER, {"ours"}),
    (403, "blocked_account", "account_refused", Retry.LATER, {"ours"}),
    (403, "word_of_tomorrow", "account_refused", Retry.LATER, {"ours"}),
    (404, "", "wrong_api_address", Retry.LATER, {"ours"}),
    (405, "", "wrong_api_address", Retry.LATER, {"ours"}),
    (408, "", "no_answer", Retry.UNKNOWN, set()),
    (409, "", "refused", Retry.NEVER, set()),
    (415, "", "malformed", Retry.NEVER, {"ours"}),
    (429, "blocked_account", "throttled", Retry.LATER, {"throttled"}),
    (500, "syntax_invalid_json", "no_answer", Retry.UNKNOWN, set()),
    (503, "blocked_account", "no_answer", Retry.UNKNOWN, set()),
]


@pytest.mark.parametrize(("status", "word", "code", "retry", "flags"), REFUSED)
async def test_every_refusal_has_its_policy(
    texts: SinchTexts, sinch: SinchServer, status: int, word: str, code: str, retry: Retry, flags: set[str]
) -> None:
    """A refusal says whether to repeat and whose fault it is; no refusal alone declares a number dead."""
    sinch.next_requests(refuses(status, word))
    [handover] = await sent(texts, [text()])
    error = handover.error
    assert error is not None
    assert (error.code, error.retry, error.provider_code) == (code, retry, word or str(status))
    assert {flag for flag in ("ours", "address_dead", "opted_out", "throttled") if getattr(error, flag)} == flags
    assert error.explanation.endswith(".")
    assert AMINA[1:] not in repr(error)
    assert len(sinch.posts) == 1


def test_the_table_covers_every_word_that_sinch_documents() -> None:
    """A word without a policy would go unnoticed."""
    assert set(REFUSALS) == {word for _, word, *_ in REFUSED} - {"", "word_of_tomorrow"}


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Mon, 23 Nov 2026 08:31:00 GMT", None), ("9" * 400, None), ("-1", None)]
)
async def test_retry_after_is_kept_to(
    texts: SinchTexts, sinch: SinchServer, header: str, seconds: float | None
) -> None:
    """Seconds are passed on; anything else leaves the pause to the gateway."""
    sinch.next_requests(refuses(429, "", Retry_After=header))
    [handover] = await sent(texts, [text()])
    assert handover.error is not None
    assert (handover.error.throttled, handover.error.retry_after) == (True, seconds)


@pytest.mark.parametrize(
    ("trouble", "retry", "code"),
    [
        (answers(201, b"{"), Retry.UNKNOWN, "no_answer"),
        (answers(201, b"[]"), Retry.UNKNOWN, "no_answer"),
        (answers(201, b"{}"), Retry.UNKNOWN, "no_answer"),
        (answers(201, b'{"id": 7}'), Retry.UNKNOWN, "no_answer"),
        (answers(201, b"\xff\xfe\xff"), Retry.UNKNOWN, "no_answer"),
        (answers(201, b"[" * 100_000), Retry.UNKNOWN, "no_answer"),
        (answers(201, b"not gzip", Content_Encoding="gzip"), Retry.UNKNOWN, "no_answer"),
        (answers(400, b"\xff\xfe\xff", "application/json; charset=klingon"), Retry.NEVER, "refused"),
        (answers(400, b'{"code": 400}'), Retry.NEVER, "refused"),
        (answers(400, b'{"code": "the number 447700900123"}'), Retry.NEVER, "refused"),
        (answers(502, b"<html>", "text/html"), Retry.UNKNOWN, "no_answer"),
        (answers(307, b"", Location="https://elsewhere.example.org/"), Retry.LATER, "wrong_api_address"),
    ],
)
async def test_an_answer_that_is_not_sinch_is_judged_by_its_status(
    texts: SinchTexts, sinch: SinchServer, trouble: Misbehaviour, retry: Retry, code: str
) -> None:
    """A proxy's page or a broken body never counts as accepted, and never as safely refused after the text left."""
    sinch.next_requests(trouble)
    [handover] = await sent(texts, [text()])
    assert handover.error is not None
    assert (handover.error.retry, handover.error.code) == (retry, code)
    assert AMINA[1:] not in repr(handover)


async def test_an_answer_in_another_charset_is_read_as_json(texts: SinchTexts, sinch: SinchServer) -> None:
    """What the header claims about the charset does not cost a text its answer."""
    sinch.next_requests(answers(201, b'{"id": "01X", "body": "\xc3\xa9"}', "application/json; charset=klingon"))
    [handover] = await sent(texts, [text()])
    assert handover.provider_id == "01X"


@pytest.mark.parametrize("stored", [True, False])
async def test_a_cut_connection_is_unknown_and_settled_by_looking_up(
    texts: SinchTexts, sinch: SinchServer, *, stored: bool
) -> None:
    """After a cut only Sinch's list tells whether the text was taken; it is never posted again."""
    sinch.next_requests(cuts(sinch, stored=stored))
    [handover] = await sent(texts, [text()])
    assert handover.error is not None
    assert handover.error.retry is Retry.UNKNOWN
    assert len(sinch.posts) == 1
    [found] = await texts.look_up([text()])
    assert (found is not None and found.provider_id == sinch.batches[0]["id"]) if stored else found is None


async def test_a_silent_sinch_is_unknown_after_the_timeout(sinch: SinchServer) -> None:
    """Our own timeout ends the wait."""
    sinch.next_requests(hangs())
    async with opened(sinch.base_url, timeout=0.1) as channel:
        [handover] = await sent(channel, [text()])
    assert handover.error is not None
    assert handover.error.retry is Retry.UNKNOWN
    assert len(sinch.posts) == 1


async def test_a_refused_connection_is_safe_to_repeat() -> None:
    """When no connection came about, nothing left."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with opened(f"http://127.0.0.1:{closed.getsockname()[1]}") as channel:
            [handover] = await sent(channel, [text()])
            assert "cannot be reached" in (await channel.check() or "")
    assert handover.error is not None
    assert (handover.error.retry, handover.error.code) == (Retry.LATER, "provider_unreachable")


async def test_a_connection_that_never_comes_about_is_safe_to_repeat() -> None:
    """A network that swallows everything ends in a connect timeout, before anything left."""
    with socket.socket() as deaf, contextlib.ExitStack() as queue:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(3):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        async with opened(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout=0.4) as channel:
            [handover] = await sent(channel, [text()])
    assert handover.error is not None
    assert (handover.error.retry, handover.error.code) == (Retry.LATER, "provider_unreachable")


async def test_many_texts_at_once_get_their_own_ids(texts: SinchTexts, sinch: SinchServer) -> None:
    """Answers of concurrent calls are not mixed up, and no more calls are open than allowed."""
    handovers = await sent(texts, [text(f"d{number}") for number in range(60)])
    kept = {batch["id"]: batch["client_reference"] for batch in sinch.batches}
    assert [kept[handover.provider_id or ""] for handover in handovers] == [f"d{number}" for number in range(60)]
    assert sinch.most_on_the_wire <= texts.limits.concurrency


async def test_one_refused_text_leaves_the_rest_of_the_batch_alone(texts: SinchTexts) -> None:
    """Each envelope has its own answer."""
    handovers = await sent(texts, [text("d1"), text("d2", to="not a number"), text("d3")])
    assert [handover.accepted for handover in handovers] == [True, False, True]


async def test_the_same_words_to_the_same_number_are_two_texts(texts: SinchTexts, sinch: SinchServer) -> None:
    """Siblings' absences may read alike: only our id tells which of the two is there."""
    sinch.store(batch("d1"))
    found = await texts.look_up([text("d2"), text("d1")])
    assert [handover is None for handover in found] == [True, False]


@pytest.mark.parametrize("filters", [True, False])
async def test_a_look_up_finds_an_old_text_behind_newer_ones(sinch: SinchServer, *, filters: bool) -> None:
    """Also when the list is not narrowed to our id, and longer than a page."""
    sinch.filters = filters
    sinch.store(batch("d1"))
    for number in range(2, 152):
        sinch.store(batch(f"d{number}"))
    sinch.batches[0]["created_at"] = "2026-11-20T08:30:00.000Z"
    async with opened(sinch.base_url) as channel:
        [found, missing] = await channel.look_up([text("d1"), text("d0")])
    assert found is not None
    assert found.provider_id == sinch.batches[0]["id"]
    assert missing is None


async def test_a_list_too_long_to_be_read_says_nothing(texts: SinchTexts, sinch: SinchServer) -> None:
    """A text that may stand on an unread page is not declared missing."""
    sinch.filters = False
    for number in range(501):
        sinch.store(batch(f"other{number}"))
    [found] = await texts.look_up([text()])
    assert found is not None
    assert found.error is not None
    assert found.error.retry is Retry.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "there"),
    [
        ("Queued", 400, True),
        ("Dispatched", 401, True),
        ("Delivered", 0, True),
        ("Unknown", 0, True),
        ("Beamed", 0, True),
        ("Failed", 153, False),
        ("Aborted", 404, False),
        ("Expired", 406, False),
        ("Rejected", 61, False),
    ],
)
async def test_an_attempt_that_failed_before_is_not_taken_for_the_one_without_an_answer(
    texts: SinchTexts, sinch: SinchServer, status: str, code: int, *, there: bool
) -> None:
    """A text tried twice stands under the same id: the first, known to have failed, says nothing of the second."""
    sinch.statuses[sinch.store(batch("d1"))["id"]] = (status, code)
    [found] = await texts.look_up([text()])
    assert (found is not None) is there


@pytest.mark.parametrize(
    "troubles",
    [
        [refuses(500, "")],
        [refuses(429, "")],
        [refuses(401, "")],
        [answers(200, b"[]")],
        [answers(200, b'{"batches": {}, "count": 1}')],
        [answers(200, b'{"batches": []}')],
        [passes(), refuses(503, "")],
        [passes(), answers(200, b'{"statuses": [7]}')],
        [passes(), answers(200, b'{"statuses": "Delivered"}')],
    ],
)
async def test_a_failed_look_up_leaves_the_text_unknown(
    texts: SinchTexts, sinch: SinchServer, troubles: list[Misbehaviour]
) -> None:
    """Not being able to ask is not the same as hearing that the text is not there."""
    sinch.store(batch("d1"))
    sinch.next_requests(*troubles)
    [found] = await texts.look_up([text()])
    assert found is not None
    assert found.error is not None
    assert found.error.retry is Retry.UNKNOWN


async def test_it_can_be_asked_how_texts_went(texts: SinchTexts, sinch: SinchServer) -> None:
    """For callbacks that never came; the same news as by callback, so that it counts once."""
    assert isinstance(texts, Askable)
    handovers = await sent(texts, [text("d1"), text("d2"), text("d3")])
    ids = [handover.provider_id or "" for handover in handovers]
    sinch.statuses |= {ids[0]: ("Delivered", 0), ids[1]: ("Failed", 150)}
    asked = await texts.news_of([*ids, "never/heard of", ""])
    news = {receipt.delivery: receipt for receipt in asked}
    assert {delivery: receipt.status for delivery, receipt in news.items()} == {
        "d1": ReceiptStatus.DELIVERED,
        "d2": ReceiptStatus.BOUNCED,
        "d3": ReceiptStatus.QUEUED,
    }
    assert news["d2"].address_dead
    pushed = read(delivery_report("Failed", 150, at=NOW, batch_id=ids[1], client_reference="d2"))
    assert isinstance(pushed, Receipt)
    assert pushed.event_id == news["d2"].event_id


@pytest.mark.parametrize("trouble", [refuses(500, ""), hangs(), answers(200, b"{}"), answers(200, b"nonsense")])
async def test_who_cannot_be_asked_tells_nothing(sinch: SinchServer, trouble: Misbehaviour) -> None:
    """No news is not bad news."""
    kept = sinch.store(batch("d1"))
    async with opened(sinch.base_url, timeout=0.2) as channel:
        sinch.next_requests(trouble)
        assert await channel.news_of([kept["id"]]) == []
        assert len(await channel.news_of([kept["id"]])) == 1


@pytest.mark.parametrize(
    ("status", "news"),
    [
        ("Queued", ReceiptStatus.QUEUED),
        ("Dispatched", ReceiptStatus.SENT),
        ("Delivered", ReceiptStatus.DELIVERED),
        ("Aborted", ReceiptStatus.REJECTED),
        ("Rejected", ReceiptStatus.REJECTED),
        ("Cancelled", ReceiptStatus.CANCELED),
        ("Deleted", ReceiptStatus.BOUNCED),
        ("Failed", ReceiptStatus.BOUNCED),
        ("Expired", ReceiptStatus.EXPIRED),
        ("Unknown", ReceiptStatus.SENT),
        ("Teleported", ReceiptStatus.UNKNOWN),
    ],
)
def test_every_status_is_news_in_our_words(status: str, news: ReceiptStatus) -> None:
    """A status Sinch may invent later is unknown, not an error."""
    at = NOW - dt.timedelta(seconds=3)
    receipt = read(delivery_report(status, 0, at=at, batch_id="01B", client_reference="d-1"))
    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.event_id, receipt.delivery) == (news, f"01B:{status}:0", "d-1")
    assert (receipt.provider_id, receipt.at) == ("01B", at)
    assert (receipt.reason, receipt.code, receipt.address_dead, receipt.again) == (None, None, False, False)
    assert receipt.raw["status"] == status


@pytest.mark.parametrize(
    ("code", "reason", "dead", "again"),
    [
        (150, RejectReason.INVALID, True, False),
        (152, RejectReason.INVALID, False, False),
        (153, RejectReason.TIMED_OUT, False, True),
        (202, RejectReason.TIMED_OUT, False, True),
        (107, RejectReason.BOUNCED, False, True),
        (255, RejectReason.UNSUBSCRIBED, False, False),
        (61, RejectReason.BLOCKED, False, False),
        (62, RejectReason.SPAM, False, False),
        (402, RejectReason.BOUNCED, False, False),
        (404, RejectReason.BOUNCED, False, True),
        (406, RejectReason.TIMED_OUT, False, False),
        (413, RejectReason.OTHER, False, False),
        (99_999, RejectReason.OTHER, False, False),
    ],
)
def test_a_failed_text_says_why(code: int, reason: RejectReason, *, dead: bool, again: bool) -> None:
    """Codes tell a dead number from a phone that is switched off, and from what the school has to mend."""
    receipt = read(delivery_report("Failed", code, at=NOW))
    assert isinstance(receipt, Receipt)
    assert (receipt.reason, receipt.address_dead, receipt.again) == (reason, dead, again)
    assert receipt.code == str(code)
    assert receipt.explanation


def test_only_a_number_that_nobody_has_is_dead() -> None:
    """A wrong row would silence a family for good."""
    assert {code for code, failure in FAILURES.items() if failure.address_dead} == {150}
    assert not [code for code, failure in FAILURES.items() if failure.address_dead and failure.again]


@pytest.mark.parametrize(
    ("at", "instant"),
    [
        ("2026-11-23T07:00:00.500Z", dt.datetime(2026, 11, 23, 7, 0, 0, 500_000, dt.UTC)),
        ("2026-11-23T08:00:00+01:00", dt.datetime(2026, 11, 23, 7, tzinfo=dt.UTC)),
        ("2026-11-23T07:00:00", dt.datetime(2026, 11, 23, 7, tzinfo=dt.UTC)),
        ("2029-01-01T00:00:00Z", NOW),
        ("0001-01-01T00:00:00+23:59", NOW),
        ("yesterday", NOW),
        (7, NOW),
        (None, NOW),
    ],
)
def test_the_time_of_news_is_sinchs_but_never_the_future(at: object, instant: dt.datetime) -> None:
    """Shuffled reports are put in order by their time; a clock that runs ahead must not hide what comes later."""
    receipt = read({**delivery_report("Delivered", 0, at=NOW), "at": at})
    assert receipt.at == instant
    assert receipt.at.utcoffset() == dt.timedelta(0)


def answer(**more: Any) -> dict[str, Any]:
    """Write what Sinch posts when somebody texts to the school."""
    return {
        "type": "mo_text",
        "id": "01ANSWER",
        "from": "447700900123",
        "to": "441632960000",
        "body": "Zarif is better, he comes tomorrow. شكرا",
        "received_at": "2026-11-23T08:29:00.000Z",
        "operator_id": "23410",
        **more,
    }


def test_an_answer_by_text_is_read() -> None:
    """Numbers get the plus back that Sinch leaves out; our id is there when the account is set up for it."""
    assert read(answer(client_reference="d7")) == Inbound(
        provider="sinch",
        event_id="01ANSWER",
        at=NOW - dt.timedelta(minutes=1),
        sender="+447700900123",
        recipient="+441632960000",
        body="Zarif is better, he comes tomorrow. شكرا",
        delivery="d7",
    )
    short = read(answer(to="60777", body=None))
    assert isinstance(short, Inbound)
    assert (short.recipient, short.body, short.delivery, short.cut) == ("60777", "", None, False)


@pytest.mark.parametrize(
    ("senders", "to", "urgent"),
    [
        ({}, "441632960000", None),
        ({"sender": "+441632960000", "emergency_sender": "441632960000"}, "441632960000", None),
        ({"sender": "+441632960000", "emergency_sender": "+441632960999"}, "441632960000", False),
        ({"sender": "+441632960000", "emergency_sender": "441632960999"}, "441632960999", True),
        ({"sender": "60777", "emergency_sender": "60999"}, "60999", True),
        ({"sender": "60777", "emergency_sender": "60999"}, "60111", None),
    ],
)
def test_an_answer_tells_which_sender_it_is_for(senders: dict[str, str], to: str, *, urgent: bool | None) -> None:
    """An OK to the number of ordinary texts must not pass for one to an alert."""
    channel = SinchTexts(settings(**senders), now=now)
    [inbound] = channel.read_receipts(callback(answer(to=to), url=CALLBACK_URL, at=NOW))
    assert isinstance(inbound, Inbound)
    assert inbound.urgent is urgent


@pytest.mark.parametrize(
    "more", [{"type": "mo_binary", "udh": "00"}, {"type": "mo_media", "body": {"message": "Look", "media": []}}]
)
def test_of_a_picture_it_is_told_that_it_came(more: dict[str, Any]) -> None:
    """Nobody should wait for an answer to something the school never saw."""
    inbound = read(answer(**more))
    assert isinstance(inbound, Inbound)
    assert (inbound.body, inbound.cut) == ("", True)


@pytest.mark.parametrize("kind", ["delivery_report_sms", "recipient_delivery_report_mms", "of_tomorrow"])
def test_reports_that_were_not_asked_for_are_passed_over(kind: str) -> None:
    """Sinch posts what the account is set up for; a refusal would only be repeated."""
    assert offline().read_receipts(callback({"type": kind, "batch_id": "01B"}, url=CALLBACK_URL, at=NOW)) == []


GOOD = callback(delivery_report("Delivered", 0, at=NOW), url=CALLBACK_URL, at=NOW)
SIGNATURE = "x-sinch-webhook-signature"


def with_header(name: str, value: str | None) -> CallbackRequest:
    """Change one header of a good callback, or leave it out."""
    headers = {key: kept for key, kept in GOOD.headers.items() if key != name}
    return msgspec.structs.replace(GOOD, headers=headers if value is None else {**headers, name: value})


def signed(body: Any, at: dt.datetime = NOW, secret: str = CALLBACK_SECRET) -> CallbackRequest:
    """Sign any body well."""
    return callback(body, url=CALLBACK_URL, at=at, secret=secret)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (with_header(SIGNATURE, None), 403),
        (with_header(SIGNATURE, "é" * 44), 403),
        (with_header(SIGNATURE + "-nonce", None), 403),
        (with_header(SIGNATURE + "-nonce", "another"), 403),
        (with_header(SIGNATURE + "-timestamp", None), 403),
        (with_header(SIGNATURE + "-timestamp", str(int(NOW.timestamp()) + 1)), 403),
        (with_header(SIGNATURE + "-algorithm", "HmacMD5"), 403),
        (msgspec.structs.replace(GOOD, body=GOOD.body.replace(b'"d1"', b'"d2"')), 403),
        (msgspec.structs.replace(GOOD, body=b""), 403),
        (signed(delivery_report("Delivered", 0, at=NOW), secret="another secret"), 403),
        (signed(delivery_report("Delivered", 0, at=NOW), at=NOW - WINDOW - dt.timedelta(seconds=1)), 403),
        (signed(delivery_report("Delivered", 0, at=NOW), at=NOW + WINDOW + dt.timedelta(seconds=1)), 403),
        (signed(b'{"type": "' + b"x" * LARGEST_BODY + b'"}'), 413),
        (signed(b""), 400),
        (signed(b"\xff\xfe"), 400),
        (signed('{"type": "mo_text"}'.encode("utf-16")), 400),
        (signed(b"[" * 60_000), 400),
        (signed(b"[1]"), 400),
        (signed(answer(operator_id=float("nan"))), 400),
        (signed(answer(body="half a pair: \ud800")), 400),
        (signed({}), 400),
        (signed({"type": 7}), 400),
        (signed({**delivery_report("Delivered", 0, at=NOW), "batch_id": None}), 400),
        (signed({**delivery_report("Delivered", 0, at=NOW), "status": 7}), 400),
        (signed(answer(id="")), 400),
        (signed(answer(**{"from": None})), 400),
        (signed(answer(to=[])), 400),
    ],
)
def test_a_callback_that_cannot_be_believed_is_refused(request_: CallbackRequest, status: int) -> None:
    """Whoever changes a letter, or sends what Sinch would not, changes nothing here."""
    with pytest.raises(ReceiptRefusedError) as refused:
        offline().read_receipts(request_)
    assert refused.value.status == status
    assert refused.value.sentence.endswith(".")


@pytest.mark.parametrize("timestamp", ["", "now", "1e9", "-5", "٣", "9" * 30])
def test_a_time_that_is_none_is_refused(timestamp: str) -> None:
    """A good signature over nonsense is no reason to crash."""
    good = signed(delivery_report("Delivered", 0, at=NOW))
    with pytest.raises(ReceiptRefusedError):
        offline().read_receipts(
            msgspec.structs.replace(good, headers={**good.headers, SIGNATURE + "-timestamp": timestamp})
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["batch_id", "status", "code", "at", "client_reference", "id", "from", "to", "body", "received_at"]
)


@given(st.sampled_from(["recipient_delivery_report_sms", "mo_text", "mo_media"]), st.dictionaries(FIELDS, JSON))
def test_whatever_sinch_signs_is_news_or_a_sentence(kind: str, fields: dict[str, Any]) -> None:
    """Fields of tomorrow, missing or of another kind, end in news or in a refusal, never in a crash."""
    refusals = []
    try:
        news = offline().read_receipts(signed(json.dumps({**fields, "type": kind}).encode()))
    except ReceiptRefusedError as refused:
        news, refusals = [], [refused.status]
    assert len(news) + len(refusals) == 1
    assert all(each.at <= NOW and each.event_id for each in news)
    assert set(refusals) <= {400}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"service_plan_id": ""}, "GATEWAY_SINCH_SERVICE_PLAN_ID"),
        ({"service_plan_id": "a/../b"}, "GATEWAY_SINCH_SERVICE_PLAN_ID"),
        ({"api_token": ""}, "GATEWAY_SINCH_API_TOKEN"),
        ({"api_token": "two\r\nlines"}, "GATEWAY_SINCH_API_TOKEN"),
        ({"sender": ""}, "GATEWAY_SINCH_FROM"),
        ({"sender": "A name that is too long"}, "GATEWAY_SINCH_FROM"),
        ({"emergency_sender": "+44"}, "GATEWAY_SINCH_EMERGENCY_FROM"),
        ({"callback_secret": ""}, "GATEWAY_SINCH_CALLBACK_SECRET"),
        ({"api_base_url": "eu.sms.api.sinch.com"}, "GATEWAY_SINCH_API_BASE_URL"),
        ({"callback_url": "/v1"}, "GATEWAY_PUBLIC_URL"),
        ({"timeout": 0}, "timeout"),
    ],
)
async def test_a_wrong_setting_is_named_at_start(change: dict[str, Any], names: str) -> None:
    """One sentence says which setting to correct, and the check says the same."""
    channel = SinchTexts(settings(**change), now=now)
    with pytest.raises(ChannelSettingsError, match=names) as wrong:
        await channel.open()
    assert await channel.check() == str(wrong.value)
    assert "two" not in str(wrong.value)


@pytest.mark.parametrize("sender", ["+441632960000", "60777", "Hollins", "St Anne 2"])
def test_senders_are_numbers_short_codes_and_names(sender: str) -> None:
    """What Sinch takes as a sender is taken here."""
    assert settings(sender=sender).fault() is None


async def test_the_check_tells_what_is_wrong_with_the_account(sinch: SinchServer, texts: SinchTexts) -> None:
    """The doctor's sentence leads to the setting; looking costs no text."""
    assert await texts.check() is None
    sinch.next_requests(answers(200, b"nonsense"))
    assert "GATEWAY_SINCH_API_BASE_URL" in (await texts.check() or "")
    async with opened(sinch.base_url, api_token="wrong") as impostor:
        assert "GATEWAY_SINCH_API_TOKEN" in (await impostor.check() or "")
    assert sinch.batches == []


async def test_a_cancelled_batch_stops_at_once(texts: SinchTexts, sinch: SinchServer) -> None:
    """On shutdown nothing waits for Sinch; what was on the wire stays unanswered and is looked up later."""
    reached = asyncio.Event()

    async def holds(_request: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    sinch.next_requests(holds)
    sending = asyncio.create_task(sent(texts, [text()]))
    async with asyncio.timeout(5):
        await reached.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


def offline() -> SinchTexts:
    """Make a channel for what needs no network."""
    return SinchTexts(settings(), now=now)


def read(report: dict[str, Any]) -> Receipt | Inbound:
    """Let the channel read one signed report."""
    [news] = offline().read_receipts(signed(report))
    return news
