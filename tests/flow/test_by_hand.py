"""Staff as a provider: what they get, what they may still read, what their reports do, and what goes by itself."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text, update

from channels.base import Call, Sheet
from gateway.access import Principal, Scope
from gateway.directory.model import Directory
from gateway.dispatch.by_hand import call_off, put_on_list
from gateway.dispatch.hand_reports import MOST_TRIES, PAUSE, HandOutcome, HandReport
from gateway.dispatch.outcomes import withdrawn
from gateway.dispatch.refusals import Refused
from gateway.settings import Share
from gateway.settings.letters import LetterSettings
from gateway.settings.voice import VoiceSettings
from gateway.store.by_hand import in_hands
from gateway.store.notifications import cancel
from gateway.store.tables import (
    chronology,
    deliveries,
    delivery_events,
    hand_reports,
    messages,
    pages,
    point_marks,
    receipts,
    tasks,
)
from gateway.tracking.states import News
from tests.flow.families import DAD, DAD_NUMBER, HOUSE, KID, MUM, MUM_NUMBER, SIS, TOGETHER, parents
from tests.flow.installation import CONTENT, MONDAY, PRINCIPAL, Installation, installed
from tests.flow.test_holds import LEAD, come_to, held_lockdown
from tests.flow.test_restrictions_unreadable import TABLE
from tests.flow.test_text_check import release, saying
from tests.unit.rules.households import deny, directory, letter, voice

COLLEAGUE = Principal(key="colleague", name="colleague", school="school", scopes=frozenset(Scope))
BY_STAFF = {
    "voice": VoiceSettings(voice_provider=(Share("staff", 1),)),
    "letters": LetterSettings(letter_provider=(Share("staff", 1),)),
}


@pytest_asyncio.fixture
async def staffed(servers_urls: tuple[str, str | None], tmp_path: Path) -> AsyncIterator[Installation]:
    """Give a gateway at work whose calls and letters are staff's."""
    database_url, redis_url = servers_urls
    async with installed(database_url, redis_url, tmp_path, changes=BY_STAFF) as installation:
        yield installation


def family(**entities: Any) -> Directory:
    """Give a mother who can be telephoned, or else written to."""
    return directory(
        **{
            "relationships": parents("mum"),
            "contacts": [MUM],
            "students": [KID],
            "contact_points": [voice("mum", MUM_NUMBER), letter("mum", HOUSE)],
            **entities,
        }
    )


def report(outcome: str, **fields: Any) -> HandReport:
    """Report a try made at ten in the morning."""
    told = {"outcome": HandOutcome(outcome), "at": MONDAY, "note": "Invented.", "identity_checked": True, **fields}
    return HandReport(**told)


async def called(
    staffed: Installation, category: str = "progress", people: Directory | None = None, **post: Any
) -> Any:
    """Have a message brought by staff; gives its only task."""
    await staffed.put(people or family())
    await staffed.post(category, **post)
    await staffed.at_rest()
    (task,) = await staffed.tasks()
    return task


async def refused(staffed: Installation, task: str, **fields: Any) -> Refused:
    """Ask for a script in vain."""
    with pytest.raises(Refused) as error:
        await staffed.front.services.scripts.script(PRINCIPAL, task, **{"reason": "To call her.", **fields})
    return error.value


async def test_what_staff_accept_is_on_their_list(staffed: Installation) -> None:
    """One task, due by the end of the school's day, named after nobody; the delivery says who has it."""
    task = await called(staffed)
    (row,) = await staffed.deliveries()
    assert (row.point, row.state, row.provider, row.provider_id) == ("mum-v", "sent", "staff", row.id)
    assert (task.kind, task.owner, task.student, task.contact, task.delivery) == (
        "call",
        "office",
        "kid",
        "mum",
        row.id,
    )
    assert task.due_at == MONDAY.replace(hour=15)
    assert "Quillfeather" not in task.detail
    assert await staffed.status(row.notification) == "finished"
    assert [one.outcome for one in await staffed.attempts(row.id)] == ["accepted"]


