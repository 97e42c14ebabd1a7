"""Mail through a mail server: what arrives, and what every reply, break and silence means for the mail."""

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.base import Envelope, Mail
from channels.email_smtp import SmtpChannel, SmtpSettings, SmtpTls
from channels.errors import ChannelSettingsError, Retry, SendError
from channels.smtp_replies import Stage, lost_error, reply_error
from tests.channels.sending import sent
from tests.channels.smtp_server import CERTIFICATE, DROP, KEY, STALL, ScriptedServer, real_server, scripted_server

CONTENT = b"Subject: Closed\r\n\r\nSchool is closed.\r\n.\r\n..two dots\r\n"


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """Run a mail server that misbehaves when told to."""
    async with scripted_server() as running:
        yield running


def settings(port: int, **changes: object) -> SmtpSettings:
    """Lead the channel to a server on loopback."""
    plain = SmtpSettings(host="127.0.0.1", port=port, tls=SmtpTls.NONE, timeout=5, hello_name="gateway.example.org")
    return dataclasses.replace(plain, **changes)


@pytest.fixture
async def channel(server: ScriptedServer) -> AsyncIterator[SmtpChannel]:
    """Open the channel with one connection, so that what follows a trouble is seen on the same one."""
    opened = SmtpChannel(settings(server.port, connections=1, pause_after_failure=0.0))
    await opened.open()
    yield opened
    await opened.close()


def mail(delivery: str = "d1", recipient: str = "amina@example.org", content: bytes = CONTENT) -> Envelope:
    """Write a mail."""
    payload = Mail(
        sender="bounce+d1@school.example.org",
        recipient=recipient,
        message_id=f"<{delivery}@school.example.org>",
        content=content,
    )
    return Envelope(delivery=delivery, payload=payload)


async def error_of(channel: SmtpChannel, envelope: Envelope) -> SendError:
    """Send one mail that must not be accepted."""
    [handover] = await sent(channel, [envelope])
    assert handover.error is not None
    assert handover.provider_id is None
    return handover.error


async def test_mails_arrive_byte_for_byte_over_one_connection(channel: SmtpChannel, server: ScriptedServer) -> None:
    """Leading dots survive, and the connection is used again."""
    contents = [
        CONTENT,
        b".\r\n",
        b"no line end",
        b"\r\n..\r\n",
        "grün ☃\r\n".encode(),
        (b"x" * 900 + b"\r\n") * 300 + b".\r\n",
    ]
    handovers = await sent(channel, [mail(f"d{n}", content=content) for n, content in enumerate(contents)])
    assert [handover.provider_id for handover in handovers] == [f"<d{n}@school.example.org>" for n in range(6)]
    contents[2] += b"\r\n"  # SMTP knows lines only
    assert server.mails == contents
    assert server.connections == 1
    assert server.commands[1:4] == [
        f"MAIL FROM:<bounce+d1@school.example.org> SIZE={len(CONTENT)}",
        "RCPT TO:<amina@example.org>",
        "DATA",
    ]


async def test_a_mail_with_other_letters_says_so(channel: SmtpChannel, server: ScriptedServer) -> None:
    """BODY=8BITMIME for the content, SMTPUTF8 for the address."""
    await sent(channel, [mail(recipient="zoë@schule.example.org", content="ü\r\n".encode())])
    assert server.commands[1].endswith(" SIZE=4 BODY=8BITMIME SMTPUTF8")
    assert server.commands[2] == "RCPT TO:<zoë@schule.example.org>"


async def test_an_old_server_cannot_serve_an_international_address(
    channel: SmtpChannel, server: ScriptedServer
) -> None:
    """Without the extension the mail is refused before anything is said, and others still go."""
    server.on("EHLO", "250 mail.example.org")
    error = await error_of(channel, mail(recipient="zoë@example.org"))
    assert (error.code, error.retry) == ("international_address", Retry.NEVER)
    assert (await sent(channel, [mail()]))[0].accepted
    assert server.commands[1] == "MAIL FROM:<bounce+d1@school.example.org>"


