"""Our signatures hold before an independent judge (dkimpy), and break whenever somebody changes what a parent reads."""

import asyncio
import base64
import dataclasses
import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import example, given
from hypothesis import strategies as st

from channels.base import Envelope, Mail
from channels.dkim_signing import (
    DkimKey,
    DkimKeyError,
    DkimSettings,
    MailSigner,
    PrivateKey,
    PublicRecord,
    public_record,
    read_key,
)
from channels.email_mime import PreparedMail
from channels.email_smtp import SmtpChannel, SmtpSettings, SmtpTls
from channels.errors import ChannelSettingsError, Retry
from channels.mail_content import Lines, UndottedLines
from tests.channels.dkim_judge import Judge, judge
from tests.channels.sending import sent
from tests.channels.strict_server import StrictServer, strict_server
from tests.conftest import LEFT_OUT, _is_ci
from tests.servers import ServerMissingError

NOW = dt.datetime(2026, 6, 15, 15, 30, tzinfo=dt.UTC)
DOMAIN = "example.org"
RSA = rsa.generate_private_key(65537, 2048)
ED25519 = Ed25519PrivateKey.generate()
KEYS: dict[str, list[tuple[str, PrivateKey]]] = {
    "rsa": [("r2026", RSA)],
    "ed25519": [("e2026", ED25519)],
    "both": [("r2026", RSA), ("e2026", ED25519)],
}
every_key = pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
BOTH = MailSigner(DOMAIN, KEYS["both"], now=lambda: NOW)
RECORDS = dict(BOTH.records)


