"""Joins the directories of two feeds of one school; where they disagree about a parent, the parent is held.

Students, contacts and points are united, restrictions never lifted, `confidential` never cleared; wherever one of two
words must win, it is the one that tells fewer people more carefully. Each disagreement is a task for the office.
"""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from gateway.directory.addresses import address_key, country_of
from gateway.directory.disputed_links import join_links
from gateway.directory.importing import ImportRefusedError
from gateway.directory.model import (
    ANY,
    CareStatus,
    Contact,
    ContactPoint,
    Directory,
    Entity,
    Household,
    PlacementPlan,
    PointLabel,
    PointState,
    Preferences,
    Relationship,
    Restriction,
    Sharing,
    Student,
)

_SEVERITY = list(PointState)
"""From harmless to unusable, as the enumeration lists them."""
_LONGEST_ID = 190
_FIRST_IS_BELIEVED = "The feeds disagree, and the first is believed; correct one of them."

Row = TypeVar("Row", bound=Entity)


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about which the feeds say different things, as a task for the office."""

    entity: str
    id: str
    """The row's id; `student/contact` for relationships and placement plans."""
    fields: tuple[str, ...]
    sentence: str


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What two feeds make together."""

    directory: Directory
    disagreements: tuple[Disagreement, ...] = ()


def merge_feeds(first: Directory, second: Directory) -> Merged:
    """Join two feeds of one school, the school's own record taken from the first.

    Raises ImportRefusedError when they are of different schools.
    """
    if first.school.id != second.school.id:
        raise ImportRefusedError("The two feeds are of different schools; join only feeds of one school.")
    tasks: list[Disagreement] = []
    country = country_of(first.school.jurisdiction)
    directory = Directory(
        school=first.school,
        students=_united(first.students, second.students, lambda one, two: _student(one, two, tasks)),
        contacts=_united(first.contacts, second.contacts, lambda one, two: _contact(one, two, tasks)),
        contact_points=_points(first.contact_points, second.contact_points, country, tasks),
        households=_households(first.households, second.households, tasks),
        relationships=_links(first, second, tasks),
        restrictions=_restrictions(first.restrictions, second.restrictions),
        placement_plans=_plans(first.placement_plans, second.placement_plans),
    )
    return Merged(directory=directory, disagreements=tuple(sorted(tasks, key=lambda task: (task.entity, task.id))))


def _united(first: Iterable[Any], second: Iterable[Any], join: Callable[[Row, Row], Row]) -> tuple[Row, ...]:
    """Unite two lists by id; rows that differ are joined."""
    rows = {row.id: row for row in first}
    for row in second:
        known = rows.get(row.id)
        rows[row.id] = row if known is None or known == row else join(known, row)
    return tuple(row for _, row in sorted(rows.items()))


def _student(one: Student, two: Student, tasks: list[Disagreement]) -> Student:
    care = {one.care_status, two.care_status} - {CareStatus.NONE}
    if len(care) > 1:
        sentence = "The feeds disagree about care; all about the student is held until one of them is corrected."
        tasks.append(Disagreement(entity="students", id=one.id, fields=("care_status",), sentence=sentence))
        care = {CareStatus.EMERGENCY_PROTECTION}
    dates = ("birth_date", "enrolled_from", "enrolled_to")
    differing = tuple(name for name in dates if None is not getattr(one, name) != getattr(two, name) is not None)
    if differing:
        tasks.append(Disagreement(entity="students", id=one.id, fields=differing, sentence=_FIRST_IS_BELIEVED))
    begins, ends = one.enrolled_from or two.enrolled_from, one.enrolled_to or two.enrolled_to
    if begins and ends and ends < begins:
        begins, ends = one.enrolled_from, one.enrolled_to
    refused = {name for name, choice in two.sharing_after_18.items() if choice is Sharing.REFUSED}
    return msgspec.structs.replace(
        one,
        given_name=one.given_name or two.given_name,
        family_name=one.family_name or two.family_name,
        birth_date=one.birth_date or two.birth_date,
        groups=tuple(sorted({*one.groups, *two.groups})),
        care_status=care.pop() if care else CareStatus.NONE,
        sharing_after_18=two.sharing_after_18 | one.sharing_after_18 | dict.fromkeys(refused, Sharing.REFUSED),
        dependent_verified=one.dependent_verified and two.dependent_verified,
        objections=tuple(sorted({*one.objections, *two.objections})),
        enrolled_from=begins,
        enrolled_to=ends,
    )


def _contact(one: Contact, two: Contact, tasks: list[Disagreement]) -> Contact:
    if one.deceased != two.deceased:
        sentence = "One feed says that this person has died, so that nothing is sent; make sure, and correct the other."
        tasks.append(Disagreement(entity="contacts", id=one.id, fields=("deceased",), sentence=sentence))
    return msgspec.structs.replace(
        one,
        title=one.title or two.title,
        given_name=one.given_name or two.given_name,
        family_name=one.family_name or two.family_name,
        language=one.language or two.language,
        interpreter=one.interpreter or two.interpreter,
        formats=tuple(dict.fromkeys((*one.formats, *two.formats))),
        timezone=one.timezone or two.timezone,
        deceased=one.deceased or two.deceased,
        staff=one.staff or two.staff,
        preferences=_preferences(one.preferences, two.preferences),
    )


def _preferences(one: Preferences, two: Preferences) -> Preferences:
    if Preferences() in (one, two):
        return two if one == Preferences() else one
    return msgspec.structs.replace(one, opted_out=tuple(sorted({*one.opted_out, *two.opted_out})))


def _points(
    first: Sequence[ContactPoint], second: Sequence[ContactPoint], country: str, tasks: list[Disagreement]
) -> tuple[ContactPoint, ...]:
    """Unite the points; an address is confidential if either feed says so, under whichever id."""
    points = {point.id: point for point in first}
    for point in second:
        known = points.get(point.id)
        if known is None:
            points[point.id] = point
        elif _place(known, country) == _place(point, country):
            points[point.id] = _same_point(known, point)
        else:
            sentence = "The feeds give different addresses; only an emergency uses them until one feed is corrected."
            tasks.append(Disagreement(entity="contact_points", id=point.id, fields=("address",), sentence=sentence))
            for doubtful in (known, msgspec.structs.replace(point, id=_second_id(point.id))):
                points[doubtful.id] = msgspec.structs.replace(
                    doubtful,
                    state=max(doubtful.state, PointState.SUSPECT, key=_SEVERITY.index),
                    confidential=known.confidential or point.confidential,
                )
    secret = {_place(point, country) for point in (*points.values(), *second) if point.confidential}
    return tuple(
        msgspec.structs.replace(point, confidential=_place(point, country) in secret)
        for _, point in sorted(points.items())
    )


def _place(point: ContactPoint, country: str) -> tuple[str, str, str]:
    return point.contact, point.channel, address_key(point.channel, point.address, country)


def _same_point(one: ContactPoint, two: ContactPoint) -> ContactPoint:
    return msgspec.structs.replace(
        one,
        state=max(one.state, two.state, key=_SEVERITY.index),
        label=PointLabel.WORK if PointLabel.WORK in (one.label, two.label) else one.label,
        order=min(one.order, two.order),
    )


def _households(
    first: Sequence[Household], second: Sequence[Household], tasks: list[Disagreement]
) -> tuple[Household, ...]:
    """Keep a household's members whom both feeds house alike, or only one at all: apart is the safe default."""
    one, two = {row.id: row for row in first}, {row.id: row for row in second}
    housed = [{member for row in rows for member in row.members} for rows in (first, second)]
    rows = []
    for key in sorted({*one, *two}):
        homes = [feed.get(key) for feed in (one, two)]
        named = {member for home in homes if home for member in home.members}
        members = {
            member
            for member in named
            if all(
                member not in known or (home and member in home.members)
                for home, known in zip(homes, housed, strict=True)
            )
        }
        if members != named:
            sentence = "The feeds house a member differently, who counts as living apart; correct one of them."
            tasks.append(Disagreement(entity="households", id=key, fields=("members",), sentence=sentence))
        found = [home for home in homes if home]
        separated = any(home.separated for home in found) or len({(home.from_, home.to) for home in found}) > 1
        rows.append(msgspec.structs.replace(found[0], members=tuple(sorted(members)), separated=separated))
    return tuple(rows)


