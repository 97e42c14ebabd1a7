"""The channel contract: one body of tests for every adapter, on files and on servers of loopback.

A new provider joins by one `Adapter` in `ADAPTERS`.
"""

import dataclasses
import datetime as dt
import io
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from channels.base import (
    Call,
    CallbackRequest,
    Channel,
    Envelope,
    Handover,
    Mail,
    Payload,
    Receipt,
    ReceiptStatus,
    Recovery,
    Sheet,
    Text,
)
from channels.by_hand import ByHand
from channels.email_smtp import SmtpChannel, SmtpSettings, SmtpTls
from channels.errors import ReceiptRefusedError, Retry
from channels.letter_lob import LobLetters, LobSettings
from channels.letter_sheet import US_WINDOW, typeset
from channels.letter_spool import SpoolLetters
from channels.outbox import OutboxCalls, OutboxLetters, OutboxMail, OutboxTexts
from channels.sms_sinch import SinchSettings, SinchTexts
from channels.sms_twilio import TwilioSettings, TwilioTexts
from channels.voice_twilio import TwilioCalls, TwilioCallSettings
from tests.channels import lob_server, sinch_server
from tests.channels.sending import sent
from tests.channels.smtp_server import CERTIFICATE, DROP, STALL, real_server, scripted_server
from tests.channels.twilio_calls_server import VOICE_FROM, running_calls
from tests.channels.twilio_server import ACCOUNT_SID, AUTH_TOKEN, FROM_NUMBER, running_twilio
from tests.channels.web_stand_in import StandIn, cuts, hangs

NOW = dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC)
RECEIPTS_URL = "https://gateway.example.org/v1/receipts/twilio"
PASSWORD = "invented-password-4711"
PRIVATE = {
    "address": "amina.example@example.org",
    "number": "+447700900123",
    "street": "1 Invented Street",
    "words": "Zarif was unwell this morning",
    "password": PASSWORD,
    "token": AUTH_TOKEN,
    "Sinch's token": sinch_server.API_TOKEN,
    "Sinch's secret": sinch_server.CALLBACK_SECRET,
    "Lob's key": lob_server.API_KEY,
    "Lob's secret": lob_server.WEBHOOK_SECRET,
}
"""What no log may ever hold."""


def now() -> dt.datetime:
    """Give the morning on which all tests play."""
    return NOW


@dataclass
class Stage:
    """One adapter, opened, with what a test needs to see and to provoke."""

    channel: Channel
    taken: Callable[[], int]
    """How many messages the provider has."""
    troubles: dict[str, Callable[[], None]] = field(default_factory=dict)
    """Ways to make the provider take the next message and not answer, by name."""
    receipt: Callable[[str], CallbackRequest] | None = None
    """Makes a believable callback about delivery d1 at `NOW` with a status in the provider's words, if it sends any."""
    stale_receipt: Callable[[str], CallbackRequest] | None = None
    """The same, signed a day ago: for providers that sign a time."""


@dataclass(frozen=True)
class Adapter:
    """How to stage one adapter, and what it carries."""

    payload: Payload
    stage: Callable[[Path], AbstractAsyncContextManager[Stage]]
    lost_answers: tuple[str, ...] = ()
    """Names of the stage's troubles."""
    good_news: tuple[str, ReceiptStatus] | None = None
    """The provider's word for arrival and ours for it; None when it sends no callbacks."""
    signs_time: bool = False
    """Whether its callbacks carry the time of their signature."""


MAIL = Mail(
    sender="office@school.example.org",
    recipient=PRIVATE["address"],
    message_id="<d1@school.example.org>",
    content=f"Subject: Absence\r\n\r\n{PRIVATE['words']}\r\n".encode(),
)
TEXT = Text(recipient=PRIVATE["number"], body=PRIVATE["words"], segments=1, language="en")
CALL = Call(recipient=PRIVATE["number"], speech=PRIVATE["words"], language="en")
SHEET = Sheet(
    address=("Amina Example", PRIVATE["street"], "ZZ9 9ZZ"),
    sender=("Test School",),
    date="23 November 2026",
    subject=PRIVATE["words"],
    blocks=(),
    language="en",
    right_to_left=False,
    size=11,
    sealed=False,
)


