"""R37: tells contacts that their details changed, by points that are surely theirs; else somebody asks them.

A thief of letters who has an address changed must not be the only one to hear of it. So the notice goes to what the
contact had before and has proved to reach them, says neither what is new nor what was, and where there is no such
point nothing leaves: the office confirms the change by hand.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Category, ContactPoint, School
from gateway.directory.places import key_of, place_of
from gateway.dispatch.library import Library, TemplateDocument
from gateway.dispatch.requests import Audience, NotificationRequest, NotificationStatus, Purpose, lane_of
from gateway.rules.address_change import (
    KEPT_IN_MIND,
    RULE,
    UNCONFIRMED,
    AddressChange,
    Place,
    address_changes,
    is_verified,
    may_tell,
    notice_id_parts,
)
from gateway.store.address_changes import (
    add_notices,
    arrivals,
    living,
    places_on_record,
    shared_addresses,
    students_of,
)
from gateway.store.identity import derived_id, new_id
from gateway.store.people import load_points
from gateway.store.tables import contact_points
from gateway.store.tasks import add_tasks

TEMPLATE = "details_updated"

AUTHOR = "gateway"
"""Who asked for the notice, in place of a key."""

KIND = "confirm_details"

_TIME_ALONE = 9
"""So many letters of a new id come from its time alone."""

_LIFETIME = dt.timedelta(days=7)
_DUE = dt.timedelta(days=2)


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """When and where a directory was changed."""

    school: School
    at: dt.datetime

    @property
    def day(self) -> dt.date:
        """The date at the school, which the notice gives."""
        return self.at.astimezone(ZoneInfo(self.school.timezone)).date()

    def id_of(self, change: AddressChange) -> str:
        """Name what comes of a change: the same one made twice on a day gets the same name."""
        morning = dt.datetime.combine(self.day, dt.time(), tzinfo=ZoneInfo(self.school.timezone))
        time_alone = new_id(morning)[:_TIME_ALONE]
        return derived_id(time_alone, self.school.id, TEMPLATE, *notice_id_parts(change, self.day))


class AddressNotices:
    """Writes the notices of one change of a directory, in its transaction; the clock has them planned and sent."""

    def __init__(self, library: Library) -> None:
        text = library.built_in(TEMPLATE)
        if text is None:
            raise LookupError(f"the built-in template {TEMPLATE} is missing")
        self._text: TemplateDocument = text

    async def write(
        self, connection: AsyncConnection, school: School, before: Mapping[str, frozenset[Place]], *, at: dt.datetime
    ) -> None:
        """Compare where contacts can be reached with `before`, and tell, or have asked, whose places differ."""
        after = await places_on_record(connection, school.id, before)
        alive = await living(connection, school.id, before)
        students = await students_of(connection, school.id, before)
        changes = [
            change
            for change in address_changes(before, after)
            if change.contact in alive and change.contact in students
        ]
        if not changes:
            return
        moment = _Moment(school=school, at=at)
        points = await self._telling_points(connection, moment, changes)
        notices = [
            self._notice(moment, change, students[change.contact], points[change.contact])
            for change in changes
            if points[change.contact]
        ]
        await add_notices(connection, notices)
        await add_tasks(connection, [_task(moment, change) for change in changes if not points[change.contact]])

    async def _telling_points(
        self, connection: AsyncConnection, moment: _Moment, changes: Sequence[AddressChange]
    ) -> dict[str, list[ContactPoint]]:
        """Find the points, by contact, that the notice may go to."""
        school, people = moment.school, [change.contact for change in changes]
        since = moment.at - KEPT_IN_MIND
        known = await arrivals(connection, school.id, people, since=since)
        shared = await shared_addresses(connection, school.id, people)
        own: dict[str, list[ContactPoint]] = {contact: [] for contact in people}
        by_contact = {change.contact: change for change in changes}
        for point in await _points_of(connection, school, people):
            key = key_of(school, point)
            fits = may_tell(
                point,
                (point.channel.value, key),
                by_contact[point.contact],
                verified=is_verified(known.get((point.contact, place_of(school, point)), ()), moment.at),
                shared=(point.contact, key) in shared,
            )
            if fits:
                own[point.contact].append(point)
        return own

    def _notice(
        self, moment: _Moment, change: AddressChange, students: tuple[str, ...], points: Sequence[ContactPoint]
    ) -> dict[str, Any]:
        """Write the notification; the recipient rules still decide about it as about any other."""
        request = NotificationRequest(
            category=Category.ACCOUNT,
            purpose=Purpose.INFORMATION,
            audience=Audience(students=students, contacts=(change.contact,)),
            template=TEMPLATE,
            values={"change_date": moment.day.isoformat()},
        )
        return {
            "id": moment.id_of(change),
            "school": moment.school.id,
            "category": request.category.value,
            "purpose": request.purpose.value,
            "lane": lane_of(request.category).value,
            "status": NotificationStatus.ACCEPTED.value,
            "request": msgspec.json.encode(request).decode(),
            "sources": msgspec.json.encode(self._text.sources).decode(),
            "only_points": msgspec.json.encode({point.id: place_of(moment.school, point) for point in points}).decode(),
            "reference": None,
            "created_by": AUTHOR,
            "created_at": moment.at,
            "send_at": moment.at,
            "expires_at": moment.at + _LIFETIME,
            "respond_by": None,
            "cursor": "",
        }


async def _points_of(connection: AsyncConnection, school: School, people: Sequence[str]) -> list[ContactPoint]:
    found: list[ContactPoint] = []
    for start in range(0, len(people), 5_000):
        within = contact_points.c.contact.in_(people[start : start + 5_000])
        found += await load_points(connection, school, within)
    return found


def _task(moment: _Moment, change: AddressChange) -> dict[str, Any]:
    """Have the office ask the contact, by a way that the change has nothing to do with."""
    return {
        "id": derived_id(moment.id_of(change), "task"),
        "school": moment.school.id,
        "kind": KIND,
        "notification": None,
        "student": None,
        "contact": change.contact,
        "delivery": None,
        "owner": "office",
        "detail": f"{RULE}: Contact details were changed on {moment.day:%d %B %Y}. {UNCONFIRMED}",
        "created_at": moment.at,
        "due_at": moment.at + _DUE,
        "done_at": None,
    }
