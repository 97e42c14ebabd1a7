"""The Compose file, checked without an engine: it parses, hides its secrets and runs every role of the gateway."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gateway.settings import known_settings, read_settings, unknown_settings

HERE = Path(__file__).parent
FILE = HERE.parents[1] / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
ASKED_FOR = re.compile(r"\$\{([A-Z_]+):\?[^}]+\}")
WITH_DEFAULT = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


def _fill_in(text: str) -> str:
    """Replace variables as Compose does: by their default, or by what the operator must give."""
    return WITH_DEFAULT.sub(r"\1", ASKED_FOR.sub("k" * 32, text))


def test_every_key_is_one_of_compose() -> None:
    """A misspelt key or a wrong type is an error here, not a surprise on the machine."""
    schema = json.loads((HERE / "compose.schema.json").read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(COMPOSE)
    assert [f"{'/'.join(map(str, error.path))}: {error.message}" for error in errors] == []


def test_every_role_runs() -> None:
    """Each lane has workers of its own, beside the API, the clock and the one-time migration."""
    commands = {" ".join(SERVICES[name]["command"]) for name in OURS}
    assert commands == {
        "serve --host 0.0.0.0 --port 8080",
        "work --lane emergency --health-port 8081",
        "work --lane standard --health-port 8081",
        "work --lane bulk --health-port 8081",
        "work --lane letters --health-port 8081",
        "work --lane webhooks --health-port 8081",
        "clock --health-port 8081",
        "receive --host 0.0.0.0 --port 2525 --health-port 8081",
        "migrate",
    }


def test_mail_comes_back_only_where_that_is_wanted() -> None:
    """The listener is started by its profile alone, and its port is one that the machine's own mail server reaches."""
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"receive"}
    assert SERVICES["receive"]["profiles"] == ["mail-back"]
    assert SERVICES["receive"]["ports"] == ["127.0.0.1:2525:2525"]


PLACES = {"GATEWAY_OUTBOX_DIR", "GATEWAY_LETTER_SPOOL_DIR"}
"""Folders that lie on the containers' volume, wherever that is on the machine."""


@pytest.mark.parametrize("name", OURS)
def test_every_setting_reaches_every_role(name: str) -> None:
    """What an operator writes into .env is passed on, whatever it is."""
    assert SERVICES[name]["environment"].keys() == known_settings() - PLACES


@pytest.mark.parametrize("name", OURS)
def test_the_settings_are_ones_the_gateway_reads(name: str) -> None:
    """The distributed gateway accepts the environment as it stands, with only the asked-for secrets filled in."""
    environment = {key: _fill_in(value or "") for key, value in SERVICES[name]["environment"].items()}
    settings = read_settings(environment)
    assert unknown_settings(environment) == []
    assert not settings.embedded
    assert not settings.sqlite


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_written_down(name: str) -> None:
    """Passwords and keys come from the operator's environment; without them Compose stops with a sentence."""
    for key, value in SERVICES[name].get("environment", {}).items():
        if value is not None and re.search(r"PASSWORD|SECRET|TOKEN|AUTH", key):
            assert ASKED_FOR.fullmatch(value)
        assert not re.search(r"://[^$/]*:[^$/]+@", value or "")


@pytest.mark.parametrize("name", SERVICES)
def test_images_name_a_version(name: str) -> None:
    """No image is whatever happens to be newest."""
    _, _, tag = _fill_in(SERVICES[name]["image"]).partition(":")
    assert re.match(r"v?[0-9]", tag)


@pytest.mark.parametrize("name", SERVICES)
def test_containers_can_do_little(name: str) -> None:
    """Read-only, without capabilities, and reachable from this machine only, if at all."""
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "/tmp" in service["tmpfs"]  # noqa: S108  # a mount, not a file of ours
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_services_come_back_and_leave_in_order(name: str) -> None:
    """All but the migration restart by themselves, say whether they are well, and may finish what they hold."""
    service = SERVICES[name]
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert ("test" in service["healthcheck"]) == (name != "migrate")
    assert service["stop_grace_period"] == "30s"


def test_nothing_starts_before_what_it_needs() -> None:
    """The database is well before the migration, the migration done and the broker well before everything else."""
    for name in OURS:
        conditions = {needed: needs["condition"] for needed, needs in SERVICES[name]["depends_on"].items()}
        if name == "migrate":
            assert conditions == {"postgres": "service_healthy"}
        else:
            assert conditions == {"migrate": "service_completed_successfully", "redis": "service_healthy"}


def test_the_stores_are_kept_and_kept_apart() -> None:
    """Database and broker write to volumes, drop nothing when memory is full, and have no way out or in."""
    redis = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in redis
    assert "--maxmemory-policy noeviction" in redis
    assert COMPOSE["networks"]["inside"]["internal"]
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["inside"]
        assert "ports" not in SERVICES[name]
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    used = {volume.partition(":")[0] for volume in volumes if isinstance(volume, str)}
    assert used == set(COMPOSE["volumes"])


def test_the_roles_share_what_waits_and_change_no_key() -> None:
    """Letters of one worker are printed by another and shown by the API; key files come from the machine, read-only."""
    for name in OURS:
        shared, keys = SERVICES[name]["volumes"]
        assert shared == "var:/app/var"
        assert (keys["type"], keys["target"], keys["read_only"]) == ("bind", "/keys", True)
