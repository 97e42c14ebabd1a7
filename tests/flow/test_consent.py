"""R14 in the flow: both parents are asked, every answer is kept, and what they come to is the office's to see."""

import asyncio
import re
from typing import Any

import pytest

from gateway.directory.model import Directory
from gateway.dispatch.consent_answers import ConsentDesk, NewAnswer, Origin
from gateway.dispatch.consents import Ballot, ballots_about
from gateway.dispatch.refusals import Refused
from gateway.rules.consent import Reply
from gateway.store.notifications import cancel
from gateway.store.tables import consent_answers, notifications, tasks
from gateway.store.views import list_chronology
from tests.flow.families import DAD, DAD_NUMBER, HOUSE, KID, MUM, SIS, TOGETHER, parents
from tests.flow.installation import PRINCIPAL, Installation
from tests.unit.rules.households import deny, directory, email, letter, mobile

YES, NO = Reply.YES, Reply.NO
DEADLINE = "2026-06-17T12:00:00+01:00"
ALL = {"consent": {"needed": "all_parents"}}


def family(**entities: Any) -> Directory:
    """Let parents live apart, each with a mailbox."""
    return directory(**{"students": [KID], "contacts": [MUM, DAD], "relationships": parents("mum", "dad"), **entities})


class Consent:
    """One question of consent that has gone out, and those who deal with it."""

    def __init__(self, gateway: Installation, notification: str) -> None:
        services = gateway.front.services
        self._gateway = gateway
        self.notification = notification
        self._policy = services.policy
        self._desk = ConsentDesk(services.database, now=gateway.time, policy=services.policy)

    async def row(self) -> Any:
        """Load the notification."""
        (row,) = await self._gateway.rows(notifications, notifications.c.id == self.notification)
        return row

    async def says(self, contact: str, reply: Reply, student: str = "kid") -> bool:
        """Answer on the page; gives whether it was taken."""
        return await self._desk.answer(await self.row(), f"delivery-{contact}", student, contact, reply)

    async def tells_the_office(self, contact: str, reply: Reply, student: str = "kid") -> Ballot:
        """Answer by telephone."""
        wanted = NewAnswer(student=student, contact=contact, answer=reply, origin=Origin.PHONE)
        return await self._desk.take_down(PRINCIPAL, await self.row(), wanted)

    async def ballot(self, student: str = "kid") -> Ballot:
        """Judge what has been said about a student."""
        row = await self.row()
        async with self._gateway.front.database.reading() as connection:
            found = await ballots_about(connection, row, [student], now=self._gateway.time(), policy=self._policy)
        return found[student]

    async def standing(self, student: str = "kid") -> tuple[str, list[str]]:
        """Say how it stands about a student, and for whom it waits."""
        judgement = (await self.ballot(student)).judgement
        return judgement.standing.value, list(judgement.waiting_for)

    async def tasks(self) -> list[tuple[str, str | None, str | None]]:
        """List what the office has to do about consent: kind, student, contact."""
        open_tasks = [task for task in await self._gateway.tasks() if task.kind.startswith("consent_")]
        return sorted((task.kind, task.student, task.contact) for task in open_tasks)


async def asked(gateway: Installation, people: Directory, **fields: Any) -> Consent:
    """Ask for consent and wait until the question is out."""
    await gateway.put(people)
    notification = await gateway.post("consent", **{"purpose": "consent", **fields})
    await gateway.at_rest()
    return Consent(gateway, notification)


async def test_a_yes_and_a_no_are_a_dispute(gateway: Installation) -> None:
    """F30: she says yes, he says no; one task, which goes when he changes his mind and comes back with the next no."""
    consent = await asked(gateway, family())
    assert gateway.outbox.mailed() == ["dad@example.org", "mum@example.org"]
    assert await consent.standing() == ("waiting", ["dad", "mum"])
    assert await consent.says("mum", YES)
    assert await consent.standing() == ("granted", [])
    assert await consent.tasks() == []
    for _ in range(2):
        assert await consent.says("dad", NO)
        assert await consent.standing() == ("disputed", [])
        assert await consent.tasks() == [("consent_disputed", "kid", None)]
        assert await consent.says("dad", YES)
        assert await consent.standing() == ("granted", [])
        assert await consent.tasks() == []
    assert [row.answer for row in await gateway.rows(consent_answers)] == ["yes", "no", "yes", "no", "yes"]


