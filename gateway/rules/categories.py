"""The table of categories: whom each reaches, what may be wished, by which routes (recipient rules, section 3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.directory.model import Category, ChannelName
from gateway.rules.answer import Mode


class Audience(StrEnum):
    """Whom a category is meant for; stages P3 to P5 say who that is."""

    PARENTS = "parents"
    PARENTS_AND_EMERGENCY = "parents_and_emergency_contacts"
    PERSON = "person"
    BILL_PAYERS = "bill_payers"


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryRow:
    """One line of the table."""

    sensitivity: int
    """0 general, 1 personal, 2 sensitive."""
    audience: Audience
    statutory: bool
    may_opt_out: bool
    must_opt_in: bool
    own_channels: bool
    """The contact's own order of channels counts."""
    quiet_hours: bool
    mode: Mode
    channels: tuple[ChannelName, ...]
    first_of_each: bool
    """Only the first point of each channel is used."""
    unsubscribe: bool
    """Carries one-click unsubscribe."""


LIFE_SAFETY = frozenset({Category.EMERGENCY, Category.CHILD_SAFETY})
FLAG_EXEMPT = LIFE_SAFETY | {Category.BILLING, Category.ACCOUNT}
UNSUBSCRIBABLE = frozenset({Category.NEWSLETTER, Category.CELEBRATION, Category.FUNDRAISING})
"""All that may carry one-click unsubscribe, lest a stray click cut off a parent."""


def _row(
    sensitivity: int,
    audience: Audience,
    statutory: str,
    wishes: str,
    mode: Mode,
    channels: str,
    unsubscribe: str = "no",
    *,
    first_of_each: bool = False,
) -> CategoryRow:
    """Read one line as section 3 writes it; wishes: o may opt out, i must opt in, c own channels, q quiet hours."""
    return CategoryRow(
        sensitivity=sensitivity,
        audience=audience,
        statutory=statutory == "yes",
        may_opt_out="o" in wishes,
        must_opt_in="i" in wishes,
        own_channels="c" in wishes,
        quiet_hours="q" in wishes,
        mode=mode,
        channels=tuple(ChannelName(channel) for channel in channels.split()),
        first_of_each=first_of_each,
        unsubscribe=unsubscribe == "yes",
    )


_ALERTED = Audience.PARENTS_AND_EMERGENCY
_PARENTS = Audience.PARENTS
_PERSON = Audience.PERSON
_PAYERS = Audience.BILL_PAYERS

# fmt: off
CATEGORIES: Mapping[Category, CategoryRow] = {
    #                            sens. audience  statutory wishes  mode and channels                     unsubscribe
    Category.EMERGENCY:    _row(1, _ALERTED, "yes", "-",     Mode.SIMULTANEOUS, "sms voice email"),
    Category.CHILD_SAFETY: _row(1, _ALERTED, "yes", "-",     Mode.LADDER,       "voice sms email"),
    Category.ATTENDANCE:   _row(1, _PARENTS, "yes", "-",     Mode.LADDER,       "sms voice email", first_of_each=True),
    Category.SAFEGUARDING: _row(2, _PERSON,  "yes", "c q",   Mode.FALLBACK,     "email letter"),
    Category.REPORT:       _row(2, _PARENTS, "yes", "c q",   Mode.FALLBACK,     "email sms letter"),
    Category.PROGRESS:     _row(1, _PARENTS, "no",  "o c q", Mode.FALLBACK,     "email sms voice letter"),
    Category.BEHAVIOUR:    _row(2, _PARENTS, "no",  "o c q", Mode.FALLBACK,     "email sms letter"),
    Category.SEND:         _row(2, _PARENTS, "no",  "o c q", Mode.FALLBACK,     "email letter"),
    Category.MEETING:      _row(1, _PARENTS, "yes", "c q",   Mode.FALLBACK,     "email sms letter"),
    Category.CONSENT:      _row(1, _PARENTS, "yes", "c q",   Mode.FALLBACK,     "email sms letter"),
    Category.BILLING:      _row(1, _PAYERS,  "no",  "c q",   Mode.FALLBACK,     "email letter"),
    Category.ROUTINE:      _row(0, _PARENTS, "no",  "o c q", Mode.FALLBACK,     "email sms letter"),
    Category.NEWSLETTER:   _row(0, _PARENTS, "no",  "o c q", Mode.FALLBACK,     "email letter",           "yes"),
    Category.CELEBRATION:  _row(0, _PARENTS, "no",  "o c q", Mode.FALLBACK,     "email sms letter",       "yes"),
    Category.FUNDRAISING:  _row(0, _PARENTS, "no",  "i c q", Mode.FALLBACK,     "email",                  "yes"),
    Category.ACCOUNT:      _row(1, _PERSON,  "yes", "c q",   Mode.FALLBACK,     "email sms letter"),
    Category.REPLY:        _row(2, _PERSON,  "yes", "c q",   Mode.FALLBACK,     "email sms letter"),
}
# fmt: on
