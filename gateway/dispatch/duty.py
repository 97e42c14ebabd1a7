"""The duty roster: whom the life-safety holds of a school page, and by which addresses (R45)."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Principal
from gateway.content.languages import canonical
from gateway.directory.addresses import country_of
from gateway.directory.contact_details import email_address, phone_number, takes_texts
from gateway.directory.importing import UnreadableValueError
from gateway.directory.masking import masked
from gateway.directory.model import ONE_LINE, ChannelName, ContactPoint, Identifier, School
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable_fields
from gateway.rules.escalation import Role
from gateway.store.database import Database
from gateway.store.duty import list_duty, replace_duty, schools_without
from gateway.store.people import load_school

_NOBODY = "Nobody is on the duty roster as safeguarding lead: life-safety holds page the others, or no one."


class DutyPoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to page somebody."""

    channel: Literal["sms", "voice", "email"]
    address: Annotated[str, msgspec.Meta(min_length=3, max_length=254, pattern=ONE_LINE)]


class DutyContact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who is paged; all of the points are used at once, in this order."""

    id: Identifier
    role: Role
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
    language: Annotated[str, msgspec.Meta(min_length=2, max_length=35)] | None = None
    """What they read and hear, BCP-47; the school's language unless given."""
    points: Annotated[tuple[DutyPoint, ...], msgspec.Meta(min_length=1, max_length=10)]


class DutyRoster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everybody on duty at one school."""

    people: Annotated[tuple[DutyContact, ...], msgspec.Meta(max_length=100)]


class DutyDesk:
    """Keeps the roster."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime]) -> None:
        self._database = database
        self._now = now

    async def replace(self, principal: Principal, roster: DutyRoster) -> DutyRoster:
        """Put a roster in place of the one before; gives it as it is kept. Raises `Refused`."""
        async with self._database.writing() as connection:
            known = await load_school(connection, principal.school)
            if known is None:
                raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
            kept = checked(roster, known[0])
            now = self._now()
            rows = [
                {
                    "school": principal.school,
                    "id": person.id,
                    "role": person.role.value,
                    "document": msgspec.json.encode(person).decode(),
                    "changed_at": now,
                }
                for person in kept.people
            ]
            await replace_duty(connection, principal.school, rows, by=principal.key, at=now)
        return kept

    async def read(self, school: str) -> DutyRoster:
        """Give the roster as it is kept."""
        async with self._database.reading() as connection:
            rows = await list_duty(connection, [school])
        return DutyRoster(people=tuple(contact_of(row.document) for row in rows))


def contact_of(document: str) -> DutyContact:
    """Read somebody on duty from the store."""
    return msgspec.json.decode(document, type=DutyContact)


def checked(roster: DutyRoster, school: School) -> DutyRoster:
    """Write every address the way it is used, in order of id; raises `Refused` that names every field at fault."""
    problems: list[FieldProblem] = []
    seen: set[str] = set()
    people = []
    for place, person in enumerate(roster.people):
        problems += [
            FieldProblem(pointer=f"/people/{place}/{field}", detail=detail) for field, detail in _faults(person, seen)
        ]
        seen.add(person.id)
        points = []
        for number, point in enumerate(person.points):
            try:
                points.append(_normalised(point, country_of(school.jurisdiction)))
            except UnreadableValueError as error:
                problems.append(FieldProblem(pointer=f"/people/{place}/points/{number}/address", detail=str(error)))
        people.append(replace(person, points=tuple(dict.fromkeys(points))))
    if problems:
        raise unprocessable_fields(problems)
    return DutyRoster(people=tuple(sorted(people, key=lambda person: person.id)))


def _faults(person: DutyContact, seen: set[str]) -> Iterator[tuple[str, str]]:
    if person.id in seen:
        yield "id", "This id is on the roster twice: give every person one of their own."
    if person.language is not None:
        try:
            canonical(person.language)
        except ValueError:
            yield "language", "This is not a language tag: write it as en, pl or pt-BR."


def _normalised(point: DutyPoint, country: str) -> DutyPoint:
    """Write a number as E.164 and check a mailbox by its form; raises `UnreadableValueError`."""
    if point.channel == "email":
        return replace(point, address=email_address(point.address.strip()))
    number = phone_number(point.address, country=country)
    if point.channel == "sms" and not takes_texts(number):
        raise UnreadableValueError("A fixed line takes no text messages: give a mobile number, or the channel voice.")
    return replace(point, address=number)


def with_masked_points(roster: DutyRoster) -> DutyRoster:
    """Hide the addresses from those who may not change them."""
    return DutyRoster(
        people=tuple(
            replace(person, points=tuple(replace(point, address=_masked(point)) for point in person.points))
            for person in roster.people
        )
    )


def _masked(point: DutyPoint) -> str:
    return masked(ContactPoint(id="", contact="", channel=ChannelName(point.channel), address=point.address))


def roster_warnings(roster: DutyRoster) -> tuple[str, ...]:
    """Say what a roster lacks."""
    return () if any(person.role is Role.SAFEGUARDING for person in roster.people) else (_NOBODY,)


async def duty_gaps(connection: AsyncConnection) -> list[str]:
    """Say in one sentence a school where no safeguarding lead can be paged (`gateway doctor`)."""
    return [
        f"school {school} has no safeguarding lead on its duty roster, so nobody is sure to be paged about a held "
        "alert: put one with PUT /v1/duty."
        for school in await schools_without(connection, Role.SAFEGUARDING)
    ]
