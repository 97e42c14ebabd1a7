"""The command line as a user meets it: one sentence on stderr that names what to change, never a stack trace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def gateway(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command with its database and outbox in a folder of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/gateway.db",
        "GATEWAY_OUTBOX_DIR": str(folder / "outbox"),
    } | settings
    command = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("words", "settings", "named"),
    [
        (["doctor"], {"GATEWAY_SMTP_PORT": "smtp"}, "GATEWAY_SMTP_PORT"),
        (["doctor"], {"GATEWAY_EMAIL_PROVIDER": "pigeon"}, "GATEWAY_EMAIL_PROVIDER"),
        (["doctor"], {"GATEWAY_SMS_PROVIDER": "twilio"}, "GATEWAY_TWILIO_ACCOUNT_SID"),
        (["doctor"], {"GATEWAY_DATABASE_URL": "mysql://localhost/x"}, "GATEWAY_DATABASE_URL"),
        (["doctor"], {"GATEWAY_DATABASE_URL": "sqlite+aiosqlite:///:memory:"}, "GATEWAY_DATABASE_URL"),
        (["doctor"], {"GATEWAY_DATABASE_URL": "postgresql://gw@127.0.0.1:abc/x"}, "GATEWAY_DATABASE_URL"),
        (["doctor"], {"GATEWAY_REDIS_URL": "redis://"}, "GATEWAY_REDIS_URL"),
        (["doctor"], {"GATEWAY_PUBLIC_URL": "http://[::1"}, "GATEWAY_PUBLIC_URL"),
        (["work", "--lane", "bulk"], {}, "GATEWAY_REDIS_URL"),
        (["import", "nowhere.zip"], {}, "nowhere.zip"),
        (["import", "."], {}, "folder"),
        (["audience", "--directory", ".", "--request", "."], {}, "folder"),
        (["import", "x.zip"], {"GATEWAY_DATABASE_URL": "postgresql://gw@127.0.0.1:1/x"}, "GATEWAY_DATABASE_URL"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: list[str], settings: dict[str, str], named: str, tmp_path: Path
) -> None:
    """It names the setting or the file, and nothing of Python."""
    run = gateway(tmp_path, *words, **settings)
    assert run.returncode == 1
    assert named in run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_a_secret_is_never_repeated(tmp_path: Path) -> None:
    """A bad database URL is named, its password not shown."""
    run = gateway(tmp_path, "doctor", GATEWAY_DATABASE_URL="postgresql://gw:hunter2hunter2@127.0.0.1:1/x")
    assert "hunter2" not in run.stdout + run.stderr


def test_the_key_stands_alone_on_stdout(tmp_path: Path) -> None:
    """Scripts may take it as it is."""
    run = gateway(tmp_path, "keys", "create", "mis", "--scope", "send")
    assert run.returncode == 0
    assert run.stderr == ""
    assert run.stdout.startswith("smg_")
    assert len(run.stdout.split()) == 1


def test_the_audience_of_two_files_is_printed_as_json(tmp_path: Path) -> None:
    """The barred father is excluded, the mother told; a question that is none is answered with P0."""
    family = json.loads((ROOT / "tests/families/F03-father-barred-by-a-court-order.json").read_text())
    (tmp_path / "d.json").write_text(json.dumps(family["directory"]))
    files = ["--directory", str(tmp_path / "d.json"), "--request", str(tmp_path / "r.json")]
    (tmp_path / "r.json").write_text(json.dumps(family["cases"][0]["request"]))
    answer = json.loads(gateway(tmp_path, "audience", *files).stdout)
    assert [decision["rule"] for decision in answer["decisions"]] == ["R07", "R01", "R11"]
    (tmp_path / "r.json").write_text('{"category": "gossip"}')
    assert json.loads(gateway(tmp_path, "audience", *files).stdout)["error"]["rule"] == "P0"
