"""When a provider that can be asked is asked what became of a hand-over of which it has said nothing final: pure."""

import datetime as dt
from collections.abc import Collection, Mapping

from gateway.dispatch.requests import Lane

_MINUTES: Mapping[Lane, tuple[int, ...]] = {
    Lane.EMERGENCY: (2, 10, 60),
    Lane.STANDARD: (10, 60, 360, 1_440),
    Lane.BULK: (10, 60, 360, 1_440),
    Lane.LETTERS: (1_440, 4_320, 10_080),
}
"""After the hand-over, by lane: who was not reached by an alert must be known while somebody can go there."""


class Questions:
    """The questions that are due, if its provider can be asked at all."""

    def __init__(self, askable: Collection[str] = ()) -> None:
        self._askable = frozenset(askable)

    def first(self, lane: str, provider: str | None, *, now: dt.datetime) -> dt.datetime | None:
        """Give the instant of the first question about a hand-over that was accepted now."""
        return next_question(lane, now, now=now) if provider in self._askable else None


def next_question(lane: str, sent_at: dt.datetime, *, now: dt.datetime) -> dt.datetime | None:
    """Give the instant of the next question about a hand-over; None when the last one has been asked."""
    instants = [sent_at + dt.timedelta(minutes=minutes) for minutes in _MINUTES.get(Lane(lane), ())]
    return next((instant for instant in instants if instant > now), None)
