"""The reference in C: Postfix's `smtp-source`, eight sessions at once, into the same sink."""

import subprocess
import time

from tests.bench.servers import Server, mail_program
from tests.bench.usage import bytes_read

SESSIONS = 8
_TRIAL = 200


def smtp_source(sink: Server, mails: int, length: int, *, keep: bool) -> float:
    """Send mails with bodies of this length; gives mails a second.

    `keep`, each session sends all its mails over one connection, as the gateway does; else it opens one a mail, which
    is what `smtp-source` does by default.
    """
    command = [mail_program("smtp-source"), *(["-d"] if keep else []), "-s", str(SESSIONS), "-l", str(length)]
    addresses = ["-m", str(mails), "-f", "school@gateway.example.org", "-t", "parent@example.org"]
    began = time.perf_counter()
    subprocess.run([*command, *addresses, f"127.0.0.1:{sink.port}"], check=True, capture_output=True)
    return mails / (time.perf_counter() - began)


def length_for(sink: Server, bytes_each: float) -> int:
    """Find the body length with which the sink reads so many bytes a mail, commands and headers included."""
    trial = round(bytes_each)
    before = bytes_read(sink.process)
    smtp_source(sink, _TRIAL, trial, keep=True)
    return round(2 * trial - (bytes_read(sink.process) - before) / _TRIAL)
