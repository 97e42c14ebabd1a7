"""Mail that comes back through the real listener: from a real Postfix, from people, and from those who forge."""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosmtplib
import msgspec
import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import text

from gateway.access import bounce_address, reply_address
from gateway.dispatch.returned_mail import MOST_REPLIES
from gateway.mail_server.desk import MOST_RECIPIENTS
from gateway.mail_server.listening import MOST_CONNECTIONS, inbound_advice, receiving
from gateway.settings import InboundSettings, Settings, Share, SmtpTls
from gateway.settings.email import EmailSettings, Relay
from gateway.store.tables import (
    chronology,
    delivery_events,
    point_marks,
    receipts,
    replies,
    reply_enclosures,
    tasks,
    wishes,
)
from tests.channels import returned_mails
from tests.channels.returned_mails import REPORTING, about, letter, report
from tests.channels.smtp_server import CERTIFICATE, KEY
from tests.flow.families import DAD, MUM, parents
from tests.flow.installation import SECRET, Installation, installed
from tests.postfix import free_port, postfix
from tests.servers import ServerMissingError
from tests.unit.rules.households import Row, directory, email, mobile

BOUNCES, REPLIES = "bounces.example.org", "replies.example.org"
MOST_BYTES = 200_000

REFUSALS = {
    "gone": "550 5.1.1 There is no such user",
    "full": "552 5.2.2 The mailbox is full",
    "blocked": "554 5.7.1 You are on a list",
    "busy": "451 4.3.0 Come again later",
}
"""What the parents' mail server says, by mailbox."""


@dataclass(frozen=True, kw_only=True)
class Back:
    """A gateway that takes the mail that comes back."""

    gateway: Installation
    port: int

    async def send(self, content: bytes, to: str, *, sender: str = "") -> str:
        """Hand a mail to the listener in one conversation; gives its last answer."""
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False, timeout=30)
        async with client:
            try:
                _, answer = await client.sendmail(sender, [to], content)
            except aiosmtplib.SMTPRecipientsRefused as refused:
                first = refused.recipients[0]
                return f"{first.code} {first.message}"
            except aiosmtplib.SMTPResponseException as refused:
                return f"{refused.code} {refused.message}"
        return f"250 {answer}"

    async def sent(self, category: str = "report", *points: Row, **fields: Any) -> dict[str, Any]:
        """Send a notification to the parents of one child; gives the deliveries by contact point."""
        found = list(points) or [email("mum"), mobile("mum", "+447700900111")]
        contacts = list(dict.fromkeys(str(point["contact"]) for point in found))
        await self.gateway.put(
            directory(relationships=parents(*contacts), contact_points=found, contacts=[MUM, DAD], **fields)
        )
        wanted = {"purpose": "celebration"} if category == "celebration" else {}
        notification = await self.gateway.post(category, **wanted)
        await self.gateway.at_rest()
        return {row.point: row for row in await self.gateway.deliveries(notification)}

    async def events(self, delivery: str) -> list[str]:
        """List what a delivery's timeline says besides its attempts."""
        rows = await self.gateway.rows(delivery_events, delivery_events.c.delivery == delivery)
        return [row.news for row in rows]

    def counted(self, kind: str, outcome: str) -> bool:
        """Tell whether the figures show something of a kind."""
        figures = self.gateway.front.services.metrics.exposition().decode()
        return f'gateway_came_in_total{{kind="{kind}",outcome="{outcome}"}}' in figures


def bounces_of(delivery: str) -> str:
    """Give the return path of a delivery's mail."""
    return bounce_address(SECRET, delivery, BOUNCES)


def replies_to(delivery: str) -> str:
    """Give the address for answers to a delivery."""
    return reply_address(SECRET, delivery, REPLIES)


def failure(delivery: str, status: str = "5.1.1", *, address: str = "mum@example.org", number: str = "1") -> bytes:
    """Write the report that a delivery's mail has failed."""
    return report(REPORTING, about("failed", status, address=address), delivery=delivery, number=number)


@asynccontextmanager
async def listening(
    urls: tuple[str, str | None],
    folder: Path,
    *,
    port: int = 0,
    idle_seconds: float = 60,
    loitering_seconds: float = 60,
    **changes: Any,
) -> AsyncIterator[Back]:
    """Set a gateway up that listens for mail."""
    usual = {
        "email": EmailSettings(bounce_domain=BOUNCES, reply_domain=REPLIES),
        "inbound": InboundSettings(inbound_max_bytes=MOST_BYTES),
    }
    async with (
        installed(*urls, folder, changes={**usual, **changes}) as gateway,
        receiving(
            gateway.front.services,
            gateway.front.settings,
            port=port,
            idle_seconds=idle_seconds,
            loitering_seconds=loitering_seconds,
        ) as chosen,
    ):
        yield Back(gateway=gateway, port=chosen)


