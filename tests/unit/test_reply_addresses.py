"""R40: an address for answers, or a return path, belongs to one delivery, and nobody can make one up."""

import datetime as dt

import pytest

from channels.email_mime import PreparedMail
from gateway.access import bounce_address, bounced_delivery, replied_delivery, reply_address
from gateway.settings import SettingsError, read_settings
from gateway.store.identity import derived_id, new_id

SECRET = "invented-secret-of-the-reply-tests"
NOW = dt.datetime(2026, 6, 15, tzinfo=dt.UTC)
DELIVERY = derived_id(new_id(NOW), "delivery", "mum")
ADDRESS = reply_address(SECRET, DELIVERY, "replies.example.org")
RETURN_PATH = bounce_address(SECRET, DELIVERY, "bounces.example.org")


def test_an_address_leads_to_its_delivery() -> None:
    """Whatever a mail server has done to its case; before the @ stand 64 characters at most (RFC 5321)."""
    assert replied_delivery(SECRET, ADDRESS) == DELIVERY
    assert replied_delivery(SECRET, f" {ADDRESS.upper()} ") == DELIVERY
    assert len(ADDRESS.partition("@")[0]) <= 64


def test_no_two_deliveries_share_an_address() -> None:
    """One for each contact and message."""
    his = reply_address(SECRET, derived_id(new_id(NOW), "delivery", "dad"), "replies.example.org")
    assert his.partition(".")[0] != ADDRESS.partition(".")[0]
    assert his.partition(".")[2] != ADDRESS.partition(".")[2]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "office@replies.example.org",
        ADDRESS.replace("reply+", "reply+0"),
        ADDRESS.replace("@", "0@"),
        ADDRESS.partition("@")[0],
        ADDRESS.partition(".")[0] + "@replies.example.org",
        reply_address(SECRET + "!", DELIVERY, "replies.example.org"),
    ],
    ids=["nothing", "another", "another delivery", "longer", "no domain", "unsigned", "another key"],
)
def test_an_address_that_is_none_of_ours(address: str) -> None:
    """Guessed, cut or changed: it leads nowhere."""
    assert replied_delivery(SECRET, address) is None


def test_a_mail_takes_the_address() -> None:
    """As its Reply-To, whole and unfolded."""
    mail = PreparedMail.prepare(sender=("School", "school@example.org"), language="en", subject=["x"], plain=["y"])
    content = mail.build(
        to_name="", to_address="mum@example.org", message_id="<1@example.org>", date=NOW, reply_to=ADDRESS
    )
    assert f"\r\nReply-To: {ADDRESS}\r\n".encode() in content


def test_a_return_path_leads_to_its_delivery() -> None:
    """Whatever a mail server has done to its case; it fits into a command (RFC 5321)."""
    assert bounced_delivery(SECRET, RETURN_PATH) == DELIVERY
    assert bounced_delivery(SECRET, f" {RETURN_PATH.upper()} ") == DELIVERY
    assert RETURN_PATH.startswith("bounce+")
    assert len(RETURN_PATH.partition("@")[0]) <= 64


@pytest.mark.parametrize(
    "address",
    [
        "",
        "office@bounces.example.org",
        ADDRESS,
        ADDRESS.replace("reply+", "bounce+"),
        RETURN_PATH.replace("bounce+", "bounce+0"),
        RETURN_PATH.replace("@", "0@"),
        RETURN_PATH.partition("@")[0],
        bounce_address(SECRET + "!", DELIVERY, "bounces.example.org"),
    ],
    ids=[
        "nothing",
        "another",
        "for answers",
        "made of one for answers",
        "another delivery",
        "longer",
        "no domain",
        "key",
    ],
)
def test_a_return_path_that_is_none_of_ours(address: str) -> None:
    """A bounce to it says nothing about anybody; whoever can answer a mail cannot make its address die."""
    assert bounced_delivery(SECRET, address) is None


def test_a_return_path_takes_no_answers() -> None:
    """Each address serves its own purpose."""
    assert replied_delivery(SECRET, RETURN_PATH) is None
    assert replied_delivery(SECRET, RETURN_PATH.replace("bounce+", "reply+")) is None


@pytest.mark.parametrize("domain", ["replies.example.org", "Replies.Example.org"])
def test_a_domain_for_answers(domain: str) -> None:
    """It is written small."""
    assert read_settings({"GATEWAY_REPLY_DOMAIN": domain}).email.reply_domain == "replies.example.org"


@pytest.mark.parametrize(
    "domain", ["example", "a b.org", "x@example.org", "-a.org", "a..org", "é.org", "a" * 64 + ".org"]
)
def test_a_domain_that_is_none(domain: str) -> None:
    """One sentence at the start, not a refused mail later."""
    with pytest.raises(SettingsError, match="GATEWAY_REPLY_DOMAIN must be a domain"):
        read_settings({"GATEWAY_REPLY_DOMAIN": domain})
