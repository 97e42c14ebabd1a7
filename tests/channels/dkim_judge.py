"""An independent judge of our signatures: dkimpy (Debian's python3-dkim), in a process of the system's own Python.

It is only published as a source package, so the test environment has none. `dkim_answers.py` is what the process runs.
"""

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import ServerMissingError

PYTHON = "/usr/bin/python3"


@dataclass
class Judge:
    """Asks dkimpy."""

    _process: subprocess.Popen[bytes]

    def verdicts(self, content: bytes, records: Mapping[str, str]) -> list[str]:
        """Judge a mail's signatures from the top: `pass`, `fail`, or the reason why one cannot be judged."""
        return list(self._ask(verify=_text(content), records=dict(records)))

    def seconds_to_sign(
        self, content: bytes, *, algorithm: str, key: str, names: list[str], times: int
    ) -> tuple[float, float]:
        """Measure how long dkimpy itself takes to sign a mail so many times, as relaxed as we do; and its CPU time.

        The key is a PEM for `rsa-sha256`, and 32 bytes in base64 for `ed25519-sha256`; `names` are the signed headers.
        """
        passed, used = self._ask(sign=_text(content), algorithm=algorithm, key=key, names=names, times=times)
        return passed, used

    def _ask(self, **question: object) -> Any:
        pipes = self._process
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        pipes.stdin.write(json.dumps(question).encode() + b"\n")
        pipes.stdin.flush()
        return json.loads(pipes.stdout.readline())


@contextmanager
def judge() -> Iterator[Judge]:
    """Keep a judge at hand; raises `ServerMissingError` where there is none."""
    there = Path(PYTHON).exists() and subprocess.run(
        [PYTHON, "-I", "-c", "import dkim, nacl"], capture_output=True, check=False
    )
    if not there or there.returncode:
        raise ServerMissingError("dkimpy, which checks our signatures: install Debian's package python3-dkim.")
    command = [PYTHON, "-I", Path(__file__).with_name("dkim_answers.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Judge(process)
        finally:
            process.kill()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
