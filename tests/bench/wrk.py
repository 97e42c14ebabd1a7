"""Load from `wrk`, whose Lua scripts say what is posted and print what they saw."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bench.client import NotWorkingError
from tests.servers import ServerMissingError


@dataclass(frozen=True, kw_only=True)
class Load:
    """What wrk saw."""

    requests: int
    seconds: float
    refused: int
    broken: int
    median_ms: float
    slow_ms: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def in_words(self) -> str:
        """Tell rate and latencies."""
        return f"{self.rate:,.0f}/s, median {self.median_ms:.1f} ms, 99 of 100 within {self.slow_ms:.1f} ms"


def flood(url: str, script: str, *arguments: str, connections: int, seconds: int) -> Load:
    """Let a script of this folder post as fast as answers come; raises when any of them is a refusal or breaks off."""
    program = shutil.which("wrk")
    if program is None:
        raise ServerMissingError("wrk: install Debian's package wrk.")
    shape = ["--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "10s"]
    command = [program, *shape, "--latency", "--script", str(Path(__file__).with_name(script)), url, "--", *arguments]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    load = Load(**json.loads(answer.stdout.rpartition("RESULT ")[2]))
    if load.refused or load.broken or not load.requests:
        raise NotWorkingError(f"Of {load.requests} requests {load.refused} were refused and {load.broken} broke off.")
    return load
