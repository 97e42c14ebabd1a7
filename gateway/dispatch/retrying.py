"""When a refused hand-over, or one that reached nobody, is tried again: pure, per lane, with jitter."""

import datetime as dt
from collections.abc import Mapping

from gateway.directory.model import ChannelName
from gateway.dispatch.requests import Lane

_SECONDS: Mapping[Lane, tuple[float, ...]] = {
    Lane.EMERGENCY: (2, 5, 10, 20, 40, 60, 120, 300, 600),
    Lane.STANDARD: (15, 60, 300, 900, 3_600, 7_200, 14_400),
    Lane.BULK: (60, 300, 1_800, 7_200, 21_600, 43_200),
    Lane.LETTERS: (60, 300, 1_800, 7_200, 21_600, 43_200),
}
"""Delays after the first, second … refusal. An alert is stale after minutes, a newsletter after days."""

_JITTER = 0.2

LONGEST_ASKED = 86_400.0
"""Seconds: a provider that wants to be left alone for longer is tried after a day all the same."""

RECOVERY_DELAY = dt.timedelta(seconds=20)
"""How long an unanswered attempt rests before its provider is asked: late answers arrive meanwhile."""


def next_attempt(
    lane: Lane, refusals: int, *, now: dt.datetime, chance: float, asked: float | None = None
) -> dt.datetime | None:
    """Give the instant of the next attempt, or None when the retries are used up.

    `refusals` counts from 1; `chance` is a random number from 0 to 1 that spreads a crowd of retries;
    `asked` are the seconds the provider wants us to wait, which are granted, with a little more to part the crowd.
    """
    schedule = _SECONDS[lane]
    if refusals > len(schedule):
        return None
    delay = schedule[refusals - 1] * (1 - _JITTER / 2 + _JITTER * chance)
    granted = min(asked or 0.0, LONGEST_ASKED) * (1 + _JITTER / 2 * chance)
    return now + dt.timedelta(seconds=max(delay, granted))


_MISSED_MINUTES: Mapping[tuple[ChannelName, bool], tuple[float, ...]] = {
    (ChannelName.VOICE, True): (1, 3, 5),
    (ChannelName.VOICE, False): (5, 30),
    (ChannelName.SMS, True): (5,),
    (ChannelName.SMS, False): (60,),
}
"""Delays after an attempt that the provider took and that reached nobody, by channel and whether it is an alert.

Somebody else may take the next call; a handset out of reach gets what the carrier holds anyway, so one repetition is
for what the carrier gave up. Mails and letters are repeated by whoever carries them.
"""


def next_after_miss(
    lane: Lane, channel: ChannelName, missed: int, *, now: dt.datetime, expires_at: dt.datetime | None, chance: float
) -> dt.datetime | None:
    """Give the instant of the attempt after the `missed`th one that reached nobody; None when there is none in time."""
    schedule = _MISSED_MINUTES.get((channel, lane is Lane.EMERGENCY), ())
    if missed > len(schedule):
        return None
    due_at = now + dt.timedelta(minutes=schedule[missed - 1] * (1 - _JITTER / 2 + _JITTER * chance))
    return None if expires_at is not None and due_at >= expires_at else due_at