@pytest_asyncio.fixture
async def back(servers_urls: tuple[str, str | None], tmp_path: Path) -> AsyncIterator[Back]:
    """Give a gateway that listens, on either database."""
    async with listening(servers_urls, tmp_path) as found:
        yield found


@pytest_asyncio.fixture
async def small_back(gateway_sqlite_url: str, tmp_path: Path) -> AsyncIterator[Back]:
    """Give one on SQLite, for what does not depend on the database."""
    async with listening((gateway_sqlite_url, None), tmp_path) as found:
        yield found


# --- with a real Postfix ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Relaying:
    """A running Postfix, and the ports that it relays to."""

    port: int
    parents: int
    bounces: int


@pytest.fixture(scope="module")
def relay() -> Iterator[Relaying]:
    """Run a Postfix between the gateway and the parents' mail server."""
    ports = free_port(), free_port()
    try:
        with postfix(relay_port=ports[0], bounces=(BOUNCES, ports[1])) as server:
            yield Relaying(port=server.port, parents=ports[0], bounces=ports[1])
    except ServerMissingError as missing:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(f"leg skipped: {missing}")


class ParentsServer:
    """The parents' mail server: some of its mailboxes take nothing."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Refuse by the name of the mailbox."""
        refusal = REFUSALS.get(address.partition("@")[0])
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 2.1.5 known"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # the same
        """Keep the mail."""
        self.taken.append(envelope)
        return "250 2.0.0 kept"


@asynccontextmanager
async def parents_server(port: int) -> AsyncIterator[ParentsServer]:
    """Run the parents' mail server."""
    handler = ParentsServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="mx.example.org", loop=loop), "127.0.0.1", port)
    try:
        yield handler
    finally:
        server.close()
        await asyncio.sleep(0.01)  # lets the protocols see their connections end


async def test_what_a_real_postfix_reports_becomes_state(
    servers_urls: tuple[str, str | None], tmp_path: Path, relay: Relaying
) -> None:
    """Out by SMTP, refused by the parents' server, back as Postfix's own reports, and on to the next route (R34)."""
    smtp = EmailSettings(
        email_provider=(Share("smtp", 1),),
        bounce_domain=BOUNCES,
        relays={"smtp": Relay(host="127.0.0.1", port=relay.port, tls=SmtpTls.NONE), "smtp2": Relay()},
    )
    people = [*REFUSALS, "fine"]
    points = [email(name, f"{name}@example.org") for name in people]
    points += [mobile(name, f"+4477009002{number:02}") for number, name in enumerate(people)]
    async with (
        parents_server(relay.parents) as theirs,
        listening(servers_urls, tmp_path, port=relay.bounces, email=smtp) as back,
    ):
        gateway = back.gateway
        await gateway.put(directory(relationships=parents(*people), contact_points=points))
        notification = await gateway.post("report")
        await gateway.comes_to(
            notification,
            {
                "gone-e": "failed", "gone-m": "sent", "full-e": "failed", "full-m": "sent",
                "blocked-e": "failed", "blocked-m": "sent", "busy-e": "sent", "fine-e": "sent",
            },
        )  # fmt: skip
        rows = {row.point: row for row in await gateway.deliveries(notification)}
        codes = {point: rows[point].code for point in ("gone-e", "full-e", "blocked-e")}
        assert codes == {"gone-e": "5.1.1", "full-e": "5.2.2", "blocked-e": "5.7.1"}
        (dead,) = await gateway.rows(point_marks)
        assert (dead.address_key, dead.state) == ("gone@example.org", "dead")

        async def told_of_delay() -> bool:
            return "deferred" in await back.events(rows["busy-e"].id)

        await gateway.until(told_of_delay)
        (mail,) = theirs.taken
        assert mail.mail_from == bounces_of(rows["fine-e"].id)
        assert rows["gone-e"].provider == "smtp"


# --- who may send what ------------------------------------------------------------------------------------------


