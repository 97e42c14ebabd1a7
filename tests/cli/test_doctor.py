"""`gateway doctor` in an operator's hands: real protocols, each provider's stand-in, one line for each finding."""

import datetime as dt
import re
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key

from tests.cli.stand_ins import Run, World, dkim_keys, every_provider, gateway, now

MARKS = {"ok", "advice", "missing", "unknown", "publish"}

WRONG = {
    "GATEWAY_SMTP_PASSWORD": "not the password",
    "GATEWAY_SMTP2_CA_FILE": "no-such-file.pem",
    "GATEWAY_TWILIO_AUTH_TOKEN": "not-the-token",
    "GATEWAY_SINCH_API_TOKEN": "not-the-token",
    "GATEWAY_LOB_API_KEY": "test_not_the_key",
    "GATEWAY_LETTER_SPOOL_DIR": f"{__file__}/spool",
    "GATEWAY_LETTER_SFTP_HOST_KEY": f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}",
}

PROVIDERS = {
    "email by smtp": "GATEWAY_SMTP_",
    "email by smtp2": "GATEWAY_SMTP2_CA_FILE",
    "sms by twilio": "GATEWAY_TWILIO_AUTH_TOKEN",
    "sms by sinch": "GATEWAY_SINCH_API_TOKEN",
    "voice by twilio_voice": "GATEWAY_TWILIO_AUTH_TOKEN",
    "letter by spool": "GATEWAY_LETTER_SPOOL_DIR",
    "letter by lob": "GATEWAY_LOB_API_KEY",
    "print house over SFTP": "GATEWAY_LETTER_SFTP_HOST_KEY",
}
"""Whoever the doctor talks to, as it calls them, and what its sentence leads to when that is wrong."""


def findings(run: Run) -> dict[str, list[str]]:
    """Sort the lines by their mark; every line is a finding, and nothing else is said."""
    assert run.complaint == ""
    found: dict[str, list[str]] = {mark: [] for mark in MARKS}
    for line in run.out.splitlines():
        mark, _, rest = line.partition("  ")
        found[mark].append(rest)
    return found


def says_no_secret(run: Run, world: World) -> bool:
    """Tell whether passwords, tokens and keys stay unsaid, right or wrong, and whom mails come from."""
    settings = [*world.settings.items(), *WRONG.items()]
    secrets = [value for name, value in settings if re.search("PASSWORD|TOKEN|API_KEY|SECRET", name)]
    assert len(secrets) == 11
    return not [word for word in (*secrets, "office@") if word in run.out]


async def test_the_doctor_talks_to_every_provider(tmp_path: Path) -> None:
    """All of them at once, over TLS and with logins: nothing is missing, nothing is sent."""
    async with every_provider(tmp_path) as world:
        run = await gateway(tmp_path, "doctor", **world.settings)
        assert [relay.logins for relay in world.relays] == [["office"], ["office"]]
        assert [relay.received for relay in world.relays] == [[], []]
    found = findings(run)
    assert set(PROVIDERS) <= set(found["ok"])
    assert found["missing"] == found["advice"] == found["unknown"] == []
    assert run.status == 0
    assert says_no_secret(run, world)


async def test_each_wrong_setting_is_led_to(tmp_path: Path) -> None:
    """A sentence for each provider that refuses us or cannot be used at all; the others are looked at all the same."""
    async with every_provider(tmp_path) as world:
        run = await gateway(tmp_path, "doctor", **world.settings | WRONG)
    missing = findings(run)["missing"]
    assert len(missing) == len(PROVIDERS)
    for name, setting in PROVIDERS.items():
        (sentence,) = [line for line in missing if line.startswith(f"{name}: ")]
        assert setting in sentence
        assert sentence.endswith(".")
    assert run.status == 1
    assert says_no_secret(run, world)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("email by smtp2", {"GATEWAY_SMTP2_PASSWORD": "not the password"}),
        ("sms by sinch", {"GATEWAY_SINCH_API_TOKEN": "not-the-token"}),
    ],
)
async def test_one_that_is_wrong_is_enough(tmp_path: Path, name: str, wrong: dict[str, str]) -> None:
    """The exit status says so, whoever else is well."""
    async with every_provider(tmp_path) as world:
        run = await gateway(tmp_path, "doctor", **world.settings | wrong)
    (missing,) = findings(run)["missing"]
    assert missing.startswith(f"{name}: ")
    assert run.status == 1