@pytest.fixture(scope="module")
def verifier() -> Iterator[Judge]:
    """Keep dkimpy at hand; without it the leg is left out, but not in CI."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(judge())
        except ServerMissingError as missing:
            if _is_ci():
                pytest.fail(str(missing), pytrace=False)
            pytest.skip(f"{LEFT_OUT}{missing}")
        yield running


def newsletter(*, reply_to: str | None = "reply+1@reply.example.org", unsubscribe: bool = True) -> bytes:
    """Build a mail as parents get it, with everything that is hard to sign."""
    prepared = PreparedMail.prepare(
        sender=("Szkoła Podstawowa „Nad Rzeką” imienia Marii Skłodowskiej-Curie", "office@school.example.org"),
        language="pl",
        subject=["Wiadomości ze szkoły: wycieczka nad rzekę, lekcje pływania i zebranie rodziców w czwartek"],
        plain=["Szanowni Państwo,  \n\tdzień dobry.\n.\n..\n\n", "ąę" * 200, "\n \n\n"],
        html=["<p>Szanowni  Państwo</p>\n\n"],
    )
    return prepared.build(
        to_name="Zażółć Gęślą-Jaźń, Wójcik Śliwińska Brzęczyszczykiewicz",
        to_address="z@example.org",
        message_id="<1@school.example.org>",
        date=NOW,
        reply_to=reply_to,
        list_unsubscribe="https://gateway.example.org/u/1.2" if unsubscribe else None,
    )


@every_key
def test_a_whole_mail_holds(verifier: Judge, keys: list[tuple[str, PrivateKey]]) -> None:
    """Encoded words, folded headers, both parts: one signature a key, checked with the record we tell to publish."""
    signer = MailSigner(DOMAIN, keys, now=lambda: NOW)
    for content in (newsletter(), newsletter(reply_to=None, unsubscribe=False)):
        assert verifier.verdicts(signer.signed(content), dict(signer.records)) == ["pass"] * len(keys)


blanks = st.text("ab .=\t \r\n\x0b\xe4", max_size=60).map(lambda text: re.sub("\r|\n", "\r\n", text).encode())
values = st.lists(st.text("ab, \t=?<>:;", max_size=20), min_size=1, max_size=4).map("\r\n ".join)
names = st.sampled_from(["To", "to", "SUBJECT", "X-Else", "List-Unsubscribe", "Content-type", "Reply-To"])


@given(fields=st.lists(st.tuples(names, values), max_size=8), body=blanks)
@example(fields=[], body=b"")
@example(fields=[], body=b"\r\n\r\n")
@example(fields=[], body=b" \t\r\n \r\n")
@example(fields=[], body=b"one \t two \r\n \t\r\n")
@example(fields=[], body=b"no line end")
@example(fields=[("Subject", "one\r\n \r\n \t two ")], body=b"x\r\n")
@example(fields=[("To", "first@example.org"), ("To", "second@example.org")], body=b"x\r\n")
def test_whatever_stands_in_it(verifier: Judge, fields: list[tuple[str, str]], body: bytes) -> None:
    """Blanks, tabs, empty lines, folded and repeated headers are read as the judge reads them."""
    head = "".join(f"{name}: {value}\r\n" for name, value in [("From", "a@example.org"), *fields])
    content = head.encode() + b"\r\n" + body
    if not content.endswith(b"\r\n"):
        content += b"\r\n"  # as SMTP does it
    assert verifier.verdicts(BOTH.signed(content), RECORDS) == ["pass", "pass"]


def test_a_last_line_without_end_is_signed_as_it_arrives(verifier: Judge) -> None:
    """SMTP knows lines only: it ends the last one, blanks before or not."""
    for body in (b"no line end", b"blank at the end ", b"\r\n ", b" "):
        content = BOTH.signed(b"From: a@example.org\r\n\r\n" + body)
        assert verifier.verdicts(content + b"\r\n", RECORDS) == ["pass", "pass"]


def test_the_standards_example() -> None:
    """Headers and body of RFC 6376, section 3.4.5, under names that are signed."""
    content = b"FROM: X \r\nTo : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n"
    signed = MailSigner(DOMAIN, KEYS["ed25519"], now=lambda: NOW).signed(content)
    field, _, signature = signed.removesuffix(content).replace(b"\r\n ", b" ").rpartition(b" b=")
    assert b"; bh=%b; " % base64.b64encode(sha256(b" C\r\nD E\r\n").digest()) in field + b" "
    text = b"from:X\r\nto:Y Z\r\n" + field.replace(b"DKIM-Signature: ", b"dkim-signature:") + b" b="
    ED25519.public_key().verify(base64.b64decode(signature.replace(b" ", b"")), sha256(text).digest())


def on_top(header: bytes) -> Callable[[bytes], bytes]:
    """Add a header as relays do."""
    return lambda content: header + b"\r\n" + content


def instead(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Change one place that is there."""

    def change(content: bytes) -> bytes:
        assert content.count(old) == 1
        return content.replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        (on_top(b"Received: from a by b; Mon, 15 Jun 2026 15:30:01 +0000"), True),
        (on_top(b"Return-Path: <bounce@example.org>"), True),
        (instead(b"Message-ID: <1@", b"message-id:\r\n\t<1@"), True),
        (instead(b"--=_next_part--\r\n", b"--=_next_part-- \t\r\n\r\n\r\n"), True),
        (instead(b"Content-Language: pl", b"CONTENT-LANGUAGE:pl  "), True),
        (on_top(b"From: Head <head@example.org>"), False),
        (on_top(b"Subject: Pay here"), False),
        (on_top(b"To: all@example.org"), False),
        (on_top(b"Reply-To: someone@example.org"), False),
        (on_top(b"Content-Type: text/plain"), False),
        (on_top(b"Content-Transfer-Encoding: base64"), False),
        (on_top(b"List-Unsubscribe: <https://elsewhere.example.org/>"), False),
        (on_top(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click"), False),
        (instead(b"/u/1.2>", b"/u/1.3>"), False),
        (instead(b"=One-Click", b"=Two-Clicks"), False),
        (instead(b"Reply-To: reply+1@", b"Reply-To: reply+2@"), False),
        (instead(b"15:30:00", b"15:30:01"), False),
        (instead(b"auto-generated", b"no"), False),
        (instead(b"Content-Language: pl", b"Content-Language: en"), False),
        (instead(b"<z@example.org>", b"<y@example.org>"), False),
        (instead(b"--=_next_part--\r\n", b"--=_next_part--\r\nx\r\n"), False),
    ],
)
@every_key
def test_what_may_change_on_the_way(
    verifier: Judge, keys: list[tuple[str, PrivateKey]], change: Callable[[bytes], bytes], *, holds: bool
) -> None:
    """Relays may trace, fold and trim; nobody may change what a reader sees, answers or clicks."""
    signer = MailSigner(DOMAIN, keys, now=lambda: NOW)
    verdicts = verifier.verdicts(change(signer.signed(newsletter())), dict(signer.records))
    assert [verdict == "pass" for verdict in verdicts] == [holds] * len(keys), verdicts


