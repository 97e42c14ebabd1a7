"""`gateway test-send` in an operator's hands: real protocols, each provider's stand-in."""

import datetime as dt
import email
import email.policy
import json
from pathlib import Path

import pytest

from channels.errors import ChannelSettingsError
from gateway.cli.test_send import NotSentError, send_test
from gateway.directory.model import ChannelName
from gateway.settings import SettingsError, read_settings
from tests.channels import sinch_server, twilio_server
from tests.channels.smtp_server import DROP, real_server, scripted_server
from tests.channels.twilio_calls_server import running_calls
from tests.channels.web_stand_in import Misbehaviour
from tests.cli.stand_ins import SINCH, TWILIO, Run, gateway, now

AMINA = "+447700900123"
MAILBOX = "amina.example@example.org"
ADDRESS = "Amina Example|1 Invented Street|ZZ9 9ZZ"
TEXT = "This is a test message. You do not need to do anything."


def count_in(folder: Path, pattern: str) -> int:
    """Count files."""
    return len(list(folder.rglob(pattern)))


async def send(folder: Path, channel: str, to: str, *more: str, **settings: str) -> Run:
    """Send a test message."""
    return await gateway(folder, "test-send", "--channel", channel, "--to", to, *more, **settings)


async def refused(folder: Path, channel: str, to: str, **more: str) -> str:
    """Have a test message refused, in this process; gives the sentence, which repeats no address."""
    settings = read_settings(
        {"GATEWAY_OUTBOX_DIR": str(folder), **{name: value for name, value in more.items() if name.isupper()}}
    )
    with pytest.raises((NotSentError, ChannelSettingsError)) as refusal:
        await send_test(
            settings, ChannelName(channel), to, provider=more.get("provider"), language=more.get("language", "en")
        )
    sentence = str(refusal.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert not [private for private in (AMINA, MAILBOX, "Invented Street") if private in sentence]
    return sentence


async def test_a_mail_goes_out_with_proper_headers(tmp_path: Path) -> None:
    """A real server gets it: nobody answers it automatically, and it may be told apart from all others."""
    async with real_server() as server:
        relay = {"GATEWAY_SMTP_HOST": "127.0.0.1", "GATEWAY_SMTP_PORT": str(server.port)}
        run = await send(tmp_path, "email", MAILBOX, GATEWAY_EMAIL_PROVIDER="smtp", **relay)
    assert (run.status, run.complaint) == (0, "")
    assert run.out.startswith("email by smtp: accepted as ")
    [envelope] = server.received
    assert (envelope.mail_from, envelope.rcpt_tos) == ("office@school.example.org", [MAILBOX])
    assert isinstance(envelope.content, bytes)
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert (mail["To"], mail["Subject"], mail["Auto-Submitted"]) == (MAILBOX, "Test message", "auto-generated")
    assert (mail["From"], mail["Content-Language"]) == ("School Messaging Gateway <office@school.example.org>", "en")
    assert mail["Message-ID"].startswith("<test-")
    assert mail["Message-ID"].endswith("@school.example.org>")
    assert abs(mail["Date"].datetime - now()) < dt.timedelta(minutes=5)
    assert mail.get_content().strip() == TEXT
    assert not (tmp_path / "gateway.db").exists()


async def test_a_text_goes_out_by_twilio(tmp_path: Path) -> None:
    """Twilio's own client posts it; its id is what the operator finds at Twilio."""
    async with twilio_server.running_twilio(now) as server:
        run = await send(tmp_path, "sms", AMINA, **TWILIO, GATEWAY_TWILIO_API_BASE_URL=server.base_url)
    [message] = server.messages
    assert (run.status, run.out) == (0, f"sms by twilio: accepted as {message['sid']}\n")
    assert (message["to"], message["body"]) == (AMINA, TEXT)


async def test_a_text_goes_out_by_the_second_provider_when_it_is_named(tmp_path: Path) -> None:
    """Of several providers the first is asked, unless another is named."""
    async with sinch_server.running_sinch(now) as server, twilio_server.running_twilio(now) as first:
        both = {
            **SINCH,
            **TWILIO,
            "GATEWAY_SMS_PROVIDER": "twilio=3,sinch",
            "GATEWAY_TWILIO_API_BASE_URL": first.base_url,
            "GATEWAY_SINCH_API_BASE_URL": server.base_url,
        }
        run = await send(tmp_path, "sms", " +44 7700 900123", "--provider", "sinch", "--language", "pl", **both)
        default = await send(tmp_path, "sms", AMINA, **both)
    [batch] = server.batches
    assert (run.status, run.out) == (0, f"sms by sinch: accepted as {batch['id']}\n")
    assert (batch["to"], batch["body"]) == (
        [AMINA.removeprefix("+")],
        "To jest wiadomość testowa. Nie muszą Państwo nic robić.",
    )
    assert batch["callback_url"].endswith("/v1/receipts/sinch")
    assert default.out.startswith("sms by twilio: accepted")


async def test_every_channel_can_be_tried_without_a_provider(tmp_path: Path) -> None:
    """The outbox takes it, as it takes everything in a first installation."""
    file = tmp_path / "address.txt"
    file.write_text(ADDRESS.replace("|", "\n") + "\n")
    settings = read_settings({"GATEWAY_OUTBOX_DIR": str(tmp_path)})
    for channel, to in (("email", MAILBOX), ("sms", AMINA), ("voice", "+442079460123"), ("letter", str(file))):
        answer = await send_test(settings, ChannelName(channel), to, provider="outbox", language="ur")
        assert answer.startswith(f"{channel} by outbox: accepted as test-")
    assert [count_in(tmp_path, pattern) for pattern in ("*.eml", "*.pdf")] == [1, 1]
    assert json.loads((tmp_path / "voice.jsonl").read_text())["to"] == "+442079460123"


@pytest.mark.parametrize(
    ("channel", "to", "named"),
    [
        ("email", "amina.example", "e-mail address"),
        ("email", "amina@example.org\nBcc: all@example.org", "e-mail address"),
        ("email", "jürgen@example.org", "ASCII"),
        ("email", "", "e-mail address"),
        ("sms", "07700 900123", "country code"),
        ("sms", "+44 770", "digits"),
        ("sms", "+44 20 7946 0123", "--channel voice"),
        ("sms", MAILBOX, "country code"),
        ("voice", "+", "phone number"),
        ("letter", "Amina Example|ZZ9 9ZZ", "3 to 7 lines"),
        ("letter", "Amina Example|1 Invented Street|Nowhere", "postcode"),
        ("letter", "no-such-file.txt", "lines"),
        ("letter", ".", "lines"),
    ],
)
async def test_what_is_no_address_is_refused_before_anything_leaves(
    tmp_path: Path, channel: str, to: str, named: str
) -> None:
    """The sentence says how to write it."""
    assert named in await refused(tmp_path / "outbox", channel, to)
    assert not (tmp_path / "outbox").exists()


async def test_a_refusal_is_one_line_on_stderr(tmp_path: Path) -> None:
    """Exit 1, nothing on stdout, nothing of Python."""
    run = await send(tmp_path, "sms", "+44 20 7946 0123")
    assert (run.status, run.out) == (1, "")
    assert run.complaint == (
        "gateway: --to cannot be used: This number is no mobile, so it takes no texts; use --channel voice for it.\n"
    )


async def test_an_address_abroad_ends_with_its_country(tmp_path: Path) -> None:
    """Not only the UK has post."""
    settings = read_settings({"GATEWAY_OUTBOX_DIR": str(tmp_path)})
    lines = "Amina Example|ul. Zmyślona 1|00-000 Warszawa|Poland"
    answer = await send_test(settings, ChannelName.LETTER, lines, provider=None, language="pl")
    assert answer.startswith("letter by outbox: accepted")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"provider": "sinch"}, "GATEWAY_SMS_PROVIDER"),
        ({"language": "tlh"}, "--language"),
        ({**SINCH, "GATEWAY_SINCH_FROM": "A name that is too long"}, "GATEWAY_SINCH_FROM"),
        ({"GATEWAY_APPROVED_UNTIL": "sms/outbox=2020-01-01"}, "GATEWAY_APPROVED_UNTIL"),
        ({"GATEWAY_SMS_COUNTRIES": "IE,FR"}, "GATEWAY_SMS_COUNTRIES"),
    ],
)
async def test_what_is_not_set_up_is_named(tmp_path: Path, given: dict[str, str], named: str) -> None:
    """A provider that is not in use, a language there is none of, a setting that is wrong."""
    assert named in await refused(tmp_path, "sms", AMINA, **given)