REPLIES = [
    # step, reply, our code, retry, flags
    ("MAIL", "451 4.3.0 later", "deferred", Retry.LATER, set()),
    ("MAIL", "550 5.7.1 no", "refused_by_policy", Retry.NEVER, set()),
    ("MAIL", "553 5.1.8 no such sender", "sender_refused", Retry.NEVER, {"ours"}),
    ("MAIL", "550 5.1.1 sender", "sender_refused", Retry.NEVER, {"ours"}),
    ("MAIL", "501 what", "sender_refused", Retry.NEVER, {"ours"}),
    ("MAIL", "530 5.7.0 log in first", "login_refused", Retry.LATER, {"ours"}),
    ("MAIL", "552 5.3.4 too big", "mail_too_large", Retry.NEVER, set()),
    ("MAIL", "552 too big", "mail_too_large", Retry.NEVER, set()),
    ("MAIL", "-nonsense", "connection_lost", Retry.LATER, set()),
    ("RCPT", "450 4.2.0 greylisted", "deferred", Retry.LATER, set()),
    ("RCPT", "452 4.2.2 full", "deferred", Retry.LATER, set()),
    ("RCPT", "550 5.1.1 nobody", "mailbox_unknown", Retry.NEVER, {"address_dead"}),
    ("RCPT", "550 5.1.10 null MX", "domain_unknown", Retry.NEVER, {"address_dead"}),
    ("RCPT", "553 5.1.3 syntax", "address_invalid", Retry.NEVER, {"address_dead"}),
    ("RCPT", "550 5.2.1 off", "mailbox_disabled", Retry.NEVER, {"address_dead"}),
    ("RCPT", "550 5.1.0 rejected", "address_refused", Retry.NEVER, set()),
    ("RCPT", "550 5.1.90 too many recipients today", "address_refused", Retry.NEVER, set()),
    ("RCPT", "550 5.0.0 <a@example.org>: User unknown", "mailbox_unknown", Retry.NEVER, {"address_dead"}),
    ("RCPT", "550 No such user here", "mailbox_unknown", Retry.NEVER, {"address_dead"}),
    ("RCPT", "550 The account you wrote to does not exist", "mailbox_unknown", Retry.NEVER, {"address_dead"}),
    ("RCPT", "550 Unrouteable address", "mailbox_unknown", Retry.NEVER, {"address_dead"}),
    ("RCPT", "550 relay not permitted", "recipient_refused", Retry.NEVER, set()),
    ("RCPT", "551 we do not relay", "recipient_refused", Retry.NEVER, set()),
    ("RCPT", "553 not in my list of allowed rcpthosts (#5.7.1)", "recipient_refused", Retry.NEVER, set()),
    ("RCPT", "550 Sender verify failed: No such user", "recipient_refused", Retry.NEVER, set()),
    ("RCPT", "550", "recipient_refused", Retry.NEVER, set()),
    ("RCPT", "550 5.1.7 sender", "sender_refused", Retry.NEVER, {"ours"}),
    ("RCPT", "550 5.7.1 relaying denied", "refused_by_policy", Retry.NEVER, set()),
    ("RCPT", "552 5.2.2 full", "mailbox_full", Retry.NEVER, set()),
    ("RCPT", "554 no", "recipient_refused", Retry.NEVER, set()),
    ("RCPT", "354 what", "connection_lost", Retry.LATER, set()),
    ("DATA", "451 later", "deferred", Retry.LATER, set()),
    ("DATA", "554 no", "mail_refused", Retry.NEVER, set()),
    ("DATA", "250 what", "connection_lost", Retry.LATER, set()),
    ("dot", "451 4.7.0 later", "deferred", Retry.LATER, set()),
    ("dot", "550 5.7.1 spam", "refused_by_policy", Retry.NEVER, set()),
    ("dot", "550 spam", "mail_refused", Retry.NEVER, set()),
    ("dot", "552 5.3.4 too big", "mail_too_large", Retry.NEVER, set()),
    ("dot", "554 5.6.0 broken", "mail_refused", Retry.NEVER, set()),
    ("dot", "354 what", "no_answer", Retry.UNKNOWN, set()),
    ("dot", "nonsense", "no_answer", Retry.UNKNOWN, set()),
]


