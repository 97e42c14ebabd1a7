"""What processes cost: processor seconds and memory, read from /proc, so that one sees where the time goes."""

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def processor_seconds(process: int) -> float:
    """Give the seconds a process has computed, with all that it started, living or ended."""
    own = _fields(process)
    if own is None:
        return 0.0
    reaped = own[2] + own[3]
    return (own[0] + own[1] + reaped) / _TICKS + sum(processor_seconds(child) for child in _children(process))


def peak_memory(process: int) -> float:
    """Give the most megabytes a process has held at any time."""
    return _status(process, "VmHWM")


def memory(process: int) -> float:
    """Give the megabytes a process holds now."""
    return _status(process, "VmRSS")


def bytes_read(process: int) -> int:
    """Give the bytes a process has read from files and sockets."""
    lines = (_PROC / str(process) / "io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


class Meter:
    """Tells what each of some processes has computed since the meter was started."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = dict(processes)
        self._began = self._now()

    def spent(self) -> dict[str, float]:
        """Give processor seconds by name."""
        return {name: seconds - self._began[name] for name, seconds in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: processor_seconds(process) for name, process in self._processes.items()}


def in_words(spent: Mapping[str, float]) -> str:
    """Write processor seconds, the largest first."""
    ordered = sorted(spent.items(), key=lambda item: -item[1])
    return " · ".join(f"{name} {seconds:.2f}" for name, seconds in ordered if seconds >= 0.005)


def _fields(process: int) -> tuple[int, int, int, int] | None:
    """Read user, system, and the two of ended children, in ticks; None when the process is gone."""
    try:
        text = (_PROC / str(process) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    user, system, child_user, child_system = text.rpartition(")")[2].split()[11:15]
    return int(user), int(system), int(child_user), int(child_system)


def _children(process: int) -> list[int]:
    try:
        text = (_PROC / str(process) / "task" / str(process) / "children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for word in text.split()]


def _status(process: int, name: str) -> float:
    lines = (_PROC / str(process) / "status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name + ":")).split()[1]) / 1024
