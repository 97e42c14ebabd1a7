"""The press: sets the files of a print run in worker processes that are renewed before their memory has grown.

typst's memory grows without end in one process (0.57 GB after 4,200 letters), and threads gain nothing.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import msgspec

from channels.letter_jobs import Job, Made

LETTERS_A_FILE = 50
"""Measured: about 2 ms a letter for 10, 50 or 100; at 50 it has half a megabyte, and a bad letter costs little."""

FILES_A_PROCESS = 40
"""After so many a worker is replaced, as its memory still grows a little."""

_ROOT = Path(__file__).parent.parent
_ANSWERS = msgspec.json.Decoder(Made)
_LONGEST_ANSWER = 4_000_000
"""Bytes."""


class PressError(Exception):
    """A print file could not be made; holds a sentence for the operator, and nothing of a letter."""


async def press(jobs: Sequence[Job], *, processes: int = 2) -> list[Made]:
    """Make every file, side by side; raises `PressError`. Cancelled, it stops its workers."""
    made: dict[int, Made] = {}
    waiting = iter(enumerate(jobs))

    async def work() -> None:
        while portion := list(islice(waiting, FILES_A_PROCESS)):
            async with _worker() as worker:
                for index, job in portion:
                    made[index] = await _make(worker, job)

    workers = [asyncio.ensure_future(work()) for _ in range(processes)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            if not worker.cancelling():  # told twice, it would not wait for its process to end
                worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [made[index] for index in range(len(jobs))]


async def _make(worker: asyncio.subprocess.Process, job: Job) -> Made:
    assert worker.stdin is not None  # noqa: S101  # both are pipes
    assert worker.stdout is not None  # noqa: S101  # the same
    try:
        worker.stdin.write(msgspec.json.encode(job) + b"\n")
        await worker.stdin.drain()
        line = await worker.stdout.readline()
    except (ConnectionError, ValueError):
        line = b""
    if not line:
        raise PressError("A process that typesets letters has died: is there too little memory?")
    made = _ANSWERS.decode(line)
    if made.fault is not None:
        raise PressError(made.fault)
    return made


@asynccontextmanager
async def _worker() -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one worker; it ends with its input, and so does not outlive a gateway that was killed."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    # None of the gateway's secrets is a typesetter's business. Threads of rayon would only fight over the processors.
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(paths), "RAYON_NUM_THREADS": "1"}
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "channels.letter_file"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        limit=_LONGEST_ANSWER,
    )
    assert worker.stdin is not None  # noqa: S101  # a pipe
    try:
        yield worker
    except BaseException:
        if worker.returncode is None:
            worker.kill()
        raise
    finally:
        worker.stdin.close()
        await worker.wait()
