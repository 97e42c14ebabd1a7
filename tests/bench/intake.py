"""Durable intake over 64 kept connections, beside the same aiohttp handler that stores nothing.

The load comes from `wrk`, written in C: a Python client would need more of the two cores than the server it measures.
"""

import asyncio
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.bench.client import NotWorkingError
from tests.bench.families import student, write_school
from tests.bench.installation import Installation, Servers, installed
from tests.bench.mail import NEWSLETTER
from tests.bench.options import Options
from tests.bench.profiling import profiled
from tests.bench.servers import connect, end
from tests.bench.table import Result, median, say
from tests.bench.usage import in_words
from tests.bench.wrk import Load, flood
from tests.servers import _answers, _free_port

CONNECTIONS = 64
NOTIFY_INTAKE = 310
"""Requests a second of GOV.UK Notify's own server on two cores (measured, design ground)."""

_ROOT = Path(__file__).parents[2]
_CONTACTS = 1_000


def measure(options: Options, running: Servers) -> list[Result]:
    """Take the bare handler and the gateway in turn."""
    seconds = options.size(10, quick=2)
    durable: list[Load] = []
    bare: list[Load] = []
    with tempfile.TemporaryDirectory(prefix="gateway-bench-intake-") as name:
        body = Path(name) / "body.json"
        body.write_bytes(msgspec.json.encode(NEWSLETTER | {"audience": {"students": [student(1), student(2)]}}))
        url = running.new_gateway_database("intake")
        # No workers: what they do is measured elsewhere. The queue and the clock are there as always.
        with installed(running, url, workers={}) as gateway:
            asyncio.run(write_school(url, _CONTACTS))
            key = gateway.client.key
            with bare_server(key) as port:
                for number in range(-1, options.rounds):
                    last = asyncio.run(_one_round(gateway, body, seconds, number, profile=options.profile))
                    alone = _load(port, key, body, seconds, f"bare-{number}-")
                    if number >= 0:
                        durable.append(last)
                        bare.append(alone)
                        say(f"gateway: {last.in_words()}; bare: {alone.in_words()}")
            peaks = gateway.memory()
    say("peak MB: " + " · ".join(f"{name} {megabytes:.0f}" for name, megabytes in peaks.items()))
    ours, theirs = (median([load.rate for load in loads]) for loads in (durable, bare))
    note = f"{ours:,.0f}/s against {theirs:,.0f}/s"
    return [
        Result(what="durable intake against the bare handler", figure=ours / theirs, unit="x", goal=0.75, note=note),
        Result(what="durable intake, 25 times GOV.UK Notify's", figure=ours, unit="/s", goal=25 * NOTIFY_INTAKE),
    ]


async def _one_round(gateway: Installation, body: Path, seconds: int, number: int, *, profile: bool) -> Load:
    """Load the gateway and check that the database has everything that was answered."""
    connection = await connect(gateway.database_url)
    counting = "SELECT count(*) FROM notifications"
    try:
        before = await connection.fetchval(counting)
        async with profiled(gateway, "intake", wanted=profile and number >= 0):
            meter = gateway.meter()
            client = gateway.client
            load = await asyncio.to_thread(_load, client.port, client.key, body, seconds, f"round-{number}-")
            spent = meter.spent()
        kept = await connection.fetchval(counting) - before
    finally:
        await connection.close()
    if kept < load.requests:
        raise NotWorkingError(f"{load.requests} requests were answered, but {kept} are on record.")
    if number >= 0:
        say(f"    processor seconds in {load.seconds:.0f} s: {in_words(spent)}")
    return load


def _load(port: int, key: str, body: Path, seconds: int, prefix: str) -> Load:
    """Post as fast as answers come."""
    url = f"http://127.0.0.1:{port}/v1/notifications"
    return flood(url, "intake.lua", key, str(body), prefix, connections=CONNECTIONS, seconds=seconds)


@contextmanager
def bare_server(key: str) -> Iterator[int]:
    """Run the reference, which opens to this key; gives its port."""
    port = _free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bare_server", str(port), key], cwd=_ROOT)
    try:
        if not _answers(process, lambda: socket.create_connection(("127.0.0.1", port)).close()):
            raise NotWorkingError("The bare server never answered.")
        yield port
    finally:
        end(process)
