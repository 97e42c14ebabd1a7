"""The press: sets the files of a print run in worker processes that are renewed before their memory has grown.

typst's memory grows without end in one process (0.57 GB after 4,200 letters), and threads gain nothing. A letter that
kills a worker, or keeps it for ever, is found out by setting the letters of its file one by one, and left out.
"""

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import msgspec

from channels.letter_jobs import DEADLY, FAILS_AT_IT, Failure, Job, Made

LETTERS_A_FILE = 50
"""Measured: about 2 ms a letter for 10, 50 or 100; at 50 it has half a megabyte, and a bad letter costs little."""

FILES_A_PROCESS = 40
"""After so many a worker is replaced, as its memory still grows a little."""

PATIENCE = 120.0
"""Seconds that a file may take; it takes a tenth of one."""

_ROOT = Path(__file__).parent.parent
_ANSWERS = msgspec.json.Decoder(Made)
_LONGEST_ANSWER = 4_000_000
"""Bytes."""
_DIED = "A process that typesets letters has died or does not answer: is there too little memory?"


class PressError(Exception):
    """A print file could not be made; holds a sentence for the operator, and nothing of a letter."""


class _DiedError(PressError):
    """A worker has ended, or was given up, in the middle of a file."""

    def __init__(self) -> None:
        super().__init__(_DIED)


async def press(jobs: Sequence[Job], *, processes: int = 2, patience: float = PATIENCE) -> list[Made]:
    """Make every file, side by side; raises `PressError`. Cancelled, it stops its workers.

    A letter at which a worker dies is left out and reported, unless nothing at all could be made.
    """
    made: dict[int, Made] = {}
    waiting = iter(enumerate(jobs))

    async def work() -> None:
        portion: deque[tuple[int, Job]] = deque()
        while portion := portion or deque(islice(waiting, FILES_A_PROCESS)):
            try:
                async with _worker() as worker:
                    while portion:
                        index, job = portion[0]
                        made[index] = await _make(worker, job, patience)
                        portion.popleft()
            except _DiedError:
                index, job = portion.popleft()
                made[index] = await _without_deadly(job, patience)

    workers = [asyncio.ensure_future(work()) for _ in range(processes)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            if not worker.cancelling():  # told twice, it would not wait for its process to end
                worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    if any(_has_deadly(one) for one in made.values()) and not any(one.pages for one in made.values()):
        raise PressError(_DIED)
    return [made[index] for index in range(len(jobs))]


async def _without_deadly(job: Job, patience: float) -> Made:
    """Make a file of those of its letters that can be set alone."""
    deadly = []
    for letter in job.letters:
        try:
            await _alone(replace(job, letters=(letter,)), patience)
        except _DiedError:
            deadly.append(Failure(delivery=letter, code=DEADLY, explanation=FAILS_AT_IT))
    others = {failure.delivery for failure in deadly}
    made = await _alone(replace(job, letters=tuple(each for each in job.letters if each not in others)), patience)
    return replace(made, failures=(*made.failures, *deadly))


async def _alone(job: Job, patience: float) -> Made:
    async with _worker() as worker:
        return await _make(worker, job, patience)


def _has_deadly(made: Made) -> bool:
    return any(failure.code == DEADLY for failure in made.failures)


async def _make(worker: asyncio.subprocess.Process, job: Job, patience: float) -> Made:
    assert worker.stdin is not None  # noqa: S101  # both are pipes
    assert worker.stdout is not None  # noqa: S101  # the same
    try:
        async with asyncio.timeout(patience):
            worker.stdin.write(msgspec.json.encode(job) + b"\n")
            await worker.stdin.drain()
            line = await worker.stdout.readline()
    except (ConnectionError, ValueError, TimeoutError):
        line = b""
    if not line:
        raise _DiedError
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
