"""The page of settings names every setting, and no other."""

import re
from pathlib import Path

from gateway.settings import PREFIX, RELAYS, known_settings

PAGE = Path(__file__).parents[2] / "SETTINGS.md"


def test_every_setting_has_its_line() -> None:
    """A new setting is written down before it lands; the second relay has those of the first."""
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = {PREFIX + name for row in rows for name in re.findall(r"`([A-Z0-9_]+)`", row)}
    first, second = (f"{PREFIX}{relay.upper()}_" for relay in RELAYS)
    named |= {second + name.removeprefix(first) for name in named if name.startswith(first)}
    assert named == known_settings()
