"""Reading the directory back: a whole school, or the neighbourhood that decides about some contacts."""

import contextlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, Table, and_, or_, select, true, union
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import (
    Category,
    Contact,
    ContactPoint,
    Directory,
    Entity,
    Household,
    PlacementPlan,
    PointState,
    Relationship,
    Restriction,
    School,
    Student,
)
from gateway.store.bulk import one_of
from gateway.store.tables import (
    contact_points,
    contacts,
    household_members,
    households,
    placement_plans,
    point_marks,
    relationships,
    restrictions,
    schools,
    students,
    wishes,
)

_T = TypeVar("_T", bound=Entity)

_SEVERITY = list(PointState)
"""From harmless to unusable, as the enumeration lists them."""


class RestrictionsUnreadableError(Exception):
    """Nobody can say at the moment whom the school's restrictions bar (R46).

    `readable` holds the restrictions of those asked for that can be read all the same: more may exist.
    """

    def __init__(self, sentence: str, readable: tuple[Restriction, ...] = ()) -> None:
        super().__init__(sentence)
        self.readable = readable


async def load_school(connection: AsyncConnection, school: str) -> tuple[School, int] | None:
    """Give the school and the version of its directory, or None when there is no such school."""
    row = (
        await connection.execute(select(schools.c.document, schools.c.version).where(schools.c.id == school))
    ).one_or_none()
    return (msgspec.json.decode(row.document, type=School), row.version) if row else None


async def only_school(connection: AsyncConnection) -> str | None:
    """Name the installation's only school: the one the first directory named."""
    return (await connection.execute(select(schools.c.id).order_by(schools.c.changed_at).limit(1))).scalar_one_or_none()


async def load_directory(connection: AsyncConnection, school: School) -> Directory:
    """Load everything of one school."""
    return await _load(connection, school, None, None, ())


async def load_neighbourhood(
    connection: AsyncConnection,
    school: School,
    chunk: Collection[str],
    audience: Select[tuple[str]] | Collection[str],
    named: Collection[str] = (),
    *,
    instead: Sequence[Restriction] | None = None,
) -> Directory:
    """Load all that the rules may look at when they decide about the contacts of one chunk.

    That is: their students of the audience, everyone related to these, whoever shares an address with any of
    them, and for those who share one with the chunk their own students too, as merging compares whole messages.
    Where contacts are named, each is decided about with every student of the audience, related or not.
    The restrictions are those on record, or else raises `RestrictionsUnreadableError`, or those given `instead`.
    """
    own = {*chunk, *named}
    first = await _students_of(connection, school.id, own, audience)
    related = await _contacts_of(connection, school.id, first)
    sharers = await _sharers(connection, school.id, own)
    # What is known of some of them is not asked again: a chunk holds most families whole.
    further = await _students_of(connection, school.id, (related & sharers) - own, audience) - first
    people = own | related | await _contacts_of(connection, school.id, further)
    people |= sharers | await _sharers(connection, school.id, people - own)
    return await _load(connection, school, first | further, people, audience if named else (), instead)


async def _students_of(
    connection: AsyncConnection, school: str, people: set[str], audience: Select[tuple[str]] | Collection[str]
) -> set[str]:
    """Name the students of the audience whom these people are related to.

    The audience is asked about few students at a time: to start from it would read all of it for every chunk.
    """
    if not people:
        return set()
    table = relationships.c
    query = select(table.student).where(table.school == school, one_of(connection, table.contact, people))
    related = set((await connection.execute(query)).scalars().all())
    if not isinstance(audience, Select):
        return related.intersection(audience)
    asked = audience.where(one_of(connection, audience.selected_columns[0], related))
    return {str(student) for student in (await connection.execute(asked)).scalars().all()}


async def _contacts_of(connection: AsyncConnection, school: str, pupils: set[str]) -> set[str]:
    if not pupils:
        return set()
    table = relationships.c
    query = select(table.contact).where(table.school == school, one_of(connection, table.student, pupils))
    return set((await connection.execute(query)).scalars().all())


