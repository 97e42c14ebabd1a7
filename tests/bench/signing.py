"""How many mails a second one core signs: against dkimpy on the same mail and headers, and on their way into a sink.

Run it with `python -m tests.bench signing`; it needs dkimpy (Debian's python3-dkim) and `smtp-sink` (postfix). All take
turns in the same minutes; medians of five, and ratios.
"""

import asyncio
import base64
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from channels.base import Envelope, Mail
from channels.dkim_signing import SIGNED, DkimKey, DkimSettings, MailSigner, PrivateKey
from channels.email_mime import PreparedMail
from channels.email_smtp import SmtpChannel, SmtpSettings, SmtpTls, utc_now
from tests.bench.mails import by_prepared_bytes, prepared_text
from tests.bench.smtp import CONNECTIONS, sink
from tests.channels.dkim_judge import Judge, judge
from tests.servers import ServerMissingError

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
MAILS = 1_000
"""Of one round."""
THEIRS = 20
"""Mails that dkimpy signs in one round with RSA; Ed25519 takes ten times as many."""
BATCH = 4 * CONNECTIONS
"""Mails in one `send`, as the gateway's batches of mail are."""
BATCHES_AT_ONCE = 4
DOMAIN = "example.org"
KEYS: dict[str, PrivateKey] = {"rsa": rsa.generate_private_key(65537, 2048), "ed25519": Ed25519PrivateKey.generate()}

Round = Callable[[], tuple[float, float]]
"""Gives mails a second, and microseconds of CPU a mail."""


def newsletters(count: int) -> list[bytes]:
    """Build mails of about 7 kB."""
    text = prepared_text()
    mail = PreparedMail.prepare(
        sender=("Riverside School", "office@school.example.org"),
        language=text.email_language,
        subject=text.subject,
        plain=text.plain,
        html=text.html,
    )
    return list(map(by_prepared_bytes(text, mail, fill=False), range(count)))


def signing(contents: list[bytes], *kinds: str) -> Round:
    """Sign in this process, with nothing around."""
    signer = MailSigner(DOMAIN, [(kind, KEYS[kind]) for kind in kinds], now=utc_now)
    return lambda: measured(lambda: [signer.signed(content) for content in contents], len(contents))


def handing_over(contents: list[bytes], port: int, folder: Path, *kinds: str) -> Round:
    """Sign and hand over to `smtp-sink`, several batches at once."""
    keys = tuple(DkimKey(selector=kind, file=folder / kind) for kind in kinds)
    settings = SmtpSettings(
        host="127.0.0.1",
        port=port,
        tls=SmtpTls.NONE,
        hello_name="bench",
        connections=CONNECTIONS,
        dkim=DkimSettings(domain=DOMAIN, keys=keys) if keys else None,
    )
    envelopes = [
        Envelope(
            delivery=f"d{number}",
            payload=Mail(
                sender="b@example.org", recipient=f"p{number}@example.org", message_id=f"<{number}@x>", content=content
            ),
        )
        for number, content in enumerate(contents)
    ]

    async def run() -> None:
        channel = SmtpChannel(settings)
        await channel.open()
        batches = iter([envelopes[start : start + BATCH] for start in range(0, len(envelopes), BATCH)])

        async def send() -> None:
            for batch in batches:
                async with aclosing(channel.send(batch)) as answers:
                    assert all([answer.accepted async for answer in answers])

        await asyncio.gather(*(send() for _ in range(BATCHES_AT_ONCE)))
        await channel.close()

    return lambda: measured(lambda: uvloop.run(run()), len(contents))


def by_dkimpy(content: bytes, theirs: Judge, kind: str) -> Round:
    """Let dkimpy sign; its headers are those that we name."""
    key, times = KEYS[kind], THEIRS if kind == "rsa" else 10 * THEIRS
    if isinstance(key, Ed25519PrivateKey):
        text = base64.b64encode(key.private_bytes_raw()).decode()
    else:
        text = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    names = [name.decode() for name, _ in itertools.product(SIGNED, range(2))]

    def run() -> tuple[float, float]:
        seconds, used = theirs.seconds_to_sign(content, algorithm=f"{kind}-sha256", key=text, names=names, times=times)
        return times / seconds, 1e6 * used / times

    return run


def measured(work: Callable[[], object], mails: int) -> tuple[float, float]:
    """Measure time and CPU."""
    started, used = time.perf_counter(), time.process_time()
    work()
    return mails / (time.perf_counter() - started), 1e6 * (time.process_time() - used) / mails


def main() -> None:
    """Print one line each."""
    contents = newsletters(MAILS)
    with judge() as theirs, sink() as port, tempfile.TemporaryDirectory(prefix="gateway-bench-keys-") as name:
        folder = Path(name)
        for kind, key in KEYS.items():
            (folder / kind).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        rounds: dict[str, Round] = {
            "RSA-2048": signing(contents, "rsa"),
            "Ed25519": signing(contents, "ed25519"),
            "both": signing(contents, "rsa", "ed25519"),
            "RSA-2048 by dkimpy": by_dkimpy(contents[0], theirs, "rsa"),
            "Ed25519 by dkimpy": by_dkimpy(contents[0], theirs, "ed25519"),
            "handed over unsigned": handing_over(contents, port, folder),
            "handed over, RSA-2048": handing_over(contents, port, folder, "rsa"),
            "handed over, Ed25519": handing_over(contents, port, folder, "ed25519"),
        }
        figures: dict[str, list[tuple[float, float]]] = {what: [] for what in rounds}
        for _ in range(ROUNDS):
            for what, run in rounds.items():
                figures[what].append(run())
    out = sys.stdout.write
    out(f"one mail: {len(contents[0])} bytes; medians of {ROUNDS}\n")
    medians = {what: tuple(map(statistics.median, zip(*values, strict=True))) for what, values in figures.items()}
    for what, (rate, cpu) in medians.items():
        peer = medians.get(f"{what} by dkimpy")
        ratio = f"{peer[1] / cpu:8.1f} times less than dkimpy" if peer else ""
        out(f"{what:26}{rate:10.0f} mails/s{cpu:10.1f} µs CPU{ratio}\n")


if __name__ == "__main__":
    try:
        main()
    except ServerMissingError as missing:
        sys.exit(str(missing))
