"""The restrictions register: who may bar or order messages, on what evidence, and that two people agree."""

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Principal
from gateway.directory.model import (
    ANY,
    Basis,
    CategoryOrAny,
    ChannelOrAny,
    Effect,
    Identifier,
    Restriction,
    RestrictionStatus,
)
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable_fields
from gateway.dispatch.restriction_changes import (
    Change,
    Waiting,
    approved,
    check_dates,
    check_evidence,
    drafted,
    rejected,
    reviewing,
    superseding,
    waiting_for,
)
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.identity import new_id
from gateway.store.people import knows_contact, knows_student, load_school
from gateway.store.policies import load_policy
from gateway.store.restrictions import (
    Words,
    add_objection,
    add_restriction,
    add_step,
    find_restriction,
    last_steps,
    save_restriction,
)
from gateway.store.roster import raise_version
from gateway.store.tasks import add_tasks

Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
"""Where the evidence is kept; never the evidence itself."""

Note = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]


class _Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a call of the register takes."""


class NewRestriction(_Wanted, frozen=True):
    """A restriction to begin: it bars personal mail at once and awaits a second person."""

    student: Identifier
    contact: Identifier
    effect: Effect
    basis: Basis
    categories: tuple[CategoryOrAny, ...] = (ANY,)
    channels: Annotated[tuple[ChannelOrAny, ...], msgspec.Meta(min_length=1)] = (ANY,)
    from_: dt.date | None = msgspec.field(default=None, name="from")
    until: dt.date | None = None
    evidence: Reference | None = None
    note: Note | None = None


class Superseding(_Wanted, frozen=True):
    """Why a restriction should act no more; `by` is the one that takes its place."""

    by: Identifier | None = None
    note: Note | None = None


class Review(_Wanted, frozen=True):
    """A review: on which day, and until when the restriction is to act."""

    until: dt.date | None = None
    reviewed_on: dt.date | None = None
    evidence: Reference | None = None
    note: Note | None = None


class Verdict(_Wanted, frozen=True):
    """A second person's decision; `change` names the step that they looked at, so that they decide no other."""

    change: int | None = None
    note: Note | None = None


class Objection(_Wanted, frozen=True):
    """What somebody said against telling a contact about a student (R03)."""

    student: Identifier
    contact: Identifier
    by: Identifier
    """The contact who says so."""
    note: Note | None = None


class Register:
    """Changes restrictions, one transaction a step; the directory's version rises with whatever acts (R44)."""

    def __init__(self, database: Database, *, now: Callable[[], dt.datetime], policy: Policy) -> None:
        self._database = database
        self._now = now
        self._policy = policy

    async def create(self, principal: Principal, wanted: NewRestriction) -> str:
        """Begin a restriction as a draft, which acts at once; gives its id. Raises `Refused`."""
        check_evidence(wanted.basis, wanted.evidence, wanted.note)
        async with self._database.writing() as connection:
            today = await self._today(connection, principal)
            restriction = _restriction(wanted, new_id(self._now()), today)
            check_dates(restriction)
            await _check_people(connection, principal.school, student=wanted.student, contact=wanted.contact)
            change = drafted(restriction)
            await add_restriction(
                connection, principal.school, change.document, evidence=wanted.evidence, by=principal.key
            )
            await self._record(connection, principal, 1, change, {"evidence": wanted.evidence, "note": wanted.note})
            await raise_version(connection, principal.school, at=self._now())
        return restriction.id

    async def supersede(self, principal: Principal, restriction: str, wanted: Superseding) -> None:
        """Ask that a restriction act no more; a second person must agree. Raises `Refused`."""
        async with self._database.writing() as connection:
            before, number = await self._free(connection, principal, restriction)
            if wanted.by is not None:
                await _check_successor(connection, principal.school, before, wanted.by)
            words = {"note": wanted.note, "successor": wanted.by}
            await self._record(connection, principal, number, superseding(before), words)

    async def review(self, principal: Principal, restriction: str, wanted: Review) -> None:
        """Confirm, extend or shorten a restriction; a second person must agree. Raises `Refused`."""
        async with self._database.writing() as connection:
            before, number = await self._free(connection, principal, restriction)
            change = reviewing(
                before,
                reviewed_on=wanted.reviewed_on,
                until=wanted.until,
                today=await self._today(connection, principal),
                policy=await load_policy(connection, principal.school, self._policy),
            )
            words = {"note": wanted.note, "evidence": wanted.evidence}
            await self._record(connection, principal, number, change, words)
            await self._act(connection, principal, before, change)

    async def approve(self, principal: Principal, restriction: str, verdict: Verdict) -> None:
        """Agree as the second person to what waits. Raises `Refused`."""
        async with self._database.writing() as connection:
            before, waiting = await self._awaited(connection, principal, restriction, verdict)
            change = approved(waiting, by=principal.key)
            await self._record(connection, principal, waiting.number + 1, change, {"note": verdict.note})
            await self._act(connection, principal, before, change)

    async def reject(self, principal: Principal, restriction: str, verdict: Verdict) -> None:
        """Turn down what waits, or take back one's own wish that does not act yet. Raises `Refused`."""
        async with self._database.writing() as connection:
            before, waiting = await self._awaited(connection, principal, restriction, verdict)
            change = rejected(waiting, before, by=principal.key)
            await self._record(connection, principal, waiting.number + 1, change, {"note": verdict.note})
            await self._act(connection, principal, before, change)

    async def note_objection(self, principal: Principal, wanted: Objection) -> str:
        """Note what somebody says and ask the safeguarding lead to look into it: recipients do not change (R03)."""
        now = self._now()
        identifier = new_id(now)
        async with self._database.writing() as connection:
            await self._today(connection, principal)
            await _check_people(
                connection, principal.school, student=wanted.student, contact=wanted.contact, by=wanted.by
            )
            await add_objection(
                connection,
                principal.school,
                identifier=identifier,
                student=wanted.student,
                contact=wanted.contact,
                said_by=wanted.by,
                note=wanted.note,
                taken_by=principal.key,
                at=now,
            )
            await add_tasks(connection, [_look_into(identifier, principal.school, wanted, now)])
        return identifier

    async def _today(self, connection: AsyncConnection, principal: Principal) -> dt.date:
        """Tell the date at the school; raises `Refused` while there is no directory."""
        known = await load_school(connection, principal.school)
        if known is None:
            raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
        return self._now().astimezone(ZoneInfo(known[0].timezone)).date()

    async def _free(
        self, connection: AsyncConnection, principal: Principal, restriction: str
    ) -> tuple[Restriction, int]:
        """Load a restriction on which nothing waits, and the number of its next step."""
        document, last = await _locked(connection, principal.school, restriction)
        if document.status is not RestrictionStatus.DRAFT and waiting_for(document, last) is not None:
            raise Refused(409, "Another change of this restriction awaits a second person: have it decided first.")
        return document, last.number + 1 if last is not None else 1

    async def _awaited(
        self, connection: AsyncConnection, principal: Principal, restriction: str, verdict: Verdict
    ) -> tuple[Restriction, Waiting]:
        """Load a restriction and the change that the verdict is about."""
        document, last = await _locked(connection, principal.school, restriction)
        waiting = waiting_for(document, last)
        if waiting is None:
            raise Refused(409, "Nothing about this restriction awaits a second person.")
        if verdict.change not in {None, waiting.number}:
            raise Refused(409, "Another change waits by now: look at the restriction again before you decide.")
        return document, waiting

    async def _record(
        self,
        connection: AsyncConnection,
        principal: Principal,
        number: int,
        change: Change,
        words: Words,
    ) -> None:
        await add_step(
            connection,
            principal.school,
            number=number,
            step=change.step,
            by=principal.key,
            at=self._now(),
            versions=change.versions,
            words=words,
        )

    async def _act(
        self, connection: AsyncConnection, principal: Principal, before: Restriction, change: Change
    ) -> None:
        """Let the new version act, and all that has not left be decided again."""
        if change.document == before:
            return
        confirmed = before.status is RestrictionStatus.DRAFT and change.document.status is RestrictionStatus.ACTIVE
        approver = principal.key if confirmed else None
        await save_restriction(connection, principal.school, change.document, approved_by=approver)
        await raise_version(connection, principal.school, at=self._now())