@pytest.mark.parametrize(
    ("trouble", "named"),
    [
        (twilio_server.refuses(400, 21211), "number_invalid, 21211): give another address"),
        (twilio_server.refuses(401, 20003), "account_refused, 20003): see gateway doctor"),
        (twilio_server.refuses(429, 20429), "throttled, 20429): see gateway doctor, or try again"),
        (twilio_server.refuses(500, 20500), "no_answer, 20500): look whether it arrived"),
    ],
)
async def test_a_refusal_says_what_to_do(tmp_path: Path, trouble: Misbehaviour, named: str) -> None:
    """The provider's code for its support, our advice for the operator."""
    async with twilio_server.running_twilio(now) as server:
        server.next_requests(trouble)
        sentence = await refused(tmp_path, "sms", AMINA, **TWILIO, GATEWAY_TWILIO_API_BASE_URL=server.base_url)
    assert sentence.startswith("sms by twilio: ")
    assert named in sentence
    assert server.messages == []


async def test_a_mail_that_may_have_been_taken_is_not_sent_twice(tmp_path: Path) -> None:
    """The operator looks before the next try."""
    async with scripted_server() as server:
        server.on("dot", DROP)
        relay = {"GATEWAY_SMTP_HOST": "127.0.0.1", "GATEWAY_SMTP_PORT": str(server.port)}
        sentence = await refused(tmp_path, "email", MAILBOX, GATEWAY_EMAIL_PROVIDER="smtp", **relay)
    assert "look whether it arrived" in sentence
    assert len(server.mails) == 1