def files_in(folder: Path, pattern: str) -> int:
    """Count files."""
    return len(list(folder.rglob(pattern)))


def lines_in(path: Path) -> int:
    """Count lines."""
    return len(path.read_bytes().splitlines())


@asynccontextmanager
async def outbox_mail(folder: Path) -> AsyncIterator[Stage]:
    """Stage the outbox for mail."""
    yield Stage(OutboxMail(folder), lambda: files_in(folder, "*.eml"))


@asynccontextmanager
async def outbox_texts(folder: Path) -> AsyncIterator[Stage]:
    """Stage the outbox for texts."""
    yield Stage(OutboxTexts(folder, now=now), lambda: lines_in(folder / "sms.jsonl"))


@asynccontextmanager
async def outbox_calls(folder: Path) -> AsyncIterator[Stage]:
    """Stage the outbox for calls."""
    yield Stage(OutboxCalls(folder, now=now), lambda: lines_in(folder / "voice.jsonl"))


@asynccontextmanager
async def outbox_letters(folder: Path) -> AsyncIterator[Stage]:
    """Stage the outbox for letters."""
    yield Stage(OutboxLetters(folder, lambda _sheet: b"%PDF"), lambda: files_in(folder, "*.pdf"))


@asynccontextmanager
async def smtp(_folder: Path) -> AsyncIterator[Stage]:
    """Stage SMTP on a real server with TLS and an account."""
    async with real_server(tls="starttls", login=True) as server:
        settings = SmtpSettings(
            host="127.0.0.1",
            port=server.port,
            username="office",
            password=PASSWORD,
            tls=SmtpTls.STARTTLS,
            ca_file=CERTIFICATE,
            hello_name="gateway.example.org",
        )
        server.password = PASSWORD.encode()
        yield Stage(SmtpChannel(settings), lambda: len(server.received))


@asynccontextmanager
async def smtp_in_trouble(_folder: Path) -> AsyncIterator[Stage]:
    """Stage SMTP on a server that can take a mail and not answer."""
    async with scripted_server() as server:
        settings = SmtpSettings(
            host="127.0.0.1", port=server.port, tls=SmtpTls.NONE, timeout=1, hello_name="gateway.example.org"
        )
        troubles = {"cut": lambda: server.on("dot", DROP), "silence": lambda: server.on("dot", STALL)}
        yield Stage(SmtpChannel(settings), lambda: len(server.mails), troubles)


def troubles_of(server: StandIn) -> dict[str, Callable[[], None]]:
    """Let a web API take a message and not answer."""
    return {
        "cut": lambda: server.next_requests(cuts(server, stored=True)),
        "silence": lambda: server.next_requests(hangs()),
    }


@asynccontextmanager
async def twilio(_folder: Path) -> AsyncIterator[Stage]:
    """Stage Twilio on its stand-in."""
    async with running_twilio(now) as server:
        settings = TwilioSettings(
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            from_number=FROM_NUMBER,
            api_base_url=server.base_url,
            status_callback_url=RECEIPTS_URL,
            timeout=2,
        )
        yield Stage(
            TwilioTexts(settings, now=now),
            lambda: len(server.messages),
            troubles_of(server),
            lambda status: server.callback("SM1", status, url=f"{RECEIPTS_URL}?delivery=d1", To=PRIVATE["number"]),
        )


@asynccontextmanager
async def twilio_voice(_folder: Path) -> AsyncIterator[Stage]:
    """Stage Twilio's calls on their stand-in."""
    async with running_calls(now) as server:
        server.ends_at_once = True
        settings = TwilioCallSettings(
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            from_number=VOICE_FROM,
            api_base_url=server.base_url,
            call_url="https://gateway.example.org/v1/calls/twilio_voice",
            status_callback_url="https://gateway.example.org/v1/receipts/twilio_voice",
            timeout=2,
        )
        form = {
            "To": PRIVATE["number"],
            "From": VOICE_FROM,
            "Url": "https://gateway.example.org/v1/calls/twilio_voice?delivery=d1",
            "StatusCallback": "https://gateway.example.org/v1/receipts/twilio_voice?delivery=d1",
        }
        yield Stage(
            TwilioCalls(settings, now=now),
            lambda: len(server.calls),
            troubles_of(server),
            lambda status: server.report({"sid": "CA1", "to": form["To"], "from": VOICE_FROM, "form": form}, status),
        )


