"""R45 in the flow: no hold is silent. Whoever is on duty is paged, and a hold goes when its reason does."""

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.base import Call, Mail, Text
from gateway.directory.model import Directory
from gateway.dispatch.deny_snapshots import NoSnapshotError
from gateway.dispatch.duty import DutyDesk, DutyRoster, duty_gaps
from gateway.dispatch.paging import Paging
from gateway.rules.policy import Policy
from gateway.store.notifications import cancel
from gateway.store.pages import PAGED_KINDS, claim_pages
from gateway.store.tables import decisions, pages
from gateway.store.tasks import acknowledge_task, settle_task
from tests.flow.families import DAD, KID, MUM, SIS, parents
from tests.flow.installation import LATER, PRINCIPAL, REFUSED, SILENCE, Installation, recipient
from tests.flow.test_everyone import Notebook, notebook  # noqa: F401  # pytest finds fixtures by name in here
from tests.flow.test_restrictions_unreadable import ROW, family
from tests.flow.test_text_check import release, saying
from tests.unit.rules.households import deny, directory, email, letter, relation

LEAD_NUMBER, HEAD_NUMBER = "+447700900501", "+447700900502"
LEAD_MAIL = "lead@example.org"
LEAD = {
    "id": "lead",
    "role": "safeguarding",
    "name": "Perpetua Ashgrove",
    "language": "pl",
    "points": [
        {"channel": "sms", "address": "07700 900501"},
        {"channel": "voice", "address": LEAD_NUMBER},
        {"channel": "email", "address": LEAD_MAIL},
    ],
}
HEAD = {
    "id": "head",
    "role": "head",
    "name": "Gwendolen Marsh",
    "points": [{"channel": "sms", "address": HEAD_NUMBER}],
}


def household(*, responsibility: str = "unknown") -> Directory:
    """Let the mother live with somebody whose standing nobody knows: an alert to him is held (R13)."""
    his = relation("dad", lives_with=True, parental_responsibility=responsibility)
    return directory(students=[KID], contacts=[MUM, DAD], relationships=[*parents("mum"), his])


async def on_duty(gateway: Installation, *people: dict[str, Any]) -> None:
    """Put the duty roster."""
    roster = msgspec.convert({"people": people}, DutyRoster)
    await DutyDesk(gateway.front.database, now=gateway.time).replace(PRINCIPAL, roster)


async def held_lockdown(gateway: Installation, *people: dict[str, Any]) -> str:
    """Post an alert of which one copy is held, with these people on duty."""
    await gateway.put(household())
    await on_duty(gateway, *people)
    notification = await gateway.post("emergency")
    await gateway.at_rest()
    assert await gateway.decided(notification) == {("kid", "dad"): "hold R13", ("kid", "mum"): "send R07"}
    return notification


async def paged(gateway: Installation) -> list[str]:
    """List to whom pages have gone, in order of address."""
    rows = await gateway.rows(pages, pages.c.state == "sent")
    return sorted(f"{row.round} {row.person} {row.channel}" for row in rows)


async def come_to(gateway: Installation, *wanted: str) -> None:
    """Wait until exactly these pages have been sent."""

    async def there() -> bool:
        return await paged(gateway) == sorted(wanted)

    await gateway.until(there)


async def all_settled(gateway: Installation, **states: int) -> None:
    """Wait until there are so many pages in each of these states, and no other page."""

    async def there() -> bool:
        rows = [row.state for row in await gateway.rows(pages)]
        return {state: rows.count(state) for state in set(rows)} == states

    await gateway.until(there)


async def the_task(gateway: Installation, kind: str = "decide_hold") -> Any:
    """Give the only open task of a kind."""
    (task,) = [row for row in await gateway.tasks() if row.kind == kind]
    return task


FIRST_ROUND = ("1 lead sms", "1 lead voice", "1 lead email")


