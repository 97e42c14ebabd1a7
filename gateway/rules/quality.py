"""Data quality as the recipient rules see it: flags, shared addresses, restrictions and responsibility to clear up."""

import datetime as dt
from collections.abc import Iterable, Iterator

from gateway.directory.indexing import DirectoryIndex, IndexedPoint
from gateway.directory.model import (
    Category,
    ChannelName,
    Effect,
    Flag,
    Relationship,
    Responsibility,
    Restriction,
    RestrictionStatus,
)
from gateway.directory.quality import Finding, FindingKind, Quality, concerned_points, concerned_rows, record_findings
from gateway.rules.answer import Request
from gateway.rules.audience import DEFAULT_POLICY
from gateway.rules.entitlement import is_parent
from gateway.rules.flags import SELF_REQUESTED
from gateway.rules.households import Households
from gateway.rules.occasion import Occasion, Pupil, occasion_of, pupil_of
from gateway.rules.policy import Policy
from gateway.rules.restrictions import REVIEW_WINDOW_DAYS, covers, is_live, is_past, last_day
from gateway.rules.stages import is_barred_by_care

_NUMBERS = (ChannelName.SMS, ChannelName.VOICE)


def quality(index: DirectoryIndex, at: dt.datetime, *, policy: Policy = DEFAULT_POLICY) -> Quality:
    """Look a whole directory through on the day of `at`; raises `RefusedError` when P0 does."""
    occasion = occasion_of(index, Request(category=Category.REPORT, at=at, everyone=True), policy)
    rows = concerned_rows(index, occasion.today)
    pupils = {row.student: pupil_of(occasion, index.students[row.student]) for row in rows}
    findings = [
        *record_findings(index, occasion.today),
        *_unexplained_flags(pupils, rows),
        *_unknown_responsibility(pupils, rows),
        *_shared_with_barred(pupils, rows),
        *_shared_apart(occasion, rows),
        *_restrictions(occasion),
    ]
    return Quality(
        findings=tuple(sorted(findings, key=place)),
        never_verified=len(concerned_points(index, rows)),
    )


def place(finding: Finding) -> tuple[str, str, str]:
    """Give what findings are ordered by; no two have the same."""
    return finding.kind.value, finding.id, f"{finding.field}/{finding.student or ''}"


def _unexplained_flags(pupils: dict[str, Pupil], rows: Iterable[Relationship]) -> Iterator[Finding]:
    """R10b: a parent is flagged out, and not at their own request."""
    for row in rows:
        flags = (
            ("correspondence", row.correspondence, row.correspondence_reason),
            ("reports", row.reports, row.reports_reason),
        )
        for field, flag, reason in flags:
            if flag is Flag.NO and reason != SELF_REQUESTED and is_parent(pupils[row.student], row):
                sentence = "This flag stops a parent without the parent's own request: find out why, or take it back."
                yield _of_row(row, FindingKind.UNEXPLAINED_FLAG, field, "R10b", sentence)


def _unknown_responsibility(pupils: dict[str, Pupil], rows: Iterable[Relationship]) -> Iterator[Finding]:
    """R13: somebody lives with the child, is no parent, and the school does not know of any responsibility."""
    for row in rows:
        pupil = pupils[row.student]
        unknown = row.parental_responsibility is Responsibility.UNKNOWN and row.professional is None
        if unknown and row.lives_with and not pupil.occasion.united_states and not is_parent(pupil, row):
            sentence = "Whether this contact, who lives with the child, has parental responsibility is not known: ask."
            yield _of_row(row, FindingKind.UNKNOWN_RESPONSIBILITY, "parental_responsibility", "R13", sentence)


def _shared_with_barred(pupils: dict[str, Pupil], rows: Iterable[Relationship]) -> Iterator[Finding]:
    """R30: an address is also that of somebody who may not be told of the student."""
    for row in rows:
        pupil = pupils[row.student]
        for point in pupil.occasion.index.points.get(row.contact, ()):
            if any(_is_barred(pupil, sharer, point.channel) for sharer in point.sharers):
                yield Finding(
                    kind=FindingKind.SHARED_WITH_BARRED,
                    entity="contact_points",
                    id=point.id,
                    field="address",
                    rule="R30",
                    sentence="Somebody who may not be told of this student shares the address: ask for another one.",
                    student=row.student,
                    contact=row.contact,
                )


