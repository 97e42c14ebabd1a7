"""The channel contract: one body of tests for every adapter, on files and on servers of loopback.

A new provider joins by one `Adapter` in `ADAPTERS`.
"""

import dataclasses
import datetime as dt
import io
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

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
from channels.email_smtp import SmtpChannel, SmtpSettings, SmtpTls
from channels.errors import ReceiptRefusedError, Retry
from channels.outbox import OutboxCalls, OutboxLetters, OutboxMail, OutboxTexts
from channels.sms_twilio import TwilioSettings, TwilioTexts
from tests.channels.sending import sent
from tests.channels.smtp_server import CERTIFICATE, DROP, STALL, real_server, scripted_server
from tests.channels.twilio_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    FROM_NUMBER,
    cuts,
    hangs,
    running_twilio,
)

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
    """Makes a believable callback for a provider's status, when the provider sends any."""


@dataclass(frozen=True)
class Adapter:
    """How to stage one adapter, and what it carries."""

    payload: Payload
    stage: Callable[[Path], AbstractAsyncContextManager[Stage]]
    lost_answers: tuple[str, ...] = ()
    """Names of the stage's troubles."""


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
            host="127.0.0.1", port=server.port, tls=SmtpTls.NONE, timeout=0.3, hello_name="gateway.example.org"
        )
        troubles = {"cut": lambda: server.on("dot", DROP), "silence": lambda: server.on("dot", STALL)}
        yield Stage(SmtpChannel(settings), lambda: len(server.mails), troubles)


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
        troubles = {
            "cut": lambda: server.next_requests(cuts(server, stored=True)),
            "silence": lambda: server.next_requests(hangs()),
        }
        yield Stage(
            TwilioTexts(settings, now=now),
            lambda: len(server.messages),
            troubles,
            lambda status: server.callback("SM1", status, url=f"{RECEIPTS_URL}?delivery=d1", To=PRIVATE["number"]),
        )


ADAPTERS = {
    "outbox-email": Adapter(MAIL, outbox_mail),
    "outbox-sms": Adapter(TEXT, outbox_texts),
    "outbox-voice": Adapter(CALL, outbox_calls),
    "outbox-letter": Adapter(SHEET, outbox_letters),
    "smtp": Adapter(MAIL, smtp),
    "smtp-in-trouble": Adapter(MAIL, smtp_in_trouble, ("cut", "silence")),
    "twilio": Adapter(TEXT, twilio, ("cut", "silence")),
}


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
    assert stage.channel.name in {"outbox", "smtp", "twilio"}
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


@pytest.mark.parametrize("body", [b"", b"MessageSid=SM1&MessageStatus=delivered", b"\xff" * 100])
@pytest.mark.parametrize("headers", [{}, {"x-twilio-signature": "bm90IGEgc2lnbmF0dXJl"}])
async def test_an_unsigned_callback_is_refused(stage: Stage, headers: dict[str, str], body: bytes) -> None:
    """Without a good signature, or without callbacks at all, nothing is read."""
    with pytest.raises(ReceiptRefusedError) as refused:
        stage.channel.read_receipts(CallbackRequest(url=RECEIPTS_URL, headers=headers, body=body))
    assert refused.value.status in ({400, 403} if stage.receipt else {404})
    assert refused.value.sentence


@pytest.mark.parametrize("adapter", [ADAPTERS["twilio"]], ids=["twilio"])
async def test_receipts_may_repeat_and_surprise(stage: Stage, adapter: Adapter) -> None:
    """The same news has the same event id; a status of tomorrow is unknown, not an error."""
    assert stage.receipt is not None
    assert adapter.payload is TEXT

    def read(status: str) -> Receipt:
        assert stage.receipt is not None
        [receipt] = stage.channel.read_receipts(stage.receipt(status))
        return receipt

    first, again, surprise = read("delivered"), read("delivered"), read("beamed")
    assert first == again
    assert first.status is ReceiptStatus.DELIVERED
    assert surprise.status is ReceiptStatus.UNKNOWN
    assert surprise.event_id != first.event_id
    assert (first.delivery, first.provider, first.at) == ("d1", stage.channel.name, NOW)


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
    ],
)
def test_settings_do_not_show_their_secret(settings: SmtpSettings | TwilioSettings) -> None:
    """Settings end up in error reports."""
    assert PASSWORD not in repr(settings)
    assert AUTH_TOKEN not in repr(settings)
    assert dataclasses.replace(settings) == settings