async def test_an_alert_is_the_safeguarding_leads_in_minutes(staffed: Installation) -> None:
    """Nobody waits for the end of the day, and every point of a simultaneous alert stands for itself."""
    task = await called(staffed, "emergency")
    assert (task.kind, task.owner, task.due_at - MONDAY) == ("call", "safeguarding", dt.timedelta(minutes=5))


async def test_the_script_is_written_when_it_is_read(staffed: Installation) -> None:
    """Whom to ask for and what to say; without a reason the number is not even looked at, with one that is logged."""
    task = await called(staffed)
    desk = staffed.front.services.scripts
    script = await desk.script(PRINCIPAL, task.id, reason=None)
    assert script.speech is not None
    assert "this is about Tamsin" in script.speech
    assert isinstance(script.payload, Call)
    assert "Tamsin" not in script.payload.voicemail
    assert "address_shown" not in await staffed.events()
    script = await desk.script(PRINCIPAL, task.id, reason="To call her.")
    assert isinstance(script.payload, Call)
    assert script.payload.recipient == MUM_NUMBER
    (entry,) = await staffed.rows(chronology, chronology.c.event == "address_shown")
    assert (entry.student, entry.contact) == ("kid", "mum")
    assert json.loads(entry.detail)["reason"] == "To call her."
    assert MUM_NUMBER not in entry.detail


async def test_the_caller_reads_it_in_the_schools_language_too(staffed: Installation) -> None:
    """Of a template both texts exist; of a text in one language there is only the one."""
    people = family(contacts=[{**MUM, "language": "so"}])
    task = await called(staffed, "attendance", people, template="absence", values={"absence_date": "2026-06-15"})
    script = await staffed.front.services.scripts.script(PRINCIPAL, task.id, reason=None)
    assert script.language == "so"
    assert script.speech is not None
    assert script.for_caller is not None
    assert "Tamsin" in script.speech
    assert "Our register shows an absence" in script.for_caller
    assert "Our register" not in script.speech


async def test_what_exists_in_one_language_only_has_no_text_for_the_caller(staffed: Installation) -> None:
    """A text in Polish alone is read out as it is."""
    content = {**CONTENT, "language": "pl"}
    task = await called(staffed, people=family(contacts=[{**MUM, "language": "pl"}]), content=content)
    script = await staffed.front.services.scripts.script(PRINCIPAL, task.id, reason=None)
    assert (script.language, script.for_caller) == ("pl", None)


@pytest.mark.parametrize(
    ("outcome", "state", "events"),
    [
        ("reached", "delivered", ["acknowledged"]),
        ("wrong_number", "failed", ["bounced"]),
    ],
)
async def test_an_outcome_is_news_of_the_delivery(
    staffed: Installation, outcome: str, state: str, events: list[str]
) -> None:
    """It counts as delivery when it is done; what is told twice is told once."""
    task = await called(staffed)
    for _ in range(2):
        await staffed.front.services.reports.take(PRINCIPAL, task.id, report(outcome))
        await staffed.at_rest()
    by_point = {row.point: row for row in await staffed.deliveries()}
    assert by_point["mum-v"].state == state
    assert by_point["mum-v"].id == task.delivery
    told = await staffed.rows(delivery_events, delivery_events.c.delivery == task.delivery)
    assert [each.news for each in told] == events
    (done,) = await staffed.rows(tasks, tasks.c.id == task.id)
    assert (done.done_by, done.note, done.acknowledged_by) == ("flow", "Invented.", "flow")
    assert len(await staffed.rows(hand_reports)) == 1
    assert (await staffed.events()).count("task_done") == 1