async def test_mail_for_nobody_is_refused(small_back: Back) -> None:
    """Only addresses that we have signed take mail: nobody relays through us, and nothing bounces off us."""
    rows = await small_back.sent()
    delivery = rows["mum-e"].id
    genuine = bounces_of(delivery)
    for wrong in (
        "office@example.org",
        "postmaster@bounces.example.org",
        f"bounce+{delivery}.{'0' * 20}@{BOUNCES}",
        genuine.replace("bounce+", "reply+"),
        genuine.replace(delivery, delivery[::-1]),
        f"bounce+{'x' * 300}.{'0' * 20}@{BOUNCES}",
    ):
        assert (await small_back.send(failure(delivery), wrong)).startswith("550 5.1.1"), wrong
    assert await small_back.gateway.rows(receipts) == []
    assert small_back.counted("mail", "unknown_recipient")
    assert (await small_back.send(failure(delivery), genuine.upper())).startswith("250")
    assert (await small_back.gateway.states())["mum-e"] == "failed"


async def test_a_mail_that_is_too_large_is_refused(small_back: Back) -> None:
    """By its announced size at once, and while it comes otherwise; the conversation goes on."""
    rows = await small_back.sent()
    address, large = replies_to(rows["mum-e"].id), letter("x" * 70 + "\r\n") + b"y" * 60 + b"\r\n"
    large += (b"z" * 70 + b"\r\n") * 3_000
    reader, writer = await asyncio.open_connection("127.0.0.1", small_back.port)
    try:
        for line, answer in (
            (b"EHLO x", b"250"),
            (b"MAIL FROM:<a@b.org> SIZE=20000000", b"552 5.3.4 The mail is larger than the 0.2 MB"),
            (b"MAIL FROM:<a@b.org>", b"250"), (f"RCPT TO:<{address}>".encode(), b"250"), (b"DATA", b"354"),
            (large + b".", b"552 5.3.4"),
            (b"MAIL FROM:<a@b.org>", b"250"), (f"RCPT TO:<{address}>".encode(), b"250"), (b"DATA", b"354"),
        ):  # fmt: skip
            writer.write(line + b"\r\n")
            said = await spoken(reader)
            assert said.startswith(answer), (line[:30], said)
        with pytest.raises(ConnectionError):  # who sends on and on is cut off
            await flood(writer)
    finally:
        writer.close()
    assert await small_back.gateway.rows(replies) == []
    assert small_back.counted("mail", "too_large")


async def flood(writer: asyncio.StreamWriter) -> None:
    """Send sixty megabytes of one line that never ends."""
    for _ in range(1_000):
        writer.write(b"z" * 65_536)
        await writer.drain()


async def spoken(reader: asyncio.StreamReader) -> bytes:
    """Read the greeting, if it is still to come, and the last line of the next answer."""
    while True:
        line = await asyncio.wait_for(reader.readline(), 30)
        if not line.startswith(b"220") and line[3:4] != b"-":
            return line


async def test_commands_may_come_all_at_once(small_back: Back) -> None:
    """Pipelining (RFC 2920), several recipients of one mail, and dots that are stuffed."""
    rows = await small_back.sent("report", email("mum"), email("dad"))
    answers = [f"RCPT TO:<{replies_to(row.id)}>" for row in rows.values()]
    commands = ["EHLO x", "MAIL FROM:<łucja@example.org> SMTPUTF8", *answers, "RCPT TO:<x@y.org>", "DATA"]
    reader, writer = await asyncio.open_connection("127.0.0.1", small_back.port)
    try:
        writer.write("".join(f"{command}\r\n" for command in commands).encode())
        writer.write("From: łucja@example.org\r\n\r\n..one\r\n.. \r\nłąka\r\n.\r\nQUIT\r\n".encode())
        conversation = (await asyncio.wait_for(reader.read(), 30)).decode()
    finally:
        writer.close()
    codes = re.findall(r"^(\d{3}) ", conversation, re.MULTILINE)
    assert codes == ["220", "250", "250", "250", "250", "550", "354", "250", "221"]
    assert "PIPELINING" in conversation
    assert f"SIZE {MOST_BYTES}" in conversation
    assert [row.body for row in await small_back.gateway.rows(replies)] == [".one\n. \nłąka"] * 2


async def test_connections_and_recipients_are_limited(small_back: Back) -> None:
    """One too many of either is asked to come again."""
    await small_back.sent("meeting", email("mum"))
    connections = [await asyncio.open_connection("127.0.0.1", small_back.port) for _ in range(MOST_CONNECTIONS)]
    for reader, _ in connections:
        assert (await reader.readline()).startswith(b"220")
    reader, writer = await asyncio.open_connection("127.0.0.1", small_back.port)
    assert (await reader.read()).startswith(b"421 4.3.2")
    for each in [writer, *(writer for _, writer in connections)]:
        each.close()
        await each.wait_closed()
    addresses = [replies_to(f"{number:034}") for number in range(MOST_RECIPIENTS + 1)]
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=small_back.port, start_tls=False, timeout=30)
    async with client:
        refused, _ = await client.sendmail("a@b.org", addresses, letter("x"))
    assert [answer.code for answer in refused.values()] == [452]


