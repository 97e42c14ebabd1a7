"""The gateway's processes of a stage: forked, killed without a last word, frozen, started again."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.chaos import hurried

_GIVEN_UP = 1

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([hurried.__name__])


class Member:
    """One role, such as the clock, whoever fills it at the moment."""

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, str], log: Path, *, hurried: bool) -> None:
        self._arguments = tuple(arguments)
        self._settings = dict(settings)
        self._log = log
        self._hurried = hurried
        self._process = self._new()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        """End it at once: no handler runs, nothing is flushed, no connection is closed."""
        self._process.kill()
        self._process.join()

    @property
    def runs(self) -> bool:
        """Whether it has neither been killed nor come to an end."""
        return self._process.is_alive()

    @property
    def gave_up(self) -> bool:
        """Whether it has said in order that it cannot work now, such as on a full disk."""
        return self._process.exitcode == _GIVEN_UP

    def last_words(self) -> str:
        """Give the end of what it wrote."""
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""

    def wait(self) -> None:
        """Let it come to its own end."""
        self._process.join()

    def start_again(self) -> None:
        """Start another process in its place."""
        if not self._process.is_alive():
            self._process.close()
            self._process = self._new()

    def freeze(self) -> None:
        """Stop it in the midst of whatever it does, as a paused virtual machine."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if nothing had been."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def allow_files(self, size: int | None) -> None:
        """Let it write no file beyond so many bytes; None lifts the limit. The kernel refuses in the midst of a write.

        It stands for a full disk, which takes root's rights to make: the same calls fail at the same places.
        """
        soft = resource.RLIM_INFINITY if size is None else size
        with suppress(ProcessLookupError):
            resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    def _new(self) -> multiprocessing.process.BaseProcess:
        process = _context.Process(
            target=hurried.run,
            args=(self._arguments, self._settings, self._log),
            kwargs={"hurried": self._hurried},
            daemon=True,
        )
        process.start()
        return process