@pytest.mark.parametrize(("step", "reply", "code", "retry", "flags"), REPLIES)
async def test_every_reply_has_its_meaning(
    channel: SmtpChannel, server: ScriptedServer, step: str, reply: str, code: str, retry: Retry, flags: set[str]
) -> None:
    """A refusal says whether to repeat and whose fault it is, and the next mail goes all the same."""
    server.on(step, reply)
    error = await error_of(channel, mail())
    assert (error.code, error.retry) == (code, retry)
    assert {flag for flag in ("ours", "address_dead", "opted_out") if getattr(error, flag)} == flags
    assert (await sent(channel, [mail("d2", content=b"next\r\n")]))[0].accepted
    assert server.mails[-1] == b"next\r\n"


PACE = [
    # reply, throttled, seconds to wait
    ("421 4.3.2 too many connections", True, None),
    ("421 going down", True, None),
    ("451 4.7.1 Greylisted, try again in 300 seconds", True, 300),
    ("450 4.7.0 rate limit, retry after 5 minutes", True, 300),
    ("452 4.3.1 insufficient storage", True, None),
    ("452 4.5.3 too many recipients", True, None),
    ("451 local error", True, None),
    ("450 4.2.0 Greylisted for 2 hours", False, 7200),
    ("452 4.2.2 mailbox full", False, None),
    ("450 4.1.1 unverified, wait for 99999 hours", False, 86_400),
    ("550 5.7.1 too fast, come back in 60 seconds", False, None),
]


@pytest.mark.parametrize(("reply", "throttled", "seconds"), PACE)
async def test_a_server_may_ask_for_patience(
    channel: SmtpChannel, server: ScriptedServer, reply: str, seconds: float | None, *, throttled: bool
) -> None:
    """What speaks of our pace is told apart from what speaks of one mailbox, and a stated wait is kept."""
    server.on("RCPT", reply)
    error = await error_of(channel, mail())
    assert (error.throttled, error.retry_after) == (throttled, seconds)


async def test_a_refusal_keeps_the_code_and_drops_the_words(channel: SmtpChannel, server: ScriptedServer) -> None:
    """Servers like to repeat the address."""
    server.on("RCPT", "550-5.1.1 <amina@example.org>\r\n550 5.1.1 does not exist")
    error = await error_of(channel, mail())
    assert error.provider_code == "550 5.1.1"
    assert "amina" not in repr(error)


async def test_after_a_refused_mail_the_connection_is_cleared_and_kept(
    channel: SmtpChannel, server: ScriptedServer
) -> None:
    """One RSET, no new connection."""
    server.on("RCPT", "550 5.1.1 nobody")
    await sent(channel, [mail(), mail("d2")])
    assert server.connections == 1
    assert server.commands.count("RSET") == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "dot"])
async def test_a_server_that_closes_is_left(channel: SmtpChannel, server: ScriptedServer, step: str) -> None:
    """421 takes nothing and ends the connection; the next mail opens another."""
    server.on(step, "421 4.3.2 closing")
    error = await error_of(channel, mail())
    assert (error.retry, error.provider_code) == (Retry.LATER, "421 4.3.2")
    assert (await sent(channel, [mail("d2")]))[0].accepted
    assert server.connections == 2


@pytest.mark.parametrize("trouble", [DROP, STALL])
@pytest.mark.parametrize(
    ("step", "retry"),
    [
        ("greeting", Retry.LATER),
        ("EHLO", Retry.LATER),
        ("MAIL", Retry.LATER),
        ("RCPT", Retry.LATER),
        ("DATA", Retry.LATER),
        ("dot", Retry.UNKNOWN),
    ],
)
async def test_only_after_the_final_dot_the_outcome_is_unknown(
    server: ScriptedServer, step: str, trouble: str, retry: Retry
) -> None:
    """Before the dot nothing was taken; after it the server may have the mail."""
    server.on(step, trouble)
    channel = SmtpChannel(settings(server.port, timeout=0.15, pause_after_failure=0.0))
    await channel.open()
    error = await error_of(channel, mail())
    assert error.retry is retry
    assert (await sent(channel, [mail("d2")]))[0].accepted
    await channel.close()


