"""Where webhooks may go, and where never."""

import socket

import pytest

from gateway.dispatch.webhooks.addresses import AddressRefusedError, is_public, public_socket, url_fault
from gateway.settings import SettingsError, read_settings

REFUSED = [
    "0.0.0.0",  # noqa: S104  # nothing is bound to it here
    "127.0.0.1", "127.8.9.1", "0.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",  # private
    "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.127.255.255",  # metadata, shared
    "192.0.2.1", "198.51.100.1", "203.0.113.9", "198.18.0.1", "240.0.0.1", "255.255.255.255",  # examples, reserved
    "224.0.0.1", "239.255.255.250",  # multicast
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1",
    "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:224.0.0.1",  # IPv4 in disguise
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:808:808::", "2001:0:7f00:1::",
    "localhost", "", "2130706433", "0x7f.1", "8.8.8.8.", "127.1",  # no addresses at all
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", REFUSED)
def test_inner_addresses_are_refused(address: str) -> None:
    """However they are written; and no socket is made for them."""
    assert not is_public(address)
    with pytest.raises(AddressRefusedError):
        public_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443)))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_fine(address: str) -> None:
    """A socket is made, of the family that was asked for."""
    assert is_public(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with public_socket((family, socket.SOCK_STREAM, 0, "", (address, 443))) as made:
        assert made.family == family


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://mis.example.org/", "https"),
        ("ftp://mis.example.org/", "https"),
        ("file:///etc/passwd", "https"),
        ("mis.example.org/webhooks", "https"),
        ("https:///webhooks", "host"),
        ("https://user:secret@mis.example.org/", "password"),
        ("https://user@mis.example.org/", "password"),
        ("https://@mis.example.org/", "password"),
        ("https://mis.example.org/#top", "fragment"),
        ("https://mis.example.org:99999/", "malformed"),
        ("https://[::1/", "malformed"),
        ("https://mis.example.org/\r\nHost: other", "visible"),
        ("https://mis.example.org/a b", "visible"),
        ("https://schüle.example.org/", "visible"),
        ("https://mis.example.org/" + "x" * 2000, "2000"),
        ("https://127.0.0.1/", "public"),
        ("https://[::1]:8443/", "public"),
        ("https://[::ffff:10.0.0.1]/", "public"),
        ("https://169.254.169.254/latest/meta-data", "public"),
        ("https://100.64.0.1/", "public"),
    ],
)
def test_a_bad_url_is_one_sentence(url: str, word: str) -> None:
    """It says what is wrong, and never repeats the URL, which may hold a secret."""
    fault = url_fault(url, allow_private=False)
    assert fault is not None
    assert fault.startswith("url ")
    assert fault.endswith(".")
    assert word in fault
    assert "secret" not in fault
    assert "169.254" not in fault


@pytest.mark.parametrize(
    "url",
    [
        "https://mis.example.org",
        "https://mis.example.org:8443/webhooks?school=1",
        "https://8.8.8.8/",
        "https://XN--A.example.org/",
    ],
)
def test_a_good_url_passes(url: str) -> None:
    """With a port and a query as well."""
    assert url_fault(url, allow_private=False) is None


def test_the_setting_allows_inner_addresses_and_nothing_else() -> None:
    """A network of the operator's own may do without TLS, not without sense."""
    assert url_fault("http://127.0.0.1:8000/", allow_private=True) is None
    assert url_fault("http://mis.local/", allow_private=True) is None
    assert url_fault("ftp://mis.local/", allow_private=True) is not None
    assert url_fault("http://user@mis.local/", allow_private=True) is not None


def test_the_setting_is_off_unless_it_is_turned_on() -> None:
    """Only `true` turns it on, and what is neither true nor false is refused by name."""
    name = "GATEWAY_WEBHOOKS_ALLOW_PRIVATE"
    assert not read_settings({}).webhooks_allow_private
    assert not read_settings({name: "false"}).webhooks_allow_private
    assert read_settings({name: "True"}).webhooks_allow_private
    with pytest.raises(SettingsError, match=f"{name} must be true or false."):
        read_settings({name: "yes"})
