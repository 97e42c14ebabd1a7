"""Profiles of the gateway's processes while they work, and the functions in which their time goes."""

import asyncio
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.environments import python_with
from tests.bench.installation import Installation
from tests.bench.servers import CACHE
from tests.bench.statements import dearest_statements
from tests.bench.table import say

_TOP = 30
_OURS = {"gateway", "channels"}
_RATE = 200


@asynccontextmanager
async def profiled(installation: Installation, benchmark: str, *, wanted: bool) -> AsyncIterator[None]:
    """Record every process of the gateway with py-spy, and PostgreSQL's statements, while the block lasts.

    Leaves `var/bench/profiles/BENCHMARK-PROCESS.folded`, which speedscope and flame graph programs open.
    """
    if not wanted:
        yield
        return
    spy = python_with("py-spy", "py-spy>=0.4").with_name("py-spy")
    folder = CACHE / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    recorders = {}
    for name, process in installation.processes.items():
        path = folder / f"{benchmark}-{name.replace(' ', '-')}.folded"
        command = [spy, "record", "--pid", str(process.pid), "--format", "raw", "--output", path]
        options = ["--rate", str(_RATE), "--duration", "3600", "--gil"]
        recorders[name] = path, await asyncio.create_subprocess_exec(*command, *options, stdout=subprocess.DEVNULL)
    await asyncio.sleep(2)
    try:
        async with dearest_statements(installation.database_url):
            yield
    finally:
        for _, recorder in recorders.values():
            recorder.send_signal(signal.SIGINT)
        for name, (path, recorder) in recorders.items():
            await recorder.wait()
            _tell(name, path)


def _tell(name: str, path: Path) -> None:
    """Print where a process computed: by package, in functions themselves, and in ours with all they call."""
    own: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = [_without_line(frame) for frame in stack.split(";")]
        own[frames[-1]] += int(samples)
        packages[_package(frames[-1])] += int(samples)
        for frame in set(frames):
            if _package(frame) in _OURS:
                whole[frame] += int(samples)
    total = max(own.total(), 1)
    say(f"\n{name}: {total / _RATE:.1f} s of computing, in {path}")
    for title, counts in (("by package", packages), ("in the function itself", own), ("with all it calls", whole)):
        say(f"  {title}")
        for frame, samples in counts.most_common(_TOP):
            say(f"  {100 * samples / total:5.1f} %  {frame}")


def _package(frame: str) -> str:
    """Name the package of a frame such as `send (gateway/dispatch/sender.py)`."""
    return frame.rpartition("(")[2].rstrip(")").partition("/")[0]


def _without_line(frame: str) -> str:
    """Sum the lines of a function up."""
    place, colon, number = frame.rpartition(":")
    return place + ")" if colon and number.rstrip(")").isdigit() else frame
