"""Calls through Twilio: what is posted, what answers mean, what is looked up, what is said, what news says."""

import dataclasses
import datetime as dt
import socket
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from channels.base import (
    Apology,
    Askable,
    Call,
    CallbackRequest,
    Conversing,
    Envelope,
    ReceiptStatus,
    RejectReason,
    Text,
)
from channels.errors import ChannelSettingsError, ReceiptRefusedError, Retry
from channels.voice_conversation import MOST_ROUNDS, MOST_WAITS
from channels.voice_twilio import TwilioCalls, TwilioCallSettings
from channels.voice_twiml import APOLOGY
from tests.channels.sending import sent
from tests.channels.twilio_calls_server import VOICE_FROM, TwilioCallsServer, checked, running_calls
from tests.channels.twilio_server import ACCOUNT_SID, AUTH_TOKEN, refuses, signed_form
from tests.channels.web_stand_in import answers, cuts, hangs

NOW = dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC)
CALL_URL = "https://gateway.example.org/v1/calls/twilio_voice"
RECEIPTS_URL = "https://gateway.example.org/v1/receipts/twilio_voice"
AMINA = "+447700900123"
CALL = Call(
    recipient=AMINA,
    speech="This is a message from School. School is closed today. End of message.",
    language="en",
    voicemail="This is a message from School. There is a message for you.",
    invitation="To hear it, press any key.",
    keys="Press 1 to confirm, 2 to hear it again.",
    thanks="Thank you. Goodbye.",
)


def now() -> dt.datetime:
    """Give the morning on which all tests play."""
    return NOW


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioCallsServer]:
    """Run a stand-in for Twilio."""
    async with running_calls(now) as server:
        yield server


def settings(server: TwilioCallsServer, **changes: Any) -> TwilioCallSettings:
    """Lead the channel to the stand-in."""
    usual = {
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "from_number": VOICE_FROM,
        "api_base_url": server.base_url,
        "call_url": CALL_URL,
        "status_callback_url": RECEIPTS_URL,
        "timeout": 5,
    }
    return TwilioCallSettings(**{**usual, **changes})


@pytest.fixture
async def calls(twilio: TwilioCallsServer) -> AsyncIterator[TwilioCalls]:
    """Open the channel on the stand-in."""
    channel = TwilioCalls(settings(twilio), now=now)
    await channel.open()
    yield channel
    await channel.close()


def call(delivery: str = "d1", **changes: Any) -> Envelope:
    """One call, ready to go."""
    return Envelope(delivery=delivery, payload=dataclasses.replace(CALL, **changes))


async def test_a_call_is_posted_without_a_word_of_its_text(calls: TwilioCalls, twilio: TwilioCallsServer) -> None:
    """Twilio learns the number and where to ask; addresses hold the delivery's id and nothing of a person."""
    [handover] = await sent(calls, [call("delivery/1")])
    assert handover.accepted
    assert handover.provider_id == twilio.calls[0]["sid"]
    assert twilio.posts == [
        {
            "To": AMINA,
            "From": VOICE_FROM,
            "Url": f"{CALL_URL}?delivery=delivery%2F1",
            "StatusCallback": f"{RECEIPTS_URL}?delivery=delivery%2F1",
            "StatusCallbackEvent": "initiated ringing answered completed",
            "MachineDetection": "DetectMessageEnd",
            "Timeout": "40",
            "TimeLimit": "600",
        }
    ]


async def test_it_can_be_asked_and_converses(calls: TwilioCalls) -> None:
    """The gateway finds out by protocol what a provider can do."""
    assert isinstance(calls, Askable)
    assert isinstance(calls, Conversing)


@pytest.mark.parametrize(("language", "voice"), [("ur", False), ("so", False), ("pa-Arab", False), ("cy", True)])
async def test_a_language_without_a_voice_is_not_called(
    calls: TwilioCalls, twilio: TwilioCallsServer, language: str, *, voice: bool
) -> None:
    """A text in a wrong voice is no message: somebody has to call."""
    [handover] = await sent(calls, [call(language=language)])
    assert calls.speaks(language) is voice is handover.accepted
    assert len(twilio.posts) == voice
    if handover.error is not None:
        assert (handover.error.code, handover.error.retry) == ("no_voice", Retry.NEVER)


