"""How many mails a second one process hands over: against `smtp-source` (C), and against aiosmtplib from far away.

Run it with `python -m tests.bench smtp`; it needs `smtp-sink` and `smtp-source` (Debian's package postfix). Every
reference runs in turn with ours, in the same minute, into the same sink; medians of five, and ratios.
"""

import asyncio
import functools
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import aiosmtplib
import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from channels.base import Envelope, Mail
from channels.email_smtp import SmtpChannel, SmtpSettings, SmtpTls

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CONNECTIONS = 8
NEAR = 20_000
"""Mails in one run over loopback."""
FAR = 1_000
"""Mails in one run through the delay."""
EACH_WAY = 10
"""Milliseconds."""
AT_ONCE = 500
"""Envelopes in one `send`."""
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
CONTENT = b"Subject: Newsletter\r\n\r\n" + (b"x" * 74 + b"\r\n") * 78
"""About 6 kB."""


def program(name: str) -> str:
    """Find one of postfix's programs."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        sys.exit(f"{name} is missing: install Debian's package postfix (it need not run).")
    return found


def free_port() -> int:
    """Ask for a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def sink() -> Iterator[int]:
    """Run `smtp-sink`, which takes every mail and forgets it."""
    port = free_port()
    # As root it wants to be told whose rights to take instead.
    rights = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program("smtp-sink"), *rights, f"127.0.0.1:{port}", "1000"])
    try:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def far_away(port: int) -> Iterator[int]:
    """Run the delaying relay in front of a server."""
    relay = Path(__file__).with_name("relay.py")
    process = subprocess.Popen([sys.executable, str(relay), str(port), str(EACH_WAY)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@functools.cache
def mails(count: int) -> list[Envelope]:
    """Write mails of about 6 kB."""
    return [
        Envelope(
            delivery=f"d{number}",
            payload=Mail(
                sender="bounce@school.example.org",
                recipient=f"parent{number}@example.org",
                message_id=f"<{number}@school.example.org>",
                content=CONTENT,
            ),
        )
        for number in range(count)
    ]


def ours(port: int, count: int) -> float:
    """Measure our channel, mails a second."""
    envelopes = mails(count)

    async def run() -> float:
        channel = SmtpChannel(
            SmtpSettings(host="127.0.0.1", port=port, tls=SmtpTls.NONE, hello_name="bench", connections=CONNECTIONS)
        )
        await channel.open()
        started = time.perf_counter()
        slices = iter([envelopes[start : start + AT_ONCE] for start in range(0, count, AT_ONCE)])

        async def sender() -> int:
            accepted = 0
            for part in slices:
                async with aclosing(channel.send(part)) as answers:
                    async for answer in answers:
                        accepted += answer.accepted
            return accepted

        accepted = sum(await asyncio.gather(sender(), sender()))
        seconds = time.perf_counter() - started
        await channel.close()
        if accepted != count:
            sys.exit(f"Only {accepted} of {count} mails were accepted.")
        return count / seconds

    return uvloop.run(run())


def smtp_source(port: int, count: int) -> float:
    """Measure postfix's own load generator."""
    command = [program("smtp-source"), "-s", str(CONNECTIONS), "-l", str(len(CONTENT)), "-m", str(count)]
    started = time.perf_counter()
    subprocess.run([*command, f"127.0.0.1:{port}"], check=True)
    return count / (time.perf_counter() - started)


def pool_of_aiosmtplib(port: int, count: int) -> float:
    """Measure as many aiosmtplib clients, each kept open and used for one mail after the other."""
    waiting = iter([envelope.payload for envelope in mails(count)])

    async def client() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as connection:
            for mail in waiting:
                assert isinstance(mail, Mail)
                await connection.sendmail(mail.sender, [mail.recipient], mail.content)

    async def run() -> float:
        started = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
        return count / (time.perf_counter() - started)

    return uvloop.run(run())


def cpu_seconds() -> float:
    """Processor time of this process and of the programs it has waited for."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def compare(title: str, contestants: dict[str, tuple[Callable[[int], float], int]]) -> None:
    """Run all in turn, so that a busy machine slows all alike; print medians and ratios to the last one."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    costs: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, (run, count) in contestants.items():
            mails(count)
            before = cpu_seconds()
            rates[name].append(run(count))
            costs[name].append((cpu_seconds() - before) / count)
    reference = list(rates)[-1]
    out = sys.stdout.write
    out(f"{title}, {len(CONTENT)} bytes each, {CONNECTIONS} connections; medians of {ROUNDS}\n")
    for name in contestants:
        rate, cost = statistics.median(rates[name]), statistics.median(costs[name])
        ratio = rate / statistics.median(rates[reference])
        out(f"{name:24}{rate:8.0f} mails/s{1e6 * cost:8.0f} µs CPU a mail{ratio:8.2f} x {reference}\n")
    sys.stdout.flush()


def main() -> None:
    """Print both comparisons."""
    gateway = "this gateway's channel"
    with sink() as port:
        compare(
            "over loopback",
            {
                gateway: (functools.partial(ours, port), NEAR),
                "aiosmtplib pool": (functools.partial(pool_of_aiosmtplib, port), NEAR // 10),
                "smtp-source": (functools.partial(smtp_source, port), NEAR),
            },
        )
        with far_away(port) as far_port:
            compare(
                f"{2 * EACH_WAY} ms round trip",
                {
                    gateway: (functools.partial(ours, far_port), FAR),
                    "aiosmtplib pool": (functools.partial(pool_of_aiosmtplib, far_port), FAR),
                },
            )


if __name__ == "__main__":
    main()