async def test_a_held_alert_pages_the_lead_after_two_minutes_and_then_the_head(gateway: Installation) -> None:
    """The decision list has it at once and nobody else waits; then text, call and mail, and after five minutes more."""
    await held_lockdown(gateway, LEAD, HEAD)
    assert await gateway.states() == {"mum-e": "sent"}
    task = await the_task(gateway)
    assert (task.contact, task.owner, task.due_at - gateway.time()) == ("dad", "safeguarding", dt.timedelta(minutes=2))
    await gateway.forward(minutes=1, seconds=59)
    assert await gateway.rows(pages) == []
    await gateway.forward(seconds=1)
    await come_to(gateway, *FIRST_ROUND)
    assert (await the_task(gateway)).paged_at == gateway.time()
    await gateway.forward(minutes=4, seconds=59)
    await gateway.forward(seconds=1)
    await come_to(gateway, *FIRST_ROUND, "2 head sms")
    assert (await gateway.events()).count("hold_paged") == 2


async def test_a_page_is_bare_and_in_the_language_of_whoever_is_on_duty(
    gateway: Installation,
    notebook: Notebook,  # noqa: F811  # the fixture
) -> None:
    """It says that a decision is needed and where; neither it nor a log names a family, staff or a number."""
    await held_lockdown(gateway, LEAD)
    await gateway.forward(minutes=2)
    await come_to(gateway, *FIRST_ROUND)
    said = {type(one.payload): one.payload for one in gateway.faults.seen if recipient(one) != "mum@example.org"}
    text, call, mail = said[Text], said[Call], said[Mail]
    assert text.body.startswith("School: potrzebna jest decyzja")
    assert "/v1/tasks" in text.body
    assert "potrzebna jest decyzja" in call.speech.lower()
    assert call.language == text.language == "pl"
    pages_alone = f"{text.body} {call.speech} {mail.content.decode()}"
    people = [KID["given_name"], *(person[key] for person in (MUM, DAD) for key in ("given_name", "family_name"))]
    for name in (*people, "Perpetua", "Ashgrove"):
        assert name not in pages_alone
    lines = "\n".join(notebook.lines)
    assert "hold_paged" in lines
    for trace in (*people, "Perpetua", "Ashgrove", LEAD_NUMBER, LEAD_MAIL):
        assert trace not in lines


async def test_two_clocks_and_two_workers_page_once(idle: Installation) -> None:
    """Whoever is first begins the round and claims the page; the other finds it done."""
    await idle.put(household())
    await on_duty(idle, LEAD, HEAD)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    idle.time.now += dt.timedelta(minutes=2)
    clocks = [
        Paging(side.database, side.wakeups, now=idle.time, policy=Policy())
        for side in (idle.front, idle.back, idle.front, idle.back)
    ]
    await asyncio.gather(*(clock.round() for clock in clocks))
    assert len(await idle.rows(pages)) == 3
    await asyncio.gather(*(idle.back.pager.send(notification) for _ in range(4)))
    assert sorted(recipient(envelope) for envelope in idle.faults.seen) == [LEAD_NUMBER, LEAD_NUMBER, LEAD_MAIL]
    assert (await idle.events()).count("hold_paged") == 1
    idle.time.now += dt.timedelta(minutes=5)
    await asyncio.gather(*(clock.round() for clock in clocks))
    assert sorted(row.round for row in await idle.rows(pages)) == [1, 1, 1, 2]


async def test_many_held_pairs_are_one_page_a_person(gateway: Installation) -> None:
    """Twenty children with a held partner each: the lead's telephone rings once, and one acknowledgement will do."""
    rows = [relation(f"partner-{one}", f"child-{one}", lives_with=True) for one in range(20)]
    await gateway.put(directory(relationships=rows))
    await on_duty(gateway, LEAD, HEAD)
    await gateway.post("emergency", audience={"students": [f"child-{one}" for one in range(20)]})
    await gateway.at_rest()
    await gateway.forward(minutes=2)
    await come_to(gateway, *FIRST_ROUND)
    open_ones = await gateway.tasks()
    assert len(open_ones) == 20
    async with gateway.front.database.writing() as connection:
        await acknowledge_task(connection, open_ones[7], PAGED_KINDS, by="key", at=gateway.time())
    assert {row.acknowledged_by for row in await gateway.tasks()} == {"key"}
    await gateway.forward(minutes=20)
    assert len(await gateway.rows(pages)) == 3