async def _sharers(connection: AsyncConnection, school: str, people: set[str]) -> set[str]:
    """Name everyone with a contact point at an address of one of these people.

    In two steps, each along an index: a join is planned by guesses while a fresh directory has no statistics yet.
    """
    if not people:
        return set()
    table = contact_points.c
    alive = (table.school == school, table.ended_at.is_(None))
    mine = select(table.address_key).where(*alive, one_of(connection, table.contact, people)).distinct()
    keys = set((await connection.execute(mine)).scalars().all())
    theirs = select(table.contact).where(*alive, one_of(connection, table.address_key, keys))
    return set((await connection.execute(theirs)).scalars().all())


async def _load(
    connection: AsyncConnection,
    school: School,
    near: set[str] | None,
    people: set[str] | None,
    alone: Select[tuple[str]] | Collection[str],
    instead: Sequence[Restriction] | None = None,
) -> Directory:
    """Load rows about these students and contacts; None stands for all. Of students `alone` nobody's links count."""

    async def rows(query: Select[tuple[str]], kind: type[_T]) -> tuple[_T, ...]:
        return _decode((await connection.execute(query)).scalars().all(), kind)

    links = await rows(
        _about(connection, relationships, school.id, near, people, relationships.c.is_self), Relationship
    )
    wanted = None if near is None else near | {link.student for link in links if link.relation == "self"}
    return Directory(
        school=school,
        students=await rows(
            select(students.c.document).where(
                students.c.school == school.id, _one_of_either(connection, students.c.id, wanted, alone)
            ),
            Student,
        ),
        contacts=await _load_contacts(connection, school.id, people),
        contact_points=await load_points(connection, school, _within(connection, contact_points.c.contact, people)),
        households=await _load_households(connection, school.id, people),
        relationships=links,
        restrictions=await load_restrictions(connection, school.id, near, people)
        if instead is None
        else tuple(instead),
        placement_plans=await rows(
            select(placement_plans.c.document).where(
                placement_plans.c.school == school.id,
                placement_plans.c.ended_at.is_(None),
                _within(connection, placement_plans.c.student, near),
            ),
            PlacementPlan,
        ),
    )


async def load_restrictions(
    connection: AsyncConnection, school: str, near: set[str] | None = None, people: set[str] | None = None
) -> tuple[Restriction, ...]:
    """Load the restrictions about these students and contacts, or all; raises `RestrictionsUnreadableError`."""
    query = _about(connection, restrictions, school, near, people, true())
    try:
        # PostgreSQL gives a transaction up with a failed statement, unless there is a savepoint to return to.
        async with connection.begin_nested():
            documents: list[Any] = list((await connection.execute(query)).scalars().all())
    except SQLAlchemyError as error:
        raise RestrictionsUnreadableError("The table of restrictions cannot be read.") from error
    readable: list[Restriction] = []
    for document in documents:
        with contextlib.suppress(msgspec.DecodeError):
            readable.append(msgspec.json.decode(document, type=Restriction))
    if len(readable) < len(documents):
        raise RestrictionsUnreadableError("A restriction on record cannot be read.", tuple(readable))
    return tuple(readable)


async def load_points(
    connection: AsyncConnection, school: School, condition: ColumnElement[bool]
) -> tuple[ContactPoint, ...]:
    """Load contact points in the state that the directory or the providers' news gives them, whichever is worse."""
    query = (
        select(contact_points.c.document, point_marks.c.state)
        .outerjoin(
            point_marks,
            and_(
                point_marks.c.school == contact_points.c.school,
                point_marks.c.channel == contact_points.c.channel,
                point_marks.c.address_key == contact_points.c.address_key,
            ),
        )
        .where(contact_points.c.school == school.id, contact_points.c.ended_at.is_(None), condition)
    )
    return tuple(_marked(row) for row in (await connection.execute(query)).all())


_POINT = msgspec.json.Decoder(ContactPoint)