async def test_a_call_is_placed_by_twilio(tmp_path: Path) -> None:
    """A language that no machine speaks would be for staff: that is said, and not called accepted."""
    async with running_calls(now) as server:
        calls = {**TWILIO, "GATEWAY_VOICE_PROVIDER": "twilio", "GATEWAY_TWILIO_API_BASE_URL": server.base_url}
        settings = read_settings({**calls, "GATEWAY_OUTBOX_DIR": str(tmp_path)})
        answer = await send_test(settings, ChannelName.VOICE, "+442079460123", provider=None, language="en")
        assert "for staff" in await refused(tmp_path, "voice", "+442079460123", language="so", **calls)
    [call] = server.calls
    assert answer == f"voice by twilio: accepted as {call['sid']}"
    assert call["to"] == "+442079460123"


@pytest.mark.parametrize("missing", [name for name in SINCH if name != "GATEWAY_SMS_PROVIDER"])
def test_each_setting_that_sinch_needs_is_asked_for(missing: str) -> None:
    """At start, by name, and only when Sinch is chosen."""
    given = {name: value for name, value in SINCH.items() if name != missing}
    with pytest.raises(SettingsError, match=f"^{missing} is missing"):
        read_settings(given)
    assert read_settings({**given, "GATEWAY_SMS_PROVIDER": "outbox"}).texts.sms_provider[0].provider == "outbox"


def test_sinchs_secrets_are_not_shown() -> None:
    """Settings end up in error reports."""
    shown = repr(read_settings(SINCH))
    assert sinch_server.API_TOKEN not in shown
    assert sinch_server.CALLBACK_SECRET not in shown