@asynccontextmanager
async def sinch(_folder: Path) -> AsyncIterator[Stage]:
    """Stage Sinch on its stand-in."""
    async with sinch_server.running_sinch(now) as server:
        settings = SinchSettings(
            service_plan_id=sinch_server.PLAN_ID,
            api_token=sinch_server.API_TOKEN,
            sender=sinch_server.SENDER,
            callback_secret=sinch_server.CALLBACK_SECRET,
            api_base_url=server.base_url,
            callback_url="https://gateway.example.org/v1/receipts/sinch",
            timeout=2,
        )

        def receipt(status: str, signed_at: dt.datetime = NOW) -> CallbackRequest:
            report = sinch_server.delivery_report(status, 0, at=NOW)
            return sinch_server.callback(report, url="https://gateway.example.org/v1/receipts/sinch", at=signed_at)

        yield Stage(
            SinchTexts(settings, now=now),
            lambda: len(server.batches),
            troubles_of(server),
            receipt,
            lambda status: receipt(status, NOW - dt.timedelta(days=1)),
        )


class CountedByHand(ByHand):
    """Staff, and how many different messages they were given: repeating puts none on their list twice."""

    def __init__(self, carries: type[Call] | type[Sheet]) -> None:
        super().__init__(carries)
        self.given: set[str] = set()

    async def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Count what is accepted."""
        async with aclosing(super().send(envelopes)) as answers:
            async for answer in answers:
                if answer.accepted:
                    self.given.add(answer.delivery)
                yield answer


@asynccontextmanager
async def staff_who_call(_folder: Path) -> AsyncIterator[Stage]:
    """Stage staff at the telephone."""
    staff = CountedByHand(Call)
    yield Stage(staff, lambda: len(staff.given))


@asynccontextmanager
async def staff_with_letters(_folder: Path) -> AsyncIterator[Stage]:
    """Stage staff who hand letters over."""
    staff = CountedByHand(Sheet)
    yield Stage(staff, lambda: len(staff.given))


@asynccontextmanager
async def spool(folder: Path) -> AsyncIterator[Stage]:
    """Stage the spool of print runs."""
    yield Stage(SpoolLetters(folder), lambda: files_in(folder, "*.json"))


@asynccontextmanager
async def lob(_folder: Path) -> AsyncIterator[Stage]:
    """Stage Lob on its stand-in."""
    async with lob_server.running_lob(now) as server:
        settings = lob_server.settings_for(server)

        def receipt(status: str, signed_at: dt.datetime = NOW) -> CallbackRequest:
            return server.webhook(f"letter.{status}", "ltr_1", event=f"evt_{status}", at=signed_at)

        yield Stage(
            LobLetters(settings, lambda sheet: typeset(sheet, US_WINDOW), now=now),
            lambda: len(server.living()),
            troubles_of(server),
            receipt,
            lambda status: receipt(status, NOW - dt.timedelta(days=1)),
        )


ADAPTERS = {
    "staff-voice": Adapter(CALL, staff_who_call),
    "staff-letter": Adapter(SHEET, staff_with_letters),
    "outbox-email": Adapter(MAIL, outbox_mail),
    "outbox-sms": Adapter(TEXT, outbox_texts),
    "outbox-voice": Adapter(CALL, outbox_calls),
    "outbox-letter": Adapter(SHEET, outbox_letters),
    "smtp": Adapter(MAIL, smtp),
    "smtp-in-trouble": Adapter(MAIL, smtp_in_trouble, ("cut", "silence")),
    "twilio": Adapter(TEXT, twilio, ("cut", "silence"), ("delivered", ReceiptStatus.DELIVERED)),
    "twilio-voice": Adapter(CALL, twilio_voice, ("cut", "silence"), ("in-progress", ReceiptStatus.ANSWERED)),
    "spool": Adapter(SHEET, spool),
    "lob": Adapter(SHEET, lob, ("cut", "silence"), ("delivered", ReceiptStatus.DELIVERED), signs_time=True),
    "sinch": Adapter(TEXT, sinch, ("cut", "silence"), ("Delivered", ReceiptStatus.DELIVERED), signs_time=True),
}
WITH_RECEIPTS = [pytest.param(adapter, id=name) for name, adapter in ADAPTERS.items() if adapter.good_news]
SIGNING_TIME = [pytest.param(adapter, id=name) for name, adapter in ADAPTERS.items() if adapter.signs_time]


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Give every adapter in turn."""
    return ADAPTERS[request.param]