async def test_a_large_mail_cut_in_its_middle_was_not_taken(channel: SmtpChannel, server: ScriptedServer) -> None:
    """The final dot never left, so nothing is unknown."""
    server.on("content", DROP)
    error = await error_of(channel, mail(content=b"x" * 20_000_000 + b"\r\n"))
    assert (error.retry, error.code) == (Retry.LATER, "connection_lost")


async def test_a_silent_reset_does_not_hide_the_refusal(server: ScriptedServer) -> None:
    """The server refused the address and then hung: the address stays refused."""
    server.on("RCPT", "550 5.1.1 nobody")
    server.on("RSET", STALL)
    channel = SmtpChannel(settings(server.port, timeout=0.15))
    await channel.open()
    assert (await error_of(channel, mail())).code == "mailbox_unknown"
    await channel.close()


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
async def test_a_rested_connection_that_died_costs_no_retry(
    channel: SmtpChannel, server: ScriptedServer, step: str
) -> None:
    """Servers cut idle connections; the mail goes over a fresh one at once."""
    await sent(channel, [mail()])
    server.on(step, DROP)
    assert (await sent(channel, [mail("d2")]))[0].accepted
    assert server.connections == 2
    assert len(server.mails) == 2


async def test_a_mail_without_answer_is_not_sent_again_on_a_fresh_connection(
    channel: SmtpChannel, server: ScriptedServer
) -> None:
    """Also on a rested connection a lost answer stays unknown."""
    await sent(channel, [mail()])
    server.on("dot", DROP)
    assert (await error_of(channel, mail("d2"))).retry is Retry.UNKNOWN
    assert len(server.mails) == 2


@pytest.mark.parametrize(
    ("changes", "connections"),
    [({"mails_per_connection": 2}, 3), ({"idle": -1.0}, 5), ({}, 1)],
)
async def test_connections_are_given_up_before_they_go_stale(
    server: ScriptedServer, changes: dict[str, object], connections: int
) -> None:
    """After so many mails, or after resting too long."""
    channel = SmtpChannel(settings(server.port, connections=1, **changes))
    await channel.open()
    for number in range(5):
        assert (await sent(channel, [mail(f"d{number}")]))[0].accepted
    await channel.close()
    assert server.connections == connections


async def test_no_more_connections_than_allowed(server: ScriptedServer) -> None:
    """Two batches at once share the pool."""
    channel = SmtpChannel(settings(server.port, connections=3))
    await channel.open()
    batches = await asyncio.gather(*(sent(channel, [mail(f"d{n}") for n in range(30)]) for _ in range(2)))
    await channel.close()
    assert all(handover.accepted for batch in batches for handover in batch)
    assert server.most_open == 3


async def test_a_server_that_cannot_be_reached_is_not_asked_for_every_mail(server: ScriptedServer) -> None:
    """After one failure the rest of the batch is answered without another try."""
    server.on("greeting", *["554 5.7.1 not you"] * 100)
    channel = SmtpChannel(settings(server.port, connections=1, pause_after_failure=60))
    await channel.open()
    handovers = await sent(channel, [mail(f"d{n}") for n in range(20)])
    await channel.close()
    errors = {handover.error for handover in handovers}
    assert [(error.code, error.retry, error.ours) for error in errors if error] == [
        ("server_unavailable", Retry.LATER, True)
    ]
    assert server.connections == 1


