"""Puts the recipient rules' question for some contacts of one notification: when planning, sending and opening."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.content.template import Source
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, ContactPoint, Directory, School
from gateway.directory.places import place_of
from gateway.dispatch.chunks import Plan
from gateway.dispatch.deny_snapshots import DenySnapshots, NoSnapshotError, StandIn, alert_on_snapshot
from gateway.dispatch.requests import Lane, NotificationRequest
from gateway.rules.address_change import limited
from gateway.rules.answer import Request
from gateway.rules.audience import Evaluation, evaluate
from gateway.rules.categories import LIFE_SAFETY
from gateway.rules.policy import Policy
from gateway.store.attachments import words_of_attachments
from gateway.store.people import RestrictionsUnreadableError, load_neighbourhood, load_school
from gateway.store.planning import among, audience_of
from gateway.store.policies import load_governed

_Known = TypeVar("_Known")


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The answer of the rules, and what it was made from."""

    plan: Plan
    evaluation: Evaluation
    index: DirectoryIndex
    request: NotificationRequest
    sources: Mapping[str, Source]
    files: Mapping[str, str]
    """The words of the files that belong to these students, by id, for the text check (R38)."""
    stand_in: StandIn | None = None
    """What the decision rests on where the restrictions could not be read (R46)."""

    def notices(self, now: dt.datetime) -> list[dict[str, Any]]:
        """Give the task for the safeguarding lead where an alert goes out without a look at the register."""
        if self.stand_in is None:
            return []
        return [alert_on_snapshot(self.plan.notification, self.plan.school.id, self.stand_in, now)]

    @property
    def points(self) -> dict[str, ContactPoint]:
        """Every contact point near the contacts, by id."""
        return {point.id: point for point in self.index.directory.contact_points}


def unchanged(directory: Directory) -> Directory:
    """Decide on the directory as it is."""
    return directory


async def school_of(connection: AsyncConnection, school: str) -> tuple[School, int]:
    """Load the school of something on record, and its directory's version; schools never leave."""
    return _found(await load_school(connection, school))


def _found(known: _Known | None) -> _Known:
    if known is None:
        raise LookupError("a notification's school has left the directory")
    return known


async def decide_about(
    connection: AsyncConnection,
    notification: Any,
    contacts: Collection[str],
    *,
    now: dt.datetime,
    policy: Policy,
    as_if: Callable[[Directory], Directory] = unchanged,
    snapshots: DenySnapshots | None = None,
) -> Decided:
    """Decide for these contacts what the whole notification means to them; `as_if` may change what is looked at.

    `policy` is the installation's; what the school has set goes before it.

    When the restrictions cannot be read, ordinary messages wait: the error goes up. An alert is decided on the last
    snapshot of the denies. Without a genuine one, or for a caller without `snapshots`, it waits as well: any contact
    might be the one whom a court keeps from knowing where the child is, and nobody could tell which. Staff are told at
    once and can telephone; what has been sent cannot be called back (R46).
    """
    school, version, policy = _found(await load_governed(connection, notification.school, policy))
    request = msgspec.json.decode(notification.request, type=NotificationRequest)
    sources = msgspec.json.decode(notification.sources, type=dict[str, Source])
    named = request.audience.contacts
    category = Category(notification.category)
    near_by = partial(load_neighbourhood, connection, school, contacts, audience_of(notification.id), named or ())
    stand_in = None
    try:
        directory = await near_by()
    except RestrictionsUnreadableError as error:
        if category not in LIFE_SAFETY:
            raise
        if snapshots is None:
            raise NoSnapshotError from error
        stand_in = await snapshots.stand_in(connection, school.id, error, now=now)
        directory = await near_by(instead=stand_in.restrictions)
    near = await among(connection, notification.id, [student.id for student in directory.students])
    index = DirectoryIndex(as_if(directory))
    asked = Request(category=category, at=now, students=tuple(near), contacts=named)
    evaluation = evaluate(index, asked, contacts=contacts, policy=policy)
    if evaluation.answer.error is not None:
        raise ValueError(f"the rules refuse an accepted request: {evaluation.answer.error.reason}")
    if notification.only_points is not None:
        evaluation = limited(evaluation, _still_there(notification, school, directory), index)
    plan = Plan(
        notification=notification.id,
        school=school,
        directory_version=version,
        category=category,
        lane=Lane(notification.lane),
        languages=tuple(sources),
        expires_at=notification.expires_at,
        policy=policy,
    )
    return Decided(
        plan=plan,
        evaluation=evaluation,
        index=index,
        request=request,
        sources=sources,
        files=await words_of_attachments(connection, school.id, request.files_for(near)),
        stand_in=stand_in,
    )


def _still_there(notification: Any, school: School, directory: Directory) -> set[str]:
    """Name the points that a notice may go to and that still lead to the same place (R37)."""
    places = msgspec.json.decode(notification.only_points, type=dict[str, str])
    return {point.id for point in directory.contact_points if places.get(point.id) == place_of(school, point)}
