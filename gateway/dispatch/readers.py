"""Who reads a delivery, and about whom: loaded for a batch at once, for the rules and for rendering."""

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Category, ChannelName, Contact, ContactPoint, School, Student
from gateway.dispatch.carried_files import Carried
from gateway.dispatch.messages import students_of
from gateway.rules.policy import Policy
from gateway.rules.quiet_hours import may_disturb_at
from gateway.store.rendering import load_addressees, load_students


class Reader(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One delivery with the people it is for and about."""

    row: Any
    message: Any
    contact: Contact
    companions: tuple[Contact, ...]
    """Who reads along in one joint household (R25)."""
    apart: bool
    """Whether any of these lives apart: nobody is greeted by name then (R26)."""
    students: tuple[Student, ...]
    point: ContactPoint | None
    unsubscribe: bool
    """Whether the school lets mails of this category carry one-click unsubscribe."""
    carried: Carried | None = None
    """The files of its notification, if there are any."""
    quiet: tuple[str, str] | None = None
    """The school's usual quiet hours where they bind this delivery; None where nothing does (R32)."""


async def load_readers(
    connection: AsyncConnection,
    rows: Sequence[Any],
    school: School,
    notifications: Mapping[str, Any],
    carried: Mapping[str, Carried],
    *,
    policy: Policy,
) -> list[Reader]:
    """Load the readers of deliveries of one school, in their order; notifications and their files are given by id."""
    categories = {
        key: policy.categories[Category(notification.category)] for key, notification in notifications.items()
    }
    addressees = await load_addressees(connection, [row.id for row in rows])
    about = {key: students_of(addressee.message) for key, addressee in addressees.items()}
    students = await load_students(connection, school.id, set(chain.from_iterable(about.values())))
    return [
        Reader(
            row=row,
            message=(addressee := addressees[row.id]).message,
            contact=addressee.contact,
            companions=addressee.companions,
            apart=addressee.apart,
            students=tuple([students[student] for student in about[row.id]]),
            point=addressee.point,
            unsubscribe=(category := categories[row.notification]).unsubscribe,
            carried=carried.get(row.notification),
            quiet=policy.quiet_hours if category.quiet_hours and row.channel != ChannelName.LETTER else None,
        )
        for row in rows
    ]


def quiet_until(reader: Reader, school: School, now: dt.datetime) -> dt.datetime | None:
    """Say until when a delivery waits so that it disturbs none of its readers; None when it may leave (R32)."""
    usual = reader.quiet
    if usual is None:
        return None
    people = (reader.contact, *reader.companions)
    ends = [may_disturb_at(each, now, usual=usual, school_zone=school.timezone) for each in people]
    return max((end for end in ends if end is not None), default=None)


def files_of(reader: Reader) -> list[str]:
    """List the files that a reader may have from the secure page, by id."""
    if reader.row.bare or reader.carried is None:
        return []
    return reader.carried.request.files_for(student.id for student in reader.students)
