"""Providers' stand-ins on loopback, and the settings that lead a command to them."""

import asyncio
import datetime as dt
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.channels import lob_server, sinch_server, twilio_server
from tests.channels.smtp_server import CERTIFICATE, RealServer, real_server

ROOT = Path(__file__).parents[2]

SINCH = {
    "GATEWAY_SMS_PROVIDER": "sinch",
    "GATEWAY_SINCH_SERVICE_PLAN_ID": sinch_server.PLAN_ID,
    "GATEWAY_SINCH_API_TOKEN": sinch_server.API_TOKEN,
    "GATEWAY_SINCH_FROM": sinch_server.SENDER,
    "GATEWAY_SINCH_CALLBACK_SECRET": sinch_server.CALLBACK_SECRET,
}
TWILIO = {
    "GATEWAY_SMS_PROVIDER": "twilio",
    "GATEWAY_TWILIO_ACCOUNT_SID": twilio_server.ACCOUNT_SID,
    "GATEWAY_TWILIO_AUTH_TOKEN": twilio_server.AUTH_TOKEN,
    "GATEWAY_TWILIO_FROM": twilio_server.FROM_NUMBER,
}
LOB = {
    "GATEWAY_LETTER_RETURN_ADDRESS": "1 School Lane; Springfield, IL; 62701",
    "GATEWAY_LOB_API_KEY": lob_server.API_KEY,
    "GATEWAY_LOB_WEBHOOK_SECRET": lob_server.WEBHOOK_SECRET,
}


def now() -> dt.datetime:
    """Tell the time, as the stand-ins and the command must agree about it."""
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a command left behind."""

    status: int
    out: str
    complaint: str


async def gateway(folder: Path, *words: str, **settings: str) -> Run:
    """Run one command with a folder of its own while the stand-ins answer in this process."""
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/gateway.db",
        "GATEWAY_OUTBOX_DIR": str(folder / "outbox"),
        "GATEWAY_EMAIL_FROM": "office@school.example.org",
        **settings,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *words, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(60):
        out, complaint = await process.communicate()
    assert process.returncode is not None
    return Run(status=process.returncode, out=out.decode(), complaint=complaint.decode())


@dataclass(frozen=True, kw_only=True)
class World:
    """Every provider that an installation can use, and the settings that lead there."""

    settings: dict[str, str] = field(default_factory=dict)
    relays: list[RealServer] = field(default_factory=list)


@asynccontextmanager
async def every_provider(folder: Path) -> AsyncIterator[World]:
    """Run two mail servers with TLS and logins, Twilio, Sinch, Lob, a print house; the keys are made in the folder."""
    async with AsyncExitStack() as stack:
        world = World(settings={"GATEWAY_PUBLIC_URL": "https://messages.school.example.org", **TWILIO, **SINCH, **LOB})
        for name in ("SMTP", "SMTP2"):
            relay = await stack.enter_async_context(real_server(tls="starttls", login=True))
            world.relays.append(relay)
            world.settings.update(_relay(name, relay))
        sinch = await stack.enter_async_context(sinch_server.running_sinch(now))
        twilio = await stack.enter_async_context(twilio_server.running_twilio(now))
        lob = await stack.enter_async_context(lob_server.running_lob(now))
        world.settings.update(await stack.enter_async_context(print_house(folder)))
        world.settings.update(
            GATEWAY_EMAIL_PROVIDER="smtp=3,smtp2",
            GATEWAY_SMS_PROVIDER="twilio,sinch",
            GATEWAY_VOICE_PROVIDER="twilio,staff=0",
            GATEWAY_LETTER_PROVIDER="spool,lob",
            GATEWAY_LETTER_SPOOL_DIR=str(folder / "spool"),
            GATEWAY_TWILIO_API_BASE_URL=twilio.base_url,
            GATEWAY_SINCH_API_BASE_URL=sinch.base_url,
            GATEWAY_LOB_API_BASE_URL=lob.base_url,
            **dkim_keys(folder),
        )
        yield world


def _relay(name: str, relay: RealServer) -> dict[str, str]:
    return {
        f"GATEWAY_{name}_HOST": "127.0.0.1",
        f"GATEWAY_{name}_PORT": str(relay.port),
        f"GATEWAY_{name}_TLS": "starttls",
        f"GATEWAY_{name}_CA_FILE": str(CERTIFICATE),
        f"GATEWAY_{name}_USERNAME": "office",
        f"GATEWAY_{name}_PASSWORD": relay.password.decode(),
    }


@asynccontextmanager
async def print_house(folder: Path) -> AsyncIterator[dict[str, str]]:
    """Run an SFTP server that knows one key, and only the folder `incoming`."""
    own, ours = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    ours.write_private_key(folder / "sftp-key")
    ours.write_public_key(folder / "sftp-key.pub")
    (folder / "print-house" / "incoming").mkdir(parents=True)
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[own],
        authorized_client_keys=str(folder / "sftp-key.pub"),
        sftp_factory=lambda connection: asyncssh.SFTPServer(connection, chroot=str(folder / "print-house").encode()),
    )
    try:
        yield {
            "GATEWAY_LETTER_SFTP_URL": f"sftp://school@127.0.0.1:{server.get_port()}/incoming",
            "GATEWAY_LETTER_SFTP_KEY_FILE": str(folder / "sftp-key"),
            "GATEWAY_LETTER_SFTP_HOST_KEY": own.export_public_key().decode().strip(),
        }
    finally:
        server.close()
        await server.wait_closed()


def dkim_keys(folder: Path) -> dict[str, str]:
    """Make a key of each kind, by which the first relay signs."""
    keys = {
        "rsa": generate_private_key(public_exponent=65537, key_size=2048),
        "ed25519": Ed25519PrivateKey.generate(),
    }
    files = {name: folder / f"{name}.pem" for name in keys}
    for name, key in keys.items():
        files[name].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {
        "GATEWAY_SMTP_DKIM_DOMAIN": "school.example.org",
        "GATEWAY_SMTP_DKIM_SELECTOR": ",".join(files),
        "GATEWAY_SMTP_DKIM_KEY_FILE": ",".join(str(file) for file in files.values()),
    }