async def test_both_at_the_same_instant_are_one_dispute(idle: Installation) -> None:
    """Whoever is recorded second sees the first: no dispute is missed, and none is told twice."""
    await idle.put(family())
    for _ in range(5):
        notification = await idle.post("consent", purpose="consent")
        await idle.back.planner.plan(notification)
        consent = Consent(idle, notification)
        taken = await asyncio.gather(
            *(consent.says(contact, reply) for contact, reply in (("mum", YES), ("dad", NO)) for _ in range(3))
        )
        assert all(taken)
        assert (await consent.standing())[0] == "disputed"
        rows = await idle.rows(tasks, tasks.c.notification == notification, tasks.c.kind == "consent_disputed")
        assert [(task.student, task.done_at) for task in rows] == [("kid", None)]
        answers = await idle.rows(consent_answers, consent_answers.c.notification == notification)
        assert sorted((row.contact, row.answer) for row in answers) == [("dad", "no"), ("mum", "yes")]


async def test_a_settled_dispute_stays_settled(gateway: Installation) -> None:
    """What a person has dealt with is not put on the list again by the clock, only by a new dispute."""
    consent = await asked(gateway, family())
    await consent.says("mum", YES)
    await consent.says("dad", NO)
    async with gateway.front.database.writing() as connection:
        await connection.execute(tasks.update().values(done_at=gateway.time(), done_by="office"))
    await gateway.put(family(students=[{**KID, "groups": ["year-3"]}]))
    await gateway.forward(minutes=2)
    assert await consent.tasks() == []
    await consent.says("dad", YES)
    await consent.says("dad", NO)
    assert await consent.tasks() == [("consent_disputed", "kid", None)]


async def test_who_is_barred_since_does_not_count(gateway: Installation) -> None:
    """His answer is kept and says why it counts no more; the office is told; when the order ends it counts again."""
    consent = await asked(gateway, family())
    await consent.says("mum", YES)
    await consent.says("dad", NO)
    order = deny("dad", until="2026-06-15", reviewed_on="2026-06-15")
    await gateway.put(family(restrictions=[order]))
    assert await consent.standing() == ("granted", [])
    assert (await consent.ballot()).judgement.uncounted == ("dad",)
    assert (await consent.ballot()).voices["dad"].rule == "R01"
    await gateway.forward(minutes=2)
    assert await consent.tasks() == [("consent_not_counted", "kid", "dad")]
    (task,) = [task for task in await gateway.tasks() if task.kind == "consent_not_counted"]
    assert "R01" in task.detail
    assert not await consent.says("dad", YES)
    await consent.tells_the_office("dad", YES)
    assert len((await consent.ballot()).answers) == 3
    await gateway.forward(days=1)
    assert await consent.tasks() == []
    assert await consent.standing() == ("granted", [])


async def test_who_is_no_longer_related_does_not_count(gateway: Installation) -> None:
    """A relationship that has ended takes the answer with it, never silently (R43)."""
    consent = await asked(gateway, family(), **ALL)
    await consent.says("dad", YES)
    assert await consent.standing() == ("waiting", ["mum"])
    await gateway.put(family(relationships=[*parents("mum"), *parents("dad", valid_to="2026-06-14")]))
    await gateway.forward(minutes=2)
    assert await consent.standing() == ("waiting", ["mum"])
    assert await consent.tasks() == [("consent_not_counted", "kid", "dad")]
    await consent.says("mum", YES)
    assert await consent.standing() == ("granted", [])


async def test_everybodys_yes_waits_for_whom_no_message_reaches(gateway: Installation) -> None:
    """A father without any route is waited for by name, to staff alone; the office takes his answer by telephone."""
    consent = await asked(gateway, family(contact_points=[email("mum")]), respond_by=DEADLINE, **ALL)
    assert (await gateway.decided(consent.notification))["kid", "dad"] == "unreachable R24"
    await consent.says("mum", YES)
    assert await consent.standing() == ("waiting", ["dad"])
    ballot = await consent.tells_the_office("dad", YES)
    assert ballot.judgement.standing == "granted"
    (row,) = await gateway.rows(consent_answers, consent_answers.c.contact == "dad")
    assert (row.origin, row.taken_by, row.delivery) == ("phone", "flow", None)


async def test_everybodys_yes_waits_for_whom_a_person_must_decide_about(gateway: Installation) -> None:
    """An unexplained flag holds his question back: her yes alone is not everybody's, and his does not count yet."""
    people = family(relationships=[*parents("mum"), *parents("dad", correspondence="no")])
    consent = await asked(gateway, people, **ALL)
    assert (await gateway.decided(consent.notification))["kid", "dad"] == "hold R10b"
    await consent.says("mum", YES)
    assert await consent.standing() == ("waiting", ["dad"])
    assert not await consent.says("dad", YES)
    await consent.tells_the_office("dad", YES)
    assert await consent.standing() == ("waiting", ["dad"])
    assert await consent.tasks() == [("consent_not_counted", "kid", "dad")]


