"""Who is paged, and when, while a life-safety hold waits for a person (R45): pure.

The first round goes to the safeguarding lead as soon as a hold is due. Every five minutes the next role is paged, and
after the last the first again, until somebody acknowledges, the holds are settled, or six rounds were in vain.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody on the duty roster is paged as."""

    SAFEGUARDING = "safeguarding"
    HEAD = "head"
    OFFICE = "office"


CHAIN = (Role.SAFEGUARDING, Role.HEAD, Role.OFFICE)
"""Who is paged after whom."""

BETWEEN_ROUNDS = dt.timedelta(minutes=5)
MOST_ROUNDS = 6


class Alarm(StrEnum):
    """Why paging alone will not do; each is the kind of a task for the office."""

    NOBODY_ON_DUTY = "nobody_on_duty"
    """No safeguarding lead is on the roster."""
    NOBODY_ANSWERS = "nobody_answers"
    """The last round is over and nobody has acknowledged it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """Pages that went out together."""

    number: int
    """Counts the rounds of a notification from 1."""
    at: dt.datetime
    failed: bool = False
    """Whether no page of it can arrive any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """What to do now."""

    role: Role | None = None
    """Whom to page; None for nobody yet, or nobody any more."""
    number: int = 0
    """Which round that is."""
    alarm: Alarm | None = None


def advise(
    waiting_since: dt.datetime, rounds: Sequence[Round], on_duty: Collection[Role], *, now: dt.datetime
) -> Advice:
    """Say whom to page about holds that wait since they were due; `rounds` are those so far, oldest first.

    Rounds before `waiting_since` were about other holds, which somebody has settled or acknowledged.
    """
    if now < waiting_since:
        return Advice()
    alarm = None if Role.SAFEGUARDING in on_duty else Alarm.NOBODY_ON_DUTY
    chain = [role for role in CHAIN if role in on_duty]
    past = [each for each in rounds if each.at >= waiting_since]
    if not chain or not _is_time(past, len(chain), now):
        return Advice(alarm=alarm)
    if len(past) >= MOST_ROUNDS:
        return Advice(alarm=Alarm.NOBODY_ANSWERS)
    number = rounds[-1].number + 1 if rounds else 1
    return Advice(role=chain[len(past) % len(chain)], number=number, alarm=alarm)


def _is_time(past: Sequence[Round], roles: int, now: dt.datetime) -> bool:
    """Tell whether five minutes are over; a round that reached nobody is no reason to wait for the next role."""
    if not past or now - past[-1].at >= BETWEEN_ROUNDS:
        return True
    return past[-1].failed and len(past) < roles
