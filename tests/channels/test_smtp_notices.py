"""Where a mail server sends notices on request (RFC 3461), each mail says of what and under which id."""

import pytest

from channels.base import Envelope, Mail
from channels.email_smtp import SmtpChannel, SmtpSettings, SmtpTls
from tests.channels.sending import sent
from tests.channels.strict_server import StrictServer, strict_server

OFFERS = {
    "stepwise": ("DSN",),
    "pipelined": ("DSN", "PIPELINING"),
    "chunked": ("DSN", "PIPELINING", "CHUNKING"),
}


async def commands(offers: tuple[str, ...], *recipients: str, sender: str = "b+d1.s@example.org") -> list[str]:
    """Send a mail to each recipient; gives the envelope commands the server heard."""
    envelopes = [
        Envelope(
            delivery=f"d{number}",
            payload=Mail(sender=sender, recipient=recipient, message_id="<1@x>", content=b"Subject: x\r\n\r\nx\r\n"),
        )
        for number, recipient in enumerate(recipients, start=1)
    ]
    async with strict_server(StrictServer(offers=offers)) as server:
        settings = SmtpSettings(
            host="127.0.0.1", port=server.port, tls=SmtpTls.NONE, timeout=5, hello_name="x", connections=1
        )
        channel = SmtpChannel(settings)
        await channel.open()
        handovers = await sent(channel, envelopes)
        await channel.close()
    assert all(handover.accepted for handover in handovers)
    assert len(server.taken) == len(recipients)
    return [command for command in server.commands if command.startswith(("MAIL", "RCPT"))]


@pytest.mark.parametrize("offers", OFFERS.values(), ids=OFFERS)
async def test_notices_are_ordered(offers: tuple[str, ...]) -> None:
    """Of failures and delays, with the headers only, under the delivery's id; over every way mails travel."""
    assert await commands(offers, "mum@example.org", "dad@example.org") == [
        "MAIL FROM:<b+d1.s@example.org> RET=HDRS ENVID=d1",
        "RCPT TO:<mum@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;mum@example.org",
        "MAIL FROM:<b+d1.s@example.org> RET=HDRS ENVID=d2",
        "RCPT TO:<dad@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;dad@example.org",
    ]


@pytest.mark.parametrize("offers", [(), ("PIPELINING", "SIZE 1000")])
async def test_nothing_is_ordered_where_nothing_is_offered(offers: tuple[str, ...]) -> None:
    """Such a server would refuse the command."""
    for command in await commands(offers, "mum@example.org"):
        assert command.partition("> ")[2] in {"", "SIZE=17"}


async def test_unusual_addresses_are_written_safely() -> None:
    """What must not stand in a parameter is written in hexadecimal digits."""
    heard = await commands(("DSN",), "a+b=c@example.org", '"first last"@example.org')
    assert heard[1].endswith(" ORCPT=rfc822;a+2Bb+3Dc@example.org")
    assert heard[3].endswith(' ORCPT=rfc822;"first+20last"@example.org')


async def test_an_international_address_goes_without_a_copy() -> None:
    """The failure is still told of, at the return path that belongs to the delivery."""
    heard = await commands(("DSN", "SMTPUTF8"), "zoë@example.org")
    assert heard == [
        "MAIL FROM:<b+d1.s@example.org> SMTPUTF8 RET=HDRS ENVID=d1",
        "RCPT TO:<zoë@example.org> NOTIFY=FAILURE,DELAY",
    ]


async def test_nobody_could_be_told_without_a_return_path() -> None:
    """So nothing is ordered."""
    assert await commands(("DSN",), "mum@example.org", sender="") == ["MAIL FROM:<>", "RCPT TO:<mum@example.org>"]
