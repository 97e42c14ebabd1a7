"""The embedded channels write what would have been sent: whole files, whole lines, also after a crash."""

import asyncio
import dataclasses
import datetime as dt
import fcntl
import json
import multiprocessing
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from channels.base import Call, Channel, Envelope, Mail, Sheet, Text
from channels.errors import ChannelSettingsError, Retry, SendError
from channels.outbox import OutboxCalls, OutboxLetters, OutboxMail, OutboxTexts
from channels.outbox_files import append_lines
from tests.channels.sending import sent

NOW = dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC)
DEAD = SendError(retry=Retry.NEVER, code="mailbox_unknown", explanation="No such mailbox.", address_dead=True)


def now() -> dt.datetime:
    """Give the morning on which all tests play."""
    return NOW


def mail(delivery: str = "d1", content: bytes = b"Subject: Closed\r\n\r\n.\r\n") -> Envelope:
    """Write a mail that holds a line with only a dot."""
    payload = Mail(
        sender="office@school.example.org",
        recipient="amina@example.org",
        message_id=f"<{delivery}@school.example.org>",
        content=content,
    )
    return Envelope(delivery=delivery, payload=payload)


def text(delivery: str = "d1", body: str = "Schule ist zu ☃") -> Envelope:
    """Write a text message."""
    payload = Text(recipient="+447700900123", body=body, segments=2, language="de")
    return Envelope(delivery=delivery, payload=payload)


def call(delivery: str = "d1") -> Envelope:
    """Write a voice call."""
    payload = Call(recipient="+442079460123", speech="The school is closed.", language="en-GB")
    return Envelope(delivery=delivery, payload=payload)


def letter(delivery: str = "d1", subject: str = "Report") -> Envelope:
    """Write a letter."""
    payload = Sheet(
        address=("Amina Example", "1 Test Street", "ZZ9 9ZZ"),
        sender=("Test School",),
        date="23 November 2026",
        subject=subject,
        blocks=(),
        language="en",
        right_to_left=False,
        size=11,
        sealed=False,
    )
    return Envelope(delivery=delivery, payload=payload)


def typeset(sheet: Sheet) -> bytes:
    """Stand in for the typesetter."""
    return b"%PDF " + sheet.subject.encode()


OUTBOXES: dict[str, tuple[Callable[..., Channel], Callable[..., Envelope]]] = {
    "email": (OutboxMail, mail),
    "sms": (lambda folder, **more: OutboxTexts(folder, now=now, **more), text),
    "voice": (lambda folder, **more: OutboxCalls(folder, now=now, **more), call),
    "letter": (lambda folder, **more: OutboxLetters(folder, typeset, **more), letter),
}


@pytest.fixture(params=OUTBOXES)
def outbox(request: pytest.FixtureRequest) -> tuple[Callable[..., Channel], Callable[..., Envelope]]:
    """Give each outbox and a maker of its envelopes."""
    return OUTBOXES[request.param]


async def test_a_mail_is_written_byte_for_byte(tmp_path: Path) -> None:
    """No line end and no dot is touched on the way to the file."""
    channel = OutboxMail(tmp_path)
    await channel.open()
    content = bytes(range(256)) + b"\r\n.\r\n"
    [handover] = await sent(channel, [mail(content=content)])
    assert handover.provider_id == "d1.eml"
    assert [path.name for path in (tmp_path / "email").iterdir()] == ["d1.eml"]
    assert (tmp_path / "email" / "d1.eml").read_bytes() == content


async def test_a_repeated_mail_replaces_its_file(tmp_path: Path) -> None:
    """That is why repeating needs no question first."""
    channel = OutboxMail(tmp_path)
    await channel.open()
    await sent(channel, [mail(content=b"first\r\n")])
    await sent(channel, [mail(content=b"again\r\n")])
    assert [path.read_bytes() for path in (tmp_path / "email").iterdir()] == [b"again\r\n"]


@pytest.mark.parametrize("delivery", ["../d1", "a/b", "", ".hidden", "a\x00b", "x" * 300])
@pytest.mark.parametrize("kind", ["email", "letter"])
async def test_an_id_that_cannot_name_a_file_is_refused(tmp_path: Path, kind: str, delivery: str) -> None:
    """No id leads out of the folder."""
    make, envelope = OUTBOXES[kind]
    channel = make(tmp_path / "outbox")
    await channel.open()
    [handover] = await sent(channel, [envelope(delivery)])
    assert handover.error is not None
    assert (handover.error.code, handover.error.ours) == ("unsafe_delivery_id", True)
    assert files(tmp_path) == []