def _is_barred(pupil: Pupil, sharer: str, channel: ChannelName) -> bool:
    occasion = pupil.occasion
    restrictions = occasion.index.restrictions.get((pupil.student.id, sharer), ())
    return is_barred_by_care(pupil, sharer) or any(
        restriction.effect is Effect.DENY
        and bool(restriction.categories)
        and covers(restriction.channels, channel)
        and is_live(restriction, occasion.today, occasion.policy)
        for restriction in restrictions
    )


def _shared_apart(occasion: Occasion, rows: Iterable[Relationship]) -> Iterator[Finding]:
    """R29: one finding an address, under the first of its points."""
    households = Households(occasion.index, occasion.today, occasion.policy)
    contested: dict[tuple[str, str], IndexedPoint] = {}
    for contact in {row.contact for row in rows}:
        for point in occasion.index.points.get(contact, ()):
            if point.channel is ChannelName.LETTER or point.closed:
                continue
            if any(not households.are_joint(contact, sharer) for sharer in point.sharers):
                medium = "number" if point.channel in _NUMBERS else point.channel.value
                first = contested.setdefault((medium, point.key), point)
                contested[medium, point.key] = min(first, point, key=lambda one: one.id)
    for point in contested.values():
        yield Finding(
            kind=FindingKind.SHARED_APART,
            entity="contact_points",
            id=point.id,
            field="address",
            rule="R29",
            sentence="People who do not live together share this address: ask each of them for one of their own.",
            contact=point.contact,
        )


def _restrictions(occasion: Occasion) -> Iterator[Finding]:
    """R05 and R06a: blocks and orders that somebody must review, renew or approve."""
    for restriction in occasion.index.directory.restrictions:
        if not is_live(restriction, occasion.today, occasion.policy):
            continue
        last = last_day(restriction, occasion.policy)
        if is_past(restriction, occasion.today, occasion.policy):
            sentence = "This block has run out without review and holds messages: review it."
            yield _of_restriction(restriction, FindingKind.LAPSED_RESTRICTION, "until", "R05", sentence, str(last))
        elif restriction.status is RestrictionStatus.DRAFT:
            sentence = "This restriction awaits its second person, and a block already works: approve or withdraw it."
            yield _of_restriction(restriction, FindingKind.DRAFT_RESTRICTION, "status", "R06a", sentence, "draft")
        elif last is not None and _needs_review(restriction, last, occasion.today):
            sentence = "This restriction ends within 30 days: review whether it goes on."
            yield _of_restriction(restriction, FindingKind.ENDING_RESTRICTION, "until", "R05", sentence, str(last))


def _needs_review(restriction: Restriction, last: dt.date, today: dt.date) -> bool:
    """Tell whether the end is near and nobody has looked at it within the window of R05."""
    window = dt.timedelta(days=REVIEW_WINDOW_DAYS)
    reviewed = restriction.reviewed_on
    return last - today <= window and (reviewed is None or last - reviewed > window)


def _of_row(row: Relationship, kind: FindingKind, field: str, rule: str, sentence: str) -> Finding:
    return Finding(
        kind=kind,
        entity="relationships",
        id=f"{row.student}/{row.contact}",
        field=field,
        rule=rule,
        sentence=sentence,
        student=row.student,
        contact=row.contact,
    )


def _of_restriction(
    restriction: Restriction, kind: FindingKind, field: str, rule: str, sentence: str, state: str
) -> Finding:
    return Finding(
        kind=kind,
        entity="restrictions",
        id=restriction.id,
        field=field,
        rule=rule,
        sentence=sentence,
        state=state,
        student=restriction.student,
        contact=restriction.contact,
    )
