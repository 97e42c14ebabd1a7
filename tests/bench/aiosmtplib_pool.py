"""The reference in asyncio: eight aiosmtplib connections that send the same mails, without a database.

Runs as a process of its own: `python -m tests.bench.aiosmtplib_pool PORT MAILS FILE`; prints the seconds it took.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import aiosmtplib
import uvloop

CONNECTIONS = 8
_OLD_RECIPIENT = b"c0000000b@example.org"


async def send_all(port: int, mails: int, content: bytes) -> float:
    """Send over a pool that is open already, as the gateway's is; gives seconds."""
    numbers = iter(range(mails))
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False) for _ in range(CONNECTIONS)]

    async def work(client: aiosmtplib.SMTP) -> None:
        for number in numbers:
            recipient = f"c{number:07}b@example.org"
            mail = content.replace(_OLD_RECIPIENT, recipient.encode())
            await client.sendmail("school@gateway.example.org", [recipient], mail)

    await asyncio.gather(*(client.connect() for client in clients))
    began = time.perf_counter()
    await asyncio.gather(*(work(client) for client in clients))
    seconds = time.perf_counter() - began
    await asyncio.gather(*(client.quit() for client in clients))
    return seconds


def pool(port: int, mails: int, file: Path) -> float:
    """Measure the pool in a process of its own; gives mails a second."""
    command = [sys.executable, "-m", "tests.bench.aiosmtplib_pool", str(port), str(mails), str(file)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return mails / float(answer.stdout)


def main() -> None:
    """Send what the command line says."""
    port, mails, file = sys.argv[1:]
    seconds = uvloop.run(send_all(int(port), int(mails), Path(file).read_bytes()))
    sys.stdout.write(f"{seconds}\n")


if __name__ == "__main__":
    main()