@pytest.mark.parametrize(("outcome", "known"), [("reached", True), ("voicemail", False)])
async def test_who_was_told_in_person_has_acknowledged_it(staffed: Installation, outcome: str, *, known: bool) -> None:
    """R31: a person confirmed it to a person; no machine on the way can have done so."""
    task = await called(staffed)
    await staffed.front.services.reports.take(PRINCIPAL, task.id, report(outcome))
    (message,) = await staffed.rows(messages)
    assert (message.acknowledged_at is not None) == known


async def test_a_wrong_number_is_dead_and_the_next_route_starts(staffed: Installation) -> None:
    """R34: for everyone who has it; the letter is staff's next task."""
    task = await called(staffed)
    await staffed.front.services.reports.take(PRINCIPAL, task.id, report("wrong_number", identity_checked=None))
    await staffed.at_rest()
    assert await staffed.states() == {"mum-v": "failed", "mum-l": "sent"}
    assert [(mark.channel, mark.state) for mark in await staffed.rows(point_marks)] == [("voice", "dead")]
    (letter_task,) = await staffed.tasks()
    assert letter_task.kind == "hand_over"


@pytest.mark.parametrize("outcome", ["not_reached", "voicemail", "left_message"])
async def test_who_is_not_reached_is_tried_again_and_then_goes_another_way(staffed: Installation, outcome: str) -> None:
    """The task stays with a later deadline until the last try, whoever took the others; one told twice counts once."""
    task = await called(staffed)
    for number in range(1, MOST_TRIES):
        missed = report(outcome, at=MONDAY + dt.timedelta(minutes=number), identity_checked=None)
        for _ in range(2):
            await staffed.front.services.reports.take(PRINCIPAL, task.id, missed)
        (task,) = await staffed.tasks()
        assert task.due_at == missed.at + PAUSE
        assert await staffed.states() == {"mum-v": "sent"}
    last = report(outcome, at=MONDAY + dt.timedelta(minutes=4), identity_checked=None)
    await staffed.front.services.reports.take(PRINCIPAL, task.id, last)
    await staffed.at_rest()
    assert await staffed.states() == {"mum-v": "failed", "mum-l": "sent"}
    (call,) = await staffed.rows(deliveries, deliveries.c.id == task.delivery)
    assert call.code == outcome
    assert (await staffed.events()).count("task_tried") == MOST_TRIES - 1
    assert await staffed.rows(point_marks) == []


async def test_who_calls_back_is_told(staffed: Installation) -> None:
    """Her machine was asked for it: the task is still there for her call, and ends with it."""
    task = await called(staffed)
    await staffed.front.services.reports.take(PRINCIPAL, task.id, report("voicemail", identity_checked=None))
    back = report("reached", at=MONDAY + dt.timedelta(minutes=2))
    await staffed.front.services.reports.take(PRINCIPAL, task.id, back)
    assert await staffed.states() == {"mum-v": "delivered"}
    assert await staffed.tasks() == []


async def test_without_another_route_the_contact_is_unreached(staffed: Installation) -> None:
    """R24: the office is asked, whoever else has it."""
    task = await called(staffed, people=family(contact_points=[voice("mum", MUM_NUMBER)]))
    await staffed.front.services.reports.take(PRINCIPAL, task.id, report("wrong_number"))
    await staffed.at_rest()
    assert [one.kind for one in await staffed.tasks()] == ["reach_by_hand"]


@pytest.mark.parametrize(("outcome", "state"), [("handed_over", "delivered"), ("posted", "sent")])
async def test_a_letter_is_handed_over_or_posted(staffed: Installation, outcome: str, state: str) -> None:
    """It is typeset when it is asked for; posted it is on its way, handed over it has arrived."""
    task = await called(staffed, people=family(contact_points=[letter("mum", HOUSE)]))
    assert task.kind == "hand_over"
    pdf = await staffed.front.services.scripts.letter(PRINCIPAL, task.id, reason="To hand it over.")
    assert pdf.startswith(b"%PDF")
    assert "address_shown" in await staffed.events()
    await staffed.front.services.reports.take(PRINCIPAL, task.id, report(outcome))
    assert await staffed.states() == {"mum-l": state}
    assert await staffed.tasks() == []
    with pytest.raises(Refused) as error:
        await staffed.front.services.scripts.letter(PRINCIPAL, task.id, reason="Once more.")
    assert error.value.status == 409