@pytest.mark.parametrize("late_by", [dt.timedelta(0), dt.timedelta(hours=1)])
async def test_a_call_whose_time_is_over_is_not_made(
    calls: TwilioCalls, twilio: TwilioCallsServer, late_by: dt.timedelta
) -> None:
    """Nothing leaves after its time."""
    [handover] = await sent(calls, [dataclasses.replace(call(), expires_at=NOW - late_by)])
    assert handover.error is not None
    assert (handover.error.code, handover.error.retry) == ("expired", Retry.NEVER)
    assert twilio.posts == []


REFUSALS = [
    # status, Twilio's code, our code, retry, flags
    (400, 13224, "unreachable", Retry.NEVER, set()),
    (400, 13225, "blocked", Retry.NEVER, set()),
    (400, 13227, "country_not_enabled", Retry.NEVER, {"ours"}),
    (400, 21205, "set_up_wrong", Retry.LATER, {"ours"}),
    (400, 21210, "caller_refused", Retry.LATER, {"ours"}),
    (400, 21211, "number_invalid", Retry.NEVER, {"address_dead"}),
    (400, 21212, "caller_refused", Retry.LATER, {"ours"}),
    (400, 21214, "unreachable", Retry.NEVER, set()),
    (403, 21215, "country_not_enabled", Retry.NEVER, {"ours"}),
    (403, 21216, "blocked", Retry.NEVER, set()),
    (400, 21217, "number_invalid", Retry.NEVER, {"address_dead"}),
    (400, 21219, "trial_account", Retry.LATER, {"ours"}),
    (400, 99999, "refused", Retry.NEVER, set()),
    (401, 20003, "account_refused", Retry.LATER, {"ours"}),
    (403, 10001, "account_refused", Retry.LATER, {"ours"}),
    (429, 10004, "throttled", Retry.LATER, {"throttled"}),
    (429, 20429, "throttled", Retry.LATER, {"throttled"}),
    (500, 20500, "no_answer", Retry.UNKNOWN, set()),
    (503, 20429, "no_answer", Retry.UNKNOWN, set()),
]


@pytest.mark.parametrize(("status", "code", "ours", "retry", "flags"), REFUSALS)
async def test_every_refusal_has_its_policy(
    calls: TwilioCalls, twilio: TwilioCallsServer, status: int, code: int, ours: str, retry: Retry, flags: set[str]
) -> None:
    """A refusal says whether to repeat, whose fault it is and whether the number is dead."""
    twilio.next_requests(refuses(status, code))
    [handover] = await sent(calls, [call()])
    error = handover.error
    assert error is not None
    assert (error.code, error.retry, error.provider_code) == (ours, retry, str(code))
    assert {flag for flag in ("ours", "address_dead", "throttled") if getattr(error, flag)} == flags
    assert AMINA not in repr(handover)
    assert len(twilio.posts) == 1


async def test_a_throttled_call_waits_as_long_as_twilio_asks(calls: TwilioCalls, twilio: TwilioCallsServer) -> None:
    """The Retry-After header reaches the dispatcher."""
    twilio.next_requests(refuses(429, 20429, Retry_After="7"))
    [handover] = await sent(calls, [call()])
    assert handover.error is not None
    assert handover.error.retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "body", "retry", "code"),
    [
        (201, "not JSON", Retry.UNKNOWN, "no_answer"),
        (201, "{}", Retry.UNKNOWN, "no_answer"),
        (201, "[" * 100_000, Retry.UNKNOWN, "no_answer"),
        (401, "[" * 100_000, Retry.LATER, "account_refused"),
        (401, "no JSON either", Retry.LATER, "account_refused"),
        (429, "", Retry.LATER, "throttled"),
        (502, "<html>", Retry.UNKNOWN, "no_answer"),
        (307, "", Retry.LATER, "wrong_api_address"),
    ],
)
async def test_an_answer_that_is_not_twilio_is_judged_by_its_status(
    calls: TwilioCalls, twilio: TwilioCallsServer, status: int, body: str, retry: Retry, code: str
) -> None:
    """A proxy's page never counts as accepted, and never as safely refused after the request left."""
    twilio.next_requests(answers(status, body))
    [handover] = await sent(calls, [call()])
    assert handover.error is not None
    assert (handover.error.retry, handover.error.code) == (retry, code)


