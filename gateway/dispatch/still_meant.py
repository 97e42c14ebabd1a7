"""Whether what was sent is still meant for whoever reads or hears it now: the rules' answer of this moment (R44)."""

import datetime as dt
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Category, Contact, ContactPoint, Directory, PointState
from gateway.directory.places import key_of, place_of
from gateway.dispatch.deciding import decide_about
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.messages import students_of
from gateway.dispatch.readers import Reader
from gateway.rules.policy import Policy


async def still_meant(
    connection: AsyncConnection,
    notification: Any,
    reader: Reader,
    *,
    now: dt.datetime,
    policy: Policy,
    snapshots: DenySnapshots,
    in_company: bool = False,
) -> bool:
    """Decide once more, as if the message were to go to the same contact point today.

    `in_company` asks as well whether it may still speak to all at once whom it names (R25).

    Raises `RestrictionsUnreadableError` while nobody can say who is barred, but for an alert that the last snapshot
    allows (R46).
    """
    row, category = reader.row, Category(notification.category)
    companions = [contact.id for contact in reader.companions] if in_company else []
    decided = await decide_about(
        connection,
        notification,
        [row.contact, *companions],
        now=now,
        policy=policy,
        snapshots=snapshots,
        as_if=lambda directory: _as_sent(directory, row, category),
    )
    here = decided.points.get(row.point)
    if here is None or place_of(decided.plan.school, here) != row.place:
        return False  # the reader has left that address, and nobody knows who reads there now
    evaluation = decided.evaluation
    if row.point in evaluation.neutral_points and not row.neutral:
        return False
    messages = evaluation.answer.messages
    reached = {
        student
        for message in messages
        if any(route.point == row.point for route in message.deliveries)
        for student in message.students
    }
    carried = {
        message.contact for message in messages if any(route.merged_into == row.point for route in message.deliveries)
    }
    return reached.issuperset(students_of(reader.message)) and carried.issuperset(companions)


def _as_sent(directory: Directory, row: Any, category: Category) -> Directory:
    """Leave out what only ends further messages: the reader's own wish (R21), the address's state since (R22)."""
    here = next((point for point in directory.contact_points if point.id == row.point), None)
    if here is None:
        return directory
    place = (here.channel, key_of(directory.school, here))

    def working(point: ContactPoint) -> ContactPoint:
        same = (point.channel, key_of(directory.school, point)) == place
        return msgspec.structs.replace(point, state=PointState.OK) if same else point

    def willing(contact: Contact) -> Contact:
        if contact.id != row.contact:
            return contact
        wishes = msgspec.structs.replace(contact.preferences, opted_out=(), opted_in=(category,))
        return msgspec.structs.replace(contact, preferences=wishes)

    return msgspec.structs.replace(
        directory,
        contacts=tuple(map(willing, directory.contacts)),
        contact_points=tuple(map(working, directory.contact_points)),
    )
