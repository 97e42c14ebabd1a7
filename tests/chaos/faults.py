"""What can go wrong, to whom, for how long; and the plan of one schedule, drawn from a seed."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

WINDOW_SECONDS = 2.5
"""Faults begin within this; the notifications of a schedule are posted within it, too."""


class Stage(StrEnum):
    """The installations that faults are made on."""

    PROVIDERS = "PostgreSQL, Redis, mail server, text provider"
    OUTBOX = "PostgreSQL, Redis, outbox"
    SMALL_PROVIDERS = "SQLite, mail server, text provider"
    SMALL_OUTBOX = "SQLite, outbox"

    @property
    def distributed(self) -> bool:
        """Whether several processes share PostgreSQL and Redis; else one does all on SQLite."""
        return self in {Stage.PROVIDERS, Stage.OUTBOX}

    @property
    def has_providers(self) -> bool:
        """Whether mails and texts go to servers; else into a folder."""
        return self in {Stage.PROVIDERS, Stage.SMALL_PROVIDERS}


class Fault(StrEnum):
    """One kind of trouble."""

    WORKER_KILLED = "worker killed"
    PLANNER_KILLED = "planner killed"
    SERVE_KILLED = "serve killed"
    CLOCK_KILLED = "clock killed"
    WORKER_FROZEN = "worker frozen beyond its lease"
    REDIS_RESTARTED = "Redis restarted"
    REDIS_FLUSHED = "Redis flushed"
    REDIS_PAUSED = "Redis paused"
    POSTGRESQL_RESTARTED = "PostgreSQL restarted"
    POSTGRESQL_CRASHED = "PostgreSQL crashed"
    POSTGRESQL_PAUSED = "PostgreSQL paused"
    CONNECTIONS_CUT = "database connections cut"
    MAIL_RESET = "mail server resets"
    MAIL_STALLS = "mail server stalls"
    MAIL_421 = "mail server answers 421"
    MAIL_451 = "mail server answers 451"
    MAIL_552 = "mail server answers 552"
    MAIL_DROPPED = "mail taken, connection dropped"
    TEXT_429 = "text provider answers 429"
    TEXT_500 = "text provider answers 500"
    TEXT_TIMEOUT = "text provider times out"
    TEXT_CUT = "text taken, connection cut"
    RECEIPTS_SHUFFLED = "receipts doubled and shuffled"
    DISK_FULL = "no room on the outbox's disk"


_LASTS = {
    Fault.WORKER_FROZEN: (5.0, 6.0),
    Fault.POSTGRESQL_PAUSED: (0.5, 2.5),
    Fault.REDIS_PAUSED: (0.5, 2.5),
    Fault.MAIL_STALLS: (1.0, 4.0),
    Fault.TEXT_TIMEOUT: (1.0, 3.0),
    Fault.TEXT_500: (0.5, 2.5),
    Fault.TEXT_429: (0.5, 2.5),
}
_USUALLY_LASTS = (0.2, 1.5)

_OF_PROVIDERS = frozenset(fault for fault in Fault if fault.name.startswith(("MAIL_", "TEXT_", "RECEIPTS_")))
_OF_EVERYBODY = frozenset({Fault.SERVE_KILLED})
_OF_OUTBOX = frozenset({Fault.DISK_FULL})
_OF_DISTRIBUTED = frozenset(Fault) - _OF_PROVIDERS - _OF_EVERYBODY - _OF_OUTBOX


LASTING = sorted(_OF_DISTRIBUTED | {Fault.SERVE_KILLED, Fault.MAIL_DROPPED, Fault.TEXT_CUT})
"""What leaves no refusals behind, after which the product waits on purpose."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """One fault: when it begins, in seconds from the schedule's start, and how long it lasts."""

    at: float
    fault: Fault
    lasts: float
    """For a killed or restarted program: until it is started again."""


def possible(stage: Stage) -> list[Fault]:
    """List what can happen on a stage."""
    of_stage = set(_OF_EVERYBODY | (_OF_PROVIDERS if stage.has_providers else _OF_OUTBOX))
    if stage.distributed:
        of_stage |= _OF_DISTRIBUTED
    return [fault for fault in Fault if fault in of_stage]


def plan(chance: random.Random, stage: Stage, number: int) -> list[Strike]:
    """Draw the faults of a schedule, in the order of their beginnings."""
    return timed(chance, chance.choices(possible(stage), k=number))


def timed(chance: random.Random, faults: Collection[Fault]) -> list[Strike]:
    """Give each fault its moment."""
    strikes = [
        Strike(
            at=chance.uniform(0.1, WINDOW_SECONDS),
            fault=fault,
            lasts=chance.uniform(*_LASTS.get(fault, _USUALLY_LASTS)),
        )
        for fault in faults
    ]
    return sorted(strikes, key=lambda strike: strike.at)