async def test_a_refused_connection_is_safe_to_repeat(twilio: TwilioCallsServer) -> None:
    """When no connection came about, nobody was called."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        channel = TwilioCalls(settings(twilio, api_base_url=nowhere), now=now)
        await channel.open()
        [handover] = await sent(channel, [call()])
        assert "cannot be reached" in (await channel.check() or "")
        await channel.close()
    assert handover.error is not None
    assert (handover.error.retry, handover.error.code) == (Retry.LATER, "provider_unreachable")


@pytest.mark.parametrize("stored", [True, False])
async def test_a_cut_connection_is_unknown_and_settled_by_looking_up(
    calls: TwilioCalls, twilio: TwilioCallsServer, *, stored: bool
) -> None:
    """After a cut only Twilio's list tells whether somebody is called; the call is never placed again blindly."""
    twilio.ends_at_once = True
    twilio.next_requests(cuts(twilio, stored=stored))
    [handover] = await sent(calls, [call()])
    assert handover.error is not None
    assert handover.error.retry is Retry.UNKNOWN
    assert len(twilio.posts) == 1
    [found] = await calls.look_up([call()])
    assert (found is not None and found.provider_id == twilio.calls[0]["sid"]) if stored else found is None


async def test_a_silent_twilio_is_unknown_after_the_timeout(twilio: TwilioCallsServer) -> None:
    """Our own timeout ends the wait."""
    twilio.next_requests(hangs())
    channel = TwilioCalls(settings(twilio, timeout=0.1), now=now)
    await channel.open()
    [handover] = await sent(channel, [call()])
    await channel.close()
    assert handover.error is not None
    assert handover.error.retry is Retry.UNKNOWN


async def test_as_long_as_a_call_may_be_ours_it_stays_unknown(calls: TwilioCalls, twilio: TwilioCallsServer) -> None:
    """What was asked during a call can be read only after its end: until then nobody is called a second time."""
    twilio.next_requests(cuts(twilio, stored=True))
    await sent(calls, [call()])
    [found] = await calls.look_up([call()])
    assert found is not None
    assert found.error is not None
    assert found.error.retry is Retry.UNKNOWN
    twilio.calls[0] |= {"asked": [twilio.calls[0]["form"]["Url"]], "over": True}
    [found] = await calls.look_up([call()])
    assert found is not None
    assert found.provider_id == twilio.calls[0]["sid"]


@pytest.mark.parametrize(
    ("delivery", "changes", "known"),
    [
        ("d1", {}, True),
        ("d2", {}, False),
        ("d1", {"from": "+441632960999"}, False),
        ("d1", {"to": "+447700900124"}, False),
        ("d1", {"date_created": "Sat, 21 Nov 2026 08:30:00 +0000"}, False),
    ],
)
async def test_another_call_to_the_number_is_not_taken_for_ours(
    calls: TwilioCalls, twilio: TwilioCallsServer, delivery: str, changes: dict[str, str], *, known: bool
) -> None:
    """Yesterday's call, another message's and another sender's are not this one."""
    twilio.ends_at_once = True
    await sent(calls, [call("d1")])
    twilio.calls[0] |= changes
    [found] = await calls.look_up([call(delivery)])
    assert (found is not None) is known


