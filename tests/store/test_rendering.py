"""Who and what deliveries are for, as the renderer loads it."""

import datetime as dt
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import insert, update

from gateway.directory.model import ChannelName, Contact, ContactPoint, PostalAddress, Student
from gateway.store.database import Database
from gateway.store.rendering import Addressee, load_addressees, load_students
from gateway.store.tables import contact_points, contacts, deliveries, messages, students
from tests.store.rows import NOON, delivery, message

ANA = Contact(id="ana", title="Ms", family_name="Kowalska", formats=("large_print",))
BEN = Contact(id="ben", given_name="Ben", family_name="Weir")
CLEO = Contact(id="cleo", given_name="Cleo")
MAILBOX = ContactPoint(id="mailbox", contact="ana", channel=ChannelName.EMAIL, address="ana@example.org")
HOUSE = ContactPoint(
    id="house",
    contact="ana",
    channel=ChannelName.LETTER,
    address=PostalAddress(lines=("1 High Street", "Riverside"), postcode="ZZ9 9ZZ"),
    confidential=True,
)


def document(row: Any, **columns: Any) -> dict[str, Any]:
    """Describe a directory row as it is stored."""
    return {"school": "school", "id": row.id, "document": msgspec.json.encode(row).decode(), **columns}


def point(row: ContactPoint, ended_at: dt.datetime | None = None) -> dict[str, Any]:
    """Describe a contact point as it is stored."""
    columns = {"contact": row.contact, "channel": row.channel.value, "address_key": row.id, "ended_at": ended_at}
    return document(row, **columns)


@pytest_asyncio.fixture
async def school(database: Database) -> Database:
    """Fill in two schools with people of the same ids."""
    stranger = document(Contact(id="ana", family_name="Another")) | {"school": "another"}
    async with database.writing() as connection:
        await connection.execute(insert(contacts), [*map(document, (ANA, BEN, CLEO)), stranger])
        await connection.execute(insert(contact_points), [point(MAILBOX), point(HOUSE)])
        await connection.execute(
            insert(messages), [message("m-d1", "ana", "robin", language="pl", formats='["large_print"]')]
        )
    return database


async def loaded(database: Database, *rows: dict[str, Any]) -> Addressee:
    """Write deliveries and load the first."""
    async with database.writing() as connection:
        await connection.execute(insert(deliveries), list(rows))
    async with database.reading() as connection:
        return (await load_addressees(connection, [rows[0]["id"]]))[rows[0]["id"]]


def same(loaded: Any, given: Any) -> bool:
    """Compare by content: what is loaded is of narrower types."""
    return isinstance(loaded, type(given)) and msgspec.to_builtins(loaded) == msgspec.to_builtins(given)


@pytest.mark.parametrize("place", [MAILBOX, HOUSE])
async def test_a_delivery(school: Database, place: ContactPoint) -> None:
    """Message, contact and contact point come from the delivery's own school."""
    addressee = await loaded(school, delivery("d1", contact="ana", point=place.id))
    assert same(addressee.contact, ANA)
    assert same(addressee.point, place)
    found = addressee.message
    assert (found.language, found.formats, found.students) == ("pl", '["large_print"]', '["robin"]')
    assert (addressee.companions, addressee.apart) == ((), False)


async def test_an_ended_contact_point(school: Database) -> None:
    """A contact point that has left the directory is none, and neither is one that never was in it."""
    async with school.writing() as connection:
        await connection.execute(update(contact_points).values(ended_at=NOON))
    assert (await loaded(school, delivery("d1", contact="ana", point="mailbox"))).point is None


@pytest.mark.parametrize("neutral", [False, True])
async def test_companions(school: Database, neutral: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Whose deliveries travel inside read along, in order of their ids; one who lives apart makes all nameless."""
    carried = [
        delivery("d2", contact="cleo", merged_into="d1"),
        delivery("d3", contact="ben", merged_into="d1", neutral=neutral),
        delivery("d4", contact="ana", merged_into="d9"),
    ]
    addressee = await loaded(school, delivery("d1", contact="ana", point="mailbox"), *carried)
    assert [contact.id for contact in addressee.companions] == ["ben", "cleo"]
    assert addressee.apart is neutral


@pytest.mark.parametrize("state", ["suppressed", "cancelled"])
async def test_withdrawn_companions(school: Database, state: str) -> None:
    """Whose delivery was withdrawn does not read along."""
    withdrawn = delivery("d2", contact="ben", merged_into="d1", neutral=True, state=state)
    addressee = await loaded(school, delivery("d1", contact="ana", point="mailbox"), withdrawn)
    assert (addressee.companions, addressee.apart) == ((), False)


async def test_students(school: Database) -> None:
    """Students are those of the school."""
    robin = Student(id="robin", given_name="Robin", birth_date=dt.date(2014, 3, 1))
    async with school.writing() as connection:
        await connection.execute(insert(students), [document(robin), document(robin) | {"school": "another"}])
    async with school.reading() as connection:
        found = await load_students(connection, "school", {"robin", "nobody"})
    assert list(found) == ["robin"]
    assert same(found["robin"], robin)