async def test_texts_and_calls_are_one_json_line_each(tmp_path: Path) -> None:
    """The lines hold what a provider would have got, readable as they are."""
    texts, calls = OutboxTexts(tmp_path, now=now), OutboxCalls(tmp_path, now=now)
    await texts.open()
    await calls.open()
    await sent(texts, [text("d1"), text("d2", body='Quote " and\nnew line')])
    await sent(calls, [call("d3")])
    assert read(tmp_path / "sms.jsonl") == [
        {
            "delivery": "d1",
            "to": "+447700900123",
            "body": "Schule ist zu ☃",
            "segments": 2,
            "language": "de",
            "at": "2026-11-23T08:30:00Z",
        },
        {
            "delivery": "d2",
            "to": "+447700900123",
            "body": 'Quote " and\nnew line',
            "segments": 2,
            "language": "de",
            "at": "2026-11-23T08:30:00Z",
        },
    ]
    assert read(tmp_path / "voice.jsonl") == [
        {
            "delivery": "d3",
            "to": "+442079460123",
            "speech": "The school is closed.",
            "language": "en-GB",
            "at": "2026-11-23T08:30:00Z",
        }
    ]


async def test_a_look_up_finds_exactly_what_was_written(tmp_path: Path) -> None:
    """After a crash the file tells which texts had been sent."""
    channel = OutboxTexts(tmp_path, now=now)
    assert await channel.look_up([text("d1")]) == [None]
    await channel.open()
    written = await sent(channel, [text("d1"), text("d3")])
    assert await channel.look_up([text("d3"), text("d2"), text("d1")]) == [written[1], None, written[0]]


@pytest.mark.parametrize(
    "torn", [b'{"delivery":"d1","to":"+4477', b'{"delivery":"d1","body":"\xe2\x98', b"[1]", b"\xff"]
)
async def test_a_line_torn_by_a_crash_is_ended_and_ignored(tmp_path: Path, torn: bytes) -> None:
    """The text of a torn line was never answered for, and does not spoil its neighbours."""
    path = tmp_path / "sms.jsonl"
    channel = OutboxTexts(tmp_path, now=now)
    await channel.open()
    await sent(channel, [text("d0")])
    with path.open("ab") as file:
        file.write(torn)
    reopened = OutboxTexts(tmp_path, now=now)
    await reopened.open()
    assert path.read_bytes().endswith(torn + b"\n")
    await sent(reopened, [text("d2")])
    found = await reopened.look_up([text("d0"), text("d1"), text("d2")])
    assert [handover is not None for handover in found] == [True, False, True]


async def test_opening_a_whole_file_adds_nothing(tmp_path: Path) -> None:
    """Many processes open the same outbox."""
    channel = OutboxTexts(tmp_path, now=now)
    await channel.open()
    await sent(channel, [text()])
    before = (tmp_path / "sms.jsonl").read_bytes()
    await channel.open()
    assert (tmp_path / "sms.jsonl").read_bytes() == before


def write_lines(path: Path, writer: int) -> None:
    """Append many large batches, as one process of several."""
    for batch in range(20):
        append_lines(path, [json.dumps([writer, batch, "x" * 9000]).encode() + b"\n" for _ in range(5)])


def test_lines_of_several_processes_never_mix(tmp_path: Path) -> None:
    """Two workers share one file; each line stays whole and each batch together."""
    path = tmp_path / "sms.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_lines, args=(path, number)) for number in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
        assert writer.exitcode == 0
    lines = [tuple(line[:2]) for line in read(path)]
    assert sorted(lines) == [(writer, batch) for writer in range(2) for batch in range(20) for _ in range(5)]
    assert all(len(set(lines[start : start + 5])) == 1 for start in range(0, len(lines), 5))


def test_a_line_in_the_middle_of_being_written_is_not_taken_for_torn(tmp_path: Path) -> None:
    """Another process holds the lock while it writes; nobody ends its line for it."""
    path = tmp_path / "sms.jsonl"
    with path.open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b'{"half":')
        other = threading.Thread(target=append_lines, args=(path, [b"{}\n"]))
        other.start()
        other.join(0.2)
        file.write(b"1}\n")
        fcntl.flock(file, fcntl.LOCK_UN)
        other.join(10)
    assert path.read_bytes() == b'{"half":1}\n{}\n'


@pytest.fixture
def small_disk() -> Iterator[int]:
    """Let files grow to 100 kB only: a write stops in its middle, as on a full disk."""
    size = 100_000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    yield size
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


async def test_on_a_full_disk_no_half_text_is_left(tmp_path: Path, small_disk: int) -> None:
    """The batch that did not fit is answered as not taken, and nothing of it stays in the file."""
    channel = OutboxTexts(tmp_path, now=now)
    await channel.open()
    assert (await sent(channel, [text("d0")]))[0].accepted
    before = (tmp_path / "sms.jsonl").read_bytes()
    handovers = await sent(channel, [text("d1"), text("d2", body="x" * small_disk)])
    errors = [handover.error for handover in handovers if handover.error]
    assert [(error.retry, error.ours) for error in errors] == [(Retry.LATER, True)] * 2
    assert (tmp_path / "sms.jsonl").read_bytes() == before