async def _locked(connection: AsyncConnection, school: str, restriction: str) -> tuple[Restriction, Any]:
    """Load a restriction and its last step, and keep others from changing it; raises `Refused`."""
    row = await find_restriction(connection, school, restriction, to_change=True)
    if row is None:
        raise Refused(404, "There is no restriction with this id.")
    steps = await last_steps(connection, school, [restriction])
    return msgspec.json.decode(row.document, type=Restriction), steps.get(restriction)


def _restriction(wanted: NewRestriction, identifier: str, today: dt.date) -> Restriction:
    """Write the restriction; the review period of a safeguarding one runs from a day, so it has one (R02)."""
    restriction = Restriction(
        id=identifier,
        student=wanted.student,
        contact=wanted.contact,
        effect=wanted.effect,
        basis=wanted.basis,
        categories=tuple(dict.fromkeys(wanted.categories)),
        channels=tuple(dict.fromkeys(wanted.channels)),
        from_=wanted.from_,
        until=wanted.until,
    )
    if wanted.basis is Basis.SAFEGUARDING and wanted.from_ is None:
        return replace(restriction, from_=today)
    return restriction


async def _check_people(connection: AsyncConnection, school: str, *, student: str, **contacts: str) -> None:
    """Refuse ids that are not the school's: a misspelt one would bar nobody."""
    problems = []
    if not await knows_student(connection, school, student):
        problems.append(FieldProblem(pointer="/student", detail="There is no such student in the directory."))
    for name, contact in contacts.items():
        if not await knows_contact(connection, school, contact):
            problems.append(FieldProblem(pointer=f"/{name}", detail="There is no such contact in the directory."))
    if problems:
        raise unprocessable_fields(problems)


async def _check_successor(connection: AsyncConnection, school: str, before: Restriction, by: str) -> None:
    row = await find_restriction(connection, school, by)
    successor = msgspec.json.decode(row.document, type=Restriction) if row is not None else None
    if (
        successor is None
        or successor.id == before.id
        or successor.status is RestrictionStatus.SUPERSEDED
        or (successor.student, successor.contact) != (before.student, before.contact)
    ):
        detail = "by must be another restriction of the same student and contact that was not superseded itself."
        raise unprocessable_fields([FieldProblem(pointer="/by", detail=detail)])


def _look_into(objection: str, school: str, wanted: Objection, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": objection,
        "school": school,
        "kind": "look_into_objection",
        "notification": None,
        "student": wanted.student,
        "contact": wanted.contact,
        "delivery": None,
        "owner": "safeguarding",
        "detail": f"R03: Somebody objects to telling this contact (objection {objection}). Nobody's mail has changed: "
        "ask for an order, or begin a safeguarding restriction.",
        "created_at": now,
        "due_at": now + dt.timedelta(days=1),
        "done_at": None,
    }