def _links(first: Directory, second: Directory, tasks: list[Disagreement]) -> tuple[Relationship, ...]:
    united_states = first.school.jurisdiction.startswith("US")
    one, two = _by_pair(first.relationships), _by_pair(second.relationships)
    rows: list[Relationship] = []
    for pair in sorted({*one, *two}):
        joined = join_links(one.get(pair, ()), two.get(pair, ()), united_states=united_states)
        rows.extend(sorted(joined.rows, key=lambda row: row.valid_from or dt.date.min))
        if joined.disputed:
            sentence = (
                "The feeds disagree about this contact, who is held if a parent; find out, and correct one of them."
            )
            tasks.append(
                Disagreement(entity="relationships", id="/".join(pair), fields=joined.disputed, sentence=sentence)
            )
    return tuple(rows)


def _by_pair(rows: Iterable[Any]) -> dict[tuple[str, str], list[Any]]:
    pairs: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        pairs[row.student, row.contact].append(row)
    return dict(pairs)


def _restrictions(first: Sequence[Restriction], second: Sequence[Restriction]) -> tuple[Restriction, ...]:
    """Unite all restrictions; two of one id that differ both work, so that neither feed lifts the other's."""
    rows = {row.id: row for row in first}
    for row in second:
        if rows.setdefault(row.id, row) != row:
            rows[_second_id(row.id)] = msgspec.structs.replace(row, id=_second_id(row.id))
    return tuple(row for _, row in sorted(rows.items()))


def _plans(first: Sequence[PlacementPlan], second: Sequence[PlacementPlan]) -> tuple[PlacementPlan, ...]:
    """Share of a looked-after child only what both plans share, where both have one."""
    rows = {(row.student, row.contact): row for row in first}
    for row in second:
        known = rows.setdefault((row.student, row.contact), row)
        if ANY not in row.share:
            share = row.share if ANY in known.share else tuple(sorted(set(known.share) & set(row.share)))
            rows[row.student, row.contact] = msgspec.structs.replace(known, share=share)
    return tuple(row for _, row in sorted(rows.items()))


def _second_id(first_id: str) -> str:
    """Name the second feed's row beside the first's of the same id."""
    if len(first_id) <= _LONGEST_ID:
        return f"{first_id}-second"
    return f"{first_id[:150]}-{hashlib.sha256(first_id.encode()).hexdigest()[:16]}-second"
