"""Looks a directory up by student, contact, pair and address, built once and then only read."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain

import msgspec

from gateway.directory.addresses import address_key, country_of
from gateway.directory.model import (
    ChannelName,
    Contact,
    ContactPoint,
    Directory,
    Household,
    PointLabel,
    PointState,
    Relationship,
    Restriction,
    Student,
)

Pairing = tuple[str, str]
"""A student's id and a contact's id."""

SELF = "self"
"""The relation of a contact who is the student."""

_MEDIUM = {
    ChannelName.EMAIL: "email",
    ChannelName.SMS: "number",
    ChannelName.VOICE: "number",
    ChannelName.LETTER: "letter",
}
_SEVERITY = {PointState.OK: 0, PointState.SUSPECT: 1}
_CLOSED = 2
"""Dead, opted out and blocked by the carrier are equally bad: none may be used."""


class IndexedPoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A contact point together with what all other points say about its address."""

    id: str
    contact: str
    channel: ChannelName
    key: str
    """The normalised address (`address_key`)."""
    trusted: bool
    """Its own state is `ok`."""
    closed: bool
    """Some point with this channel and address may not be used at all (R22)."""
    reachable: bool
    """The address is one that the channel can reach (R22)."""
    doubtful: bool
    """Some point with this channel and address is suspect (R22)."""
    work: bool
    confidential: bool
    order: int
    sharers: tuple[str, ...]
    """Ids of the other living contacts with this address; text messages and calls alike."""


class DirectoryIndex:
    """One school's directory, ready to be asked; it trusts that `find_problems` found nothing."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.school = directory.school
        self.students: Mapping[str, Student] = {student.id: student for student in directory.students}
        self.contacts: Mapping[str, Contact] = {contact.id: contact for contact in directory.contacts}
        self.rows: Mapping[str, Mapping[str, tuple[Relationship, ...]]] = _rows_by_student(directory)
        """Relationship rows, ended ones too, by student and contact, both in the order of their ids."""
        self.students_of: Mapping[str, tuple[str, ...]] = _grouped(
            (r.contact, r.student) for r in directory.relationships
        )
        self.members: Mapping[str, tuple[str, ...]] = _grouped((g, s.id) for s in directory.students for g in s.groups)
        """Students by class, year or club."""
        self.households: Mapping[str, tuple[Household, ...]] = _by_member(directory)
        self.restrictions: Mapping[Pairing, tuple[Restriction, ...]] = _by_pair(directory)
        self.restrictions_naming: Mapping[str, tuple[Restriction, ...]] = _by_contact(directory)
        self.plans: Mapping[Pairing, frozenset[str]] = _shares(directory)
        """What the placement plan lets the school share, by pair; a pair without a row is missing."""
        self.selves = frozenset(row.contact for row in directory.relationships if row.relation == SELF)
        """Contacts who are a student themselves."""
        self.points: Mapping[str, tuple[IndexedPoint, ...]] = _points_by_contact(directory, self.contacts)
        """Points by contact, in the order in which each channel takes them."""

    def neighbours(self, contacts: Iterable[str]) -> set[str]:
        """Name everybody who shares an address with one of these contacts."""
        points = chain.from_iterable(self.points.get(contact, ()) for contact in contacts)
        return {sharer for point in points for sharer in point.sharers}


def in_range(start: dt.date | None, end: dt.date | None, day: dt.date) -> bool:
    """Tell whether a day lies in a range of dates; both ends count, None is open."""
    return (start is None or start <= day) and (end is None or day <= end)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Gather the second ids under the first, each once and in order."""
    gathered: defaultdict[str, set[str]] = defaultdict(set)
    for first, second in pairs:
        gathered[first].add(second)
    return {first: tuple(sorted(seconds)) for first, seconds in gathered.items()}


