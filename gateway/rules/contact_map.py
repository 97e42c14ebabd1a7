"""The contact map: everybody related to one student, what each is told, why, and by which routes (Q01)."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from gateway.directory.indexing import DirectoryIndex, in_range
from gateway.directory.masking import masked
from gateway.directory.model import (
    Basis,
    Category,
    ChannelName,
    ContactPoint,
    Effect,
    PointLabel,
    PointState,
    Relationship,
    Responsibility,
    Restriction,
    RestrictionStatus,
)
from gateway.rules.answer import Decision, Outcome, Request
from gateway.rules.audience import DEFAULT_POLICY, decide
from gateway.rules.categories import Audience
from gateway.rules.occasion import Pupil, RefusedError, occasion_of, pupil_of
from gateway.rules.parity import parents_of
from gateway.rules.policy import Policy
from gateway.rules.restrictions import is_live, is_past


class KnownPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A contact point as staff may see it."""

    id: str
    channel: ChannelName
    address: str
    """Masked; of a confidential one nothing."""
    state: PointState
    label: PointLabel
    shared: bool
    """Another living contact has the same address."""


class Entitlement(msgspec.Struct, frozen=True, kw_only=True):
    """What one contact is told in one category."""

    category: Category
    outcome: Outcome
    rule: str
    reason: str
    if_named: bool
    """The category goes to named people: this is the answer for when the contact is named."""


class MappedContact(msgspec.Struct, frozen=True, kw_only=True):
    """One contact of the student."""

    contact: str
    title: str
    given_name: str
    family_name: str
    relation: str
    current: bool
    """Whether the relationship holds today."""
    deceased: bool
    parent: bool
    """A parent by the law that applies (R07)."""
    natural_parent: bool
    parental_responsibility: Responsibility
    lives_with: bool
    care_of_child: bool
    emergency_contact: bool
    bill_payer: bool
    professional: str | None
    priority: int | None
    language: str
    formats: tuple[str, ...]
    interpreter: bool
    restrictions: tuple[str, ...]
    """The rules by which restrictions work on this contact and student today; what they rest on is not told here."""
    points: tuple[KnownPoint, ...]
    entitlements: tuple[Entitlement, ...]


class ContactMap(msgspec.Struct, frozen=True, kw_only=True):
    """Who must be told about one student, on one day."""

    student: str
    given_name: str
    family_name: str
    enrolled: bool
    on: dt.date
    contacts: tuple[MappedContact, ...]
    """In order of id, people whose relationship has ended too."""


class PointBook:
    """All contact points of a directory as staff may see them, in the order in which the rules take them."""

    def __init__(self, index: DirectoryIndex) -> None:
        self._index = index
        self._points: Mapping[str, ContactPoint] = {point.id: point for point in index.directory.contact_points}

    def of(self, contact: str, channels: Iterable[ChannelName] = ChannelName) -> tuple[KnownPoint, ...]:
        """List one contact's points on these channels."""
        return tuple(
            KnownPoint(
                id=point.id,
                channel=point.channel,
                address=masked(point),
                state=point.state,
                label=point.label,
                shared=bool(indexed.sharers),
            )
            for channel in channels
            for indexed in self._index.points.get(contact, ())
            if indexed.channel is channel
            for point in [self._points[indexed.id]]
        )


def contact_map(index: DirectoryIndex, student: str, at: dt.datetime, *, policy: Policy = DEFAULT_POLICY) -> ContactMap:
    """Map one student's contacts; raises `RefusedError` when P0 does."""
    request = Request(category=Category.ROUTINE, at=at, students=(student,))
    pupil = pupil_of(occasion_of(index, request, policy), index.students[student])
    entitlements: dict[str, list[Entitlement]] = {}
    for category in sorted(policy.categories):
        for decision in _decisions(pupil, category):
            if_named = policy.categories[category].audience is Audience.PERSON
            entitlements.setdefault(decision.contact, []).append(_entitlement(category, decision, if_named=if_named))
    parents, book = set(parents_of(pupil)), PointBook(index)
    return ContactMap(
        student=student,
        given_name=pupil.student.given_name,
        family_name=pupil.student.family_name,
        enrolled=pupil.enrolled,
        on=pupil.occasion.today,
        contacts=tuple(
            _mapped(pupil, contact, tuple(entitlements[contact]), book, parent=contact in parents)
            for contact in index.rows.get(student, ())
        ),
    )


def _decisions(pupil: Pupil, category: Category) -> tuple[Decision, ...]:
    """Decide about everybody related to the student; a category for named people names them all."""
    occasion = pupil.occasion
    related = tuple(occasion.index.rows.get(pupil.student.id, ()))
    if not related:
        return ()
    named = related if occasion.policy.categories[category].audience is Audience.PERSON else None
    request = Request(category=category, at=occasion.at, students=(pupil.student.id,), contacts=named)
    answer = decide(occasion.index, request, policy=occasion.policy)
    if answer.error is not None:
        raise RefusedError(answer.error.reason)
    return answer.decisions


def _entitlement(category: Category, decision: Decision, *, if_named: bool) -> Entitlement:
    return Entitlement(
        category=category,
        outcome=decision.outcome,
        rule=decision.rule,
        reason=decision.reason,
        if_named=if_named,
    )


def _mapped(
    pupil: Pupil, contact: str, entitlements: tuple[Entitlement, ...], book: PointBook, *, parent: bool
) -> MappedContact:
    index = pupil.occasion.index
    person, row = index.contacts[contact], _row(pupil, contact)
    return MappedContact(
        contact=contact,
        title=person.title,
        given_name=person.given_name,
        family_name=person.family_name,
        relation=row.relation,
        current=in_range(row.valid_from, row.valid_to, pupil.occasion.today),
        deceased=person.deceased,
        parent=parent,
        natural_parent=row.natural_parent,
        parental_responsibility=row.parental_responsibility,
        lives_with=row.lives_with,
        care_of_child=row.care_of_child,
        emergency_contact=row.emergency_contact,
        bill_payer=row.bill_payer,
        professional=row.professional,
        priority=row.priority,
        language=person.language or index.school.language,
        formats=tuple(sorted(person.formats)),
        interpreter=person.interpreter,
        restrictions=tuple(sorted(set(_restricting_rules(pupil, contact)))),
        points=book.of(contact),
        entitlements=entitlements,
    )


def _row(pupil: Pupil, contact: str) -> Relationship:
    """Take the current row, else the one that ended or begins last."""
    current = pupil.rows.get(contact)
    if current is not None:
        return current
    rows = pupil.occasion.index.rows[pupil.student.id][contact]
    return max(rows, key=lambda row: (row.valid_from or dt.date.min, row.valid_to or dt.date.max))


def _restricting_rules(pupil: Pupil, contact: str) -> Iterator[str]:
    """Name the rule of every live restriction that covers anything at all."""
    occasion = pupil.occasion
    for restriction in occasion.index.restrictions.get((pupil.student.id, contact), ()):
        if restriction.categories and is_live(restriction, occasion.today, occasion.policy):
            yield restricting_rule(restriction, past=is_past(restriction, occasion.today, occasion.policy))


def restricting_rule(restriction: Restriction, *, past: bool) -> str:
    """Name the rule by which a live restriction works; `past` its last day it has lapsed."""
    if restriction.effect is Effect.MUST_SEND:
        return "R06"
    if past:
        return "R05"
    if restriction.status is RestrictionStatus.DRAFT:
        return "R06a"
    return "R02" if restriction.basis is Basis.SAFEGUARDING else "R01"