@pytest.mark.parametrize("noticed_by", ["the reader", "the clock"])
async def test_barred_since_nothing_is_shown(staffed: Installation, noticed_by: str) -> None:
    """R44: a restriction made since withdraws the call; its task goes by itself, and no number leaves."""
    task = await called(staffed)
    await staffed.put(family(restrictions=[deny("mum")]))
    if noticed_by == "the clock":
        await staffed.forward(seconds=30)
        assert await staffed.tasks() == []
    refusal = await refused(staffed, task.id)
    assert (refusal.status, refusal.detail.count(".")) == (409, refusal.detail.count(". ") + 1)
    assert MUM_NUMBER not in refusal.detail
    assert await staffed.tasks() == []
    (row,) = await staffed.deliveries()
    assert (row.state, row.code) == ("suppressed", "R01")
    assert "address_shown" not in await staffed.events()
    assert (await staffed.decided(row.notification))["kid", "mum"] == "exclude R01"


async def test_barred_for_one_child_the_others_script_remains(staffed: Installation) -> None:
    """Siblings: what is left is a message about the other child alone, as a task of its own."""
    both = [*parents("mum", student="kid"), *parents("mum", student="sis")]
    people: dict[str, Any] = {"relationships": both, "students": [KID, SIS]}
    task = await called(staffed, people=family(**people), audience={"students": ["kid", "sis"]})
    assert task.student is None
    await staffed.put(family(**people, restrictions=[deny("mum", "kid")]))
    await refused(staffed, task.id)
    await staffed.at_rest()
    (left,) = await staffed.tasks()
    assert left.id != task.id
    script = await staffed.front.services.scripts.script(PRINCIPAL, left.id, reason=None)
    assert script.speech is not None
    assert "Odalys" in script.speech
    assert "Tamsin" not in f"{script.speech} {script.for_caller}"


async def test_one_parents_words_are_never_in_the_others_script(staffed: Installation) -> None:
    """Two parents, two tasks: each has its own name and number, and nothing of the other's."""
    people = family(
        relationships=parents("mum", "dad"),
        contacts=[MUM, DAD],
        contact_points=[voice("mum", MUM_NUMBER), voice("dad", DAD_NUMBER)],
    )
    await staffed.put(people)
    await staffed.post("progress")
    await staffed.at_rest()
    by_contact = {task.contact: task for task in await staffed.tasks()}
    assert len(by_contact) == 2
    own = {"mum": ("Quillfeather", MUM_NUMBER), "dad": ("Vantongeren", DAD_NUMBER)}
    for contact, other in (("mum", "dad"), ("dad", "mum")):
        script = await staffed.front.services.scripts.script(PRINCIPAL, by_contact[contact].id, reason="To call.")
        assert script.reader.contact.id == contact
        assert isinstance(script.payload, Call)
        assert script.payload.recipient == own[contact][1]
        assert own[contact][0] in str(script.speech)
        told = f"{script.speech} {script.for_caller} {script.payload}"
        assert not [word for word in own[other] if word in told]


async def test_a_new_number_is_the_one_that_is_called(staffed: Installation) -> None:
    """The script is written from the directory of this moment; the one that was noted is not used."""
    task = await called(staffed)
    await staffed.put(family(contact_points=[voice("mum", DAD_NUMBER), letter("mum", HOUSE)]))
    script = await staffed.front.services.scripts.script(PRINCIPAL, task.id, reason="To call her.")
    assert isinstance(script.payload, Call)
    assert script.payload.recipient == DAD_NUMBER