async def test_too_few_answers_at_the_deadline_are_a_task(gateway: Installation) -> None:
    """It counts the students; a slip that comes in late is taken by the office, and the last one clears the task."""
    people = family(students=[KID, SIS], relationships=[*parents("mum", "dad"), *parents("mum", "dad", student="sis")])
    audience = {"students": ["kid", "sis"]}
    consent = await asked(gateway, people, audience=audience, respond_by=DEADLINE, **ALL)
    for student in ("kid", "sis"):
        await consent.says("mum", YES, student)
    await gateway.forward(hours=49)
    assert await consent.tasks() == []
    await gateway.forward(hours=1)
    assert await consent.tasks() == [("consent_missing", None, None)]
    (task,) = [task for task in await gateway.tasks() if task.kind == "consent_missing"]
    assert task.detail.endswith("students concerned: 2.")
    assert await consent.standing() == ("expired", ["dad"])
    assert not await consent.says("dad", YES)
    for student, left in (("kid", [("consent_missing", None, None)]), ("sis", [])):
        await consent.tells_the_office("dad", YES, student)
        assert await consent.standing(student) == ("granted", [])
        await gateway.forward(minutes=2)
        assert await consent.tasks() == left


async def test_a_deadline_that_is_kept_makes_no_task(gateway: Installation) -> None:
    """Who has refused has answered, too."""
    consent = await asked(gateway, family(), respond_by=DEADLINE)
    await consent.says("mum", NO)
    await gateway.forward(days=3)
    assert await consent.standing() == ("refused", [])
    assert await consent.tasks() == []


async def test_an_adult_student_answers_alone(gateway: Installation) -> None:
    """A birthday before the deadline: the mother's yes counts no more, and nobody stands in for the student."""
    kid = {**KID, "birth_date": "2008-06-16"}
    consent = await asked(gateway, family(students=[kid]), respond_by=DEADLINE)
    await consent.says("mum", YES)
    assert await consent.standing() == ("granted", [])
    await gateway.forward(days=1)
    assert await consent.standing() == ("waiting", [])
    assert await consent.tasks() == [("consent_not_counted", "kid", "mum")]


async def test_a_question_taken_back_is_nobodys_task(gateway: Installation) -> None:
    """A cancellation ends the dispute with the question; nothing more is taken, and what was said stays on record."""
    consent = await asked(
        gateway,
        family(contacts=[MUM, {**DAD, "preferences": {"quiet_hours": ["00:00", "23:59"]}}]),
        respond_by=DEADLINE,
    )
    await consent.says("mum", YES)
    await consent.tells_the_office("dad", NO)
    assert await consent.tasks() == [("consent_disputed", "kid", None)]
    async with gateway.front.database.writing() as connection:
        await cancel(connection, consent.notification, at=gateway.time())
    await gateway.forward(minutes=2)
    assert await consent.tasks() == []
    assert not await consent.says("mum", NO)
    with pytest.raises(Refused, match="cancelled"):
        await consent.tells_the_office("mum", NO)
    assert len(await gateway.rows(consent_answers)) == 2
    await gateway.forward(days=3)
    assert await consent.tasks() == []


async def test_chronologies_tell_only_of_the_contact(gateway: Installation) -> None:
    """His chronology tells that he answered; hers is silent about it."""
    consent = await asked(gateway, family())
    await consent.says("dad", NO)
    await consent.says("mum", YES)
    for contact, own, other in (("dad", "no", "yes"), ("mum", "yes", "no")):
        async with gateway.front.database.reading() as connection:
            entries = await list_chronology(connection, "school", person=contact, is_student=False, after=(), limit=100)
        (detail,) = [entry.detail for entry in entries if entry.event == "consent_answered"]
        assert f'"answer":"{own}"' in detail
        assert f'"answer":"{other}"' not in detail


async def test_every_route_leads_to_the_question(gateway: Installation) -> None:
    """The link to the own page stands in mail, text message and letter; a couple's joint letter has one."""
    people = family(
        contacts=[MUM, DAD, {"id": "nan", "family_name": "Oakhanger"}, {"id": "pop", "family_name": "Oakhanger"}],
        relationships=parents("mum", "dad", "nan", "pop"),
        contact_points=[email("mum"), mobile("dad", DAD_NUMBER), letter("nan", HOUSE), letter("pop", HOUSE)],
        households=[{**TOGETHER, "members": ["nan", "pop"]}],
    )
    consent = await asked(gateway, people)
    by_point = {row.point: row for row in await gateway.deliveries(consent.notification)}
    (mail,) = gateway.outbox.mails().values()
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"/d/{by_point['mum-e'].id}." in body.get_content()
    (text,) = gateway.outbox.lines("sms")
    assert f"/d/{by_point['dad-m'].id}." in text["body"]
    ((carrier, printed),) = gateway.outbox.letters().items()
    assert f"/d/{carrier}." in re.sub(r"[\s\u200b]", "", printed)  # lines of paper end where they must
    assert "You can also give your answer to the school office." in printed
