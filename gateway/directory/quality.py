"""Data quality: what the records of a school lack or contradict, found without any rule about who may be told."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import combinations

import msgspec

from gateway.directory.indexing import DirectoryIndex, in_range
from gateway.directory.model import ContactPoint, PointLabel, PointState, Relationship


class FindingKind(StrEnum):
    """What is the matter with a record."""

    BLOCKED_POINT = "blocked_point"
    DEAD_POINT = "dead_point"
    DRAFT_RESTRICTION = "draft_restriction"
    ENDING_RESTRICTION = "ending_restriction"
    HOUSEHOLDS_DISAGREE = "households_disagree"
    LAPSED_RESTRICTION = "lapsed_restriction"
    NO_LANGUAGE = "no_language"
    NO_NATURAL_PARENT = "no_natural_parent"
    NO_ROUTE = "no_route"
    SHARED_APART = "shared_apart"
    SHARED_WITH_BARRED = "shared_with_barred"
    UNEXPLAINED_FLAG = "unexplained_flag"
    UNKNOWN_RESPONSIBILITY = "unknown_responsibility"
    UNREACHABLE_ADDRESS = "unreachable_address"
    WORK_POINT = "work_point"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a person should put right; it holds ids, never a name or an address."""

    kind: FindingKind
    entity: str
    """The list of the directory that the record stands in."""
    id: str
    """The record's id; `student/contact` for relationships."""
    field: str
    rule: str
    sentence: str
    state: str = ""
    """What the field stands at where that is a word or a date: a new state is a new finding."""
    student: str | None = None
    contact: str | None = None


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """All findings of one day, by kind and id."""

    findings: tuple[Finding, ...]
    never_verified: int
    """Contact points of people concerned that nobody is known to have verified: the records hold no such date yet."""


def concerned_rows(index: DirectoryIndex, today: dt.date) -> list[Relationship]:
    """List the current relationships of living contacts to enrolled students: the only ones worth anybody's time."""
    return [
        row
        for row in index.directory.relationships
        if in_range(row.valid_from, row.valid_to, today)
        and not index.contacts[row.contact].deceased
        and in_range(index.students[row.student].enrolled_from, index.students[row.student].enrolled_to, today)
    ]


def concerned_points(index: DirectoryIndex, rows: Iterable[Relationship]) -> list[ContactPoint]:
    """List the contact points of the people these relationships are with."""
    people = {row.contact for row in rows}
    return [point for point in index.directory.contact_points if point.contact in people]


def record_findings(index: DirectoryIndex, today: dt.date) -> Iterator[Finding]:
    """Look through the records by themselves."""
    rows = concerned_rows(index, today)
    points = concerned_points(index, rows)
    yield from _closed_points(points)
    yield from _points_out_of_reach(index, points)
    yield from _unchosen_work_points(index, points, rows)
    yield from _people_without(
        index, rows, FindingKind.NO_LANGUAGE, lambda contact: index.contacts[contact].language is None
    )
    yield from _people_without(index, rows, FindingKind.NO_ROUTE, lambda contact: not _has_route(index, contact))
    yield from _students_without_parents(index, today)
    yield from _disagreeing_households(index, today)


_CLOSED = {
    PointState.DEAD: (FindingKind.DEAD_POINT, "R34", "This contact point is dead: ask the contact for a new one."),
    PointState.CARRIER_BLOCKED: (
        FindingKind.BLOCKED_POINT,
        "R33",
        "The carrier blocks texts to this number because its owner wrote STOP: agree on another way.",
    ),
}


def _closed_points(points: Iterable[ContactPoint]) -> Iterator[Finding]:
    for point in points:
        if point.state in _CLOSED:
            kind, rule, sentence = _CLOSED[point.state]
            yield _of_point(point, kind, "state", rule, sentence, state=point.state.value)


def _points_out_of_reach(index: DirectoryIndex, points: Iterable[ContactPoint]) -> Iterator[Finding]:
    sentence = "This channel cannot reach such an address: correct it, or record it under another channel."
    reachable = {point.id: point.reachable for own in index.points.values() for point in own}
    for point in points:
        if not reachable[point.id]:
            yield _of_point(point, FindingKind.UNREACHABLE_ADDRESS, "address", "R22", sentence)


def _unchosen_work_points(
    index: DirectoryIndex, points: Iterable[ContactPoint], rows: Iterable[Relationship]
) -> Iterator[Finding]:
    sentence = "This contact point is at work and the contact has not chosen it for family mail: ask for a private one."
    family = {row.contact for row in rows if row.professional is None}
    for point in points:
        chosen = index.contacts[point.contact].preferences.work_points
        if point.label is PointLabel.WORK and point.contact in family and not chosen:
            yield _of_point(point, FindingKind.WORK_POINT, "label", "R27", sentence)


_LACKING = {
    FindingKind.NO_LANGUAGE: ("language", "R12", "No language is recorded, so the school's is used: ask the contact."),
    FindingKind.NO_ROUTE: (
        "contact_points",
        "R24",
        "No contact point of this contact can be used: ask for one that can.",
    ),
}


def _people_without(
    index: DirectoryIndex, rows: Iterable[Relationship], kind: FindingKind, lacks: Callable[[str], bool]
) -> Iterator[Finding]:
    field, rule, sentence = _LACKING[kind]
    for contact in {row.contact for row in rows}:
        if contact in index.contacts and lacks(contact):
            yield Finding(
                kind=kind, entity="contacts", id=contact, field=field, rule=rule, sentence=sentence, contact=contact
            )


def _has_route(index: DirectoryIndex, contact: str) -> bool:
    return any(point.reachable and not point.closed for point in index.points.get(contact, ()))


def _students_without_parents(index: DirectoryIndex, today: dt.date) -> Iterator[Finding]:
    """Find students without any natural parent on record; one who has died, or whose row has ended, is on record."""
    recorded = {row.student for row in index.directory.relationships if row.natural_parent}
    for student in index.directory.students:
        if student.id not in recorded and in_range(student.enrolled_from, student.enrolled_to, today):
            yield Finding(
                kind=FindingKind.NO_NATURAL_PARENT,
                entity="students",
                id=student.id,
                field="natural_parent",
                rule="R07",
                sentence="No natural parent is recorded: find out whether somebody entitled is missing.",
                student=student.id,
            )


def _disagreeing_households(index: DirectoryIndex, today: dt.date) -> Iterator[Finding]:
    """Two current households with the same two people, one of them separated and the other not."""
    current = sorted(
        (household for household in index.directory.households if in_range(household.from_, household.to, today)),
        key=lambda household: household.id,
    )
    shared: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for household in current:
        for pair in combinations(sorted(set(household.members)), 2):
            shared.setdefault(pair, []).append((household.id, household.separated))
    disagreeing = {
        "/".join(name for name, _ in households)
        for households in shared.values()
        if len({separated for _, separated in households}) > 1
    }
    for name in disagreeing:
        yield Finding(
            kind=FindingKind.HOUSEHOLDS_DISAGREE,
            entity="households",
            id=name,
            field="separated",
            rule="R26",
            sentence="These households disagree on whether the same people live apart: they are treated as apart.",
        )


def _of_point(
    point: ContactPoint, kind: FindingKind, field: str, rule: str, sentence: str, *, state: str = ""
) -> Finding:
    return Finding(
        kind=kind,
        entity="contact_points",
        id=point.id,
        field=field,
        rule=rule,
        sentence=sentence,
        state=state,
        contact=point.contact,
    )