async def test_a_joint_letter_parts_when_one_of_them_wants_it_no_more(staffed: Installation) -> None:
    """The other's goes on, to staff again, in an envelope that no longer names the first."""
    couple: dict[str, Any] = {
        "relationships": parents("mum", "dad"),
        "contacts": [MUM, DAD],
        "contact_points": [letter("mum", HOUSE), letter("dad", HOUSE)],
        "households": [TOGETHER],
    }
    task = await called(staffed, "newsletter", family(**couple))
    (carrier,) = [row for row in await staffed.deliveries() if row.merged_into is None]
    other = {"mum": "dad", "dad": "mum"}[carrier.contact]
    unwilling = [
        {**one, "preferences": {"opted_out": ["newsletter"]}} if one["id"] == carrier.contact else one
        for one in (MUM, DAD)
    ]
    await staffed.put(family(**{**couple, "contacts": unwilling}))
    await refused(staffed, task.id)
    await staffed.at_rest()
    assert await staffed.states() == {f"{carrier.contact}-l": "suppressed", f"{other}-l": "sent"}
    (left,) = await staffed.tasks()
    assert left.contact == other
    script = await staffed.front.services.scripts.script(PRINCIPAL, left.id, reason="To hand it over.")
    assert isinstance(script.payload, Sheet)
    gone, stays = (MUM, DAD) if other == "dad" else (DAD, MUM)
    assert stays["given_name"] in script.payload.address[0]
    assert gone["given_name"] not in script.payload.address[0]


async def test_a_text_that_tells_of_the_other_parent_by_now_waits_for_a_look(staffed: Installation) -> None:
    """R38: nobody reads it out before somebody has confirmed it; then it is the same call again."""
    alone: dict[str, Any] = {
        "relationships": parents("dad"),
        "contacts": [DAD],
        "contact_points": [voice("dad", DAD_NUMBER)],
    }
    task = await called(staffed, people=family(**alone), **saying("Zinnia Quillfeather will bring the cake."))
    together = family(
        relationships=parents("dad", "mum"), contacts=[DAD, MUM], contact_points=[voice("dad", DAD_NUMBER)]
    )
    await staffed.put(together)
    assert (await refused(staffed, task.id)).status == 409
    assert await staffed.states() == {"dad-v": "held"}
    assert [one.kind for one in await staffed.tasks() if one.contact == "dad"] == ["decide_hold"]
    assert await release(staffed, task.notification, "Both have agreed to the list.") == 1
    await staffed.at_rest()
    (again,) = [one for one in await staffed.tasks() if one.contact == "dad"]
    assert again.id == task.id
    script = await staffed.front.services.scripts.script(PRINCIPAL, task.id, reason=None)
    assert "cake" in str(script.speech)


async def test_while_nobody_can_say_who_is_barred_nothing_is_shown(staffed: Installation) -> None:
    """R46: the task stays, and its script is there again when the restrictions are."""
    task = await called(staffed)
    await TABLE.strike(staffed)
    staffed.time.now += dt.timedelta(hours=20)
    assert (await refused(staffed, task.id)).status == 503
    await TABLE.repair(staffed)
    assert [one.id for one in await staffed.tasks()] == [task.id]
    script = await staffed.front.services.scripts.script(PRINCIPAL, task.id, reason="To call her.")
    assert isinstance(script.payload, Call)


async def test_a_page_is_never_taken_for_staff_who_call(staffed: Installation) -> None:
    """R45: nobody's list has it, so it has not been sent; the text and the mail page, and the call is known to fail."""
    await held_lockdown(staffed, LEAD)
    await staffed.forward(minutes=2)
    await come_to(staffed, "1 lead sms", "1 lead email")

    async def tried() -> bool:
        (call,) = await staffed.rows(pages, pages.c.channel == "voice")
        return call.code == "only_by_hand" and call.state == "retrying"

    await staffed.until(tried)
    assert "call" not in {task.kind for task in await staffed.tasks()}


