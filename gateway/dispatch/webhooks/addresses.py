"""Where webhooks may go: public addresses only, checked when a URL is registered and again whenever a socket is made.

A name may resolve to a public address when it is registered and to one inside the operator's network afterwards (DNS
rebinding), so what counts is the address that is being connected to. aiohttp asks for every socket it opens.
"""

import re
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver

TIMEOUT_SECONDS = 20.0
"""How long a receiver may take for everything (Standard Webhooks: 15 to 30)."""

LONGEST_URL = 2_000

_CONNECTIONS = 200
_UNICAST = IPv6Network("2000::/3")
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""NAT64 (RFC 6052): a public name behind it is an IPv4 address in disguise."""

_URL = re.compile(r"[!-~]+")


class AddressRefusedError(OSError):
    """The address is not one of the public internet."""


def is_public(address: str) -> bool:
    """Tell whether an address is a host's on the public internet.

    Not so: private, loopback, link-local (where clouds keep their metadata), shared (CGNAT), multicast, unspecified,
    reserved, and what merely wraps an IPv4 address up. Beyond `is_global`, which lets some of these pass.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return parsed.is_global and not parsed.is_multicast
    if parsed.ipv4_mapped is not None:
        return is_public(str(parsed.ipv4_mapped))
    if parsed in _TRANSLATED:
        return is_public(str(IPv4Address(int(parsed) & 0xFFFFFFFF)))
    return parsed in _UNICAST and parsed.is_global and not _is_tunnel(parsed)


def _is_tunnel(address: IPv6Address) -> bool:
    return address.sixtofour is not None or address.teredo is not None


def public_socket(information: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
    """Make the socket for a connection; raises `AddressRefusedError` unless it leads to a public address."""
    family, kind, protocol, _name, address = information
    if not is_public(address[0]):
        raise AddressRefusedError("the address is not public")
    return socket.socket(family=family, type=kind, proto=protocol)


def webhook_session(*, allow_private: bool, resolver: AbstractResolver | None = None) -> ClientSession:
    """Open the one session for all webhooks, in the running loop: no proxy, no cookies, nothing unpacked."""
    connector = TCPConnector(
        limit=_CONNECTIONS, resolver=resolver, socket_factory=None if allow_private else public_socket
    )
    return ClientSession(
        connector=connector,
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=TIMEOUT_SECONDS),
        auto_decompress=False,
        headers={"User-Agent": "School-Messaging-Gateway", "Content-Type": "application/json"},
    )


def url_fault(url: str, *, allow_private: bool) -> str | None:
    """Say in one sentence why nothing can be posted to a URL, or None."""
    return next(_url_faults(url, allow_private=allow_private), None)


def _url_faults(url: str, *, allow_private: bool) -> Iterator[str]:
    if len(url) > LONGEST_URL or not _URL.fullmatch(url):
        yield f"url has up to {LONGEST_URL} visible ASCII characters: write other ones percent-encoded."
        return
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no port
    except ValueError:
        yield "url is malformed: give an address such as https://mis.example.org/webhooks."
        return
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        yield "url begins with https://: webhooks tell about families, and only TLS keeps that between the two."
    if not parts.hostname:
        yield "url names no host: give an address such as https://mis.example.org/webhooks."
    if "@" in parts.netloc:
        yield "url carries a name or password before the host: leave it out, the signature says who posts."
    if parts.fragment:
        yield "url has a fragment (#…), which is never sent: leave it out."
    if not allow_private and _is_literal(parts.hostname or "") and not is_public(parts.hostname or ""):
        yield "url leads to an address that is not public: give one that the internet reaches."


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
