"""P2: which blocks and orders are live, what they cover, and what a block decides (R01, R02, R05, R06, R06a)."""

import datetime as dt
from collections.abc import Iterable

import msgspec

from gateway.directory.model import (
    ANY,
    Basis,
    Category,
    ChannelName,
    Effect,
    Restriction,
    RestrictionStatus,
)
from gateway.rules.policy import Policy
from gateway.rules.verdict import Verdict, exclude, hold

REVIEW_WINDOW_DAYS = 30
"""A review counts as one for the end when it is no earlier than this before the last day."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """The restrictions that work on one student and contact, for one category on one day."""

    blocks: tuple[Restriction, ...] = ()
    """Live denies that match: all channels."""
    limited: tuple[Restriction, ...] = ()
    """Live denies of some channels only; they act in P8."""
    must_send: tuple[Restriction, ...] = ()
    """Live active orders to send."""


NO_ORDERS = Orders()

_CONFLICT = hold("R06")
_ORDERED = exclude("R01")
_SAFEGUARDED = exclude("R02")
_DRAFTED = exclude("R06a")
_LAPSED = hold("R05")
_DRAFT_HELD = hold("R06a")


def orders_for(
    restrictions: Iterable[Restriction], category: Category, today: dt.date, policy: Policy, *, adult: bool
) -> Orders:
    """Sort out the live restrictions that cover a category; an adult student knows no order to send."""
    live = [r for r in restrictions if covers(r.categories, category) and is_live(r, today, policy)]
    if not live:
        return NO_ORDERS
    denies = [r for r in live if r.effect is Effect.DENY]
    return Orders(
        blocks=tuple(r for r in denies if covers_every_channel(r)),
        limited=tuple(r for r in denies if not covers_every_channel(r)),
        must_send=()
        if adult
        else tuple(r for r in live if r.effect is Effect.MUST_SEND and r.status is RestrictionStatus.ACTIVE),
    )


def block(orders: Orders, sensitivity: int, today: dt.date, policy: Policy) -> Verdict | None:
    """P2: decide for a contact with a live matching deny; None where there is none."""
    if not orders.blocks:
        return None
    if orders.must_send:
        return _CONFLICT
    in_date = [r for r in orders.blocks if not is_past(r, today, policy)]
    active = [r for r in in_date if r.status is RestrictionStatus.ACTIVE]
    if any(r.basis is not Basis.SAFEGUARDING for r in active):
        return _ORDERED
    if active:
        return _SAFEGUARDED
    if in_date and sensitivity >= 1:
        return _DRAFTED
    return _LAPSED if len(in_date) < len(orders.blocks) else _DRAFT_HELD


def is_live(restriction: Restriction, today: dt.date, policy: Policy) -> bool:
    """Tell whether a restriction works: not superseded, begun, not ended; drafts and lapsed denies do."""
    if restriction.status is RestrictionStatus.SUPERSEDED:
        return False
    if restriction.from_ is not None and today < restriction.from_:
        return False
    return not _has_ended(restriction, today, policy)


def is_past(restriction: Restriction, today: dt.date, policy: Policy) -> bool:
    """Tell whether the last day is over; a live deny that is past has lapsed (R05)."""
    last = last_day(restriction, policy)
    return last is not None and today > last


def last_day(restriction: Restriction, policy: Policy) -> dt.date | None:
    """Find the last day a restriction was meant for; None means no end."""
    if restriction.until is not None:
        return restriction.until
    if restriction.basis is not Basis.SAFEGUARDING:
        return None
    start = restriction.reviewed_on or restriction.from_
    return None if start is None else _days_after(start, policy.safeguarding_review_days)


def covers(listed: Iterable[str], value: str) -> bool:
    """Tell whether a list of categories or channels covers one of them; the empty list covers nothing (R04)."""
    return ANY in listed or value in listed


def covers_every_channel(restriction: Restriction) -> bool:
    """Tell whether a restriction matches: `*` or all four channels."""
    return ANY in restriction.channels or set(restriction.channels).issuperset(ChannelName)


def _has_ended(restriction: Restriction, today: dt.date, policy: Policy) -> bool:
    """Past its last day a must_send has ended; a deny only when somebody reviewed it about then."""
    last = last_day(restriction, policy)
    if last is None or today <= last:
        return False
    if restriction.effect is Effect.MUST_SEND:
        return True
    reviewed = restriction.reviewed_on
    return reviewed is not None and _days_after(last, -REVIEW_WINDOW_DAYS) <= reviewed <= today


def _days_after(day: dt.date, days: int) -> dt.date:
    """Add days and stay within the calendar."""
    ordinal = min(max(day.toordinal() + days, dt.date.min.toordinal()), dt.date.max.toordinal())
    return dt.date.fromordinal(ordinal)