@pytest.mark.parametrize(
    ("placed", "since", "found"),
    [
        ("Mon, 23 Nov 2026 08:20:00 +0000", NOW - dt.timedelta(minutes=5), "nothing"),
        ("Mon, 23 Nov 2026 08:24:30 +0000", NOW - dt.timedelta(minutes=5), "unclear"),
        ("Sat, 21 Nov 2026 08:30:00 +0000", NOW - dt.timedelta(days=3), "unclear"),
        ("Sat, 21 Nov 2026 08:30:00 +0000", None, "nothing"),
    ],
)
async def test_what_was_called_before_there_was_the_message_is_not_ours(
    calls: TwilioCalls, twilio: TwilioCallsServer, placed: str, since: dt.datetime | None, found: str
) -> None:
    """A call that nobody took names no delivery: only its age tells; a gateway that was away looks back far enough."""
    twilio.store({"To": AMINA, "From": VOICE_FROM, "Url": CALL_URL})
    twilio.calls[0] |= {"date_created": placed, "over": True}
    [answer] = await calls.look_up([dataclasses.replace(call(), since=since)])
    assert (answer is None) is (found == "nothing")


@pytest.mark.parametrize(("others", "clear"), [(49, True), (50, False)])
async def test_a_list_that_was_cut_off_tells_of_no_absence(
    calls: TwilioCalls, twilio: TwilioCallsServer, others: int, *, clear: bool
) -> None:
    """Behind the newest calls to a number, made by somebody else, may be ours."""
    for _ in range(others):
        twilio.store({"To": AMINA, "From": "+441632960999", "Url": CALL_URL})
    [found] = await calls.look_up([call()])
    assert (found is None) is clear


@pytest.mark.parametrize("trouble", [refuses(500, 20500), refuses(429, 20429), answers(200, "[]")])
async def test_a_failed_look_up_leaves_the_call_unknown(calls: TwilioCalls, twilio: TwilioCallsServer, trouble) -> None:  # noqa: ANN001 - a row of the table
    """Not being able to ask is not the same as hearing that there is no call."""
    twilio.next_requests(trouble)
    [found] = await calls.look_up([call()])
    assert found is not None
    assert found.error is not None
    assert found.error.retry is Retry.UNKNOWN


async def test_many_calls_at_once_get_their_own_ids(calls: TwilioCalls, twilio: TwilioCallsServer) -> None:
    """Answers are not mixed up, and no more requests are open than allowed."""
    batch = [call(f"d{number}") for number in range(40)]
    handovers = await sent(calls, batch)
    by_sid = {each["sid"]: each["form"]["Url"] for each in twilio.calls}
    assert [by_sid[handover.provider_id or ""] for handover in handovers] == [
        f"{CALL_URL}?delivery=d{number}" for number in range(40)
    ]
    assert twilio.most_on_the_wire <= calls.limits.concurrency


# --- the conversation ------------------------------------------------------------------------------------------


def question(url: str = f"{CALL_URL}?delivery=d1", **form: str) -> CallbackRequest:
    """Ask as Twilio does."""
    return signed_form({"CallSid": "CA1", "CallStatus": "in-progress", "To": AMINA, **form}, url=url)


def talked(
    calls: TwilioCalls, taker: str | None, *keys: str, spoken: Call | Apology = CALL
) -> tuple[list[str], list[str]]:
    """Hold a whole conversation; gives what was said, and what news there was of it."""
    said: list[str] = []
    news: list[str] = []
    pressed = iter(keys)
    asked = question(AnsweredBy=taker) if taker else question()
    for _ in range(40):
        news += [receipt.status.value for receipt in calls.read_receipts(asked)]
        document = checked(calls.instruct(asked, spoken).body.decode())
        said += [say.text or "" for say in document.iter("Say")]
        gather = document.find("Gather")
        if gather is None:
            return said, news
        asked = question(gather.attrib["action"], Digits=next(pressed, ""))
    raise AssertionError("the call has no end")


SORRY = Apology(speech="Przepraszamy.", language="pl")
SPEECH, KEYS, NOTE, THANKS = CALL.speech, CALL.keys, CALL.voicemail, CALL.thanks
NOTE_AND_INVITATION = f"{NOTE} {CALL.invitation}"


