"""The same fan-out to a mail server 20 ms away, beside a pool of aiosmtplib connections without a database."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.aiosmtplib_pool import CONNECTIONS, pool
from tests.bench.families import write_school
from tests.bench.installation import Installation, Servers, bulk_workers, installed
from tests.bench.mail import NEWSLETTER, sample_mail
from tests.bench.options import Options
from tests.bench.profiling import profiled
from tests.bench.servers import end
from tests.bench.table import Result, median, say
from tests.bench.usage import in_words
from tests.bench.watching import Course, follow

ONE_WAY_MILLISECONDS = 10
_ROOT = Path(__file__).parents[2]


def measure(options: Options, running: Servers) -> list[Result]:
    """Send through the relay, both with eight connections, in turn."""
    mails = options.size(10_000, quick=200)
    courses: list[Course] = []
    pools: list[float] = []
    with (
        relay(running.sink.port) as port,
        tempfile.TemporaryDirectory(prefix="gateway-bench-delayed-") as name,
    ):
        file = Path(name) / "mail"
        file.write_bytes(sample_mail().content)
        url = running.new_gateway_database("delayed")
        workers = bulk_workers(options.workers)
        with installed(running, url, workers=workers, connections=CONNECTIONS, smtp_port=port) as gateway:
            asyncio.run(write_school(url, mails))
            say(f"warming up: {asyncio.run(follow(gateway, NEWSLETTER, expected=mails)).in_words()}")
            for _ in range(options.rounds):
                courses.append(asyncio.run(_one_round(gateway, mails, profile=options.profile)))
                say(f"gateway: {courses[-1].in_words()}")
                say(f"    processor seconds: {in_words(courses[-1].spent)}")
                if not options.profile:
                    pools.append(pool(port, mails, file))
                    say(f"aiosmtplib, {CONNECTIONS} connections: {pools[-1]:,.0f}/s")
    if options.profile:
        return []
    ours, theirs = median([course.rate for course in courses]), median(pools)
    note = f"{ours:,.0f}/s against {theirs:,.0f}/s"
    what = "fan-out through 20 ms against an aiosmtplib pool of 8"
    return [Result(what=what, figure=ours / theirs, unit="x", goal=3, note=note)]


async def _one_round(gateway: Installation, mails: int, *, profile: bool) -> Course:
    async with profiled(gateway, "delayed", wanted=profile):
        return await follow(gateway, NEWSLETTER, expected=mails)


@contextmanager
def relay(target: int) -> Iterator[int]:
    """Run the relay that keeps everything back for a while, each way; gives the port it listens on."""
    command = [sys.executable, "-m", "tests.bench.relay", str(target), str(ONE_WAY_MILLISECONDS)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            end(process)