@pytest.fixture
async def stage(adapter: Adapter, tmp_path: Path) -> AsyncIterator[Stage]:
    """Open the adapter for one test."""
    async with adapter.stage(tmp_path) as staged:
        await staged.channel.open()
        yield staged
        await staged.channel.close()


def batch(adapter: Adapter, size: int) -> list[Envelope]:
    """Make envelopes with ids of their own."""
    return [Envelope(delivery=f"d{number}", payload=adapter.payload) for number in range(size)]


async def test_it_has_the_form_of_a_channel(stage: Stage) -> None:
    """Whoever holds a channel needs to know nothing of the provider behind it."""
    assert isinstance(stage.channel, Channel)
    assert re.fullmatch(r"[a-z0-9_]+", stage.channel.name)
    assert stage.channel.limits.concurrency >= 1
    assert stage.channel.limits.batch >= 1
    assert stage.channel.limits.timeout > 0
    assert stage.channel.recovery in set(Recovery)


async def test_it_answers_every_envelope_once(stage: Stage, adapter: Adapter) -> None:
    """The dispatcher pairs answers with deliveries by their id."""
    envelopes = batch(adapter, 30)
    handovers = await sent(stage.channel, envelopes)
    assert [handover.delivery for handover in handovers] == [envelope.delivery for envelope in envelopes]
    assert all(handover.accepted and handover.provider_id for handover in handovers)
    assert {handover.provider for handover in handovers} == {stage.channel.name}
    assert stage.taken() == 30


async def test_who_stops_iterating_leaves_nothing_behind(stage: Stage, adapter: Adapter) -> None:
    """A worker that has to stop: no task of the adapter lives on, nothing is repeated, and the next batch goes."""
    async with aclosing(stage.channel.send(batch(adapter, 30))) as answers:
        first = await anext(answers)
    assert first.accepted
    taken = stage.taken()
    assert 1 <= taken <= 30
    other = dataclasses.replace(batch(adapter, 1)[0], delivery="other")
    assert (await sent(stage.channel, [other]))[0].accepted
    assert stage.taken() <= 31


async def test_an_empty_batch_has_no_answers(stage: Stage) -> None:
    """Nothing in, nothing out."""
    assert await sent(stage.channel, []) == []
    assert await stage.channel.look_up([]) == []


async def test_an_accepted_envelope_is_settled_as_its_recovery_promises(stage: Stage, adapter: Adapter) -> None:
    """REPEAT: the same id may go again. LOOK_UP: the provider knows it, and knows nothing of another."""
    [first] = await sent(stage.channel, batch(adapter, 1))
    other = Envelope(delivery="never-sent", payload=adapter.payload)
    if stage.channel.recovery is Recovery.REPEAT:
        [again] = await sent(stage.channel, batch(adapter, 1))
        assert again == first
        assert await stage.channel.look_up([other]) == [None]
    else:
        before = stage.taken()
        found, missing = await stage.channel.look_up([*batch(adapter, 1), other])
        assert (found, missing) == (first, None)
        assert stage.taken() == before


async def test_a_wrong_payload_is_answered_not_raised(stage: Stage, adapter: Adapter) -> None:
    """One wrong envelope does not cost the others their answers."""
    other: Payload = CALL if not isinstance(adapter.payload, Call) else TEXT
    wrong = Envelope(delivery="wrong", payload=other)
    handovers = await sent(stage.channel, [wrong, *batch(adapter, 1)])
    assert [handover.accepted for handover in handovers] == [False, True]
    error = handovers[0].error
    assert error is not None
    assert (error.code, error.retry, error.ours) == ("wrong_payload", Retry.NEVER, True)