async def test_a_refused_connection_is_safe_to_repeat() -> None:
    """Nobody listens, so nothing was taken."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        channel = SmtpChannel(settings(closed.getsockname()[1]))
        await channel.open()
        error = await error_of(channel, mail())
        assert "GATEWAY_SMTP_HOST" in (await channel.check() or "")
        await channel.close()
    assert (error.code, error.retry, error.ours) == ("server_unavailable", Retry.LATER, False)


@pytest.mark.parametrize(
    ("change", "code", "dead"),
    [
        ({"recipient": "amina"}, "address_invalid", True),
        ({"recipient": "a@b>\r\nDATA"}, "address_invalid", True),
        ({"recipient": "a@b> SIZE=1"}, "address_invalid", True),
        ({"recipient": "a@b,c@d"}, "address_invalid", True),
        ({"recipient": "\ud800@example.org"}, "address_invalid", True),
        ({"recipient": ""}, "address_invalid", True),
        ({"sender": "office"}, "sender_invalid", False),
        ({"content": b"one\n.\nMAIL FROM:<x@example.org>\r\n"}, "bare_line_end", False),
        ({"content": b"one\r.\r\n"}, "bare_line_end", False),
    ],
)
async def test_what_could_smuggle_commands_never_reaches_the_wire(
    channel: SmtpChannel, server: ScriptedServer, change: dict[str, object], code: str, *, dead: bool
) -> None:
    """Addresses and line ends are checked before a connection is touched."""
    payload = dataclasses.replace(mail().payload, **change)
    error = await error_of(channel, Envelope(delivery="d1", payload=payload))
    assert (error.code, error.retry, error.address_dead) == (code, Retry.NEVER, dead)
    assert server.connections == 0


@pytest.mark.parametrize("address", ['"first last"@example.org', "a+b@[127.0.0.1]", "o'neil@example.org"])
async def test_unusual_addresses_go_as_they_are(channel: SmtpChannel, server: ScriptedServer, address: str) -> None:
    """Only what breaks the command line is refused."""
    assert (await sent(channel, [mail(recipient=address)]))[0].accepted
    assert f"RCPT TO:<{address}>" in server.commands


async def test_returned_mail_has_no_sender(channel: SmtpChannel, server: ScriptedServer) -> None:
    """An empty envelope sender is written as RFC 5321 wants it."""
    payload = dataclasses.replace(mail().payload, sender="")
    assert (await sent(channel, [Envelope(delivery="d1", payload=payload)]))[0].accepted
    assert server.commands[1].startswith("MAIL FROM:<> ")


@pytest.mark.parametrize("tls", list(SmtpTls))
async def test_mail_travels_encrypted_as_set(tls: SmtpTls) -> None:
    """No TLS, STARTTLS and TLS from the start, against a real server with its own authority."""
    async with real_server(tls=tls) as server:
        channel = SmtpChannel(settings(server.port, tls=tls, ca_file=CERTIFICATE))
        await channel.open()
        assert await channel.check() is None
        handovers = await sent(channel, [mail("d1"), mail("d2", recipient="gone@example.org"), mail("d3")])
        await channel.close()
    assert [handover.accepted for handover in handovers] == [True, False, True]
    assert server.encrypted == [tls is not SmtpTls.NONE] * 2
    assert server.received[0].content == CONTENT
    assert server.received[0].rcpt_tos == ["amina@example.org"]


@pytest.mark.parametrize("tls", [SmtpTls.STARTTLS, SmtpTls.TLS])
async def test_an_unknown_certificate_is_not_trusted(tls: SmtpTls) -> None:
    """Nothing is sent to a server that cannot prove its name."""
    async with real_server(tls=tls) as server:
        channel = SmtpChannel(settings(server.port, tls=tls))
        await channel.open()
        error = await error_of(channel, mail())
        assert "encrypted" in (await channel.check() or "")
        await channel.close()
    assert (error.code, error.retry, error.ours) == ("tls_failed", Retry.LATER, True)
    assert server.received == []


async def test_a_server_without_starttls_gets_no_mail(server: ScriptedServer) -> None:
    """Asked for encryption, the channel never falls back to none."""
    channel = SmtpChannel(settings(server.port, tls=SmtpTls.STARTTLS))
    await channel.open()
    error = await error_of(channel, mail())
    await channel.close()
    assert (error.code, error.ours) == ("starttls_not_offered", True)
    assert server.mails == []


@pytest.mark.parametrize(("password", "code"), [("invented password", None), ("wrong", "login_refused")])
async def test_the_account_opens_the_server(password: str, code: str | None) -> None:
    """A wrong password is the operator's, nothing was taken, and the check says so."""
    async with real_server(tls="starttls", login=True) as server:
        account = {"username": "office", "password": password, "tls": SmtpTls.STARTTLS, "ca_file": CERTIFICATE}
        channel = SmtpChannel(settings(server.port, **account, pause_after_failure=60))
        await channel.open()
        handovers = await sent(channel, [mail(f"d{n}") for n in range(30)])
        assert (await channel.check() is None) == (code is None)
        await channel.close()
    errors = [handover.error for handover in handovers if handover.error]
    assert {(error.code, error.retry, error.ours) for error in errors} == (
        {(code, Retry.LATER, True)} if code else set()
    )
    assert len(server.received) == (0 if code else 30)
    assert len(server.logins) <= 8 + 1, "30 mails must not mean 30 tries: only connections and the check log in"


