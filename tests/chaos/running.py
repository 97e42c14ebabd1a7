"""Runs gateway processes in a folder of their own and kills them at chosen moments, without a last word."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WITHIN = 180.0
"""Seconds a run may take on a machine that is busy with other tests."""
_LOOK_SECONDS = 0.005


class TooSlowError(Exception):
    """A run did not come to its end in time."""


class Folder:
    """Where the processes of one run write; `variables` are their settings."""

    def __init__(self, path: Path, **variables: str) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.outbox = path / "outbox"
        self.database_url = variables.get("DATABASE_URL", f"sqlite+aiosqlite:///{path / 'gateway.db'}")
        given = {"DATABASE_URL": self.database_url, "OUTBOX_DIR": str(self.outbox), **variables}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        self._environment = inherited | {f"GATEWAY_{name}": value for name, value in given.items()}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `gateway` with these arguments."""
        with (self.path / "log").open("ab") as log:
            return subprocess.Popen(  # our own program
                [sys.executable, "-m", "gateway", *arguments],
                env=self._environment,
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def run(self, *arguments: str) -> None:
        """Run `gateway` with these arguments to its end; raises when it fails."""
        with self._running(*arguments) as process:
            if process.wait(WITHIN) != 0:
                raise AssertionError(f"gateway {arguments[0]} failed: {self.last_words()}")

    def kill_at(self, pieces: int, *arguments: str) -> bool:
        """Run `gateway` and kill it when so many pieces are in the outbox; False when it was quicker."""
        with self._running(*arguments) as process:
            self.wait_for(pieces, process)
            return process.poll() is None

    def wait_for(self, pieces: int, process: subprocess.Popen[bytes] | None = None) -> None:
        """Wait until so many pieces are in the outbox, or the process has ended."""
        deadline = time.monotonic() + WITHIN
        while self.pieces() < pieces and (process is None or process.poll() is None):
            if time.monotonic() > deadline:
                raise TooSlowError(f"{self.pieces()} of {pieces} pieces in the outbox: {self.last_words()}")
            time.sleep(_LOOK_SECONDS)

    def pieces(self) -> int:
        """Count the files and lines in the outbox, quickly."""
        files = [
            sum(not name.startswith(".") for name in os.listdir(folder)) if folder.is_dir() else 0  # noqa: PTH208  # only names are needed, often
            for folder in (self.outbox / "email", self.outbox / "letters")
        ]
        lines = [
            path.read_bytes().count(b"\n") if path.exists() else 0
            for path in (self.outbox / "sms.jsonl", self.outbox / "voice.jsonl")
        ]
        return sum(files) + sum(lines)

    def last_words(self) -> str:
        """Give the end of what the processes wrote."""
        return (self.path / "log").read_text(errors="replace")[-2000:]

    @contextmanager
    def _running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        process = self.start(*arguments)
        try:
            yield process
        finally:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process at once: no handler runs, nothing is flushed, no connection is closed."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()