@pytest.mark.parametrize("answer", ["acknowledged", "done", "cancelled"])
async def test_an_answer_stops_the_pages(gateway: Installation, answer: str) -> None:
    """A page that a busy provider has not taken yet is withdrawn, and no further round begins."""
    gateway.faults.always(LEAD_MAIL, LATER)
    notification = await held_lockdown(gateway, LEAD, HEAD)
    await gateway.forward(minutes=2)
    await all_settled(gateway, sent=2, retrying=1)
    task = await the_task(gateway)
    async with gateway.front.database.writing() as connection:
        if answer == "acknowledged":
            await acknowledge_task(connection, task, PAGED_KINDS, by="key", at=gateway.time())
        elif answer == "done":
            assert await settle_task(connection, task, by="key", note="Telephoned him.", at=gateway.time())
        else:
            await cancel(connection, notification, at=gateway.time())
    for _ in range(4):
        await gateway.forward(minutes=5)
    await all_settled(gateway, sent=2, cancelled=1)
    still = [row.kind for row in await gateway.tasks() if row.contact == "dad"]
    assert still == (["decide_hold"] if answer == "acknowledged" else [])
    assert f"task_{answer}" in await gateway.events() or answer == "cancelled"


async def test_a_page_that_is_not_taken_is_tried_again_and_the_others_go(gateway: Installation) -> None:
    """The text provider is busy, the mailbox does not exist: the call rings at once, the text arrives on the retry."""
    await held_lockdown(gateway, LEAD, HEAD)
    gateway.faults.once(LEAD_NUMBER, LATER)
    gateway.faults.always(LEAD_MAIL, REFUSED)
    await gateway.forward(minutes=2)
    await all_settled(gateway, sent=1, retrying=1, failed=1)
    await gateway.forward(seconds=20)
    await all_settled(gateway, sent=2, failed=1)
    assert {row.attempts for row in await gateway.rows(pages) if row.channel != "email"} == {1, 2}


async def test_a_page_nobody_knows_about_is_repeated(gateway: Installation) -> None:
    """A telephone that rings twice does no harm; the same mail comes under the same Message-ID."""
    await held_lockdown(gateway, LEAD)
    gateway.faults.once(LEAD_MAIL, SILENCE)
    await gateway.forward(minutes=2)
    await all_settled(gateway, sent=2, unknown=1)
    await gateway.forward(seconds=20)
    await all_settled(gateway, sent=3)
    ids = [one.delivery for one in gateway.faults.seen if recipient(one) == LEAD_MAIL]
    assert len(ids) == 2
    assert len(set(ids)) == 1


async def test_a_round_that_reaches_nobody_is_followed_by_the_next_role_at_once(gateway: Installation) -> None:
    """None of the lead's points takes a page: the head does not wait five minutes."""
    await held_lockdown(gateway, LEAD, HEAD)
    for address in (LEAD_NUMBER, LEAD_MAIL):
        gateway.faults.always(address, REFUSED)
    await gateway.forward(minutes=2)
    await all_settled(gateway, failed=3)
    await gateway.forward(seconds=1)
    await come_to(gateway, "2 head sms")


async def test_a_page_outlives_its_worker(idle: Installation) -> None:
    """Claimed by a worker that dies before it is sent, it is sent by another when the lease is over."""
    await idle.put(household())
    await on_duty(idle, HEAD)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    idle.time.now += dt.timedelta(minutes=2)
    await idle.front.clock.round()
    async with idle.back.database.writing() as connection:
        lost = await claim_pages(
            connection,
            notification,
            owner="dead",
            now=idle.time(),
            until=idle.time() + dt.timedelta(minutes=1),
            limit=100,
        )
    assert [row.state for row in lost] == ["sending"]
    await idle.back.pager.send(notification)
    assert idle.faults.seen == []
    idle.time.now += dt.timedelta(seconds=61)
    await idle.back.pager.send(notification)
    assert [recipient(envelope) for envelope in idle.faults.seen] == [HEAD_NUMBER]