async def test_two_of_staff_at_once_have_one_outcome(staffed: Installation) -> None:
    """Whoever is first is on record; the other is told so, and the delivery hears of one alone."""
    task = await called(staffed)
    both = [
        staffed.front.services.reports.take(PRINCIPAL, task.id, report("reached")),
        staffed.back.services.reports.take(COLLEAGUE, task.id, report("wrong_number")),
    ]
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType", "Refused"]
    (kept,) = await staffed.rows(hand_reports)
    assert len(await staffed.rows(receipts)) == 1
    await staffed.at_rest()
    expected = {"reached": "delivered", "wrong_number": "failed"}[kept.outcome]
    assert (await staffed.states())["mum-v"] == expected


async def test_a_call_that_nobody_makes_in_time_expires(staffed: Installation) -> None:
    """Then it is nobody's task any more to say it, but to find another way."""
    task = await called(staffed, expires_at=MONDAY + dt.timedelta(hours=2))
    assert task.due_at == MONDAY + dt.timedelta(hours=2)
    await staffed.forward(hours=3)
    assert await staffed.states() == {"mum-v": "expired"}
    assert [one.kind for one in await staffed.tasks()] == ["reach_by_hand"]
    assert (await refused(staffed, task.id)).status == 409


async def test_what_is_cancelled_is_called_off(staffed: Installation) -> None:
    """Also after the notification is finished: to staff a call is not made yet."""
    task = await called(staffed)
    async with staffed.front.database.writing() as connection:
        await cancel(connection, task.notification, at=staffed.time())
        assert await call_off(connection, task.notification, now=staffed.time()) == 1
    assert await staffed.states() == {"mum-v": "cancelled"}
    assert await staffed.tasks() == []
    assert (await refused(staffed, task.id)).status == 409


@pytest.mark.parametrize(("outcome", "state"), [("not_reached", "suppressed"), ("reached", "delivered")])
async def test_what_was_said_after_all_is_believed(staffed: Installation, outcome: str, state: str) -> None:
    """The call was made before the restriction: that it arrived is on record; that it did not is no news."""
    task = await called(staffed)
    await staffed.put(family(restrictions=[deny("mum")]))
    await staffed.forward(seconds=30)
    (gone,) = await staffed.rows(tasks, tasks.c.id == task.id)
    assert (gone.done_at is not None, gone.done_by) == (True, None)
    await staffed.front.services.reports.take(PRINCIPAL, task.id, report(outcome, at=MONDAY))
    assert await staffed.states() == {"mum-v": state}
    assert await staffed.tasks() == []
    assert len(await staffed.rows(hand_reports)) == 1


async def test_the_task_comes_back_when_it_may_be_told_after_all(staffed: Installation) -> None:
    """Withdrawn by itself it was not settled: handed to staff again it is the same task, to be done anew."""
    unwilling = [{**MUM, "preferences": {"opted_out": ["progress"]}}]
    task = await called(staffed)
    await staffed.put(family(contacts=unwilling))
    await staffed.forward(seconds=30)
    assert await staffed.tasks() == []
    await staffed.put(family())
    async with staffed.front.database.writing() as connection:
        await connection.execute(
            update(deliveries).where(deliveries.c.id == task.delivery).values(state="queued", due_at=staffed.time())
        )
    await staffed.forward(seconds=30)
    (again,) = await staffed.tasks()
    assert (again.id, again.done_at) == (task.id, None)


async def test_a_lost_claim_puts_nothing_on_the_list_twice(staffed: Installation) -> None:
    """What died between hand-over and record is handed over again, and is the same task."""
    task = await called(staffed)
    async with staffed.front.database.writing() as connection:
        (row,) = await in_hands(connection, [task.delivery])
        again = withdrawn(News.ACCEPTED, "", "")
        await put_on_list(connection, [(row, replace(again, provider="staff"))], now=staffed.time())
    assert [one.id for one in await staffed.tasks()] == [task.id]