@pytest.mark.parametrize(
    ("taker", "keys", "said", "news"),
    [
        ("human", [], [SPEECH, KEYS, SPEECH, KEYS], ["answered", "delivered", "delivered"]),
        ("human", ["", "1"], [SPEECH, KEYS, THANKS], ["answered", "delivered", "acknowledged"]),
        ("human", ["1"], [SPEECH, THANKS], ["answered", "acknowledged"]),
        ("human", ["", "2", "", "1"], [SPEECH, KEYS, SPEECH, KEYS, THANKS], None),
        ("human", ["", "2", "", "2", "", "1"], [SPEECH, KEYS, SPEECH, KEYS, SPEECH, KEYS, THANKS], None),
        ("human", ["", "7", "", "1"], [SPEECH, KEYS, SPEECH, KEYS, THANKS], None),
        ("human", ["2"] * 20, [SPEECH] * MOST_ROUNDS, ["answered"]),
        ("machine_end_beep", [], [NOTE], ["no_answer"]),
        ("machine_end_silence", [], [NOTE], ["no_answer"]),
        ("machine_end_other", ["1"], [NOTE], ["no_answer"]),
        ("machine_start", [], [NOTE], ["no_answer"]),
        ("fax", [], [], ["failed"]),
        ("unknown", [], [NOTE_AND_INVITATION], ["sent", "no_answer"]),
        ("unknown", ["5"], [NOTE_AND_INVITATION, SPEECH, KEYS, SPEECH, KEYS], None),
        ("unknown", ["1"], [NOTE_AND_INVITATION, SPEECH, KEYS, SPEECH, KEYS], None),
        ("unknown", ["1", "", "1"], [NOTE_AND_INVITATION, SPEECH, KEYS, THANKS], None),
        (None, [], [NOTE_AND_INVITATION], ["sent", "no_answer"]),
        ("somebody new", [], [NOTE_AND_INVITATION], ["sent", "no_answer"]),
    ],
)
async def test_the_course_of_a_call(
    calls: TwilioCalls, taker: str | None, keys: list[str], said: list[str], news: list[str] | None
) -> None:
    """A person hears all and may confirm or repeat; a machine, or what may be one, hears nothing personal (R41)."""
    heard, told = talked(calls, taker, *keys)
    assert heard == said
    assert news is None or told == news
    assert ("acknowledged" in told) is (THANKS in said)


async def test_without_keys_the_text_is_said_twice_and_nothing_is_confirmed(calls: TwilioCalls) -> None:
    """Pages to staff ask for no key, nor does a note that stands for the text: who heard it has heard no message."""
    no_keys = dataclasses.replace(CALL, keys="", invitation="")
    assert talked(calls, "human", spoken=no_keys) == ([SPEECH, SPEECH], ["answered", "delivered", "delivered"])
    assert talked(calls, "human", "1", "1", spoken=no_keys) == ([SPEECH, SPEECH], ["answered"])
    assert talked(calls, "unknown", spoken=no_keys)[0] == [NOTE]


@pytest.mark.parametrize("status", ["completed", "failed", ""])
async def test_who_hangs_up_has_not_heard_it_to_the_end(calls: TwilioCalls, status: str) -> None:
    """A question about a call that is over says that the talk ended, not that all had been said."""
    said = f"{CALL_URL}?delivery=d1&step=said&round=1"
    assert calls.read_receipts(question(said, CallStatus=status)) == []
    [pressed] = calls.read_receipts(question(said, CallStatus=status, Digits="1"))
    assert pressed.status is ReceiptStatus.ACKNOWLEDGED


@pytest.mark.parametrize("letter", ["a ", "ব "], ids=["Latin", "Bengali"])
async def test_a_text_that_no_call_can_hold_is_refused(
    calls: TwilioCalls, twilio: TwilioCallsServer, letter: str
) -> None:
    """Twilio reads no document above 64 kB, and would tell the parent of an error instead."""
    long = dataclasses.replace(CALL, speech=letter * 33_000)
    [handover] = await sent(calls, [Envelope(delivery="d1", payload=long)])
    assert handover.error is not None
    assert (handover.error.code, handover.error.retry) == ("too_long", Retry.NEVER)
    assert twilio.posts == []
    assert talked(calls, "human", spoken=long)[0] == [APOLOGY]


async def test_a_machine_for_which_there_is_no_note_is_told_nothing(calls: TwilioCalls) -> None:
    """No note is no excuse to say the text."""
    silent = dataclasses.replace(CALL, voicemail="")
    assert talked(calls, "machine_end_beep", spoken=silent)[0] == []
    assert talked(calls, "unknown", spoken=silent)[0] == []


