"""Kills `gateway demo` again and again, and lets it finish: its account must be that of a run in peace."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.accounting import Account, account
from tests.chaos.running import Folder


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One run with its kills, and what was wrong at the end."""

    kills: int
    unanswered: int
    faults: list[str]


def run_in_peace(path: Path) -> Account:
    """Run the demonstration without any kill."""
    folder = Folder(path)
    folder.run("demo")
    return asyncio.run(account(folder.database_url, folder.outbox))


def run_with_kills(path: Path, peace: Account, chance: random.Random, *, kills: int) -> Schedule:
    """Run the demonstration, kill it at `kills` moments, then let it end."""
    folder = Folder(path)
    moments = sorted(chance.sample(range(1, peace.pieces * 9 // 10), kills))  # later it may be quicker than the kill
    killed = sum(folder.kill_at(moment, "demo") for moment in moments)
    folder.run("demo")
    found = asyncio.run(account(folder.database_url, folder.outbox))
    return Schedule(kills=killed, unanswered=found.unanswered, faults=[*found.faults, *differences(peace, found)])


def differences(peace: Account, found: Account) -> list[str]:
    """Say where an account differs from that of a run in peace."""
    deterred = peace.deterred | found.deterred
    pairs = {pair for pair in peace.decided.keys() | found.decided.keys() if pair[2] not in deterred}
    return [
        *(f"was not sent: {key}" for key in peace.sent - found.sent),
        *(f"was sent beyond that: {key}" for key in found.sent - peace.sent),
        *(
            f"decided otherwise: {pair}: {found.decided.get(pair)} instead of {peace.decided.get(pair)}"
            for pair in sorted(pairs)
            if found.decided.get(pair) != peace.decided.get(pair)
        ),
    ]