async def test_a_passing_trouble_with_the_login_is_not_the_operators(server: ScriptedServer) -> None:
    """454 asks for patience, not for another password."""
    server.on("EHLO", "250-mail.example.org\r\n250 AUTH PLAIN")
    server.on("AUTH", "454 4.7.0 later")
    channel = SmtpChannel(settings(server.port, username="office", password="invented password"))
    await channel.open()
    error = await error_of(channel, mail())
    await channel.close()
    assert (error.code, error.retry, error.ours) == ("login_deferred", Retry.LATER, False)


async def test_a_server_without_login_does_not_get_the_password(server: ScriptedServer) -> None:
    """An account is set but the server offers no AUTH: the operator must look."""
    channel = SmtpChannel(settings(server.port, username="office", password="invented password"))
    await channel.open()
    error = await error_of(channel, mail())
    await channel.close()
    assert (error.code, error.ours) == ("login_refused", True)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"host": " "}, "GATEWAY_SMTP_HOST"),
        ({"port": 0}, "GATEWAY_SMTP_PORT"),
        ({"username": "office"}, "GATEWAY_SMTP_PASSWORD"),
        ({"password": "invented"}, "GATEWAY_SMTP_USERNAME"),
        ({"tls": "maybe"}, "GATEWAY_SMTP_TLS"),
        ({"ca_file": Path("nowhere.pem")}, "nowhere.pem"),
        ({"ca_file": KEY}, "no readable certificates"),
        ({"connections": 0}, "connections"),
    ],
)
async def test_a_wrong_setting_is_named_at_start(change: dict[str, object], names: str) -> None:
    """One sentence says which setting to correct, and the check says the same."""
    channel = SmtpChannel(settings(**{"port": 25, **change}))
    with pytest.raises(ChannelSettingsError, match=names) as wrong:
        await channel.open()
    assert await channel.check() == str(wrong.value)
    assert "invented" not in str(wrong.value)


async def test_a_cancelled_batch_does_not_hold_up_another(server: ScriptedServer) -> None:
    """Its connection hears the answer out; the next mail goes over another one."""
    server.on("dot", STALL)
    channel = SmtpChannel(settings(server.port, connections=2))
    await channel.open()
    sending = asyncio.create_task(sent(channel, [mail()]))
    async with asyncio.timeout(5):
        await server.stalled.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (await sent(channel, [mail("d2")]))[0].accepted
    await channel.close()
    assert server.connections == 2


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("reply", [-1, 0, 199, 250, 354, 421, 450, 499, 500, 535, 550, 599, 600])
@pytest.mark.parametrize("words", ["", "5.1.1 x", "5.99.999 x", "4.2.2", "9.9.9"])
def test_any_reply_at_any_stage_has_an_answer(stage: Stage, reply: int, words: str) -> None:
    """The table is total, and only a refusal from 500 on is final."""
    error = reply_error(stage, reply, words)
    if error.retry is Retry.NEVER:
        assert 500 <= reply < 600
    if error.retry is Retry.UNKNOWN:
        assert stage is Stage.FINAL_DOT
    assert lost_error(stage).retry is (Retry.UNKNOWN if stage is Stage.FINAL_DOT else Retry.LATER)