async def test_without_a_lead_on_the_roster_the_office_is_told(gateway: Installation) -> None:
    """Nobody can be paged: that is a task of its own, which goes when the hold does."""
    async with gateway.front.database.reading() as connection:
        assert await duty_gaps(connection) == []
    await held_lockdown(gateway)
    async with gateway.front.database.reading() as connection:
        assert len(await duty_gaps(connection)) == 1
    await gateway.forward(minutes=2)
    task = await the_task(gateway, "nobody_on_duty")
    assert (task.owner, task.due_at) == ("office", gateway.time())
    assert "PUT /v1/duty" in task.detail
    async with gateway.front.database.writing() as connection:
        await settle_task(connection, await the_task(gateway), by="key", note="Telephoned.", at=gateway.time())
    await gateway.forward(seconds=1)
    assert await gateway.tasks() == []


async def test_pages_in_vain_are_the_offices_matter(gateway: Installation) -> None:
    """Six rounds and no answer: somebody has to go and find the lead."""
    await held_lockdown(gateway, HEAD, LEAD)
    await gateway.forward(minutes=2)
    for _ in range(8):
        await gateway.forward(minutes=5)
    await come_to(
        gateway, *(f"{number} {who}" for number in (1, 3, 5) for who in ("lead sms", "lead voice", "lead email")),
        *(f"{number} head sms" for number in (2, 4, 6)),
    )  # fmt: skip
    assert (await the_task(gateway, "nobody_answers")).owner == "office"


async def test_a_corrected_record_lets_the_held_copy_go(gateway: Installation) -> None:
    """His standing is confirmed in the directory: his copy leaves within seconds, the task goes, nobody is paged."""
    notification = await held_lockdown(gateway, LEAD)
    await gateway.put(household(responsibility="yes"))
    await gateway.forward(seconds=10)
    assert await gateway.decided(notification) == {("kid", "dad"): "send R07", ("kid", "mum"): "send R07"}
    assert await gateway.states() == {"dad-e": "sent", "mum-e": "sent"}
    assert gateway.outbox.mailed() == ["dad@example.org", "mum@example.org"]
    assert await gateway.tasks() == []

    async def finished() -> bool:
        return await gateway.status(notification) == "finished"

    await gateway.until(finished)
    assert {"decision_changed", "hold_gone"} <= set(await gateway.events())
    await gateway.forward(minutes=3)
    assert await gateway.rows(pages) == []


async def test_the_held_copy_of_a_withdrawn_alert_is_not_let_go(gateway: Installation) -> None:
    """The others have it already; his task goes, and a corrected record sends him nothing."""
    notification = await held_lockdown(gateway)
    assert await gateway.status(notification) == "finished"
    async with gateway.front.database.writing() as connection:
        await cancel(connection, notification, at=gateway.time())
    await gateway.put(household(responsibility="yes"))
    await gateway.forward(seconds=10)
    assert await gateway.tasks() == []
    assert await gateway.states() == {"mum-e": "sent"}


async def test_an_alert_of_yesterday_is_not_let_go(gateway: Installation) -> None:
    """The record is corrected when the alert's time is over: nothing leaves that would only frighten."""
    notification = await held_lockdown(gateway)
    await gateway.forward(hours=13)
    await gateway.put(household(responsibility="yes"))
    await gateway.forward(seconds=10)
    assert (await gateway.decided(notification))["kid", "dad"] == "hold R13"
    assert await gateway.states() == {"mum-e": "sent"}


async def test_of_siblings_the_freed_one_alone_is_told_about(gateway: Installation) -> None:
    """His news of one child has left; when the hold about the other goes, the second mail names only that one."""
    people: dict[str, Any] = {"students": [KID, SIS], "contacts": [DAD]}
    before = [*parents("dad"), relation("dad", "sis", lives_with=True)]
    await gateway.put(directory(**people, relationships=before))
    notification = await gateway.post("meeting", audience={"students": ["kid", "sis"]})
    await gateway.at_rest()
    assert await gateway.decided(notification) == {("kid", "dad"): "send R07", ("sis", "dad"): "hold R13"}
    await gateway.put(directory(**people, relationships=[*parents("dad"), *parents("dad", student="sis")]))
    await gateway.forward(seconds=10)
    assert set((await gateway.decided(notification)).values()) == {"send R07"}
    texts = [str(mail) for mail in gateway.outbox.mails().values()]
    assert sorted(("Tamsin" in text, "Odalys" in text) for text in texts) == [(False, True), (True, False)]


