"""What an operator says about mail becomes a channel that does it, and what cannot work is said at the start."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from channels.base import Envelope, Mail
from channels.email_smtp import SmtpChannel
from gateway.assembly import utc_now
from gateway.directory.model import ChannelName
from gateway.providers import MAKERS, Making
from gateway.settings import SettingsError, read_settings, unknown_settings
from tests.channels.sending import sent
from tests.channels.smtp_server import CERTIFICATE, real_server

FROM = {"GATEWAY_EMAIL_FROM": "office@mail.school.example.org"}
SIGNING = {
    **FROM,
    "GATEWAY_SMTP_DKIM_DOMAIN": "School.example.org",
    "GATEWAY_SMTP_DKIM_SELECTOR": "2026a, 2026b",
    "GATEWAY_SMTP_DKIM_KEY_FILE": "rsa.pem, ed25519.pem",
}


def channel(environment: Mapping[str, str], name: str = "smtp") -> SmtpChannel:
    """Make the channel that these settings describe."""
    making = Making(settings=read_settings(environment), now=utc_now)
    made = MAKERS[ChannelName.EMAIL][name](making)
    assert isinstance(made, SmtpChannel)
    return made


def test_everything_about_signing() -> None:
    """Domain and selectors are written small; keys and selectors go together in order; nothing is misspelt."""
    relay = read_settings(SIGNING).email.relays["smtp"]
    assert relay.dkim_domain == "school.example.org"
    assert relay.dkim_selector == ("2026a", "2026b")
    assert relay.dkim_key_file == (Path("rsa.pem"), Path("ed25519.pem"))
    assert unknown_settings(SIGNING) == []


@pytest.mark.parametrize("domain", ["mail.school.example.org", "school.example.org", "example.org"])
def test_a_domain_that_fits(domain: str) -> None:
    """The sender's own, or one above it (relaxed alignment, RFC 7489)."""
    settings = read_settings({**SIGNING, "GATEWAY_SMTP_DKIM_DOMAIN": domain})
    assert settings.email.relays["smtp"].dkim_domain == domain


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"GATEWAY_SMTP_DKIM_DOMAIN": "other.example.org"}, "GATEWAY_SMTP_DKIM_DOMAIN must be the domain of"),
        ({"GATEWAY_SMTP_DKIM_DOMAIN": "x.mail.school.example.org"}, "GATEWAY_SMTP_DKIM_DOMAIN must be the domain of"),
        ({"GATEWAY_SMTP_DKIM_DOMAIN": "ool.example.org"}, "GATEWAY_SMTP_DKIM_DOMAIN must be the domain of"),
        ({"GATEWAY_SMTP_DKIM_DOMAIN": "org"}, "GATEWAY_SMTP_DKIM_DOMAIN must be the domain of"),
        ({"GATEWAY_SMTP_DKIM_DOMAIN": ""}, "GATEWAY_SMTP_DKIM_DOMAIN is missing"),
        ({"GATEWAY_SMTP_DKIM_SELECTOR": ""}, "GATEWAY_SMTP_DKIM_SELECTOR is missing"),
        ({"GATEWAY_SMTP_DKIM_KEY_FILE": ""}, "GATEWAY_SMTP_DKIM_KEY_FILE is missing"),
        ({"GATEWAY_SMTP_DKIM_SELECTOR": "2026a"}, "GATEWAY_SMTP_DKIM_SELECTOR must name one selector for each"),
        ({"GATEWAY_SMTP_DKIM_SELECTOR": "2026a,2026a"}, "GATEWAY_SMTP_DKIM_SELECTOR must be one name, or two"),
        ({"GATEWAY_SMTP_DKIM_SELECTOR": "a,b,c"}, "GATEWAY_SMTP_DKIM_SELECTOR must be one name, or two"),
        ({"GATEWAY_SMTP_DKIM_SELECTOR": "a_b,c"}, "GATEWAY_SMTP_DKIM_SELECTOR must be names of letters"),
        ({"GATEWAY_SMTP_DKIM_SELECTOR": "a,"}, "GATEWAY_SMTP_DKIM_SELECTOR must be names of letters"),
        ({"GATEWAY_SMTP_DKIM_SELECTOR": "a; b=,c"}, "GATEWAY_SMTP_DKIM_SELECTOR must be names of letters"),
        ({"GATEWAY_SMTP2_DKIM_DOMAIN": "example.org"}, "GATEWAY_SMTP2_DKIM_SELECTOR is missing"),
        ({"GATEWAY_BOUNCE_DOMAIN": "a b"}, "GATEWAY_BOUNCE_DOMAIN must be a domain"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(change: dict[str, str], words: str) -> None:
    """One sentence, which names the setting."""
    with pytest.raises(SettingsError, match=words):
        read_settings({**SIGNING, **change})


@pytest.mark.parametrize("name", ["smtp", "smtp2"])
async def test_a_mail_travels_as_set(tmp_path: Path, name: str) -> None:
    """Each relay with its own name, authority, account and signing key."""
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(key)
    async with real_server(tls="starttls", login=True) as server:
        values = {
            "HOST": "127.0.0.1",
            "PORT": str(server.port),
            "TLS": "starttls",
            "CA_FILE": str(CERTIFICATE),
            "USERNAME": "office",
            "PASSWORD": "invented password",
            "DKIM_DOMAIN": "school.example.org",
            "DKIM_SELECTOR": "2026a",
            "DKIM_KEY_FILE": str(tmp_path / "key.pem"),
        }
        made = channel({**FROM, **{f"GATEWAY_{name.upper()}_{key}": value for key, value in values.items()}}, name)
        await made.open()
        assert await made.check() is None
        [record] = await made.records()
        payload = Mail(
            sender="b@example.org", recipient="p@example.org", message_id="<1@x>", content=b"From: a@x\r\n\r\nx\r\n"
        )
        [handover] = await sent(made, [Envelope(delivery="d1", payload=payload)])
        await made.close()
    assert (handover.accepted, handover.provider) == (True, name)
    assert server.encrypted == [True]
    content = server.received[0].content
    assert isinstance(content, bytes)
    assert content.startswith(b"DKIM-Signature: v=1; a=ed25519-sha256; ")
    assert b" d=school.example.org; s=2026a;\r\n" in content
    assert record.name == "2026a._domainkey.school.example.org"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"HOST": "mail.example.org", "TLS": "none", "USERNAME": "a", "PASSWORD": "b"}, "GATEWAY_SMTP2_TLS=none would"),
        ({"HOST": "mail.example.org", "CA_FILE": "nowhere.pem"}, "GATEWAY_SMTP2_CA_FILE names nowhere.pem"),
    ],
)
async def test_the_second_relay_is_named(values: dict[str, str], words: str) -> None:
    """Not the first: the operator must know which one to correct."""
    made = channel({f"GATEWAY_SMTP2_{key}": value for key, value in values.items()}, "smtp2")
    assert words in (await made.check() or "")