@pytest.mark.parametrize(
    ("adapter", "trouble"),
    [(adapter, trouble) for adapter in ADAPTERS.values() for trouble in adapter.lost_answers],
    ids=[f"{name}-{trouble}" for name, adapter in ADAPTERS.items() for trouble in adapter.lost_answers],
)
async def test_a_lost_answer_is_unknown_and_not_sent_again(stage: Stage, adapter: Adapter, trouble: str) -> None:
    """Where the provider may have acted, nobody claims to know, and the message left once at most."""
    before = stage.taken()
    stage.troubles[trouble]()
    [handover] = await sent(stage.channel, batch(adapter, 1))
    assert handover.error is not None
    assert handover.error.retry is Retry.UNKNOWN
    assert stage.taken() - before <= 1


MADE_UP_SIGNATURES = {
    "x-twilio-signature": "bm90IGEgc2lnbmF0dXJl",
    "x-sinch-webhook-signature": "bm90IGEgc2lnbmF0dXJl",
    "x-sinch-webhook-signature-nonce": "1",
    "x-sinch-webhook-signature-timestamp": str(int(NOW.timestamp())),
    "lob-signature": "6e6f742061207369676e6174757265",
    "lob-signature-timestamp": str(int(NOW.timestamp() * 1000)),
}
"""In all forms that providers know."""


@pytest.mark.parametrize("body", [b"", b"MessageSid=SM1&MessageStatus=delivered", b"\xff" * 100])
@pytest.mark.parametrize("headers", [{}, MADE_UP_SIGNATURES], ids=["unsigned", "made up"])
async def test_an_unsigned_callback_is_refused(stage: Stage, headers: dict[str, str], body: bytes) -> None:
    """Without a good signature, or without callbacks at all, nothing is read."""
    with pytest.raises(ReceiptRefusedError) as refused:
        stage.channel.read_receipts(CallbackRequest(url=RECEIPTS_URL, headers=headers, body=body))
    assert refused.value.status in ({400, 403} if stage.receipt else {404})
    assert refused.value.sentence


def read(stage: Stage, status: str) -> Receipt:
    """Let the adapter read one believable callback."""
    assert stage.receipt is not None
    [receipt] = stage.channel.read_receipts(stage.receipt(status))
    assert isinstance(receipt, Receipt)
    return receipt


@pytest.mark.parametrize("adapter", WITH_RECEIPTS)
async def test_receipts_may_repeat_and_surprise(stage: Stage, adapter: Adapter) -> None:
    """The same news has the same event id; a status of tomorrow is unknown, not an error."""
    assert adapter.good_news is not None
    word, status = adapter.good_news
    first, again, surprise = read(stage, word), read(stage, word), read(stage, "beamed")
    assert first == again
    assert first.status is status
    assert surprise.status is ReceiptStatus.UNKNOWN
    assert surprise.event_id != first.event_id
    assert (first.delivery, first.provider, first.at) == ("d1", stage.channel.name, NOW)


