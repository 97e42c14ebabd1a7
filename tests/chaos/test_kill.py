"""A killed demonstration, with its calls and letters, loses nothing and sends nothing twice.

The long form (`make chaos`) also compares its decisions with those of a run in peace.
"""

import asyncio
from pathlib import Path

from tests.chaos.accounting import account
from tests.chaos.running import Folder

BEGUN = 400
"""Pieces in the outbox when it is killed: some of every kind."""


def test_killed_in_the_midst_the_demonstration_goes_on(tmp_path: Path) -> None:
    """What was under way is found out about, and the rest leaves, each piece once."""
    folder = Folder(tmp_path)
    assert folder.kill_at(BEGUN, "demo")
    folder.run("demo")
    found = asyncio.run(account(folder.database_url, folder.outbox))
    assert found.faults == []
    assert found.pieces > BEGUN