async def test_the_doctor_says_who_is_away(tmp_path: Path) -> None:
    """Each that does not answer, by name, and what to look at."""
    async with every_provider(tmp_path) as world:
        pass
    run = await gateway(tmp_path, "doctor", **world.settings)
    found = findings(run)
    assert "letter by spool" in found["ok"]
    away = [line for line in found["missing"] if re.search("GATEWAY_[A-Z0-9]+", line)]
    assert len(away) == len(PROVIDERS) - 1
    assert run.status == 1


async def test_a_database_that_is_away_hides_nobody(tmp_path: Path) -> None:
    """The providers are examined all the same: on a bad day several things are wrong at once."""
    gone = {"GATEWAY_DATABASE_URL": "postgresql://gw:hunter2@127.0.0.1:1/gw", "GATEWAY_SECRET_KEY": "k" * 32}
    budget = {"GATEWAY_BUDGETS": "sms/twilio=100"}
    async with every_provider(tmp_path) as world:
        run = await gateway(tmp_path, "doctor", **world.settings | gone | budget)
    found = findings(run)
    assert set(PROVIDERS) <= set(found["ok"])
    (missing,) = found["missing"]
    assert "GATEWAY_DATABASE_URL" in missing
    assert "hunter2" not in run.out
    assert run.status == 1


async def test_the_records_to_publish_are_those_of_the_keys(tmp_path: Path) -> None:
    """A long key in strings that a name server takes; joined again they hold the public half, and nothing else."""
    run = await gateway(tmp_path, "doctor", GATEWAY_EMAIL_PROVIDER="smtp,smtp2", **dkim_keys(tmp_path))
    rsa, ed25519 = findings(run)["publish"]
    start = "so that receivers can check mails by smtp: "
    assert rsa.startswith(f'{start}rsa._domainkey.school.example.org TXT "v=DKIM1; k=rsa; p=')
    assert ed25519.startswith(f'{start}ed25519._domainkey.school.example.org TXT "v=DKIM1; k=ed25519; p=')
    strings = re.findall('"([^"]*)"', rsa)
    assert [len(string) <= 255 for string in strings] == [True, True]
    key = load_pem_private_key((tmp_path / "rsa.pem").read_bytes(), password=None)
    published = load_der_public_key(b64decode("".join(strings).partition("p=")[2]))
    assert published == key.public_key()


async def test_what_will_end_soon_is_told_in_time(tmp_path: Path) -> None:
    """An approval that ends this month is advice; one that has ended means that nothing is given to the provider."""
    today = now().date()
    soon, past = today + dt.timedelta(days=20), today - dt.timedelta(days=1)
    run = await gateway(
        tmp_path,
        "doctor",
        GATEWAY_APPROVED_UNTIL=f"sms/outbox={soon},voice/outbox={past},letter/outbox={today + dt.timedelta(days=400)}",
        GATEWAY_BUDGETS="email/outbox=100,letter/outbox=0",
    )
    found = findings(run)
    assert f"sms by outbox (approved until {soon}, 20 days)" in found["ok"]
    assert "email by outbox (0 of 100 used this month)" in found["ok"]
    assert [line.partition(":")[0] for line in found["advice"] if "approval" in line] == ["approval of sms/outbox"]
    voice, letter = found["missing"]
    assert voice.startswith(f"voice by outbox (approved until {past}, -1 days): its approval is over")
    assert "its budget of this month is used up" in letter
    assert run.status == 1


async def test_a_first_installation_is_well(tmp_path: Path) -> None:
    """Everything goes into files, which is said once."""
    run = await gateway(tmp_path, "doctor", GATEWAY_SMPT_HOST="mail.example.org")
    found = findings(run)
    assert found["missing"] == []
    assert [line.partition(":")[0] for line in found["advice"]] == ["alerts leave this installation"]
    assert found["unknown"] == ["GATEWAY_SMPT_HOST is read by nothing: correct its name or remove it"]
    assert run.status == 0