def _marked(row: Any) -> ContactPoint:
    point = _POINT.decode(row.document)
    if row.state is None:
        return point
    worse = max(point.state, PointState(row.state), key=_SEVERITY.index)
    return point if worse is point.state else msgspec.structs.replace(point, state=worse)


async def _load_contacts(connection: AsyncConnection, school: str, people: set[str] | None) -> tuple[Contact, ...]:
    """Load contacts with what they told us themselves laid over what the directory says of their wishes (R21)."""
    query = select(contacts.c.document).where(contacts.c.school == school, _within(connection, contacts.c.id, people))
    found = _decode((await connection.execute(query)).scalars().all(), Contact)
    refused = select(wishes.c.contact, wishes.c.category).where(
        wishes.c.school == school, _within(connection, wishes.c.contact, people), wishes.c.opted_out
    )
    unwanted: dict[str, set[Category]] = {}
    for row in await connection.execute(refused):
        unwanted.setdefault(row.contact, set()).add(Category(row.category))
    return tuple(_without(contact, unwanted[contact.id]) if contact.id in unwanted else contact for contact in found)


def _without(contact: Contact, unwanted: set[Category]) -> Contact:
    """Opt a contact out; an earlier consent to the same category is taken back."""
    given = contact.preferences
    preferences = msgspec.structs.replace(
        given,
        opted_out=tuple(sorted({*given.opted_out, *unwanted})),
        opted_in=tuple(category for category in given.opted_in if category not in unwanted),
    )
    return msgspec.structs.replace(contact, preferences=preferences)


async def _load_households(connection: AsyncConnection, school: str, people: set[str] | None) -> tuple[Household, ...]:
    condition: ColumnElement[bool] = true()
    if people is not None:
        members = household_members.c
        of_people = select(members.household).where(
            members.school == school, one_of(connection, members.contact, people)
        )
        found = set((await connection.execute(of_people)).scalars().all())
        condition = one_of(connection, households.c.id, found)
    query = select(households.c.document).where(
        households.c.school == school, households.c.ended_at.is_(None), condition
    )
    return _decode((await connection.execute(query)).scalars().all(), Household)


def _within(connection: AsyncConnection, column: ColumnElement[str], ids: set[str] | None) -> ColumnElement[bool]:
    return column.is_not(None) if ids is None else one_of(connection, column, ids)


def _one_of_either(
    connection: AsyncConnection,
    column: ColumnElement[str],
    ids: set[str] | None,
    others: Select[tuple[str]] | Collection[str],
) -> ColumnElement[bool]:
    if not isinstance(others, Select) and not others:
        return _within(connection, column, ids)
    further = column.in_(others) if isinstance(others, Select) else one_of(connection, column, others)
    return or_(_within(connection, column, ids), further)


def _about(
    connection: AsyncConnection,
    table: Table,
    school: str,
    near: set[str] | None,
    people: set[str] | None,
    of_people: ColumnElement[bool],
) -> Select[tuple[str]]:
    """Select documents about one of the students, or, of those that `of_people` picks, about one of the people.

    Two selections, because an OR over both would make the database read the whole school.
    """
    documents = select(table.c.document).where(table.c.school == school)
    if near is None or people is None:
        return documents
    either = union(
        documents.where(one_of(connection, table.c.student, near)),
        documents.where(one_of(connection, table.c.contact, people), of_people),
    ).subquery()
    return select(either.c.document)


def _decode(documents: Iterable[Any], kind: type[_T]) -> tuple[_T, ...]:
    decoder = msgspec.json.Decoder(kind)
    return tuple(decoder.decode(document) for document in documents)


async def knows_contact(connection: AsyncConnection, school: str, contact: str) -> bool:
    """Whether the school has, or had, such a contact."""
    query = select(contacts.c.id).where(contacts.c.school == school, contacts.c.id == contact)
    return (await connection.execute(query)).first() is not None


async def knows_student(connection: AsyncConnection, school: str, student: str) -> bool:
    """Whether the school has, or had, such a student."""
    query = select(students.c.id).where(students.c.school == school, students.c.id == student)
    return (await connection.execute(query)).first() is not None
