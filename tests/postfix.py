"""A real Postfix for tests: its own configuration and queue in a folder of its own, on loopback, gone afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers import READY_WITHIN, ServerFailedError, ServerMissingError

PROGRAMS = Path("/usr/lib/postfix/sbin")
"""Where Debian and its like keep Postfix's daemons."""

_SERVICES = """\
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, kw_only=True)
class Postfix:
    """A running mail server."""

    port: int
    folder: Path

    @property
    def log(self) -> str:
        """What it has written down so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


@contextmanager
def postfix(*, relay_port: int, bounces: tuple[str, int]) -> Iterator[Postfix]:
    """Run a Postfix that relays all mail to a port of this machine, and that for a domain to another.

    `bounces` is that domain, with its port. A mail that has to wait is reported as delayed after a second.
    Raises `ServerMissingError` where there is no Postfix or no right to run it.
    """
    if not (PROGRAMS / "master").exists() or os.geteuid() != 0:
        raise ServerMissingError("Postfix: install postfix, and run the tests as root: its processes change users.")
    with tempfile.TemporaryDirectory(prefix="gateway-postfix-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = Postfix(port=free_port(), folder=folder)
        _configure(server, relay_port, *bounces)
        # Should the test run be killed, the kernel stops it.
        guard = ["setpriv", "--pdeathsig=TERM", "--"] if shutil.which("setpriv") else []
        process = subprocess.Popen(  # fixed commands of this file
            [*guard, PROGRAMS / "master", "-d", "-c", folder / "conf"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait(server, process)
            yield server
        finally:
            _stop(process)


def _configure(server: Postfix, relay_port: int, domain: str, port: int) -> None:
    """Write the configuration and make the queue's folders as `postfix check` wants them."""
    conf, queue, data = (server.folder / name for name in ("conf", "queue", "data"))
    for path in (conf, queue, data):
        path.mkdir()
    shutil.chown(data, "postfix", "postfix")
    settings = {
        "compatibility_level": "3.6", "queue_directory": queue, "data_directory": data,
        "daemon_directory": PROGRAMS, "command_directory": "/usr/sbin",
        "mail_owner": "postfix", "setgid_group": "postdrop", "maillog_file": server.folder / "log",
        "maillog_file_prefixes": server.folder,
        "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "disable_dns_lookups": "yes",
        "myhostname": "relay.example.net", "mydestination": "", "mynetworks": "127.0.0.0/8", "alias_maps": "",
        "local_recipient_maps": "", "local_transport": "error:there is nobody here",
        "relayhost": f"[127.0.0.1]:{relay_port}",
        "transport_maps": f"inline:{{{domain}=smtp:[127.0.0.1]:{port}}}",
        "delay_warning_time": "1s", "queue_run_delay": "1s", "minimal_backoff_time": "1s",
        "maximal_backoff_time": "2s",
        "smtp_tls_security_level": "none", "smtpd_tls_security_level": "none",
    }  # fmt: skip
    (conf / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    (conf / "master.cf").write_text(_SERVICES.format(port=f"127.0.0.1:{server.port}"))
    (conf / "dynamicmaps.cf").write_text("")
    for name, owner in [
        *((name, "postfix") for name in (
            "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"
        )),
        *((name, "postfix") for name in ("maildrop", "public")),
        ("pid", "root"),
    ]:  # fmt: skip
        path = queue / name
        path.mkdir()
        shutil.chown(path, owner, "postdrop" if name in {"maildrop", "public"} else "root")
        path.chmod(0o755 if name == "pid" else 0o730 if name == "maildrop" else 0o710 if name == "public" else 0o700)


def _wait(server: Postfix, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            if connection.recv(100).startswith(b"220"):
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise ServerFailedError(f"Postfix did not come up. The end of its log:\n{server.log[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole group of processes: `master` takes its daemons along, and nothing may stay."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
