"""Where a mail server sends notices on request (RFC 3461), each mail says of what and under which id."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


def envelope(number: int, recipient: str, *, sender: str = "b+d1.s@example.org") -> Envelope:
    """Write a mail of the delivery of this number."""
    mail = Mail(sender=sender, recipient=recipient, message_id="<1@x>", content=b"Subject: x\r\n\r\nx\r\n")
    return Envelope(delivery=f"d{number}", payload=mail)


@asynccontextmanager
async def channel_to(port: int) -> AsyncIterator[SmtpChannel]:
    """Open the channel to a server, over one connection at a time."""
    settings = SmtpSettings(host="127.0.0.1", port=port, tls=SmtpTls.NONE, timeout=5, hello_name="x", connections=1)
    channel = SmtpChannel(settings)
    await channel.open()
    try:
        yield channel
    finally:
        await channel.close()


async def commands(offers: tuple[str, ...], *recipients: str, sender: str = "b+d1.s@example.org") -> list[str]:
    """Send a mail to each recipient; gives the envelope commands the server heard."""
    envelopes = [envelope(number, recipient, sender=sender) for number, recipient in enumerate(recipients, start=1)]
    async with strict_server(StrictServer(offers=offers)) as server, channel_to(server.port) as channel:
        handovers = await sent(channel, envelopes)
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


@pytest.mark.parametrize("refusing", ["MAIL", "RCPT"])
@pytest.mark.parametrize("in_spite", [False, True], ids=["strict", "lenient"])
@pytest.mark.parametrize("offers", OFFERS.values(), ids=OFFERS)
async def test_a_server_that_refuses_what_it_offers_gets_the_mail_without(
    offers: tuple[str, ...], *, in_spite: bool, refusing: str
) -> None:
    """A school whose relay cannot do it loses no mail, and no family gets one twice."""
    envelopes = [envelope(number, f"parent{number}@example.org") for number in range(1, 8)]
    refusing_server = StrictServer(offers=offers, no_notices=refusing, data_in_spite=in_spite)
    async with strict_server(refusing_server) as server, channel_to(server.port) as channel:
        handovers = await sent(channel, envelopes)
        later = await sent(channel, [envelope(8, "parent8@example.org")])
    assert all(handover.accepted for handover in [*handovers, *later])
    recipients = sorted(taken.recipient for taken in server.taken)
    assert recipients == [f"parent{number}@example.org" for number in range(1, 9)]
    refused = [command for command in server.commands if command.startswith(refusing) and "=" in command]
    assert 1 <= len(refused) <= 4  # of the first mails under way; then it is known
    assert server.connections <= 4


async def test_a_bad_address_does_not_end_the_orders() -> None:
    """Some servers say with the same reply that an address is none: it is refused again, all else is as before."""

    def plan(step: str, _visit: int, recipient: str) -> str | None:
        return "501 5.1.3 bad address" if step == "RCPT" and recipient == "bad@example.org" else None

    envelopes = [envelope(number, f"{name}@example.org") for number, name in enumerate(("bad", "mum", "dad"), start=1)]
    picky = StrictServer(offers=OFFERS["pipelined"], plan=plan)
    async with strict_server(picky) as server, channel_to(server.port) as channel:
        handovers = {handover.delivery: handover for handover in await sent(channel, envelopes)}
    assert (handovers["d1"].accepted, handovers["d2"].accepted, handovers["d3"].accepted) == (False, True, True)
    assert handovers["d1"].error is not None
    assert handovers["d1"].error.code == "address_invalid"
    mails = [command for command in server.commands if command.startswith("MAIL")]
    assert [command for command in mails if "RET=" not in command] == ["MAIL FROM:<b+d1.s@example.org>"]
