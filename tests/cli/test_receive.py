"""`gateway receive` as an operator runs it: alone, told where to listen, until it is told to stop."""

import json
import os
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from gateway.access import bounce_address
from gateway.store.tables import receipts

SECRET = "invented-secret-of-the-command-line!"
COMMAND = [sys.executable, "-c", "from gateway.cli import main; main()", "receive"]


def surroundings(folder: Path, **others: str) -> dict[str, str]:
    """Give the environment of an installation in a folder."""
    own = {
        "GATEWAY_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'gateway.db'}",
        "GATEWAY_OUTBOX_DIR": str(folder / "outbox"),
        "GATEWAY_SECRET_KEY": SECRET,
    }
    return {**os.environ, **own, **others}


def test_it_takes_mail_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """On the port that it names in its log; what it acknowledged is on record."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0"], env=surroundings(tmp_path), stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            began = json.loads(process.stderr.readline())
            assert began["event"] == "receiving_mail"
            with smtplib.SMTP("127.0.0.1", began["port"], timeout=30) as client:
                path = bounce_address(SECRET, "06fqx2k9d1abcdef", "bounces.example.org")
                client.sendmail("", path, b"From: MAILER-DAEMON@example.net\r\n\r\n550 5.1.1 Nobody here.\r\n")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    engine = create_engine(f"sqlite:///{tmp_path / 'gateway.db'}")
    with engine.connect() as connection:
        assert connection.execute(select(receipts.c.status)).scalars().all() == ["bounced"]
    engine.dispose()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "GATEWAY_INBOUND_SMTP_PORT is missing"),
        ({"GATEWAY_INBOUND_SMTP_PORT": "mail"}, "GATEWAY_INBOUND_SMTP_PORT must be a whole number"),
        ({"GATEWAY_INBOUND_TLS_KEY": "key.pem"}, "GATEWAY_INBOUND_TLS_CERTIFICATE and GATEWAY_INBOUND_TLS_KEY go"),
    ],
)
def test_a_missing_setting_is_named(tmp_path: Path, settings: dict[str, str], sentence: str) -> None:
    """One sentence, and nothing has begun."""
    env = surroundings(tmp_path, **settings)
    run = subprocess.run(COMMAND, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith(f"gateway: {sentence}")
    assert len(run.stderr.splitlines()) == 1