@pytest.mark.parametrize("name", ["List-Unsubscribe", "List-Unsubscribe-Post", "Reply-To"])
def test_what_a_mail_has_not_cannot_be_added(verifier: Judge, name: str) -> None:
    """A report has no way to unsubscribe, a contested mailbox no address for answers; nobody gives them one."""
    signed = BOTH.signed(newsletter(reply_to=None, unsubscribe=False))
    assert verifier.verdicts(signed, RECORDS) == ["pass", "pass"]
    added = signed.replace(b"\r\nTo: ", f"\r\n{name}: <https://elsewhere.example.org/>\r\nTo: ".encode())
    assert [verdict == "pass" for verdict in verifier.verdicts(added, RECORDS)] == [False, False]


def test_another_key_does_not_pass(verifier: Judge) -> None:
    """The judge is none that says yes to everything."""
    others = [("r2026", rsa.generate_private_key(65537, 2048)), ("e2026", Ed25519PrivateKey.generate())]
    strangers = {record.name: record.value for record in MailSigner(DOMAIN, others, now=lambda: NOW).records}
    assert [verdict == "pass" for verdict in verifier.verdicts(BOTH.signed(newsletter()), strangers)] == [False] * 2


@pytest.mark.parametrize("kind", [bytes, Lines, UndottedLines])
def test_promises_still_hold(kind: type[bytes]) -> None:
    """The signature's lines are short, end with CRLF and begin with no dot, so the wire's fast way stays open."""
    content = kind(b"From: a@example.org\r\n\r\ntext\r\n")
    signed = BOTH.signed(content)
    assert type(signed) is kind
    assert signed.endswith(content)
    lines = signed.removesuffix(content).split(b"\r\n")
    assert lines.pop() == b""
    assert max(map(len, lines)) <= 78
    assert all(line.startswith((b"DKIM-Signature: ", b" ")) for line in lines)
    assert b"\n" not in b"".join(lines)


def test_the_time_is_the_clocks() -> None:
    """So that receivers see when it was signed."""
    assert b"t=%d;" % NOW.timestamp() in BOTH.signed(newsletter())


def test_the_published_key_is_the_standards() -> None:
    """The key pair of RFC 8463, appendix A.2."""
    seed = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    record = public_record("football.example.com", "brisbane", Ed25519PrivateKey.from_private_bytes(seed))
    assert record == PublicRecord(
        "brisbane._domainkey.football.example.com",
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    )


def pem(key: rsa.RSAPrivateKey | Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    """Write a key."""
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def traditional() -> bytes:
    """Write a key as `openssl genrsa -traditional` does."""
    return RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@pytest.mark.parametrize("content", [pem(RSA), pem(ED25519), traditional()], ids=["rsa", "ed25519", "traditional"])
def test_a_key_is_read(tmp_path: Path, content: bytes) -> None:
    """In the forms that openssl writes."""
    (tmp_path / "key.pem").write_bytes(content)
    assert isinstance(read_key(tmp_path / "key.pem"), rsa.RSAPrivateKey | Ed25519PrivateKey)


FAULTS = {
    "missing": (None, "which cannot be read"),
    "empty": (b"", "which holds no private key in PEM form"),
    "public": (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "which holds no private key"),
    "cut": (pem(RSA)[:200], "which holds no private key in PEM form"),
    "small": (pem(rsa.generate_private_key(65537, 1024)), "1024 bits: use an RSA key of 2048"),  # noqa: S505  # refused
    "locked": (pem(ED25519, b"invented"), "whose key has a password"),
    "other": (pem(ec.generate_private_key(ec.SECP256R1())), "neither RSA nor Ed25519"),
    "long": (b"x" * 1_000_000, "which holds no private key in PEM form"),
}


@pytest.mark.parametrize(("content", "words"), FAULTS.values(), ids=FAULTS)
async def test_a_bad_key_is_named_at_start(tmp_path: Path, content: bytes | None, words: str) -> None:
    """One sentence that names the setting and the file; the check says the same, and nothing of the key is shown."""
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DkimKeyError, match=words):
        read_key(file)
    channel = SmtpChannel(settings(25, keys=(DkimKey(selector="s", file=file),), prefix="GATEWAY_SMTP2"), name="smtp2")
    with pytest.raises(ChannelSettingsError, match=words) as wrong:
        await channel.open()
    assert str(wrong.value).startswith(f"GATEWAY_SMTP2_DKIM_KEY_FILE names {file}, ")
    assert await channel.check() == str(wrong.value)


