"""What a school may not set: whatever would break an invariant of the recipient rules, or cut somebody off."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from gateway.directory.model import Category, ChannelName
from gateway.rules.answer import Mode
from gateway.rules.categories import FLAG_EXEMPT, LIFE_SAFETY, UNSUBSCRIBABLE, Audience, CategoryRow
from gateway.rules.policy import Policy
from gateway.rules.policy_document import (
    CLOCK_TIME,
    JURISDICTION,
    CategorySettings,
    PolicyDocument,
    category_settings,
    merged,
)
from gateway.rules.restrictions import REVIEW_WINDOW_DAYS


class PolicyFault(NamedTuple):
    """One thing that a document must not say."""

    pointer: str
    """JSON pointer into the document."""
    sentence: str
    """What to do instead."""


_Fault = tuple[str, str]
"""A category's field and the sentence."""

_AUDIENCES: Mapping[Category, frozenset[Audience]] = {
    Category.EMERGENCY: frozenset({Audience.PARENTS_AND_EMERGENCY, Audience.PARENTS}),
    Category.CHILD_SAFETY: frozenset({Audience.PARENTS_AND_EMERGENCY, Audience.PARENTS}),
    Category.BILLING: frozenset({Audience.BILL_PAYERS, Audience.PARENTS}),
}
"""Emergency contacts join alerts alone (R11), bill payers matter to bills alone (P5); elsewhere no choice is left, as
whether people are named (P1) is part of the request's form."""

_NEVER_WAITING = LIFE_SAFETY | {Category.ATTENDANCE}
"""Invariant 5."""


def policy_faults(document: PolicyDocument, default: Policy) -> list[PolicyFault]:
    """List what must be changed before a school can work by this document; none means that it may be merged."""
    return [*_times(document), *_review(document), *_jurisdictions(document), *_categories(document, default)]


def _times(document: PolicyDocument) -> Iterator[PolicyFault]:
    for position, time in enumerate(document.quiet_hours or ()):
        if not re.fullmatch(CLOCK_TIME, time):
            yield PolicyFault(
                f"/quiet_hours/{position}", "Quiet hours are two times of day, for instance 21:00 and 07:00."
            )


def _review(document: PolicyDocument) -> Iterator[PolicyFault]:
    """R05: no block ends by itself, as it would if the review that begins a period also counted for its end."""
    days = document.safeguarding_review_days
    if not isinstance(days, UnsetType) and days <= REVIEW_WINDOW_DAYS:
        yield PolicyFault(
            "/safeguarding_review_days",
            f"A review {REVIEW_WINDOW_DAYS} days before the end is the last one, after which a block ends by itself: "
            f"choose at least {REVIEW_WINDOW_DAYS + 1} days.",
        )


def _jurisdictions(document: PolicyDocument) -> Iterator[PolicyFault]:
    for position, prefix in enumerate(document.united_states_prefixes or ()):
        if not re.fullmatch(JURISDICTION, prefix):
            yield PolicyFault(
                f"/united_states_prefixes/{position}",
                "A jurisdiction starts with a country code: US, or for instance US-CA.",
            )


def _categories(document: PolicyDocument, default: Policy) -> Iterator[PolicyFault]:
    policy = merged(document, default)
    for category, settings in category_settings(document).items():
        row, usual = policy.categories[category], default.categories[category]
        for field, sentence in _row_faults(category, settings, row, usual):
            yield PolicyFault(f"/categories/{category}/{field}", sentence)
        for field, sentence in _ladder(settings, row, has_minutes=category in policy.ladder_minutes):
            yield PolicyFault(f"/categories/{category}/{field}", sentence)


def _row_faults(
    category: Category, settings: CategorySettings, row: CategoryRow, usual: CategoryRow
) -> Iterator[_Fault]:
    """Check one line of the table as the document would make it."""
    yield from _fixed(category, row, usual)
    if len(set(row.channels)) < len(row.channels):
        yield "channels", "Name each channel once."
    if category in LIFE_SAFETY:
        yield from _alert(row)
    elif row.quiet_hours and category in _NEVER_WAITING:
        yield "quiet_hours", "No absence message may wait: set quiet_hours to false."
    yield from _refusing(category, settings, row)


def _fixed(category: Category, row: CategoryRow, usual: CategoryRow) -> Iterator[_Fault]:
    """Check what is not a school's to set, or only within bounds."""
    if row.sensitivity != usual.sensitivity:
        yield "sensitivity", f"The sensitivity of {category} is fixed at {usual.sensitivity}: leave it out."
    audiences = _AUDIENCES.get(category, frozenset({usual.audience}))
    if row.audience not in audiences:
        yield "audience", f"The audience of {category} can only be {_either(audiences)}."


def _alert(row: CategoryRow) -> Iterator[_Fault]:
    """Life-safety knows no wishes, no quiet hours, and no route that helps too late."""
    for field in ("may_opt_out", "must_opt_in", "own_channels", "quiet_hours"):
        if getattr(row, field):
            yield field, f"An alert knows no wishes and no quiet hours: set {field} to false."
    if not row.statutory:
        yield "statutory", "An alert is always owed: set statutory to true."
    if row.mode is Mode.FALLBACK:
        yield "mode", "An alert does not wait until a route has failed: choose simultaneous or ladder."
    if ChannelName.LETTER in row.channels:
        yield "channels", "A letter comes too late for an alert: leave it out."


def _refusing(category: Category, settings: CategorySettings, row: CategoryRow) -> Iterator[_Fault]:
    """Check who may refuse the category, and by what."""
    wish = "must_opt_in" if row.must_opt_in else "may_opt_out"
    refusable = row.may_opt_out or row.must_opt_in
    if row.may_opt_out and row.must_opt_in:
        yield _given(settings, "must_opt_in", "may_opt_out"), "Choose one: contacts may opt out, or must opt in."
    if refusable and category in FLAG_EXEMPT - LIFE_SAFETY:
        yield wish, f"Nobody can do without {category}: set {wish} to false."
    if refusable and row.statutory and category not in FLAG_EXEMPT:
        field = _given(settings, wish, "statutory")
        yield field, f"What the law requires nobody can refuse: set statutory or {wish} to false."
    if row.unsubscribe and category not in UNSUBSCRIBABLE:
        yield "unsubscribe", f"Only {_listed(UNSUBSCRIBABLE)} carry one-click unsubscribe: set unsubscribe to false."
    elif row.unsubscribe and not refusable:
        field = _given(settings, "unsubscribe", "may_opt_out", "must_opt_in")
        yield (
            field,
            "What nobody can refuse cannot be unsubscribed from: set unsubscribe to false, or may_opt_out to true.",
        )


def _ladder(settings: CategorySettings, row: CategoryRow, *, has_minutes: bool) -> Iterator[_Fault]:
    if row.mode is Mode.LADDER and not has_minutes:
        yield "mode", "A ladder needs the minutes until its next step: give ladder_minutes as well."
    if row.mode is not Mode.LADDER and settings.ladder_minutes is not UNSET:
        yield "ladder_minutes", "Only a ladder has steps: leave ladder_minutes out, or set mode to ladder."


def _given(settings: CategorySettings, *fields: str) -> str:
    """Name the first of the fields that the document sets: what is to be corrected stands there."""
    return next((field for field in fields if getattr(settings, field) is not UNSET), fields[0])


def _either(values: Iterable[str]) -> str:
    return " or ".join(sorted(values))


def _listed(values: Iterable[str]) -> str:
    *others, last = sorted(values)
    return f"{', '.join(others)} and {last}"
