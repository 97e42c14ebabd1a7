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
        (["doctor"], {"GATEWAY_EMAIL_PROVIDER": "smtp,smtp"}, "GATEWAY_EMAIL_PROVIDER names a provider twice"),
        (["doctor"], {"GATEWAY_EMAIL_PROVIDER": "smtp=3,smtp2=-1"}, "whole numbers from 0 to 9999"),
        (["doctor"], {"GATEWAY_SMTP2_PASSWORD": "invented"}, "GATEWAY_SMTP2_USERNAME"),
        (["doctor"], {"GATEWAY_APPROVED_UNTIL": "email/smtp=2027-03-31"}, "email/smtp, which is not in use"),
        (["doctor"], {"GATEWAY_APPROVED_UNTIL": "email/outbox=31.3.2027"}, "must give days as 2027-03-31"),
        (["doctor"], {"GATEWAY_APPROVED_UNTIL": "outbox"}, "name each provider with its channel"),
        (["doctor"], {"GATEWAY_BUDGETS": "sms/outbox=much"}, "GATEWAY_BUDGETS must be a whole number"),
        (["doctor"], {"GATEWAY_BUDGETS": "sms/outbox=1,sms/outbox=2"}, "once"),
        (["doctor"], {"GATEWAY_DATABASE_URL": "mysql://localhost/x"}, "GATEWAY_DATABASE_URL"),
        (["doctor"], {"GATEWAY_DATABASE_URL": "sqlite+aiosqlite:///:memory:"}, "GATEWAY_DATABASE_URL"),
        (["doctor"], {"GATEWAY_DATABASE_URL": "postgresql://gw@127.0.0.1:abc/x"}, "GATEWAY_DATABASE_URL"),
        (["doctor"], {"GATEWAY_REDIS_URL": "redis://"}, "GATEWAY_REDIS_URL"),
        (["doctor"], {"GATEWAY_PUBLIC_URL": "http://[::1"}, "GATEWAY_PUBLIC_URL"),
        (["doctor"], {"GATEWAY_METRICS_PORT": "prometheus"}, "GATEWAY_METRICS_PORT"),
        (["doctor"], {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        (["work", "--lane", "bulk"], {}, "GATEWAY_REDIS_URL"),
        (["import", "nowhere.zip"], {}, "nowhere.zip"),
        (["import", "."], {}, "folder"),
        (["audience", "--directory", ".", "--request", "."], {}, "folder"),
        (["keys", "create", "", "--scope", "send"], {}, "A key's name"),
        (["keys", "create", " ", "--scope", "send"], {}, "A key's name"),
        (["keys", "create", "mis\x1b[2J", "--scope", "send"], {}, "A key's name"),
        (["keys", "create", "two\nlines", "--scope", "send"], {}, "A key's name"),
        (["keys", "create", "x" * 101, "--scope", "send"], {}, "A key's name"),
        (["keys", "revoke", "0123456789ab"], {}, "0123456789ab is no live key's id"),
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


def test_the_audience_may_be_asked_under_a_schools_own_settings(tmp_path: Path) -> None:
    """Alerts to parents alone leave out the emergency contact; what a school may not set is named."""
    family = json.loads((ROOT / "tests/families/F03-father-barred-by-a-court-order.json").read_text())
    (tmp_path / "d.json").write_text(json.dumps(family["directory"]))
    (tmp_path / "r.json").write_text(json.dumps(family["cases"][0]["request"]))
    files = [
        part for name in ("directory", "request", "policy") for part in (f"--{name}", f"{tmp_path}/{name[0]}.json")
    ]
    (tmp_path / "p.json").write_text('{"categories": {"emergency": {"audience": "parents"}}}')
    answer = json.loads(gateway(tmp_path, "audience", *files).stdout)
    assert [decision["rule"] for decision in answer["decisions"]] == ["R07", "R01", "R07"]
    (tmp_path / "p.json").write_text('{"categories": {"emergency": {"quiet_hours": true}}}')
    refused = json.loads(gateway(tmp_path, "audience", *files).stdout)["error"]
    assert refused["rule"] == "P0"
    assert "/categories/emergency/quiet_hours" in refused["reason"]


def test_the_life_of_a_key(tmp_path: Path) -> None:
    """Made, listed without its secret, revoked once; a revoked one stays in the list."""
    key = gateway(tmp_path, "keys", "create", "x" * 100, "--scope", "send", "--scope", "read").stdout.strip()
    identifier, secret = key.split("_", 2)[1:]
    listed = gateway(tmp_path, "keys", "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert identifier in listed.stdout
    assert "read send" in listed.stdout
    assert secret not in listed.stdout
    first, second = [gateway(tmp_path, "keys", "revoke", identifier) for _ in range(2)]
    assert (first.returncode, second.returncode) == (0, 1)
    assert identifier in gateway(tmp_path, "keys", "list").stdout


def test_a_whole_key_in_place_of_its_id_is_not_repeated(tmp_path: Path) -> None:
    """It would end up in somebody's log."""
    key = gateway(tmp_path, "keys", "create", "mis", "--scope", "send").stdout.strip()
    run = gateway(tmp_path, "keys", "revoke", key)
    assert run.returncode == 1
    assert key not in run.stdout + run.stderr
