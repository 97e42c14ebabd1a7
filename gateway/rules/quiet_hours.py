"""R32: a message that would disturb waits for the next end of the contact's own quiet hours."""

import datetime as dt
from zoneinfo import ZoneInfo

from gateway.directory.model import Contact, Preferences

_DEFAULT = Preferences().quiet_hours


def end_of_quiet(at: dt.datetime, hours: tuple[str, str] | None, zone: ZoneInfo) -> dt.datetime | None:
    """Give the UTC instant at which quiet hours end, when `at` falls in them; None outside.

    `hours` are `(start, end)` as `HH:MM` on the wall clock of `zone`; the start is included, the end is not.
    """
    if hours is None:
        return None
    start, end = (dt.time.fromisoformat(hour) for hour in hours)
    local = at.astimezone(zone)
    now = local.time()
    if not _is_quiet(now, start, end):
        return None
    day = local.date() if now < end else local.date() + dt.timedelta(days=1)
    return _first_after(at, dt.datetime.combine(day, end, tzinfo=zone))


def may_disturb_at(
    contact: Contact, at: dt.datetime, *, usual: tuple[str, str], school_zone: str
) -> dt.datetime | None:
    """Give the instant from which a contact may be disturbed again; None when that is so `at` this one.

    `usual` are the school's quiet hours, for contacts whose own are still the default (section 2).
    """
    hours = contact.preferences.quiet_hours
    if hours == _DEFAULT:
        hours = usual
    return end_of_quiet(at, hours, ZoneInfo(contact.timezone or school_zone))


def _is_quiet(now: dt.time, start: dt.time, end: dt.time) -> bool:
    """Tell whether a time lies in hours that may pass midnight; equal ends are no quiet hours."""
    if start <= end:
        return start <= now < end
    return now >= start or now < end


def _first_after(at: dt.datetime, ending: dt.datetime) -> dt.datetime:
    """Read a wall-clock time as UTC; where clocks go back it comes twice, and only what is still to come counts."""
    first = ending.astimezone(dt.UTC)
    return first if first > at else ending.replace(fold=1).astimezone(dt.UTC)