async def test_who_only_loiters_makes_room(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """Connections that name nobody hold no place when another comes, however busily they say nothing."""
    async with listening((gateway_sqlite_url, None), tmp_path, loitering_seconds=0) as back:
        row = (await back.sent("meeting", email("mum")))["mum-e"]
        connections = [await asyncio.open_connection("127.0.0.1", back.port) for _ in range(MOST_CONNECTIONS)]
        for reader, writer in connections:
            writer.write(b"EHLO x\r\nNOOP\r\n")
            await spoken(reader)
            await spoken(reader)
        busy = connections[0][1]
        busy.write(f"MAIL FROM:<a@b.org>\r\nRCPT TO:<{replies_to(row.id)}>\r\n".encode())
        assert (await spoken(connections[0][0])).startswith(b"250")
        assert (await spoken(connections[0][0])).startswith(b"250")
        assert (await back.send(letter("x"), "office@example.org")).startswith("550 5.1.1")
        busy.write(b"DATA\r\n")
        assert (await spoken(connections[0][0])).startswith(b"354")
        for _, writer in connections:
            writer.close()


async def test_commands_stay_short(small_back: Back) -> None:
    """Reading an address takes the square of its length: no number of greetings makes room for a long one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", small_back.port)
    try:
        writer.write(b"EHLO x\r\n" * 300 + b"MAIL FROM:<" + b"(a)" * 800 + b"a@b.org>\r\nQUIT\r\n")
        conversation = (await asyncio.wait_for(reader.read(), 30)).decode()
    finally:
        writer.close()
    assert conversation.splitlines()[-2:] == ["500 Command line too long", "221 Bye"]


async def test_nothing_said_before_encryption_counts(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """Commands that somebody puts behind STARTTLS on the way are not obeyed as if they had come encrypted."""
    inbound = InboundSettings(inbound_tls_certificate=CERTIFICATE, inbound_tls_key=KEY)
    async with listening((gateway_sqlite_url, None), tmp_path, inbound=inbound) as back:
        reader, writer = await asyncio.open_connection("127.0.0.1", back.port)
        address = replies_to("06fqx2k9d1unheardof")
        try:
            writer.write(f"EHLO x\r\nSTARTTLS\r\nEHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<{address}>\r\n".encode())
            await spoken(reader)
            assert (await reader.readline()).startswith(b"220")
            await writer.start_tls(_believing())
            writer.write(b"DATA\r\n")
            assert (await asyncio.wait_for(reader.readline(), 30)).startswith(b"503")
        finally:
            writer.close()


async def test_who_never_finishes_to_encrypt_takes_no_place(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """As many as may talk at once ask for encryption and say nothing more: others are served all the same."""
    inbound = InboundSettings(inbound_tls_certificate=CERTIFICATE, inbound_tls_key=KEY)
    async with listening((gateway_sqlite_url, None), tmp_path, idle_seconds=0.5, inbound=inbound) as back:
        stalled = [await asyncio.open_connection("127.0.0.1", back.port) for _ in range(MOST_CONNECTIONS)]
        for _, writer in stalled:
            writer.write(b"EHLO x\r\nSTARTTLS\r\n")
        for reader, writer in stalled:
            assert b"220 Ready" in await asyncio.wait_for(reader.read(), 30)
            writer.close()
        assert (await back.send(letter("x"), "office@example.org")).startswith("550 5.1.1")


def _believing() -> ssl.SSLContext:
    """Believe every certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def test_who_falls_silent_is_cut_off(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """Between two commands, and in the middle of a mail."""
    async with listening((gateway_sqlite_url, None), tmp_path, idle_seconds=0.2) as back:
        silent, halfway = [await asyncio.open_connection("127.0.0.1", back.port) for _ in range(2)]
        address = replies_to("06fqx2k9d1unheardof")
        halfway[1].write(f"EHLO x\r\nMAIL FROM:<a@b.org>\r\nRCPT TO:<{address}>\r\nDATA\r\nHalf".encode())
        for reader, writer in (silent, halfway):
            assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"220")
            writer.close()
        assert await back.gateway.rows(replies) == []


async def test_the_way_may_be_encrypted(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """With a certificate the listener offers STARTTLS, and nobody is asked to log in."""
    inbound = InboundSettings(inbound_tls_certificate=CERTIFICATE, inbound_tls_key=KEY)
    async with listening((gateway_sqlite_url, None), tmp_path, inbound=inbound) as back:
        rows = await back.sent()
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=back.port, start_tls=True, validate_certs=False, timeout=30)
        async with client:
            assert not client.supports_extension("auth")
            await client.sendmail("", [bounces_of(rows["mum-e"].id)], failure(rows["mum-e"].id))
        assert (await back.gateway.states())["mum-e"] == "failed"


@pytest.mark.parametrize("table", ["receipts", "replies"])
async def test_what_cannot_be_stored_stays_with_its_sender(back: Back, table: str) -> None:
    """A database in trouble answers 451, and the mail is taken when it comes again."""
    rows = await back.sent()
    delivery = rows["mum-e"].id
    content, address, sender = failure(delivery), bounces_of(delivery), ""
    if table == "replies":
        content, address, sender = letter("She is ill."), replies_to(delivery), "mum@example.org"
    database = back.gateway.front.database
    async with database.writing() as connection:
        await connection.execute(text(f"ALTER TABLE {table} RENAME TO elsewhere"))
    assert (await back.send(content, address, sender=sender)).startswith("451 4.3.0")
    async with database.writing() as connection:
        await connection.execute(text(f"ALTER TABLE elsewhere RENAME TO {table}"))
    assert (await back.send(content, address, sender=sender)).startswith("250")
    assert len(await back.gateway.rows(receipts)) + len(await back.gateway.rows(replies)) == 1


# --- what is believed --------------------------------------------------------------------------------------------


async def test_the_same_report_told_again_changes_nothing(back: Back) -> None:
    """Mail servers repeat what they got no answer to, at the same moment even."""
    rows = await back.sent()
    delivery = rows["mum-e"].id
    answers = await asyncio.gather(*(back.send(failure(delivery), bounces_of(delivery)) for _ in range(4)))
    assert all(answer.startswith("250") for answer in answers)
    await back.gateway.at_rest()
    assert await back.gateway.states() == {"mum-e": "failed", "mum-m": "sent"}
    assert len(await back.gateway.rows(receipts)) == 1
    assert await back.events(delivery) == ["bounced"]
    assert len(back.gateway.outbox.lines("sms")) == 1


async def test_a_report_about_another_mail_changes_nothing(back: Back) -> None:
    """Sent to one mail's return path and speaking of another, it touches neither; the figures show it."""
    rows = await back.sent("report", email("mum"), email("dad"))
    mine, other = rows["mum-e"].id, rows["dad-e"].id
    await back.send(failure(other, address="dad@example.org"), bounces_of(mine))
    assert set((await back.gateway.states()).values()) == {"sent"}
    assert await back.gateway.rows(point_marks) == []
    assert await back.events(mine) == ["unknown"]
    assert await back.events(other) == []
    assert back.counted("unknown", "kept")


@pytest.mark.parametrize("original", ["text/plain", "text/rfc822-headers"])
@pytest.mark.parametrize("further", ["", "\nOriginal-Recipient: rfc822;mum@example.org"])
async def test_an_address_dies_only_by_a_report_that_calls_it_gone(
    small_back: Back, original: str, further: str
) -> None:
    """The mail was passed on, perhaps a copy of it, and the further mailbox is gone: the address is not dead."""
    back = small_back
    rows = await back.sent()
    delivery = rows["mum-e"].id
    fields = about("failed", "5.1.1", address="further@example.net") + further
    forwarded = report(REPORTING, fields, original=original, delivery=delivery)
    await back.send(forwarded, bounces_of(delivery))
    await back.gateway.at_rest()
    assert (await back.gateway.states())["mum-e"] == "failed"
    assert await back.gateway.rows(point_marks) == []


async def test_an_address_outlives_the_other_mailbox_of_an_alias(small_back: Back) -> None:
    """The mail reached ours and not the second one: a report that names both kills nobody."""
    rows = await small_back.sent()
    delivery = rows["mum-e"].id
    blocks = about("delivered", "2.0.0", address="mum@example.org"), about("failed", "5.1.1", address="b@example.net")
    await small_back.send(report(REPORTING, *blocks, delivery=delivery), bounces_of(delivery))
    assert await small_back.gateway.rows(point_marks) == []


async def test_a_late_report_spares_the_new_address(back: Back) -> None:
    """What has bounced is the address of that day, not the one that has taken its place since (R34)."""
    rows = await back.sent("newsletter", email("mum"))
    moved = directory(relationships=parents("mum"), contact_points=[email("mum", "new@example.org")])
    await back.gateway.put(moved)
    await back.send(failure(rows["mum-e"].id), bounces_of(rows["mum-e"].id))
    assert await back.gateway.states() == {"mum-e": "failed"}
    assert await back.gateway.rows(point_marks) == []


async def test_nobody_hides_a_failure(back: Back) -> None:
    """A report of arrival that comes after the failure, from whomever, is kept and not believed."""
    rows = await back.sent()
    delivery = rows["mum-e"].id
    await back.send(failure(delivery, "5.7.1"), bounces_of(delivery))
    arrival = report(REPORTING, about("delivered", "2.0.0", address="mum@example.org"), delivery=delivery, number="2")
    await back.send(arrival, bounces_of(delivery))
    await back.gateway.at_rest()
    assert await back.gateway.states() == {"mum-e": "failed", "mum-m": "sent"}
    assert await back.events(delivery) == ["bounced", "unknown"]


async def test_a_failure_that_follows_an_arrival_counts(back: Back) -> None:
    """Whoever claims an arrival early hides nothing by it."""
    rows = await back.sent()
    delivery = rows["mum-e"].id
    arrival = report(REPORTING, about("relayed", "2.0.0", address="mum@example.org"), delivery=delivery, number="2")
    await back.send(arrival, bounces_of(delivery))
    assert (await back.gateway.states())["mum-e"] == "delivered"
    await back.gateway.forward(seconds=5)
    await back.send(failure(delivery), bounces_of(delivery))
    await back.gateway.at_rest()
    assert await back.gateway.states() == {"mum-e": "failed", "mum-m": "sent"}


def complaint(delivery: str, number: str = "1") -> bytes:
    """Write a complaint about a delivery's mail."""
    content = returned_mails.ARF.replace(b"parent@", b"mum@").replace(b"<fbl-1@", f"<fbl-{number}@".encode())
    return content.replace(returned_mails.DELIVERY.encode(), delivery.encode())


async def test_a_complaint_ends_what_may_be_refused(back: Back) -> None:
    """Who calls a newsletter unwanted gets no more of them (R21), and everything else all the same."""
    rows = await back.sent("newsletter", email("mum"), email("dad"))
    delivery = rows["mum-e"].id
    await back.send(complaint(delivery), bounces_of(delivery))
    (wish,) = await back.gateway.rows(wishes)
    assert (wish.contact, wish.category, wish.opted_out, wish.origin) == ("mum", "newsletter", True, "complaint")
    assert (await back.gateway.states())["mum-e"] == "sent"
    again = await back.gateway.post("newsletter")
    assert await back.gateway.post("report")
    await back.gateway.at_rest()
    assert (await back.gateway.decided(again))["kid", "mum"] == "exclude R21"
    assert await back.gateway.tasks() == []


async def test_a_complaint_heard_before_is_not_heard_again(small_back: Back) -> None:
    """The contact may have changed their mind since."""
    rows = await small_back.sent("newsletter", email("mum"))
    delivery = rows["mum-e"].id
    await small_back.send(complaint(delivery), bounces_of(delivery))
    async with small_back.gateway.front.database.writing() as connection:
        await connection.execute(wishes.delete())
    await small_back.send(complaint(delivery), bounces_of(delivery))
    assert await small_back.gateway.rows(wishes) == []
    await small_back.send(complaint(delivery, "2"), bounces_of(delivery))
    assert len(await small_back.gateway.rows(wishes)) == 1


async def test_a_complaint_about_what_must_be_sent_goes_to_the_office(back: Back) -> None:
    """A report cannot be refused: somebody asks what is wrong, once."""
    rows = await back.sent("report", email("mum"))
    delivery = rows["mum-e"].id
    for number in ("1", "2"):
        await back.send(complaint(delivery, number), bounces_of(delivery))
    assert await back.gateway.rows(wishes) == []
    (task,) = await back.gateway.tasks()
    assert (task.kind, task.owner, task.contact, task.delivery) == ("heed_complaint", "office", "mum", delivery)


async def test_an_absence_is_only_noted(back: Back) -> None:
    """A machine has answered: nobody needs to, and nothing is known of the arrival."""
    rows = await back.sent()
    delivery = rows["mum-e"].id
    for number, (address, sender) in enumerate([(replies_to(delivery), "mum@example.org"), (bounces_of(delivery), "")]):
        away = letter("Jestem na urlopie.", Auto_Submitted="auto-replied", Message_ID=f"<{number}@example.org>")
        assert (await back.send(away, address, sender=sender)).startswith("250")
    assert await back.events(delivery) == ["autoresponded", "autoresponded"]
    assert (await back.gateway.states())["mum-e"] == "sent"
    assert await back.gateway.rows(replies) == []
    assert await back.gateway.tasks() == []


# --- what people write ---------------------------------------------------------------------------------------------


async def test_an_answer_reaches_the_office(back: Back) -> None:
    """The words, whose they are, in which thread; a task, an entry without words; and nothing changes besides (R40)."""
    rows = await back.sent("meeting", email("mum"), email("dad"))
    delivery = rows["mum-e"].id
    content = letter("Tamsin cannot come.\n", author="Zinnia <MUM@example.org>")
    for _ in range(2):
        assert (await back.send(content, replies_to(delivery), sender="mum@example.org")) == "250 2.0.0 Kept."
    (reply,) = await back.gateway.rows(replies)
    assert (reply.school, reply.contact, reply.delivery, reply.body) == (
        "school",
        "mum",
        delivery,
        "Tamsin cannot come.",
    )
    assert (reply.writer, reply.genuine_sender, reply.cut, reply.answered_at) == ("mum@example.org", True, False, None)
    assert (reply.message, reply.notification) == (rows["mum-e"].message, rows["mum-e"].notification)
    (task,) = await back.gateway.tasks()
    assert (task.id, task.kind, task.owner, task.contact) == (reply.id, "answer_reply", "office", "mum")
    entries = [row for row in await back.gateway.rows(chronology) if row.event == "reply_received"]
    assert [(entry.contact, entry.student) for entry in entries] == [("mum", "kid")]
    assert "Tamsin" not in entries[0].detail
    assert set((await back.gateway.states()).values()) == {"sent"}
    assert await back.events(delivery) == []


async def test_the_other_parents_answer_is_another_thread(small_back: Back) -> None:
    """One address a contact and message: nobody's words come into another's thread (R40)."""
    rows = await small_back.sent("meeting", email("mum"), email("dad"))
    for point in rows:
        await small_back.send(letter("Yes."), replies_to(rows[point].id), sender="x@example.org")
    found = await small_back.gateway.rows(replies)
    assert {reply.contact for reply in found} == {"mum", "dad"}
    assert len({reply.thread for reply in found}) == 2


async def test_whoever_answers_a_mail_that_was_passed_on_is_not_the_contact(small_back: Back) -> None:
    """The reader may have forwarded it, with its address for answers: staff are told that they must ask."""
    rows = await small_back.sent("meeting", email("mum"), email("dad"))
    content = letter("I agree in her name.", author="dad@example.org")
    await small_back.send(content, replies_to(rows["mum-e"].id), sender="dad@example.org")
    (reply,) = await small_back.gateway.rows(replies)
    assert (reply.contact, reply.writer, reply.genuine_sender) == ("mum", "dad@example.org", False)
    (task,) = await small_back.gateway.tasks()
    assert "not the contact's" in task.detail


@pytest.mark.parametrize(
    ("category", "owner", "minutes"), [("emergency", "safeguarding", 15), ("meeting", "office", 1440)]
)
async def test_an_answer_to_an_alert_is_urgent(small_back: Back, category: str, owner: str, minutes: int) -> None:
    """It goes to the safeguarding lead within minutes; others have until the next working day."""
    rows = await small_back.sent(category, email("mum"))
    await small_back.send(letter("She is with me."), replies_to(rows["mum-e"].id), sender="mum@example.org")
    (task,) = [task for task in await small_back.gateway.tasks() if task.kind == "answer_reply"]
    assert task.owner == owner
    assert (task.due_at - small_back.gateway.time()).total_seconds() == minutes * 60


async def test_files_come_with_an_answer(back: Back) -> None:
    """They are kept as they came."""
    rows = await back.sent("meeting", email("mum"))
    mail = b"\r\n".join(
        [
            b"From: mum@example.org", b"Message-ID: <7@example.org>", b"Subject: Re: x",
            b"Content-Type: multipart/mixed; boundary=b", b"", b"--b", b"", b"The form.", b"--b",
            b"Content-Type: application/pdf; name=form.pdf", b"Content-Transfer-Encoding: base64", b"",
            b"JVBERi0xLjcAAQL/", b"--b--", b"",
        ]
    )  # fmt: skip
    await back.send(mail, replies_to(rows["mum-e"].id), sender="mum@example.org")
    (reply,) = await back.gateway.rows(replies)
    (enclosure,) = await back.gateway.rows(reply_enclosures)
    assert (enclosure.reply, enclosure.number, enclosure.name) == (reply.id, 1, "form.pdf")
    assert (enclosure.content, enclosure.size) == (b"%PDF-1.7\x00\x01\x02\xff", 12)


async def test_a_machine_that_answers_for_ever_is_stopped(small_back: Back) -> None:
    """Fifty answers to one message in a day are taken, more must wait; other messages are not concerned."""
    rows = await small_back.sent("meeting", email("mum"), email("dad"))
    told = [
        await small_back.send(
            letter(f"Answer {number}", Message_ID=f"<{number}@x.org>"), replies_to(rows["mum-e"].id), sender="m@x.org"
        )
        for number in range(MOST_REPLIES + 1)
    ]
    assert [answer[:9] for answer in told[-2:]] == ["250 2.0.0", "452 4.2.2"]
    assert (await small_back.send(letter("Yes."), replies_to(rows["dad-e"].id), sender="d@x.org")).startswith("250")
    assert len(await small_back.gateway.rows(replies)) == MOST_REPLIES + 1


async def test_an_answer_to_what_is_on_record_no_more_is_kept(small_back: Back) -> None:
    """Its address is genuine: an installation of one school knows for whom it is, and asks who wrote."""
    await small_back.sent("meeting", email("mum"))
    await small_back.send(letter("Hello?"), replies_to("06fqx2k9d1unheardof"), sender="mum@example.org")
    (reply,) = await small_back.gateway.rows(replies)
    assert (reply.school, reply.contact, reply.delivery, reply.genuine_sender) == ("school", None, None, False)
    (task,) = await small_back.gateway.tasks()
    assert "find out who it is" in task.detail


async def test_where_nobody_knows_for_which_school_it_is_refused_and_counted(small_back: Back) -> None:
    """No school gets what may be another's, and the writer learns that nobody has read it."""
    await small_back.sent("meeting", email("mum"))
    other = directory(relationships=[])
    await small_back.gateway.put(replace_school(other, "elm"))
    told = await small_back.send(letter("Hello?"), replies_to("06fqx2k9d1unheardof"), sender="mum@example.org")
    assert told.startswith("550 5.1.1")
    assert await small_back.gateway.rows(replies) == []
    assert [task for task in await small_back.gateway.rows(tasks) if task.kind == "answer_reply"] == []
    assert small_back.counted("reply", "dropped")


def replace_school(given: Any, name: str) -> Any:
    """Give a directory to another school."""
    return msgspec.structs.replace(given, school=msgspec.structs.replace(given.school, id=name, name=name.title()))


async def test_nothing_personal_is_logged(small_back: Back, caplog: pytest.LogCaptureFixture) -> None:
    """Neither addresses nor words, whatever is taken, refused or not believed."""
    caplog.set_level("DEBUG")
    rows = await small_back.sent("meeting", email("mum"), email("dad"))
    mine, other = rows["mum-e"].id, rows["dad-e"].id
    await small_back.send(letter("Xylophone lessons.", author="mum@example.org"), replies_to(mine), sender="mum@x.org")
    await small_back.send(failure(other, address="dad@example.org"), bounces_of(mine))
    await small_back.send(failure(mine), bounces_of(mine))
    await small_back.send(letter("x"), "nobody@example.org", sender="mum@x.org")
    said = " ".join(
        str(record.__dict__) for record in caplog.records if record.name.startswith(("gateway", "channels", "mail"))
    )
    assert "report_not_believed" in said
    for secret in ("Xylophone", "mum@", "dad@", "nobody@", "example.net", "Zinnia"):
        assert secret not in said


# --- what the operator is told -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email_settings", "port", "named"),
    [
        ({}, None, None),
        ({"bounce_domain": BOUNCES}, None, "GATEWAY_BOUNCE_DOMAIN let"),
        (
            {"bounce_domain": BOUNCES, "reply_domain": REPLIES},
            None,
            "GATEWAY_BOUNCE_DOMAIN and GATEWAY_REPLY_DOMAIN let",
        ),
        ({"reply_domain": REPLIES}, 2525, None),
    ],
)
def test_the_doctor_misses_a_listener(email_settings: Mapping[str, Any], port: int | None, named: str | None) -> None:
    """Mails that carry addresses of ours need somebody who takes what comes there."""
    chosen = Settings(email=EmailSettings(**email_settings), inbound=InboundSettings(inbound_smtp_port=port))
    advice = inbound_advice(chosen)
    assert (advice is None) if named is None else (advice is not None and advice.startswith(named))
