"""A mail as it leaves, read by the standard library: who it is from and for, whose answer and whose bounce is whose."""

import datetime as dt
import re
from email.message import EmailMessage
from pathlib import Path

import pytest

from channels.base import Mail
from gateway.access import bounced_delivery, replied_delivery
from gateway.directory.model import Category
from gateway.rules.categories import CATEGORIES, UNSUBSCRIBABLE, Mode
from gateway.settings.email import EmailSettings
from tests.flow.families import DAD, KID, MUM, parents
from tests.flow.installation import SECRET, Installation, installed
from tests.unit.rules.households import directory, email

EMAIL = EmailSettings(
    email_from="office@school.example.org",
    reply_domain="replies.example.org",
    bounce_domain="bounces.example.org",
)
TO_PERSONS = frozenset({Category.SAFEGUARDING, Category.ACCOUNT, Category.REPLY})


async def mails(gateway: Installation, category: Category) -> dict[str, EmailMessage]:
    """Send something to both parents, who have mailboxes only and refuse nothing; gives the mails by delivery."""
    wanting = {"preferences": {"opted_in": ["fundraising"]}}
    await gateway.put(
        directory(
            students=[KID],
            contacts=[{**MUM, **wanting, "language": "pl"}, {**DAD, **wanting}],
            relationships=parents("mum", "dad", bill_payer=True),
            contact_points=[email("mum"), email("dad")],
        )
    )
    persons = {"contacts": ["mum", "dad"]} if category in TO_PERSONS else {}
    await gateway.post(category, audience={"students": ["kid"], **persons})
    await gateway.at_rest()
    return gateway.outbox.mails()


def readers(category: Category) -> int:
    """How many have a mail by now: up a ladder, the second parent waits for the first one's silence."""
    return 1 if CATEGORIES[category].mode is Mode.LADDER else 2


@pytest.mark.parametrize("category", list(Category))
async def test_what_every_mail_says(gateway_sqlite_url: str, tmp_path: Path, category: Category) -> None:
    """Of every kind, to each parent: an identity, that a machine sent it, its language, its own ways back and out."""
    async with installed(gateway_sqlite_url, None, tmp_path, changes={"email": EMAIL}) as gateway:
        found = await mails(gateway, category)
        now = gateway.time()
        handed = {envelope.delivery: envelope.payload for envelope in gateway.faults.seen}
    assert len(found) == readers(category)
    for delivery, mail in found.items():
        assert mail.defects == []
        assert mail["From"].addresses[0].addr_spec == "office@school.example.org"
        assert mail["Message-ID"] == f"<{delivery}@school.example.org>"
        assert mail["Date"].datetime == now.astimezone(dt.UTC).replace(microsecond=0)
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Content-Language"] in {"en", "pl"}
        assert replied_delivery(SECRET, str(mail["Reply-To"])) == delivery
        envelope = handed[delivery]
        assert isinstance(envelope, Mail)
        assert envelope.recipient == mail["To"].addresses[0].addr_spec
        assert bounced_delivery(SECRET, envelope.sender) == delivery
        assert envelope.sender.endswith("@bounces.example.org")
        assert all(len(mail.get_all(name) or []) == 1 for name in set(mail.keys()))
        offers_unsubscribing(category, mail)


def offers_unsubscribing(category: Category, mail: EmailMessage) -> None:
    """One click for newsletters, celebrations and fundraising; for nothing that a parent must not lose (RFC 8058)."""
    link, form = mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"]
    if category not in UNSUBSCRIBABLE:
        assert link is form is None
        return
    assert form == "List-Unsubscribe=One-Click"
    # Nothing in it can be read: an id and a signature.
    assert re.fullmatch(r"<http://127\.0\.0\.1:8080/u/[0-9a-z]{20,40}\.[0-9a-f]{32}>", str(link))


async def test_without_a_domain_bounces_come_to_the_sender(gateway_sqlite_url: str, tmp_path: Path) -> None:
    """As long as the installation takes no mail."""
    plain = EmailSettings(email_from="office@school.example.org")
    async with installed(gateway_sqlite_url, None, tmp_path, changes={"email": plain}) as gateway:
        await mails(gateway, Category.NEWSLETTER)
        senders = {envelope.payload.sender for envelope in gateway.faults.seen if isinstance(envelope.payload, Mail)}
    assert senders == {"office@school.example.org"}