SPOILT: dict[str, Callable[[CallbackRequest], bytes]] = {
    "forged": lambda good: good.body.replace(b"beamed", b"dreamt"),
    "padded": lambda good: good.body + b"&a=1",
    "oversize": lambda good: good.body + b" " * 5_000_000,
    "truncated": lambda good: good.body[: len(good.body) // 2],
    "mis-encoded": lambda good: good.body.replace(b"beamed", b"\xff\xfe\xe9"),
    "in another charset": lambda good: good.body.decode().encode("utf-16"),
}
"""What may happen to a callback's body on its way, or be done to it."""


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("adapter", WITH_RECEIPTS)
async def test_a_spoilt_callback_is_refused_in_one_sentence(
    stage: Stage, spoil: Callable[[CallbackRequest], bytes]
) -> None:
    """Whatever the body, the answer is a 4xx and a sentence for the log, never a crash and never news."""
    assert stage.receipt is not None
    good = stage.receipt("beamed")
    body = spoil(good)
    assert body != good.body
    _refuses(stage, msgspec.structs.replace(good, body=body))


@pytest.mark.parametrize("adapter", SIGNING_TIME)
async def test_an_old_callback_is_refused_however_well_it_was_signed(stage: Stage, adapter: Adapter) -> None:
    """Who recorded a callback cannot play it again another day."""
    assert stage.stale_receipt is not None
    assert adapter.good_news is not None
    _refuses(stage, stage.stale_receipt(adapter.good_news[0]))


def _refuses(stage: Stage, request: CallbackRequest) -> None:
    with pytest.raises(ReceiptRefusedError) as refused:
        stage.channel.read_receipts(request)
    assert 400 <= refused.value.status < 500
    assert refused.value.sentence.endswith(".")
    assert len(refused.value.sentence) < 200
    assert not [what for what, secret in PRIVATE.items() if secret in refused.value.sentence]


async def test_it_may_be_closed_twice_and_opened_again(stage: Stage, adapter: Adapter) -> None:
    """A worker that stops in the middle of starting closes what it has."""
    await stage.channel.close()
    await stage.channel.close()
    await stage.channel.open()
    [handover] = await sent(stage.channel, batch(adapter, 1))
    assert handover.accepted


async def test_a_healthy_channel_has_nothing_to_say(stage: Stage) -> None:
    """The doctor prints only what is missing, and checking sends nothing."""
    assert await stage.channel.check() is None


async def test_nothing_private_is_ever_logged(
    stage: Stage, adapter: Adapter, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither our loggers nor the libraries' tell an address, a text or a secret, at whatever level."""
    log = io.StringIO()
    watcher = logging.StreamHandler(log)
    watcher.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(watcher)
    root.setLevel(logging.DEBUG)
    try:
        everything = await _every_path(stage, adapter)
    finally:
        root.removeHandler(watcher)
        root.setLevel(before)
    printed = "".join(capfd.readouterr())
    # aiosmtpd, the server side of the tests, logs every command it gets.
    logged = "\n".join(line for line in log.getvalue().splitlines() if not line.startswith("mail.log"))
    for what, secret in PRIVATE.items():
        assert secret not in logged + printed + everything, what


async def _every_path(stage: Stage, adapter: Adapter) -> str:
    """Send, fail, look up, refuse and check; give all that a caller might log of it."""
    answers: list[Handover | None] = list(await sent(stage.channel, batch(adapter, 3)))
    for trouble in stage.troubles.values():
        trouble()
        answers += await sent(stage.channel, batch(adapter, 1))
    answers += await stage.channel.look_up(batch(adapter, 2))
    told = [repr(answers), str(await stage.channel.check()), repr(vars(stage.channel))]
    with pytest.raises(ReceiptRefusedError) as refused:
        stage.channel.read_receipts(CallbackRequest(url=RECEIPTS_URL, headers={}, body=PRIVATE["words"].encode()))
    await stage.channel.close()
    return " ".join([*told, str(refused.value)])


@pytest.mark.parametrize(
    "settings",
    [
        SmtpSettings(host="mail.example.org", port=587, username="office", password=PASSWORD),
        TwilioSettings(account_sid=ACCOUNT_SID, auth_token=AUTH_TOKEN, from_number=FROM_NUMBER),
        TwilioCallSettings(
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            from_number=VOICE_FROM,
            call_url=RECEIPTS_URL,
            status_callback_url=RECEIPTS_URL,
        ),
        SinchSettings(
            service_plan_id=sinch_server.PLAN_ID,
            api_token=sinch_server.API_TOKEN,
            sender=sinch_server.SENDER,
            callback_secret=sinch_server.CALLBACK_SECRET,
        ),
        LobSettings(
            api_key=lob_server.API_KEY, webhook_secret=lob_server.WEBHOOK_SECRET, return_address=("1 School Lane",)
        ),
    ],
    ids=lambda settings: type(settings).__name__,
)
def test_settings_do_not_show_their_secret(settings: object) -> None:
    """Settings end up in error reports."""
    shown = repr(settings)
    assert not [what for what, secret in PRIVATE.items() if secret in shown]