@pytest.mark.parametrize("kind", ["email", "letter"])
async def test_on_a_full_disk_no_half_file_is_left(tmp_path: Path, small_disk: int, kind: str) -> None:
    """Only the file that does not fit is answered as not taken; its neighbours are written."""
    make, envelope = OUTBOXES[kind]
    channel = make(tmp_path)
    await channel.open()
    large = mail("d1", b"x" * 2 * small_disk) if kind == "email" else letter("d1", "x" * 2 * small_disk)
    handovers = await sent(channel, [large, envelope("d2")])
    assert [handover.accepted for handover in handovers] == [False, True]
    assert handovers[0].error is not None
    assert (handovers[0].error.retry, handovers[0].error.ours) == (Retry.LATER, True)
    assert [path.stem for path in files(tmp_path)] == ["d2"]


async def test_a_folder_that_cannot_be_is_named_at_start(
    tmp_path: Path, outbox: tuple[Callable[..., Channel], Callable[..., Envelope]]
) -> None:
    """A file stands where the outbox should be: the sentence names the setting."""
    (tmp_path / "outbox").write_text("in the way")
    channel = outbox[0](tmp_path / "outbox")
    with pytest.raises(ChannelSettingsError, match="GATEWAY_OUTBOX_DIR"):
        await channel.open()
    assert "GATEWAY_OUTBOX_DIR" in (await channel.check() or "")


async def test_an_outbox_fails_as_told(
    tmp_path: Path, outbox: tuple[Callable[..., Channel], Callable[..., Envelope]]
) -> None:
    """Dead addresses can be shown and tested without a provider; what fails is not written."""
    make, envelope = outbox
    channel = make(tmp_path, failures=lambda asked: DEAD if asked.delivery == "d2" else None)
    await channel.open()
    handovers = await sent(channel, [envelope("d1"), envelope("d2"), envelope("d3")])
    assert [(handover.delivery, handover.error) for handover in handovers] == [("d1", None), ("d2", DEAD), ("d3", None)]
    everything = b"".join(str(path).encode() + path.read_bytes() for path in files(tmp_path))
    assert [delivery in everything for delivery in (b"d1", b"d2", b"d3")] == [True, False, True]


class UnprintableError(Exception):
    """A typesetter's refusal, as any typesetter may write it."""

    code = "missing_glyph"
    explanation = "The letter holds a character that no font can print."


async def test_a_letter_that_cannot_be_printed_fails_alone(tmp_path: Path) -> None:
    """A refusal passes on the typesetter's words; a crash of the typesetter is the operator's."""

    def fussy(sheet: Sheet) -> bytes:
        if sheet.subject == "glyph":
            raise UnprintableError
        if sheet.subject == "crash":
            raise ZeroDivisionError(sheet.address)
        return b"%PDF"

    channel = OutboxLetters(tmp_path, fussy)
    await channel.open()
    handovers = await sent(channel, [letter("d1", "glyph"), letter("d2"), letter("d3", "crash")])
    refused, printed, crashed = (handover.error for handover in handovers)
    assert refused == SendError(retry=Retry.NEVER, code=UnprintableError.code, explanation=UnprintableError.explanation)
    assert printed is None
    assert handovers[1].provider_id == "d2.pdf"
    assert crashed is not None
    assert (crashed.code, crashed.provider_code, crashed.ours) == ("typesetting_failed", "ZeroDivisionError", True)
    assert "Amina" not in repr(crashed)


async def test_letters_are_typeset_a_few_at_once_and_off_the_loop(tmp_path: Path) -> None:
    """Typesetting takes processor time; the loop stays free and the number of threads bounded."""
    loop_thread = threading.get_ident()
    pair = threading.Barrier(2)
    threads: set[int] = set()

    def paired(_sheet: Sheet) -> bytes:
        threads.add(threading.get_ident())
        pair.wait(timeout=10)
        return b"%PDF"

    channel = OutboxLetters(tmp_path, paired, typesetters=2)
    await channel.open()
    async with asyncio.timeout(20):
        handovers = await sent(channel, [letter(f"d{number}") for number in range(6)])
    assert all(handover.accepted for handover in handovers)
    assert loop_thread not in threads


async def test_a_payload_of_another_kind_is_our_fault(
    tmp_path: Path, outbox: tuple[Callable[..., Channel], Callable[..., Envelope]]
) -> None:
    """A wrongly wired channel answers instead of writing nonsense."""
    make, envelope = outbox
    channel = make(tmp_path)
    await channel.open()
    other = mail() if envelope is not mail else text()
    handovers = await sent(channel, [dataclasses.replace(other, delivery="d1"), envelope("d2")])
    assert handovers[0].error is not None
    assert (handovers[0].error.code, handovers[0].error.ours) == ("wrong_payload", True)
    assert handovers[1].accepted


def read(path: Path) -> list:
    """Read a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def files(folder: Path) -> list[Path]:
    """List all files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
