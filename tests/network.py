"""Keeps the test run on this machine: a connection of this process to any other address is an error.

It watches Python's own sockets; what a C library (uvloop) or another process opens passes unseen.
"""

import ipaddress
import socket
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any

_NAMES = frozenset({"", "localhost", "localhost.localdomain", socket.gethostname()})


class OutsideAddressError(Exception):
    """A test tried to reach another machine; no `OSError`, so that no retry logic swallows it."""


def keep_inside(allowed_hosts: Iterable[str]) -> None:
    """Refuse connections and name look-ups beyond loopback and the given hosts, until the process ends."""
    sys.addaudithook(partial(_watch, _NAMES | set(allowed_hosts)))


def _watch(allowed: frozenset[str], event: str, arguments: tuple[Any, ...]) -> None:
    match event, arguments:
        case "socket.connect" | "socket.sendto" | "socket.sendmsg", (socket.socket() as end, (str(host), *_)):
            if end.family in {socket.AF_INET, socket.AF_INET6} and not _is_inside(host, allowed):
                raise OutsideAddressError(f"Tests stay on this machine, and {host} is another.")
        case "socket.getaddrinfo", (str(host), *_):
            if not _is_address(host) and host not in allowed:
                raise OutsideAddressError(f"Tests stay on this machine and look up no name such as {host}.")
        case _:
            pass


def _is_inside(host: str, allowed: frozenset[str]) -> bool:
    if not _is_address(host):
        return host in allowed
    address = ipaddress.ip_address(host)
    return address.is_loopback or address.is_unspecified or host in allowed


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
