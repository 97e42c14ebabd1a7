"""Encryption that was asked for is never given up, and a password never travels in the clear."""

import ssl

import pytest

from channels.base import Envelope, Mail
from channels.email_smtp import SmtpChannel, SmtpSettings, SmtpTls
from channels.errors import ChannelSettingsError, Retry, SendError
from channels.smtp_dial import trust
from tests.channels.sending import sent
from tests.channels.smtp_server import CERTIFICATE, real_server, scripted_server

PASSWORD = "invented password"
OFFERS_STARTTLS = "250-mail.example.org\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS"
STRIPPED = "250-mail.example.org\r\n250-AUTH PLAIN LOGIN\r\n250 XXXXXXXA"
"""How a man in the middle hides STARTTLS."""


def settings(host: str = "127.0.0.1", port: int = 25, **changes: object) -> SmtpSettings:
    """Lead a channel with an account to a server."""
    values: dict[str, object] = {"tls": SmtpTls.STARTTLS, "ca_file": CERTIFICATE, "timeout": 2.0, **changes}
    return SmtpSettings(host=host, port=port, username="office", password=PASSWORD, hello_name="x", **values)  # type: ignore[arg-type]


async def refusal(channel: SmtpChannel) -> SendError:
    """Open the channel and send a mail that must not be accepted; the check refuses as well."""
    await channel.open()
    mail = Mail(sender="a@example.org", recipient="b@example.org", message_id="<1@x>", content=b"x\r\n")
    [handover] = await sent(channel, [Envelope(delivery="d1", payload=mail)])
    assert await channel.check() is not None
    await channel.close()
    assert handover.error is not None
    return handover.error


@pytest.mark.parametrize(
    ("hello", "answer", "code"),
    [
        (STRIPPED, None, "starttls_not_offered"),
        (OFFERS_STARTTLS, "454 4.7.0 not now", "server_unavailable"),
        (OFFERS_STARTTLS, "502 5.5.1 unknown", "server_unavailable"),
        (OFFERS_STARTTLS, "220 2.0.0 go\r\n250 2.0.0 injected before TLS", None),
        (OFFERS_STARTTLS, "220 2.0.0 go\r\nno TLS here", None),
    ],
    ids=["stripped", "later", "refused", "injected", "no handshake"],
)
async def test_a_man_in_the_middle_gets_nothing(hello: str, answer: str | None, code: str | None) -> None:
    """Whatever becomes of STARTTLS: neither login nor envelope follows in the clear."""
    async with scripted_server() as server:
        server.on("EHLO", *[hello] * 4)
        if answer:
            server.on("STAR", *[answer] * 4)
        error = await refusal(SmtpChannel(settings(port=server.port)))
    said = " ".join(server.commands)
    assert "EHLO" in said
    assert "AUTH" not in said
    assert "MAIL" not in said
    assert error.retry is Retry.LATER
    if code:
        assert error.code == code
    assert server.mails == []


@pytest.mark.parametrize("tls", [SmtpTls.STARTTLS, SmtpTls.TLS])
async def test_the_certificate_must_be_for_this_name(tls: SmtpTls) -> None:
    """One that is trusted and made out to another name is refused before the password is sent."""
    # aiosmtpd takes no logins without STARTTLS.
    async with real_server(tls=tls, login=tls is SmtpTls.STARTTLS, host="127.0.0.2") as server:
        error = await refusal(SmtpChannel(settings("127.0.0.2", server.port, tls=tls)))
    assert (error.code, error.ours) == ("tls_failed", True)
    assert server.logins == []
    assert server.received == []


@pytest.mark.parametrize("tls", [SmtpTls.STARTTLS, SmtpTls.TLS])
def test_old_protocols_are_not_spoken(tls: SmtpTls) -> None:
    """TLS 1.2 at least (RFC 8997), with name and certificate checked, whatever the system's defaults are."""
    for file in (None, CERTIFICATE):
        context = trust(settings(tls=tls, ca_file=file))
        assert context is not None
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("host", ["mail.example.org", "192.0.2.1", "localhost.example.org", "2001:db8::1"])
async def test_no_password_in_the_clear(host: str) -> None:
    """Said at start, before anything is connected."""
    channel = SmtpChannel(settings(host, tls=SmtpTls.NONE, ca_file=None, prefix="GATEWAY_SMTP2"))
    with pytest.raises(ChannelSettingsError, match="GATEWAY_SMTP2_TLS=none would send the password in clear") as wrong:
        await channel.open()
    assert await channel.check() == str(wrong.value)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"])
def test_on_this_machine_it_passes_no_network(host: str) -> None:
    """A relay beside the gateway needs no TLS."""
    assert settings(host, tls=SmtpTls.NONE, ca_file=None).fault() is None