@pytest.mark.parametrize("taker", ["human", "machine_end_beep", "unknown"])
@pytest.mark.parametrize(
    ("spoken", "said"),
    [
        (SORRY, "Przepraszamy."),
        (dataclasses.replace(SORRY, language="ur"), APOLOGY),
        (dataclasses.replace(SORRY, speech="przepraszamy " * 10_000), APOLOGY),
        (dataclasses.replace(CALL, recipient="+447700900124"), APOLOGY),
        (dataclasses.replace(CALL, language="ur"), APOLOGY),
    ],
    ids=["withdrawn", "withdrawn, no voice", "withdrawn, too long", "number changed", "no voice"],
)
async def test_who_may_not_hear_it_hears_an_apology(
    calls: TwilioCalls, spoken: Call | Apology, said: str, taker: str
) -> None:
    """Not even who calls; where the number may be somebody else's by now not even in whose language."""
    assert talked(calls, taker, spoken=spoken)[0] == [said]


@pytest.mark.parametrize(("taker", "code"), [("machine_end_beep", "machine"), ("unknown", "machine_or_person")])
async def test_a_call_that_no_person_heard_is_worth_another(calls: TwilioCalls, taker: str, code: str) -> None:
    """A mailbox took it, or nobody who wanted the message: staff read that no person has heard it."""
    step = "&step=invited&round=1" if taker == "unknown" else ""
    [receipt] = calls.read_receipts(question(f"{CALL_URL}?delivery=d1{step}", AnsweredBy=taker))
    assert (receipt.status, receipt.again, receipt.code) == (ReceiptStatus.NO_ANSWER, True, code)
    assert "no person has heard" in (receipt.explanation or "")


async def test_a_barred_person_hears_no_more_of_it_in_the_middle(calls: TwilioCalls) -> None:
    """Whether the message may be told is asked at every turn."""
    asked = question(f"{CALL_URL}?delivery=d1&step=said&round=1", Digits="2")
    assert [say.text for say in checked(calls.instruct(asked, SORRY).body.decode()).iter("Say")] == [SORRY.speech]


async def test_a_gateway_that_cannot_answer_holds_the_line(calls: TwilioCalls) -> None:
    """Twilio tells who took the call, and the key, only once: both come back with the next question."""
    asked = question(f"{CALL_URL}?delivery=d1&step=said&round=1", Digits="1")
    for _ in range(MOST_WAITS):
        document = checked(calls.wait(asked).body.decode())
        assert [verb.tag for verb in document] == ["Pause", "Redirect"]
        asked = question(document[1].text or "")
    assert [receipt.status for receipt in calls.read_receipts(asked)] == [ReceiptStatus.ACKNOWLEDGED]
    assert [say.text for say in ET.fromstring(calls.instruct(asked, CALL).body).iter("Say")] == [THANKS]  # noqa: S314  # our own answer
    assert [say.text for say in checked(calls.wait(asked).body.decode()).iter("Say")] == [APOLOGY]
    first = checked(calls.wait(question(AnsweredBy="human")).body.decode())
    again = question(first[1].text or "")
    assert [say.text for say in checked(calls.instruct(again, CALL).body.decode()).iter("Say")] == [SPEECH]


@pytest.mark.parametrize(
    "url",
    [
        CALL_URL,
        f"{CALL_URL}?delivery=",
        f"{CALL_URL}?delivery=d1&step=sung",
        f"{CALL_URL}?delivery=d1&step=said&round=99",
        f"{CALL_URL}?delivery=d1&step=said&round=%C2%B2",
        f"{CALL_URL}?delivery=d1&waits=-1",
    ],
)
async def test_a_question_that_is_none_of_ours_is_refused(calls: TwilioCalls, url: str) -> None:
    """A genuine signature is not enough."""
    for read in (calls.asked_about, calls.read_receipts):
        with pytest.raises(ReceiptRefusedError):
            read(question(url))