LANDLINE = "+442079460111"


async def shared_line(staffed: Installation, category: str, **people: Any) -> list[Any]:
    """Have a message brought to two parents with one telephone; gives the tasks."""
    both = {
        "relationships": parents("mum", "dad"),
        "contacts": [MUM, DAD],
        "contact_points": [voice("mum", LANDLINE), voice("dad", LANDLINE)],
    }
    await staffed.put(family(**both, **people))
    await staffed.post(category)
    await staffed.at_rest()
    return await staffed.tasks()


async def test_a_couple_with_one_telephone_gets_one_call(staffed: Installation) -> None:
    """R25: either may be told, and both have it then."""
    (task,) = await shared_line(staffed, "emergency", households=[TOGETHER])
    script = await staffed.front.services.scripts.script(PRINCIPAL, task.id, reason=None)
    assert not script.reader.apart
    assert len(script.reader.companions) == 1
    await staffed.front.services.reports.take(PRINCIPAL, task.id, report("reached"))
    assert await staffed.states() == {"mum-v": "delivered", "dad-v": "delivered"}


async def test_who_lives_apart_gets_a_call_of_their_own(staffed: Installation) -> None:
    """R26: staff make sure whom they speak to, so to reach one is not to reach the other, and neither is named."""
    found = {task.contact: task for task in await shared_line(staffed, "emergency")}
    assert set(found) == {"mum", "dad"}
    for task in found.values():
        script = await staffed.front.services.scripts.script(PRINCIPAL, task.id, reason=None)
        assert script.reader.companions == ()
    await staffed.front.services.reports.take(PRINCIPAL, found["mum"].id, report("reached"))
    assert await staffed.states() == {"mum-v": "delivered", "dad-v": "sent"}
    assert [task.contact for task in await staffed.tasks()] == ["dad"]


async def test_a_try_reported_late_does_not_settle_a_task_that_comes_back(staffed: Installation) -> None:
    """That nobody answered is on record; allowed again, the call is somebody's task again."""
    unwilling = [{**MUM, "preferences": {"opted_out": ["progress"]}}]
    task = await called(staffed)
    await staffed.put(family(contacts=unwilling))
    await staffed.forward(seconds=30)
    missed = report("not_reached", at=MONDAY, identity_checked=None)
    for _ in range(2):
        await staffed.front.services.reports.take(PRINCIPAL, task.id, missed)
    assert len(await staffed.rows(hand_reports)) == 1
    await staffed.put(family())
    async with staffed.front.database.writing() as connection:
        await connection.execute(
            update(deliveries).where(deliveries.c.id == task.delivery).values(state="queued", due_at=staffed.time())
        )
    await staffed.forward(seconds=30)
    (again,) = await staffed.tasks()
    assert (again.id, again.done_at) == (task.id, None)


async def test_what_is_reported_while_it_is_called_off_counts(staffed: Installation) -> None:
    """Whoever cancels waits for the report, and then finds nothing to withdraw."""
    task = await called(staffed)

    async def call_it_off() -> int:
        async with staffed.back.database.writing() as connection:
            return await call_off(connection, task.notification, now=staffed.time())

    async def waits() -> bool:
        query = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with staffed.front.database.reading() as connection:
            return bool((await connection.execute(query)).scalar_one())

    async with staffed.front.database.writing() as connection:
        await connection.execute(update(deliveries).where(deliveries.c.id == task.delivery).values(state="delivered"))
        calling = asyncio.create_task(call_it_off())
        if not staffed.front.database.sqlite:
            await staffed.until(waits)
    assert await calling == 0
    assert await staffed.rows(delivery_events, delivery_events.c.news == "called_off") == []