async def test_a_freed_copy_is_read_before_it_leaves(gateway: Installation) -> None:
    """His standing is confirmed, but the text tells where she lives: it goes on waiting, for another reason (R38)."""
    points = [email("mum"), email("dad"), letter("mum", "9 Refuge Lane")]
    rows = parents("mum")
    unknown = relation("dad", lives_with=True)
    people: dict[str, Any] = {"students": [KID], "contacts": [MUM, DAD], "contact_points": points}
    await gateway.put(directory(**people, relationships=[*rows, unknown]))
    notification = await gateway.post("meeting", **saying("Meet at 9 Refuge Lane, ZZ9 9ZZ."))
    await gateway.at_rest()
    await gateway.put(directory(**people, relationships=[*rows, {**unknown, "parental_responsibility": "yes"}]))
    await gateway.forward(seconds=10)
    assert (await gateway.decided(notification))["kid", "dad"] == "hold R38"
    assert (await the_task(gateway)).detail.startswith("R38")
    assert gateway.outbox.mailed() == ["mum@example.org"]
    assert await release(gateway, notification, "Both know where that is.") == 1
    await gateway.at_rest()
    assert gateway.outbox.mailed() == ["dad@example.org", "mum@example.org"]
    assert await gateway.tasks() == []


async def test_a_hold_that_comes_back_is_a_task_again(idle: Installation) -> None:
    """Confirmed, and before it leaves in doubt again: the task that had gone by itself is back."""
    await idle.put(household())
    notification = await idle.post("meeting")
    await idle.back.planner.plan(notification)
    await idle.put(household(responsibility="yes"))
    await idle.front.clock.round()
    assert await idle.tasks() == []
    await idle.put(household())
    await idle.send_due()
    assert (await idle.decided(notification))["kid", "dad"] == "hold R13"
    assert [row.contact for row in await idle.tasks()] == ["dad"]


async def test_an_alert_that_cannot_be_decided_about_at_all_pages_as_well(idle: Installation) -> None:
    """The restrictions cannot be read and there is no snapshot: after two minutes in which it might have mended."""
    await idle.put(family(deny("dad")))
    await on_duty(idle, LEAD)
    await ROW.strike(idle)
    notification = await idle.post("emergency")
    with pytest.raises(NoSnapshotError):
        await idle.back.planner.plan(notification)
    paging = Paging(idle.front.database, idle.front.wakeups, now=idle.time, policy=Policy())
    for seconds, number in ((119, 0), (1, 3)):
        idle.time.now += dt.timedelta(seconds=seconds)
        await paging.round()
        assert len(await idle.rows(pages)) == number


FAMILIES = Path(__file__).parents[1] / "families"
HELD_CASES = [
    pytest.param(family["directory"], case["request"], id=f"{path.stem[:3]}-{number}")
    for path in sorted(FAMILIES.glob("*.json"))
    for family in [json.loads(path.read_text())]
    for number, case in enumerate(family["cases"])
    if any(decision["outcome"] == "hold" for decision in case["expect"]["decisions"])
]


@pytest.mark.parametrize(("document", "request_"), HELD_CASES)
async def test_every_hold_of_the_families_is_somebodys_task(
    idle: Installation, document: dict[str, Any], request_: dict[str, Any]
) -> None:
    """Whatever the rule that holds: one open task each, with owner and deadline, and none for anything else."""
    school = {**document["school"], "id": "school"}
    idle.time.now = dt.datetime.fromisoformat(request_["at"]).astimezone(dt.UTC)
    await idle.put(msgspec.convert({**document, "school": school}, Directory))
    audience = {key: request_[key] for key in ("students", "groups", "everyone", "contacts") if request_.get(key)}
    notification = await idle.post(request_["category"], audience=audience)
    await idle.back.planner.plan(notification)
    held = await idle.rows(decisions, decisions.c.outcome == "hold")
    open_ones = [row for row in await idle.tasks() if row.kind == "decide_hold"]
    assert held
    assert sorted((row.student, row.contact) for row in open_ones) == [(row.student, row.contact) for row in held]
    for task in open_ones:
        assert task.owner == "safeguarding"
        assert task.due_at > idle.time()
    await idle.front.clock.round()
    assert [row.id for row in await idle.tasks() if row.kind == "decide_hold"] == [row.id for row in open_ones]