def _rows_by_student(directory: Directory) -> dict[str, dict[str, tuple[Relationship, ...]]]:
    rows: defaultdict[str, defaultdict[str, list[Relationship]]] = defaultdict(lambda: defaultdict(list))
    for row in directory.relationships:
        rows[row.student][row.contact].append(row)
    return {
        student: {contact: tuple(by_contact[contact]) for contact in sorted(by_contact)}
        for student, by_contact in rows.items()
    }


def _by_member(directory: Directory) -> dict[str, tuple[Household, ...]]:
    households: defaultdict[str, list[Household]] = defaultdict(list)
    for household in directory.households:
        for member in set(household.members):
            households[member].append(household)
    return {member: tuple(found) for member, found in households.items()}


def _by_pair(directory: Directory) -> dict[Pairing, tuple[Restriction, ...]]:
    restrictions: defaultdict[Pairing, list[Restriction]] = defaultdict(list)
    for restriction in directory.restrictions:
        restrictions[restriction.student, restriction.contact].append(restriction)
    return {pair: tuple(found) for pair, found in restrictions.items()}


def _by_contact(directory: Directory) -> dict[str, tuple[Restriction, ...]]:
    restrictions: defaultdict[str, list[Restriction]] = defaultdict(list)
    for restriction in directory.restrictions:
        restrictions[restriction.contact].append(restriction)
    return {contact: tuple(found) for contact, found in restrictions.items()}


def _shares(directory: Directory) -> dict[Pairing, frozenset[str]]:
    shares: defaultdict[Pairing, set[str]] = defaultdict(set)
    for plan in directory.placement_plans:
        shares[plan.student, plan.contact].update(plan.share)
    return {pair: frozenset(categories) for pair, categories in shares.items()}


def _points_by_contact(directory: Directory, contacts: Mapping[str, Contact]) -> dict[str, tuple[IndexedPoint, ...]]:
    """Compare all addresses once: who shares them, and the worst that is known of each (R22, R29, R30)."""
    country = country_of(directory.school.jurisdiction)
    keyed = [(point, address_key(point.channel, point.address, country)) for point in directory.contact_points]
    worst: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    holders: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for point, key in keyed:
        worst[point.channel, key].add(_SEVERITY.get(point.state, _CLOSED))
        if not contacts[point.contact].deceased:
            holders[_medium(point.channel), key].add(point.contact)
    points: defaultdict[str, list[IndexedPoint]] = defaultdict(list)
    for point, key in keyed:
        sharers = holders.get((_medium(point.channel), key), set()) - {point.contact}
        points[point.contact].append(_indexed(point, key, worst[point.channel, key], sharers))
    return {contact: tuple(sorted(found, key=_rank)) for contact, found in points.items()}


def _rank(point: IndexedPoint) -> tuple[bool, bool, int, str]:
    """Order points within a channel: own state, confidential letters first, order, id (recipient rules, P8)."""
    open_letter = point.channel is ChannelName.LETTER and not point.confidential
    return not point.trusted, open_letter, point.order, point.id


def _is_reachable(channel: ChannelName, key: str) -> bool:
    """Check that an e-mail has `@`, and a text message in +44 a number that begins +447 (R22)."""
    if channel is ChannelName.EMAIL:
        return "@" in key
    if channel is ChannelName.SMS:
        return not key.startswith("+44") or key.startswith("+447")
    return True


def _medium(channel: ChannelName) -> str:
    """Texts and calls reach the same telephone."""
    return _MEDIUM[channel]


def _indexed(point: ContactPoint, key: str, severities: set[int], sharers: set[str]) -> IndexedPoint:
    return IndexedPoint(
        id=point.id,
        contact=point.contact,
        channel=point.channel,
        key=key,
        trusted=point.state is PointState.OK,
        closed=_CLOSED in severities,
        reachable=_is_reachable(point.channel, key),
        doubtful=_SEVERITY[PointState.SUSPECT] in severities,
        work=point.label is PointLabel.WORK,
        confidential=point.confidential,
        order=point.order,
        sharers=tuple(sorted(sharers)),
    )
