"""The total state table of a delivery: (state, news) → (state, step).

Every state has an answer for every piece of news, however late, repeated or out of order it comes. Pairs
that are not written out leave the delivery as it is: old news never undoes a later truth.
"""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a delivery stands."""

    HELD = "held"
    """A person must decide."""
    QUEUED = "queued"
    """Waits for its time or for a worker."""
    SENDING = "sending"
    """Claimed by a worker; an attempt is on record."""
    RETRYING = "retrying"
    """Refused for now; waits for its next attempt."""
    SENT = "sent"
    """The provider accepted it."""
    DELIVERED = "delivered"
    """The provider reports arrival."""
    FAILED = "failed"
    """It will not arrive by this route."""
    UNKNOWN = "unknown"
    """An attempt got no answer; it may have been taken."""
    EXPIRED = "expired"
    """Its time ran out before it left."""
    CANCELLED = "cancelled"
    """Withdrawn by the sender before it left."""
    SUPPRESSED = "suppressed"
    """Withdrawn by a rule before it left."""


class News(StrEnum):
    """What can happen to a delivery."""

    CLAIMED = "claimed"
    """A worker took it."""
    RETURNED = "returned"
    """A worker gave it back untouched."""
    ACCEPTED = "accepted"
    """The provider took it."""
    POSTPONED = "postponed"
    """The provider did not take it this time."""
    REFUSED = "refused"
    """The provider refused it for good, or the retries are used up."""
    NO_ANSWER = "no_answer"
    """Nobody knows whether the provider took it."""
    NOT_FOUND = "not_found"
    """The provider was asked and has not got it."""
    DELIVERED = "delivered"
    """It arrived."""
    BOUNCED = "bounced"
    """It was accepted and came back."""
    MISSED = "missed"
    """It was accepted and reached nobody this time (busy, a mailbox, out of reach): worth another attempt."""
    EXPIRED = "expired"
    """Its time ran out."""
    CANCELLED = "cancelled"
    """The sender withdrew it."""
    SUPPRESSED = "suppressed"
    """A rule withdrew it."""
    HELD = "held"
    """A check wants a person's decision."""
    RELEASED = "released"
    """A person let it go."""
    CALLED_OFF = "called_off"
    """The sender withdrew it while it lay on a desk: staff had not brought it yet, or a letter was not printed."""
    TAKEN_BACK = "taken_back"
    """A rule withdrew it while it lay there."""


class Step(StrEnum):
    """What has to be done next."""

    NOTHING = "nothing"
    RETRY = "retry"
    """Hand it over again when it is due."""
    NEXT_ROUTE = "next_route"
    """Start the next contact point, or report the contact as unreachable."""
    RECOVER = "recover"
    """Find out what became of it, as its provider allows."""


class Change(NamedTuple):
    """The answer of the table."""

    state: State
    step: Step = Step.NOTHING


_WAITING = (State.QUEUED, State.RETRYING)
_SENT_WHILE_UNSEEN = (State.SENDING, State.UNKNOWN, State.RETRYING, State.QUEUED)


def _table() -> dict[tuple[State, News], Change]:
    table: dict[tuple[State, News], Change] = {}
    for state in _WAITING:
        table[state, News.CLAIMED] = Change(State.SENDING)
        table[state, News.EXPIRED] = Change(State.EXPIRED, Step.NEXT_ROUTE)
        table[state, News.HELD] = Change(State.HELD)
    for state in (*_WAITING, State.HELD):
        table[state, News.CANCELLED] = Change(State.CANCELLED)
        table[state, News.SUPPRESSED] = Change(State.SUPPRESSED)
    table[State.HELD, News.RELEASED] = Change(State.QUEUED, Step.RETRY)
    table[State.HELD, News.EXPIRED] = Change(State.EXPIRED)

    # The worker's own results. A claimed delivery that never reached the provider goes where the check says.
    table[State.SENDING, News.RETURNED] = Change(State.QUEUED, Step.RETRY)
    table[State.SENDING, News.POSTPONED] = Change(State.RETRYING, Step.RETRY)
    table[State.SENDING, News.REFUSED] = Change(State.FAILED, Step.NEXT_ROUTE)
    table[State.SENDING, News.NO_ANSWER] = Change(State.UNKNOWN, Step.RECOVER)
    table[State.SENDING, News.EXPIRED] = Change(State.EXPIRED, Step.NEXT_ROUTE)
    table[State.SENDING, News.CANCELLED] = Change(State.CANCELLED)
    table[State.SENDING, News.SUPPRESSED] = Change(State.SUPPRESSED)
    table[State.SENDING, News.HELD] = Change(State.HELD)

    # What settles an attempt without an answer.
    table[State.UNKNOWN, News.NOT_FOUND] = Change(State.RETRYING, Step.RETRY)
    table[State.UNKNOWN, News.CLAIMED] = Change(State.SENDING)
    table[State.UNKNOWN, News.REFUSED] = Change(State.FAILED, Step.NEXT_ROUTE)

    # Another attempt is planned only while nothing else has settled it; of what a worker still has in its hands the
    # news waits for that worker's own record.
    for state in (State.SENT, State.UNKNOWN, State.QUEUED):
        table[state, News.MISSED] = Change(State.RETRYING, Step.RETRY)

    # Receipts may overtake our own record, and may correct any end: what a handset says outranks what we meant.
    for state in _SENT_WHILE_UNSEEN:
        table[state, News.ACCEPTED] = Change(State.SENT)
        table[state, News.BOUNCED] = Change(State.FAILED, Step.NEXT_ROUTE)
    for state in (State.CANCELLED, State.SUPPRESSED, State.EXPIRED, State.HELD):
        table[state, News.ACCEPTED] = Change(State.SENT)
    for state in State:
        table[state, News.DELIVERED] = Change(State.DELIVERED)
    # What a machine has sent cannot be called back; of what lies on a desk people can be told in time.
    table[State.SENT, News.CALLED_OFF] = Change(State.CANCELLED)
    table[State.SENT, News.TAKEN_BACK] = Change(State.SUPPRESSED)
    table[State.EXPIRED, News.BOUNCED] = Change(State.FAILED)
    table[State.SENT, News.BOUNCED] = Change(State.FAILED, Step.NEXT_ROUTE)
    table[State.DELIVERED, News.BOUNCED] = Change(State.FAILED, Step.NEXT_ROUTE)
    table[State.SENT, News.EXPIRED] = Change(State.EXPIRED, Step.NEXT_ROUTE)
    table[State.UNKNOWN, News.EXPIRED] = Change(State.EXPIRED, Step.NEXT_ROUTE)
    return table


_TABLE = _table()

SETTLED = frozenset(
    {State.SENT, State.DELIVERED, State.FAILED, State.EXPIRED, State.CANCELLED, State.SUPPRESSED},
)
"""States that need nothing more from us."""


def settle(state: State, news: News, *, earlier: bool = False) -> Change:
    """Answer one piece of news; total over both enumerations.

    `earlier` says that it is about an attempt before the latest one: of such a one only the arrival counts.
    """
    if earlier and news is not News.DELIVERED:
        return Change(state)
    return _TABLE.get((state, news), Change(state))
