"""PostgreSQL and Redis that can be stopped, paused and started again at the same port."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers import (
    READY_WITHIN,
    ServerMissingError,
    _answers,
    _failure,
    _folder,
    _free_port,
    _postgresql_programs,
    _start,
    empty_redis,
    execute_sql,
    new_postgresql,
)


class Restartable:
    """One server program at one port."""

    def __init__(self, url: str, command: Sequence[object], folder: Path, ask: Callable[[], None]) -> None:
        self.url = url
        guard = ["setpriv", "--pdeathsig=KILL", "--"] if shutil.which("setpriv") else []
        self._command = [*guard, *command]
        self._folder = folder
        self._ask = ask
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; raises `tests.servers.ServerFailedError`."""
        self._launch()
        self._wait_for_answer()

    async def start_again(self) -> None:
        """Do the same in a running loop."""
        self._launch()  # in this thread: the kernel ends the server with the thread that has started it
        await asyncio.to_thread(self._wait_for_answer)

    def stop(self, how: signal.Signals) -> None:
        """Tell it by a signal to end, and wait until it has; SIGKILL when it does not."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(READY_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def empty(self) -> None:
        """Let a Redis forget everything."""
        empty_redis(self.url)

    def freeze(self) -> None:
        """Stop it with all its children: connections stay open, and nobody answers."""
        self._tell_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._tell_all(signal.SIGCONT)

    def _launch(self) -> None:
        self._process = _start(self._command, self._folder)

    def _wait_for_answer(self) -> None:
        assert self._process is not None
        if not _answers(self._process, self._ask):
            raise _failure(self._command, self._folder)

    def _tell_all(self, what: signal.Signals) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *_children(self._process.pid)):
            try:
                os.kill(pid, what)
            except ProcessLookupError:
                continue


@contextmanager
def restartable_postgresql() -> Iterator[Restartable]:
    """Run a PostgreSQL of our own, also where tests are given another one: that is not ours to stop."""
    programs = _postgresql_programs()
    with _folder("gateway-chaos-postgresql-") as folder:
        url, command = new_postgresql(programs, folder)
        yield from _running(Restartable(url, command, folder, lambda: execute_sql(url, "SELECT 1")), signal.SIGQUIT)


@contextmanager
def restartable_redis() -> Iterator[Restartable]:
    """Run a Redis of our own that keeps nothing on disk."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise ServerMissingError("Redis: install redis-server.")
    with _folder("gateway-chaos-redis-") as folder:
        port = _free_port()
        command = [program, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"]
        url = f"redis://127.0.0.1:{port}/0"
        yield from _running(Restartable(url, command, folder, lambda: empty_redis(url)), signal.SIGKILL)


def _running(server: Restartable, end: signal.Signals) -> Iterator[Restartable]:
    server.start()
    try:
        yield server
    finally:
        server.stop(end)


def _children(parent: int) -> list[int]:
    """List the processes that this one has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found
