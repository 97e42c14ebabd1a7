"""Who may have written a text: the people on record at its number, and the message they were sent there last."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Inbound
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Contact, Effect, School
from gateway.dispatch.requests import Lane
from gateway.rules.households import Households
from gateway.rules.policy import Policy
from gateway.rules.restrictions import is_live
from gateway.store.people import RestrictionsUnreadableError, load_neighbourhood, load_restrictions
from gateway.store.replies import lone_school
from gateway.store.text_answers import holders_of, latest_text

ANSWERS_FOR = dt.timedelta(days=14)
"""How long a text is taken for an answer to the last one that was sent to its number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Somebody who has a number at a school, or had it."""

    school: School
    contact: Contact
    current: bool


@dataclass(frozen=True, kw_only=True)
class Writer:
    """What is known of the number that a text came from; who really wrote it nobody knows."""

    number: str
    holders: Sequence[Holder]
    answered: Any
    """The delivery that was sent there last, or None."""
    school: School | None
    """Whose message it answers, else one that knows the number, else the installation's only one."""

    @property
    def schools(self) -> list[str]:
        """Name the schools that know the number."""
        return sorted({holder.school.id for holder in self.holders})

    def people(self, school: str) -> list[str]:
        """Name who has the number now; people who have died have none."""
        return [
            holder.contact.id
            for holder in self.holders
            if holder.school.id == school and holder.current and not holder.contact.deceased
        ]

    def language(self, otherwise: str) -> str:
        """Say what is read at the number, if that is one language."""
        languages = {holder.contact.language or holder.school.language for holder in self.holders if holder.current}
        return languages.pop() if len(languages) == 1 else otherwise


async def find_writer(connection: AsyncConnection, inbound: Inbound, *, now: dt.datetime) -> Writer:
    """Look up the number that a text came from."""
    rows = await holders_of(connection, inbound.sender)
    holders = [
        Holder(
            school=msgspec.json.decode(row.school_document, type=School),
            contact=msgspec.json.decode(row.document, type=Contact),
            current=row.current,
        )
        for row in rows
    ]
    answered = await latest_text(
        connection,
        [(row.school, row.contact) for row in rows],
        inbound.sender,
        provider=inbound.provider,
        lanes=[lane for lane in Lane if inbound.urgent in (None, lane is Lane.EMERGENCY)],
        since=now - ANSWERS_FOR,
        until=inbound.at,
    )
    of_answered = [holder.school for holder in holders if answered is not None and holder.school.id == answered.school]
    # Who has left a school has nothing to tell it any more, as long as another one has them.
    by_school = sorted(holders, key=lambda holder: not holder.current)
    school = next(iter([*of_answered, *(holder.school for holder in by_school)]), None)
    if school is None and (lone := await lone_school(connection)) is not None:
        school = msgspec.json.decode(lone.school_document, type=School)
    return Writer(number=inbound.sender, holders=holders, answered=answered, school=school)


async def may_be_barred(connection: AsyncConnection, writer: Writer, *, now: dt.datetime, policy: Policy) -> bool:
    """Tell whether somebody with this number is, or may be, kept from news of a child at the writer's school.

    Whether they have the number still, or are with the school still, makes no difference.
    """
    if writer.school is None:
        return False
    people = {holder.contact.id for holder in writer.holders if holder.school.id == writer.school.id}
    try:
        restrictions = await load_restrictions(connection, writer.school.id, set(), people)
    except RestrictionsUnreadableError:
        return True  # who is barred cannot be told now
    today = now.astimezone(ZoneInfo(writer.school.timezone)).date()
    return any(
        one.contact in people and one.effect is Effect.DENY and is_live(one, today, policy) for one in restrictions
    )


async def is_one_voice(connection: AsyncConnection, writer: Writer, *, now: dt.datetime, policy: Policy) -> bool:
    """Tell whether a text from this number may pass for the words of whoever was sent the message it answers.

    Not when somebody has the number who lives apart from them, or when they have it no more (R29, R40).
    """
    people = writer.people(writer.answered.school)
    reader = writer.answered.contact
    if reader not in people:
        return False
    others = [person for person in people if person != reader]
    if not others:
        return True
    if writer.school is None or writer.school.id != writer.answered.school:
        return False
    try:
        directory = await load_neighbourhood(connection, writer.school, people, ())
    except RestrictionsUnreadableError:
        return False  # who is kept apart from whom cannot be told now
    households = Households(DirectoryIndex(directory), now.astimezone(ZoneInfo(writer.school.timezone)).date(), policy)
    return all(households.are_joint(reader, other) for other in others)
