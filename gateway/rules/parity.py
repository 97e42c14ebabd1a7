"""The parity report (R12): where the parents of one student would fare differently, where they did, and why."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from gateway.directory.indexing import SELF, DirectoryIndex
from gateway.directory.model import Category, ChannelName
from gateway.rules.answer import Answer, Decision, Outcome, PlannedMessage, Request
from gateway.rules.audience import DEFAULT_POLICY, decide
from gateway.rules.categories import Audience
from gateway.rules.entitlement import is_parent
from gateway.rules.households import Households
from gateway.rules.occasion import Occasion, Pupil, RefusedError, occasion_of, pair_of, pupil_of
from gateway.rules.policy import Policy
from gateway.rules.treatment import Difference, Side, Trace, Treatment, difference

_CHUNK = 200
"""Students decided about at once: their decisions are all that is held in memory."""

IsWritten = Callable[[Category, str], bool]
"""Tells whether the school has texts of a category in a language."""


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided for one student and one contact, and what became of the message."""

    decision: Decision
    channels: tuple[ChannelName, ...] = ()
    """Of the message's routes, in order."""
    language: str | None = None
    in_own_language: bool = True
    step: int | None = None
    not_before: dt.datetime | None = None
    traces: tuple[Trace, ...] = ()


def _everything_is(_category: Category, _language: str) -> bool:
    return True


def differences(
    index: DirectoryIndex,
    at: dt.datetime,
    *,
    students: Iterable[str] | None = None,
    policy: Policy = DEFAULT_POLICY,
    is_written: IsWritten = _everything_is,
) -> Iterator[Difference]:
    """Decide about the students (all, unless given) in every category that names nobody, and compare their parents.

    In order of student, then category. Raises `RefusedError` when P0 does.
    """
    about = _occasion(index, Category.ROUTINE, at, policy)
    families = (
        (pupil.student.id, parents)
        for student in sorted(index.students if students is None else students)
        for pupil in [pupil_of(about, index.students[student])]
        for parents in [parents_of(pupil)]
        if len(parents) > 1
    )
    while chunk := list(islice(families, _CHUNK)):
        found: dict[str, list[Difference]] = {}
        for category in _shared_categories(policy):
            occasion = _occasion(index, category, at, policy)
            for one in _in_category(occasion, chunk, is_written):
                found.setdefault(one.student, []).append(one)
        for student, _ in chunk:
            yield from found.get(student, ())


def differences_in_fact(
    index: DirectoryIndex,
    category: Category,
    at: dt.datetime,
    fates: Iterable[Fate],
    *,
    policy: Policy = DEFAULT_POLICY,
) -> Iterator[Difference]:
    """Compare what became of one notification for the parents of each student.

    The decisions and deliveries are those on record; who is a parent, and why a route was missing, is read from the
    directory as it stands, on the day of `at`. A student or contact who has left the directory is not compared.
    """
    occasion = _occasion(index, category, at, policy)
    households = Households(index, occasion.today, policy)
    by_student: dict[str, dict[str, Fate]] = {}
    for fate in fates:
        by_student.setdefault(fate.decision.student, {})[fate.decision.contact] = fate
    for student in sorted(by_student.keys() & index.students.keys()):
        pupil, own = pupil_of(occasion, index.students[student]), by_student[student]
        sides = [_side(pupil, parent, _treatment(own[parent])) for parent in parents_of(pupil) if parent in own]
        found = difference(sides, households)
        if found is not None:
            yield found


def parents_of(pupil: Pupil) -> list[str]:
    """Name the living contacts who are parents of the student (R07), blocked or not, in order of id."""
    return [
        contact
        for contact, row in pupil.rows.items()
        if row.relation != SELF and pupil.is_living(contact) and is_parent(pupil, row)
    ]


def _shared_categories(policy: Policy) -> list[Category]:
    """List the categories that no request names people for, by name."""
    return sorted(category for category, row in policy.categories.items() if row.audience is not Audience.PERSON)


def _occasion(index: DirectoryIndex, category: Category, at: dt.datetime, policy: Policy) -> Occasion:
    return occasion_of(index, Request(category=category, at=at, everyone=True), policy)


def _in_category(
    occasion: Occasion, families: Sequence[tuple[str, list[str]]], is_written: IsWritten
) -> Iterator[Difference]:
    """Decide about these families at once and compare."""
    students = tuple(student for student, _ in families)
    request = Request(category=occasion.category, at=occasion.at, students=students)
    answer = decide(occasion.index, request, policy=occasion.policy)
    if answer.error is not None:
        raise RefusedError(answer.error.reason)
    fates = _planned(answer, lambda language: is_written(occasion.category, language))
    households = Households(occasion.index, occasion.today, occasion.policy)
    for student, parents in families:
        pupil = pupil_of(occasion, occasion.index.students[student])
        found = difference([_side(pupil, who, _treatment(fates[student, who])) for who in parents], households)
        if found is not None:
            yield found


def _planned(answer: Answer, is_written: Callable[[str], bool]) -> dict[tuple[str, str], Fate]:
    """Bring each decision together with the message that follows from it."""
    messages = {(student, message.contact): message for message in answer.messages for student in message.students}
    fates = {}
    for decision in answer.decisions:
        place = (decision.student, decision.contact)
        message = messages.get(place)
        fates[place] = Fate(decision=decision) if message is None else _fate(decision, message, is_written)
    return fates


def _fate(decision: Decision, message: PlannedMessage, is_written: Callable[[str], bool]) -> Fate:
    return Fate(
        decision=decision,
        channels=tuple(dict.fromkeys(delivery.channel for delivery in message.deliveries)),
        language=message.language,
        in_own_language=is_written(message.language),
        step=message.step,
        not_before=message.not_before,
    )


def _treatment(fate: Fate) -> Treatment:
    """Say what a parent gets; of a message that is not for them there is nothing to say."""
    decision = fate.decision
    own = fate if decision.outcome is Outcome.SEND else Fate(decision=decision)
    return Treatment(
        contact=decision.contact,
        outcome=decision.outcome,
        rule=decision.rule,
        reason=decision.reason,
        channels=own.channels,
        language=own.language,
        in_own_language=own.in_own_language,
        step=own.step,
        not_before=own.not_before,
        traces=own.traces,
    )


def _side(pupil: Pupil, parent: str, treatment: Treatment) -> Side:
    return Side(pair_of(pupil, pupil.occasion.index.contacts[parent], pupil.rows[parent]), treatment)