def settings(port: int, *, keys: tuple[DkimKey, ...], **changes: object) -> SmtpSettings:
    """Lead the channel to a server on loopback and let it sign."""
    plain = SmtpSettings(host="127.0.0.1", port=port, tls=SmtpTls.NONE, timeout=5, hello_name="gateway.example.org")
    return dataclasses.replace(plain, dkim=DkimSettings(domain=DOMAIN, keys=keys), **changes)


def key_files(folder: Path) -> tuple[DkimKey, ...]:
    """Store both keys."""
    (folder / "rsa.pem").write_bytes(pem(RSA))
    (folder / "ed25519.pem").write_bytes(pem(ED25519))
    return (
        DkimKey(selector="r2026", file=folder / "rsa.pem"),
        DkimKey(selector="e2026", file=folder / "ed25519.pem"),
    )


@pytest.mark.parametrize("offers", [(), ("PIPELINING", "SIZE 100000000"), ("PIPELINING", "CHUNKING")])
async def test_what_arrives_is_signed(verifier: Judge, tmp_path: Path, offers: tuple[str, ...]) -> None:
    """Over every way mails travel, dots and all; a repeated mail is signed anew."""
    async with strict_server(StrictServer(offers=offers)) as server:
        channel = SmtpChannel(settings(server.port, keys=key_files(tmp_path)), now=lambda: NOW)
        await channel.open()
        assert await channel.check() is None
        assert dict(await channel.records()) == RECORDS
        dotted = b"From: a@example.org\r\n\r\n.\r\n..two\r\n"
        envelopes = [
            Envelope(
                delivery=f"d{number}",
                payload=Mail(sender="b@example.org", recipient="p@example.org", message_id="<1@x>", content=content),
            )
            for number, content in enumerate([newsletter(), dotted, newsletter(unsubscribe=False), dotted])
        ]
        handovers = await sent(channel, envelopes) + await sent(channel, envelopes[:1])
        await channel.close()
    assert all(handover.accepted for handover in handovers)
    assert len(server.taken) == 5
    for taken in server.taken:
        assert verifier.verdicts(taken.content, RECORDS) == ["pass", "pass"]
        assert taken.content.count(b"DKIM-Signature:") == 2


async def test_nobody_waits_for_a_channel_that_closes_while_it_signs(tmp_path: Path) -> None:
    """Its mails are answered: nothing was handed over."""
    async with strict_server(StrictServer()) as server:
        channel = SmtpChannel(settings(server.port, keys=key_files(tmp_path)))
        await channel.open()
        payload = Mail(sender="b@example.org", recipient="p@example.org", message_id="<1@x>", content=newsletter())
        async with asyncio.timeout(5):
            # Closing has begun before the signing thread can answer: both wait for the same loop.
            [handover], _ = await asyncio.gather(
                sent(channel, [Envelope(delivery="d1", payload=payload)]), channel.close()
            )
    assert handover.error is not None
    assert (handover.error.code, handover.error.retry) == ("connection_lost", Retry.LATER)
    assert server.taken == []