async def test_a_forged_question_learns_nothing(calls: TwilioCalls) -> None:
    """Without Twilio's signature, or under another delivery's address, no word is said."""
    genuine = question(AnsweredBy="human")
    forged = [
        msgspec.structs.replace(genuine, headers={}),
        msgspec.structs.replace(genuine, url=f"{CALL_URL}?delivery=d2"),
        msgspec.structs.replace(genuine, body=genuine.body.replace(b"human", b"tuman")),
    ]
    for request in forged:
        for ask in (calls.asked_about, calls.read_receipts, calls.wait, lambda one: calls.instruct(one, CALL)):
            with pytest.raises(ReceiptRefusedError) as refused:
                ask(request)
            assert refused.value.status == 403
    assert calls.asked_about(genuine) == "d1"


# --- news ------------------------------------------------------------------------------------------------------


def report(status: str, **form: str) -> CallbackRequest:
    """Report a status as Twilio does."""
    return signed_form({"CallSid": "CA1", "CallStatus": status, "To": AMINA, **form}, url=f"{RECEIPTS_URL}?delivery=d1")


@pytest.mark.parametrize(
    ("status", "form", "news", "again", "code"),
    [
        ("queued", {}, ReceiptStatus.QUEUED, False, None),
        ("initiated", {}, ReceiptStatus.QUEUED, False, None),
        ("ringing", {}, ReceiptStatus.SENT, False, None),
        ("in-progress", {}, ReceiptStatus.ANSWERED, False, None),
        ("completed", {"AnsweredBy": "human"}, ReceiptStatus.ANSWERED, False, None),
        ("completed", {}, ReceiptStatus.ANSWERED, False, None),
        ("completed", {"AnsweredBy": "machine_end_beep"}, ReceiptStatus.NO_ANSWER, True, "machine"),
        ("busy", {}, ReceiptStatus.BUSY, True, None),
        ("no-answer", {}, ReceiptStatus.NO_ANSWER, True, None),
        ("failed", {}, ReceiptStatus.FAILED, False, "call_failed"),
        ("failed", {"ErrorCode": "21215"}, ReceiptStatus.FAILED, False, "21215"),
        ("failed", {"ErrorCode": "10004"}, ReceiptStatus.FAILED, True, "10004"),
        ("failed", {"ErrorCode": "10001"}, ReceiptStatus.FAILED, False, "10001"),
        ("failed", {"ErrorCode": "strange"}, ReceiptStatus.FAILED, False, "strange"),
        ("canceled", {}, ReceiptStatus.CANCELED, False, None),
        ("beamed", {}, ReceiptStatus.UNKNOWN, False, None),
    ],
)
async def test_every_status_has_its_meaning(
    calls: TwilioCalls, status: str, form: dict[str, str], news: ReceiptStatus, code: str | None, *, again: bool
) -> None:
    """A busy line and a telephone that no person takes are worth another attempt; a machine is no person."""
    [receipt] = calls.read_receipts(report(status, **form))
    assert (receipt.status, receipt.again, receipt.code) == (news, again, code)
    assert (receipt.delivery, receipt.provider_id, receipt.event_id) == ("d1", "CA1", f"CA1:{status}")
    assert (receipt.provider, receipt.at) == ("twilio_voice", NOW)
    if status == "failed":
        assert receipt.explanation


async def test_an_invalid_number_is_dead(calls: TwilioCalls) -> None:
    """It is not called again."""
    [receipt] = calls.read_receipts(report("failed", ErrorCode="21211"))
    assert receipt.address_dead
    assert receipt.reason is RejectReason.INVALID


async def test_no_two_events_of_a_call_are_taken_for_one(calls: TwilioCalls) -> None:
    """Statuses and what the conversation tells have ids of their own, whatever comes twice."""
    requests = [report(status) for status in ("ringing", "in-progress", "completed", "busy")]
    requests += [question(AnsweredBy=taker) for taker in ("human", "machine_end_beep", "fax", "unknown")]
    requests += [
        question(f"{CALL_URL}?delivery=d1&step={step}&round=1", Digits=key)
        for step, key in [("said", ""), ("asked", "1"), ("invited", "")]
    ]
    events = [receipt.event_id for request in requests for receipt in calls.read_receipts(request)]
    assert len(set(events)) == len(events) == 11
    repeated = question(f"{CALL_URL}?delivery=d1&step=said&round=2")
    assert calls.read_receipts(repeated)[0].event_id in events


async def test_a_callback_without_its_fields_is_refused(calls: TwilioCalls) -> None:
    """It is signed, but says nothing."""
    for form in ({"CallStatus": "ringing"}, {"CallSid": "CA1"}):
        with pytest.raises(ReceiptRefusedError) as refused:
            calls.read_receipts(signed_form(form, url=RECEIPTS_URL))
        assert refused.value.status == 400


async def test_twilio_can_be_asked_for_what_it_did_not_tell(calls: TwilioCalls, twilio: TwilioCallsServer) -> None:
    """News that was asked for is the same event as the callback that was lost."""
    handovers = await sent(calls, [call(f"d{number}") for number in range(3)])
    for placed, status in zip(twilio.calls, ("busy", "completed", "ringing"), strict=True):
        placed |= {"status": status, "answered_by": "machine_end_beep" if status == "completed" else None}
    news = await calls.news_of([*(str(handover.provider_id) for handover in handovers), "CA-unknown"])
    by_sid = {placed["sid"]: placed["status"] for placed in twilio.calls}
    assert {receipt.event_id for receipt in news} == {f"{sid}:{status}" for sid, status in by_sid.items()}
    assert {receipt.status for receipt in news} == {ReceiptStatus.BUSY, ReceiptStatus.NO_ANSWER, ReceiptStatus.SENT}
    twilio.next_requests(refuses(500, 20500))
    assert await calls.news_of([str(handovers[0].provider_id)]) == []


# --- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"account_sid": "SK1"}, "GATEWAY_TWILIO_ACCOUNT_SID"),
        ({"auth_token": ""}, "GATEWAY_TWILIO_AUTH_TOKEN"),
        ({"from_number": ""}, "GATEWAY_TWILIO_VOICE_FROM"),
        ({"from_number": "School"}, "GATEWAY_TWILIO_VOICE_FROM"),
        ({"api_base_url": "api.twilio.com"}, "GATEWAY_TWILIO_API_BASE_URL"),
        ({"call_url": "/v1/calls"}, "GATEWAY_PUBLIC_URL"),
        ({"ring_seconds": 4}, "GATEWAY_VOICE_RING_SECONDS"),
        ({"connections": 0}, "connections"),
    ],
)
async def test_a_wrong_setting_is_named_at_start(
    twilio: TwilioCallsServer, changes: dict[str, Any], named: str
) -> None:
    """One sentence that names the setting, before anything is sent."""
    channel = TwilioCalls(settings(twilio, **changes), now=now)
    with pytest.raises(ChannelSettingsError, match=named):
        await channel.open()
    assert named in (await channel.check() or "")


async def test_the_doctor_hears_of_a_closed_account(calls: TwilioCalls, twilio: TwilioCallsServer) -> None:
    """What a send still lacks is said in a sentence."""
    assert await calls.check() is None
    twilio.account_status = "suspended"
    assert "not active" in (await calls.check() or "")
    twilio.next_requests(refuses(401, 20003))
    assert "refuses the account" in (await calls.check() or "")


async def test_a_closed_channel_says_so(twilio: TwilioCallsServer) -> None:
    """Using it before opening is a fault of ours, not of the provider."""
    channel = TwilioCalls(settings(twilio), now=now)
    assert await channel.check() == "The voice channel is not open."
    with pytest.raises(RuntimeError):
        await sent(channel, [call()])


async def test_one_wrong_envelope_leaves_the_rest_alone(calls: TwilioCalls) -> None:
    """A text is no call."""
    text = Envelope(delivery="t", payload=Text(recipient=AMINA, body="Hello", segments=1, language="en"))
    handovers = await sent(calls, [call("d1"), text, call("d2", recipient="not a number")])
    assert [handover.accepted for handover in handovers] == [True, False, False]
    assert [handover.error.code for handover in handovers if handover.error] == ["wrong_payload", "number_invalid"]
